"""Contraction of SGD on least squares: ``python -m tests.reference.make_sgd``.

The definition itself, ``E ((1 - t X)^2 + t^2 X Z)^(s/2)`` for chi-square X and Z, as a double
trapezoidal sum in ball arithmetic. X is split at the singular point 1/t, and the inner variable is
log Z. Each value is computed with two pairs of steps, and even orders also as polynomials, from the
moments of X and Z term by term.

Orders next to the edge -d are integrals over X alone: given X the mean over Z is a confluent
hypergeometric function, and the singularity |1 - t X|^(s + d - 1) is taken out by a change of
variables. mpmath integrates at two precisions.
"""

from __future__ import annotations

import csv
import math
from fractions import Fraction
from pathlib import Path

import mpmath
from flint import arb, ctx

NATS = 50.0  # what is left out is below exp(-NATS) of the largest term
AGREE = 1e-18

CASES = [
    # step, batch, dimension, orders
    (1.0, 1, 1, (-0.5, 0.3, 1.0, 2.5, 4.0, 16.0, 64.0)),
    (0.1, 1, 1, (1.0, 16.0, 17.284, 40.0)),
    (2.5, 1, 1, (-0.75, 1.0)),
    (0.5, 1, 2, (-0.5, 0.5, 2.0, 3.3)),
    (0.01, 1, 2, (3.0, 64.0)),
    (1.9, 7, 1, (-0.5, 1.0, 33.0)),
    (0.5, 4, 3, (-1.0, 0.1, 1.0, 3.0, 8.929, 64.0)),
    (3.0, 2, 5, (-2.0, 0.7, 12.0)),
    (0.15, 10, 100, (-32.0, 1.0, 6.0, 58.2463)),
    (1e-6, 100, 10, (1.0, 5.0)),
    (1e6, 3, 4, (-0.5, 1.5)),
    (1.0, 1000, 1000, (-64.0, 0.5, 1.0, 3.0, 64.0)),
    (2.0, 1, 1000, (1.0, 6.0)),
    (1.0, 1000, 1, (-0.5, 1.0, 5.0)),
    (1.0, 10**6, 10**6, (-3.0, 1.0, 7.0)),
    (0.5, 1, 10**6, (1.0, 4.0)),
    (1.0, 10**6, 2, (1.0, 3.0)),
    (0.02, 100, 10**4, (1.0, 20.0)),
]

EDGES = [
    # step, batch, dimension, orders
    (2.5, 1, 1, (-0.999,)),
    (0.5, 1, 2, (-1.98,)),
    (0.5, 4, 3, (-2.75,)),
]


def edge(slope: float, start: float, direction: int) -> float:
    """Where slope x - exp(x)/2 is NATS below its value at the maximum, on one side."""

    def below(x: float) -> bool:
        return slope * x - math.exp(x) / 2 < slope * start - math.exp(start) / 2 - NATS

    low, high = 0.0, 1.0
    while not below(start + direction * high):
        high *= 2.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if below(start + direction * middle) else (middle, high)
    return start + direction * high


def log_chi_square(freedom: int, log_x: arb, x: arb) -> arb:
    """Log density of log chi^2."""
    half = arb(freedom) / 2
    return half * log_x - x / 2 - half * arb(2).log() - half.lgamma()


class Inner:
    """Nodes in log Z, as pairs of Z and its weight."""

    def __init__(self, freedom: int, orders: tuple[float, ...], fine: float) -> None:
        if freedom == 0:
            self.nodes = [(arb(0), arb(1))]
            return
        p, negative = max(*orders, 0.0) / 2, min(*orders, 0.0) / 2
        k = freedom / 2
        low = edge(k + negative, math.log(2 * (k + negative)), -1)  # where Q is Z alone
        high = edge(k + p, math.log(2 * (k + p)), 1)
        step = min(0.18, 0.45 / math.sqrt(k + p)) * fine
        self.nodes = []
        for i in range(int((high - low) / step) + 2):
            log_z = arb(low) + arb(step) * i
            z = log_z.exp()
            weight = log_chi_square(freedom, log_z, z).exp() * arb(step)
            self.nodes.append((z.mid(), weight.mid()))


def values(
    step: float, batch: int, dimension: int, orders: tuple[float, ...], fine: float
) -> list[arb]:
    """E Q^(s/2) of every order s, then E log Q and E log^2 Q."""
    t = arb(step) / batch
    inner = Inner(dimension - 1, orders, fine).nodes
    powers = [arb(order) / 2 for order in orders]
    spread = math.sqrt(2 / batch)
    narrow = abs(math.log(step)) > 0.5 or abs(1 - step) > 20 * spread  # else w spreads over units
    tilt = max(*orders, 0.0)
    width = min(0.09, 0.4 * spread if narrow else 1.0, 0.5 / math.sqrt(1.0 + tilt)) * fine
    lowest = edge(batch / 2, math.log(batch), -1) + math.log(step / batch)  # log(t X)
    highest = edge(batch / 2 + tilt, math.log(batch + 2 * tilt), 1) + math.log(step / batch)
    decay = min(1.0, min(orders) + dimension)
    totals = [arb(0)] * (len(orders) + 2)
    for left in (True, False):
        if left:
            start = lowest - math.log(-math.expm1(lowest)) if lowest < -1e-9 else NATS / decay
            stop = NATS / decay
            if highest < -1e-9:
                stop = min(stop, highest - math.log(-math.expm1(highest)))
        else:
            start = -NATS / decay
            if lowest > 1e-9:
                start = max(start, math.log(math.expm1(lowest)))
            stop = math.log(math.expm1(highest)) if highest > 1e-9 else start
        for i in range(int(max(stop - start, 0.0) / width) + 1):
            w = arb(start) + arb(width) * i
            e = (-w).exp() if left else w.exp()
            distance = e / (1 + e) if left else e
            total = 1 / (1 + e) if left else 1 + e
            speed = distance if left else distance / total  # d log X/dw
            x = total / t
            weight = log_chi_square(batch, x.log(), x).exp() * speed * arb(width)
            a, c = (distance * distance).mid(), (t * total).mid()
            sums = [arb(0)] * len(totals)
            for z, share in inner:
                log_q = (a + c * z).log()
                for m, p in enumerate(powers):
                    sums[m] += share * (p * log_q).exp()
                sums[-2] += share * log_q
                sums[-1] += share * log_q * log_q
            totals = [y + weight * part for y, part in zip(totals, sums, strict=True)]
    return totals


