"""Samplers and networks beside NumPy, mkl_random, PyTorch, Numba and JAX.

Samples are held against the exact mean and variance: the error is the larger of the two distances
in standard errors. On one thread unless more are asked for; the others always use one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import fracmoment as fm

from . import random_peers as peers
from .case import OURS, Case, Check, Method

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .timing import Effort

Sampler = Callable[[int], Any]  # a function of the number of samples
STANDARD_ERRORS = 5.0
FEWEST = 64  # samples that are verified


@dataclass(frozen=True)
class Law:
    """Mean, variance and fourth central moment, which gives the error of the variance."""

    mean: float
    variance: float
    fourth: float

    def z(self, samples: Any) -> float:
        x = np.asarray(samples, dtype=np.float64)
        x = x[np.isfinite(x)] - self.mean
        mean = x.mean() / math.sqrt(self.variance / x.size)
        spread = math.sqrt((self.fourth - self.variance**2) / x.size)
        return float(max(abs(mean), abs((x * x).mean() - self.variance) / spread))

    def check(self) -> Check:
        return Check("z", self.z, STANDARD_ERRORS)


def method(sampler: Sampler, n: int, steps: int = 1) -> Method:
    """Return a method of n samples of so many units each."""
    answer = None if n >= FEWEST else lambda: sampler(FEWEST)
    return Method(lambda: sampler(n), n * steps, answer)


def methods(samplers: dict[str, Sampler], n: int, steps: int = 1) -> dict[str, Method]:
    return {name: method(sampler, n, steps) for name, sampler in samplers.items()}


# ---------------------------------------------------------------- samplers


def normal_case(n: int, effort: Effort, *, single: bool) -> Case:
    kind: Any = np.float32 if single else np.float64
    rng = np.random.default_rng(1)

    def ours(k: int) -> Any:
        return fm.random_normal(k, dtype=kind, rng=1, threads=effort.threads)

    return Case(
        f"normal, {'float32' if single else 'float64'}",
        "variate",
        Law(0.0, 1.0, 3.0).check(),
        {OURS: method(ours, n)},
        lambda: methods(
            {
                "numpy standard_normal": lambda k: rng.standard_normal(k, dtype=kind),
                **peers.normals(single=single),
            },
            n,
        ),
    )


def gamma_case(n: int, effort: Effort) -> Case:
    """An array of shapes, from 1 to e^6."""
    rng = np.random.default_rng(4)
    shapes = np.exp(rng.uniform(0.0, 6.0, max(n, FEWEST)))
    # Moments of a gamma variate of a random one of the shapes: the sample has one of each, so that
    # its z-scores are smaller than normal ones.
    mean, square = shapes.mean(), (shapes**2 + shapes).mean()
    raw = [(shapes * (shapes + 1) * (shapes + 2)).mean()]
    raw.append((shapes * (shapes + 1) * (shapes + 2) * (shapes + 3)).mean())
    fourth = raw[1] - 4 * mean * raw[0] + 6 * mean**2 * square - 3 * mean**4

    def ours(k: int) -> Any:
        return fm.random_gamma(shapes[:k], rng=1, threads=effort.threads)

    return Case(
        "gamma, array of shapes",
        "variate",
        Law(mean, square - mean**2, fourth).check(),
        {OURS: method(ours, n)},
        lambda: methods(
            {
                "numpy standard_gamma": lambda k: rng.standard_gamma(shapes[:k]),
                **peers.gammas(shapes),
            },
            n,
        ),
    )


def chisquare_case(n: int, effort: Effort) -> Case:
    rng = np.random.default_rng(4)

    def ours(k: int) -> Any:
        return fm.random_chisquare(64, k, rng=1, threads=effort.threads)

    return Case(
        "chi-square 64",
        "variate",
        Law(64.0, 128.0, 3 * 128.0**2 + 48 * 64).check(),
        {OURS: method(ours, n)},
        lambda: methods({"numpy chisquare": lambda k: rng.chisquare(64, k)}, n),
    )


def binomial_case(trials: int, p: float, n: int, effort: Effort) -> Case:
    """One law, and arrays of the same parameters in each element."""
    rng = np.random.default_rng(5)
    column, chances = np.full(max(n, FEWEST), trials), np.full(max(n, FEWEST), p)
    variance = trials * p * (1 - p)

    def one_law(k: int) -> Any:
        return fm.random_binomial(trials, p, k, rng=1, threads=effort.threads)

    def array(k: int) -> Any:
        return fm.random_binomial(column[:k], chances[:k], rng=1, threads=effort.threads)

    return Case(
        f"binomial {trials}, p = {p}",
        "variate",
        Law(trials * p, variance, variance * (1 + 3 * variance * (1 - 2 / trials))).check(),
        methods({OURS: one_law, "fracmoment, array": array}, n),
        lambda: methods(
            {
                "numpy binomial": lambda k: rng.binomial(trials, p, k),
                "numpy binomial, array": lambda k: rng.binomial(column[:k], chances[:k]),
                **peers.binomials(column, chances),
            },
            n,
        ),
    )


def gain_case(n: int, effort: Effort) -> Case:
    rng = np.random.default_rng(6)
    gain = fm.Gain("relu", 64)
    mean, square = gain.moment(1), gain.moment(2)
    fourth = gain.moment(4) - 4 * mean * gain.moment(3) + 6 * mean**2 * square - 3 * mean**4

    def ours(k: int) -> Any:
        return fm.random_gain(gain, k, rng=1, threads=effort.threads)

    def numpy_gain(k: int) -> Any:
        return np.sqrt(2.0 * rng.standard_gamma(0.5 * rng.binomial(64, 0.5, k)))

    return Case(
        "gain, relu 64",
        "variate",
        Law(mean, square - mean**2, fourth).check(),
        {OURS: method(ours, n)},
        lambda: methods({"numpy binomial + gamma": numpy_gain}, n),
    )


# ---------------------------------------------------------------- networks


@dataclass(frozen=True)
class Chain:
    """Log-norms of a network of equal layers that preserves the mean norm, and their law."""

    activation: str
    width: int
    depth: int

    @property
    def gain(self) -> fm.Gain:
        return fm.Gain(self.activation, self.width)

    @property
    def sigma(self) -> float:
        return float(self.gain.scale(1.0))

    def law(self) -> Law:
        variance = self.depth * self.gain.log_var()
        fourth = 3 * variance**2 + self.depth * self.gain.log_cumulant(4)
        return Law(self.depth * fm.drift(self.gain, self.sigma), variance, fourth)

    def ours(self, engine: str, threads: int, **options: Any) -> Sampler:
        gain, sigma = self.gain, self.sigma
        return lambda n: fm.simulate_log_norms(
            gain, sigma, self.depth, n, rng=1, method=engine, threads=threads, **options
        )

    def our_signals(self, m: int, engine: str, threads: int) -> Sampler:
        """Return the log-norms of the first of m inputs that go through together."""
        inputs = unit_inputs(self.width, m)
        gain, sigma = self.gain, self.sigma

        def run(n: int) -> Any:
            signals = fm.simulate_signals(
                gain, sigma, self.depth, inputs, n, rng=1, method=engine, threads=threads
            )
            return signals.log_norms[:, 0]

        return run

    def numpy_norms(self) -> Sampler:
        """Return the same reduction in NumPy: a binomial number of live units, a chi-square."""
        rng = np.random.default_rng(2)
        width, depth, shift = self.width, self.depth, self.depth * math.log(self.sigma)

        def run(n: int) -> Any:
            if width == 64:  # faster than the binomial sampler
                alive = np.bitwise_count(rng.integers(0, 2**64, (depth, n), dtype=np.uint64))
            else:
                alive = rng.binomial(width, 0.5, size=(depth, n))
            squares = 2.0 * rng.standard_gamma(0.5 * alive)
            with np.errstate(divide="ignore"):
                return shift + 0.5 * np.log(squares).sum(axis=0)

        return run

    def numpy_matrices(self, dtype: Any = np.float64, m: int = 1) -> Sampler:
        """Return the direct way: a matrix of normals a layer, m inputs; the first's log-norm."""
        rng = np.random.default_rng(3)
        width, sigma = self.width, self.sigma

        def run(n: int) -> Any:
            out = np.empty(n)
            for i in range(n):
                x = unit_inputs(width, m).T.astype(dtype)
                for _ in range(self.depth):
                    x = np.maximum(sigma * (rng.standard_normal((width, width), dtype) @ x), 0.0)
                out[i] = math.log(np.linalg.norm(x[:, 0]))
            return out

        return run


