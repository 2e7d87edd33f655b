"""Curves: time and error against the width, the digits, the depth and the threads.

Every point is a case like any other.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

import fracmoment as fm

from . import core, peers
from .case import OURS, Case, Check, Method, Point
from .depth import Deep, relative
from .simulation import NUMPY_NORMS, Chain, method

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .timing import Effort

WIDTHS = (16, 256, 4096, 65_536, 10**6)


def at(case: Case, series: str, axis: str, value: float) -> Case:
    return replace(case, point=Point(series, axis, value))


# ---------------------------------------------------------------- width


def moments_of_width(name: str, width: int, effort: Effort) -> Case:
    activation = core.LAWS[name]
    lower, upper = activation.slopes
    case = core.moments_case(
        f"{name} moments, width {width:,}, array of orders",
        fm.Gain(activation, width),
        core.COUNT,
        effort,
        checked=50,
    )
    orders = np.random.default_rng(2).uniform(0.05, 1.95, core.COUNT)

    def others() -> dict[str, Method]:
        few = orders[: 1 if name == "randomized" else 20]
        methods = {
            "NumPy trapezoid": Method(
                lambda: peers.laplace_trapezoid(width, lower, upper)(orders), core.COUNT
            ),
            "scipy.integrate.quad": Method(
                lambda: peers.laplace_quad(width, lower, upper, few), len(few)
            ),
        }
        if name == "relu":
            some = orders[: 20 if width < 10**5 else 2]
            methods["SciPy gammaln sum"] = Method(
                lambda: peers.relu_gammaln_sum(width, some), len(some)
            )
        if name == "leaky" and width < 200:
            methods["SciPy hyp2f1 sum"] = Method(
                lambda: peers.leaky_hyp2f1_sum(width, lower, few), len(few)
            )
        return methods

    return at(replace(case, peers=others), f"{name} moments", "width", width)


def layers_of_width(width: int, effort: Effort) -> Case:
    """A layer-step of every engine, while it takes less than a second."""
    chain = Chain("relu", width, 20)
    ours = {OURS: method(chain.ours("norm", effort.threads), 1 << 15, chain.depth)}
    if width <= 4096:
        ours["fracmoment, vector"] = method(
            chain.ours("vector", effort.threads), max(64, (1 << 17) // width), chain.depth
        )
    direct = max(1, 4096 // width)
    if width <= 1024:
        matrices = method(chain.ours("matrix", effort.threads), direct, chain.depth)
        ours["fracmoment, explicit weights"] = replace(matrices, answer=None)

    def others() -> dict[str, Method]:
        methods = {NUMPY_NORMS: method(chain.numpy_norms(), 1 << 12, chain.depth)}
        if width <= 1024:
            numbers = method(chain.numpy_matrices(), max(1, direct >> 2), chain.depth)
            methods["numpy, explicit weights"] = replace(numbers, answer=None)
        return methods

    case = Case(f"layers of width {width:,}", "layer-step", chain.law().check(), ours, others)
    return at(case, "simulated layers", "width", width)


# ---------------------------------------------------------------- digits, depth, threads


def moment_of_digits(digits: int) -> Case:
    case = core.relu_digits_case(1024, digits, slow=True)
    return at(case, "relu moment, width 1,024", "digits", digits)


def law_of_depth(depth: int) -> Case:
    """A ReLU network of width 16, a tail two standard deviations above the mean."""
    scale = float(fm.Gain("relu", 16).scale(1.0))
    network = Deep("", "relu", 16, depth, scale)
    law = network.law()
    y = law.mean() + 2.0 * law.std()
    points = law.mean() + law.std() * np.linspace(-3.0, 3.0, 1000)
    steps = network.steps()
    case = Case(
        f"law of relu, width 16, depth {depth:,}",
        "value",
        relative(lambda: steps.by_mpmath(y, True, 30)),
        {
            OURS: Method(lambda: network.law().sf(y)),
            "fracmoment, next value": Method(
                lambda: law.sf(points), len(points), answer=lambda: law.sf(y)
            ),
        },
        lambda: {
            "SciPy contour": Method(lambda: steps.by_numpy(y, True)),
            "mpmath contour, 20 digits": Method(lambda: steps.by_mpmath(y, True)),
        },
    )
    return at(case, "law of relu, width 16", "depth", depth)


def networks_of_threads(threads: int, engine: str, samples: int) -> Case:
    """The same samples with every number of threads, on the wall clock."""
    chain = Chain("relu", 64, 100)

    def differing(x: Any) -> float:
        return float((np.asarray(x) != chain.ours(engine, 1)(samples)).sum())

    case = Case(
        f"network, {engine} engine, threads {threads}",
        "network",
        Check("differing", differing, 0.0),
        {OURS: Method(lambda: chain.ours(engine, threads)(samples), samples)},
        wall=True,
    )
    return at(case, f"network, {engine} engine", "threads", threads)


def thread_counts() -> list[int]:
    """Powers of two up to the number of cores, and that number."""
    cores = os.cpu_count() or 1
    return sorted({1 << k for k in range(cores.bit_length())} | {cores})


def cases(effort: Effort) -> Iterator[Case]:
    for name in core.LAWS:
        yield from (moments_of_width(name, width, effort) for width in WIDTHS)
    yield from (layers_of_width(width, effort) for width in (16, 64, 256, 1024, 4096, 10**6))
    yield from (moment_of_digits(n) for n in (20, 50, 100, 200, 500, 1000))
    yield from (law_of_depth(10**k) for k in range(7))
    engines = {"norm": 1 << 18, "vector": 1 << 12, "matrix": 1 << 8}
    for engine, samples in engines.items():
        yield from (networks_of_threads(n, engine, samples) for n in thread_counts())