def polynomial(step: float, batch: int, dimension: int, half: int) -> Fraction:
    """E Q^half exactly: (1 - 2 t X + t^2 X^2 + t^2 X Z)^half, term by term in X and Z."""

    def moment(freedom: int, k: int) -> int:
        return math.prod(freedom + 2 * i for i in range(k))

    t = Fraction(step) / batch
    total = Fraction(0)
    for k in range(half + 1):  # power of t^2 X Z
        for i in range(2 * (half - k) + 1):  # power of -t X in (1 - t X)^(2 (half - k))
            ways = math.comb(half, k) * math.comb(2 * (half - k), i) * (-1) ** i
            total += ways * t ** (2 * k + i) * moment(batch, k + i) * moment(dimension - 1, k)
    return total


def near_the_edge(step: float, batch: int, dimension: int, order: float) -> mpmath.mpf:
    """E Q^(s/2) for s + d < 1, as an integral over r = |1 - t X| on both sides of 1."""
    t, p, k = mpmath.mpf(step) / batch, mpmath.mpf(order) / 2, mpmath.mpf(dimension - 1) / 2
    half, delta = mpmath.mpf(batch) / 2, mpmath.mpf(order) + dimension
    log_norm = half * mpmath.log(2) + mpmath.loggamma(half) + mpmath.log(t)

    def smooth(r: mpmath.mpf, sign: int) -> mpmath.mpf:  # the integrand over r^(delta - 1)
        total = 1 + sign * r
        if total <= 0:
            return mpmath.mpf(0)
        x = total / t
        density = mpmath.exp((half - 1) * mpmath.log(x) - x / 2 - log_norm)
        scale = 2 * t * total
        return density * scale**-k * mpmath.hyperu(k, k + 1 + p, r * r / scale) if k else density

    def inner(sign: int) -> mpmath.mpf:  # up to r = 1/2, in y = r^delta
        ends = [mpmath.mpf(0), mpmath.mpf(2) ** (-4 * delta), mpmath.mpf(2) ** -delta]
        return mpmath.quad(lambda y: smooth(y ** (1 / delta), sign), ends) / delta

    def outer(r: mpmath.mpf, sign: int) -> mpmath.mpf:
        return r ** (delta - 1) * smooth(r, sign)

    middle, last = mpmath.mpf(1) / 2, t * (batch + 40 * mpmath.sqrt(batch) + 200)
    # to x = 0 in its square root
    left = mpmath.quad(lambda v: 2 * v * outer(1 - v * v, -1), [0, mpmath.sqrt(middle)])
    ends = [middle]
    while ends[-1] < last:
        ends.append(3 * ends[-1])
    return inner(-1) + inner(1) + left + mpmath.quad(lambda r: outer(r, 1), ends)


def main() -> None:
    ctx.prec = 128
    rows, worst = [], 0.0
    for step, batch, dimension, orders in CASES:
        first, second = (values(step, batch, dimension, orders, fine) for fine in (1.0, 0.83))
        gaps = [float(abs(a / b - 1).mid()) for a, b in zip(first, second, strict=True)]
        for order, number in zip(orders, second, strict=False):
            if order > 0.0 and order % 2.0 == 0.0:
                exact = polynomial(step, batch, dimension, int(order) // 2)
                gaps.append(float(abs(number * exact.denominator / exact.numerator - 1).mid()))
        print(step, batch, dimension, f"{max(gaps):.1e}", flush=True)
        if max(gaps) > AGREE:
            raise ArithmeticError(gaps)
        worst = max(worst, *gaps)
        mean = second[-2] / 2
        named = [(order, "log_moment", x.log()) for order, x in zip(orders, second, strict=False)]
        named += [(0.0, "log_mean", mean), (0.0, "log_var", second[-1] / 4 - mean * mean)]
        for order, name, number in named:
            text = number.mid().str(22, radius=False)
            rows.append([step.hex(), batch, dimension, float(order).hex(), name, text])
    for step, batch, dimension, edges in EDGES:
        for order in edges:
            found = []
            for digits in (25, 32):
                with mpmath.workdps(digits):
                    found.append(mpmath.log(near_the_edge(step, batch, dimension, order)))
            gap = float(abs(found[0] - found[1]) / max(1, abs(found[1])))
            print(step, batch, dimension, order, f"{gap:.1e}", flush=True)
            if gap > AGREE:
                raise ArithmeticError(gap)
            text = mpmath.nstr(found[1], 22)
            rows.append([step.hex(), batch, dimension, order.hex(), "log_moment", text])
    path = Path(__file__).with_name("sgd.csv")
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["step", "batch_size", "dimension", "order", "quantity", "value"])
        writer.writerows(rows)
    print(f"sgd.csv: {len(rows)} rows; largest relative disagreement {worst:.1e}")


if __name__ == "__main__":
    main()
