"""Reference values of the law of the log-norm of deep networks.

    python tests/reference/make_depth_law.py [network ...] > tests/reference/depth_law.csv

Tails and densities by the trapezoidal rule along a vertical line through the saddle point, with
closed moments of complex order (gamma functions; sums over the number of live or positive units,
with 2F1 for two slopes) in ball arithmetic of python-flint. The working precision covers the
cancellation that the line costs; the step is halved until 30 digits stand still. The library knows
none of these formulas: it uses densities on a lattice.
"""

from __future__ import annotations

import csv
import math
import sys

from flint import acb, arb, ctx

DIGITS = 40
MOST_DIGITS = 250  # of working precision: values that cancel more are left out
Z = (-30, -15, -8, -4, -1.5, 0, 0.7, 2, 5, 9, 16, 25)

# (activation, slope, keep, width) and number of layers, sigma; several rows are one network
NETWORKS = {
    "chi1": [(("linear", 1.0, 1.0, 1), 1, 1.0)],
    "chi1x5": [(("linear", 1.0, 1.0, 1), 5, 0.8)],
    "linear3x4": [(("linear", 1.0, 1.0, 3), 4, 0.5)],
    "linear64x10": [(("linear", 1.0, 1.0, 64), 10, 0.125)],
    "linear1000x3": [(("linear", 1.0, 1.0, 1000), 3, 0.03)],
    "linear1e6x1e6": [(("linear", 1.0, 1.0, 10**6), 10**6, 0.001)],
    "relu1x3": [(("relu", 0.0, 1.0, 1), 3, 1.0)],
    "relu2x3": [(("relu", 0.0, 1.0, 2), 3, 1.0)],
    "relu4x3": [(("relu", 0.0, 1.0, 4), 3, 0.7)],
    "relu8x1000": [(("relu", 0.0, 1.0, 8), 1000, 0.5)],
    "relu16x20": [(("relu", 0.0, 1.0, 16), 20, 0.35)],
    "linear_dropout8x10": [(("linear", 1.0, 0.8, 8), 10, 0.35)],
    "leaky4x5": [(("leaky", 0.1, 1.0, 4), 5, 0.7)],
    "leaky12x10": [(("leaky", 0.25, 1.0, 12), 10, 0.4)],
}


def chi_moment(n: int, z: acb) -> acb:
    half = acb(n) / 2
    return acb(2) ** (z / 2) * (half + z / 2).gamma() / half.gamma()


def moment(law: tuple[str, float, float, int], z: acb) -> acb:
    """E R^z given R > 0."""
    kind, slope, keep, d = law
    if kind == "linear" and keep == 1.0:
        half = acb(d) / 2
        return acb(2) ** (z / 2) * ((half + z / 2).lgamma() - half.lgamma()).exp()
    if kind == "leaky":
        a2 = arb(slope) * arb(slope)
        total = acb(0)
        for n in range(d + 1):
            if n == 0:
                part = (a2.log() * z / 2).exp()
            elif n == d:
                part = acb(1)
            else:
                part = acb(1 - a2).hypgeom_2f1(-z / 2, acb(d - n) / 2, acb(d) / 2)
            total += acb(math.comb(d, n)) * part
        return total * acb(2) ** (-d) * chi_moment(d, z)
    live = arb(keep) / 2 if kind == "relu" else arb(keep)
    dead = 1 - live
    gammas = [((1 + z) / 2).gamma(), (1 + z / 2).gamma()]
    total = acb(0)
    for n in range(1, d + 1):
        g = gammas[(n - 1) % 2]
        total += acb(math.comb(d, n)) * live**n * dead ** (d - n) * g / (acb(n) / 2).gamma()
        gammas[(n - 1) % 2] = g * (n + z) / 2
    return total * acb(2) ** (z / 2) / (1 - dead**d)


def edge(network) -> float:
    atoms = [law for law, _, _ in network if law[0] == "relu" or law[2] < 1.0]
    return -1.0 if atoms else -min(law[3] for law, _, _ in network)


