"""Speed of the laws of signals: ``python -m benchmarks.signals``.

Every law is checked before it is timed: its error estimate must be below 1e-10 and 100,000 forward
simulations must have a Kolmogorov-Smirnov p-value above 1e-6. "Monte Carlo at 1e-8" is what forward
simulation of this speed would take for a standard error of 1e-8 of a probability of 1/2.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

import fracmoment as fm

from .timing import machine, seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fracmoment.signals import NormLaw

SAMPLES = 100_000
GOAL = 1e-8


@dataclass(frozen=True)
class Case:
    """One law, and how to simulate it."""

    name: str
    make: Callable[[], fm.Signals | fm.StationarySignals]
    simulate: Callable[[int], np.ndarray]  # norms


def cases() -> Iterator[Case]:
    """Yield the laws."""
    for name, width, depth, bias in (
        ("ReLU, width 16, depth 20", 16, 20, 0.1),
        ("ReLU, width 64, depth 100", 64, 100, 0.1),
        ("ReLU, width 1024, depth 100", 1024, 100, 0.01),
    ):
        gain = fm.Gain("relu", width)
        arguments = gain, gain.scale(2), depth
        yield Case(
            name,
            lambda a=arguments, b=bias: fm.Signals(*a, bias=b),
            lambda n, a=arguments, b=bias: fm.Signals(*a, bias=b).rvs(n, 1),
        )
    gain = fm.Gain("relu", 64)
    yield Case(
        "ReLU, width 64, stationary",
        lambda: fm.StationarySignals(gain, gain.scale(2), 0.1),
        lambda n: np.exp(fm.simulate_stationary_norms(gain, gain.scale(2), 0.1, n, rng=1)),
    )


def p_value(law: NormLaw, norms: np.ndarray) -> float:
    """Return that of the norms that are not 0."""
    alive = norms[norms > 0]
    return float(stats.kstest(alive, lambda r: law.cdf(r, given_alive=True)).pvalue)


def main() -> int:
    """Check and time every law; return 1 if a check fails."""
    for key, value in machine().items():
        print(f"{key}: {value}")
    failed = False
    heads = f"{'build':>9} {'10^4 cdf':>9} {'estimate':>9} {'p':>6}"
    print(f"\n{'law':28} {heads}  Monte Carlo at 1e-8")
    for case in cases():
        law = case.make()
        law.cdf(1.0)  # gains are tabulated once
        error, p = law.error_estimate(), p_value(law, case.simulate(SAMPLES))
        failed |= error > 1e-10 or p < 1e-6
        r = law.ppf(np.linspace(0.01, 0.99, 10_000))
        build = seconds(lambda case=case: case.make().cdf(1.0))
        many = seconds(lambda law=law, r=r: law.cdf(r))
        sample = seconds(lambda case=case: case.simulate(SAMPLES)) / SAMPLES
        days = sample * 0.25 / GOAL**2 / 86_400
        print(
            f"{case.name:28} {build * 1e3:6.0f} ms {many * 1e3:6.2f} ms {error:9.0e} {p:6.2f} "
            f"{math.ceil(days):15,} days"
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
