"""Distribution and survival function of R as balls.

With ``u`` on a contour from below to above that crosses the real axis at ``u0``,

    P(X > x)  =  1/(2 pi i) int exp(-u x) E[exp(u X)] du/u,    0 < u0 < 1/(2 b_max),
    P(X <= x) = -1/(2 pi i) int exp(-u x) E[exp(u X)] du/u,    u0 < 0.

The contour is the hyperbola ``u(w) = u0 + r (i sinh w + tau (cosh w - 1))``, bent towards the side
where ``exp(-u x)`` decays. For orthogonal weights the event ``X/|g|^2 > beta`` is ``Z > 0`` for
``Z = sum (b_i - beta) g_i^2``: the same with ``x = 0`` and tau = 0.

Narrow layers whose live units all have slope 1, with Gaussian weights, are binomial mixtures of
chi-square laws instead. docs/algorithms/certified.md, lemmas 5 and 6, bounds what is left out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

from flint import acb, arb, ctx

from fracmoment.certified.laws import unit
from fracmoment.certified.laws.integrate import integral
from fracmoment.certified.laws.law import Law, ball
from fracmoment.certified.laws.mixture import mixture_tail
from fracmoment.certified.laws.saddle import ratio_saddle, tail_saddle

__all__ = ["cdf", "sf"]

_BEND = 0.6

# Widest layers summed over the number of live units.
_NARROW = 64


def cdf(law: Law, r: Fraction) -> arb:
    """Return ``P(R <= r)``, the atom at 0 included, for an exact r."""
    return _probability(law, r, upper=False)


def sf(law: Law, r: Fraction) -> arb:
    """Return ``P(R > r)`` for an exact r."""
    return _probability(law, r, upper=True)


def _probability(law: Law, r: Fraction, *, upper: bool) -> arb:
    if r < 0:
        return arb(1 if upper else 0)
    if r == 0:
        return 1 - law.prob_zero() if upper else law.prob_zero()
    square = (r / law.factor) ** 2
    if law.orthogonal:
        exact = _exact_ratio(law, square)
        if exact is not None:
            return ball(1 - exact) if upper else ball(exact)
        side, value = _ratio(law, square)
    elif not law.has_slopes and law.width <= _NARROW:
        return mixture_tail(law, square, upper)
    else:
        side = square > law.width * _mean(law)
        value = _Gaussian(law, side, *tail_saddle(law, float(square), side), square).probability()
    return value if side == upper else 1 - value


def _mean(law: Law) -> Fraction:
    """Return ``E Y`` of one unit."""
    low, high = Fraction(law.lower), Fraction(law.upper)
    return law.one + law.slope * (low * low + low * high + high * high) / 3


@dataclass
class _Path(ABC):
    """A hyperbola, and ``E exp(u Z - u x)/u`` on it."""

    law: Law
    upper: bool
    centre: float
    radius: float

    bend = _BEND

    def at(self, w: acb) -> tuple[acb, acb]:
        """Return u(w) and du/dw."""
        sinh, cosh = w.sinh_cosh()
        i, tau, r = acb(0, 1), arb(self.bend), arb(self.radius)
        return r * (i * sinh + tau * (cosh - 1)) + arb(self.centre), r * (i * cosh + tau * sinh)

    @abstractmethod
    def transform(self, u: acb, analytic: bool) -> acb:
        """Return the transform that is inverted, at u."""

    @abstractmethod
    def tail(self, end: arb) -> arb:
        """Return a bound of the integral of ``|transform/u du|`` beyond W."""

    @abstractmethod
    def crossing(self) -> bool:
        """Return whether the contour crosses the axis between the cuts, proved by balls."""

    def integrand(self, w: acb, analytic: bool, lead: arb) -> acb:
        """Return the integrand times ``lead``."""
        u, slope = self.at(w)
        return self.transform(u, analytic) / u * slope * lead

    def probability(self) -> arb:
        """Return the probability of the side that the contour belongs to."""
        if not (self.crossing() and (self.centre > 0) == self.upper):
            return arb.nan()
        middle = self.transform(acb(self.centre), False).real / abs(arb(self.centre))
        lead = 1 / (middle * arb(self.radius))
        lead = lead.mid() if lead.is_finite() else arb(1)
        end, goal = 2.0, arb(2) ** (-ctx.prec)
        while not (beyond := self.tail(arb(end)) * lead) < goal:
            end *= 1.25
            if end > 1e6:
                return arb.nan()
        total = integral(partial(self.integrand, lead=lead), arb(0), arb(end))
        value = (total.imag + arb(0, beyond.upper())) / (lead * arb.pi())
        return value if self.upper else -value


@dataclass
class _Gaussian(_Path):
    """Gaussian weights: X itself."""

    square: Fraction

    def transform(self, u: acb, analytic: bool) -> acb:
        """Return ``E exp(u X - u x)``."""
        law, d, x = self.law, self.law.width, ball(self.square)
        each = unit.live(law, u, analytic) + ball(law.dead)
        value = each**d * (-u * x).exp()
        if unit.is_thin(u) or not unit.live(law, u, True).is_finite():
            return value
        # On a wide ball the two factors change fast, and against each other: from the middle of
        # the ball their product changes by the exponential of the integral of its log derivative.
        rate = unit.live_slope(law, u) / each * d - x
        middle = u.mid()
        return unit.narrower(value, self.transform(middle, False) * (rate * (u - middle)).exp())

    def crossing(self) -> bool:
        """Return whether the contour crosses left of the singularities."""
        return unit.crosses_between(self.law, arb(self.centre))

    def tail(self, end: arb) -> arb:
        """Return lemma 5's bound: ``|1 - 2 b u| >= (1 - 2 b u0)/sqrt(1 + tau^2)``."""
        law, x, u0 = self.law, ball(self.square), arb(self.centre)
        spread = 1 + arb(self.bend) ** 2
        live = unit.live(law, acb(u0), False).real * spread.root(4)
        rate = x * arb(self.radius) * arb(self.bend)
        decay = (-x * u0 - rate * (end.cosh() - 1)).exp() / (rate * end.tanh())
        nearest = abs(u0) / spread.sqrt()
        size = (ball(law.dead) + live) ** law.width
        return size * decay * spread.sqrt() * arb(self.radius) / nearest


