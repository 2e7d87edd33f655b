"""Write signal_laws.csv: P(|x_2| <= r, x_2 alive) of two layers with biases, 25 digits.

``python -m tests.reference.make_signal_laws``. All with mpmath: given n live units R^2 is a
chi-square variate, so with y = R_1^2

    P(|x_2|^2 <= u) = sum over n, m of P(n) P(m) int f_n(y) F_m(u/q(y)) dy,   q(y) = s^2 A y + b^2,

A the variance of the first layer's pre-activations. F_m is an incomplete gamma function, the
integral is over log y by the trapezoidal rule, its step halved until 30 digits agree. A dead first
layer is the term q = b^2. Columns: activation:width of both layers joined by "+", sigma and bias
(of both layers, the input has norm 1), r, probability. Linear layers have no other n than d.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import mpmath
from mpmath import mp, mpf

CASES = [
    ("relu:3+relu:2", "0.75", "0.5", ["0.001", "0.25", "1", "2", "5"]),
    ("linear:4+linear:4", "0.5", "0.25", ["0.125", "1", "2.5", "6"]),
    ("relu:4+linear:3", "1", "0.125", ["0.0625", "1", "4", "12"]),
    ("linear:1+relu:4", "0.5", "2", ["0.5", "3", "10"]),
    ("relu:1+relu:1", "1", "1", ["1e-6", "1", "8"]),
]


def units(layer: str) -> Iterator[tuple[int, mpf]]:
    """Yield the numbers of live units and their probabilities."""
    kind, text = layer.split(":")
    width = int(text)
    if kind == "linear":
        yield width, mpf(1)
    else:
        for n in range(width + 1):
            yield n, mpmath.binomial(width, n) / mpf(2) ** width


def below(freedom: int, x: mpf) -> mpf:
    return mpmath.gammainc(mpf(freedom) / 2, 0, x / 2, regularized=True)


def mixed(first: int, second: int, u: mpf, scales: tuple[mpf, mpf, mpf]) -> mpf:
    """Return the integral for given numbers of live units, both > 0."""
    start, weight, noise = scales
    half = mpf(first) / 2

    def integrand(v: mpf) -> mpf:
        y = mpmath.exp(v)
        density = mpmath.exp(half * v - y / 2 - half * mpmath.log(2) - mpmath.loggamma(half))
        return density * below(second, u / (weight * start * y + noise))

    def total(step: mpf) -> mpf:
        low, high = -2 * mp.dps * mpmath.log(10) / first, mpmath.log(6 * mp.dps + 10 * first)
        count = int((high - low) / step)
        return step * mpmath.fsum(integrand(low + j * step) for j in range(count))

    step = mpf("0.2")
    before = total(step)
    for _ in range(5):
        step /= 2
        now = total(step)
        if abs(now - before) < mpf(10) ** -28:
            return now
        before = now
    raise ArithmeticError("no agreement")


def probability(layers: str, sigma: str, bias: str, r: str) -> mpf:
    first, second = layers.split("+")
    weight, noise, u = mpf(sigma) ** 2, mpf(bias) ** 2, mpf(r) ** 2
    result = mpf(0)
    for n, p in units(first):
        for m, q in units(second):
            if m and n:
                result += p * q * mixed(n, m, u, (weight + noise, weight, noise))
            elif m:
                result += p * q * below(m, u / noise)
    return result


def main() -> None:
    path = Path(__file__).parent / "signal_laws.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["layers", "sigma", "bias", "r", "probability"])
        for layers, sigma, bias, points in CASES:
            for r in points:
                with mp.workdps(32):
                    value = probability(layers, sigma, bias, r)
                table.writerow([layers, sigma, bias, r, mpmath.nstr(value, 25)])
                file.flush()
                print(layers, r, mpmath.nstr(value, 12), flush=True)


if __name__ == "__main__":
    main()
