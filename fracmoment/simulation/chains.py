"""The norm of a signal through random networks, simulated: exact in law at every width."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fracmoment import _core, _layers, _validation
from fracmoment.simulation.pieces import each_piece, thread_count
from fracmoment.simulation.streams import seed_of

if TYPE_CHECKING:
    from fracmoment._typing import FloatArray
    from fracmoment.gains import Gain

METHODS = ("norm", "vector")
_WIDEST = 2**31
_CHUNK_COST = 4e7  # work of one piece for one thread, in nanoseconds, roughly


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

    def units(self) -> int:
        """The number of units of all layers."""
        widths = np.array([law[0] for law in self.laws], dtype=np.int64)
        counts = np.bincount(self.indices, minlength=len(self.laws))
        return int(widths @ counts)

    def log_norms(self, method: str, seed: int, first: int, count: int) -> FloatArray:
        """Return log(|x_depth|/|x_0|) of ``count`` replicas, the first of them ``first``."""
        if method == "norm":
            tables = [gain_table(law) for law in self.laws]
            means = np.array([_core.GainLaw(*law).log_mean() for law in self.laws])
            offset = self.log_sigma + math.fsum(means[self.indices])
            return offset + _core.norm_chain(tables, self.indices, seed, first, count)
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
        return max(32, min(1 << 16, int(_CHUNK_COST / cost) // 32 * 32))


def simulate_log_norms(
    gain: Any,
    sigma: Any,
    depth: Any,
    n_samples: Any,
    *,
    rng: Any = None,
    method: str = "norm",
    threads: Any = None,
) -> FloatArray:
    """Draw the logarithm of the norm at the output of random networks, exact in law.

    Parameters
    ----------
    gain : Gain or sequence of Gain
        Gain law of every layer, or one for each.
    sigma : float or sequence of float
        Scale of the weights of every layer, or one for each, > 0.
    depth : int or None
        Number of layers; None takes it from the sequences.
    n_samples : int
        Number of independent networks, >= 0.
    rng : None, int, SeedSequence, BitGenerator or Generator, optional
        Source of the 64-bit seed. Sample i is a function of the seed and i alone.
    method : {"norm", "vector"}, optional
        What is drawn: one gain a layer by numerical inversion, at a cost that does not depend on
        the width; or one normal number a unit.
    threads : int, optional
        Number of threads, every core by default. The result does not depend on it.

    Returns
    -------
    ndarray of float, shape (n_samples,)
        log(|x_depth|/|x_0|), -inf where the signal died.

    Raises
    ------
    ValueError, TypeError
        For arguments outside these ranges.

    Notes
    -----
    Gains drawn by inversion (method "norm") are the quantiles of 64-bit uniform numbers, relative
    error of the tail probability below 1e-11; the smallest and the largest of the 2^64 values are
    those of probability 2^-65 in either tail. The first call for a law builds its table, in about
    a tenth of a second.

    Examples
    --------
    >>> import fracmoment as fm
    >>> gain = fm.Gain("relu", 64)
    >>> y = simulate_log_norms(gain, gain.scale(1.0), 100, 10_000, rng=1)
    >>> y.shape, bool(abs(np.exp(y).mean() - 1.0) < 0.1)  # the mean of the norm is preserved
    ((10000,), True)
    """
    chain = Chain.of(_layers.of(gain, sigma, depth))
    count = _validation.integer("n_samples", n_samples, 0, 2**56)
    _validation.choice("method", method, METHODS)
    if method != "norm":
        chain.require_explicit(method)
    workers = thread_count(threads)
    seed = seed_of(rng)
    out = np.empty(count)
    for start, values in each_piece(
        lambda first, length: chain.log_norms(method, seed, first, length),
        0,
        count,
        chain.piece(method),
        workers,
    ):
        out[start : start + values.size] = values
    return out
