"""Write nonlinear.csv: moments of layers of nonlinear units, 40 digits.

``python -m tests.reference.make_nonlinear``, seven minutes; with names of activations their rows
are appended. Other definitions than the library's: one unit's means are trapezoidal sums in a
variable y that turns the line into two half-lines (x = exp(y) to the right; to the left what makes
log|phi| about linear in y), not Gauss-Legendre rules on panels. Width 1 is the sum of ``|phi|^s``
over these nodes, width 2 the double sum of ``(Y_1 + Y_2)^p``, without any Laplace
transform. Beyond,

    E X^p = p/Gamma(1-p) int (1 - L^d) t^(-p-1) dt     0 < p < 1
    E X^p = 1/Gamma(-p) int L^d t^(-p-1) dt            p < 0

with 1 - L = E (1 - exp(-t Y)). Exponentials and powers are arb's, for speed; their radii are not
used. Every value is computed with two steps. Halving the step of a trapezoidal sum squares its
error, so that here the value with twice the step has to agree to half of the digits; at widths 1
and 2 the one with 5/4 of the step has to agree to all. Columns: activation (an expression in
fracmoment.nonlinear), variance, width, order, value.
"""

from __future__ import annotations

import bisect
import csv
import math
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import mpmath
from flint import arb, ctx
from mpmath import mp, mpf

Function = Callable[[mpf], mpf]
Nodes = list[tuple[mpf, mpf]]

DIGITS, WORK = 40, 60
# Widths and orders for every activation at variance 1.
ORDERS = {1: ("1/2", "-1/2", "3"), 2: ("3",), 64: ("-2",), 10**6: ("1/2",)}
# Orders at width 5, which takes longest, and activations with the variances.
FIVE = ("1/2", "-2")
VARIANCES = {
    "Tanh()": ("1", "0.04"),
    "Erf()": ("1",),
    "LeCunTanh()": ("1",),
    "ELU('0.3')": ("1",),
    "CELU('2')": ("1",),
    "SELU()": ("1", "9"),
    "SiLU()": ("1", "6.25"),
}


def selu_constants() -> tuple[mpf, mpf]:
    """Solve E phi = 0 and E phi^2 = 1 by Newton's method on integrals."""

    def below(k: int) -> mpf:
        return mpmath.quad(lambda z: mpmath.exp(-k * z) * mpmath.npdf(z), [0, 2, 5, 10, 25])

    one, two = below(1), below(2)
    alpha = mpmath.findroot(
        lambda a: 1 / mpmath.sqrt(2 * mpmath.pi) + a * (one - mpf(1) / 2), mpf("1.67")
    )
    square = mpf(1) / 2 + alpha**2 * (two - 2 * one + mpf(1) / 2)
    return mpmath.findroot(lambda s: s**2 * square - 1, mpf("1.05")), alpha


def elu(alpha: mpf, scale: mpf) -> Function:
    return lambda x: scale * (x if x > 0 else alpha * mpmath.expm1(x))


def logistic(x: mpf) -> mpf:
    return 1 / (1 + mpmath.exp(-x))


def functions() -> dict[str, tuple[Function, str]]:
    """Activations by their expression, with the kind of their left side."""
    scale, alpha = selu_constants()
    slope = 2 * mpmath.sqrt(2 / mpmath.pi)
    return {
        "Tanh()": (mpmath.tanh, "odd"),
        "Erf()": (mpmath.erf, "odd"),
        "LeCunTanh()": (lambda x: mpf("1.7159") * mpmath.tanh(2 * x / 3), "odd"),
        "Sin()": (mpmath.sin, "sin"),
        "Sigmoid()": (logistic, "exponential"),
        "Softplus()": (lambda x: mpmath.log1p(mpmath.exp(x)), "exponential"),
        "Softplus('5/2')": (lambda x: mpmath.log1p(mpmath.exp(x * 5 / 2)) * 2 / 5, "exponential"),
        "ELU()": (elu(mpf(1), mpf(1)), "plain"),
        "ELU('0.3')": (elu(mpf("0.3"), mpf(1)), "plain"),
        "CELU('2')": (lambda x: x if x > 0 else 2 * mpmath.expm1(x / 2), "plain"),
        "SELU()": (elu(alpha, scale), "plain"),
        "SiLU()": (lambda x: x * logistic(x), "exponential"),
        "Mish()": (lambda x: x * mpmath.tanh(mpmath.log1p(mpmath.exp(x))), "exponential"),
        "GELU()": (lambda x: x * mpmath.erfc(-x / mpmath.sqrt(2)) / 2, "normal"),
        "GELU('tanh')": (
            lambda x: x * logistic(slope * (x + mpf("0.044715") * x**3)),
            "cubic",
        ),
    }


