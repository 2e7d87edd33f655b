"""Time of the tails: ``python -m benchmarks.tails``.

Every answer is compared with an exact one first. Processor time of one value; SciPy's double
quadrature and a simulation of as many steps as reach the same accuracy are the alternatives.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import integrate, stats

import fracmoment as fm

from .timing import machine, seconds

if TYPE_CHECKING:
    from collections.abc import Callable

BATCH, DIMENSION, STEP = 8, 20, 0.3


def by_scipy(order: float) -> float:
    """E C^order by nested adaptive quadrature over X and Z."""
    t = STEP / BATCH
    x_law, z_law = stats.chi2(BATCH), stats.chi2(DIMENSION - 1)

    def integrand(z: float, x: float) -> float:
        square = (1 - t * x) ** 2 + t * t * x * z
        return float(square ** (order / 2) * x_law.pdf(x) * z_law.pdf(z))

    return float(integrate.dblquad(integrand, 0, 80, 0, 120, epsabs=1e-9, epsrel=1e-9)[0])


def by_simulation(order: float, n: int = 1_000_000) -> float:
    """E C^order from a million draws of X and Z: three digits."""
    rng = np.random.default_rng(1)
    t = STEP / BATCH
    x, z = rng.chisquare(BATCH, n), rng.chisquare(DIMENSION - 1, n)
    return float((((1 - t * x) ** 2 + t * t * x * z) ** (order / 2)).mean())


def line(name: str, run: Callable[[], Any], count: int, error: float, allowed: float) -> bool:
    good = error <= allowed
    wrong = "" if good else "   WRONG"
    print(f"  {name:<44}{seconds(run, 1.0) / count * 1e6:>12.4g} us   error {error:.1e}{wrong}")
    sys.stdout.flush()
    return good


def main() -> int:
    for key, value in machine().items():
        print(f"{key:<14}{value}")
    law = fm.LeastSquaresSGD(BATCH, DIMENSION)
    exact = float(sum(float(c) * STEP**k for k, c in enumerate(law.moment_polynomial(6))))
    print(f"\nmoment of order 6 of the contraction, batch {BATCH}, dimension {DIMENSION}")
    good = line(
        "fracmoment",
        lambda: law.moment(STEP, 6.0),
        1,
        abs(law.moment(STEP, 6.0) / exact - 1),
        1e-12,
    )
    line("scipy.integrate.dblquad", lambda: by_scipy(6.0), 1, abs(by_scipy(6.0) / exact - 1), 1.0)
    line("a million draws", lambda: by_simulation(6.0), 1, abs(by_simulation(6.0) / exact - 1), 1.0)

    print("\ntail index, a point of a phase diagram, and critical steps")
    for dimension in (1, 10, 100):
        grid = fm.LeastSquaresSGD(
            np.unique(np.geomspace(1, 300, 12).astype(int))[:, None], dimension
        )
        steps = np.geomspace(0.01, 2.0, 12)
        index = grid.tail_index(steps)
        inside = index > 0
        moments = grid.log_moment(np.broadcast_to(steps, index.shape), np.where(inside, index, 1.0))
        # log h over its slope in the order: h is 1 at the index
        error = float(np.abs(np.where(inside, moments, 0.0)).max())
        good &= line(
            f"tail_index, dimension {dimension}",
            lambda g=grid, s=steps: g.tail_index(s),
            index.size,
            error,
            1e-10,
        )
        found = grid.critical_step(1.0)
        error = float(np.abs(grid.log_moment(found, 1.0)).max())
        good &= line(
            f"critical_step, dimension {dimension}",
            lambda g=grid: g.critical_step(1.0),
            found.size,
            error,
            1e-12,
        )

    print("\nGoldie's constant (error: the library's own estimate)")
    for width in (8, 64, 1000):
        gain = fm.Gain("relu", width)
        sigma = gain.scale(1.5)
        error = fm.power_tail(gain, sigma, 1.0).relative_error
        good &= line(
            f"power_tail, ReLU width {width}",
            lambda g=gain, s=sigma: fm.power_tail(g, s, 1.0),
            1,
            error,
            1e-9,
        )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