class Sum:
    """The sum of the logarithms of sigma R over the layers."""

    def __init__(self, network) -> None:
        self.network = network
        self.edge = edge(network)

    def transform(self, z: acb) -> acb:
        """E exp(z Y)."""
        value = acb(1)
        for law, count, sigma in self.network:
            value *= moment(law, z) ** count * (arb(sigma).log() * z * count).exp()
        return value

    def log_transform(self, s: float) -> float:
        return float(self.transform(acb(s)).real.log())

    def cumulants(self) -> tuple[float, float]:
        ctx.dps = 60
        h = arb(10) ** -12
        up, down = (self.transform(acb(x)).real.log() for x in (h, -h))
        return float((up - down) / (2 * h)), float((up + down) / h**2)

    def saddle(self, y: float, upper: bool) -> float:
        ctx.dps = 40

        def order(u: float) -> float:
            e = math.exp(u)
            return e if upper else self.edge * e / (1 + e)

        def value(u: float) -> float:
            s = order(u)
            return self.log_transform(s) - s * y - math.log(abs(s))

        low, high = (-9.0, 16.0) if upper else (-12.0, 9.0)
        golden = 0.6180339887498949
        a, b = high - golden * (high - low), low + golden * (high - low)
        fa, fb = value(a), value(b)
        for _ in range(40):
            if fa < fb:
                high, b, fb = b, a, fa
                a = high - golden * (high - low)
                fa = value(a)
            else:
                low, a, fa = a, b, fb
                b = low + golden * (high - low)
                fb = value(b)
        return order(0.5 * (low + high))

    def integrals(self, y: float, s: float, digits: int) -> tuple[arb, arb]:
        """1/(2 pi) int exp(-z y) E exp(z Y) (1/z, 1) dz/i over Re z = s."""
        ctx.dps = digits
        scale = abs(self.transform(acb(s)) * (acb(-s) * acb(y)).exp())
        negligible = scale * arb(10) ** (-digits + 12)

        def terms(first: arb, step: arb) -> tuple[arb, arb]:
            tail, density, t = arb(0), arb(0), first
            while True:
                z = acb(arb(s), t)
                value = self.transform(z) * (-z * acb(y)).exp()
                density += value.real
                tail += (value / z).real
                if abs(value).upper() < negligible and t > 1:
                    return tail, density
                t += step

        step = arb(1) / 2
        tail, density = terms(step, step)
        at_zero = self.transform(acb(s)).real * (arb(-s) * arb(y)).exp()
        tail, density = tail + at_zero / arb(s) / 2, density + at_zero / 2
        old = None
        for _ in range(14):
            found = (tail * step / arb.pi(), density * step / arb.pi())
            if old is not None and all(
                abs(a - b).upper() < abs(a).lower() * arb(10) ** -32
                for a, b in zip(found, old, strict=True)
            ):
                return found
            old = found
            more = terms(step / 2, step)
            tail, density, step = tail + more[0], density + more[1], step / 2
        raise RuntimeError("the trapezoidal rule did not settle")


def digits_of(x: arb) -> str:
    return x.mid().str(DIGITS, radius=False)


def main() -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["network", "y", "upper", "tail", "density"])
    for name in sys.argv[1:] or NETWORKS:
        law = Sum(NETWORKS[name])
        mean, variance = law.cumulants()
        for z in Z:
            y = mean + z * math.sqrt(variance)
            upper = z >= 0
            s = law.saddle(y, upper)
            ctx.dps = 40
            front = (law.log_transform(s) - s * y) / math.log(10)
            if front < -205:  # the exponential bound: beyond what is promised
                continue
            digits = 60
            while True:
                tail, density = law.integrals(y, s, digits)
                tail = tail if upper else -tail
                lost = front - float(abs(tail).log()) / math.log(10) if tail > 0 else 1000
                if lost + 50 < digits:
                    break
                digits = min(int(lost) + 60, digits + 120)
                if digits > MOST_DIGITS:
                    break
            if digits > MOST_DIGITS:
                continue
            writer.writerow([name, repr(y), int(upper), digits_of(tail), digits_of(density)])
            sys.stdout.flush()


if __name__ == "__main__":
    main()
