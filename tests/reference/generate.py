"""From lists of laws to verified tables: what every ``make_*.py`` script shares.

A value is written only when two definitions (see definitions.py), or one definition with two
contours and step sizes, agree to ``AGREE`` relative digits.  The largest disagreement of every
quantity is printed at the end of a run.
"""

from __future__ import annotations

import csv
import math
import random
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import mpmath
from flint import acb, arb, ctx

from .definitions import LOG_BITS, WORK_BITS, Law, decimal, relative_gap

AGREE = 45
HEADER = [
    "lower", "upper", "width", "keep_prob", "inverted", "weights", "given_alive",
    "quantity", "argument", "value",
]  # fmt: skip
HERE = Path(__file__).parent
# Doubles outside this range are subnormal, zero or infinite.
SMALLEST, LARGEST = arb(sys.float_info.min), arb(sys.float_info.max)


@dataclass(frozen=True)
class Config:
    """One gain law as the package sees it."""

    lower: float
    upper: float
    width: int
    keep: float = 1.0
    inverted: bool = True
    weights: str = "gaussian"

    @property
    def law(self) -> Law:
        return Law(self.lower, self.upper, self.width, self.keep)

    @property
    def factor(self) -> arb:
        """R is this times the plain gain."""
        return 1 / arb(self.keep) if self.inverted else arb(1)


class DisagreementError(ArithmeticError):
    """Two definitions gave different numbers."""


worst: dict[str, float] = defaultdict(float)


def agree(name: str, first, *others) -> None:
    for other in others:
        gap = relative_gap(first, other)
        worst[name] = max(worst[name], gap)
        if not gap < 10.0**-AGREE:
            message = f"{name}: relative gap {gap}"
            raise DisagreementError(message)


def plain_moment(law: Law, p) -> acb:
    """E[X^p; X > 0] of the plain law, X = R^2, by at least two routes."""
    p = acb(p)
    real = float(p.real.mid())
    low = not law.has_atom and real < -0.4
    ctx.prec = 1100 if low and real > -0.5 else WORK_BITS + int(12 * abs(float(p.imag.mid())))
    values = []
    if real < 0.7:
        values.append(law.laplace(p, 1))
    if low:
        values.append(law.laplace(p, 0))
    elif law.has_atom and real < 0:
        values.append(law.laplace(p, 1, right=5.5, left=2.0, step=0.083))
    else:
        values.append(law.inversion(p))
        if real >= 0.7:
            values.append(law.inversion(p, shift=0.85, slant=0.45, step=0.17))
    if p.imag == 0 and law.kind != "randomized":
        q = p.real
        binomial = law.kind != "leaky"
        if (binomial and law.width <= 10**6) or law.width <= (12 if law.keep < 1 else 300):
            total = law.finite_sum(q)
            # Near the edge of a wide layer the balls of 2F1 contain everything.
            if total.is_finite() and total.rel_accuracy_bits() > 160:
                values.append(acb(total))
    agree("moment", *values)
    return values[-1]


def chi_moment(width: int, p) -> acb:
    half = acb(width) / 2
    return acb(2) ** p * (half + p).gamma() / half.gamma()


_moments: dict = {}


def moment(config: Config, order, given_alive: bool) -> acb:
    """E R^order of the law, for the doubles (or complex doubles) in ``order``."""
    s = acb(order.real, order.imag) if isinstance(order, complex) else acb(order)
    key = (config.law, order)
    if key not in _moments:
        if len(_moments) > 100:
            _moments.clear()
        _moments[key] = plain_moment(config.law, s / 2)
    value = _moments[key]
    if config.weights == "orthogonal":
        value = value / chi_moment(config.width, s / 2)
    if given_alive:
        value = value / (1 - config.law.zero)
    return value * (config.factor.log() * s).exp()


def run(table: Table, configs, orders: int, *, tails=(), points=(), levels=(), third=False) -> None:
    """Every quantity of every law, Gaussian and orthogonal weights."""
    for gaussian in configs:
        start = time.time()
        for config in (gaussian, replace(gaussian, weights="orthogonal")):
            moments_and_scales(table, config, orders, repr(gaussian))
            logarithms(table, config, third)
        tail_indices(table, gaussian, list(tails))
        if points:
            distribution(table, gaussian, list(points), list(levels))
        print(f"{gaussian}: {len(table.rows)} rows, {time.time() - start:.1f} s", flush=True)


