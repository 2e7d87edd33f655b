"""Stationary laws of networks with biases: samples, far tails, and what estimates their index.

A layer with biases of variance ``sigma_b^2`` maps ``|x|^2`` to
``(sigma^2 |x|^2 + sigma_b^2) R^2``. The law that this leaves unchanged has a power
tail, of the index `fracmoment.tail_index` [Gol91].
docs/algorithms/stationary.md derives the methods.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fracmoment import _core, _validation
from fracmoment.gains import Gain
from fracmoment.simulation.chains import law_of
from fracmoment.simulation.pieces import each_piece, thread_count
from fracmoment.simulation.rare_events import LogEstimate, log_density
from fracmoment.simulation.streams import Purpose, seed_of
from fracmoment.simulation.summaries import Estimate

if TYPE_CHECKING:
    from fracmoment._typing import FloatArray

__all__ = [
    "StationaryTail",
    "hill_estimate",
    "moment_estimate",
    "simulate_stationary_norms",
    "stationary_tail",
]

_LOG_MISSED = math.log(1e-15)  # probability that a sum is cut too early
_MOST_LOG_BOUND = 650.0
_HIGHEST_ORDER = 32.0
_REACH_SAMPLES = 1024
_LARGEST_LEVEL = 690.0


class StationaryTail(NamedTuple):
    """The estimated probability that a stationary norm exceeds a level.

    Attributes
    ----------
    log_probability : float
        Its natural logarithm.
    relative_error : float
        Standard error of the probability over the probability.
    tail_index : float
        Exact index of the tail.
    """

    log_probability: float
    relative_error: float
    tail_index: float


class _Perpetuity:
    """The sum Y = A_1 + A_1 A_2 + ... with A = (sigma R)^2; a stationary |x|^2 is c Y in law."""

    def __init__(self, gain: Any, sigma: Any, bias_sigma: Any) -> None:
        if not isinstance(gain, Gain) or gain.shape:
            message = f"gain must be a Gain of scalar parameters, got {gain!r}"
            raise TypeError(message)
        _validation.choice("weights of gain", gain.weights, ("gaussian",))
        self.gain = gain
        scale = _validation.as_float("sigma", _validation.positive("sigma", sigma))
        bias = _validation.as_float("bias_sigma", _validation.positive("bias_sigma", bias_sigma))
        self.log_sigma = math.log(scale)
        self.log_scale = 2.0 * (math.log(bias) - self.log_sigma)
        self.tail_index = float(gain.tail_index(scale))
        if self.tail_index == 0.0:
            message = f"sigma must have a positive tail index (a negative drift), got {scale}"
            raise ValueError(message)
        self.log_bound = self._log_bound()
        self.plain = self._tilted(0.0)
        self.table = _core.factor_table(self.plain, gain.prob_zero())

    def _tilted(self, order: float) -> _core.TiltedGain:
        return _core.TiltedGain(log_density(law_of(self.gain)), order, -math.inf, 80.0)

    def log_factor(self, law: _core.TiltedGain) -> float:
        """Return the logarithm of A at the mean of a tilted law."""
        return 2.0 * (self.log_sigma + float(self.gain.log_mean()) + law.mean())

    def _log_bound(self) -> float:
        """Return log B with P(Y > B) below 1e-15, by Markov's inequality at the best order q.

        E Y^q <= m/(1 - m) for q <= 1 and (E Y^q)^(1/q) <= m^(1/q)/(1 - m^(1/q)) for q >= 1, with
        m = E A^q, by the inequalities of the sum.
        """
        best = math.inf
        for q in np.linspace(0.02, 0.98, 49) * min(0.5 * self.tail_index, _HIGHEST_ORDER):
            log_m = 2.0 * q * (self.log_sigma - math.log(self.gain.scale(2.0 * q)))
            if q < 1.0:
                log_norm = (log_m - math.log1p(-math.exp(log_m))) / q
            else:
                log_norm = log_m / q - math.log1p(-math.exp(log_m / q))
            best = min(best, log_norm - _LOG_MISSED / q)
        if best > _MOST_LOG_BOUND:
            message = f"the tail index {self.tail_index:g} is too small: sums cannot be bounded"
            raise _core.ConvergenceError(message)
        return best

    def log_sums(self, seed: int, count: int, threads: int, first: int = 0) -> FloatArray:
        """Draw log Y."""
        factor, bound = self.log_factor(self.plain), max(self.log_bound, 0.0)

        def work(start: int, length: int) -> FloatArray:
            return _core.log_perpetuities(
                self.table, factor, bound, seed, Purpose.STATIONARY, start, length
            )

        pieces = list(each_piece(work, first, count, 512, threads))
        return np.concatenate([np.empty(0), *[values for _, values in pieces]])


def simulate_stationary_norms(
    gain: Any, sigma: Any, bias_sigma: Any, n_samples: Any, *, rng: Any = None, threads: Any = None
) -> FloatArray:
    """Draw log-norms from the stationary law of a network with normal biases.

    Parameters
    ----------
    gain : Gain
        Gain law of every layer; scalar parameters, Gaussian weights.
    sigma : float
        Scale of the weights, > 0, with a positive tail index.
    bias_sigma : float
        Standard deviation of the biases, > 0.
    n_samples : int
        Number of independent samples, >= 0.
    rng : None, int, SeedSequence, BitGenerator or Generator, optional
        Source of the 64-bit seed. Sample i is a function of the seed and i alone.
    threads : int, optional
        Number of threads, every core by default. The result does not depend on it.

    Returns
    -------
    ndarray of float, shape (n_samples,)
        log|x|; -inf where the last layer was dead.

    Raises
    ------
    ValueError, TypeError
        For arguments outside these ranges.
    ConvergenceError
        For tail indices so small (0.12 to 0.16, it depends on the law) that no bound on the sums
        fits a double.

    Notes
    -----
    |x|^2 is summed from the last layer backwards, c (A_1 + A_1 A_2 + ...), until what is left is
    below 2^-53 of the sum, with a probability of at most 1e-15 that it is not.

    Examples
    --------
    >>> import fracmoment as fm
    >>> gain = fm.Gain("relu", 16)
    >>> y = simulate_stationary_norms(gain, gain.scale(4), 0.1, 20_000, rng=1)
    >>> exact = 0.01 * 8 / (1 - gain.scale(4) ** 2 * 8)  # E|x|^2
    >>> bool(abs(np.exp(2 * y).mean() / exact - 1) < 0.1)
    True
    """
    law = _Perpetuity(gain, sigma, bias_sigma)
    count = _validation.integer("n_samples", n_samples, 0, 2**40)
    workers, seed = thread_count(threads), seed_of(rng)
    return 0.5 * (law.log_scale + law.log_sums(seed, count, workers))


def stationary_tail(
    gain: Any,
    sigma: Any,
    bias_sigma: Any,
    log_level: Any,
    *,
    n_samples: Any = 100_000,
    rng: Any = None,
    threads: Any = None,
) -> StationaryTail:
    """Estimate the probability that a stationary norm exceeds a level, however far out.

    Parameters
    ----------
    gain, sigma, bias_sigma
        As for `simulate_stationary_norms`.
    log_level : float
        Logarithm of the level: the event is ``log|x| > log_level``.
    n_samples : int, optional
        Number of samples, >= 2.
    rng, threads
        As for `simulate_stationary_norms`.

    Returns
    -------
    StationaryTail
        The logarithm of the probability, its relative standard error, and the exact tail index
        alpha: the probability times ``exp(alpha log_level)`` tends to a constant.

    Examples
    --------
    >>> import fracmoment as fm
    >>> gain = fm.Gain("relu", 16)
    >>> tail = stationary_tail(gain, gain.scale(2), 0.1, 100.0, n_samples=20_000, rng=1)
    >>> round(tail.tail_index, 10), tail.log_probability < -190, tail.relative_error < 0.05
    (2.0, True, True)
    """
    law = _Perpetuity(gain, sigma, bias_sigma)
    level = 2.0 * _validation.as_float("log_level", log_level) - law.log_scale
    _validation.require("log_level", log_level, abs(level) < _LARGEST_LEVEL, "between -340 and 340")
    count = _validation.integer("n_samples", n_samples, 2, 2**40)
    workers, seed = thread_count(threads), seed_of(rng)
    reach = float(np.median(law.log_sums(seed, _REACH_SAMPLES, workers)))
    tilted = law._tilted(law.tail_index)
    table = _core.factor_table(tilted, 0.0)
    log_mass = (
        math.log(gain._prob_alive())
        + tilted.log_mass()
        + law.tail_index * (law.log_sigma + float(gain.log_mean()))
    )

    def work(start: int, length: int) -> FloatArray:
        return _core.log_tail_weights(
            table, law.log_factor(tilted), law.table, law.log_factor(law.plain),
            0.5 * law.tail_index, log_mass, level, reach, max(law.log_bound, 0.0),
            seed, Purpose.STATIONARY_TAIL, start, length,
        )  # fmt: skip

    pieces = list(each_piece(work, 0, count, 512, workers))
    estimate = LogEstimate.of(np.concatenate([values for _, values in pieces]))
    return StationaryTail(estimate.log_mean, math.sqrt(estimate.variance), law.tail_index)


def hill_estimate(log_values: Any, largest: Any) -> Estimate:
    """Return Hill's estimate of the index of a power tail.

    Parameters
    ----------
    log_values : array_like of float
        Logarithms of independent samples; -inf for zeros.
    largest : int
        How many of the largest samples to use, >= 2 and fewer than there are.

    Returns
    -------
    Estimate
        The index: the inverse of the mean excess of the logarithms over the next largest, with its
        asymptotic standard error index/sqrt(largest). The bias, from what the tail is not a pure
        power, is not part of it.

    Examples
    --------
    >>> values = np.random.default_rng(1).pareto(1.5, 100_000) + 1
    >>> estimate = hill_estimate(np.log(values), 10_000)
    >>> bool(abs(estimate.z(1.5)) < 4)
    True
    """
    excess = _excesses(log_values, largest)
    index = 1.0 / float(excess.mean())
    return Estimate(index, index / math.sqrt(excess.size))


def moment_estimate(log_values: Any, largest: Any) -> Estimate:
    """Return the moment estimate of the index of a tail, of Dekkers, Einmahl and de Haan [DEH89].

    Parameters
    ----------
    log_values, largest
        As for `hill_estimate`.

    Returns
    -------
    Estimate
        The inverse of ``M_1 + 1 - 1/(2 (1 - M_1^2/M_2))``, M_j the mean j-th power of the excesses
        of the logarithms over the next largest, with its asymptotic standard error. The estimate of
        the inverse is consistent for tails that are not powers too, and may be 0 or negative for
        these: the index is then infinite or negative, and its error has no meaning.

    Examples
    --------
    >>> values = np.random.default_rng(1).pareto(1.5, 100_000) + 1
    >>> estimate = moment_estimate(np.log(values), 10_000)
    >>> bool(abs(estimate.z(1.5)) < 4)
    True
    """
    excess = _excesses(log_values, largest)
    first, second = float(excess.mean()), float((excess**2).mean())
    _validation.require("largest", excess.size, second > first**2, "more, of different values")
    inverse = first + 1.0 - 0.5 / (1.0 - first**2 / second)
    if inverse == 0.0:
        return Estimate(math.inf, math.inf)
    spread = math.sqrt((1.0 + inverse**2) / excess.size)  # of the inverse, for inverse >= 0
    return Estimate(1.0 / inverse, spread / inverse**2)


def _excesses(log_values: Any, largest: Any) -> FloatArray:
    """Return the excesses of the largest values over the next one."""
    values = np.asarray(log_values, dtype=np.float64).ravel()
    _validation.require("log_values", values, ~np.isnan(values) & (values < np.inf), "below inf")
    count = _validation.integer("largest", largest, 2, max(values.size - 1, 2))
    top = np.partition(values, values.size - count - 1)[values.size - count - 1 :]
    threshold = float(top[0])  # partition: what follows is not smaller
    excess: FloatArray = top[1:] - threshold
    usable = threshold > -math.inf and float(excess.sum()) > 0.0
    _validation.require("largest", count, usable, "fewer")
    return excess
