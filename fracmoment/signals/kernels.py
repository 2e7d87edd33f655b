"""Kernels of one unit: exact moments of products of its outputs for two inputs.

A unit sees two inputs through jointly normal pre-activations u, v of variance 1 and correlation
``c = cos t``. With ``a`` the slope of its negative side, [CS09]

    E phi(u) phi(v) = (1-a)^2 k1(c) + a c,     k1 = (sin t + (pi-t) cos t)/(2 pi),

and the kernels below are the second moments of phi(u) phi(v) and of its products with phi(u)^2.
docs/algorithms/signals.md derives them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fracmoment import _validation
from fracmoment.signals._layers import require_single

if TYPE_CHECKING:
    from collections.abc import Callable

    from fracmoment._typing import FloatArray, Result
    from fracmoment.gains import Gain

__all__ = ["PairKernels", "pair_kernels"]

# Where the sines and cosines of a kernel would cancel its power series is summed instead.
_SERIES_BELOW = 1.0
_TERMS = 18


class PairKernels(NamedTuple):
    """Moments of the outputs y = phi(u), z = phi(v) of one unit for two inputs.

    Attributes
    ----------
    mean : float or ndarray
        E y z.
    variance : float or ndarray
        Var y z.
    square_covariance : float or ndarray
        Cov(y^2, z^2).
    mixed_covariance : float or ndarray
        Cov(y^2, y z), equal to Cov(z^2, y z).
    """

    mean: Result
    variance: Result
    square_covariance: Result
    mixed_covariance: Result


def pair_kernels(gain: Gain, cosine: Any) -> PairKernels:
    """Return the moments of one unit's outputs for two inputs.

    Parameters
    ----------
    gain : Gain
        Activation and dropout of the unit; scalar parameters. The width does not matter.
    cosine : array_like of float
        Correlation of the two pre-activations, in [-1, 1].

    Returns
    -------
    PairKernels
        For pre-activations of variance 1. The unit's random slope and dropout mask are the same for
        both inputs.

    Raises
    ------
    ValueError, TypeError
        For arguments outside these ranges.

    Notes
    -----
    Closed forms without cancellation, next to correlations -1, 0 and 1 too: relative error a few
    1e-16, but for the correlation's own rounding and next to a change of sign. Random slopes are
    averaged by the Gauss rule of three nodes, exact for the polynomials of degree 4 that occur.

    Examples
    --------
    >>> import fracmoment as fm
    >>> k = pair_kernels(fm.Gain("relu", 1), [-1.0, 0.0, 1.0])
    >>> k.mean.round(6), k.variance.round(6)
    (array([0.      , 0.159155, 0.5     ]), array([0.      , 0.22467, 1.25   ]))
    """
    require_single(gain)
    values = _validation.floats("cosine", cosine)
    c = np.asarray(values)
    _validation.require("cosine", values, np.abs(c) <= 1.0, "in [-1, 1]")
    return PairKernels(*(float(k) if k.ndim == 0 else k for k in _kernels(gain, c)))


def _kernels(gain: Gain, c: FloatArray) -> tuple[FloatArray, ...]:
    """Average the kernels of fixed slopes over the slope and the dropout mask."""
    slopes, shares = slope_nodes(gain)
    a = slopes.reshape((-1,) + (1,) * c.ndim)
    k1, k31 = _k1(c), _k31(c)

    def average(x: FloatArray) -> FloatArray:
        return np.tensordot(shares, x, axes=1)

    squares = np.broadcast_to(0.5 * (1 + a * a), a.shape[:1] + c.shape)  # E phi(u)^2
    means = (1 - a) ** 2 * k1 + a * c
    square, mean = average(squares), average(means)
    # given the slope and a kept unit
    square_cov = (1 - a * a) ** 2 * _k2_centred(c) + 2 * a * a * c * c
    mixed_cov = (
        (1 - a) * (1 - a**3) * k31 - 0.5 * (1 + a * a) * (1 - a) ** 2 * k1 + a * (1 + a * a) * c
    )
    # Cov = E Cov(. | slope) + Cov(E(. | slope)), then the same for the mask
    square_cov = average(square_cov) + average((squares - square) ** 2)
    mixed_cov = average(mixed_cov) + average((squares - square) * (means - mean))
    second, fourth, spread = dropout_factors(gain)
    # E phi(u)^2 phi(v)^2
    product_square = average((1 - a * a) ** 2 * _k2(c) + a * a * (1 + 2 * c * c))
    return (
        second * mean,
        fourth * product_square - (second * mean) ** 2,
        fourth * square_cov + spread * square**2,
        fourth * mixed_cov + spread * square * mean,
    )


def slope_nodes(gain: Gain) -> tuple[FloatArray, FloatArray]:
    """Return slopes and probabilities that average polynomials of degree 5 of the slope exactly."""
    lower, upper = (float(end) for end in gain.activation.slopes)
    if lower == upper:
        return np.array([lower]), np.ones(1)
    nodes = np.array([-math.sqrt(0.6), 0.0, math.sqrt(0.6)])
    return 0.5 * (lower + upper) + 0.5 * (upper - lower) * nodes, np.array([5.0, 8.0, 5.0]) / 18.0


def dropout_factors(gain: Gain) -> tuple[float, float, float]:
    """Return E m^2, E m^4 and Var m^2 of the factor m of a unit under dropout."""
    keep = float(gain.keep_prob)
    second = 1.0 / keep if gain.inverted_dropout else keep
    fourth = second**3 if gain.inverted_dropout else keep
    return second, fourth, fourth * (1.0 - keep)


def square_moments(gain: Gain) -> tuple[float, float]:
    """Return the exact mean and variance of R^2, a sum of independent squares of units."""
    unit = pair_kernels(gain, 1.0)
    return gain.width * unit.mean, gain.width * unit.variance


def nonlinearity(gain: Gain) -> float:
    """Return E (1-a)^2/E (1+a^2): 1 for ReLU, 0 for linear units."""
    a, shares = slope_nodes(gain)
    return float(shares @ (1 - a) ** 2 / (shares @ (1 + a * a)))


# ------------------------------------------------------------ kernels of the rectifier

# All are functions of the angle d = pi - t between one pre-activation and minus the other. For
# small d they are odd power series whose first terms vanish.


def _opposite_angle(c: FloatArray) -> FloatArray:
    # 1 + c is exact where it is small; arccos(-c) would lose half the digits there
    return np.where(c < 0, 2 * np.arcsin(np.sqrt(0.5 * (1 + np.minimum(c, 0.0)))), np.arccos(-c))


def _odd_series(d: FloatArray, coefficient: Callable[[int], float], first: int) -> FloatArray:
    """Sum (-1)^(n + first) coefficient(n) d^(2n+1)/(2n+1)! from n = first."""
    total = np.zeros_like(d)
    for n in range(first + _TERMS, first - 1, -1):
        total = (-1) ** (n + first) * coefficient(n) / math.factorial(2 * n + 1) + total * d * d
    return total * d ** (2 * first + 1)


def sine_less_cosine(t: FloatArray) -> FloatArray:
    """Return sin t - t cos t for t in [0, pi], without cancellation."""
    series = _odd_series(np.minimum(t, _SERIES_BELOW), lambda n: 2 * n, 1)
    return _joined(t, np.sin(t) - t * np.cos(t), series)


def _joined(d: FloatArray, plain: FloatArray, series: FloatArray) -> FloatArray:
    return np.where(d < _SERIES_BELOW, series, plain)


def _k1(c: FloatArray) -> FloatArray:
    """Return E u+ v+ = (sin t + (pi-t) cos t)/(2 pi)."""
    return sine_less_cosine(_opposite_angle(c)) / (2 * math.pi)


def _k2(c: FloatArray) -> FloatArray:
    """Return E u+^2 v+^2 = (3 sin t cos t + (pi-t)(1 + 2 cos^2 t))/(2 pi)."""
    d = _opposite_angle(c)
    y = 2 * np.minimum(d, _SERIES_BELOW)
    series = _odd_series(y, lambda n: n - 1, 2)
    plain = d * (2 + np.cos(2 * d)) - 1.5 * np.sin(2 * d)
    return _joined(d, plain, series) / (2 * math.pi)


def _k2_centred(c: FloatArray) -> FloatArray:
    """Return Cov(u+^2, v+^2) = (3 sin t cos t + (pi-t)(1 + 2 cos^2 t))/(2 pi) - 1/4."""
    sine = np.sqrt((1 - c) * (1 + c))
    total = 3 * sine * c + np.arcsin(c) * (1 + 2 * c * c) + math.pi * c * c
    return total / (2 * math.pi)


def _k31(c: FloatArray) -> FloatArray:
    """Return E u+^3 v+ = 3 ((pi-t) cos t + sin t - sin^3 t/3)/(2 pi)."""
    d = _opposite_angle(c)
    near = np.minimum(d, _SERIES_BELOW)
    series = _odd_series(near, lambda n: 0.75 + 0.25 * 9**n - (2 * n + 1), 2)
    plain = np.sin(d) - d * np.cos(d) - np.sin(d) ** 3 / 3
    return _joined(d, plain, series) * 3 / (2 * math.pi)
