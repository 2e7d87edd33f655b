"""Leaky ReLU layers: ``python -m tests.reference.make_leaky``.

Orthogonal weights have moments of every order; those of order -width and below are not
differences of Gaussian ones and come from the finite sum, in two forms of 2F1.
"""

from __future__ import annotations

from flint import arb, ctx

from .generate import WORK_BITS, Config, Table, agree, run

CASES = {
    1e-8: [1, 3, 64, 1024, 10**9],
    0.01: [1, 2, 5, 10, 64, 300, 1024, 10**4, 10**6, 10**9],
    0.25: [2, 10, 64, 10**6],
    0.9: [1, 5, 64, 10**6],
    1.0 + 2.0**-40: [2, 64, 10**6],
    2.0: [1, 3, 64, 10**6],
    10.0: [2, 10, 64, 1024, 10**6],
    -0.3: [1, 5, 64, 10**9],
}


def orthogonal_sum(slope: float, width: int, order: float, euler: bool) -> arb:
    """E |phi(u)|^order on the sphere: a mixture over the number of positive units."""
    p, d, gap = arb(order) / 2, width, 1 - arb(slope) ** 2
    total = arb(0)
    for n in range(d + 1):
        b, c = arb(d - n) / 2, arb(d) / 2
        if n == 0 or n == d:
            factor = (arb(slope) ** 2) ** p if n == 0 else arb(1)
        elif euler:
            factor = (1 - gap) ** (c + p - b) * gap.hypgeom_2f1(c + p, c - b, c)
        else:
            factor = gap.hypgeom_2f1(-p, b, c)
        total += arb.bin_uiui(d, n) * factor
    return total / arb(2) ** d


def beyond_the_edge(table: Table) -> None:
    ctx.prec = WORK_BITS
    for slope, width in [(0.25, 1), (0.01, 2), (0.9, 5), (10.0, 3), (-0.3, 10), (0.25, 64)]:
        for order in (-width - 0.5, -width - 6.0, -100.25):
            first, second = (orthogonal_sum(slope, width, order, form) for form in (0, 1))
            agree("orthogonal moment below -width", first, second)
            config = Config(slope, slope, width, weights="orthogonal")
            table.add(config, "moment", float(order).hex(), second)


def main() -> None:
    table = Table("leaky")
    beyond_the_edge(table)
    for slope, widths in CASES.items():
        for width in widths:
            few = slope in (0.01, 10.0) and width in (1, 3, 10, 64, 10**6)
            run(
                table,
                [Config(slope, slope, width)],
                5,
                tails=[0.5, 2.0, 5.0],
                points=[-5.0, -1.0, 0.0, 2.0, 6.0] if few else [],
                levels=[1e-12, 0.02, 0.5, 1 - 2.0**-40],
                third=few and slope == 0.01 and width > 1,
            )
    table.write()


if __name__ == "__main__":
    main()
