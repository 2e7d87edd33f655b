"""Which moments exist: each end against what integrals or samples say."""

from __future__ import annotations

import math

import numpy as np
import pytest

import fracmoment as fm

LINEAR, RELU = fm.Gain("linear", 5), fm.Gain("relu", 7)


@pytest.mark.parametrize(
    ("arguments", "lower", "upper"),
    [
        ({"gain": LINEAR}, -5.0, math.inf),
        ({"gain": [LINEAR, fm.Gain("leaky_relu", 3), fm.Gain("linear", 9)]}, -3.0, math.inf),
        ({"gain": [fm.Gain("linear", 3), LINEAR], "biases": True}, -5.0, math.inf),
        ({"gain": RELU}, 0.0, math.inf),
        ({"gain": RELU, "given_alive": True}, -1.0, math.inf),
        ({"gain": [RELU, LINEAR]}, 0.0, math.inf),
        ({"gain": [RELU, LINEAR], "biases": True}, -5.0, math.inf),
        ({"gain": [RELU, LINEAR], "given_alive": True}, -1.0, math.inf),
        ({"gain": LINEAR, "weights": fm.StudentWeights(2.5)}, -5.0, 2.5),
        ({"gain": LINEAR, "weights": fm.StableWeights(2.0)}, -5.0, math.inf),
        ({"gain": LINEAR, "inputs": fm.StableWeights(1.2), "input_width": 2}, -2.0, 1.2),
        ({"gain": LINEAR, "inputs": "gaussian", "input_width": 9}, -5.0, math.inf),
        (
            {
                "gain": LINEAR,
                "inputs": fm.StudentWeights(4),
                "input_width": 1,
                "biases": True,
                "weights": fm.StudentWeights(3),
            },
            -5.0,
            3.0,
        ),
        ({"gain": fm.Gain("leaky_relu", 4, weights="orthogonal")}, -math.inf, math.inf),
        ({"gain": fm.Gain("leaky_relu", 4, weights="orthogonal"), "biases": True}, -4.0, math.inf),
        ({"gain": fm.Gain("linear", 4, keep_prob=0.5)}, 0.0, math.inf),
    ],
)
def test_ends(arguments, lower, upper):
    orders = fm.finite_orders(**arguments)
    assert orders == (lower, upper)
    assert 1.0 in orders
    if lower > -math.inf:
        assert lower not in orders
        assert lower + 1e-9 in orders


def test_the_moments_of_the_core_agree():
    for gain in (LINEAR, RELU, fm.Gain("leaky_relu", 2)):
        orders = fm.finite_orders(gain)
        gain.moment(orders.lower + 1e-3)
        with pytest.raises(ValueError, match="order"):
            gain.moment(orders.lower - 1e-3)


def test_heavy_weights_by_simulation():
    """Hill's estimate after three layers of Student weights, within 4.5 standard errors.

    The bias at 400 of 40,000 samples is below one standard error at this index.
    """
    freedom = 1.5
    rng = np.random.default_rng(4)
    x = np.ones((40_000, 3))
    for _ in range(3):
        x = np.einsum("nij,nj->ni", rng.standard_t(freedom, (40_000, 3, 3)), x)
    estimate = fm.hill_estimate(np.log(np.linalg.norm(x, axis=1)), 400)
    upper = fm.finite_orders([fm.Gain("linear", 3)] * 3, weights=fm.StudentWeights(freedom)).upper
    # products of heavy-tailed factors carry powers of log t: the estimate lies below the index
    assert upper - 0.5 < estimate.value < upper + 4.5 * estimate.standard_error


def test_stationary_orders():
    gain = fm.Gain("relu", 16)
    orders = fm.stationary_orders(gain, gain.scale(1.7))
    assert orders.lower == 0.0
    assert orders.upper == pytest.approx(1.7, rel=1e-12)
    assert fm.stationary_orders(gain, 0.01, given_alive=True).lower == -1.0
    with pytest.raises(ValueError, match="sigma"):
        fm.stationary_orders(fm.Gain("linear", 4), 1.0)


def test_critical_scale_inverts_the_tail_index():
    layers = [fm.Gain("linear", 4), fm.Gain("relu", 16), fm.Gain("leaky_relu", 8)]
    for order in (0.5, 1.0, 3.0):
        sigma = fm.critical_scale(layers, order)
        assert fm.tail_index(layers, sigma) == pytest.approx(order, rel=1e-11)
    assert fm.critical_scale(layers, [1.0, 2.0]).shape == (2,)
    assert fm.critical_scale(LINEAR, 2.0) == LINEAR.scale(2.0)
    zero = fm.critical_scale(layers)
    assert sum(fm.drift(layers, zero)) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: fm.finite_orders([]), ValueError, "gain"),
        (lambda: fm.finite_orders("relu"), TypeError, "gain"),
        (lambda: fm.finite_orders(LINEAR, weights="student"), ValueError, "weights"),
        (lambda: fm.finite_orders(LINEAR, inputs=3.0, input_width=2), TypeError, "inputs"),
        (lambda: fm.finite_orders(LINEAR, inputs="gaussian"), TypeError, "input_width"),
        (lambda: fm.finite_orders(LINEAR, input_width=3), ValueError, "input_width"),
        (
            lambda: fm.finite_orders(
                fm.Gain("linear", 4, weights="orthogonal"), weights=fm.StudentWeights(3)
            ),
            ValueError,
            "orthogonal",
        ),
        (lambda: fm.critical_scale(LINEAR, -1.0), ValueError, "order"),
        (lambda: fm.critical_scale([]), ValueError, "gain"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()