class Table:
    """Rows of one CSV file."""

    def __init__(self, name: str):
        self.path = HERE / f"{name}.csv"
        self.rows: list[list[str]] = []
        self.skipped = 0
        self.start = time.time()

    def add(self, config: Config, quantity: str, argument: str, value, given_alive=False) -> None:
        if isinstance(value, acb) and value.imag == 0:
            value = value.real
        if isinstance(value, acb):
            # Digits count from the modulus: a part that vanishes has none of its own.
            size = abs(value)
            parts = (value.real, value.imag)
            if any(part.rad() > size * arb(10) ** -44 for part in parts):
                message = f"only {value.rel_accuracy_bits()} bits known of {value}"
                raise ArithmeticError(message)
            text = " ".join(
                part.mid().str(42, radius=False) if abs(part).mid() > size * arb(10) ** -42 else "0"
                for part in parts
            )
        else:
            if value != 0 and not SMALLEST < abs(value) < LARGEST:
                self.skipped += 1
                return
            text = decimal(value)
        self.rows.append(
            [
                float(config.lower).hex(), float(config.upper).hex(), str(config.width),
                float(config.keep).hex(), str(int(config.inverted)), config.weights,
                str(int(given_alive)), quantity, argument, text,
            ]
        )  # fmt: skip

    def write(self) -> None:
        with self.path.open("w", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(HEADER)
            writer.writerows(self.rows)
        seconds = time.time() - self.start
        print(f"{self.path.name}: {len(self.rows)} rows, {self.skipped} not normal doubles")
        print(f"  {seconds:.0f} s; largest relative disagreement of two definitions:")
        for name, gap in sorted(worst.items()):
            print(f"  {name}: {gap:.1e}")


TINY = 2.0**-30
POSITIVE = [0.1, 0.5, 1.0, 1.5, 2.0, math.e, 4.0, 6.5, 16.0, 33.3, 64.0]
SCALES = [2.0**-20, 0.1, 0.5, 1.0, 2.0, 3.3, 10.0, 64.0]
COMPLEX = [0.5 + 1j, -0.25 + 3j, 1.5 - 7.25j, 1j, 12j, 3 + 0.125j, 20.0 + 2j]


def negative_orders(width: int) -> list[float]:
    """Orders of laws without an atom, down to the edge -width of the domain."""
    orders = [-TINY, -0.5, -0.9375, -width + 2.0**-10, -width + 2.0**-40, -width * 0.5]
    orders += [s for s in (-1.0, -2.0, -7.25, -32.5, -64.0) if s > -width]
    # Further out no moment of a wide layer is a normal double.
    return sorted({order for order in orders if order > -400})


def moments_and_scales(table: Table, config: Config, count: int, seed: str) -> None:
    """``count`` positive and ``count`` negative orders (all of them if there are fewer)."""
    generator = random.Random(seed)
    law = config.law

    def choose(pool: list) -> list:
        return sorted(generator.sample(pool, min(count, len(pool))), key=str)

    for order in choose(POSITIVE):
        table.add(config, "moment", order.hex(), moment(config, order, False).real)
        if law.has_atom:
            table.add(config, "moment", order.hex(), moment(config, order, True).real, True)
    if law.has_atom:
        for order in choose([-TINY, -0.5, -0.9375, -1 + 2.0**-10, -1 + 2.0**-40]):
            table.add(config, "moment", order.hex(), moment(config, order, True).real, True)
    else:
        for order in choose(negative_orders(law.width)):
            table.add(config, "moment", order.hex(), moment(config, order, False).real)
    for order in choose(COMPLEX):
        if config.width > 10**4 and abs(order.imag) > 3:
            continue
        if order.real > 0 or not law.has_atom:
            table.add(config, "moment", complex_text(order), moment(config, order, False))
        else:
            table.add(config, "moment", complex_text(order), moment(config, order, True), True)
    for order in choose(SCALES):
        for alive in (False, True) if law.has_atom else (False,):
            value = (-(moment(config, order, alive).real.log()) / arb(order)).exp()
            table.add(config, "scale", order.hex(), value, alive)
            if not alive:
                fan_in = max(1, round(config.width * generator.choice([0.3, 1, 2.7])))
                if config.weights == "orthogonal" and fan_in > config.width:
                    # Rows of a rotation of fan_in coordinates: |x'|^2/|x|^2 is |phi(g)|^2 over
                    # the square of a chi variable with fan_in degrees of freedom.
                    p = acb(order) / 2
                    more = (chi_moment(config.width, p) / chi_moment(fan_in, p)).real
                    value = value * (-more.log() / arb(order)).exp()
                rms = value * (arb(config.width) / fan_in).sqrt()
                if config.inverted:
                    table.add(config, "init_scale_rms", f"{order.hex()} {fan_in}", rms)


def complex_text(order: complex) -> str:
    return f"{order.real.hex()} {order.imag.hex()}"


def chi_cumulant(width: int, k: int) -> arb:
    """Cumulant k of log |g|, by python-flint and by mpmath."""
    half = acb(width) / 2
    value = (half.digamma() + acb(2).log()).real / 2
    if k > 1:
        value = half.polygamma(acb(k - 1)).real / arb(2) ** k
    with mpmath.workdps(120):
        other = mpmath.psi(k - 1, mpmath.mpf(width) / 2) / 2**k
        if k == 1:
            other += mpmath.log(2) / 2
        agree("chi cumulant", value, arb(mpmath.nstr(other, 110)))
    return value


_cumulants: dict = {}


def cumulants(config: Config) -> list[arb]:
    """Cumulants 1..8 of log R given R > 0 (fewer for very wide layers)."""
    ctx.prec = LOG_BITS
    law = config.law
    if law not in _cumulants:
        _cumulants.clear()
        _cumulants[law] = law.log_cumulants_laplace(), law.log_cumulants_inversion()
    result = []
    for k, (one, two) in enumerate(zip(*_cumulants[law], strict=True), start=1):
        shift = config.factor.log() if k == 1 else arb(0)
        if config.weights == "orthogonal":
            # log R = log |g| + log (R/|g|) with independent terms.
            shift -= chi_cumulant(config.width, k)
        if k > 2 and relative_gap(one + shift, two + shift) > 10.0**-AGREE:
            break  # high cumulants of very wide layers cancel too far
        agree(f"log cumulant {k}", one + shift, two + shift)
        result.append(one + shift)
    return result


def logarithms(table: Table, config: Config, abs_third: bool = False) -> None:
    law = config.law
    if config.weights == "orthogonal" and (
        (law.kind == "linear" and law.keep == 1.0) or (law.has_atom and law.width == 1)
    ):
        return  # |phi(u)| is constant there, given that it is not zero
    values = cumulants(config)
    table.add(config, "log_mean", "", values[0])
    table.add(config, "scale", (0.0).hex(), (-values[0]).exp())
    table.add(config, "log_var", "", values[1])
    for k in (3, 4, 5, 8):
        if k <= len(values) and values[k - 1].rel_accuracy_bits() > 180:
            table.add(config, "log_cumulant", str(k), values[k - 1])
    table.add(config, "prob_zero", "", law.zero)
    if law.has_atom:
        table.add(config, "prob_alive", "", 1 - law.zero)
    if abs_third and config.weights == "gaussian":
        table.add(config, "log_abs_third", "", absolute_third(law))


def absolute_third(law: Law) -> arb:
    plain = replace(Config(law.lower, law.upper, law.width, law.keep), inverted=False)
    mean, variance, third = cumulants(plain)[:3]
    ctx.prec = WORK_BITS
    # The right tail exp(-exp(2y)/2) is steep for the smallest widths.
    rules = ((40, 0.45), (48, 0.6)) if law.width * law.keep < 10 else ((36, 1.1), (45, 1.5))
    values = [law.abs_third(mean, variance, third, *rule) for rule in rules]
    agree("log abs third", *values)
    ctx.prec = WORK_BITS
    return values[-1]


def tail_indices(table: Table, config: Config, orders: list[float]) -> None:
    """The root alpha of E (sigma R)^alpha = 1, for sigma the double nearest to a scale."""
    for order in orders:
        value = (-(moment(config, order, False).real.log()) / arb(order)).exp()
        sigma = float(value.mid())
        log_sigma = arb(sigma).log()

        def rate(alpha: arb, log_sigma: arb = log_sigma) -> arb:
            total = plain_moment(config.law, alpha / 2).real
            if config.weights == "orthogonal":
                total = total / chi_moment(config.width, alpha / 2).real
            return total.log() + alpha * (log_sigma + config.factor.log())

        # Secant steps from the order; every step doubles the digits or nearly so.
        first, second = arb(order), arb(order) * (1 + arb(2) ** -40)
        low, high = rate(first), rate(second)
        for _ in range(8):
            third = (second - high * (second - first) / (high - low)).mid()
            first, low = second, high
            second, high = third, rate(third)
            if abs(second - first).mid() < second.mid() * arb(10) ** -50:
                break
        table.add(config, "tail_index", sigma.hex(), (second * (1 + arb(0, 1e-46))).mid())


def distribution(table: Table, config: Config, points: list[float], levels: list[float]) -> None:
    """pdf, cdf and sf at mean + k standard deviations of log R, and quantiles."""
    law = config.law
    mean, variance = cumulants(config)[:2]
    ctx.prec = WORK_BITS
    alive = 1 - law.zero

    def value(r: arb, what: str) -> arb:
        scaled = r / config.factor
        first = law.distribution(scaled, what)
        second = law.distribution(scaled, what, offset=0.3, slant=0.45)
        agree(what, first, second)
        return second / config.factor if what == "pdf" else second

    for point in points:
        r = float((mean + point * variance.sqrt()).exp().mid())
        for what in ("pdf", "cdf", "sf"):
            try:
                number = value(arb(r), what) * alive
            except ArithmeticError as error:
                # Between the scales of a tiny slope no contour serves; other points do.
                print(f"left out: {config} {what} {r}: {error}")
                continue
            table.add(config, what, r.hex(), number + law.zero if what == "cdf" else number)
    for level in levels:
        # Newton on log R for the conditional level; the smaller tail is used.
        target = (arb(level) - law.zero) / alive
        if not target > 0:
            table.add(config, "ppf", level.hex(), arb(0))
            continue
        try:
            root = _quantile(law, config, target, mean, variance)
        except ArithmeticError as error:
            print(f"left out: {config} ppf {level}: {error}")
            continue
        table.add(config, "ppf", level.hex(), root)


def _quantile(law: Law, config: Config, target: arb, mean: arb, variance: arb) -> arb:
    """Quantile of the law given R > 0, by Newton's method on log R."""
    tail = "cdf" if target < 0.5 else "sf"
    goal = target if tail == "cdf" else 1 - target
    sign = 1 if tail == "cdf" else -1
    log_r = _start(law, config, tail, goal, mean, variance)
    for _ in range(60):
        scaled = log_r.exp().mid() / config.factor
        now = law.distribution(scaled, tail, digits=50)
        slope = law.distribution(scaled, "pdf", digits=50) * scaled
        step = sign * (goal.log() - now.log()) * now / slope
        log_r = (log_r + step).mid()
        if abs(step).mid() < arb(10) ** -30:
            break
    r = log_r.exp()
    agree("ppf", goal, law.distribution(r / config.factor, tail, offset=0.3, slant=0.45))
    return r.mid()


def _start(law: Law, config: Config, tail: str, goal: arb, mean: arb, variance: arb) -> arb:
    """A few bisections in log R, so that Newton's method starts near the root."""
    sd = variance.sqrt()
    low, high = mean - 3 * sd, mean + 3 * sd

    def below(log_r: arb) -> bool:
        """Whether log_r lies left of the quantile."""
        value = law.distribution(log_r.exp().mid() / config.factor, tail, digits=20)
        return bool(value.mid() < goal.mid()) == (tail == "cdf")

    while not below(low):
        low = low - 4 * sd
    while below(high):
        high = high + 4 * sd
    for _ in range(6):
        middle = ((low + high) / 2).mid()
        if below(middle):
            low = middle
        else:
            high = middle
    return ((low + high) / 2).mid()