# ---------------------------------------------------------------- one unit


def line(kind: str, y: mpf) -> tuple[mpf, mpf]:
    """Return |x| on the left for a y, and its derivative."""
    if kind == "plain":
        return mpmath.exp(y), mpmath.exp(y)
    power = {"exponential": 1, "normal": 2, "cubic": 3}[kind]
    e = mpmath.exp(power * y)
    inner = mpmath.log1p(e)
    x = inner ** (mpf(1) / power)
    return x, x / inner * e / (1 + e)


def density(x: mpf, q: mpf) -> mpf:
    return mpmath.exp(-x * x / (2 * q)) / mpmath.sqrt(2 * mpmath.pi * q)


def folded(y: mpf, q: mpf) -> mpf:
    """Return the density of y, tan(x/2) = exp(y), sin(x) = sech(y), the line folded to (0, pi)."""
    x = 2 * mpmath.atan(mpmath.exp(y))
    return mpmath.sech(y) * mpmath.fsum(density(x + k * mpmath.pi, q) for k in range(-8, 9))


def highest(q: mpf) -> mpf:
    """Return the y beyond which the density is negligible."""
    return mpmath.log(mpmath.sqrt(q * 2 * mp.prec * mpmath.log(2))) + mpf(1) / 4


def unit(phi: Function, kind: str, q: mpf, step: mpf, low: mpf) -> list[Nodes]:
    """Return values of phi^2 with weights, from y = low on: the even nodes, and the odd ones."""
    result: list[Nodes] = [[], []]
    if kind == "sin":
        for i in range(2 * int(-low / step) + 1):
            y = low + i * step
            result[i % 2].append((mpmath.sech(y) ** 2, step * folded(y, q)))
        return result
    for i in range(int(mpmath.ceil((highest(q) - low) / step)) + 1):
        x = mpmath.exp(low + i * step)
        weight = step * x * density(x, q)
        if kind == "odd":
            weight *= 2
        result[i % 2].append((phi(x) ** 2, weight))
        if kind == "plain":
            result[i % 2].append((phi(-x) ** 2, weight))
    i = 0
    while kind in ("exponential", "normal", "cubic"):
        y = low + i * step
        x, slope = line(kind, y)
        weight = step * slope * density(x, q)
        result[i % 2].append((phi(-x) ** 2, weight))
        if y > 0 and weight < mpf(10) ** (-2 * mp.dps):  # negative orders divide by phi
            break
        i += 1
    return result


def pair_nodes(phi: Function, kind: str, q: mpf, step: mpf) -> list[tuple[arb, arb]]:
    """Return few nodes for the double sum: ``x = exp(u - exp(-u))``, which ends at u = -5."""
    result = []
    if kind == "sin":
        for i in range(int(9 / step) + 1):
            u = i * step - mpf(9) / 2
            y = 3 * mpmath.sinh(u)
            result.append((mpmath.sech(y) ** 2, step * 3 * mpmath.cosh(u) * folded(y, q)))
    for i in range(int((highest(q) + 5) / step) + 1) if kind != "sin" else ():
        u = i * step - 5
        x = mpmath.exp(u - mpmath.exp(-u))
        weight = step * x * (1 + mpmath.exp(-u)) * density(x, q)
        if kind == "odd":
            result.append((phi(x) ** 2, 2 * weight))
        else:
            result += [(phi(x) ** 2, weight), (phi(-x) ** 2, weight)]
    return to_arbs([node for node in result if node[1] > mpf(10) ** (-DIGITS - 8)])


