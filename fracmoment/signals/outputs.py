"""The joint law of the units of a layer, given the input of the network: a scale mixture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fracmoment import _validation
from fracmoment._core import ConvergenceError
from fracmoment._results import plain
from fracmoment.signals.kernels import pair_kernels

if TYPE_CHECKING:
    from fracmoment._typing import FloatArray, Result
    from fracmoment.gains import Gain
    from fracmoment.signals.transport import Mixture

__all__ = ["OutputLaw"]

_MOST_MISSED = 1e-9  # of a density, beyond the lower end of the mixture
_MOST_ENTRIES = 2**18
_QUANTILE_RANGE = 40.0  # of logarithms below the smallest scale
_HALVINGS = 60


class PreactivationScale(NamedTuple):
    """The law of the variance q of a layer's pre-activations."""

    mixture: Mixture  # of q given q > 0, with probabilities that sum to P(q > 0)
    mean: float
    variance: float
    bounded: bool  # whether biases keep q away from 0


class OutputLaw:
    """The joint law of the units y_1, ..., y_d of the last layer, for one input of the network.

    Made by the method ``outputs`` of `Signals` and `StationarySignals`.

    Notes
    -----
    Given the norm of the last layer's input the units are independent, ``y = m phi(sqrt(q) z)``,
    ``q = sigma^2 |x|^2 + bias^2``, z normal and m the dropout mask: a mixture over the one number
    q, which makes them dependent at finite width [N21]. Units that are 0 (dead, dropped, or all of
    them where q = 0) are atoms. The activation needs a fixed slope for densities and probabilities.

    Examples
    --------
    Three linear output units of a ReLU network:

    >>> import fracmoment as fm
    >>> layers = [fm.Gain("relu", 8), fm.Gain("relu", 8), fm.Gain("linear", 3)]
    >>> y = fm.Signals(layers, 0.5, bias=0.1).outputs()
    >>> round(y.pdf(0.3), 9), round(y.joint_pdf([0.3, -0.1, 0.2]), 9)
    (0.612522584, 0.627126292)
    >>> round(y.square_correlation(), 9)  # independent units would have 0
    0.228686196
    """

    def __init__(self, gain: Gain, scale: PreactivationScale) -> None:
        self._gain, self._scale = gain, scale
        self._zero = 0.0 if scale.bounded else max(1.0 - scale.mixture.total(), 0.0)
        keep = float(gain.keep_prob)
        self._keep, self._factor = keep, 1.0 / keep if gain.inverted_dropout else 1.0

    @property
    def width(self) -> int:
        """The number of units."""
        return int(self._gain.width)

    def prob_zero(self, n: int = 1) -> float:
        """Return the probability that n given units are all 0.

        Parameters
        ----------
        n : int, optional
            Number of units, 1 to the width.
        """
        count = _validation.integer("n", n, 1, self.width)
        dead_side = self._gain.activation.slopes == (0.0, 0.0)
        live = 0.5 * self._keep if dead_side else self._keep
        return self._zero + (1.0 - self._zero) * (1.0 - live) ** count

    def pdf(self, y: Any) -> Result:
        """Return the density of one unit; it integrates to the probability that it is not 0.

        Parameters
        ----------
        y : array_like of float
            Finite points. At 0 the limit from above.

        Raises
        ------
        ConvergenceError
            So close to 0, without biases, that the density depends on probabilities below 1e-30.
        """
        points = np.asarray(_validation.floats("y", y))
        return self._density(points[..., np.newaxis])

    def joint_pdf(self, y: Any) -> Result:
        """Return the joint density of n units where none of them is 0.

        Parameters
        ----------
        y : array_like of float, shape (..., n)
            Finite points, n at most the width.

        Raises
        ------
        ConvergenceError
            As for `pdf`.
        """
        points = np.asarray(_validation.floats("y", y))
        if points.ndim == 0 or not 1 <= points.shape[-1] <= self.width:
            message = (
                f"y must hold 1 to {self.width} units along its last axis, got shape {points.shape}"
            )
            raise ValueError(message)
        return self._density(points)

    def cdf(self, y: Any) -> Result:
        """Return P(unit <= y), with its atom at 0; accurate where it is small.

        Parameters
        ----------
        y : array_like of float
            Finite points.
        """
        points = np.asarray(_validation.floats("y", y))
        below = self._tail(-points, negative=True)
        above = self._tail(points, negative=False)
        return plain(np.where(points < 0, below, 1.0 - above))

    def sf(self, y: Any) -> Result:
        """Return P(unit > y), accurate where it is small.

        Parameters
        ----------
        y : array_like of float
            Finite points.
        """
        points = np.asarray(_validation.floats("y", y))
        below = self._tail(-points, negative=True)
        above = self._tail(points, negative=False)
        return plain(np.where(points < 0, 1.0 - below, above))

    def ppf(self, q: Any) -> Result:
        """Return the quantile of one unit: the smallest y with ``cdf(y) >= q``.

        Parameters
        ----------
        q : array_like of float
            Probabilities in [0, 1]; 0 and 1 give the ends of the support.

        Returns
        -------
        float or ndarray
            0 on the atom. Relative error below 1e-12 over that of the distribution function.

        Examples
        --------
        >>> import fracmoment as fm
        >>> y = fm.Signals(fm.Gain("relu", 8), 0.5, 3, bias=0.1).outputs()
        >>> round(y.ppf(0.3), 6), round(y.cdf(y.ppf(0.9)), 12)
        (0.0, 0.9)
        """
        levels = np.asarray(_validation.probability("q", q))
        return plain(self._quantile(levels, 1.0 - levels))

    def isf(self, q: Any) -> Result:
        """Return the quantile of the survival function: ``ppf(1 - q)``, for small ``q`` too.

        Parameters
        ----------
        q : array_like of float
            Probabilities in [0, 1].
        """
        levels = np.asarray(_validation.probability("q", q))
        return plain(self._quantile(1.0 - levels, levels))

    def square_mean(self) -> float:
        """Return E y^2 of one unit, exact."""
        return self._scale.mean * float(pair_kernels(self._gain, 1.0).mean)

    def square_covariance(self) -> float:
        """Return Cov(y_i^2, y_j^2) of two units, exact; inf where a variance is."""
        return self._scale.variance * float(pair_kernels(self._gain, 1.0).mean) ** 2

    def square_variance(self) -> float:
        """Return Var y^2 of one unit, exact; inf where it is."""
        unit = pair_kernels(self._gain, 1.0)
        within = (self._scale.variance + self._scale.mean**2) * float(unit.variance)
        return within + self.square_covariance()

    def square_correlation(self) -> float:
        """Return the correlation of the squares of two units, 0 if and only if q is constant.

        Raises
        ------
        ValueError
            Where the squares have no variance.
        """
        variance = self.square_variance()
        _validation.require("the variance of a square", variance, variance < math.inf, "finite")
        return self.square_covariance() / variance

    # ------------------------------------------------------------ mixtures

    def _quantile(self, below: FloatArray, above: FloatArray) -> FloatArray:
        """Return where the distribution function is `below` and the survival function `above`."""
        zero = np.zeros(1)
        sides = []
        for negative, level in ((True, below), (False, above)):
            whole = float(self._tail(zero, negative=negative)[0])
            sides.append(np.where(level < whole, self._size(level, negative=negative), 0.0))
        return sides[1] - sides[0]

    def _size(self, level: FloatArray, *, negative: bool) -> FloatArray:
        """Return the size beyond which a side has the probability `level`, by bisection."""
        slopes = [abs(slope) for slope, side in self._branches() if side == negative]
        if not slopes:
            return np.zeros(level.shape)
        logs = 0.5 * self._scale.mixture.logs
        low = np.full(level.shape, float(logs[0]) + math.log(min(slopes)) - _QUANTILE_RANGE)
        high = np.full(level.shape, float(logs[-1]) + math.log(max(slopes)) + math.log(40.0))
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            beyond = self._tail(np.exp(middle), negative=negative) > level
            low, high = np.where(beyond, middle, low), np.where(beyond, high, middle)
        return np.where(level > 0.0, np.exp(high), math.inf)

    def _branches(self) -> list[tuple[float, bool]]:
        """Return the slopes of both sides, and whether the side's outputs are negative."""
        lower, upper = self._gain.activation.slopes
        if lower != upper:
            message = f"the activation must have a fixed slope, got {self._gain.activation!r}"
            raise ValueError(message)
        slope = float(lower) * self._factor
        sides = [(self._factor, False)]
        if slope != 0.0:
            sides.append((slope, slope > 0.0))
        return sides

    def _density(self, points: FloatArray) -> Result:
        """Return the joint density at points (..., n)."""
        flat = points.reshape(-1, points.shape[-1])
        mixture = self._scale.mixture
        log_weights = np.log(mixture.weights)
        result = np.empty(len(flat))
        size = max(_MOST_ENTRIES // (len(mixture.logs) * flat.shape[1]), 1)
        for start in range(0, len(flat), size):
            block = flat[start : start + size]
            terms = log_weights + self._log_given(block[..., np.newaxis]).sum(axis=1)
            result[start : start + size] = self._summed(terms)
        return plain(result.reshape(points.shape[:-1]))

    def _log_given(self, y: FloatArray) -> FloatArray:
        """Return the log-density of one unit given q, on the last axis."""
        log_q = self._scale.mixture.logs
        precision = 0.5 * np.exp(-log_q)
        total = np.full(np.broadcast_shapes(y.shape, log_q.shape), -np.inf)
        for slope, negative in self._branches():
            here = (y < 0) if negative else (y >= 0)
            h = y / slope
            log_normal = -0.5 * (log_q + math.log(2 * math.pi)) - precision * h * h
            branch = math.log(self._keep) - math.log(abs(slope)) + log_normal
            total = np.logaddexp(total, np.where(here, branch, -np.inf))
        return total

    def _summed(self, terms: FloatArray) -> FloatArray:
        top = terms.max(axis=1)
        safe = np.where(np.isfinite(top), top, 0.0)
        parts = np.exp(terms - safe[:, np.newaxis])
        total = parts.sum(axis=1)
        edge = parts[:, : parts.shape[1] // 50 + 1].sum(axis=1)
        if not self._scale.bounded and parts.shape[1] > 1 and np.any(edge > _MOST_MISSED * total):
            message = "the density this close to 0 depends on probabilities below 1e-30"
            raise ConvergenceError(message)
        result: FloatArray = np.exp(safe) * total
        return result

    def _tail(self, sizes: FloatArray, *, negative: bool) -> FloatArray:
        """Return P(y > size), or P(y < -size), for sizes >= 0."""
        from scipy.special import ndtr

        mixture = self._scale.mixture
        scale = np.exp(-0.5 * mixture.logs)
        flat = np.maximum(sizes, 0.0).reshape(-1)
        result = np.zeros(flat.shape)
        rows = max(_MOST_ENTRIES // len(scale), 1)
        slopes = [abs(slope) for slope, side in self._branches() if side == negative]
        for start in range(0, len(flat), rows):
            block = slice(start, start + rows)
            for slope in slopes:
                normal = ndtr(-flat[block, np.newaxis] / slope * scale)
                result[block] += self._keep * (normal @ mixture.weights)
        return result.reshape(sizes.shape)
