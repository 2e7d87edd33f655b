"""Reference values of the law of the log-norm of deep networks with dropout and with wide layers.

    python tests/reference/make_dropout_depth.py > tests/reference/dropout_depth.csv

M(z) = E[(|x_k|/|x_0|)^z | alive] is a product over layers of sums over the number of live units, of
quotients of gamma functions. Lower tails: minus the sum of the residues of M(z) exp(-z y)/z at
z = -1, -2, ..., each by the trapezoidal rule on a circle. Elsewhere: the integral of the same
function along a vertical line, by the trapezoidal rule, the step halved until 20 digits stand
still. The library uses neither: it has lattices and tilted laws.
"""

from __future__ import annotations

import csv
import sys

import mpmath as mp

# (activation, width, keep_prob, number of layers) and the points: quantiles of the lower tail
NETWORKS = {
    "linear2": [("linear", 2, 0.984375, 1)],
    "linear40x12": [("linear", 40, 0.5, 12)],
    "relu5x12": [("relu", 5, 0.96875, 12)],
    "relu20x3": [("relu", 20, 0.75, 3)],
    "mixed": [("linear", 8, 0.875, 5), ("relu", 3, 0.5, 2)],
    "wide": [("relu", 700, 1.0, 3), ("relu", 64, 1.0, 10), ("linear", 10, 0.9375, 1)],
    "widths": [("linear", 1, 1.0, 1), ("relu", 2, 1.0, 2), ("linear", 300, 1.0, 4)],
}
FAR = dict.fromkeys(NETWORKS, (1e-12, 1e-50, 1e-120, 1e-190))
FAR |= {"wide": (), "widths": (1e-30,)}
NEAR = (1e-9, 0.01, 0.4)  # of either tail


class Law:
    """The law of a network by its moments."""

    def __init__(self, network) -> None:
        self.network, self.weights = network, []
        for activation, d, keep, _ in network:
            p = mp.mpf(keep) / (2 if activation == "relu" else 1)
            alive = 1 - (1 - p) ** d
            row = [mp.binomial(d, n) * p**n * (1 - p) ** (d - n) / alive for n in range(d + 1)]
            self.weights.append(row)

    def moment(self, z):
        """E exp(z Y) for units divided by the probability to be kept."""
        value = mp.mpf(1)
        for (_, d, keep, count), weights in zip(self.network, self.weights, strict=True):
            ratio = [1, mp.gamma((1 + z) / 2) / mp.sqrt(mp.pi), mp.gamma((2 + z) / 2)]
            for n in range(3, d + 1):
                ratio.append(ratio[n - 2] * (n - 2 + z) / (n - 2))
            total = mp.fsum(weights[n] * ratio[n] for n in range(1, d + 1))
            value *= (mp.mpf(2) ** (z / 2) * total * mp.mpf(keep) ** -z) ** count
        return value

    def lower(self, y):
        """P(Y <= y), far below."""
        radius = min(mp.mpf(1) / 4, 10 / abs(y))
        count = max(int(40 / mp.log10(1 / radius)) + 12, 100)
        circle = [radius * mp.expjpi(mp.mpf(2 * i) / count) for i in range(count)]
        total = mp.mpf(0)
        for pole in range(-1, -100, -1):
            terms = []
            for step in circle:
                z = pole + step
                terms.append((self.moment(z) * mp.exp(-z * y) / z * step).real)
            total -= mp.fsum(terms) / count
            if abs(mp.fsum(terms)) < abs(total) * mp.mpf(10) ** -32:
                return total
        raise RuntimeError("the residues do not fall")

    def smaller(self, y, upper):
        """P(Y > y) or P(Y <= y) along a vertical line on the side that gives it directly."""
        lines = (
            [mp.mpf(2) ** k for k in range(-2, 8)] if upper else [mp.mpf(-k) / 8 for k in (2, 4, 6)]
        )
        c = min(lines, key=lambda line: mp.log(self.moment(line)) - line * y)

        def terms(first, step):
            total, t = mp.mpf(0), first
            while True:
                z = c + 1j * t
                value = self.moment(z) * mp.exp(-z * y) / z
                total += value.real
                if abs(value) < mp.mpf(10) ** -30 * size:
                    return total
                t += step

        size = abs(self.moment(c) * mp.exp(-c * y) / c)
        step = mp.mpf(1) / 2
        total, old = (self.moment(c) * mp.exp(-c * y) / c).real / 2 + terms(step, step), None
        for _ in range(9):
            found = total * step / mp.pi * (1 if upper else -1)
            if old is not None and abs(found - old) <= mp.mpf(10) ** -20 * abs(found):
                return found
            old = found
            total += terms(step / 2, step)
            step /= 2
        raise RuntimeError("the trapezoidal rule did not settle")


def main() -> None:
    import fracmoment as fm  # only to place the points: the values do not depend on it

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["network", "y", "upper", "tail"])
    for name, network in NETWORKS.items():
        gains = [fm.Gain(a, d, keep_prob=q) for a, d, q, count in network for _ in range(count)]
        law = fm.DepthLaw(gains, 1.0)
        points = [(float(law.ppf(level)), False, True) for level in FAR[name]]
        points += [(float(law.ppf(level)), False, False) for level in NEAR]
        points += [(float(law.isf(level)), True, False) for level in NEAR]
        for y, upper, far in points:
            with mp.workdps(80 if far else 40):
                exact = Law(network)
                value = exact.lower(mp.mpf(y)) if far else exact.smaller(mp.mpf(y), upper)
                writer.writerow([name, repr(y), int(upper), mp.nstr(value, 30 if far else 19)])
            sys.stdout.flush()


if __name__ == "__main__":
    main()