# ---------------------------------------------------------------- moments


def to_arb(x: mpf) -> arb:
    return arb(mpmath.nstr(x, WORK + 5))


def to_arbs(nodes: Nodes) -> list[tuple[arb, arb]]:
    return [(to_arb(y), to_arb(w)) for y, w in nodes]


def to_mpf(x: arb) -> mpf:
    return mpf(x.mid().str(WORK, radius=False))


def single(phi: Function, kind: str, q: mpf, order: mpf) -> list[mpf]:
    """Return E |phi|^order with two steps."""
    return [
        mpmath.fsum(
            w * y ** (order / 2) for part in unit(phi, kind, q, step, mpf(-230)) for y, w in part
        )
        for step in (mpf(1) / 40, mpf(1) / 32)
    ]


def double(phi: Function, kind: str, q: mpf, order: mpf) -> list[mpf]:
    """Return E (Y_1 + Y_2)^p with two steps."""
    p, result = to_arb(order / 2), []
    for step in (mpf(1) / 150, mpf(1) / 120):
        nodes, total = pair_nodes(phi, kind, q, step), arb(0)
        for i, (y, w) in enumerate(nodes):
            row = sum((v * (y + z) ** p for z, v in nodes[:i]), arb(0))
            total += w * (2 * row + w * (2 * y) ** p)
        result.append(to_mpf(total))
    return result


class Transform:
    """L(t) and 1 - L(t) by all nodes and by every second one."""

    def __init__(self, parts: list[Nodes]) -> None:
        nodes = [(to_arb(y), to_arb(w), i) for i, part in enumerate(parts) for y, w in part]
        nodes.sort(key=lambda node: float(node[0].log().mid()))
        self.nodes = nodes
        self.logs = [float(y.log().mid()) for y, _, _ in nodes]
        # Sums over the first nodes of w, and of w y: what lies so low that exp(-t y) is 1 - t y.
        self.below = [([arb(0), arb(0)], [arb(0), arb(0)])]
        for y, w, i in nodes:
            mass, mean = (list(values) for values in self.below[-1])
            mass[i] = (mass[i] + w).mid()
            mean[i] = (mean[i] + w * y).mid()
            self.below.append((mass, mean))

    def mean(self) -> arb:
        return sum(self.below[-1][1], arb(0))

    def at(self, t: arb) -> tuple[list[arb], list[arb]]:
        """Return L, and 1 - L, by all nodes and by the even ones."""
        log_t = float(t.log().mid())
        low = bisect.bisect(self.logs, -2.4 * WORK - log_t)
        high = bisect.bisect(self.logs, math.log(2.4 * WORK) - log_t)
        mass, mean = self.below[low]
        sums, gaps = list(mass), [t * value for value in mean]
        for y, w, i in self.nodes[low:high]:
            gap = -(-t * y).expm1() * w
            gaps[i] = (gaps[i] + gap).mid()
            sums[i] = (sums[i] + w - gap).mid()
        for i in range(2):
            gaps[i] += self.below[-1][0][i] - self.below[high][0][i]
        if float(sum(sums, arb(0)).mid()) < 1e-3:
            sums = list(mass)
            for y, w, i in self.nodes[low:high]:
                sums[i] = (sums[i] + (-t * y).exp() * w).mid()
        return [sums[0] + sums[1], 2 * sums[0]], [gaps[0] + gaps[1], 2 * gaps[0]]


