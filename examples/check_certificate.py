"""Check a certificate of fracmoment without fracmoment: python check_certificate.py FILE.

Exit status 0: accepted, 1: rejected, 2: bad usage. Only python-flint is needed; one integral
serves every law. With X = R^2, L(t) = E exp(-t Y) of one unit, an integer m > p, t = exp(v):

    E[X^p; X > 0] = 1/Gamma(m - p) int exp((m - p) v) (-1)^m (d/dt)^m L(t)^d dv,

by FLINT's rigorous integration between two ends; `tails` bounds the rest. Derivatives at p = 0
give the logarithms. The claim must be the interval around the nearest number of so many bits.
"""

import argparse
import decimal
import hashlib
import json
import math
import sys
from fractions import Fraction
from pathlib import Path

from flint import acb, acb_series, arb, ctx, fmpq

FIELDS = "format version quantity law order given_alive digits precision lower upper decimal"
LAW = "activation width lower_slope upper_slope keep_prob inverted_dropout weights"


def demand(condition, reason):
    if not condition:
        raise ValueError(reason)


def ball(x):
    return arb(fmpq(x.numerator, x.denominator))


def number(data, key):
    text = data[key]
    plain = isinstance(text, str) and len(text) < 1000 and set(text) <= set("-0123456789/")
    demand(plain and str(Fraction(text)) == text, f"{key} is not a fraction in lowest terms")
    return Fraction(text)


class Law:
    """X = sum of d units b z^2: b = 1, a^2 (a fixed or uniform), or 0 with probability dead."""

    def __init__(self, data):
        demand(isinstance(data, dict) and set(data) == set(LAW.split()), "law has wrong fields")
        self.d, inverted = data["width"], data["inverted_dropout"]
        demand(type(self.d) is int and 1 <= self.d <= 10**6, "width is not in [1, 10^6]")
        demand(type(inverted) is bool, "inverted_dropout is not a flag")
        low, high, keep = (number(data, k) for k in ("lower_slope", "upper_slope", "keep_prob"))
        fit = {"linear": low == high == 1, "relu": low == high == 0}
        fit |= {"leaky_relu": low == high not in (0, 1), "rrelu": abs(low) <= high != low}
        demand(fit.get(data["activation"]) and high >= 0, "activation and slopes do not fit")
        demand(0 < keep < 1 or keep == inverted, "bad keep_prob or inverted_dropout")
        self.low, self.high, self.live = low, high, keep / 2
        self.orthogonal = {"gaussian": False, "orthogonal": True}[data["weights"]]
        self.scale = 1 / keep**2 if inverted else Fraction(1)
        self.dead = 1 - keep if low != high or low != 0 else 1 - keep / 2
        self.k = 1 if self.dead else self.d  # least number of live units
        self.mean = (3 + low * low + low * high + high * high) / 3 * self.live * self.scale * self.d
        self.largest = self.scale * max(1, low * low, high * high)

    def transform(self, t, length):
        """Return the series of L(t + e) in e: E (-2 Y)^k (1 + 2 b t)^(-1/2-k) C(2k, k)/4^k."""

        def root(a, k):
            square = ball(self.scale * a * a)
            return square**k * (1 + 2 * square * t) ** -(k + arb(0.5))

        def area(a, k):  # the integral of root from 0 to a
            square, half = ball(self.scale * a * a), k + arb(0.5)
            value = (-2 * square * t).hypgeom_2f1(half, half, half + 1)
            return ball(a) * square**k / (2 * half) * value

        terms = []
        for k in range(length):
            negative = root(self.low, k) if self.low else 0
            if self.low != self.high:
                negative = (area(self.high, k) - area(self.low, k)) / ball(self.high - self.low)
            terms.append((-arb(0.5)) ** k * math.comb(2 * k, k) * (root(1, k) + negative))
        return acb_series(terms) * ball(self.live) + ball(self.dead)

    def decay(self, p):
        """Return K, theta: E[exp(-t X/2); X > 0] <= K t^-theta, by all units if none is dead."""
        unit, e, inverse = (ball(self.scale) / ball(self.mean)).sqrt(), arb(0), arb(1)
        if self.low * self.high > 0:
            inverse += 1 / ball(min(abs(self.low), abs(self.high)))
        elif self.low != self.high:  # asinh(x) <= log(1 + 2 x) <= (2 x)^e/e; t >= 1
            e = ball(min(Fraction(1, 2), Fraction(1, 2) + p / self.k))
            areas = [(2 * ball(abs(a)) * unit) ** e / e for a in (self.low, self.high) if a]
            inverse += sum(areas) / ball(self.high - self.low)
        return self.d // self.k * (ball(self.live) * inverse / unit) ** self.k, self.k * (1 - e) / 2


def tails(law, p, m, j):
    """Return v0, v1 and a bound of the integral, with a factor |v|^j, outside of [v0, v1]."""
    constant, theta = law.decay(p)
    # E X^m <= max(b)^m 2^m (d/2)_m on the left, x^m exp(-t x/2) <= (2 m/(e t))^m on the right.
    below = (2 * ball(law.largest / law.mean)) ** m * ball(Fraction(law.d, 2)).rising(m)
    above = (2 * m / arb(1).exp()) ** m * constant
    ends, rest = [], arb(0)
    for size, rate in ((below, ball(m - p)), (above, ball(p) + theta)):
        v, bound = arb(1), arb(1)
        while not bound < arb(2) ** -ctx.prec:
            v = (v * 1.25).mid()
            demand(rate > 0 and v < 10**6, "the order is too near to the edge of its domain")
            terms = v**j / rate + j * v ** max(j - 1, 0) / rate**2 + j * (j - 1) / rate**3
            bound = size * (-rate * v).exp() * terms
        ends, rest = [*ends, v], rest + bound
    return -ends[0], ends[1], rest.upper()


