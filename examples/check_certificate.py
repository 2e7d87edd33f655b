"""Check a certificate of fracmoment without fracmoment: python check_certificate.py FILE.

Exit status 0: accepted, 1: rejected, 2: bad usage. Needs python-flint only. With X = R^2, Q(t) =
(-1)^m (d/dt)^m E exp(-t X), an integer m > p, k the least number of live units, t = exp(v),
    E[X^p; X > 0] = 1/((k/2 + p) Gamma(m - p)) int exp((m - p) v) ((k/2 + m) Q + t dQ/dt) dv
by the trapezoidal rule of step h; derivatives at p = 0 give the cumulants of log R. The claim must
be the interval around the nearest number of so many bits. docs/certificates.md has the proofs.
"""

import decimal
import hashlib
import json
import math
import sys
from fractions import Fraction
from pathlib import Path

from flint import arb, arb_series, ctx, fmpq

FIELDS = "format version quantity law given_alive digits precision lower upper decimal method"
LAW = "activation width lower_slope upper_slope keep_prob inverted_dropout weights"
STRIP = arb(1.25)  # the half-width a of the strip |Im v| < a


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
        low, high, keep = (number(data, k) for k in ("lower_slope", "upper_slope", "keep_prob"))
        fit = {"linear": low == high == 1, "relu": low == high == 0}
        fit |= {"leaky_relu": low == high not in (0, 1), "rrelu": abs(low) <= high != low}
        demand(fit.get(data["activation"]) and high >= 0, "activation and slopes do not fit")
        demand(type(inverted) is bool and (0 < keep < 1 or keep == 1 == inverted), "bad dropout")
        self.low, self.high, self.live = low, high, keep / 2
        self.orthogonal = {"gaussian": False, "orthogonal": True}[data["weights"]]
        self.scale = 1 / keep**2 if inverted else Fraction(1)
        self.dead = 1 - keep if (low, high) != (0, 0) else 1 - keep / 2
        self.k = 1 if self.dead else self.d  # least number of live units
        self.mean = (3 + low * low + low * high + high * high) / 3 * self.live * self.scale * self.d
        self.vanishing, self.half = low * high <= 0 and low != high, ball(Fraction(self.k, 2))

    def transform(self, t, length):
        """Return the series of L(t + e) in e, L(t) = E exp(-t Y) = E (1 + 2 b t)^(-1/2)."""

        def part(a, k, area=False):  # for the slope a, or the integral over slopes from 0 to a
            b, n = ball(self.scale * a * a), k + arb(0.5)
            if area:
                return ball(a) * b**k * (-2 * b * t).hypgeom_2f1(n, n, n + 1) / (2 * n)
            return b**k * (1 + 2 * b * t) ** -n

        terms, low, high = [], self.low, self.high
        for k in range(length):
            value = part(1, k) + (part(low, k) if low and low == high else 0)
            if low != high:
                value += (part(high, k, area=True) - part(low, k, area=True)) / ball(high - low)
            terms.append((-arb(0.5)) ** k * math.comb(2 * k, k) * value * ball(self.live))
        return arb_series(terms, prec=length) + ball(self.dead)

    def tails(self, p, m):
        """Return sizes and rates of exponentials that bound the integrand left and right of 0."""
        unit, e, inverse = ball(self.scale / self.mean).sqrt(), arb(0), arb(1)
        ends = [abs(a) for a in (self.low, self.high) if a]
        if self.vanishing:  # asinh(x) <= log(1 + 2 x) <= (2 x)^e/e; t >= 1
            e = ball(min(Fraction(1, 2), Fraction(1, 2) + p / self.k))
            inverse += sum((2 * ball(a) * unit) ** e / e for a in ends) / ball(self.high - self.low)
        elif self.low:
            inverse += 1 / ball(min(ends))
        least, most = ((unit * ball(f([1, *ends]))) ** 2 * 2 for f in (min, max))
        each, rate = ball(self.live) * inverse / unit, ball(p) + self.k * (1 - e) / 2
        first, second = ((2 * n / arb(1).exp()) ** n for n in (m, m + 1))
        whole = self.d // self.k * each**self.k
        size = (self.half + m) * first + second if self.vanishing else second / least
        right = [(size * whole, rate + (0 if self.vanishing else 1))]
        if self.dead and self.d > 1:
            right += [(first * each**2 * (self.d * math.comb(self.d, 2)), ball(p + 1))]
        return [((arb(self.d) / 2).rising(m) * most**m * (self.k + m + 1), ball(m - p))], right

    def integrals(self, p, m, count=1):
        """Return the rule's sums with factors v^j, in units with E X = 1, and exp(2 pi a/h) - 1."""
        step = arb(7.85 / (0.7 * ctx.prec + 10 + 1.16 * float(m + 1 - p)))
        unit, sums, reach, rest = 1 / ball(self.mean), [arb(0)] * count, [], arb(0)
        size, slack = math.factorial(count - 1) * 8 ** (count - 1), arb(0.125) * (count > 1)
        for parts in self.tails(p, m):  # |v|^j <= j! 8^j exp(|v|/8)
            side = [(size * x, rate - slack) for x, rate in parts]
            ends = [(x.log() + (ctx.prec + 8) * arb.const_log2()) / rate for x, rate in side]
            reach.append(max(1, *(math.ceil(float(v / step)) for v in ends)))
            rest += sum(x * (-rate * reach[-1] * step).exp() / rate for x, rate in side)
        ctx.cap = max(m + 2, count)
        for i in range(-reach[0], reach[1] + 1):
            v, t = i * step, (i * step).exp() * unit
            series = self.transform(t, m + 2) ** self.d
            value = (self.half + m) * series[m] + (m + 1) * t * series[m + 1]
            value *= (v * ball(m - p)).exp() * (-unit) ** m * math.factorial(m) * step
            sums = [total + value * v**j for j, total in enumerate(sums)]
        return [x + arb(0, rest.upper()) for x in sums], (2 * arb.pi() * STRIP / step).expm1()

    def moment(self, order, unit=False):
        """Return E[R^order; R > 0], or E[X^(order/2); X > 0] in units with E X = 1."""
        low, p, half = max(-128, Fraction(self.vanishing, 4) - self.k), order / 2, arb(self.d) / 2
        demand(low <= order <= 128 and order != -self.k, "order out of range")
        m, edge = max(1, math.floor(p + Fraction(3, 2))), ball(p) + self.half
        (value,), decay = self.integrals(p, m)
        value = value / (ball(m - p).gamma() * edge)
        error = 2 * (edge + 2 * ball(m - p)) / (edge * STRIP.cos() ** ball(m + 1 - p) * decay)
        value += arb(0, (abs(value) * error / (1 - error)).upper()) if error < 1 else arb("nan")
        chi = (half + ball(p)).gamma() / half.gamma() * arb(2) ** ball(p) if self.orthogonal else 1
        return value if unit else value * ball(self.mean) ** ball(p) / chi

    def cumulant(self, n):
        """Return the n-th derivative of log E[R^s; R > 0] at s = 0."""
        # (|v| + a)^j <= j! 4^j exp((|v| + a)/4), E X^(1/4) <= 1, and Gamma(3/4), Gamma(5/4) < 1.3.
        error = 2.6 * (self.moment(Fraction(-1, 2), unit=True) + 1) * (self.half + 2.25)
        sums, decay = self.integrals(Fraction(0), 1, n + 1)
        error = (error * (STRIP / 4).exp() / (STRIP.cos() ** 2.25 * decay)).upper()
        balls = [x / math.factorial(j) + arb(0, error * 4**j) for j, x in enumerate(sums)]
        p, terms = arb_series([0, 1]), [x * (-1) ** j for j, x in enumerate(balls)]
        total = arb_series(terms).log() - (1 - p).lgamma() - (p + self.half).log()
        total -= ((p + arb(self.d) / 2).lgamma() + p * arb.const_log2()) * self.orthogonal
        total += p * ball(self.mean).log()
        return total[n] * math.factorial(n) / 2**n


