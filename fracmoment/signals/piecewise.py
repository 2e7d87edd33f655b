"""Laws on the real line given by the logarithm of their density, as piecewise polynomials.

Logarithms of density, distribution and survival function are interpolated in Chebyshev points on
intervals short enough for a relative error near 1e-13, from one far tail to the other. Beyond both
ends the density goes on as an exponential.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.polynomial import chebyshev

from fracmoment._core import ConvergenceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fracmoment._typing import BoolArray, FloatArray

_DEGREE = 15


def _chebyshev(count: int) -> tuple[FloatArray, FloatArray]:
    """Return Chebyshev points and the matrix from values there to coefficients."""
    nodes: FloatArray = np.cos(np.pi * (np.arange(count) + 0.5) / count)
    return nodes, np.asarray(np.linalg.inv(chebyshev.chebvander(nodes, count - 1)), np.float64)


_NODES, _TO_COEFFICIENTS = _chebyshev(_DEGREE + 1)
# The density itself, the exponential of such a polynomial, needs twice the degree.
_FINE, _TO_FINE = _chebyshev(2 * _DEGREE + 2)
_INTEGRATE = chebyshev.chebint(np.eye(2 * _DEGREE + 2), axis=0, lbnd=-1.0)  # from the left end
_SMALL = 2e-13  # of the last coefficients of a logarithm, relative to 1 or the logarithm
_STEEPEST = 4.0  # most that a logarithm may change over an interval
_MOST_ROUNDS = 40
_SMOOTHING = 5  # more halvings would follow rounding errors


@dataclass(frozen=True)
class LogLaw:
    """A law given by piecewise logarithms of its density, distribution and survival function."""

    edges: FloatArray  # of the intervals, increasing
    density: FloatArray  # Chebyshev coefficients of log f, one column an interval
    below: FloatArray  # of log P(V <= v)
    above: FloatArray  # of log P(V > v)
    slopes: tuple[float, float]  # of log f at the two ends
    mass: float  # integral of the density, before it was divided by that

    @classmethod
    def of(
        cls,
        log_density: Callable[[FloatArray], FloatArray],
        ends: tuple[float, float],
        fall: float | None = None,
    ) -> LogLaw:
        """Interpolate a log-density between two ends in its tails.

        ``fall`` is the slope of the logarithm beyond the upper end, where that is known.
        """
        edges, density = _adapted(log_density, *ends)
        slopes = chebyshev.chebder(density, axis=0) * (2.0 / np.diff(edges))
        rise = float(chebyshev.chebval(-1.0, slopes[:, 0]))
        fall = float(chebyshev.chebval(1.0, slopes[:, -1])) if fall is None else fall
        if rise <= 0.0 or fall >= 0.0:
            message = f"the density does not fall off beyond {ends}: use other parameters"
            raise ConvergenceError(message)
        for _ in range(_SMOOTHING):
            below, above, _ = _integrated(edges, density, rise, fall)
            # logarithms of probabilities may be less smooth than that of the density
            rough = np.maximum(_last(below), _last(above)) > _SMALL
            if not rough.any():
                break
            edges, density = _halved(edges, density, rough)
        below, above, mass = _integrated(edges, density, rise, fall)
        density = density.copy()
        density[0] -= math.log(mass)
        return cls(edges, density, below, above, (rise, fall), mass)

    def log_pdf(self, v: FloatArray) -> FloatArray:
        """Return the logarithm of the density."""
        return self._evaluate(self.density, v, self.slopes)

    def log_cdf(self, v: FloatArray) -> FloatArray:
        """Return log P(V <= v)."""
        return np.minimum(self._evaluate(self.below, v, (self.slopes[0], 0.0)), 0.0)

    def log_sf(self, v: FloatArray) -> FloatArray:
        """Return log P(V > v)."""
        return np.minimum(self._evaluate(self.above, v, (0.0, self.slopes[1])), 0.0)

    def _evaluate(
        self, coefficients: FloatArray, v: FloatArray, slopes: tuple[float, float]
    ) -> FloatArray:
        low, high = float(self.edges[0]), float(self.edges[-1])
        inside: Any = np.clip(v, low, high)
        piece = np.clip(np.searchsorted(self.edges, inside, "right") - 1, 0, len(self.edges) - 2)
        left, right = self.edges[piece], self.edges[piece + 1]
        x = np.clip((2.0 * inside - left - right) / (right - left), -1.0, 1.0)
        value: FloatArray = chebyshev.chebval(x, coefficients[:, piece], tensor=False)
        value += slopes[0] * (np.minimum(v, low) - low)
        value += slopes[1] * (np.maximum(v, high) - high)
        return value

    def quantile(self, log_below: FloatArray, log_above: FloatArray) -> FloatArray:
        """Return v with the given log P(V <= v) and log P(V > v), whichever is smaller."""
        lower = log_below < log_above
        goal = np.where(lower, log_below, log_above)
        at_edges = [f(self.edges) for f in (self.log_cdf, self.log_sf)]
        index = np.where(
            lower,
            np.searchsorted(at_edges[0], goal),
            len(self.edges) - np.searchsorted(at_edges[1][::-1], goal),
        )
        low = self.edges[np.clip(index - 1, 0, len(self.edges) - 1)]
        high = self.edges[np.clip(index, 0, len(self.edges) - 1)]
        # beyond the ends the tails are exponential
        rise, fall = self.slopes
        low = np.where(lower & (index == 0), high + (goal - at_edges[0][0]) / rise - 1.0, low)
        high = np.where(
            ~lower & (index == len(self.edges)), low + (goal - at_edges[1][-1]) / fall + 1.0, high
        )
        return self._newton(goal, lower, low, high)

    def _newton(
        self, goal: FloatArray, lower: BoolArray, low: FloatArray, high: FloatArray
    ) -> FloatArray:
        """Solve for a quantile within brackets, by Newton's method in the logarithm."""
        v = 0.5 * (low + high)
        for _ in range(60):
            value = np.where(lower, self.log_cdf(v), self.log_sf(v))
            short = np.where(lower, value < goal, value > goal)  # v is too small
            low, high = np.where(short, v, low), np.where(short, high, v)
            slope = np.exp(self.log_pdf(v) - value)
            with np.errstate(divide="ignore", invalid="ignore"):
                step = (goal - value) / np.where(lower, slope, -slope)
            trial = v + step
            inside = (trial > low) & (trial < high)
            trial = np.where(inside, trial, 0.5 * (low + high))
            done = np.abs(trial - v) <= 4e-16 * np.maximum(np.abs(v), 1e-3)
            v = trial
            if np.all(done | (high - low <= 0.0)):
                break
        return v


