"""Randomized leaky ReLU layers: ``python -m tests.reference.make_randomized``."""

from __future__ import annotations

from .generate import Config, Table, run

CASES = {
    (1 / 8, 1 / 3): [1, 2, 5, 64, 300, 1024, 10**6, 10**9],
    (0.0, 1.0): [1, 3, 64, 10**4],
    (-0.5, 0.5): [1, 2, 10, 10**6],
    (0.25, 0.25 + 2.0**-40): [1, 5, 64, 10**6],
    (0.0, 10.0): [2, 10, 300, 10**9],
}


def main() -> None:
    table = Table("randomized")
    for (lower, upper), widths in CASES.items():
        for width in widths:
            few = (lower, upper) in ((1 / 8, 1 / 3), (-0.5, 0.5)) and width in (1, 5, 64, 10**6)
            run(
                table,
                [Config(lower, upper, width)],
                6,
                tails=[0.5, 2.0],
                points=[-5.0, -1.0, 0.0, 2.0, 6.0] if few else [],
                levels=[0.02, 0.5, 1 - 2.0**-40],
                third=few and lower > 0 and width > 1,
            )
    table.write()


if __name__ == "__main__":
    main()
