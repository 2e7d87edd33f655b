"""Scales of rectangular layers: ``python -m tests.reference.make_init_scales``.

With M(s) = E R^s of Gaussian weights from two definitions (see definitions.py), the scale of the
norm is M(s)^(-1/s), and exp(-E log R) at order 0. Under orthogonal weights the length of the
normal vector that a row or column is made from, of max(fan_in, fan_out) entries, is independent
of what is left: its moment divides.
"""

from __future__ import annotations

import csv
from itertools import product

from flint import acb, arb, ctx

from .definitions import WORK_BITS, decimal
from .generate import HERE, Config, chi_cumulant, chi_moment, cumulants, plain_moment, worst

SLOPES = {
    "linear": (1.0, 1.0),
    "relu": (0.0, 0.0),
    "leaky_relu": (0.25, 0.25),
    "rrelu": (0.125, 0.375),
}
LAYERS = [(64, 64), (784, 64), (10, 48), (9, 8), (3, 3), (4096, 1000)]
ORDERS = [0.0, 0.5, 1.0, 2.0, 3.25]
#: keep probability, whether kept units are divided by it, whether moments are given R > 0
DROPOUT = [(1.0, True, False), (0.75, True, False), (0.5, False, True)]


def norm_scale(config: Config, order: float, length: int | None, given_alive: bool) -> arb:
    """The scale that preserves the norm; `length` is that of the orthogonal vectors."""
    law = config.law
    if order == 0.0:
        mean = cumulants(config)[0]
        ctx.prec = WORK_BITS
        if length is not None:
            mean -= chi_cumulant(length, 1)
        return (-mean).exp()
    moment = plain_moment(law, arb(order) / 2)
    ctx.prec = WORK_BITS
    if length is not None:
        moment /= chi_moment(length, arb(order) / 2)
    if given_alive:
        moment /= 1 - law.zero
    return ((acb(moment).real.log() / -order).exp()) / config.factor


def main() -> None:
    rows = []
    for (name, slopes), (fan_in, fan_out), (keep, inverted, alive) in product(
        SLOPES.items(), LAYERS, DROPOUT
    ):
        if keep < 1 and fan_out > 8:
            continue
        config = Config(*slopes, fan_out, keep, inverted)
        for order, weights in product(ORDERS, ("gaussian", "orthogonal")):
            length = max(fan_in, fan_out) if weights == "orthogonal" else None
            norm = norm_scale(config, order, length, alive)
            rms = norm * (arb(fan_out) / fan_in).sqrt()
            # The two conventions differ by a known root: one layer tells them apart.
            for preserve, value in (("rms", rms), ("norm", norm))[: 1 + (fan_in == 9)]:
                row = [name, fan_in, fan_out, order.hex(), preserve, keep.hex()]
                rows.append([*row, int(inverted), int(alive), weights, decimal(value)])
        print(config, fan_in, len(rows), flush=True)
    with (HERE / "init_scales.csv").open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(
            ["activation", "fan_in", "fan_out", "order", "preserve", "keep_prob", "inverted",
             "given_alive", "weights", "value"]
        )  # fmt: skip
        writer.writerows(rows)
    print(f"{len(rows)} rows; largest relative disagreement of two definitions: {dict(worst)}")


if __name__ == "__main__":
    main()
