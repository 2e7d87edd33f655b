"""Write rare_events.csv: probabilities of log R_1 + ... + log R_k beyond a level, 30 digits.

``python -m tests.reference.make_rare_events``. All with mpmath, from closed forms of the complex
moments (theory of one layer: chi, binomial mixture, Gauss's 2F1), by inverting the transform of
the sum along a vertical line,

    P(S > y) = (1/2 pi i) int prod M_i(z) exp(-z y)/z dz,  Re z > 0,
    P(S < y) = -(the same),                                Re z < 0 inside the domain,

with the trapezoidal rule, the step halved until 30 digits agree; digits lost to cancellation are
added to the precision. Products of linear layers also as Meijer's G function, which must agree.
Laws are given that no layer is dead. Columns: layers as activation:slope:width joined by "+",
repeats, side, level, log probability.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import cache
from pathlib import Path

import mpmath
from mpmath import mp

DIGITS = 30
Transform = Callable[[mpmath.mpc], mpmath.mpc]

# (layers, repeats, side, levels); levels between the bulk and far below 1e-100
CASES: list[tuple[str, int, str, list[str]]] = [
    ("linear:1:8", 3, "above", ["4", "6.5", "7.5", "9"]),
    ("linear:1:8", 3, "below", ["2", "-5", "-30"]),
    ("linear:1:1", 2, "above", ["2", "5.5"]),
    ("linear:1:64", 20, "above", ["43", "47", "50"]),
    ("relu:0:64", 100, "above", ["180", "198", "205"]),
    ("relu:0:64", 100, "below", ["165", "150", "140", "0"]),
    ("relu:0:4", 20, "above", ["20", "50"]),
    ("relu:0:4", 20, "below", ["-20", "-100", "-300"]),
    ("relu:0:16", 50, "below", ["40", "25", "0", "-150"]),
    ("relu:0:24", 30, "below", ["30", "20", "-5"]),
    ("relu:0:10+linear:1:20+leaky:0.25:6", 4, "above", ["28"]),
    ("relu:0:10+linear:1:20+leaky:0.25:6", 4, "below", ["5", "-30"]),
    ("leaky:0.01:8", 50, "below", ["20", "-100"]),
]


def chi(width: int, order: mpmath.mpc) -> mpmath.mpc:
    half = mpmath.mpf(width) / 2
    return mpmath.exp(
        order / 2 * mpmath.log(2) + mpmath.loggamma(half + order / 2) - mpmath.loggamma(half)
    )


def layer(description: str) -> Transform:
    """Return E[R^s; R > 0 given] of one layer."""
    kind, slope, text = description.split(":")
    width = int(text)

    def relu(order: mpmath.mpc) -> mpmath.mpc:
        alive = 1 - mpmath.mpf(2) ** -width
        moments = [mpmath.mpf(0), chi(1, order), chi(2, order)]
        for n in range(1, width - 1):
            moments.append(moments[n] * (n + order) / n)
        terms = (mpmath.binomial(width, n) * moments[n] for n in range(1, width + 1))
        return mpmath.fsum(terms) / mpmath.mpf(2) ** width / alive

    def leaky(order: mpmath.mpc) -> mpmath.mpc:
        rest = 1 - mpmath.mpf(slope) ** 2
        terms = (
            mpmath.binomial(width, n)
            * mpmath.hyp2f1(-order / 2, mpmath.mpf(width - n) / 2, mpmath.mpf(width) / 2, rest)
            for n in range(width + 1)
        )
        return chi(width, order) * mpmath.fsum(terms) / mpmath.mpf(2) ** width

    if kind == "relu":
        return relu
    return leaky if kind == "leaky" else lambda order: chi(width, order)


def transform(layers: str, repeats: int) -> Transform:
    parts = [layer(part) for part in layers.split("+")]

    @cache
    def whole(precision: int, order: mpmath.mpc) -> mpmath.mpc:
        del precision
        return mpmath.fprod(part(order) ** repeats for part in parts)

    return lambda order: whole(mp.prec, order)


def edge(layers: str) -> float:
    """Return the end of the domain of the moments below 0."""
    parts = [part.split(":") for part in layers.split("+")]
    return -min(1 if kind == "relu" else int(width) for kind, _, width in parts)


def saddle(f: Transform, level: mpmath.mpf, low: float, high: float) -> mpmath.mpf:
    """Return roughly where f(c) exp(-c level) is least between low and high."""
    golden = (mpmath.sqrt(5) - 1) / 2
    with mp.workdps(20):
        a, b = mpmath.mpf(low), mpmath.mpf(high)

        def value(c: mpmath.mpf) -> mpmath.mpf:
            return mpmath.log(f(mpmath.mpc(c)).real) - c * level

        for _ in range(25):
            c, d = b - golden * (b - a), a + golden * (b - a)
            a, b = (a, d) if value(c) < value(d) else (c, b)
        return mpmath.mpf(mpmath.nstr((a + b) / 2, 6))


def inverted(f: Transform, level: mpmath.mpf, line: mpmath.mpf, step: mpmath.mpf) -> mpmath.mpf:
    """Return the integral along Re z = line by the trapezoidal rule."""

    def value(t: mpmath.mpf) -> mpmath.mpf:
        z = mpmath.mpc(line, t)
        return (f(z) * mpmath.exp(-z * level) / z).real

    total, j, small = value(mpmath.mpf(0)) / 2, 1, 0
    largest = abs(total)
    while small < 5:
        term = value(j * step)
        total += term
        small = small + 1 if abs(term) < largest * mpmath.mpf(10) ** -mp.dps else 0
        j += 1
    return total * step / mpmath.pi * (1 if line > 0 else -1)


def log_probability(layers: str, repeats: int, side: str, text: str) -> mpmath.mpf:
    f, level = transform(layers, repeats), mpmath.mpf(text)
    end = edge(layers)
    low, high = (0.01, 400.0) if side == "above" else (0.6 * end, -0.01)
    line = saddle(f, level, low, high)
    with mp.workdps(DIGITS + 10):
        peak = mpmath.log(f(mpmath.mpc(line)).real) - line * level
        variance = mpmath.diff(lambda c: mpmath.log(f(mpmath.mpc(c)).real), line, 2)
    digits, lost = DIGITS + 10, 0
    for _ in range(6):
        with mp.workdps(digits + lost):
            nats = (digits + lost) * mpmath.log(10)
            room = line if side == "above" else min(-line, line - end)
            step = min(room / nats, 1 / mpmath.sqrt(2 * variance * nats)) * 2 * mpmath.pi
            before = inverted(f, level, line, step)
            result = inverted(f, level, line, step * mpmath.mpf("0.7"))
            if result > 0:
                now = int(max(0, (peak - mpmath.log(result)) / mpmath.log(10))) + 1
                if abs(result - before) < abs(result) * mpmath.mpf(10) ** -DIGITS:
                    return mpmath.log(result)
                lost = max(now, lost + 20)
            else:
                lost = 2 * lost + 60
    message = f"no agreement for {layers} x {repeats}, {side} {text}"
    raise ArithmeticError(message)


def meijer(width: int, repeats: int, side: str, text: str) -> mpmath.mpf:
    """Return the log probability for linear layers: R_1^2 ... R_k^2/2^k is a product of gammas."""
    x = mpmath.exp(2 * mpmath.mpf(text)) / mpmath.mpf(2) ** repeats
    shape = mpmath.mpf(width) / 2
    if side == "above":
        value = mpmath.meijerg([[], [1]], [[0] + [shape] * repeats, []], x)
    else:
        value = mpmath.meijerg([[1], []], [[shape] * repeats, [0]], x)
    return mpmath.log(value) - repeats * mpmath.loggamma(shape)


def main() -> None:
    path = Path(__file__).parent / "rare_events.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["layers", "repeats", "side", "level", "log_probability"])
        for layers, repeats, side, levels in CASES:
            for level in levels:
                value = log_probability(layers, repeats, side, level)
                if layers in ("linear:1:8", "linear:1:1"):
                    with mp.workdps(DIGITS + 20):
                        other = meijer(int(layers.split(":")[2]), repeats, side, level)
                    if abs(value - other) > 1e-25:
                        message = f"Meijer G disagrees: {layers} {level}: {value} {other}"
                        raise ArithmeticError(message)
                table.writerow([layers, repeats, side, level, mpmath.nstr(value, 25)])
                file.flush()
                print(layers, repeats, side, level, mpmath.nstr(value, 12), flush=True)


if __name__ == "__main__":
    main()
