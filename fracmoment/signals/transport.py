"""One layer's action on the law of a signal, as finite mixtures of scaled gains.

A layer maps ``X = |x|^2`` to ``X' = q R^2``, ``q = sigma^2 X + bias^2`` independent of the gain R:
in logarithms a smooth map, then the independent noise ``2 log R``. The law of log X is analytic, so
the trapezoidal rule on a lattice converges exponentially, and ``X'`` is, to its tiny error, a
finite mixture of scaled gains. All weights are positive: nothing cancels, in the tails neither.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial import chebyshev

from fracmoment import _core
from fracmoment._core import ConvergenceError
from fracmoment.signals.piecewise import LogLaw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fracmoment._typing import FloatArray, IntArray
    from fracmoment.gains import Gain
    from fracmoment.signals._layers import Layer

_LEFT, _RIGHT = 1e-30, 1e-40  # probabilities beyond which the law of a gain is not tabulated
_TRIM = 1e-30, 1e-36  # probabilities beyond the ends of a lattice
_HIGHEST_FREQUENCY = 1e-9  # size of a characteristic function at the lattice's highest frequency
_CELL_DEGREE = 11
_MOST_ENTRIES = 2**16  # of a block of a matrix held at a time
_MOST_WORK = 2**28  # entries of a kernel matrix
_MOST_NODES = 2**15  # of a mixture


@lru_cache(maxsize=256)
def gain_law(gain: Gain) -> LogLaw:
    """Return the law of 2 log R given R > 0."""
    law = _core.GainLaw(*gain._laws)

    def log_density(v: FloatArray) -> FloatArray:
        density = law.pdf(np.exp(0.5 * v).reshape(-1))
        return np.log(density).reshape(v.shape) + 0.5 * v - math.log(2.0)

    low = 2.0 * math.log(law.ppf(np.array([_LEFT]))[0])
    high = 2.0 * math.log(law.isf(np.array([_RIGHT]))[0])
    result = LogLaw.of(log_density, (low, high))
    if not abs(result.mass - 1.0) < 1e-11:
        message = f"the density of {gain!r} integrates to {result.mass!r}"
        raise ConvergenceError(message)
    return result


@lru_cache(maxsize=256)
def lattice_step(gain: Gain) -> float:
    """Return the step of a lattice that resolves the law of 2 log R.

    Given n live units R^2 is a chi-square variate of n degrees of freedom times an independent
    ratio, so the characteristic function of 2 log R is at most the mean of
    ``|Gamma(n/2 + iw)|/Gamma(n/2)`` over n; the step is pi over where that is tiny.
    """
    from scipy.special import loggamma
    from scipy.stats import binom

    keep = float(gain.keep_prob)
    dead_side = gain.activation.slopes == (0.0, 0.0)
    share = 0.5 * keep if dead_side else keep
    count, most = gain.width, 4096
    first = 1 if share < 1.0 else count
    if share < 1.0 and count > most:  # all but a negligible part have more live units than that
        first = max(int(binom.ppf(0.01 * _HIGHEST_FREQUENCY, count, share)), 1)
    units = np.arange(first, count + 1 if count <= most or share == 1.0 else first + 1)
    weights = binom.pmf(units, count, share) if len(units) > 1 else np.ones(1)
    half = 0.5 * units

    def size(frequency: float) -> float:
        logs = loggamma(half + 1j * frequency).real - loggamma(half)
        return float(weights @ np.exp(logs)) / float(weights.sum())

    low, high = 0.0, 1.0
    while size(high) > _HIGHEST_FREQUENCY:
        low, high = high, 2.0 * high
    for _ in range(30):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if size(middle) > _HIGHEST_FREQUENCY else (low, middle)
    return math.pi / high


@dataclass(frozen=True)
class Kernel:
    """Densities of ``t_j + 2 log R`` on a lattice: column j starts at row ``starts[j]``."""

    logs: FloatArray  # Chebyshev coefficients of the log-density of 2 log R on cells of the lattice
    parts: FloatArray  # where lattice points lie in cells, in [-1, 1]
    starts: IntArray
    first: int  # lattice index of row 0
    step: float

    @classmethod
    def of(cls, nodes: FloatArray, gain: Gain, step: float) -> Kernel:
        cells = _cells(gain, step)
        position = nodes / step
        ahead = np.ceil(position).astype(np.int64)
        count = cells.logs.shape[1]
        rows = int(ahead.max() - ahead.min()) + count
        if count * len(nodes) > _MOST_WORK or rows > _MOST_NODES:
            message = (
                f"the law of a layer of {gain!r} needs {rows} points: its neighbours' widths "
                "differ too much, or the law spreads too far"
            )
            raise ConvergenceError(message)
        first = int(ahead.min())
        parts = 2.0 * (ahead - position) - 1.0
        return cls(cells.logs, parts, ahead - first, first + cells.first, step)

    @property
    def rows(self) -> int:
        """The number of points of the lattice that some column reaches."""
        return int(self.starts.max()) + int(self.logs.shape[1])

    def points(self) -> FloatArray:
        """Return the points of the lattice."""
        points: FloatArray = self.step * (self.first + np.arange(self.rows, dtype=np.float64))
        return points

    def blocks(self) -> Iterator[tuple[slice, FloatArray]]:
        """Yield some columns at a time, each as a row of densities."""
        for block in _blocks(len(self.parts), self.logs.shape[1]):
            vandermonde = chebyshev.chebvander(self.parts[block], _CELL_DEGREE)
            yield block, np.exp(vandermonde @ self.logs)


@dataclass(frozen=True)
class Mixture:
    """The law of a positive number by its logarithms and their probabilities."""

    logs: FloatArray
    weights: FloatArray

    def total(self) -> float:
        """Return the sum of the probabilities."""
        return float(self.weights.sum())

    def advance(self, gain: Gain, step: float) -> Mixture:
        """Return the law of q R^2 given R > 0 on the lattice of multiples of a step."""
        kernel = Kernel.of(self.logs, gain, step)
        total = np.zeros(kernel.rows)
        for block, values in kernel.blocks():
            weighted = self.weights[block, np.newaxis] * values
            for row, at in zip(weighted, kernel.starts[block], strict=True):
                total[at : at + row.size] += row
        return Mixture(kernel.points(), step * total)._trimmed()

    def _trimmed(self) -> Mixture:
        """Leave out ends of negligible probability."""
        left, right = (room * float(self.weights.sum()) for room in _TRIM)
        first = int(np.searchsorted(np.cumsum(self.weights), left))
        last = len(self.logs) - int(np.searchsorted(np.cumsum(self.weights[::-1]), right))
        return Mixture(self.logs[first:last], self.weights[first:last])

    def log_density(self, gain: Gain) -> Callable[[FloatArray], FloatArray]:
        """Return the log-density of log(q R^2) given R > 0, as a function."""
        noise = gain_law(gain)
        log_weights = np.log(self.weights / self.weights.sum())

        def log_density(u: FloatArray) -> FloatArray:
            flat = u.reshape(-1)
            result = np.empty_like(flat)
            for block in _blocks(len(flat), len(self.logs)):
                terms = noise.log_pdf(flat[block, np.newaxis] - self.logs) + log_weights
                top = terms.max(axis=1)
                result[block] = top + np.log(np.exp(terms - top[:, np.newaxis]).sum(axis=1))
            return result.reshape(u.shape)

        return log_density

    def law(self, gain: Gain) -> LogLaw:
        """Return the law of log(q R^2) given R > 0."""
        noise, log_density = gain_law(gain), self.log_density(gain)
        ends = self.logs.min() + noise.edges[0], self.logs.max() + noise.edges[-1]
        return LogLaw.of(log_density, narrowed(log_density, *ends))


def through(signal: Mixture, layer: Layer, dead: float) -> Mixture:
    """Return the law of q = sigma^2 |x|^2 + bias^2 from that of |x|^2 and P(|x| = 0)."""
    logs = signal.logs + 2.0 * math.log(layer.sigma)
    if layer.bias == 0.0:
        return Mixture(logs, signal.weights)
    floor = 2.0 * math.log(layer.bias)
    logs = np.logaddexp(logs, floor)
    if dead == 0.0:
        return Mixture(logs, signal.weights)
    return Mixture(np.append(floor, logs), np.append(dead, signal.weights))


def _blocks(points: int, nodes: int) -> Iterator[slice]:
    size = max(_MOST_ENTRIES // nodes, 1)
    return (slice(start, start + size) for start in range(0, points, size))


def narrowed(
    log_density: Callable[[FloatArray], FloatArray], low: float, high: float
) -> tuple[float, float]:
    """Return ends between which the density is not negligible."""
    points = np.linspace(low, high, 257)
    values = log_density(points)
    there = np.flatnonzero(values > values.max() + math.log(_TRIM[1]))
    return float(points[max(there[0] - 1, 0)]), float(points[min(there[-1] + 1, 256)])


@dataclass(frozen=True)
class _Cells:
    """The log-density of a gain on the cells of a lattice, as Chebyshev coefficients."""

    first: int
    logs: FloatArray


@lru_cache(maxsize=64)
def _cells(gain: Gain, step: float) -> _Cells:
    law = gain_law(gain)
    first, end = math.floor(law.edges[0] / step), math.ceil(law.edges[-1] / step)
    nodes = np.cos(np.pi * (np.arange(_CELL_DEGREE + 1) + 0.5) / (_CELL_DEGREE + 1))
    points = step * (np.arange(first, end) + 0.5 * (nodes[:, np.newaxis] + 1.0))
    inverse = np.linalg.inv(chebyshev.chebvander(nodes, _CELL_DEGREE))
    return _Cells(first, inverse @ law.log_pdf(points))
