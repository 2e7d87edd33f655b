"""Write gram_covariances.csv: covariances of Gram entries of one unit for up to four inputs.

``python -m tests.reference.make_gram_covariances``. No formula of the library is used. Inputs are
integer vectors: two entries that matter to all of them, and one of its own or none. So their
pre-activations are ``u_i = a_i z_1 + b_i z_2 + s_i e_i`` with independent normal z_1, z_2, e_i.
Given z the outputs are independent, of known means; two-dimensional trapezoidal sums over z
converge exponentially (in ball arithmetic), and two steps must agree to 20 digits. Without entries
of their own the inputs lie in a plane: then the unit's outputs are r times functions of one angle,
which mpmath integrates between their zeros. Columns: the slope, the inputs as a_i:b_i:s_i, which
entries i, j, k, l, and Cov(y_i y_j, y_k y_l).
"""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import mpmath
from flint import arb, ctx
from mpmath import mp

SLOPES = (0.0, 0.3, -0.5)
INPUTS = (
    ((1, 0, 1), (1, 1, 1), (0, 2, 1), (1, -1, 2)),
    ((2, 1, 1), (2, 1, 2), (1, 2, 1), (-1, 1, 1)),
    ((1, 2, 0), (3, 1, 0), (-2, 1, 0), (1, 1, 0)),
    ((1, 0, 0), (1000, 1, 0), (0, 1, 0), (-1, 3, 0)),
)
ENTRIES = ((0, 1, 2, 3), (0, 2, 1, 3), (0, 1, 0, 2), (1, 1, 2, 3))
Input = tuple[int, int, int]


def needed() -> set[tuple[int, ...]]:
    """Return the exponents of y_0, ..., y_3 of every mean that the covariances need."""
    parts = [part for i, j, k, m in ENTRIES for part in ((i, j, k, m), (i, j), (k, m))]
    return {tuple(part.count(n) for n in range(4)) for part in parts}


def output_moments(mean: arb, spread: int, slope: arb) -> list[arb]:
    """Return E y^0, E y and E y^2 of y = phi(mean + spread e)."""
    x = mean / spread
    above = (-x / arb(2).sqrt()).erfc() / 2
    density = (-x * x / 2).exp() / (2 * arb.pi()).sqrt()
    first = mean * above + spread * density
    whole = mean * mean + spread * spread
    second = whole * above + mean * spread * density
    return [arb(1), first + slope * (mean - first), second + slope**2 * (whole - second)]


def sums(inputs: tuple[Input, ...], slope: float, step: float) -> dict[tuple[int, ...], arb]:
    count = int(11 / step)
    grid = [arb(step) * i for i in range(-count, count + 1)]
    density = [(-x * x / 2).exp() * step / (2 * arb.pi()).sqrt() for x in grid]
    totals = dict.fromkeys(needed(), arb(0))
    for i, j in itertools.product(range(len(grid)), repeat=2):
        if (i - count) ** 2 + (j - count) ** 2 > count * count:
            continue
        weight = density[i] * density[j]
        moments = [output_moments(a * grid[i] + b * grid[j], s, arb(slope)) for a, b, s in inputs]
        for powers in totals:
            term = weight
            for m, n in zip(moments, powers, strict=True):
                term = term * m[n] if n else term
            totals[powers] = (totals[powers] + term).mid()
    return totals


def angular(inputs: tuple[Input, ...], slope: mpmath.mpf) -> dict[tuple[int, ...], mpmath.mpf]:
    """Return the same means for inputs in a plane."""
    turns = {mpmath.mpf(0), 2 * mpmath.pi}
    for a, b, _ in inputs:
        zero = mpmath.atan2(-a, b)  # a cos w + b sin w = 0
        turns |= {zero % (2 * mpmath.pi), (zero + mpmath.pi) % (2 * mpmath.pi)}

    def outputs(w: mpmath.mpf) -> list[mpmath.mpf]:
        values = [a * mpmath.cos(w) + b * mpmath.sin(w) for a, b, _ in inputs]
        return [v if v > 0 else slope * v for v in values]

    def mean(powers: tuple[int, ...]) -> mpmath.mpf:
        def term(w: mpmath.mpf) -> mpmath.mpf:
            return mpmath.fprod(v**n for v, n in zip(outputs(w), powers, strict=True))

        order = sum(powers)  # E r^order is 2 or 8
        scale = {2: 2, 4: 8}[order]
        return scale * mpmath.quad(term, sorted(turns)) / (2 * mpmath.pi)

    return {powers: mean(powers) for powers in needed()}


def main() -> None:
    ctx.prec = 110
    rows = []
    for inputs, slope in itertools.product(INPUTS, SLOPES):
        with mp.workdps(30):
            a = mpmath.mpf(slope)
            if inputs[0][2]:
                tables = [
                    {n: mpmath.mpf(x.mid().str(30, radius=False)) for n, x in table.items()}
                    for table in (sums(inputs, slope, step) for step in (0.17, 0.15))
                ]
            else:
                tables = []
                for digits in (26, 34):
                    with mp.workdps(digits):
                        tables.append(angular(inputs, a))
            for i, j, k, m in ENTRIES:
                found = []
                for table in tables:
                    means = [
                        table[tuple(part.count(n) for n in range(4))]
                        for part in ((i, j, k, m), (i, j), (k, m))
                    ]
                    found.append(means[0] - means[1] * means[2])
                gap = abs(found[0] - found[1]) / max(1, abs(found[1]))
                if gap > mpmath.mpf("1e-20"):
                    raise ArithmeticError(inputs, slope, gap)
                named = " ".join(":".join(map(str, vector)) for vector in inputs)
                rows.append([slope.hex(), named, f"{i}{j}{k}{m}", mpmath.nstr(found[1], 20)])
        print(inputs, slope, flush=True)
    path = Path(__file__).with_name("gram_covariances.csv")
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["slope", "inputs", "entries", "covariance"])
        writer.writerows(rows)


if __name__ == "__main__":
    main()