def unit_inputs(width: int, m: int) -> Any:
    """Return m independent inputs of norm 1."""
    rows = np.eye(m, width) + 1.0 / width
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def chain_case(activation: str, width: int, n: int, effort: Effort) -> Case:
    """The norm alone, a number a layer."""
    chain = Chain(activation, width, 100)

    def others() -> dict[str, Method]:
        if activation != "relu":
            return {}
        samplers = {
            NUMPY_NORMS: chain.numpy_norms(),
            **peers.norm_chains(width, chain.sigma, chain.depth),
        }
        return methods(samplers, 1 << 12, chain.depth)

    return Case(
        f"norm chain, {activation} {width}",
        "layer-step",
        chain.law().check(),
        {OURS: method(chain.ours("norm", effort.threads), n, chain.depth)},
        others,
    )


NETWORK = Chain("relu", 64, 100)  # that of the paper's second figure
NUMPY_NORMS = "numpy, the same reduction"
TITLE = "network of width 64 and depth 100"


def network_case(n: int, effort: Effort) -> Case:
    return Case(
        TITLE,
        "network",
        NETWORK.law().check(),
        {
            OURS: method(NETWORK.ours("norm", effort.threads), n),
            "fracmoment, vector": vector_method(max(n >> 4, 1), effort),
        },
        lambda: {NUMPY_NORMS: method(NETWORK.numpy_norms(), 1 << 12)},
    )


