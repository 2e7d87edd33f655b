"""The norm of a signal through random networks, simulated: exact in law at every width."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from fracmoment import _core
from fracmoment.simulation.networks import SignalNetwork, input_rows
from fracmoment.simulation.pieces import piece_size
from fracmoment.simulation.streams import Purpose
from fracmoment.simulation.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fracmoment import _layers
    from fracmoment._typing import FloatArray
    from fracmoment.gains import Gain

# What only explicit weights can do, and the value that means the network of the other engines.
MATRIX_OPTIONS: Mapping[str, Any] = {
    "weights": "gaussian",
    "bias": 0.0,
    "x0": None,
    "dtype": "float64",
}
METHODS = ("norm", "vector", "matrix")
_WIDEST = 2**31


@lru_cache(maxsize=256)
def gain_table(law: tuple[Any, ...]) -> _core.QuantileTable:
    """Return the table of log R - E[log R | R > 0] of a law given by the core's six parameters."""
    return _core.QuantileTable(_core.GainLaw(*law))


def law_of(gain: Gain) -> tuple[Any, ...]:
    """Return the parameters of the law of a scalar gain as the core takes them."""
    _, columns = gain._laws.flat()
    return tuple(column.item() for column in columns)


class Engine(Protocol):
    """What draws the log-norms of a network; for executors of processes it can be pickled."""

    def prepare(self) -> None:
        """Build once what every piece needs."""

    def log_norms(self, seed: int, first: int, count: int) -> FloatArray:
        """Return log(|x_depth|/|x_0|) of ``count`` replicas, the first of them ``first``."""

    def piece(self) -> int:
        """Return how many replicas make a piece of work of a few hundredths of a second."""

    def description(self) -> Mapping[str, Any]:
        """Return what determines the results beside the seed, in JSON."""


class Chain(NamedTuple):
    """The engines "norm" and "vector": distinct laws, and which one each layer has."""

    method: str
    laws: tuple[tuple[Any, ...], ...]
    layers: tuple[int, ...] | int  # a single integer: that many layers of the only law
    log_sigma: float  # summed over the layers

    @classmethod
    def of(cls, network: _layers.Layers, method: str = "norm") -> Chain:
        """Return the chain of a network."""
        if network.alike:
            return cls(
                method,
                (law_of(network.gains[0]),),
                network.depth,
                network.depth * math.log(network.sigmas[0]),
            )
        laws: dict[tuple[Any, ...], int] = {}
        layers, log_sigma = [], []
        for gain, sigma in network.pairs():
            layers.append(laws.setdefault(law_of(gain), len(laws)))
            log_sigma.append(math.log(sigma))
        return cls(method, tuple(laws), tuple(layers), math.fsum(log_sigma))

    @property
    def depth(self) -> int:
        """The number of layers."""
        return self.layers if isinstance(self.layers, int) else len(self.layers)

    @property
    def indices(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The law of each layer."""
        if isinstance(self.layers, int):
            return np.zeros(self.layers, dtype=np.int64)
        return np.array(self.layers, dtype=np.int64)

    @property
    def counts(self) -> list[int]:
        """The number of layers of each law."""
        if isinstance(self.layers, int):
            return [self.layers]
        return [int(n) for n in np.bincount(self.layers, minlength=len(self.laws))]

    def units(self) -> int:
        """The number of units of all layers."""
        return sum(n * law[0] for n, law in zip(self.counts, self.laws, strict=True))

    def prepare(self) -> None:
        """Build once what every piece needs."""
        if self.method == "norm":
            for law in self.laws:
                gain_table(law)

    def log_norms(self, seed: int, first: int, count: int) -> FloatArray:
        """Return log(|x_depth|/|x_0|) of ``count`` replicas, the first of them ``first``."""
        if self.method == "norm":
            tables = [gain_table(law) for law in self.laws]
            means = [_core.GainLaw(*law).log_mean() for law in self.laws]
            total = math.fsum(n * mean for n, mean in zip(self.counts, means, strict=True))
            return (
                self.log_sigma + total + _core.norm_chain(tables, self.indices, seed, first, count)
            )
        width, lower, upper, keep_prob, inverted, orthogonal = (
            np.array(column)[self.indices] for column in zip(*self.laws, strict=True)
        )
        columns = (width, width, lower, upper, keep_prob, inverted, orthogonal)
        return self.log_sigma + _core.vector_chain(*columns, seed, first, count)

    def require_addresses(self) -> None:
        """Check that every unit of a layer has its own address in the stream."""
        widest = max(law[0] for law in self.laws)
        if self.method != "norm" and widest > _WIDEST:
            message = f"method 'vector' needs widths up to 2**31, got {widest}: use 'norm'"
            raise ValueError(message)

    def piece(self) -> int:
        """Return how many replicas make a piece of work of a few hundredths of a second."""
        return piece_size(2.0 * self.depth if self.method == "norm" else 1.5 * self.units())

    def description(self) -> Mapping[str, Any]:
        """Return what determines the results beside the seed, in JSON."""
        return {
            "laws": [[repr(value) for value in law] for law in self.laws],
            "layers": self.layers,
            "log_sigma": self.log_sigma.hex(),
            "method": self.method,
        }


class MatrixChain:
    """The engine "matrix": explicit weights, biases, and an input."""

    def __init__(
        self, network: _layers.Layers, weights: Weights, bias: Any = 0.0, x0: Any = None
    ) -> None:
        width = law_of(network.gains[0])[0]
        inputs = (
            np.full((1, width), 1 / math.sqrt(width)) if x0 is None else input_rows("x0", x0, 1)
        )
        if not inputs.any():
            message = "x0 must have an entry that is not 0: the result is relative to its norm"
            raise ValueError(message)
        self.weights = weights
        self.network = SignalNetwork(network, bias, inputs)
        self.network.require_addresses(weights)

    def prepare(self) -> None:
        """Build nothing: every piece makes its own copy."""

    def log_norms(self, seed: int, first: int, count: int) -> FloatArray:
        """Return log(|x_depth|/|x_0|) of ``count`` replicas, the first of them ``first``."""
        law, parameter, single = self.weights.law, self.weights.parameter, self.weights.single
        result, _ = self.network.core().matrix(
            law, parameter, single, seed, Purpose.MATRIX_CHAIN, first, count
        )
        norms: FloatArray = result.reshape(count) - self.network.log_input_norms()[0]
        return norms

    def piece(self) -> int:
        """Return how many replicas make a piece of work of a few hundredths of a second."""
        return piece_size(1.5 * self.network.weight_count())

    def description(self) -> Mapping[str, Any]:
        """Return what determines the results beside the seed, in JSON."""
        weights = repr(self.weights)
        return {"method": "matrix", "weights": weights, **self.network.description()}


def engine_of(network: _layers.Layers, method: str, options: Mapping[str, Any]) -> Engine:
    """Return the engine of a method, with the options that only explicit weights have."""
    if method == "matrix":
        weights = Weights.of(options["weights"], options["dtype"])
        return MatrixChain(network, weights, options["bias"], options["x0"])
    for name, default in MATRIX_OPTIONS.items():
        value = options[name]
        if value is not None and not (isinstance(value, (str, float, int)) and value == default):
            message = f"{name} needs method='matrix', got {name}={value!r} and method={method!r}"
            raise ValueError(message)
    chain = Chain.of(network, method)
    chain.require_addresses()
    return chain
