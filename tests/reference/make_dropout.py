"""Layers with dropout, inverted or plain: ``python -m tests.reference.make_dropout``."""

from __future__ import annotations

from .generate import Config, Table, run

ACTIVATIONS = {
    "linear": (1.0, 1.0),
    "relu": (0.0, 0.0),
    "leaky": (0.01, 0.01),
    "steep": (2.0, 2.0),
    "randomized": (1 / 8, 1 / 3),
}
CASES = {
    "linear": [(0.5, 1), (0.9, 3), (0.5, 64), (0.01, 300), (1e-6, 10**6), (0.9, 10**9)],
    "relu": [(0.5, 2), (0.9, 5), (0.9, 64), (0.01, 100), (0.5, 1024), (1e-6, 10**6), (0.5, 10**9)],
    "leaky": [(0.9, 1), (0.5, 10), (0.9, 300), (0.01, 64), (1e-6, 3), (0.5, 10**6)],
    "steep": [(0.5, 5), (0.9, 1024)],
    "randomized": [(0.5, 2), (0.9, 64), (0.01, 1024), (0.5, 10**6)],
}


def main() -> None:
    table = Table("dropout")
    for name, cases in CASES.items():
        lower, upper = ACTIVATIONS[name]
        for k, (keep, width) in enumerate(cases):
            few = keep >= 0.5 and 1 < width <= 1024 and name != "steep"
            run(
                table,
                [Config(lower, upper, width, keep, inverted=k % 2 == 0)],
                5,
                tails=[0.5, 2.0],
                points=[-4.0, -1.0, 0.0, 2.0, 6.0] if few else [],
                levels=[0.02, 0.5, 0.99, 1 - 2.0**-40],
                third=few and name == "relu" and width < 10,
            )
    table.write()


if __name__ == "__main__":
    main()
