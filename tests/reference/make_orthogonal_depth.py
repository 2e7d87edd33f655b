"""Reference values of the law of the log-norm of deep networks with orthogonal weights.

    python tests/reference/make_orthogonal_depth.py [network ...] > orthogonal_depth.csv

ReLU layers, linear ones with dropout and projections have their only atom and their only
singularity at the top, so that the Laplace transform of -2 log R, a sum of quotients of gamma
functions, is analytic but for poles on the negative axis: Bromwich's integral along a parabola
around them, in ball arithmetic of python-flint, halving the step until 45 digits stand still. Two
leaky layers: the convolution of two mixtures of Beta laws and their atoms by mpmath's quadrature
between the singular points, at 30 digits. The library uses neither: it has lattices, and loop
integrals for high frequencies.
"""

from __future__ import annotations

import csv
import math
import sys

import mpmath
from flint import acb, arb, ctx

# one-sided layers: (probability of a live unit, width, fan_in) and number of layers
ONE_SIDED = {
    "relu2x1": [(0.5, 2, 2, 1)],
    "relu2x3": [(0.5, 2, 2, 3)],
    "relu3x20": [(0.5, 3, 3, 20)],
    "relu4x2": [(0.5, 4, 4, 2)],
    "relu8x4": [(0.5, 8, 8, 4)],
    "relu8x60": [(0.5, 8, 8, 60)],
    "relu64x2": [(0.5, 64, 64, 2)],
    "linear_dropout4x6": [(0.875, 4, 4, 6)],
    "relu_dropout5x3": [(0.375, 5, 5, 3)],
    "narrowing": [(0.5, 3, 4, 1), (0.5, 2, 3, 1), (1.0, 1, 2, 1)],
    "mixed": [(0.5, 2, 2, 2), (0.5, 6, 6, 3), (0.75, 3, 9, 1)],
}
LEVELS = (1e-190, 1e-60, 1e-12, 1e-3, 0.1, 0.5, 0.9, 0.999)
NEAR_TOP = (1e-9, 1e-3)

# slope and width of two leaky layers
TWO_LEAKY = {
    "leaky1": ((0.5, 1), (0.5, 1)),
    "leaky2": ((0.5, 2), (0.5, 2)),
    "leaky3": ((0.25, 3), (0.25, 3)),
    "leaky_mixed": ((0.25, 2), (0.5, 4)),
}
POINTS = (0.001, 0.1, 0.3, 0.45, 0.4999999, 0.52, 0.7, 0.95, 0.999)  # of the whole range of V
DIGITS = 40


class OneSided:
    """V = -2 Y, Y = sum log R given that all layers are alive."""

    def __init__(self, network) -> None:
        self.network = network

    def transform(self, z: acb) -> acb:
        """E exp(-z V)."""
        value = acb(1)
        for live, d, fan_in, count in self.network:
            p = arb(live)
            total = acb(0)
            for n in range(1, d + 1):
                weight = math.comb(d, n) * p**n * (1 - p) ** (d - n)
                if weight == 0:
                    continue
                half, whole = acb(n) / 2, acb(fan_in) / 2
                logs = (half + z).lgamma() - half.lgamma() - (whole + z).lgamma() + whole.lgamma()
                total += weight * logs.exp()
            value *= (total / (1 - (1 - p) ** d)) ** count
        return value

    def atom(self) -> arb:
        value = arb(1)
        for live, d, fan_in, count in self.network:
            p = arb(live)
            value *= (p**d / (1 - (1 - p) ** d) if fan_in == d else arb(0)) ** count
        return value

    def integrals(self, v: arb, crossing: float, digits: int) -> tuple[arb, arb]:
        """1/(2 pi i) int exp(z v) M(z) (1/z, 1) dz, across the axis at `crossing`."""
        ctx.dps = digits
        # the density is that of the continuous part: its transform tends to 0
        atom, bend = self.atom(), arb(max(abs(crossing), 0.25))

        def terms(first: arb, step: arb) -> tuple[arb, arb]:
            sums, theta = [arb(0), arb(0)], first
            while True:
                z = acb(crossing) + bend * ((1 + acb(0, 1) * theta) ** 2 - 1)
                speed = 2 * bend * (1 + acb(0, 1) * theta)  # dz/(i dtheta)
                front = (z * v).exp() * speed
                sums[0] += (front * self.transform(z) / z).real
                sums[1] += (front * (self.transform(z) - atom)).real
                if abs(front) < arb(10) ** (-digits) and theta > 1:
                    return sums[0], sums[1]
                theta += step

        step = arb(1) / 8
        at_zero = terms_at_zero(self, v, crossing, bend, atom)
        sums = [a + b / 2 for a, b in zip(terms(step, step), at_zero, strict=True)]
        old = None
        for _ in range(12):
            found = tuple(s * step / arb.pi() for s in sums)
            if old is not None and all(
                abs(a - b) <= abs(a) * arb(10) ** -45 for a, b in zip(found, old, strict=True)
            ):
                return found
            old = found
            sums = [a + b for a, b in zip(sums, terms(step / 2, step), strict=True)]
            step /= 2
        raise RuntimeError("the trapezoidal rule did not settle")

    def tails(self, v: arb, digits: int) -> tuple[arb, arb, arb]:
        """P(V <= v), P(V > v) and the density; the smaller side is never a difference."""
        if float(v) < 20.0:
            below, density = self.integrals(v, max(1.0 / float(v), 0.5), digits)
            return below, 1 - below, density
        above, density = self.integrals(v, -0.2, digits)
        return 1 + above, -above, density


