"""Means of products of one unit's outputs for four inputs.

A unit sees four inputs through normal pre-activations u_1, ..., u_4 of variance 1. With
``phi(u) = (1+a)/2 u + (1-a)/2 |u|`` the mean of the product of its outputs needs

    E u_1 u_2 u_3 u_4,   E u_i u_j |u_k u_l|,   E |u_1 u_2 u_3 u_4|,

the others vanish by symmetry. The first two are closed forms. The third is closed too where two
inputs are parallel; else it is a sum of arcsines and of ``E sgn u_1 ... sgn u_4``, one integral.
docs/algorithms/signals.md derives them.
"""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fracmoment._core import ConvergenceError
from fracmoment.signals.kernels import dropout_factors, slope_nodes

if TYPE_CHECKING:
    from collections.abc import Callable

    from fracmoment._typing import FloatArray, IntArray
    from fracmoment.gains import Gain

_DENSITY = 1.0 / math.sqrt(2.0 * math.pi)  # of a standard normal variate at 0
_PARALLEL = 5e-9  # of 1 - |cosine|: beyond, taking inputs for parallel leaves an error below 1e-12
_ERROR = 1e-13  # of an integral, absolutely
_BLOCK = 4096  # quadruples at a time
_COARSEST, _HALVINGS, _REACH = 0.5, 5, 3.25


def product_means(gain: Gain, cosines: FloatArray, quadruples: IntArray) -> FloatArray:
    """Return E of the product of a unit's outputs for quadruples of inputs, shape (n, 4).

    ``cosines`` are the correlations of the pre-activations, of variance 1. Absolute error below
    2e-13; 2e-12 where two inputs are parallel but for an angle of about 1e-4.
    """
    slopes, shares = slope_nodes(gain)
    even, odd = 0.5 * (1.0 + slopes), 0.5 * (1.0 - slopes)
    _, fourth, _ = dropout_factors(gain)
    blocks = [
        _Quadruples.of(cosines, quadruples[start : start + _BLOCK])
        for start in range(0, len(quadruples), _BLOCK)
    ]
    weights = (float(shares @ x) for x in (even**4, (even * odd) ** 2, odd**4))
    plain, mixed, absolute = (fourth * weight for weight in weights)
    result = np.empty(len(quadruples))
    for number, block in enumerate(blocks):
        total = plain * block.isserlis() + mixed * block.mixed()
        if absolute > 0.0:
            total += absolute * block.absolute()
        result[number * _BLOCK :][: len(total)] = total
    return result


class _Quadruples(NamedTuple):
    """Correlation matrices of quadruples of inputs, shape (n, 4, 4)."""

    matrices: FloatArray

    @classmethod
    def of(cls, cosines: FloatArray, quadruples: IntArray) -> _Quadruples:
        return cls(cosines[quadruples[:, :, np.newaxis], quadruples[:, np.newaxis, :]])

    def isserlis(self) -> FloatArray:
        """Return E u_1 u_2 u_3 u_4."""
        r = self.matrices
        total: FloatArray = (
            r[:, 0, 1] * r[:, 2, 3] + r[:, 0, 2] * r[:, 1, 3] + r[:, 0, 3] * r[:, 1, 2]
        )
        return total

    def mixed(self) -> FloatArray:
        """Return the sum of E u_k u_l |u_i u_j| over the six pairs {i, j}."""
        pairs = list(combinations(range(4), 2))
        total: FloatArray = np.zeros(len(self.matrices))
        for (i, j), (k, m) in zip(pairs, pairs[::-1], strict=True):
            total += self.half_absolute(i, j, k, m)
        return total

    def half_absolute(self, i: int, j: int, k: int, m: int) -> FloatArray:
        """Return E u_k u_m |u_i u_j|, by Stein's identity."""
        r = self.matrices
        c = r[:, i, j]
        sine, angle = np.sqrt((1.0 - c) * (1.0 + c)), np.arcsin(c)
        once = r[:, k, i] * r[:, m, i] + r[:, k, j] * r[:, m, j]
        crossed = r[:, k, i] * r[:, m, j] + r[:, k, j] * r[:, m, i]
        total: FloatArray = (r[:, k, m] * (sine + c * angle) + once * sine + crossed * angle) * (
            2.0 / math.pi
        )
        return total

    def absolute(self) -> FloatArray:
        """Return E |u_1 u_2 u_3 u_4|."""
        r = self.matrices
        result = np.empty(len(r))
        left = np.ones(len(r), dtype=bool)
        pairs = list(combinations(range(4), 2))
        for (i, j), (k, m) in zip(pairs, pairs[::-1], strict=True):
            # |u_i u_j| = sgn c u_i u_j but for an angle's third power
            parallel = left & (1.0 - np.abs(r[:, i, j]) < _PARALLEL)
            if parallel.any():
                part = _Quadruples(r[parallel])
                result[parallel] = np.sign(r[parallel, i, j]) * part.half_absolute(k, m, i, j)
                left &= ~parallel
        if left.any():
            result[left] = _absolute(r[left])
        return result


