"""High orders between even integers: ``python -m tests.reference.make_high_orders``."""

from __future__ import annotations

from dataclasses import replace

from .generate import Config, Table, moment

LAWS = [
    Config(0.0, 0.0, 300),
    Config(0.0, 0.0, 10**9, 0.05),
    Config(1e-8, 1e-8, 3),
    Config(0.25, 0.25, 2),
    Config(0.25, 0.25, 16, 0.5),
    Config(0.3, 0.3, 900, 0.001),
    Config(10.0, 10.0, 64),
    Config(-0.5, 0.5, 5),
    Config(-0.5, 0.5, 100, 0.05),
    Config(0.125, 0.375, 4, 0.001),
    Config(0.125, 0.375, 10**6),
    Config(0.1, 5.0, 40),
    Config(0.9, 0.90001, 7, 0.5),
]
ORDERS = [11.7, 21.1, 24.3, 27.9, 45.0, 63.7]


def main() -> None:
    table = Table("high_orders")
    for gaussian in LAWS:
        for config in (gaussian, replace(gaussian, weights="orthogonal")):
            for order in ORDERS:
                value = moment(config, order, False).real
                table.add(config, "moment", order.hex(), value)
                scale = (-(value.log()) / order).exp()
                table.add(config, "scale", order.hex(), scale)
        print(f"{gaussian}: {len(table.rows)} rows", flush=True)
    table.write()


if __name__ == "__main__":
    main()