def laplace(transform: Transform, width: int, p: mpf) -> list[mpf]:
    """Return E X^p by the trapezoidal rule in v = log t, with a step and with twice the step."""
    order, h = to_arb(p), arb(1) / 11
    mean, goal = width * transform.mean(), arb(10) ** (-DIGITS - 6)

    def term(i: int) -> tuple[list[arb], bool]:
        """Return the terms, and whether L^d is negligible against 1."""
        t = (h * i).exp() / mean
        survival, gaps = transform.at(t)
        if p < 0:
            values = [x**width for x in survival]
        else:
            values = [
                -(width * (-g).log1p()).expm1() if g < 0.5 else 1 - x**width
                for x, g in zip(survival, gaps, strict=True)
            ]
        done = survival[0] ** width * t**-order < goal * arb.min(total[0], arb(1)) * (
            1 - (-h).exp()
        )
        return [(x * t**-order).mid() for x in values], bool(done)

    total = [arb(0), arb(0)]
    i, rate = 0, 1 - order if p > 0 else -order
    while True:  # to the left
        values, _ = term(i)
        total = add(total, values, i)
        if values[0] < goal * total[0] * (1 - (-rate * h).exp()):
            break
        i -= 1
    i = 1
    while True:  # to the right; 1 - L^d tends to 1, and powers of t are a geometric sum
        values, done = term(i)
        if i > 30 and i % 2 == 0 and done:
            break
        total = add(total, values, i)
        i += 1
    if p > 0:
        power = ((h * i).exp() / mean) ** -order
        total = [
            total[0] + power / (1 - (-order * h).exp()),
            total[1] + 2 * power / (1 - (-2 * order * h).exp()),
        ]
    front = p / mpmath.gamma(1 - p) if p > 0 else 1 / mpmath.gamma(-p)
    return [front * to_mpf(x * h) for x in total]


def add(total: list[arb], values: list[arb], i: int) -> list[arb]:
    """Add a term to the sum, and to that with twice the step and every second node of the unit."""
    coarse = total[1] + 2 * values[1] if i % 2 == 0 else total[1]
    return [(total[0] + values[0]).mid(), coarse.mid()]


def moments(phi: Function, kind: str, q: mpf, width: int, orders: list[mpf]) -> list[list[mpf]]:
    """Return each moment with two steps."""
    if width <= 2:
        return [(single if width == 1 else double)(phi, kind, q, order) for order in orders]
    # exp(-t phi^2) is analytic for |Im y| < pi/4
    transform = Transform(unit(phi, kind, q, mpf(1) / 24, mpf(-115 - 200 // width)))
    return [laplace(transform, width, order / 2) for order in orders]


def main() -> None:
    path = Path(__file__).parent / "nonlinear.csv"
    mp.dps = ctx.dps = WORK
    names = sys.argv[1:]
    with path.open("a" if names else "w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        if not names:
            table.writerow(["activation", "variance", "width", "order", "value"])
        for name, (phi, kind) in functions().items():
            if names and name not in names:
                continue
            cases = [("1", width, texts) for width, texts in ORDERS.items()]
            cases += [(variance, 5, FIVE) for variance in VARIANCES.get(name, ())]
            for variance, width, texts in cases:
                if "tanh'" in name:  # GELU's tanh form has no moments of negative order
                    texts = tuple(x for x in texts if x[0] != "-")
                orders = [
                    mpf(Fraction(text).numerator) / Fraction(text).denominator for text in texts
                ]
                results = moments(phi, kind, mpf(variance), width, orders)
                for text, (value, other) in zip(texts, results, strict=True):
                    gap = abs(other / value - 1)
                    shown = mpmath.nstr(value, DIGITS)
                    print(name, variance, width, text, shown, mpmath.nstr(gap, 3), flush=True)
                    if not gap < mpf(10) ** (-DIGITS - 1 if width <= 2 else -DIGITS // 2 - 2):
                        raise ArithmeticError(name)
                    table.writerow([name, variance, width, text, shown])
                file.flush()


if __name__ == "__main__":
    main()
