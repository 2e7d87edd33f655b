"""Mean field of layers with nonlinear units: gains, fixed points of the variance, edge of chaos.

As the width grows the variance q of a layer's pre-activations follows

    q' = gain^2 E phi(sqrt(q) z)^2 + bias^2,

``gain = sigma sqrt(width)``. Differences between nearby inputs, and gradients, grow by the factor
``chi = gain^2 E phi'(sqrt(q) z)^2`` in a layer. `fracmoment.MeanField` has the homogeneous units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import optimize

from fracmoment import _validation
from fracmoment._results import plain
from fracmoment.nonlinear.activations import NonlinearActivation, as_nonlinear
from fracmoment.nonlinear.panels import nodes
from fracmoment.nonlinear.transform import UnitLaw

if TYPE_CHECKING:
    from collections.abc import Callable

    from fracmoment._typing import FloatArray, Result

__all__ = ["FixedPoint", "NonlinearMeanField", "mean_field_gain"]

# Variances between which fixed points are looked for, and the step of the logarithm.
_SEARCH, _SEARCH_STEP = (1e-30, 1e30), 0.5


def _mean_square(phi: NonlinearActivation, q: float) -> float:
    """Return ``E phi(sqrt(q) z)^2``."""
    if q == 0.0:
        return float(phi(0.0)) ** 2
    outer, inner, base = phi.scaling
    return outer**2 * UnitLaw(base, inner**2 * q).mean


def _mean(function: Callable[[Any], Any], phi: NonlinearActivation, q: float) -> float:
    """Return ``E f(sqrt(q) z)`` for a function of the derivatives of phi."""
    _, inner, base = phi.scaling
    at = nodes(base, inner**2 * q, power=2)
    return at.mean(function(at.x / inner))


def _mean_square_slope(phi: NonlinearActivation, q: float) -> float:
    """Return ``E phi'(sqrt(q) z)^2``."""
    if q == 0.0:
        return 0.5 * sum(slope**2 for slope in phi.slopes)
    return _mean(lambda x: np.square(phi.derivative(x)), phi, q)


def _growth(phi: NonlinearActivation, q: float) -> float:
    """Return the derivative of ``E phi(sqrt(q) z)^2`` in q, ``E phi(x) phi'(x) x/q``."""
    if q == 0.0:  # where phi(0) = 0
        return _mean_square_slope(phi, 0.0)
    return _mean(lambda x: phi(x) * phi.derivative(x) * x, phi, q) / q


def _variances(value: Any, *, zero: bool = False) -> FloatArray:
    """Return variances as an array, checked."""
    q = np.asarray(_validation.floats("variance", value))
    good = ((q >= 1e-200) & (q <= 1e200)) | ((q == 0.0) & zero)
    _validation.require("variance", q, good, f"in [1e-200, 1e200]{' or 0' if zero else ''}")
    return q


def _each(function: Callable[[float], float], q: FloatArray) -> Result:
    """Apply a function of one variance to all."""
    return plain(np.array([function(float(x)) for x in q.flat]).reshape(q.shape))


def mean_field_gain(activation: NonlinearActivation | str, variance: Any = 1.0) -> Result:
    """Return the gain that keeps the variance of pre-activations as the width grows.

    Parameters
    ----------
    activation : NonlinearActivation or str
        As for `NonlinearGain`.
    variance : float or array_like, optional
        Variance q of the pre-activations, 1e-200 to 1e200.

    Returns
    -------
    float or ndarray
        ``sqrt(q / E phi(sqrt(q) z)^2)``, relative error about 1e-15 (measured). Weights of standard
        deviation ``gain/sqrt(fan_in)`` then give the next layer the variance q again, in the mean
        at any width and exactly as the width grows.

    Notes
    -----
    `fracmoment.certified.nonlinear.mean_field_gain` proves the digits. At finite width the gain
    that keeps a moment of another order than 2 is ``sqrt(width)`` times `NonlinearGain.scale`.

    Examples
    --------
    >>> round(mean_field_gain("tanh"), 9), round(mean_field_gain("selu"), 9)
    (1.59253742, 1.0)
    """
    phi = as_nonlinear(activation)
    return _each(lambda q: math.sqrt(q / _mean_square(phi, q)), _variances(variance))


@dataclass(frozen=True)
class FixedPoint:
    """A variance that a layer maps to itself.

    Attributes
    ----------
    variance : float
        The variance q.
    slope : float
        Derivative of the variance map at q.
    chi : float
        Growth of a small difference between two inputs, and of gradients, in a layer.
    """

    variance: float
    slope: float
    chi: float

    @property
    def stable(self) -> bool:
        """Whether variances nearby converge to this one."""
        return abs(self.slope) < 1.0

    @property
    def ordered(self) -> bool:
        """Whether nearby inputs converge, ``chi < 1``; otherwise they drift apart (chaos)."""
        return self.chi < 1.0

    @property
    def depth_scale(self) -> float:
        """The depth over which a small difference changes by a factor e, ``1/|log chi|``."""
        return 1.0 / abs(math.log(self.chi)) if self.chi != 1.0 else math.inf


