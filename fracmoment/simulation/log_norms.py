"""Log-norms at the output of random networks: samples, and summaries of any number of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _layers, _validation
from fracmoment.simulation.chains import METHODS, Engine, engine_of
from fracmoment.simulation.runs import Interrupted, execute, run_seed
from fracmoment.simulation.stored import sample_count, simulate
from fracmoment.simulation.streams import stream_format
from fracmoment.simulation.summaries import LogNormSummary, SummaryPlan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fracmoment._typing import FloatArray


_PLAN_SEED, _PLAN_SAMPLES = 2**63, 32


@dataclass(frozen=True)
class _Samples:
    """Log-norms of the replicas of a network; a run."""

    engine: Engine
    seed: int

    def work(self, first: int, count: int) -> Any:
        return self.engine.log_norms(self.seed, first, count)

    def piece(self) -> int:
        return self.engine.piece()

    def description(self) -> Mapping[str, Any]:
        return {
            **self.engine.description(),
            "result": "samples",
            "seed": self.seed,
            "stream_format": stream_format,
        }


@dataclass(frozen=True)
class _Summaries(_Samples):
    """The same, summed up piece by piece."""

    plan: SummaryPlan

    def work(self, first: int, count: int) -> Any:
        return LogNormSummary.of(self.plan, super().work(first, count))

    def description(self) -> Mapping[str, Any]:
        orders = [order.hex() for order in self.plan.orders]
        return {**super().description(), "result": "summary", "orders": orders}


def simulate_log_norms(
    gain: Any,
    sigma: Any,
    depth: Any,
    n_samples: Any,
    *,
    rng: Any = None,
    method: str = "norm",
    weights: Any = "gaussian",
    bias: Any = 0.0,
    x0: Any = None,
    dtype: Any = "float64",
    threads: Any = None,
    executor: Any = None,
    progress: Any = None,
    checkpoint: Any = None,
) -> FloatArray:
    """Draw the logarithm of the norm at the output of random networks, exact in law.

    Parameters
    ----------
    gain : Gain or sequence of Gain
        Gain law of every layer, or one for each.
    sigma : float or sequence of float
        Scale of the weights of every layer, or one for each, > 0.
    depth : int or None
        Number of layers; None takes it from the sequences.
    n_samples : int
        Number of independent networks, >= 0.
    rng : None, int, SeedSequence, BitGenerator or Generator, optional
        Source of the 64-bit seed. Sample i is a function of the seed and i alone.
    method : {"norm", "vector", "matrix"}, optional
        What is drawn: one gain a layer by numerical inversion, at a cost that does not depend on
        the width; one normal number a unit; or every weight. The three agree in law. The next four
        options need "matrix".
    weights : str, StudentWeights or StableWeights, optional
        Law of the entries, which sigma multiplies: "gaussian", "uniform" on [-sqrt 3, sqrt 3],
        "truncated" (normal, cut at 2 standard deviations, rescaled to variance 1), "rademacher"
        (1 or -1), or one of the two laws with heavy tails.
    bias : float or sequence of float, optional
        Standard deviation of normal biases, of every layer or one for each, >= 0.
    x0 : array_like, shape (fan_in,), optional
        The input, not zero; its length is the number of inputs of the first layer. By default
        ones/sqrt(width) with the width of the first layer.
    dtype : {"float64", "float32"}, optional
        Precision of weights and signals; norms are summed in doubles.
    threads : int, optional
        Number of threads, every core by default. The result does not depend on it.
    executor : concurrent.futures.Executor, optional
        Computes the pieces instead of threads: a process pool, or the executor of Dask
        (``Client.get_executor()``), mpi4py or Ray. The result does not depend on it.
    progress : bool or callable, optional
        True shows a bar with the time left on stderr; a callable gets (done, total).
    checkpoint : path, optional
        File that keeps what is done, replaced every ten seconds and at the end. A call with the
        same arguments goes on where it stopped, to the same bits; with ``rng=None`` it takes the
        seed of the file.

    Returns
    -------
    ndarray of float, shape (n_samples,)
        log(|x_depth|/|x_0|), -inf where the signal died.

    Raises
    ------
    ValueError, TypeError
        For arguments outside these ranges.
    Interrupted
        On Ctrl-C (a KeyboardInterrupt); its ``partial`` holds the first samples.
    CheckpointError
        If the file is damaged or belongs to another run.

    Notes
    -----
    Gains drawn by inversion (method "norm") are the quantiles of 64-bit uniform numbers, relative
    error of the tail probability below 1e-11; the smallest and the largest of the 2^64 values are
    those of probability 2^-65 in either tail. The first call for a law builds its table, in about
    a tenth of a second.

    Explicit weights cost about a nanosecond each: use "matrix" for what only it can do. The law of
    |x_depth| depends on the direction of ``x0`` unless the weights are Gaussian. Orthogonal weights
    have the methods "norm" and "vector" only.

    Examples
    --------
    >>> import fracmoment as fm
    >>> gain = fm.Gain("relu", 64)
    >>> y = simulate_log_norms(gain, gain.scale(1.0), 100, 10_000, rng=1)
    >>> y.shape, bool(abs(np.exp(y).mean() - 1.0) < 0.1)  # the mean of the norm is preserved
    ((10000,), True)
    """
    _validation.choice("method", method, METHODS)
    options = {"weights": weights, "bias": bias, "x0": x0, "dtype": dtype}
    engine = engine_of(_layers.of(gain, sigma, depth), method, options)
    count = sample_count(n_samples)
    run = _Samples(engine, run_seed(rng, checkpoint))
    if executor is None:
        engine.prepare()
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


def summarize_log_norms(
    gain: Any,
    sigma: Any,
    depth: Any,
    n_samples: Any,
    *,
    orders: Any = (),
    rng: Any = None,
    method: str = "norm",
    weights: Any = "gaussian",
    bias: Any = 0.0,
    x0: Any = None,
    dtype: Any = "float64",
    threads: Any = None,
    executor: Any = None,
    progress: Any = None,
    checkpoint: Any = None,
) -> LogNormSummary:
    """Simulate as `simulate_log_norms` does, and keep a summary instead of the samples.

    Memory does not grow with the number of samples. The summary is the same to the bit for any
    threads, executor, or interruption.

    Parameters
    ----------
    gain, sigma, depth, n_samples
        As for `simulate_log_norms`.
    orders : sequence of float, optional
        Orders s of the moments E (|x_k|/|x_0|)^s to estimate, in the domain of every layer.
    rng, method, weights, bias, x0, dtype, threads, executor, progress, checkpoint
        As for `simulate_log_norms`.

    Returns
    -------
    LogNormSummary
        Mean, variance, higher moments, quantiles and histogram of the log-norm, the fraction of
        dead signals and the moments asked for, with standard errors.

    Notes
    -----
    Sums are centred with the exact mean, standard deviation and moments. Weights that are not
    normal, and biases, have none in closed form: there 32 networks of a seed of their own give
    rough values first, the same in every call.

    Raises
    ------
    ValueError, TypeError, Interrupted, CheckpointError
        As for `simulate_log_norms`.

    Examples
    --------
    >>> import fracmoment as fm
    >>> gain = fm.Gain("relu", 64)
    >>> summary = summarize_log_norms(gain, gain.scale(2), 100, 100_000, rng=3, orders=[2.0])
    >>> summary.mean.value < 0 < summary.quantile(0.99)  # outputs shrink though E|x|^2 does not
    True
    """
    _validation.choice("method", method, METHODS)
    network = _layers.of(gain, sigma, depth)
    options = {"weights": weights, "bias": bias, "x0": x0, "dtype": dtype}
    engine = engine_of(network, method, options)
    count = sample_count(n_samples)
    exponents = _orders(orders)
    normal = isinstance(weights, str) and weights == "gaussian" and not np.any(np.asarray(bias))
    plan = _exact_plan(network, exponents) if normal else _measured_plan(engine, exponents)
    run = _Summaries(engine, run_seed(rng, checkpoint), plan)
    if executor is None:
        engine.prepare()
    summary = LogNormSummary(plan)
    done = execute(
        run,
        count,
        summary,
        threads=threads,
        executor=executor,
        progress=progress,
        checkpoint=checkpoint,
    )
    if done < count:
        raise Interrupted(summary, done)
    return summary


def _orders(orders: Any) -> list[float]:
    values = np.atleast_1d(np.asarray(_validation.floats("orders", orders), dtype=np.float64))
    if values.ndim != 1:
        message = f"orders must be a sequence of numbers, got shape {values.shape}"
        raise ValueError(message)
    _validation.require("orders", values, values != 0.0, "different from 0")
    result: list[float] = values.tolist()
    return result


def _exact_plan(network: _layers.Layers, orders: list[float]) -> SummaryPlan:
    repeats = network.depth if network.alike else 1
    log_moments = [
        -order
        * repeats
        * math.fsum(
            math.log(gain.scale(order, given_alive=True)) - math.log(sigma)
            for gain, sigma in network.pairs()
        )
        for order in orders
    ]
    mean = repeats * math.fsum(math.log(s) + g.log_mean() for g, s in network.pairs())
    variance = repeats * math.fsum(g.log_var() for g, _ in network.pairs())
    return SummaryPlan(mean, math.sqrt(variance) or 1.0, tuple(orders), tuple(log_moments))


def _measured_plan(engine: Engine, orders: list[float]) -> SummaryPlan:
    """Return the plan with rough values: those of a normal law of the mean and variance seen."""
    y = engine.log_norms(_PLAN_SEED, 0, _PLAN_SAMPLES)
    alive = y[np.isfinite(y)]
    mean, spread = (float(alive.mean()), float(alive.std())) if alive.size else (0.0, 0.0)
    log_moments = [order * mean + 0.5 * (order * spread) ** 2 for order in orders]
    return SummaryPlan(mean, spread or 1.0, tuple(orders), tuple(log_moments), exact=False)
