"""Stationary laws of networks with biases: samples, far tails, and what estimates their index.

A layer with biases of variance ``sigma_b^2`` maps ``|x|^2`` to
``(sigma^2 |x|^2 + sigma_b^2) R^2``. The law that this leaves unchanged has a power
tail, of the index `fracmoment.tail_index` [Gol91].
docs/algorithms/stationary.md derives the methods.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fracmoment import _core, _validation
from fracmoment.gains import Gain
from fracmoment.simulation.chains import law_of
from fracmoment.simulation.pieces import piece_size
from fracmoment.simulation.rare_events import LogEstimate, log_density
from fracmoment.simulation.runs import run_seed
from fracmoment.simulation.stored import sample_count, simulate
from fracmoment.simulation.streams import Purpose, stream_format
from fracmoment.simulation.summaries import Estimate

if TYPE_CHECKING:
    from collections.abc import Mapping

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
_LAYER_COST = 6.0  # nanoseconds of a factor of a sum, roughly


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


class _Layer(NamedTuple):
    """A layer with biases; for executors of processes it can be pickled."""

    gain: Gain
    sigma: float
    bias_sigma: float

    @classmethod
    def of(cls, gain: Any, sigma: Any, bias_sigma: Any) -> _Layer:
        """Return the layer of valid arguments."""
        if not isinstance(gain, Gain) or gain.shape:
            message = f"gain must be a Gain of scalar parameters, got {gain!r}"
            raise TypeError(message)
        _validation.choice("weights of gain", gain.weights, ("gaussian",))
        scale = _validation.as_float("sigma", _validation.positive("sigma", sigma))
        bias = _validation.as_float("bias_sigma", _validation.positive("bias_sigma", bias_sigma))
        if float(gain.tail_index(scale)) == 0.0:
            message = f"sigma must have a positive tail index (a negative drift), got {scale}"
            raise ValueError(message)
        return cls(gain, scale, bias)

    def description(self) -> dict[str, Any]:
        """Return what determines the law, in JSON."""
        return {
            "law": [repr(value) for value in law_of(self.gain)],
            "sigma": self.sigma.hex(),
            "bias_sigma": self.bias_sigma.hex(),
        }


class _Perpetuity:
    """The sum Y = A_1 + A_1 A_2 + ... with A = (sigma R)^2; a stationary |x|^2 is c Y in law."""

    def __init__(self, layer: _Layer) -> None:
        self.gain = layer.gain
        self.log_sigma = math.log(layer.sigma)
        self.log_scale = 2.0 * (math.log(layer.bias_sigma) - self.log_sigma)
        self.tail_index = float(layer.gain.tail_index(layer.sigma))
        self.log_bound = self._log_bound()
        self.plain = self._tilted(0.0)
        self.table = _core.factor_table(self.plain, layer.gain.prob_zero())

    @cached_property
    def tilted(self) -> _core.TiltedGain:
        """The law under which the products grow: tilted by A^(tail index/2)."""
        return self._tilted(self.tail_index)

    @cached_property
    def tilted_table(self) -> _core.QuantileTable:
        """The table that its variates come from."""
        return _core.factor_table(self.tilted, 0.0)

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

    def prepare_tail(self) -> None:
        """Build once what every piece of a tail needs."""
        _ = self.tilted_table

    def layers(self) -> float:
        """Return how many factors a sum takes, roughly."""
        drift = self.log_sigma + float(self.gain.log_mean())
        return (37.0 + max(self.log_bound, 0.0)) / (-2.0 * drift)

    def log_sums(self, seed: int, first: int, count: int) -> FloatArray:
        """Draw log Y."""
        factor, bound = self.log_factor(self.plain), max(self.log_bound, 0.0)
        return _core.log_perpetuities(
            self.table, factor, bound, seed, Purpose.STATIONARY, first, count
        )

    def log_tail_weights(
        self, level: float, reach: float, seed: int, first: int, count: int
    ) -> FloatArray:
        """Draw the logarithms of the weights of samples for P(Y > exp(level))."""
        log_mass = (
            math.log(self.gain._prob_alive())
            + self.tilted.log_mass()
            + self.tail_index * (self.log_sigma + float(self.gain.log_mean()))
        )
        return _core.log_tail_weights(
            self.tilted_table, self.log_factor(self.tilted),
            self.table, self.log_factor(self.plain),
            0.5 * self.tail_index, log_mass, level, reach, max(self.log_bound, 0.0),
            seed, Purpose.STATIONARY_TAIL, first, count,
        )  # fmt: skip


@lru_cache(maxsize=16)
def _perpetuity(layer: _Layer) -> _Perpetuity:
    return _Perpetuity(layer)


@dataclass(frozen=True)
class _Norms:
    """Stationary log-norms; a run."""

    layer: _Layer
    seed: int

    def work(self, first: int, count: int) -> Any:
        law = _perpetuity(self.layer)
        return 0.5 * (law.log_scale + law.log_sums(self.seed, first, count))

    def piece(self) -> int:
        return piece_size(_LAYER_COST * _perpetuity(self.layer).layers())

    def description(self) -> Mapping[str, Any]:
        return {
            **self.layer.description(),
            "result": "stationary norms",
            "seed": self.seed,
            "stream_format": stream_format,
        }


@dataclass(frozen=True)
class _TailWeights(_Norms):
    """The logarithms of the weights of samples for the tail beyond a level; a run."""

    level: float  # logarithm, of Y
    reach: float

    def work(self, first: int, count: int) -> Any:
        law = _perpetuity(self.layer)
        return law.log_tail_weights(self.level, self.reach, self.seed, first, count)

    def piece(self) -> int:
        law = _perpetuity(self.layer)
        climb = max(self.level, 0.0) / max(law.log_factor(law.tilted), 1e-3)
        return piece_size(_LAYER_COST * (climb + law.layers()))

    def description(self) -> Mapping[str, Any]:
        return {
            **super().description(),
            "result": "stationary tail",
            "level": self.level.hex(),
        }


def simulate_stationary_norms(
    gain: Any,
    sigma: Any,
    bias_sigma: Any,
    n_samples: Any,
    *,
    rng: Any = None,
    threads: Any = None,
    executor: Any = None,
    progress: Any = None,
    checkpoint: Any = None,
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
    executor, progress, checkpoint : optional
        As for `simulate_log_norms`.

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
    Interrupted
        On Ctrl-C (a KeyboardInterrupt); its ``partial`` holds the first samples.
    CheckpointError
        If the file is damaged or belongs to another run.

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
    layer = _Layer.of(gain, sigma, bias_sigma)
    count = sample_count(n_samples)
    run = _Norms(layer, run_seed(rng, checkpoint))
    _perpetuity(layer)
    return simulate(
        run,
        count,
        [()],
        lambda values: values,
        threads=threads,
        executor=executor,
        progress=progress,
        checkpoint=checkpoint,
    )


def stationary_tail(
    gain: Any,
    sigma: Any,
    bias_sigma: Any,
    log_level: Any,
    *,
    n_samples: Any = 100_000,
    rng: Any = None,
    threads: Any = None,
    executor: Any = None,
    progress: Any = None,
    checkpoint: Any = None,
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
    rng, threads, executor, progress, checkpoint
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
    layer = _Layer.of(gain, sigma, bias_sigma)
    law = _perpetuity(layer)
    level = 2.0 * _validation.as_float("log_level", log_level) - law.log_scale
    _validation.require("log_level", log_level, abs(level) < _LARGEST_LEVEL, "between -340 and 340")
    count = _validation.integer("n_samples", n_samples, 2, 2**40)
    seed = run_seed(rng, checkpoint)
    reach = float(np.median(law.log_sums(seed, 0, _REACH_SAMPLES)))
    run = _TailWeights(layer, seed, level, reach)
    law.prepare_tail()

    def result(log_weights: FloatArray) -> Any:
        if log_weights.size < 2:
            return None
        estimate = LogEstimate.of(log_weights)
        return StationaryTail(estimate.log_mean, math.sqrt(estimate.variance), law.tail_index)

    tail: StationaryTail = simulate(
        run,
        count,
        [()],
        result,
        threads=threads,
        executor=executor,
        progress=progress,
        checkpoint=checkpoint,
    )
    return tail


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
