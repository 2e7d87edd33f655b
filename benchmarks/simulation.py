"""Speed of the simulation: ``python -m benchmarks.simulation [WORD ...] [--json] [--threads N]``.

Every method's samples are compared with the exact mean and variance first (z-scores within 5).
Then time per variate, per layer-step or per network, and the ratio to ours, on one thread unless
--threads says otherwise.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import fracmoment as fm
from fracmoment import _core

from . import simulation_peers as peers
from .timing import machine, write_page

OURS = "fracmoment"
Method = Callable[[int], Any]  # a function of the number of samples


@dataclass(frozen=True)
class Case:
    """One task: methods that give samples of a law with known mean and variance."""

    name: str
    unit: str  # what one step is
    steps: int  # of one sample
    mean: float
    variance: float
    fourth: float  # central moment, for the error of the variance
    methods: dict[str, tuple[Method, int]]  # with the number of samples to time


def z_scores(case: Case, samples: Any) -> tuple[float, float]:
    x = np.asarray(samples, dtype=np.float64)
    x = x[np.isfinite(x)]
    n = x.size
    mean = (x.mean() - case.mean) / math.sqrt(case.variance / n)
    spread = math.sqrt((case.fourth - case.variance**2) / n)
    return float(mean), float((((x - case.mean) ** 2).mean() - case.variance) / spread)


def best_time(run: Method, n: int, threads: int) -> float:
    """Return the best of several runs in seconds, of at least a fifth of a second in all.

    On one thread it is processor time, which other work on the machine hardly changes.
    """
    clock = time.process_time if threads == 1 else time.perf_counter
    best, spent = math.inf, 0.0
    for _ in range(40):
        start = clock()
        run(n)
        taken = clock() - start
        best, spent = min(best, taken), spent + taken
        if spent > 0.2 and _ >= 2:
            break
    return best


def timed(methods: dict[str, Method], n: int) -> dict[str, tuple[Method, int]]:
    """Return methods with the number of samples to time."""
    return {name: (run, n) for name, run in methods.items()}


# ---------------------------------------------------------------- cases


def normal_cases() -> Iterator[Case]:
    rng = np.random.default_rng(1)
    n = 1 << 16
    wide = {
        OURS: (lambda k: _core.random_normals(1, 1, 0, k), n),
        "numpy standard_normal": (rng.standard_normal, n),
    }
    single = {
        OURS: (lambda k: _core.random_float_normals(1, 1, 0, k), n),
        "numpy standard_normal": (lambda k: rng.standard_normal(k, dtype=np.float32), n),
    }
    wide |= timed(peers.normals(single=False), n)
    single |= timed(peers.normals(single=True), n)
    yield Case("normal, float64", "variate", 1, 0.0, 1.0, 3.0, wide)
    yield Case("normal, float32", "variate", 1, 0.0, 1.0, 3.0, single)


def gamma_cases() -> Iterator[Case]:
    rng = np.random.default_rng(4)
    n = 1 << 18
    shapes = np.exp(rng.uniform(0.0, 6.0, n))
    # Moments of a gamma variate of a random one of the shapes: the sample has one of each, so that
    # its z-scores are smaller than normal ones.
    mean, square = shapes.mean(), (shapes**2 + shapes).mean()
    raw = [(shapes * (shapes + 1) * (shapes + 2)).mean()]
    raw.append((shapes * (shapes + 1) * (shapes + 2) * (shapes + 3)).mean())
    fourth = raw[1] - 4 * mean * raw[0] + 6 * mean**2 * square - 3 * mean**4
    methods = {
        OURS: (lambda k: fm.random_gamma(shapes[:k], rng=1, threads=1), n),
        "numpy standard_gamma": (lambda k: rng.standard_gamma(shapes[:k]), n),
        **timed(peers.gammas(shapes), n),
    }
    yield Case(
        "gamma, array of shapes", "variate", 1, mean, square - mean**2, fourth, dict(methods)
    )
    methods = {
        OURS: (lambda k: fm.random_chisquare(64, k, rng=1, threads=1), n),
        "numpy chisquare": (lambda k: rng.chisquare(64, k), n),
    }
    yield Case("chi-square 64", "variate", 1, 64.0, 128.0, 3 * 128.0**2 + 48 * 64, methods)


def binomial_cases() -> Iterator[Case]:
    rng = np.random.default_rng(5)
    n = 1 << 18
    for trials, p in [(64, 0.5), (64, 0.3), (1024, 0.5), (1024, 0.3), (20, 0.2), (10**12, 0.5)]:
        column, chances = np.full(n, trials), np.full(n, p)
        variance = trials * p * (1 - p)
        fourth = variance * (1 + 3 * variance * (1 - 2 / trials))
        methods: dict[str, tuple[Method, int]] = {
            OURS: (lambda k, t=trials, q=p: fm.random_binomial(t, q, k, rng=1, threads=1), n),
            "fracmoment, array": (
                lambda k, t=column, q=chances: fm.random_binomial(t[:k], q[:k], rng=1, threads=1),
                n,
            ),
            "numpy binomial": (lambda k, t=trials, q=p: rng.binomial(t, q, k), n),
            "numpy binomial, array": (
                lambda k, t=column, q=chances: rng.binomial(t[:k], q[:k]),
                n,
            ),
            **timed(peers.binomials(column, chances), n),
        }
        name = f"binomial {trials}, p = {p}"
        yield Case(name, "variate", 1, trials * p, variance, fourth, methods)


def gain_cases() -> Iterator[Case]:
    rng = np.random.default_rng(6)
    n = 1 << 18
    gain = fm.Gain("relu", 64)
    mean, square = gain.moment(1), gain.moment(2)
    fourth = gain.moment(4) - 4 * mean * gain.moment(3) + 6 * mean**2 * square - 3 * mean**4
    methods = {
        OURS: (lambda k: fm.random_gain(gain, k, rng=1, threads=1), n),
        "numpy binomial + gamma": (
            lambda k: np.sqrt(2.0 * rng.standard_gamma(0.5 * rng.binomial(64, 0.5, k))),
            n,
        ),
    }
    yield Case("gain, relu 64", "variate", 1, mean, square - mean**2, fourth, methods)


def numpy_norm_chain(width: int, sigma: float, depth: int) -> Method:
    """Return the same reduction in NumPy: a binomial number of live units, a chi-square."""
    rng = np.random.default_rng(2)

    def run(n: int) -> Any:
        alive = rng.binomial(width, 0.5, size=(depth, n))
        if width == 64:  # faster than the binomial sampler
            alive = np.bitwise_count(rng.integers(0, 2**64, (depth, n), dtype=np.uint64))
        squares = 2.0 * rng.standard_gamma(0.5 * alive)
        with np.errstate(divide="ignore"):
            return depth * math.log(sigma) + 0.5 * np.log(squares).sum(axis=0)

    return run


def numpy_matrices(
    width: int, sigma: float, depth: int, dtype: Any = np.float64, m: int = 1
) -> Method:
    """Return the direct way: a matrix of normals a layer, m inputs; the first's log-norm."""
    rng = np.random.default_rng(3)

    def run(n: int) -> Any:
        out = np.empty(n)
        for i in range(n):
            x = unit_inputs(width, m).T.astype(dtype)
            for _ in range(depth):
                x = np.maximum(sigma * (rng.standard_normal((width, width), dtype) @ x), 0.0)
            out[i] = math.log(np.linalg.norm(x[:, 0]))
        return out

    return run


