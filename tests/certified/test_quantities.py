"""Moments, scales and cumulants as enclosures, against definitions that share nothing with them."""

from __future__ import annotations

import mpmath
import pytest

import fracmoment as fm
from fracmoment import certified
from fracmoment.certified import Interval


def definition(slope: float, width: int, order: float, digits: int = 60) -> mpmath.mpf:
    """E R^order of a leaky layer by the Beta mixture: sums of 2F1 at twice the digits."""
    with mpmath.workdps(2 * digits):
        d, p, gap = mpmath.mpf(width), mpmath.mpf(order) / 2, 1 - mpmath.mpf(slope) ** 2
        chi = 2**p * mpmath.gammaprod([d / 2 + p], [d / 2])
        total = mpmath.mpf(0)
        for n in range(width + 1):
            if n == 0:
                mean = mpmath.mpf(slope) ** order if slope else mpmath.mpf(0)
            else:
                mean = mpmath.hyp2f1(-p, (d - n) / 2, d / 2, gap)
            total += mpmath.binomial(width, n) * mean
        return chi * total / 2**width


@pytest.mark.parametrize("slope", [0.0, 0.01, 0.75, 1.0, 3.0])
@pytest.mark.parametrize("order", [0.5, 1.0, 2.0, 3.7, 20.0])
@pytest.mark.parametrize("width", [1, 2, 7])
def test_moments_contain_the_beta_mixture(slope: float, order: float, width: int) -> None:
    gain = fm.Gain(fm.LeakyReLU(slope), width)
    enclosure = certified.moment(gain, order, digits=30)
    assert enclosure.digits >= 30
    assert definition(slope, width, order) in enclosure


@pytest.mark.parametrize("activation", ["relu", "linear", "leaky_relu"])
@pytest.mark.parametrize("width", [2, 64, 10**6])
def test_core_lies_within_an_ulp(activation: str, width: int) -> None:
    gain = fm.Gain(activation, width)
    for value, enclosure in (
        (gain.moment(1.5), certified.moment(gain, 1.5)),
        (gain.scale(0.5), certified.scale(gain, 0.5)),
        (gain.scale(0), certified.scale(gain, 0)),
        (gain.log_mean(), certified.log_mean(gain)),
        (gain.log_var(), certified.log_var(gain)),
    ):
        assert abs(value - float(enclosure)) <= abs(value) * 2.3e-16


def test_intervals_contain_inner_points() -> None:
    gain = fm.Gain(fm.LeakyReLU(0.5), 16)
    slopes, orders = Interval("0.4", "0.6"), Interval("-0.5", "1.5")
    over = certified.scale(gain, orders, negative_slope=slopes)
    moments = certified.moment(gain, orders, negative_slope=slopes)
    for slope in (0.41, 0.5, 0.59):
        for order in (-0.49, 0.0, 0.3, 1.49):
            inner = fm.Gain(fm.LeakyReLU(slope), 16)
            assert certified.scale(inner, order) in over
            assert certified.moment(inner, order) in moments