def vector_method(n: int, effort: Effort) -> Method:
    return method(NETWORK.ours("vector", effort.threads), n)


def matrix_method(n: int, effort: Effort, dtype: str) -> Method:
    return method(NETWORK.ours("matrix", effort.threads, dtype=dtype), n)


def matrix_case(n: int, effort: Effort) -> Case:
    return Case(
        f"{TITLE}, explicit weights",
        "network",
        NETWORK.law().check(),
        {
            OURS: matrix_method(n, effort, "float64"),
            "fracmoment, float32": matrix_method(n, effort, "float32"),
        },
        lambda: methods(
            {
                "numpy": NETWORK.numpy_matrices(),
                "numpy, float32": NETWORK.numpy_matrices(np.float32),
                **peers.matrices(64, NETWORK.sigma, NETWORK.depth),
            },
            FEWEST,
        ),
    )


def signals_case(m: int, n: int, effort: Effort) -> Case:
    return Case(
        f"{TITLE}, {m} signals",
        "network",
        NETWORK.law().check(),
        {
            OURS: method(NETWORK.our_signals(m, "gram", effort.threads), n),
            "fracmoment, explicit weights": method(
                NETWORK.our_signals(m, "matrix", effort.threads), max(n >> 3, 1)
            ),
        },
        lambda: {"numpy, explicit weights": method(NETWORK.numpy_matrices(m=m), FEWEST)},
    )


BINOMIALS = [(64, 0.5), (64, 0.3), (1024, 0.5), (1024, 0.3), (20, 0.2), (10**12, 0.5)]
CHAINS = [("relu", 64), ("relu", 1024), ("leaky_relu", 64), ("rrelu", 64)]


def cases(effort: Effort) -> Iterator[Case]:
    many = 1 << (15 if effort.quick else 18)
    yield normal_case(1 << 18, effort, single=False)
    yield normal_case(1 << 18, effort, single=True)
    yield gamma_case(many, effort)
    yield chisquare_case(many, effort)
    yield from (binomial_case(trials, p, many, effort) for trials, p in BINOMIALS)
    yield gain_case(many, effort)
    yield from (chain_case(name, width, many, effort) for name, width in CHAINS)
    yield network_case(many, effort)
    yield matrix_case(256, effort)
    yield from (signals_case(m, 1 << 10, effort) for m in (1, 2, 4, 8))