def certain(data, law, low, high):
    """Return whether the constant is proved to lie between two numbers; raise if it does not."""
    quantity, alive = data["quantity"], data["given_alive"]
    if quantity == "tail_index":  # E (sigma R)^s - 1 changes its sign once for s > 0
        sigma = ball(number(data, "sigma"))
        demand(sigma > 0 and not alive and low > 0, "bad sigma, given_alive or tail index")
        left, right = (law.moment(s) * sigma ** ball(s) - 1 for s in (low, high))
    else:
        order = number(data, "order")
        n = {"scale": 1, "log_mean": 1, "log_var": 2, "cumulant": order}.get(quantity, 0)
        if quantity in ("scale", "moment") and order:
            demand(alive or order > 0 if law.dead else not alive, "bad given_alive")
            value = law.moment(order) / (1 - ball(law.dead) ** law.d if alive else 1)
            value = value ** ball(-1 / order) if quantity == "scale" else value
        else:
            demand(alive and (n in range(3, 9) if n == order else n and not order), "bad quantity")
            value = (-law.cumulant(1)).exp() if quantity == "scale" else law.cumulant(int(n))
        left, right = ball(low) - value, ball(high) - value
    demand(not (left > 0 or right < 0), "the claimed interval does not contain the constant")
    return left < 0 < right


def check(data):
    """Raise ValueError with the reason unless the certificate is what its claim demands."""
    fields = {*FIELDS.split(), "sigma" if data["quantity"] == "tail_index" else "order"}
    demand(set(data) == {*fields, "versions", "sha256"}, "the certificate has wrong fields")
    law, digits, flag = Law(data["law"]), data["digits"], data["given_alive"]
    demand(type(digits) is int and 1 <= digits <= 1000 and type(flag) is bool, "bad digits or flag")
    bits, (m, e) = max(64, digits * 3322 // 1000 + 4), str(data["lower"]).split("p")
    m, e = int(m, 16) + 1, int(e)
    demand(abs(m).bit_length() == bits and abs(e) < 10**6, "the claim has another precision")
    ratio = (m * Fraction(2) ** e).as_integer_ratio()
    rest = {key: value for key, value in data.items() if key != "sha256"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    low, high = (f"{'-' * (x < 0)}0x{abs(x):x}p{e:+d}" for x in (m - 1, m + 1))
    expected = {"format": "fracmoment certificate", "version": "1", "precision": bits}
    expected |= {"lower": low, "upper": high, "sha256": hashlib.sha256(text.encode()).hexdigest()}
    expected["decimal"] = str(decimal.Context(digits).divide(*map(decimal.Decimal, ratio)))
    for key, value in expected.items():
        demand(repr(data[key]) == repr(value), f"{key} is {data[key]!r}, but must be {value!r}")
    # Numbers nearer to 0 than a power of 2 are twice as close to each other.
    halves = [Fraction(s, 4 if s * m == -(2 ** (bits - 1)) else 2) for s in (-1, 1)]
    for guard in (40, 200, 1000, 5000):
        ctx.prec = bits + guard
        if certain(data, law, *((m + half) * Fraction(2) ** e for half in halves)):
            return
    raise ValueError("the constant cannot be computed sharply enough")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        print("usage: check_certificate.py FILE", file=sys.stderr)
        sys.exit(2)
    try:
        check(json.loads(Path(sys.argv[1]).read_text("utf-8")))
    except (ArithmeticError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
        sys.exit(f"rejected: {error}")
    print("accepted")
