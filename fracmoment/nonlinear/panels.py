"""Quadrature for functions of one unit: nodes at which ``E f(t phi(x)^2)``, x ~ N(0, q), is a sum.

The half-lines are cut into panels with Gauss-Legendre nodes: one panel next to 0 in which
``t phi^2`` is small or phi hardly changes, then panels that double in length, none longer than what
phi and the normal density allow. For the sine the line is folded to [0, pi/2] first. See
docs/algorithms/nonlinear.md, "One unit".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from fracmoment.nonlinear.activations import NonlinearActivation, Sin

if TYPE_CHECKING:
    from fracmoment._typing import FloatArray

__all__ = ["Nodes", "nodes"]

_COUNT = 20
# exp(-_NEGLIGIBLE) is left out.
_NEGLIGIBLE = 46.0
# From here to there panels have length 1: saturating activations are not yet flat.
_BEND = 24.0
_LOG_ROOT = 0.5 * math.log(2.0 * math.pi)
# Folded normal densities: above this variance by their Fourier series.
_BROAD = 4.0


@dataclass(frozen=True)
class Nodes:
    """Points with weights, as logarithms; ``log_rest`` is the logarithm of a probability left out.

    What is left out lies so far to the left that ``t phi^2`` is negligible there.
    """

    x: FloatArray
    log_weight: FloatArray
    log_rest: float = -math.inf

    def mean(self, values: FloatArray) -> float:
        """Return the mean of a function with these values at the points, 0 on what is left out."""
        return float(np.exp(self.log_weight) @ values)


def nodes(phi: NonlinearActivation, q: float, log_t: float = -math.inf, power: int = 0) -> Nodes:
    """Return nodes for ``(t phi^2)^j exp(-t phi^2)``, ``j <= power``, and every t up to a largest.

    Parameters
    ----------
    phi : NonlinearActivation
        The activation, its own base.
    q : float
        Variance of x.
    log_t : float
        Logarithm of the largest t; -inf for functions that vary with phi only.
    power : int
        Largest power of phi^2.
    """
    # Probabilities count relative to E exp(-t phi^2), which may be as small as (t q)^(-1/2).
    needed = 2.0 * _NEGLIGIBLE + _softplus(log_t + math.log(q))
    reach = math.sqrt(q) * (math.sqrt(needed) + math.sqrt(2.0 * power))
    left, right = (_first_edge(slope, q, log_t) for slope in phi.slopes)
    if isinstance(phi, Sin):
        return _folded(q, _edges(right, min(reach, 0.5 * math.pi), q))
    if phi.odd:
        return _half_line(_edges(right, reach, q), q, math.log(2.0))
    positive = _half_line(_edges(right, reach, q), q, 0.0)
    rest = -math.inf
    if not phi.vanishes:
        negative = _half_line(_edges(left, reach, q), q, 0.0)
    else:
        # Values near 0 are rare for large t where phi(0) > 0: far points count more.
        extra = 2.0 * min(math.exp(min(log_t, 600.0)), 1e250) * phi.at_zero**2
        far = math.sqrt(q) * (math.sqrt(needed + extra) + math.sqrt(2.0 * power))
        end = phi.left_reach(_NEGLIGIBLE + 0.5 * max(log_t, 0.0))
        if end < far:
            rest = float(special.log_ndtr(-end / math.sqrt(q)))
        negative = _half_line(_edges(left, min(end, far), q, phi), q, 0.0)
    return Nodes(
        np.concatenate((-negative.x[::-1], positive.x)),
        np.concatenate((negative.log_weight[::-1], positive.log_weight)),
        rest,
    )


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def _first_edge(slope: float, q: float, log_t: float) -> float:
    """Return the end of the panel at 0, in which ``t phi^2``, ``x^2/q`` and x are at most 1/2."""
    log_edge = min(0.5 * math.log(q), 0.0, -math.log(slope) - 0.5 * log_t)
    return 0.7 * math.exp(log_edge)


def _edges(
    first: float, end: float, q: float, tail: NonlinearActivation | None = None
) -> FloatArray:
    """Return the edges of the panels of (0, end); ``tail`` vanishes along them."""
    root = math.sqrt(q)
    edges = [0.0]
    x = min(first, end)
    while x < end:
        edges.append(x)
        length = min(x, 2.0 * root)
        if 1.0 < x < _BEND:
            length = min(length, 1.0)
        if tail is not None and x > 0.7:
            length = min(length, 1.0 / tail.left_rate(x))
        x += length
    edges.append(end)
    return np.array(edges)


@cache
def _legendre() -> tuple[FloatArray, FloatArray]:
    points, weights = np.polynomial.legendre.leggauss(_COUNT)
    return points, np.log(weights)


def _on_panels(edges: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the points of all panels and the logarithms of their weights."""
    points, log_weights = _legendre()
    half = 0.5 * np.diff(edges)
    x = (edges[:-1] + half)[:, None] + half[:, None] * points
    return x.ravel(), (np.log(half)[:, None] + log_weights).ravel()


def _half_line(edges: FloatArray, q: float, log_factor: float) -> Nodes:
    """Return nodes on a half-line, for the normal density of variance q times a factor."""
    x, log_weight = _on_panels(edges)
    z = x / math.sqrt(q)
    return Nodes(x, log_weight - 0.5 * z * z - 0.5 * math.log(q) - _LOG_ROOT + log_factor)


def _folded(q: float, edges: FloatArray) -> Nodes:
    """Return nodes on [0, pi/2] for the density of the normal law folded by the symmetries."""
    x, log_weight = _on_panels(edges)
    if q > _BROAD:
        waves = sum(2.0 * math.exp(-2.0 * n * n * q) * np.cos(2.0 * n * x) for n in range(1, 4))
        return Nodes(x, log_weight + np.log1p(waves) + math.log(2.0 / math.pi))
    turns = math.pi * np.arange(-7, 8)[:, None]
    images = np.concatenate((x + turns, turns - x)) / math.sqrt(q)
    log_density = special.logsumexp(-0.5 * images * images, axis=0)
    return Nodes(x, log_weight + log_density - 0.5 * math.log(q) - _LOG_ROOT)