def _absolute(r: FloatArray) -> FloatArray:
    """Return E |u_1 u_2 u_3 u_4| for inputs no two of which are parallel.

    With ``r_1j t`` instead of r_1j, the mean m(t) is even, m(0) is closed, and by Price's theorem

        m''(t) = 2 f (2 sum_(j<k) r_1j r_1k E[sgn u_j sgn u_k |u_l|; u_1 = 0]
                      + sum_j r_1j^2 2 E[delta(u_j) |u_k u_l|; u_1 = 0]),

    f the density of u at 0 [Pla54]. So ``m(1) = m(0) + int
    (1-t) m''(t) dt``: what is singular at t = 1, where inputs are linearly dependent, counts
    little.
    """
    r = _least_parallel_last(r)
    first = r[:, 0, 1:]
    others = _Triples(r[:, 1:, 1:], np.maximum(np.linalg.det(r[:, 1:, 1:]), 0.0))
    products = first[:, :, np.newaxis] * first[:, np.newaxis, :]
    given = others.covariance - products
    diagonal = np.arange(3)
    given[:, diagonal, diagonal] = (1.0 - first) * (1.0 + first)
    whole = np.maximum(np.linalg.det(r), 0.0)

    def integrand(w: float) -> FloatArray:  # t = cos w
        sine, cosine = math.sin(w), math.cos(w)
        square = sine * sine
        determinant = square * others.determinant + cosine * cosine * whole
        triples = _Triples(given + square * products, determinant)
        total: FloatArray = np.zeros(len(r))
        for j, k, m in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
            total += products[:, j, k] * triples.signed(j, k, m)
            total += products[:, m, m] * triples.at_zero(m, j, k)
        return (8.0 * _DENSITY * math.sin(0.5 * w) ** 2 * sine) * total

    return 2.0 * _DENSITY * others.absolute() + _integral(integrand, len(r))


def _least_parallel_last(r: FloatArray) -> FloatArray:
    """Bring one of the two variates of the largest correlation to the front."""
    off = np.abs(r) - np.eye(4)
    front = off.max(axis=2).argmax(axis=1)
    order = (front[:, np.newaxis] + np.arange(4)) % 4
    rows = np.arange(len(r))[:, np.newaxis, np.newaxis]
    result: FloatArray = r[rows, order[:, :, np.newaxis], order[:, np.newaxis, :]]
    return result


class _Triples(NamedTuple):
    """Covariance matrices of three variates, shape (n, 3, 3), and their determinants.

    Every arcsine is an arctangent with the same determinant: the root of its rounding error, large
    where variates are linearly dependent, then cancels as it should.
    """

    covariance: FloatArray
    determinant: FloatArray

    def signed(self, i: int, j: int, k: int) -> FloatArray:
        """Return E sgn v_i sgn v_j |v_k|, by Stein's identity."""
        b, root = self.covariance, np.sqrt(self.determinant)
        total: FloatArray = np.zeros(len(b))
        for (one, two), zero in (((i, j), k), ((j, k), i), ((i, k), j)):
            variance = b[:, zero, zero]
            scale = np.sqrt(variance)
            cross = variance * b[:, one, two] - b[:, zero, one] * b[:, zero, two]
            total += b[:, k, zero] / scale * np.arctan2(cross, scale * root)
        return total * (4.0 / math.pi * _DENSITY)

    def at_zero(self, i: int, j: int, k: int) -> FloatArray:
        """Return E delta(v_i) |v_j v_k|."""
        b = self.covariance
        variance = b[:, i, i]
        cross = variance * b[:, j, k] - b[:, i, j] * b[:, i, k]
        root = np.sqrt(variance * self.determinant)
        total: FloatArray = (root + cross * np.arctan2(cross, root)) / (
            variance * np.sqrt(variance)
        )
        return total * (2.0 / math.pi * _DENSITY)

    def absolute(self) -> FloatArray:
        """Return E |v_1 v_2 v_3|."""
        b = self.covariance
        total: FloatArray = 2.0 * b[:, 0, 0] * self.at_zero(0, 1, 2)
        return total + b[:, 0, 1] * self.signed(0, 1, 2) + b[:, 0, 2] * self.signed(0, 2, 1)


def _integral(integrand: Callable[[float], FloatArray], size: int) -> FloatArray:
    """Return integrals over (0, pi/2) by the double exponential rule, to 1e-13 absolutely."""

    def node(tau: float) -> FloatArray:
        e = math.exp(math.pi * math.sinh(tau))
        share, rest = e / (1.0 + e), 1.0 / (1.0 + e)
        speed: float = 0.5 * math.pi**2 * math.cosh(tau) * share * rest
        return speed * integrand(0.5 * math.pi * share)

    step, count = _COARSEST, round(_REACH / _COARSEST)
    total = sum((node(step * i) for i in range(-count, count + 1)), np.zeros(size))
    value: FloatArray = step * total
    change = math.inf
    for _ in range(_HALVINGS):
        last, step, count = value, 0.5 * step, 2 * count
        total = total + sum((node(step * i) for i in range(1 - count, count, 2)), np.zeros(size))
        value = step * total
        change = float(np.abs(value - last).max(initial=0.0))
        if change < _ERROR:
            return value
    message = f"the mean of a product of four outputs still changes by {change:.1e}"
    raise ConvergenceError(message)
