"""Linear layers (chi laws): ``python -m tests.reference.make_linear``."""

from __future__ import annotations

from .generate import Config, Table, run

WIDTHS = [1, 2, 3, 5, 10, 64, 300, 1024, 10**4, 10**6, 10**9]


def main() -> None:
    table = Table("linear")
    for width in WIDTHS:
        few = width in (1, 3, 64, 1024, 10**6, 10**9)
        run(
            table,
            [Config(1.0, 1.0, width)],
            11,
            tails=[0.25, 1.0, 2.0, 7.0],
            points=[-5.0, -1.0, 0.0, 2.0, 6.0] if few else [],
            levels=[1e-12, 0.02, 0.5, 0.9, 1 - 2.0**-40],
            third=width in (1, 64, 10**6),
        )
    table.write()


if __name__ == "__main__":
    main()
