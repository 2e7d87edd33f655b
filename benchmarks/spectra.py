"""Speed of spectra of random products: ``python -m benchmarks.spectra [WORD ...]``.

Each method's samples are compared with an exact mean first (z-score within 5), then timed in
processor time, on one thread (set OMP_NUM_THREADS=1 and the like for the peers). The statistic is
log |det| for linear products and the squared Frobenius norm for masked ones.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import fracmoment as fm

from .simulation import OURS
from .timing import machine, seconds

WIDTH, SIGMA = 64, 0.15
Method = Callable[[int], Any]  # the samples of so many replicas


@dataclass(frozen=True)
class Case:
    """One task: methods whose samples have a statistic of known mean."""

    name: str
    unit: str
    steps: int  # of one replica
    statistic: Method
    mean: float
    methods: dict[str, tuple[Method, int]]  # with the number of replicas to time


def numpy_chi(depth: int) -> Method:
    """Return the diagonal of R by its law: chi variates as roots of gamma variates."""
    rng = np.random.default_rng(1)
    shapes = 0.5 * np.arange(WIDTH, 0, -1)

    def run(n: int) -> Any:
        squares = 2.0 * rng.standard_gamma(shapes, (n, depth, WIDTH))
        return (math.log(SIGMA) * depth + 0.5 * np.log(squares).sum(axis=1)) / depth

    return run


def numpy_qr(depth: int) -> Method:
    """Return the QR chain with LAPACK."""
    rng = np.random.default_rng(2)

    def run(n: int) -> Any:
        out = np.zeros((n, WIDTH))
        for i in range(n):
            q = np.eye(WIDTH)
            for _ in range(depth):
                q, r = np.linalg.qr(SIGMA * rng.standard_normal((WIDTH, WIDTH)) @ q)
                out[i] += np.log(abs(np.diag(r)))
        return out / depth

    return run


def numpy_svd(depth: int, masked: bool) -> Method:
    """Return the singular values of the product itself."""
    rng = np.random.default_rng(3)

    def run(n: int) -> Any:
        out = np.empty((n, WIDTH))
        for i in range(n):
            product = np.eye(WIDTH)
            for _ in range(depth):
                w = SIGMA * rng.standard_normal((WIDTH, WIDTH))
                if masked:
                    w *= rng.integers(0, 2, (WIDTH, 1))
                product = w @ product
            out[i] = np.log(np.linalg.svd(product, compute_uv=False) + 1e-320)
        return out

    return run


def lyapunov(depth: int, method: str) -> Method:
    return lambda n: fm.simulate_lyapunov_spectrum(
        WIDTH, SIGMA, depth, n, rng=1, method=method, threads=1
    )


def jacobian(depth: int, activation: str, method: str, masks: str) -> Method:
    return lambda n: fm.simulate_jacobian(
        WIDTH, SIGMA, depth, n, rng=1, activation=activation, method=method, masks=masks, threads=1
    )


def every_case() -> Iterator[Case]:
    depth = 100
    yield Case(
        "Lyapunov spectrum, linear 64 x 64",
        "QR step",
        depth,
        lambda x: x.sum(axis=1),
        float(fm.lyapunov_spectrum(WIDTH, SIGMA).sum()),
        {
            OURS: (lyapunov(depth, "chi"), 1 << 11),
            "fracmoment, qr": (lyapunov(depth, "qr"), 16),
            "numpy gamma variates": (numpy_chi(depth), 64),
            "numpy, LAPACK qr": (numpy_qr(depth), 2),
        },
    )
    depth = 20
    for activation, half in (("linear", 1.0), ("relu", 0.5)):
        methods = {
            OURS: (jacobian(depth, activation, "chi", "independent"), 64),
            "fracmoment, qr": (jacobian(depth, activation, "qr", "independent"), 64),
            "fracmoment, qr, forward": (jacobian(depth, activation, "qr", "forward"), 64),
            "numpy, LAPACK svd": (numpy_svd(depth, activation == "relu"), 8),
        }
        linear = activation == "linear"
        if linear:  # LAPACK's smallest are rounding noise: its log |det| is wrong
            mean = depth * float(fm.lyapunov_spectrum(WIDTH, SIGMA).sum())
        else:
            mean = WIDTH * (SIGMA**2 * WIDTH * half) ** depth
        yield Case(
            f"Jacobian of {depth} {activation} layers of 64 x 64",
            "replica",
            1,
            (lambda x: x.sum(axis=1)) if linear else (lambda x: np.exp(2 * x).sum(axis=1)),
            mean,
            methods,
        )


def z_score(case: Case, samples: Any) -> float:
    x = case.statistic(samples)
    return float((x.mean() - case.mean) / (x.std() / math.sqrt(len(x))))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.spectra", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="WORD", help="only cases that contain it")
    options = parser.parse_args()
    for key, value in machine().items():
        print(f"{key:<14}{value}")
    good = True
    for case in every_case():
        if options.words and not any(word in case.name for word in options.words):
            continue
        print(f"\n{case.name}, a {case.unit}")
        base = math.nan
        for name, (run, n) in case.methods.items():
            z = z_score(case, run(max(n, 64)))
            spent = seconds(lambda run=run, n=n: run(n), 1.0) / n / case.steps
            base = spent if name == OURS else base
            good &= abs(z) < 5 or not name.startswith(OURS)
            wrong = "" if abs(z) < 5 else "   WRONG"
            print(f"  {name:<26}{spent * 1e6:>10.4g} us{spent / base:>9.3g} x   z {z:+.1f}{wrong}")
            sys.stdout.flush()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
