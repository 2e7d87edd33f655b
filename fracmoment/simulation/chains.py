"""The norm of a signal through random networks, simulated: exact in law at every width."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fracmoment import _core

if TYPE_CHECKING:
    from fracmoment import _layers
    from fracmoment._typing import FloatArray
    from fracmoment.gains import Gain

METHODS = ("norm", "vector")
_WIDEST = 2**31
_PIECE_COST = 4e7  # work of one piece for one thread, in nanoseconds, roughly


@lru_cache(maxsize=256)
def gain_table(law: tuple[Any, ...]) -> _core.QuantileTable:
    """Return the table of log R - E[log R | R > 0] of a law given by the core's six parameters."""
    return _core.QuantileTable(_core.GainLaw(*law))


def law_of(gain: Gain) -> tuple[Any, ...]:
    """Return the parameters of the law of a scalar gain as the core takes them."""
    _, columns = gain._laws.flat()
    return tuple(column.item() for column in columns)


class Chain(NamedTuple):
    """A chain of layers for the core: distinct laws, and which one each layer has."""

    laws: tuple[tuple[Any, ...], ...]
    layers: tuple[int, ...] | int  # a single integer: that many layers of the only law
    log_sigma: float  # summed over the layers

    @classmethod
    def of(cls, network: _layers.Layers) -> Chain:
        """Return the chain of a network."""
        if network.alike:
            return cls(
                (law_of(network.gains[0]),),
                network.depth,
                network.depth * math.log(network.sigmas[0]),
            )
        laws: dict[tuple[Any, ...], int] = {}
        layers, log_sigma = [], []
        for gain, sigma in network.pairs():
            layers.append(laws.setdefault(law_of(gain), len(laws)))
            log_sigma.append(math.log(sigma))
        return cls(tuple(laws), tuple(layers), math.fsum(log_sigma))

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

    def prepare(self, method: str) -> None:
        """Build once what every piece needs."""
        if method == "norm":
            for law in self.laws:
                gain_table(law)

    def log_norms(self, method: str, seed: int, first: int, count: int) -> FloatArray:
        """Return log(|x_depth|/|x_0|) of ``count`` replicas, the first of them ``first``."""
        if method == "norm":
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

    def require_explicit(self, method: str) -> None:
        """Check that every unit of a layer has its own address in the stream."""
        widest = max(law[0] for law in self.laws)
        if widest > _WIDEST:
            message = f"method {method!r} needs widths up to 2**31, got {widest}: use 'norm'"
            raise ValueError(message)

    def piece(self, method: str) -> int:
        """Return how many replicas make a piece of work of a few hundredths of a second."""
        cost = 2.0 * self.depth if method == "norm" else 1.5 * self.units()
        return max(8, min(1 << 16, int(_PIECE_COST / cost) // 32 * 32))
