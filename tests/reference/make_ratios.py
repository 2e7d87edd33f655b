"""Ratios with closed forms (chi, chi ratio, Beta, F): ``python -m tests.reference.make_ratios``.

Gamma functions are evaluated by mpmath and, independently, by python-flint.
"""

from __future__ import annotations

import csv
import random
import sys
from pathlib import Path

import mpmath
from flint import arb, ctx

DIGITS = 80


def by_mpmath(above: list, below: list, base, power) -> mpmath.mpf:
    with mpmath.workdps(DIGITS + 40):
        logarithm = sum(mpmath.loggamma(mpmath.mpf(x)) for x in above)
        logarithm -= sum(mpmath.loggamma(mpmath.mpf(x)) for x in below)
        return mpmath.exp(logarithm) * mpmath.mpf(base) ** mpmath.mpf(power)


def by_flint(above: list, below: list, base, power) -> arb:
    value = arb(1)
    for x in above:
        value *= x.gamma()
    for x in below:
        value /= x.gamma()
    return value * base**power


def parameters(kind: str, m: float, n: float, s: float) -> tuple[list, list, object, object]:
    """Arguments of the gamma functions above and below, and a power in front."""
    one = arb(1)
    a, b, p = arb(m), arb(n), arb(s)
    if kind == "chi":
        return [(a + p) / 2], [a / 2], 2 * one, p / 2
    if kind == "chi_ratio":
        return [(a + p) / 2, (b - p) / 2], [a / 2, b / 2], one, one
    if kind == "beta":
        return [a + p, a + b], [a, a + b + p], one, one
    return [a / 2 + p, b / 2 - p], [a / 2, b / 2], b / a, p


def main() -> None:
    ctx.prec = 400
    generator = random.Random("ratios")
    rows = []
    worst = 0.0
    for kind in ("chi", "chi_ratio", "beta", "f"):
        count = 0
        while count < 150:
            m, n = (float(f"{10 ** generator.uniform(-1.5, 9):.6g}") for _ in "mn")
            if generator.random() < 0.5:
                m, n = float(max(1, round(m))), float(max(1, round(n)))
            low = {"chi": -m, "chi_ratio": -m, "beta": -m, "f": -m / 2}[kind]
            high = {"chi": 64.0, "chi_ratio": n, "beta": 64.0, "f": n / 2}[kind]
            low, high = max(low, -64.0), min(high, 64.0)
            s = generator.uniform(low, high)
            if generator.random() < 0.2:
                s = low + (high - low) * 2.0**-20
            elif generator.random() < 0.2:
                s = generator.choice([0.5, 1.0, 2.0, -1.0, 2.0**-20, 64.0, 3.0])
            if not low < s < high:
                continue
            value = by_flint(*parameters(kind, m, n, s))
            if not arb(sys.float_info.min) < value < arb(sys.float_info.max):
                continue
            with mpmath.workdps(DIGITS + 40):
                exact = [
                    [mpmath.mpf(x.mid().str(130, radius=False)) for x in part]
                    for part in parameters(kind, m, n, s)[:2]
                ]
                base, power = (
                    mpmath.mpf(x.mid().str(130, radius=False))
                    for x in parameters(kind, m, n, s)[2:]
                )
            with mpmath.workdps(DIGITS):
                other = by_mpmath(exact[0], exact[1], base, power)
                mine = mpmath.mpf(value.str(DIGITS, radius=False))
                gap = float(abs(other / mine - 1))
            worst = max(worst, gap)
            if gap > 1e-45:
                message = f"{kind} {m} {n} {s}: {gap}"
                raise ArithmeticError(message)
            rows.append([kind, m.hex(), n.hex(), s.hex(), value.str(42, radius=False)])
            count += 1
    path = Path(__file__).with_name("ratios.csv")
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["kind", "m", "n", "order", "value"])
        writer.writerows(rows)
    print(f"ratios.csv: {len(rows)} rows; largest relative disagreement {worst:.1e}")


if __name__ == "__main__":
    main()
