"""Tails of stochastic gradient descent, and Goldie's constant.

The moment is held against its exact polynomial, the index and the critical steps against the
equation that they solve. The constants show their own error estimates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import integrate, stats

import fracmoment as fm

from .case import OURS, Case, Check, Method

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .timing import Effort

BATCH, DIMENSION, STEP, ORDER = 8, 20, 0.3, 6


def by_scipy() -> float:
    """E C^order by nested adaptive quadrature over X and Z."""
    t = STEP / BATCH
    x_law, z_law = stats.chi2(BATCH), stats.chi2(DIMENSION - 1)

    def integrand(z: float, x: float) -> float:
        square = (1 - t * x) ** 2 + t * t * x * z
        return float(square ** (ORDER / 2) * x_law.pdf(x) * z_law.pdf(z))

    return float(integrate.dblquad(integrand, 0, 80, 0, 120, epsabs=1e-9, epsrel=1e-9)[0])


def by_draws(n: int = 1_000_000) -> float:
    """E C^order from draws of X and Z: three digits from a million."""
    rng = np.random.default_rng(1)
    t = STEP / BATCH
    x, z = rng.chisquare(BATCH, n), rng.chisquare(DIMENSION - 1, n)
    return float((((1 - t * x) ** 2 + t * t * x * z) ** (ORDER / 2)).mean())


def moment_case(effort: Effort) -> Case:
    law = fm.LeastSquaresSGD(BATCH, DIMENSION)
    exact = float(sum(float(c) * STEP**k for k, c in enumerate(law.moment_polynomial(ORDER))))

    def others() -> dict[str, Method]:
        methods = {"a million draws": Method(by_draws)}
        if not effort.quick:
            methods["scipy.integrate.dblquad"] = Method(by_scipy)
        return methods

    return Case(
        f"SGD moment of order {ORDER}, batch {BATCH}, dimension {DIMENSION}",
        "value",
        Check("relative", lambda value: abs(value / exact - 1), 1e-12),
        {OURS: Method(lambda: law.moment(STEP, float(ORDER)))},
        others,
    )


def index_case(dimension: int, batches: int, steps: int) -> Case:
    """A phase diagram. log h of the index is its error times the slope of log h."""
    sizes = np.unique(np.geomspace(1, 300, batches).astype(int))[:, None]
    grid = fm.LeastSquaresSGD(sizes, dimension)
    rates = np.geomspace(0.01, 2.0, steps)

    def error(index: Any) -> float:
        inside = index > 0
        logs = grid.log_moment(np.broadcast_to(rates, index.shape), np.where(inside, index, 1.0))
        return float(np.abs(np.where(inside, logs, 0.0)).max())

    return Case(
        f"SGD tail index, dimension {dimension}",
        "value",
        Check("absolute", error, 1e-10),
        {OURS: Method(lambda: grid.tail_index(rates), len(sizes) * steps)},
    )


def critical_case(dimension: int, batches: int) -> Case:
    sizes = np.unique(np.geomspace(1, 300, batches).astype(int))[:, None]
    grid = fm.LeastSquaresSGD(sizes, dimension)
    return Case(
        f"SGD critical step, dimension {dimension}",
        "value",
        Check("absolute", lambda step: float(np.abs(grid.log_moment(step, 1.0)).max()), 1e-12),
        {OURS: Method(lambda: grid.critical_step(1.0), len(sizes))},
    )


def goldie_case(width: int) -> Case:
    gain = fm.Gain("relu", width)
    sigma = gain.scale(1.5)
    return Case(
        f"Goldie's constant, ReLU width {width}",
        "value",
        Check("relative", lambda tail: float(tail.relative_error), 1e-9),
        {OURS: Method(lambda: fm.power_tail(gain, sigma, 1.0))},
    )


def cases(effort: Effort) -> Iterator[Case]:
    yield moment_case(effort)
    points = 4 if effort.quick else 12
    for dimension in (1, 10, 100):
        yield index_case(dimension, points, points)
        yield critical_case(dimension, points)
    yield from (goldie_case(width) for width in (8, 64, 1000))