def terms_at_zero(law, v, crossing, bend, atom):
    z, speed = acb(crossing), 2 * bend
    front = (z * v).exp() * speed
    m = law.transform(z)
    return (front * m / z).real, (front * (m - atom)).real


class Leaky:
    """V = -2 log R of one leaky layer."""

    def __init__(self, slope: float, width: int) -> None:
        self.low, self.width = mpmath.mpf(slope) ** 2, width
        self.top = -mpmath.log(self.low)
        self.atom = mpmath.mpf(2) ** -width

    def _share(self, v):
        return (mpmath.exp(-v) - self.low) / (1 - self.low)

    def cdf(self, v):
        if v < 0:
            return mpmath.mpf(0)
        if v >= self.top:
            return mpmath.mpf(1)
        w, total = self._share(v), self.atom
        for n in range(1, self.width):
            a, b = mpmath.mpf(n) / 2, mpmath.mpf(self.width - n) / 2
            weight = mpmath.binomial(self.width, n) * self.atom
            total += weight * mpmath.betainc(b, a, 0, 1 - w, regularized=True)
        return total

    def pdf(self, v):
        if not 0 < v < self.top:
            return mpmath.mpf(0)
        w, total = self._share(v), mpmath.mpf(0)
        for n in range(1, self.width):
            a, b = mpmath.mpf(n) / 2, mpmath.mpf(self.width - n) / 2
            weight = mpmath.binomial(self.width, n) * self.atom / mpmath.beta(a, b)
            total += weight * w ** (a - 1) * (1 - w) ** (b - 1)
        return total * mpmath.exp(-v) / (1 - self.low)


def convolved(first: Leaky, second: Leaky, v) -> tuple:
    """P(V + W <= v), P(V + W > v) and the density."""
    ends = {mpmath.mpf(0), first.top, v, v - second.top}
    inside = sorted(x for x in ends if 0 <= x <= first.top)
    results = []
    for f in (second.cdf, lambda w: 1 - second.cdf(w), second.pdf):
        total = first.atom * (f(v) + f(v - first.top))
        if f is second.pdf or f == second.pdf:
            total += second.atom * (first.pdf(v) + first.pdf(v - second.top))
        if len(inside) > 1:
            total += mpmath.quad(lambda u, f=f: first.pdf(u) * f(v - u), inside, maxdegree=10)
        results.append(total)
    return tuple(results)


def digits_of(x: arb) -> str:
    return x.mid().str(DIGITS, radius=False)


def one_sided_rows(name):
    law = OneSided(ONE_SIDED[name])
    ctx.dps = 60
    import fracmoment as fm  # only to place the points: the values do not depend on it

    gains = []
    for live, d, fan_in, count in law.network:
        gain = fm.Gain("linear", d, keep_prob=live, inverted_dropout=False, weights="orthogonal")
        gains += [gain if fan_in == d else fm.ProjectedGain(gain, fan_in)] * count
    quantiles = fm.DepthLaw(gains, 1.0, len(gains)).ppf(LEVELS)
    points = {float(-2 * y) for y in quantiles if y < 0} | set(NEAR_TOP)
    for v in sorted(points):
        digits = 260 if v > 20 else 140
        below, above, density = law.tails(arb(v), digits)
        yield [name, repr(-0.5 * v), *map(digits_of, (above, below, 2 * density))]


def leaky_rows(name):
    with mpmath.workdps(34):
        first, second = (Leaky(*layer) for layer in TWO_LEAKY[name])
        whole = first.top + second.top
        for point in POINTS:
            y = -0.5 * float(whole * point)
            below, above, density = convolved(first, second, -2 * mpmath.mpf(y))
            yield [name, repr(y), *(mpmath.nstr(x, 30) for x in (above, below, 2 * density))]


def main() -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["network", "y", "cdf", "sf", "density"])
    for name in sys.argv[1:] or [*ONE_SIDED, *TWO_LEAKY]:
        for row in one_sided_rows(name) if name in ONE_SIDED else leaky_rows(name):
            writer.writerow(row)
            sys.stdout.flush()


if __name__ == "__main__":
    main()
