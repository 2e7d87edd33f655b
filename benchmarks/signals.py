"""Laws of the norms of signals with biases, and their stationary law.

Our error is the law's own estimate, from a finer lattice. Forward simulation is held against the
law by Kolmogorov and Smirnov's test, its p-value turned into standard errors; what it would take
for a standard error of 1e-8 of a probability of 1/2 is extrapolated.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

import fracmoment as fm

from .case import OURS, Case, Check, Method
from .simulation import STANDARD_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fracmoment.signals import NormLaw

    from .timing import Effort

SAMPLES = 100_000  # a tenth when in a hurry
GOAL = 1e-8
ALLOWED = 1e-10  # of the estimated error


def law_cases(
    name: str,
    make: Callable[[], NormLaw],
    simulate: Callable[[int], Any],
    count: int,
    effort: Effort,
) -> Iterator[Case]:
    law = functools.cache(make)
    samples = effort.checked(SAMPLES)
    radii = functools.cache(lambda: law().ppf(np.linspace(0.01, 0.99, count)))
    estimate = Check("absolute", lambda _: law().error_estimate(), ALLOWED)

    def z(norms: Any) -> float:
        alive = norms[norms > 0]
        p = stats.kstest(alive, lambda r: law().cdf(r, given_alive=True)).pvalue
        return float(stats.norm.isf(p / 2))

    yield Case(
        f"signals, {name}, first value",
        "law",
        estimate,
        {OURS: Method(lambda: make().cdf(1.0), answer=law)},
    )
    yield Case(
        f"signals, {name}, next values",
        "value",
        estimate,
        {
            OURS: Method(lambda: law().cdf(radii()), count),
            "fracmoment, simulation to 1e-8, extrapolated": Method(
                lambda: simulate(samples),
                samples * GOAL**2 / 0.25,
                check=Check("z", z, STANDARD_ERRORS),
            ),
        },
    )


def layers_case(width: int, depth: int, bias: float, count: int, effort: Effort) -> Iterator[Case]:
    gain = fm.Gain("relu", width)
    sigma = float(gain.scale(2))
    return law_cases(
        f"ReLU, width {width}, depth {depth}",
        lambda: fm.Signals(gain, sigma, depth, bias=bias),
        lambda n: fm.Signals(gain, sigma, depth, bias=bias).rvs(n, 1),
        count,
        effort,
    )


def stationary_case(width: int, bias: float, count: int, effort: Effort) -> Iterator[Case]:
    gain = fm.Gain("relu", width)
    sigma = float(gain.scale(2))
    return law_cases(
        f"ReLU, width {width}, stationary",
        lambda: fm.StationarySignals(gain, sigma, bias),
        lambda n: np.exp(fm.simulate_stationary_norms(gain, sigma, bias, n, rng=1, threads=1)),
        count,
        effort,
    )


def cases(effort: Effort) -> Iterator[Case]:
    for width, depth, bias in ((16, 20, 0.1), (64, 100, 0.1), (1024, 100, 0.01)):
        yield from layers_case(width, depth, bias, 10_000, effort)
    yield from stationary_case(64, 0.1, 10_000, effort)
