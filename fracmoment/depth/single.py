"""A single layer with the interface of the core's law of many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fracmoment._typing import ComplexArray, FloatArray
    from fracmoment.gains import Gain

__all__ = ["SingleGain"]

_STEP = 1e-3  # of the differences that give the derivatives of log-moments


class SingleGain:
    """The law of ``log(sigma R)`` given R > 0, from the gain's own distribution functions.

    Orthogonal layers have bounded gains with atoms, whose characteristic functions do not decay:
    one of them needs no inversion, as its distribution function is known.

    Parameters
    ----------
    gain : Gain
        Of scalar parameters.
    log_scale : float
        ``log sigma``.
    """

    def __init__(self, gain: Gain, log_scale: float) -> None:
        assert gain._law is not None
        self._gain, self._law, self._log_scale = gain, gain._law, log_scale

    def mean(self) -> float:
        """Return the mean."""
        return self._log_scale + self._law.log_mean()

    def pdf(self, y: FloatArray) -> FloatArray:
        """Return the density, of the continuous part."""
        r = self._gains(y)
        return self._law.pdf(r) * r

    def tail(self, y: FloatArray, upper: bool) -> FloatArray:
        """Return ``P(Y > y)`` or ``P(Y <= y)``."""
        r = self._gains(y)
        return self._law.sf(r) if upper else self._law.cdf(r)

    def log_tail(self, y: FloatArray, upper: bool) -> FloatArray:
        """Return the logarithm of `tail`."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self.tail(y, upper)))

    def quantile(self, q: FloatArray, upper: bool) -> FloatArray:
        """Return the point of the tail q."""
        r = self._law.isf(q) if upper else self._law.ppf(q)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(r) + self._log_scale)

    def characteristic(self, t: FloatArray) -> ComplexArray:
        """Return ``E exp(i t (Y - E Y))``."""
        moments = np.asarray(self._gain.moment(1j * t, given_alive=True))
        return np.asarray(moments * np.exp(-1j * t * self._law.log_mean()))

    def cumulant_function(self, s: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return ``log E exp(s (Y - E Y))`` and its first two derivatives, by differences."""

        def log_moment(order: FloatArray) -> FloatArray:
            zero = order == 0.0
            scale = self._gain.scale(np.where(zero, 1.0, order), given_alive=True)
            return -order * np.where(zero, 0.0, np.log(scale) + self._law.log_mean())

        low, middle, high = log_moment(s - _STEP), log_moment(s), log_moment(s + _STEP)
        return middle, (high - low) / (2 * _STEP), (high + low - 2 * middle) / _STEP**2

    def _gains(self, y: FloatArray) -> FloatArray:
        # beyond 1e300 every gain's tail is nothing, and infinite points are not for the core
        with np.errstate(over="ignore"):
            return np.minimum(np.exp(y - self._log_scale), 1e300)
