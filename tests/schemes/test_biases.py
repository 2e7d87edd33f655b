"""Conventions for biases."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from fracmoment import schemes


def test_constant_biases():
    assert not schemes.constant_bias(5).any()
    assert np.all(schemes.constant_bias(5, 0.1) == 0.1)


def test_probability_of_inactive_units():
    """By simulation, a z-score below 5, and by scipy's normal law."""
    weights = schemes.He().sample((20_000, 6), rng=1)
    scale = schemes.He().scale(6, 20_000)
    x = np.array([1.0, -2.0, 0.5, 0.0, 1.0, 3.0])
    norm = np.linalg.norm(x)
    expected = schemes.prob_inactive(0.5, scale, norm)
    assert expected == pytest.approx(stats.norm.sf(0.5 / (scale * norm)), rel=1e-14)
    found = np.mean(weights @ x + 0.5 <= 0)
    assert abs(found - expected) < 5 * np.sqrt(expected * (1 - expected) / 20_000)
    assert schemes.prob_inactive([0.0, 1.0], [[1.0], [2.0]], 1.0).shape == (2, 2)


def test_lstm_biases():
    bias = schemes.lstm_bias(3, forget=2.0)
    assert bias.tolist() == [0.0] * 3 + [2.0] * 3 + [0.0] * 6
    other = schemes.lstm_bias(3, gates=("input", "cell", "forget", "output"))
    assert other.tolist() == [0.0] * 6 + [1.0] * 3 + [0.0] * 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: schemes.constant_bias(0), "fan_out"),
        (lambda: schemes.constant_bias(3, float("nan")), "value"),
        (lambda: schemes.lstm_bias(0), "hidden"),
        (lambda: schemes.lstm_bias(2, gates=("forget",)), "gates"),
        (lambda: schemes.prob_inactive(0.1, 0.0, 1.0), "scale"),
        (lambda: schemes.prob_inactive(0.1, 1.0, 0.0), "input_norm"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