# ---------------------------------------------------------------- orthogonal weights


def _exact_ratio(law: Law, square: Fraction) -> Fraction | None:
    """Return ``P(X/|g|^2 <= square)`` where it is rational, None elsewhere."""
    slopes = [abs(Fraction(law.lower)), abs(Fraction(law.upper))] if law.has_slopes else []
    largest = max([Fraction(1), *slopes])
    if square >= largest**2:
        return Fraction(1)
    if not law.has_atom and not law.vanishing and square < min([Fraction(1), *slopes]) ** 2:
        return Fraction(0)
    if law.width == 1 and not law.uniform:
        steep = law.slope if law.has_slopes and slopes[0] ** 2 <= square else Fraction(0)
        return law.dead + steep + (law.one if square >= 1 else 0)
    return None


def _ratio(law: Law, square: Fraction) -> tuple[bool, arb]:
    """Return whether ``P(X/|g|^2 > square)`` was computed, or the other side, and its value."""
    if law.width == 1:
        return False, _one_uniform(law, square)
    side = square > _mean(law)
    path = _Ratio(law, side, *ratio_saddle(law, float(square), side), square)
    value = path.probability()
    return side, value if side else value + ball(path.constant) ** law.width


def _one_uniform(law: Law, square: Fraction) -> arb:
    """Return ``P(b <= square)`` of one unit of uniform slope."""
    root = ball(square).sqrt()
    low, high = arb.max(ball(law.lower), -root), arb.min(ball(law.upper), root)
    share = arb.max(high - low, arb(0)) / ball(law.upper - law.lower)
    return ball(law.dead) + (ball(law.one) if square >= 1 else 0) + share * ball(law.slope)


@dataclass
class _Ratio(_Path):
    """Orthogonal weights: ``Z = sum (b_i - beta) g_i^2``."""

    square: Fraction

    bend = 0.0

    @property
    def constant(self) -> Fraction:
        """The probability that a unit has squared slope beta exactly, so that Z can be 0."""
        law, total = self.law, Fraction(0)
        if self.square == 1:
            total += law.one
        if law.has_slopes and not law.uniform and law.lower**2 == self.square:
            total += law.slope
        return total

    def transform(self, u: acb, analytic: bool) -> acb:
        """Return ``E exp(u Z)`` without the part of Z = 0."""
        law, beta = self.law, ball(self.square)
        each = unit.live(law, u, analytic, self.square)
        each += (1 + 2 * u * beta).rsqrt(analytic=analytic) * ball(law.dead)
        return each**law.width - ball(self.constant) ** law.width

    def crossing(self) -> bool:
        """Return whether the contour crosses between the singularities on either side."""
        return unit.crosses_between(self.law, arb(self.centre), self.square)

    def tail(self, end: arb) -> arb:
        """Return lemma 6's bound."""
        law, d, constant = self.law, self.law.width, ball(self.constant)
        u, _ = self.at(acb(end))
        each = constant + unit.absolute_bound(law, u, self.square)
        rest = unit.inverse_distance(law, self.square) / u.imag.sqrt()
        if not constant.is_zero():
            return each ** (d - 1) * d * rest * 2
        # |E exp(u Z)| <= each^(d-k) (rest)^k, and int y^(-k/2-1) dy = 2/k y^(-k/2)
        k = min(d, 4)
        return each ** (d - k) * rest**k * 2 / k
