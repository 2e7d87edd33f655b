"""Layers that divide by the root mean square: sqrt(d) times the gain of orthogonal weights.

Explicit networks of normal weights, of any scale, are compared with it. Seeds are fixed; a bound of
5 standard deviations fails for one seed in two million.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

import fracmoment as fm

ACTIVATIONS = {
    "relu": lambda z: np.maximum(z, 0.0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "linear": lambda z: z,
}
SAMPLES = 20_000


def normalized_layer(name: str, x: np.ndarray, width: int, scale: float, rng) -> np.ndarray:
    """Return phi(h sqrt(d)/|h|), h = W x, with weights of its own for every sample."""
    weights = scale * rng.standard_normal((len(x), width, x.shape[1]))
    h = np.einsum("nij,nj->ni", weights, x)
    return ACTIVATIONS[name](h * (math.sqrt(width) / np.linalg.norm(h, axis=1, keepdims=True)))


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("width", [2, 5])
def test_explicit_layers(name: str, width: int) -> None:
    rng = np.random.default_rng(width)
    x = np.tile([3.0, -1.0, 0.5], (SAMPLES, 1))
    x = normalized_layer(name, x, 4, 0.1, rng)
    x = x[x.any(axis=1)]
    norms = np.linalg.norm(normalized_layer(name, x, width, 7.0, rng), axis=1)
    gain = fm.Gain(name, width, weights="orthogonal")
    for order in (0.5, 1.0, 3.0):
        mean, second = (width ** (s / 2) * gain.moment(s) for s in (order, 2 * order))
        spread = math.sqrt(max(second - mean * mean, 0.0) / len(norms))
        assert abs(np.mean(norms**order) - mean) <= 5.0 * spread + 1e-12 * mean
    for r in (0.6, 0.9):
        p = gain.cdf(r)
        below = np.mean(norms <= r * math.sqrt(width))
        assert abs(below - p) <= 5.0 * math.sqrt(p * (1 - p) / len(norms)) + 1e-12


def test_network() -> None:
    gain = fm.Gain("relu", 5, weights="orthogonal")
    network = fm.Network([9, 7, 5], "relu", normalization="rms", last=None)
    assert network.gains()[-1] == gain
    mean = 0.5 * math.log(5) + gain.log_mean()
    assert math.isclose(network.law().mean(), mean, rel_tol=1e-13)
