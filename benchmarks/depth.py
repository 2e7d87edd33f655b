"""Laws of whole networks: first values, next ones, quantiles, a far tail.

Tails are held against the references of 40 digits (tests/reference/depth_law.csv), as relative
errors. Beside them the same contour integral by hand, and what simulation would take for a
relative error of 1e-8: its time for a sample, times 10^16.
"""

from __future__ import annotations

import csv
import functools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import fracmoment as fm

from . import peers
from .case import OURS, Case, Check, Method
from .simulation import STANDARD_ERRORS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .timing import Effort

TABLE = Path(__file__).parent.parent / "tests" / "reference" / "depth_law.csv"
ALLOWED = 1e-8  # what is promised of tails
GOAL = 1e-8  # of a simulation


@dataclass(frozen=True)
class Deep:
    """A network of equal layers."""

    name: str
    activation: str
    width: int
    depth: int
    sigma: float

    def law(self) -> fm.DepthLaw:
        return fm.DepthLaw(fm.Gain(self.activation, self.width), self.sigma, self.depth)

    def steps(self) -> peers.Steps:
        return peers.Steps(self.activation, self.width, self.sigma, self.depth)

    def tails(self) -> list[tuple[float, bool, float]]:
        """Points, whether the tail is the upper one, and its true value."""
        with TABLE.open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["network"] == self.name]
        return [(float(row["y"]), row["upper"] == "1", float(row["tail"])) for row in rows]


NETWORKS = [
    Deep("linear64x10", "linear", 64, 10, 0.125),
    Deep("relu16x20", "relu", 16, 20, 0.35),
    Deep("relu8x1000", "relu", 8, 1000, 0.5),
    Deep("linear1e6x1e6", "linear", 10**6, 10**6, 0.001),
]


def tails_of(law: fm.DepthLaw, network: Deep) -> Any:
    return [float(law.sf(y) if upper else law.cdf(y)) for y, upper, _ in network.tails()]


def relative(truth: Callable[[], Any], allowed: float = ALLOWED) -> Check:
    exact = functools.cache(lambda: np.asarray(truth()))
    return Check("relative", lambda x: float(np.abs(x / exact() - 1.0).max()), allowed)


def simulated(network: Deep) -> Method:
    """Return a simulation to 1e-8; verified by the share of samples below the median."""
    gain, samples = fm.Gain(network.activation, network.width), min(100_000, 10**8 // network.depth)
    law = network.law()
    median = float(law.ppf(0.5))

    def run() -> Any:
        return fm.simulate_log_norms(gain, network.sigma, network.depth, samples, rng=1, threads=1)

    def z(x: Any) -> float:
        alive = x[np.isfinite(x)]
        share = float((alive <= median).mean())
        return abs(share - float(law.cdf(median))) / math.sqrt(0.25 / alive.size)

    return Method(run, samples * GOAL**2, check=Check("z", z, STANDARD_ERRORS))


def first_case(network: Deep) -> Case:
    return Case(
        f"law {network.name}, first value",
        "law",
        relative(lambda: [tail for *_, tail in network.tails()]),
        {
            OURS: Method(
                lambda: network.law().cdf(0.0), answer=lambda: tails_of(network.law(), network)
            )
        },
        lambda: {"simulation to 1e-8, extrapolated": simulated(network)},
    )


def next_case(network: Deep, count: int) -> Case:
    law = network.law()
    y = law.mean() + law.std() * np.linspace(-3, 3, count)
    middle = [(y, upper, tail) for y, upper, tail in network.tails() if upper and tail > 1e-3]

    def others() -> dict[str, Method]:
        if network.width > 1000:
            return {}
        steps, check = network.steps(), relative(lambda: [tail for *_, tail in middle])
        return {
            "SciPy contour": Method(
                lambda: [steps.by_numpy(y, upper) for y, upper, _ in middle],
                len(middle),
                check=check,
            ),
            "mpmath contour, 20 digits": Method(
                lambda: [steps.by_mpmath(y, upper) for y, upper, _ in middle],
                len(middle),
                check=check,
            ),
        }

    return Case(
        f"law {network.name}, next values",
        "value",
        relative(lambda: [tail for *_, tail in network.tails()]),
        {OURS: Method(lambda: law.cdf(y), count, answer=lambda: tails_of(law, network))},
        others,
    )


def quantile_case(network: Deep, count: int) -> Case:
    law = network.law()
    levels = np.linspace(0.001, 0.999, count)
    check = Check("relative", lambda y: float(np.abs(law.cdf(y) / levels - 1.0).max()), ALLOWED)
    return Case(
        f"law {network.name}, quantiles",
        "quantile",
        check,
        {OURS: Method(lambda: law.ppf(levels), count)},
    )


def far_case() -> Case:
    """A tail so far out that the law is summed on a lattice."""
    network, y = NETWORKS[1], -200.0
    by_hand = network.steps().by_numpy
    return Case(
        f"law {network.name}, first value below 1e-60",
        "law",
        relative(lambda: by_hand(y, False)),
        {OURS: Method(lambda: network.law().cdf(y))},
        lambda: {"SciPy contour": Method(lambda: by_hand(y, False))},
    )


def cases(effort: Effort) -> Iterator[Case]:
    for network in NETWORKS:
        yield first_case(network)
        yield next_case(network, 1000)
        yield quantile_case(network, 20 if effort.quick else 100)
    yield far_case()
