"""Time of the laws at finite depth: ``python -m benchmarks.depth``.

Every value is compared with the table of 40-digit references first (tests/reference/depth_law.csv).
Processor time: of setting up a law with its first value, of the next values, of a first far tail,
and of quantiles. Beside it mpmath inverting the same transform, and what a Monte Carlo estimate of
the same relative accuracy (1e-8) would take at the measured cost of a sample.
"""

from __future__ import annotations

import csv
import math
import pathlib
import sys
import time
from typing import Any

import mpmath
import numpy as np

import fracmoment as fm

from .timing import machine, seconds

TABLE = pathlib.Path(__file__).parent.parent / "tests" / "reference" / "depth_law.csv"
LAWS: dict[str, tuple[str, int, int, float]] = {
    "linear64x10": ("linear", 64, 10, 0.125),
    "relu16x20": ("relu", 16, 20, 0.35),
    "relu8x1000": ("relu", 8, 1000, 0.5),
    "linear1e6x1e6": ("linear", 10**6, 10**6, 0.001),
}


def rows(name: str) -> list[dict[str, str]]:
    with TABLE.open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["network"] == name]


def worst_error(law: fm.DepthLaw, name: str) -> float:
    """The largest relative error of tails."""
    worst = 0.0
    for row in rows(name):
        y, tail = float(row["y"]), float(row["tail"])
        found = law.sf(y) if row["upper"] == "1" else law.cdf(y)
        worst = max(worst, abs(float(found) / tail - 1.0))
    return worst


def processor_time(run: Any) -> float:
    begin = time.process_time()
    run()
    return time.process_time() - begin


def by_mpmath(width: int, depth: int, sigma: float, y: float) -> float:
    """P(Y > y) of a linear network, along a vertical line at order 4."""
    with mpmath.workdps(20):
        half = mpmath.mpf(width) / 2

        def integrand(t: Any) -> Any:
            z = mpmath.mpc(4, t)
            log_moment = z / 2 * mpmath.log(2) + mpmath.loggamma(half + z / 2)
            log_moment -= mpmath.loggamma(half)
            exponent = depth * (log_moment + z * mpmath.log(sigma)) - z * y
            return (mpmath.exp(exponent) / z).real

        return float(mpmath.quad(integrand, [0, 5, 10, 20, 40, 80]) / mpmath.pi)


def measured(name: str) -> bool:
    """Print the line of one law, and return whether its values are right."""
    activation, width, depth, sigma = LAWS[name]
    gain = fm.Gain(activation, width)
    law = fm.DepthLaw(gain, sigma, depth)
    error = worst_error(law, name)
    first = min(
        processor_time(lambda: fm.DepthLaw(fm.Gain(activation, width), sigma, depth).cdf(0.0))
        for _ in range(5)
    )
    y = law.mean() + law.std() * np.linspace(-3, 3, 1000)
    levels = law.cdf(y[::10])
    after = seconds(lambda: law.cdf(y), 0.5) / len(y)
    quantile = seconds(lambda: law.ppf(levels), 0.5) / len(levels)
    samples = 2000 if depth > 10**5 else 100_000
    cost = processor_time(
        lambda: fm.simulate_log_norms(gain, sigma, depth, samples, rng=1, threads=1)
    )
    days = cost / samples * 1e16 / 86400
    print(
        f"{name:<16}{error:>12.1e}{first * 1e3:>11.2f} ms{after * 1e6:>7.2f} us"
        f"{quantile * 1e6:>8.1f} us{days:>17.0f} days"
    )
    sys.stdout.flush()
    return error < 1e-8


def main() -> int:
    for key, value in machine().items():
        print(f"{key:<14}{value}")
    print(
        f"\n{'law':<16}{'worst error':>12}{'first value':>14}{'next':>10}{'quantile':>11}"
        f"{'1e-8 by Monte Carlo':>22}"
    )
    results = [measured(name) for name in LAWS]  # every line, also after a wrong one
    good = all(results)
    width, depth, sigma = 64, 10, 0.125
    law = fm.DepthLaw(fm.Gain("linear", width), sigma, depth)
    y = law.mean() + 2 * law.std()
    peer = by_mpmath(width, depth, sigma, y)
    cost = processor_time(lambda: by_mpmath(width, depth, sigma, y))
    print(
        f"\nmpmath, one value of linear64x10: {cost * 1e3:.0f} ms,"
        f" relative difference {abs(peer / float(law.sf(y)) - 1):.1e}"
    )
    far = processor_time(lambda: fm.DepthLaw(fm.Gain("relu", 16), 0.35, 20).cdf(-200.0))
    print(f"first value below 1e-60 of relu16x20, by sums on a lattice: {far * 1e3:.0f} ms")
    return 0 if good and math.isfinite(peer) else 1


if __name__ == "__main__":
    sys.exit(main())
