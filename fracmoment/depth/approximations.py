"""Approximations of the law of a sum, and what they are wrong by."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _validation
from fracmoment._core import ConvergenceError
from fracmoment._results import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from fracmoment._typing import FloatArray, Result

    #: s -> K(s), K'(s), K''(s) of a cumulant generating function
    CumulantFunction = Callable[[float], tuple[float, float, float]]

__all__ = ["EdgeworthLaw", "RateFunction", "berry_esseen_bound", "lugannani_rice"]

_ALIKE, _UNLIKE = 0.4748, 0.5600
_MAX_STEPS = 100


def berry_esseen_bound(third: float, std: float, *, alike: bool) -> float:
    """Return the bound from the sum of third absolute central moments."""
    return min(1.0, (_ALIKE if alike else _UNLIKE) * third / std**3)


class EdgeworthLaw:
    """The Edgeworth expansion of a law around the normal one.

    Not a distribution: far out it may be negative or above 1, and is returned as it is.

    Parameters
    ----------
    mean, std : float
        Of the law.
    skewness, kurtosis : float
        Standardized third and fourth cumulants.
    terms : int
        1 or 2; see `fracmoment.DepthLaw.edgeworth`.
    """

    def __init__(
        self, mean: float, std: float, skewness: float, kurtosis: float, terms: int
    ) -> None:
        self._mean, self._std, self._terms = mean, std, terms
        self._skewness, self._kurtosis = skewness, kurtosis

    def cdf(self, y: Any) -> Result:
        """Return the expansion of ``P(Y <= y)``.

        ``Phi(z) - phi(z) (g3 He2(z)/6 + g4 He3(z)/24 + g3^2 He5(z)/72)`` with z the standardized
        point, the first term of the correction alone for one term (Petrov 1975, chapter VI).
        """
        from scipy import special  # slow to import

        z = self._standardized(y)
        return plain(special.ndtr(z) - _normal_density(z) * self._correction(z, 1))

    def sf(self, y: Any) -> Result:
        """Return the expansion of ``P(Y > y)``."""
        from scipy import special

        z = self._standardized(y)
        return plain(special.ndtr(-z) + _normal_density(z) * self._correction(z, 1))

    def pdf(self, y: Any) -> Result:
        """Return the expansion of the density."""
        z = self._standardized(y)
        return plain(_normal_density(z) * (1.0 + self._correction(z, 0)) / self._std)

    def _standardized(self, y: Any) -> FloatArray:
        return (np.asarray(_validation.floats("y", y)) - self._mean) / self._std

    def _correction(self, z: FloatArray, integrals: int) -> FloatArray:
        from scipy import special

        def hermite(n: int) -> Any:
            return special.eval_hermitenorm(n - integrals, z)

        value = self._skewness / 6.0 * hermite(3)
        if self._terms == 2:
            value = value + self._kurtosis / 24.0 * hermite(4)
            value = value + self._skewness**2 / 72.0 * hermite(6)
        return np.asarray(value)


def saddle(cumulants: CumulantFunction, y: float, start: float, edge: float) -> float:
    """Return the root s > edge of ``K'(s) = y``, by Newton's method inside a bracket."""
    low, high = edge, math.inf
    s = start if start > edge else 0.5 * edge
    for _ in range(_MAX_STEPS):
        _, slope, curvature = cumulants(s)
        if slope < y:
            low = s
        else:
            high = s
        step = (y - slope) / curvature
        proposed = s + step
        if not low < proposed < high:
            proposed = 0.5 * (low + high) if math.isfinite(high - low) else 2.0 * s + 1.0
        if abs(proposed - s) <= 1e-12 * (abs(s) + 1e-3):
            return proposed
        s = proposed
    message = f"no saddle point was found for y = {y!r}: it is too far in a tail"
    raise ConvergenceError(message)


def lugannani_rice(cumulants: CumulantFunction, y: FloatArray) -> FloatArray:
    """Return the saddle point approximation of ``P(Y > y)`` (Lugannani and Rice 1980)."""
    from scipy import special

    _, mean, variance = cumulants(0.0)

    def one(point: float) -> float:
        start = (point - mean) / variance
        try:
            s = saddle(cumulants, point, start, -math.inf)
        except ConvergenceError:
            return math.nan
        value, _, curvature = cumulants(s)
        r = math.copysign(math.sqrt(max(2.0 * (s * point - value), 0.0)), s)
        if abs(r) < 1e-3:  # the removable singularity at the mean: the skewness decides
            step = 1e-2 / math.sqrt(variance)
            third = (cumulants(step)[2] - cumulants(-step)[2]) / (2.0 * step)
            skewness = third / variance**1.5
            near: float = 0.5 - (r + skewness / 6.0) / math.sqrt(2.0 * math.pi)
            return near
        u = s * math.sqrt(curvature)
        tail: float = special.ndtr(-r) + _normal_density(r) * (1.0 / u - 1.0 / r)
        return tail

    return np.array([one(point) for point in y.ravel().tolist()]).reshape(y.shape)


class RateFunction:
    """The rate function of large deviations per layer, and its inverse.

    Parameters
    ----------
    cumulants : callable
        Cumulant generating function of the sum with two derivatives.
    depth : int
        Number of summands.
    variance : float
        Of the sum.
    edge : float
        Below this order there are no moments.
    """

    def __init__(
        self, cumulants: CumulantFunction, depth: int, variance: float, edge: float
    ) -> None:
        self._cumulants, self._depth, self._edge = cumulants, depth, edge
        self._variance = variance
        self._mean = cumulants(0.0)[1]

    def rate(self, c: FloatArray) -> Result:
        """Return ``I(c) = sup_s (s c - K(s)/depth)``."""
        _validation.require("c", c, np.isfinite(c), "finite")

        def one(value: float) -> float:
            y = value * self._depth
            s = saddle(self._cumulants, y, (y - self._mean) / self._variance, self._edge)
            return max(s * y - self._cumulants(s)[0], 0.0) / self._depth

        return plain(np.array([one(v) for v in c.ravel().tolist()]).reshape(c.shape))

    def inverse(self, value: FloatArray, *, upper: bool) -> Result:
        """Return the c on one side of the drift whose rate is `value`."""
        flat = [self._point(v * self._depth, upper) for v in value.ravel().tolist()]
        return plain(np.array(flat).reshape(value.shape) / self._depth)

    def _point(self, target: float, upper: bool) -> float:
        """Return y with ``s y - K(s) = target`` at its saddle s: that grows with |s|."""
        if target == 0.0:
            return self._mean
        sign = 1.0 if upper else -1.0
        low, high = 0.0, math.inf if upper else -self._edge
        size = math.sqrt(2.0 * target / self._variance)
        for _ in range(_MAX_STEPS):
            if not low < size < high:
                size = 0.5 * (low + high) if math.isfinite(high) else 2.0 * low
            value, slope, curvature = self._cumulants(sign * size)
            found = sign * size * slope - value
            if found < target:
                low = size
            else:
                high = size
            proposed = size - (found - target) / (size * curvature)
            if abs(proposed - size) <= 1e-12 * size:
                return slope
            size = proposed
        message = f"no point with the rate {target / self._depth!r} was found"
        raise ConvergenceError(message)


def _normal_density(z: Any) -> Any:
    return np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