class NonlinearMeanField:
    """The map of variances that wide layers follow, its fixed points and their stability.

    Parameters
    ----------
    activation : NonlinearActivation or str
        As for `NonlinearGain`.
    gain : float
        ``sigma sqrt(fan_in)``, > 0: the gain of frameworks.
    bias : float, optional
        Standard deviation of the biases, >= 0.

    Examples
    --------
    torch's gain for tanh keeps another variance than 1, in the chaotic phase:

    >>> field = NonlinearMeanField("tanh", 5 / 3)
    >>> [(round(p.variance, 4), p.stable, round(p.chi, 4)) for p in field.fixed_points()]
    [(0.0, False, 2.7778), (1.1785, True, 1.2098)]
    """

    def __init__(
        self, activation: NonlinearActivation | str, gain: Any, *, bias: Any = 0.0
    ) -> None:
        self._activation = as_nonlinear(activation)
        self._gain = _validation.as_float("gain", gain)
        _validation.require("gain", self._gain, 1e-50 <= self._gain <= 1e50, "in [1e-50, 1e50]")
        self._bias = _validation.as_float("bias", bias)
        good = self._bias == 0.0 or 1e-50 <= self._bias <= 1e50
        _validation.require("bias", self._bias, good, "0 or in [1e-50, 1e50]")

    @property
    def activation(self) -> NonlinearActivation:
        """The activation."""
        return self._activation

    @property
    def gain(self) -> float:
        """The gain."""
        return self._gain

    @property
    def bias(self) -> float:
        """The standard deviation of the biases."""
        return self._bias

    def __repr__(self) -> str:
        """Return an expression that evaluates to this object."""
        return f"NonlinearMeanField({self._activation!r}, {self._gain!r}, bias={self._bias!r})"

    def variance_map(self, variance: Any) -> Result:
        """Return the variance of the next layer's pre-activations.

        Parameters
        ----------
        variance : float or array_like
            Variance q of a layer's pre-activations, 0 or 1e-200 to 1e200.

        Examples
        --------
        >>> NonlinearMeanField("sigmoid", 2.0).variance_map(0.0)
        1.0
        """
        return _each(self._next, _variances(variance, zero=True))

    def _next(self, q: float) -> float:
        return self._gain**2 * _mean_square(self._activation, q) + self._bias**2

    def slope(self, variance: Any) -> Result:
        """Return the derivative of the variance map.

        Parameters
        ----------
        variance : float or array_like
            Variance q, 1e-200 to 1e200, or 0 where ``phi(0) = 0``.

        Returns
        -------
        float or ndarray
            Where phi(0) is not 0 the absolute error is ``1e-16 gain^2/sqrt(q)``.

        Examples
        --------
        >>> round(NonlinearMeanField("erf", 1.0).slope(0.0) * math.pi, 12)
        4.0
        """
        factor, phi = self._gain**2, self._activation
        q = _variances(variance, zero=phi.at_zero == 0.0)
        return _each(lambda x: factor * _growth(phi, x), q)

    def chi(self, variance: Any) -> Result:
        """Return ``gain^2 E phi'(sqrt(q) z)^2``; parameters as for `variance_map`.

        Examples
        --------
        >>> NonlinearMeanField("tanh", 2.0).chi(0.0)
        4.0
        """
        factor, phi = self._gain**2, self._activation
        return _each(lambda q: factor * _mean_square_slope(phi, q), _variances(variance, zero=True))

    def fixed_points(self) -> list[FixedPoint]:
        """Return the fixed points of the variance map, in increasing order.

        Returns
        -------
        list of FixedPoint
            Those at 0 and between 1e-30 and 1e30. Two points closer than a factor of about 1.6 may
            be missed where the map hardly crosses the diagonal.

        Examples
        --------
        >>> NonlinearMeanField("gelu", 1.0).fixed_points()
        [FixedPoint(variance=0.0, slope=0.25, chi=0.25)]
        """
        found = [0.0] if self._next(0.0) == 0.0 else []
        logs = np.arange(math.log(_SEARCH[0]), math.log(_SEARCH[1]), _SEARCH_STEP)
        excess = np.array([self._excess(x) for x in logs])
        for i in np.flatnonzero((excess[:-1] > 0.0) != (excess[1:] > 0.0)):
            root = optimize.brentq(self._excess, logs[i], logs[i + 1], xtol=1e-15, rtol=1e-15)
            found.append(math.exp(root))
        return [FixedPoint(q, self.slope(q), self.chi(q)) for q in found]

    def _excess(self, log_q: float) -> float:
        """Return ``log(q'/q)``."""
        return math.log(self._next(math.exp(log_q))) - log_q