def unit_inputs(width: int, m: int) -> Any:
    """Return m independent inputs of norm 1."""
    rows = np.eye(m, width) + 1.0 / width
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def ours(
    gain: fm.Gain, sigma: float, depth: int, method: str, threads: int, **options: Any
) -> Method:
    return lambda n: fm.simulate_log_norms(
        gain, sigma, depth, n, rng=1, method=method, threads=threads, **options
    )


def our_signals(
    gain: fm.Gain, sigma: float, depth: int, m: int, method: str, threads: int
) -> Method:
    """Return the log-norms of the first of m inputs that go through together."""
    inputs = unit_inputs(gain.width, m)

    def run(n: int) -> Any:
        signals = fm.simulate_signals(
            gain, sigma, depth, inputs, n, rng=1, method=method, threads=threads
        )
        return signals.log_norms[:, 0]

    return run


def chain_cases(threads: int) -> Iterator[Case]:
    laws = [("relu", 64), ("relu", 1024), ("relu", 10**6), ("leaky_relu", 64), ("rrelu", 64)]
    for name, width in laws:
        gain = fm.Gain(name, width)
        sigma, depth = gain.scale(1.0), 100
        variance = depth * gain.log_var()
        fourth = 3 * variance**2 + depth * gain.log_cumulant(4)
        methods = {OURS: (ours(gain, sigma, depth, "norm", threads), 1 << 18)}
        if name == "relu" and width < 10**6:
            methods["numpy binomial + gamma"] = (numpy_norm_chain(width, sigma, depth), 1 << 12)
            methods |= timed(peers.norm_chains(width, sigma, depth), 1 << 12)
        mean = depth * fm.drift(gain, sigma)
        yield Case(
            f"norm chain, {name} {width}", "layer-step", depth, mean, variance, fourth, methods
        )


