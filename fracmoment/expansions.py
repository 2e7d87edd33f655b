"""Second-order expansions of the squared scale in the width, and what they leave out.

``sigma_s^2 = (1/(d m)) (1 + (2 - s) v / (4 m^2 d) + O(d^-2))`` with ``m`` and ``v`` the mean and
the variance of ``phi(z)^2`` for one unit [GH21]_ (the leaky expression of the code released with
the paper agrees with the one here only to first order in the square of the slope). They are for
theory and comparison: the exact scale is `Gain.scale`.

References
----------
.. [GH21] M. Gurbuzbalaban, Y. Hu. Fractional moment-preserving initialization schemes for training
   deep neural networks. AISTATS 2021, PMLR 130:2233-2241, arXiv:2005.11878.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _digits, _validation
from fracmoment._results import plain
from fracmoment.gains import Gain

if TYPE_CHECKING:
    from fracmoment._typing import Real, Result

__all__ = [
    "leaky_relu_scale_squared",
    "linear_scale_squared",
    "relu_scale_squared",
    "scale_squared",
    "scale_squared_remainder",
    "unit_moments",
]


def scale_squared(width: Any, order: Any, mean: Any, variance: Any) -> Result:
    """Return ``(1/(d m)) (1 + (2 - s) v / (4 m^2 d))`` for a unit of mean m and variance v.

    Parameters
    ----------
    width : array_like of int
        Width d.
    order : array_like of float
        Order s of the moment to preserve.
    mean, variance : array_like of float
        Mean (> 0) and variance (>= 0) of phi(z)^2 for z ~ N(0, 1).

    Returns
    -------
    float or ndarray

    Examples
    --------
    >>> scale_squared(100, 1.0, 0.5, 1.25) == relu_scale_squared(100, 1.0)
    True
    """
    m = _validation.floats("mean", mean)
    inside = np.greater_equal(m, 1e-100) & np.less_equal(m, 1e100)
    _validation.require("mean", m, inside, "> 0, from 1e-100 to 1e100")
    v = _validation.floats("variance", variance)
    inside = np.greater_equal(v, 0) & np.less_equal(v, 1e200)
    _validation.require("variance", v, inside, ">= 0 and at most 1e200")
    d, s = _arguments(width, order)
    return plain((1 + (2 - s) * v / (4 * m * m * d)) / (d * m))


def linear_scale_squared(width: Any, order: Any) -> Result:
    """Return the expansion for linear layers, ``1/d + (2 - s)/(2 d^2)``.

    Parameters
    ----------
    width : array_like of int
        Width d.
    order : array_like of float
        Order s of the moment to preserve.

    Examples
    --------
    >>> linear_scale_squared(8, 1.0)
    0.1328125
    """
    d, s = _arguments(width, order)
    return plain((1 + (2 - s) / (2 * d)) / d)


def relu_scale_squared(width: Any, order: Any) -> Result:
    """Return the expansion for ReLU layers, ``2/d + 5(2 - s)/(2 d^2)``.

    Parameters
    ----------
    width : array_like of int
        Width d.
    order : array_like of float
        Order s of the moment to preserve.

    Examples
    --------
    >>> relu_scale_squared(10, 1.0)
    0.225
    """
    d, s = _arguments(width, order)
    return plain((2 + 5 * (2 - s) / (2 * d)) / d)


def leaky_relu_scale_squared(width: Any, order: Any, negative_slope: Any = 0.01) -> Result:
    """Return the expansion for leaky ReLU layers of slope a.

    ``2/((1 + a^2) d) + (2 - s)(5 - 2 a^2 + 5 a^4)/(2 (1 + a^2)^3 d^2)``.

    Parameters
    ----------
    width : array_like of int
        Width d.
    order : array_like of float
        Order s of the moment to preserve.
    negative_slope : array_like of float
        Slope a.

    Examples
    --------
    >>> leaky_relu_scale_squared(10, 1.0, 0.0) == relu_scale_squared(10, 1.0)
    True
    """
    slope = _validation.slope("negative_slope", negative_slope)
    a = _validation.floats("negative_slope", slope)
    d, s = _arguments(width, order)
    # the shares of the two sides, which do not overflow
    positive = 1 / (1 + a * a)
    negative = a * a * positive
    second = 5 * positive * positive - 2 * positive * negative + 5 * negative * negative
    return plain((2 * positive + (2 - s) * positive * second / (2 * d)) / d)


def unit_moments(gain: Gain) -> tuple[Result, Result]:
    """Return the mean and the variance of phi(z)^2 for one unit, dropout included.

    Parameters
    ----------
    gain : Gain
        The gain of a layer of such units; its width and weights do not matter.

    Examples
    --------
    >>> import fracmoment as fm
    >>> unit_moments(fm.Gain("relu", 1))
    (0.5, 1.25)
    """
    laws = _gain(gain)._laws
    # in units of the steepest slope, as fourth powers may overflow
    steepest = np.maximum(1.0, np.maximum(np.abs(laws.lower), np.abs(laws.upper)))
    ends = laws.lower / steepest, laws.upper / steepest
    mean, variance = _unit_moments(*ends, laws.keep_prob, False, one=1 / steepest)
    factor = steepest / laws.keep_prob if laws.inverted else steepest
    with np.errstate(over="ignore"):
        square = factor * factor
        return plain(mean * square), plain(variance * square * square)


def _gain(value: Any) -> Gain:
    if isinstance(value, Gain):
        return value
    message = f"gain must be a Gain, got {_validation.shown(value)}"
    raise TypeError(message)


def _unit_moments(
    lower: Any, upper: Any, keep: Any, inverted: bool, one: Any = 1
) -> tuple[Any, Any]:
    """Return mean and variance of a unit of slope ``one`` on its positive side."""
    squares = lower * lower, lower * upper, upper * upper
    second = sum(squares) / 3  # E a^2 for a uniform on [lower, upper]
    fourth = (squares[0] * (squares[0] + squares[1] + squares[2])) / 5
    fourth = fourth + (squares[2] * (squares[1] + squares[2])) / 5
    divisor = keep * keep if inverted else 1
    square = one * one
    mean = keep * (square + second) / 2 / divisor
    return mean, keep * 3 * (square * square + fourth) / 2 / (divisor * divisor) - mean * mean


def scale_squared_remainder(gain: Gain, order: Real) -> Result:
    """Return the exact squared scale minus its second-order expansion.

    Parameters
    ----------
    gain : Gain
        Any gain; under orthogonal weights the expansion is the ratio of those of the gain and of
        the linear one, ``(1/m)(1 + (2 - s)(v/(4 m^2) - 1/2)/d)``.
    order : array_like
        Order s in the domain of `Gain.scale`.

    Returns
    -------
    float or ndarray
        Correct to nearly all its digits: the difference is taken exactly. It decreases like the
        cube of the width (the square under orthogonal weights).

    Examples
    --------
    >>> import fracmoment as fm
    >>> wide, wider = (scale_squared_remainder(fm.Gain("relu", d), 1) for d in (50, 100))
    >>> 7.5 < wide / wider < 8.5
    True
    """
    exact_order = _validation.canonical("order", order)
    lower, upper = _gain(gain).activation.exact_slopes
    scale = gain.scale(exact_order, digits=60)

    def one(value: Any, width: Any, low: Any, high: Any, keep: Any, s: Any) -> float:
        expansion = exact_expansion(gain, width, low, high, keep, s)
        return float(_digits.exact(value) ** 2 - expansion)

    if not isinstance(scale, np.ndarray):
        return one(scale, gain.width, lower, upper, gain.keep_prob, exact_order)
    result = _digits.broadcast(one, scale, gain.width, lower, upper, gain.keep_prob, exact_order)
    return result.astype(np.float64)


def exact_expansion(
    gain: Gain, width: Any, lower: Any, upper: Any, keep: Any, order: Any
) -> Fraction:
    """Return the second-order expansion of a gain as a Fraction, from exact scalar parameters."""
    low, high, keep, s = (Fraction(entry) for entry in (lower, upper, keep, order))
    m, v = _unit_moments(low, high, keep, gain.inverted_dropout)
    correction = v / (4 * m * m)
    expansion: Fraction
    if gain.weights == "orthogonal":
        expansion = (1 + (2 - s) * (correction - Fraction(1, 2)) / int(width)) / m
    else:
        expansion = (1 + (2 - s) * correction / int(width)) / (int(width) * m)
    return expansion


def _arguments(width: Any, order: Any) -> tuple[Any, Any]:
    d = _validation.width(width)
    s = _validation.floats("order", order)
    _validation.order_size(s)
    return np.asarray(d, dtype=np.float64), s
