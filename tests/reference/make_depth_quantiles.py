"""Reference values of quantiles of the log-norm of deep networks.

    python -m tests.reference.make_depth_quantiles > tests/reference/depth_quantiles.csv

The y at which a tail is a given double: Newton's method for the logarithm of the tail, with tails
and densities of make_depth_law.py (contour integrals over closed moments of complex order in ball
arithmetic), until y stands still to 33 digits. The library only says where to begin; it
inverts its own tails, made from densities on a lattice.
"""

from __future__ import annotations

import csv
import sys

from flint import arb, ctx

from tests.reference.make_depth_law import NETWORKS as OTHERS
from tests.reference.make_depth_law import Sum, digits_of

NETWORKS = {
    "linear2": [(("linear", 1.0, 1.0, 2), 1, 1.0)],
    "linear5x30": [(("linear", 1.0, 1.0, 5), 30, 0.4)],
    "relu_dropout6x4": [(("relu", 0.0, 0.75, 6), 4, 0.8)],
    "relu_dropout12x30": [(("relu", 0.0, 0.875, 12), 30, 0.5)],
    "leaky3x30": [(("leaky", 0.25, 1.0, 3), 30, 0.7)],
    "mixed": [(("linear", 1.0, 1.0, 3), 2, 0.5), (("relu", 0.0, 1.0, 7), 5, 0.6)],
    "linear64x10": OTHERS["linear64x10"],
}
# of the lower and the upper tail; below, laws with dead units have no line through a saddle
LEVELS = {
    False: (0.5, 0.1, 1e-3, 1e-9, 1e-30),
    True: (0.25, 1e-2, 1e-6, 1e-15, 1e-60, 1e-150),
}
DEEPEST_WITH_DEATH = 1e-9


def start(network, level: float, upper: bool) -> float:
    """Where Newton's method begins: the value does not depend on it."""
    import fracmoment as fm

    gains, sigmas = [], []
    for (kind, slope, keep, width), count, sigma in network:
        activation = fm.LeakyReLU(slope) if kind == "leaky" else kind
        gain = fm.Gain(activation, width, keep_prob=keep, inverted_dropout=False)
        gains += [gain] * count
        sigmas += [sigma] * count
    law = fm.DepthLaw(gains, sigmas)
    return float(law.isf(level) if upper else law.ppf(level))


def quantile(law: Sum, level: float, upper: bool) -> arb:
    """The y of P(Y > y) = level, or P(Y <= y) = level."""
    first = start(law.network, level, upper)
    s = law.saddle(first, upper)
    ctx.dps = 70
    y = arb(first)
    for _ in range(12):
        tail, density = law.integrals(y, s, 70)
        tail = tail if upper else -tail
        step = (tail / arb(level)).log() * tail / density * (1 if upper else -1)
        y = arb((y + step).mid())
        if abs(step).upper() < arb(10) ** -33 * (abs(y).upper() + 1):
            return y
    raise RuntimeError("Newton's method did not settle")


def main() -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["network", "level", "upper", "quantile"])
    for name in sys.argv[1:] or NETWORKS:
        law = Sum(NETWORKS[name])
        for upper, levels in LEVELS.items():
            for level in levels:
                if not upper and law.edge == -1.0 and level < DEEPEST_WITH_DEATH:
                    continue
                y = quantile(law, level, upper)
                writer.writerow([name, repr(level), int(upper), digits_of(y)])
                sys.stdout.flush()


if __name__ == "__main__":
    main()
