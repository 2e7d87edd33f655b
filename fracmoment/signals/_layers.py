"""Layers with biases: what every law and every moment of a signal is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fracmoment import _layers, _validation
from fracmoment.gains import Gain
from fracmoment.simulation.networks import biases

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fracmoment._typing import FloatArray


class Layer(NamedTuple):
    """One layer: x' = phi(W x + b), W of standard deviation sigma, b of standard deviation bias."""

    gain: Gain
    sigma: float
    bias: float


@dataclass(frozen=True)
class BiasedLayers:
    """The layers of a network; ``distinct`` holds one entry, or one for every layer."""

    distinct: list[Layer]
    depth: int

    @property
    def last(self) -> Layer:
        """The last layer."""
        return self.distinct[-1]

    def __iter__(self) -> Iterator[Layer]:
        """Yield every layer, from the input on."""
        return (self.distinct[k % len(self.distinct)] for k in range(self.depth))


def layers_of(gain: Any, sigma: Any, depth: Any, bias: Any) -> BiasedLayers:
    """Return the layers of a network of Gaussian weights and biases."""
    layers = _layers.of(gain, sigma, depth)
    bias_values = biases(bias, layers.depth)
    for entry in layers.gains:
        require_gaussian(entry)
    gains, sigmas = layers.gains, layers.sigmas
    rows = [
        Layer(gains[k % len(gains)], sigmas[k % len(sigmas)], bias_values[k % len(bias_values)])
        for k in range(max(len(gains), len(sigmas), len(bias_values)))
    ]
    return BiasedLayers(rows, layers.depth)


def layer_of(gain: Any, sigma: Any, bias: Any) -> Layer:
    """Return one layer."""
    require_single(gain)
    require_gaussian(gain)
    scale = _validation.as_float("sigma", _validation.positive("sigma", sigma))
    return Layer(gain, scale, nonnegative("bias", bias))


def require_single(gain: Any) -> None:
    """Refuse what is not one gain law."""
    if not isinstance(gain, Gain) or gain.shape:
        message = f"gain must be a Gain of scalar parameters, got {gain!r}"
        raise TypeError(message)


def require_gaussian(gain: Gain) -> None:
    """Refuse weights that are not independent: with biases their gain depends on the signal."""
    if gain.weights != "gaussian":
        message = f"gain must have weights='gaussian' in a network with biases, got {gain!r}"
        raise ValueError(message)


def nonnegative(name: str, value: Any) -> float:
    """Return one finite number that is >= 0."""
    number = _validation.as_float(name, value)
    _validation.require(name, number, number >= 0.0, ">= 0")
    return number


def gram_matrix(name: str, value: Any) -> FloatArray:
    """Return a Gram matrix of signals: symmetric, no correlation beyond 1, but for rounding."""
    gram = _validation.floats(name, value)
    if not isinstance(gram, np.ndarray) or gram.ndim != 2 or not gram.size:
        message = f"{name} must be a square matrix of inner products, got shape {np.shape(value)}"
        raise ValueError(message)
    if gram.shape[0] != gram.shape[1]:
        message = f"{name} must be a square matrix of inner products, got shape {gram.shape}"
        raise ValueError(message)
    norms = np.sqrt(np.maximum(np.diagonal(gram), 0.0))
    room = 1e-12 * np.outer(norms, norms)
    _validation.require(name, gram, np.abs(gram - gram.T) <= room, "a symmetric matrix")
    _validation.require(name, gram, np.abs(gram) <= np.outer(norms, norms) + room, _GRAM)
    lowest = float(np.linalg.eigvalsh(gram)[0])
    _validation.require(name, lowest, lowest >= -1e-12 * float(norms @ norms), _DEFINITE)
    return gram


_GRAM = "a Gram matrix, whose entries are at most the product of the two norms"
_DEFINITE = "positive semidefinite (its least eigenvalue is shown)"
