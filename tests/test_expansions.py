"""Second-order expansions and what they leave out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fracmoment as fm

GAINS = [
    lambda d: fm.Gain("linear", d),
    lambda d: fm.Gain("relu", d),
    lambda d: fm.Gain(fm.LeakyReLU("0.3"), d),
    lambda d: fm.Gain("rrelu", d),
    lambda d: fm.Gain("relu", d, keep_prob="0.8"),
    lambda d: fm.Gain("rrelu", d, keep_prob=0.5, inverted_dropout=False),
]


@pytest.mark.parametrize("build", GAINS)
@pytest.mark.parametrize("order", [0.5, 1.0, 3.0])
def test_the_remainder_falls_like_the_cube_of_the_width(build, order):
    remainders = [fm.scale_squared_remainder(build(d), order) for d in (500, 1000, 2000)]
    ratios = np.divide(remainders[:-1], remainders[1:])
    assert np.all(abs(ratios - 8) < 0.25)
    assert abs(ratios[1] - 8) < abs(ratios[0] - 8)


@pytest.mark.parametrize("order", [0.5, 1.0, 3.0])
def test_orthogonal_layers(order):
    build = lambda d: fm.Gain("relu", d, weights="orthogonal")  # noqa: E731 - as in GAINS
    remainders = [fm.scale_squared_remainder(build(d), order) for d in (500, 1000)]
    assert remainders[0] / remainders[1] == pytest.approx(4, abs=0.1)


def test_the_expansion_is_exact_at_order_two():
    for build in GAINS:
        assert abs(fm.scale_squared_remainder(build(10), 2)) < 1e-50


@given(
    width=st.integers(1, 10**6),
    order=st.floats(0, 10),
    slope=st.floats(-3, 3).map(lambda x: round(x, 9)),
)
def test_named_forms_agree_with_the_general_one(width, order, slope):
    general = fm.scale_squared
    close = lambda value: pytest.approx(value, rel=1e-12, abs=1e-15)  # noqa: E731 - short
    assert fm.linear_scale_squared(width, order) == close(general(width, order, 1.0, 2.0))
    assert fm.relu_scale_squared(width, order) == close(general(width, order, 0.5, 1.25))
    moments = fm.unit_moments(fm.Gain(fm.LeakyReLU(slope), width))
    leaky = fm.leaky_relu_scale_squared(width, order, slope)
    assert leaky == close(general(width, order, *moments))


def test_unit_moments():
    assert fm.unit_moments(fm.Gain("linear", 1)) == (1.0, 2.0)
    mean, variance = fm.unit_moments(fm.Gain(fm.RandomizedLeakyReLU(-0.5, 1.0), 1, keep_prob=0.5))
    rng = np.random.default_rng(1)
    z, a = rng.standard_normal(10**6), rng.uniform(-0.5, 1.0, 10**6)
    y = np.where(z > 0, z, a * z) ** 2 * (rng.random(10**6) < 0.5) / 0.25
    assert abs(y.mean() - mean) < 6 * (variance / y.size) ** 0.5
    assert y.var() == pytest.approx(variance, rel=0.05)


def test_shapes():
    assert type(fm.relu_scale_squared(8, 1)) is float
    assert fm.relu_scale_squared([8, 16], [[1.0], [2.0]]).shape == (2, 2)
    assert fm.scale_squared_remainder(fm.Gain("relu", [8, 16]), 1.0).shape == (2,)
    remainder = fm.scale_squared_remainder(fm.Gain("relu", 8), 1.0)
    assert remainder == pytest.approx(
        fm.Gain("relu", 8).scale(1.0) ** 2 - fm.relu_scale_squared(8, 1.0), rel=1e-10
    )


def test_bad_input():
    with pytest.raises(ValueError, match="mean must be > 0"):
        fm.scale_squared(8, 1.0, 0.0, 1.0)
    with pytest.raises(ValueError, match="variance must be >= 0"):
        fm.scale_squared(8, 1.0, 1.0, -1.0)
    with pytest.raises(ValueError, match="width must be"):
        fm.linear_scale_squared(0, 1.0)


def test_steep_slopes_do_not_overflow():
    slope = 1e100
    gain = fm.Gain(fm.LeakyReLU(slope), 10)
    expansion = fm.expansions.leaky_relu_scale_squared(10, 1.0, slope)
    assert math.isclose(math.sqrt(expansion), gain.scale(1.0), rel_tol=0.05)
    mean, variance = fm.expansions.unit_moments(gain)
    assert math.isclose(mean, 0.5e200, rel_tol=1e-15)
    assert variance == math.inf