def integral(law, p, m, j=0):
    """Return int v^j exp((m-p) v) E[X^m exp(-t X)] dv in units with E X = 1."""
    v0, v1, rest = tails(law, p, m, j)
    unit, ctx.cap = 1 / ball(law.mean), m + 1

    def integrand(v, analytic):
        if analytic and not abs(v.imag) < 1.5:  # t in the right half-plane: L is analytic
            return acb("nan")
        power = law.transform(v.exp() * unit, m + 1) ** law.d
        return (v * ball(m - p)).exp() * power[m] * (-unit) ** m * math.factorial(m) * v**j

    return acb.integral(integrand, v0, v1).real + arb(0, rest)


def constant(data, law, order):
    """Return the quantity: E R^order or the scale, or the mean or variance of log R."""
    quantity, given_alive, p = data["quantity"], data["given_alive"], order / 2
    alive, half, gamma = 1 - ball(law.dead) ** law.d, arb(law.d) / 2, arb.const_euler()
    fits = order > 0 or given_alive if law.dead else given_alive == (order == 0)
    demand(fits and type(given_alive) is bool, "bad given_alive")
    demand(max(-128, 0.25 - law.k) <= order <= 128, "order out of range")
    if quantity == "moment" or (quantity == "scale" and order):
        m = max(1, math.floor(p) + 1)
        value = integral(law, p, m) * ball(law.mean) ** ball(p) / ball(m - p).gamma()
        chi = (half + ball(p)).gamma() / half.gamma() * arb(2) ** ball(p)
        value = value / (chi if law.orthogonal else 1) / (alive if given_alive else 1)
        return value if quantity == "moment" else value ** ball(-1 / order)
    known = quantity in ("scale", "log_mean", "log_var") and order == 0 and given_alive
    demand(known, "unknown quantity, or a logarithm without order 0 and given_alive")
    first, second = (integral(law, p, 1, j) / alive for j in (1, 2))
    mean, square = -first - gamma, second + 2 * gamma * first + gamma**2 - arb.pi() ** 2 / 6
    variance = (square - mean * mean - (arb(2).zeta(half) if law.orthogonal else 0)) / 4
    mean = (mean + ball(law.mean).log() - (half.digamma() + arb(2).log()) * law.orthogonal) / 2
    return {"scale": (-mean).exp(), "log_mean": mean, "log_var": variance}[quantity]


def nearest(end, bits):
    """Return the integer m of so many bits and e for which m 2^e is nearest to an exact ball."""
    mantissa, exponent = (int(x) for x in end.man_exp())
    shift = abs(mantissa).bit_length() - bits
    m = round(Fraction(mantissa) / Fraction(2) ** shift)
    return (m // 2, exponent + shift + 1) if abs(m) == 2**bits else (m, exponent + shift)


def canonical(data):
    """Return the fields of the claim as they must be, from an enclosure sharp enough."""
    law, order, digits = Law(data["law"]), number(data, "order"), data["digits"]
    demand(type(digits) is int and 1 <= digits <= 1000, "digits is not in [1, 1000]")
    bits = max(64, digits * 3322 // 1000 + 4)
    for guard in (40, 200, 1000, 5000):
        ctx.prec = bits + guard
        value = constant(data, law, order)
        if value.is_finite() and not value.contains(0):
            (m, e), upper = nearest(value.lower(), bits), nearest(value.upper(), bits)
            if (m, e) == upper:
                ratio = (m * Fraction(2) ** e).as_integer_ratio()
                text = str(decimal.Context(digits).divide(*map(decimal.Decimal, ratio)))
                ends = [f"{'-' * (x < 0)}0x{abs(x):x}p{e:+d}" for x in (m - 1, m + 1)]
                return {"precision": bits, "decimal": text, "lower": ends[0], "upper": ends[1]}
    raise ValueError("the constant cannot be computed sharply enough")


def check(data):
    """Raise ValueError with the reason unless the certificate is what its claim demands."""
    fields = {*FIELDS.split(), "method", "versions", "sha256"}
    demand(isinstance(data, dict) and set(data) == fields, "the certificate has wrong fields")
    demand((data["format"], data["version"]) == ("fracmoment certificate", "1"), "wrong format")
    rest = {key: value for key, value in data.items() if key != "sha256"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    demand(hashlib.sha256(text.encode()).hexdigest() == data["sha256"], "the digest is wrong")
    for key, value in canonical(data).items():
        demand(repr(data[key]) == repr(value), f"{key} is {data[key]!r}, but must be {value!r}")


def main():
    parser = argparse.ArgumentParser(description="Check a certificate of fracmoment.")
    parser.add_argument("file", type=Path)
    try:
        check(json.loads(parser.parse_args().file.read_text("utf-8")))
    except (OSError, ArithmeticError, LookupError, ValueError, RecursionError) as error:
        sys.exit(f"rejected: {error}")
    print("accepted")


if __name__ == "__main__":
    main()
