"""Networks with inputs, as the engines that follow signals take them."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _core, _layers, _validation

if TYPE_CHECKING:
    from fracmoment._typing import FloatArray, IntArray
    from fracmoment.simulation.weights import Weights

_ZERO_EXPONENT = -(2.0**40)  # of an input that is zero


def biases(bias: Any, depth: int) -> list[float]:
    """Return the standard deviation of the biases of every layer, or a single one for all."""
    values = _validation.floats("bias", bias)
    _validation.require("bias", bias, np.asarray(values) >= 0, ">= 0")
    if not isinstance(values, np.ndarray):
        return [values]
    if values.shape != (depth,):
        message = f"bias must be a number or one for each of {depth} layers, got {values.shape}"
        raise ValueError(message)
    numbers: list[float] = values.tolist()
    return numbers


def input_rows(name: str, inputs: Any, ndim: int) -> FloatArray:
    """Return inputs as a matrix, one a row."""
    array = _validation.floats(name, inputs)
    if not isinstance(array, np.ndarray) or array.ndim != ndim or array.size == 0:
        shape = "one row of numbers" if ndim == 1 else "a matrix, one input a row"
        message = f"{name} must be {shape}, not empty, got shape {np.shape(inputs)}"
        raise ValueError(message)
    return np.atleast_2d(array)


class SignalNetwork:
    """Layers with their scales and biases, and the signals at the input."""

    def __init__(self, network: _layers.Layers, bias: Any, inputs: FloatArray) -> None:
        self.inputs = inputs
        self.depth = network.depth
        self.layers, self.index = _distinct(network, biases(bias, network.depth), inputs.shape[1])

    def scaled_inputs(self) -> tuple[FloatArray, FloatArray]:
        """Return the inputs with their largest entry in [1/2, 1), and the exponents of two."""
        largest = np.abs(self.inputs).max(axis=1)
        exponents = np.frexp(largest)[1]
        rows = np.ldexp(self.inputs, -exponents[:, np.newaxis])
        return rows, np.where(largest > 0, exponents, _ZERO_EXPONENT)

    def log_input_norms(self) -> FloatArray:
        """Return log|x_0| of every input, -inf for zero."""
        rows, exponents = self.scaled_inputs()
        squares = [math.fsum(x * x for x in row) for row in rows.tolist()]
        logs = [0.5 * math.log(square) if square else -math.inf for square in squares]
        return np.array(logs) + exponents * math.log(2.0)

    def core(self, *, every_layer: bool = False, cosines: bool = False) -> _core.Signals:
        """Return the core's copy."""
        rows, exponents = self.scaled_inputs()
        return _core.Signals(self.layers, self.index, rows, exponents, every_layer, cosines)

    def description(self) -> dict[str, Any]:
        """Return what determines the law of the signals, in JSON."""
        index = hashlib.sha256(self.index.astype("<i8").tobytes()).hexdigest()
        return {
            "layers": [repr(layer) for layer in self.layers],
            "depth": self.depth,
            "index": index,
            "inputs": [[value.hex() for value in row] for row in self.inputs.tolist()],
        }

    def weight_count(self) -> int:
        """Return the number of weights of one network."""
        counts = np.bincount(self.index, minlength=len(self.layers))
        return sum(int(n) * s[0] * s[1] for n, s in zip(counts, self.layers, strict=True))

    def unit_count(self) -> int:
        """Return the number of units of one network."""
        counts = np.bincount(self.index, minlength=len(self.layers))
        return sum(int(n) * s[1] for n, s in zip(counts, self.layers, strict=True))

    def require_addresses(self, weights: Weights | None) -> None:
        """Check that what a layer draws fits its addresses; None: by Gram matrices."""
        signals = len(self.inputs)
        for fan_in, fan_out, *_ in self.layers:
            if weights is None:
                used, most = (fan_out + 1) // 2 * signals, 2**30
            else:
                used, most = fan_out * -(-fan_in // weights.columns), weights.most_addresses
            if used > most:
                message = (
                    f"a layer of {fan_in} inputs and {fan_out} units needs {used} blocks of "
                    f"random bits, and a layer has {most}: use narrower layers"
                )
                raise ValueError(message)


def _distinct(
    network: _layers.Layers, bias: list[float], inputs: int
) -> tuple[list[tuple[int, int, float, float, float, bool, float, float]], IntArray]:
    """Return the distinct layers of a network and which of them every layer is."""
    layers: dict[tuple[int, int, float, float, float, bool, float, float], int] = {}
    pairs = list(network.pairs())
    period = max(len(pairs), len(bias))
    # one pass over distinct descriptions; the first layer has its own number of inputs
    index, fan_in = [], inputs
    for k in range(min(network.depth, max(period, 2))):
        gain, sigma = pairs[k % len(pairs)]
        if gain.weights != "gaussian":
            message = f"gain must have independent weights for signals, got {gain!r}"
            raise ValueError(message)
        _, columns = gain._laws.flat()
        fan_out, lower, upper, keep, inverted, _ = (column.item() for column in columns)
        layer = (fan_in, fan_out, lower, upper, keep, inverted, sigma, bias[k % len(bias)])
        index.append(layers.setdefault(layer, len(layers)))
        fan_in = fan_out
    rest = np.full(network.depth - len(index), index[-1], dtype=np.int64)
    return list(layers), np.concatenate([np.array(index, dtype=np.int64), rest])