def network_cases(threads: int) -> Iterator[Case]:
    gain = fm.Gain("relu", 64)
    sigma, depth = gain.scale(1.0), 100
    variance = depth * gain.log_var()
    fourth = 3 * variance**2 + depth * gain.log_cumulant(4)
    mean = depth * fm.drift(gain, sigma)
    chain = (gain, sigma, depth)
    name = "network of width 64 and depth 100"
    methods = {
        OURS: (ours(*chain, "norm", threads), 1 << 18),
        "fracmoment, vector": (ours(*chain, "vector", threads), 1 << 14),
        "numpy binomial + gamma": (numpy_norm_chain(64, sigma, depth), 1 << 12),
    }
    yield Case(name, "network", 1, mean, variance, fourth, methods)
    methods = {
        OURS: (ours(*chain, "matrix", threads), 256),
        "fracmoment, float32": (ours(*chain, "matrix", threads, dtype="float32"), 256),
        "numpy": (numpy_matrices(64, sigma, depth), 50),
        "numpy, float32": (numpy_matrices(64, sigma, depth, np.float32), 50),
        **timed(peers.matrices(64, sigma, depth), 50),
    }
    yield Case(f"{name}, explicit weights", "network", 1, mean, variance, fourth, methods)
    for m in (1, 2, 4, 8):
        methods = {
            OURS: (our_signals(*chain, m, "gram", threads), 1 << 10),
            "fracmoment, explicit weights": (our_signals(*chain, m, "matrix", threads), 256),
            "numpy, explicit weights": (numpy_matrices(64, sigma, depth, np.float64, m), 50),
        }
        yield Case(f"{name}, {m} signals", "network", 1, mean, variance, fourth, methods)


# ---------------------------------------------------------------- the command


def measure(case: Case, threads: int) -> dict[str, Any]:
    methods: dict[str, Any] = {}
    for name, (run, n) in case.methods.items():
        mean, variance = z_scores(case, run(n))
        spent = best_time(run, n, threads) / n / case.steps
        methods[name] = {"seconds": spent, "z of mean": mean, "z of variance": variance}
    base = methods[OURS]["seconds"]
    for entry in methods.values():
        entry["times ours"] = entry["seconds"] / base
    good = all(abs(methods[OURS][key]) < 5 for key in ("z of mean", "z of variance"))
    return {"case": case.name, "unit": case.unit, "methods": methods, "verified": good}


def print_case(result: dict[str, Any]) -> None:
    print(f"\n{result['case']}, a {result['unit']}" + ("" if result["verified"] else "   WRONG"))
    for name, entry in result["methods"].items():
        ratio = "" if name == OURS else f"{entry['times ours']:.3g} x"
        print(
            f"  {name:<28}{entry['seconds'] * 1e9:>12.4g} ns{ratio:>10}"
            f"   z {entry['z of mean']:+.1f}, {entry['z of variance']:+.1f}"
        )


def markdown(about: dict[str, Any], results: list[dict[str, Any]]) -> str:
    lines = [
        "",
        "Written by `python -m benchmarks.simulation --markdown docs/benchmarks.md`: the least",
        "processor time of many repetitions, and the ratio to ours. Every way's samples were",
        "compared with the exact mean and variance first.",
        "",
        "| machine | |",
        "| --- | --- |",
        *[f"| {key} | {value} |" for key, value in {**about, **peers.versions()}.items()],
        "",
        "| case | way | time | times ours |",
        "| --- | --- | --- | --- |",
    ]
    for result in results:
        title = f"{result['case']}, a {result['unit']}"
        for name, entry in result["methods"].items():
            ratio = "" if name == OURS else f"{entry['times ours']:.3g}"
            lines.append(f"| {title} | {name} | {entry['seconds'] * 1e9:.4g} ns | {ratio} |")
            title = ""
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulation", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="WORD", help="only cases that contain it")
    parser.add_argument("--threads", type=int, default=1, help="threads of our engines")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--markdown", metavar="FILE", help="write the page's part on simulation")
    options = parser.parse_args()
    results = []
    about = {**machine(), "threads": str(options.threads)}
    if not options.json:
        for key, value in about.items():
            print(f"{key:<14}{value}")
    samplers = [*normal_cases(), *gamma_cases(), *binomial_cases(), *gain_cases()]
    engines = [*chain_cases(options.threads), *network_cases(options.threads)]
    for case in [*samplers, *engines]:
        if options.words and not any(word in case.name for word in options.words):
            continue
        results.append(measure(case, options.threads))
        if not options.json:
            print_case(results[-1])
            sys.stdout.flush()
    if options.markdown:
        write_page(options.markdown, simulation=markdown(about, results))
    if options.json:
        print(json.dumps({"machine": about, "cases": results}, indent=1))
    return 0 if all(result["verified"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