def _last(coefficients: FloatArray) -> FloatArray:
    """Return the size of the last coefficients, relative to the values if those are above 1."""
    largest = np.abs(coefficients).sum(axis=0)
    result: FloatArray = np.abs(coefficients[-3:]).max(axis=0) / np.maximum(largest, 1.0)
    return result


def _integrated(
    edges: FloatArray, density: FloatArray, rise: float, fall: float
) -> tuple[FloatArray, FloatArray, float]:
    """Return the coefficients of log P(V <= v) and log P(V > v), and the integral."""
    first = math.exp(chebyshev.chebval(-1.0, density[:, 0])) / rise
    last = math.exp(chebyshev.chebval(1.0, density[:, -1])) / -fall
    values = np.exp(chebyshev.chebval(_FINE, density)).T  # nodes, intervals
    integrals = _INTEGRATE @ (_TO_FINE @ values) * (0.5 * np.diff(edges))
    whole = integrals.sum(axis=0)
    partial = chebyshev.chebval(_NODES, integrals).T
    left = np.concatenate([[first], first + np.cumsum(whole)])
    right = last + np.concatenate([np.cumsum(whole[::-1])[::-1], [0.0]])
    mass = float(left[-1] + last)
    below = _TO_COEFFICIENTS @ np.log((left[:-1] + partial) / mass)
    above = _TO_COEFFICIENTS @ np.log((right[1:] + (whole - partial)) / mass)
    return below, above, mass


def _halved(
    edges: FloatArray, columns: FloatArray, which: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Halve some of the intervals of a piecewise polynomial."""
    old = columns[:, which]
    halves = [
        _TO_COEFFICIENTS @ chebyshev.chebval(0.5 * (_NODES + side), old).T for side in (-1.0, 1.0)
    ]
    middle = 0.5 * (edges[:-1] + edges[1:])[which]
    starts = np.concatenate([edges[:-1][~which], edges[:-1][which], middle])
    order = np.argsort(starts)
    together = np.concatenate([columns[:, ~which], *halves], axis=1)
    return np.append(starts[order], edges[-1]), together[:, order]


def _adapted(
    log_density: Callable[[FloatArray], FloatArray], low: float, high: float
) -> tuple[FloatArray, FloatArray]:
    """Halve intervals until the polynomials converge; return edges and coefficients."""
    todo = np.linspace(low, high, 9)
    left, right = todo[:-1], todo[1:]
    kept: list[tuple[FloatArray, FloatArray]] = []
    for _ in range(_MOST_ROUNDS):
        points = 0.5 * (left + right) + 0.5 * (right - left) * _NODES[:, np.newaxis]
        values = log_density(points)
        coefficients = _TO_COEFFICIENTS @ values
        spread = np.ptp(values, axis=0)
        size = np.maximum(np.abs(values).max(axis=0), 1.0)
        # where the logarithm is steep it is known to the rounding of its argument only
        noise = 4e-15 * (1.0 + np.abs(left)) * spread / (right - left)
        last = np.abs(coefficients[-3:]).max(axis=0)
        good = (last <= _SMALL * size + noise) & (spread <= _STEEPEST)
        kept.append((left[good], coefficients[:, good]))
        left, right = left[~good], right[~good]
        if not left.size:
            starts = np.concatenate([part[0] for part in kept])
            order = np.argsort(starts)
            columns = np.concatenate([part[1] for part in kept], axis=1)[:, order]
            return np.append(starts[order], high), columns
        middle = 0.5 * (left + right)
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
    message = f"the density between {low:g} and {high:g} is too rough for polynomials"
    raise ConvergenceError(message)
