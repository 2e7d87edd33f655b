"""The tail index inverts the scale."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fracmoment as fm

orders = st.floats(0.05, 20.0)


@given(
    activation=st.sampled_from(["linear", "relu", "leaky_relu", "rrelu"]),
    width=st.integers(1, 10**6),
    order=orders,
    keep=st.sampled_from([1.0, 0.9, 0.3]),
)
def test_tail_index_of_the_scale_is_the_order(activation, width, order, keep):
    g = fm.Gain(activation, width, keep_prob=keep)
    index = fm.tail_index(g, g.scale(order))
    if g.scale(order) >= g.scale(0):  # an atom at 0 and a low order: the drift is positive
        assert g.prob_zero() > 0
        assert index == 0.0
        return
    # The root is as well conditioned as the logarithm of the scale is sensitive to the order:
    # d log(scale)/ds is about -Var(log R)/2.
    tolerance = max(1e-12 * order, 8 * 2.0**-53 / g.log_var())
    assert abs(index - order) <= tolerance


@given(width=st.integers(2, 1000), order=orders, slope=st.floats(0.05, 0.9))
def test_orthogonal_layers(width, order, slope):
    g = fm.Gain(fm.LeakyReLU(slope), width, weights="orthogonal")
    tolerance = max(1e-12 * order, 8 * 2.0**-53 / g.log_var())
    assert abs(fm.tail_index(g, g.scale(order)) - order) <= tolerance


def test_arrays():
    g = fm.Gain("relu", [[16], [64]])
    indices = fm.tail_index(g, g.scale([0.5, 1.0, 2.0]))
    assert np.allclose(indices, [[0.5, 1.0, 2.0]] * 2, rtol=1e-12)


def test_networks():
    layers = [fm.Gain("relu", 32), fm.Gain("leaky_relu", 8), fm.Gain("linear", 100)]
    for order in (0.3, 1.0, 2.0, 5.0):
        sigmas = [g.scale(order) for g in layers]
        assert fm.tail_index(layers, sigmas) == pytest.approx(order, rel=1e-12)
    # Layers of different orders: in between.
    mixed = [g.scale(order) for g, order in zip(layers, (1.0, 2.0, 2.0), strict=True)]
    assert 1.0 < fm.tail_index(layers, mixed) < 2.0
    assert fm.tail_index([layers[0]] * 3, 0.1) == layers[0].tail_index(0.1)


def test_networks_without_a_tail_index():
    growing = [fm.Gain("linear", 8), fm.Gain("leaky_relu", 8)]
    assert fm.tail_index(growing, 10.0) == 0.0
    bounded = [fm.Gain("relu", 8, weights="orthogonal"), fm.Gain("linear", 4, weights="orthogonal")]
    assert fm.tail_index(bounded, [0.9, 1.1]) == math.inf
    mortal = [fm.Gain("relu", 1), fm.Gain("relu", 2)]
    # layers that may die have an index for every scale
    alpha = fm.tail_index(mortal, 10.0)
    assert math.prod(g.moment(alpha) * 10.0**alpha for g in mortal) == pytest.approx(1, rel=1e-13)
