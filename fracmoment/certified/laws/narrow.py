"""Moments of narrow layers by a trapezoidal rule whose nodes grow with the logarithm of the reach.

For an integer ``m >= 0``, ``m > p``, at least 1 where units may be dead, and ``t = exp(v)``,

    E[X^p; X > 0] = 1/Gamma(m-p) int exp(-p v) m! [f^m] (dead + l(t (1-f)))^d dv,
    l(t) = E[(1 + 2 b t)^(-1/2); live].

The integrand falls exponentially on both sides of v, but in narrow layers slowly: the rule is
applied in w, ``v = v0 + c sinh(w)``. Away from 0 slopes leave the transform analytic around all
large and all small t, so that v may be far from the real line there. docs/algorithms/certified.md,
lemma 9.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from flint import acb, arb, arb_series, ctx

from fracmoment.certified.laws import unit
from fracmoment.certified.laws.law import Law, ball
from fracmoment.certified.laws.series import compose, exponent, series_length
from fracmoment.certified.precision import working_precision

__all__ = ["narrow_moment", "serves"]

# Widest layers, and highest p, for which the rule is the method of choice.
_WIDEST, _HIGHEST = 24, 16
_BOUND_BITS, _NODE_BITS = 64, 96
# Largest Im v in the middle, below pi; pieces of w; a^2 t below which a series is used.
_TURN, _PIECE, _SMALL = 2.6, 0.125, 2.0**-10


def serves(law: Law, p: arb_series) -> bool:
    """Return whether slopes are away from 0, the layer narrow and p moderate."""
    if not law.has_slopes or law.vanishing or law.width > _WIDEST:
        return False
    return bool(p[0] > -0.25 * (1 if law.has_atom else law.width) and p[0] < _HIGHEST)


def narrow_moment(law: Law, p: arb_series) -> arb_series:
    """Return ``E[X^p; X > 0]`` as a series of the length of p."""
    least = 1 if law.has_atom else 0
    m = max(least, math.floor(float(p[0].mid()) + 1.5))
    with working_precision(_BOUND_BITS):
        rule = _Rule.choose(law, p[0], m)
    with series_length(m + 1):
        values = rule.integrals(p.prec)
    series = compose(arb_series([x / arb.fac_ui(j) for j, x in enumerate(values)], prec=p.prec), p)
    return series * (-p * rule.origin).exp() * (m - p).rgamma()


@dataclass
class _Rule:
    """The substitution ``v = origin + size sinh(w)``, and the strip ``|Im w| < strip``."""

    law: Law
    p: arb
    m: int
    origin: arb
    size: arb
    strip: arb
    least: arb
    most: arb

    @classmethod
    def choose(cls, law: Law, p: arb, m: int) -> _Rule:
        """Choose the substitution: v stays between the cuts where ``2 b |t|`` is about 1."""
        low = arb.min(arb(1), abs(ball(law.lower)) ** 2).lower()
        high = arb.max(arb(1), abs(ball(law.upper)) ** 2).upper()
        least, most = float(low), float(high)
        reach = 0.5 * math.log(most / least) + math.log(2.0)
        size = max(1.0, reach / 3)
        strip = 1.25
        while math.sin(strip) * math.hypot(size, reach / math.cos(strip)) > _TURN:
            strip *= 0.95
        origin = arb(-0.5 * math.log(4 * least * most))
        return cls(law, p, m, origin, arb(size), arb(strip), 2 * low, 2 * high)

    # ------------------------------------------------------------ the integrand

    def at(self, w: arb) -> tuple[arb, arb]:
        """Return the integrand of power 0 at w, and ``v - origin``."""
        sinh, cosh = w.sinh_cosh()
        u = self.size * sinh
        series = _live(self.law, (self.origin + u).exp(), self.m + 1) + ball(self.law.dead)
        value = (series**self.law.width)[self.m] * arb.fac_ui(self.m)
        return value * (-self.p * u).exp() * self.size * cosh, u

    def coefficient(self, each: arb, q: arb) -> arb:
        """Return a bound of ``m! [f^m] (dead + l)^d``.

        Where ``each`` bounds ``E[|1 + 2 b t|^(-1/2); live]`` and q ``|2 b t/(1 + 2 b t)|``.
        """
        law, d, dead = self.law, self.law.width, ball(self.law.dead)
        total = arb(0)
        for n in range(1 if law.has_atom else d, d + 1):
            total += dead ** (d - n) * each**n * (arb(n) / 2).rising(self.m) * math.comb(d, n)
        return total * q**self.m

    # ------------------------------------------------------------ bounds

    def piece(self, left: arb, right: arb, side: int) -> arb:
        """Return a bound of the integrand of power 0 for ``side Re w`` from left to right."""
        near, far = self.size * left.sinh() * self.strip.cos(), self.size * right.sinh()
        ends = [self.origin + side * near, self.origin + side * far]
        small, large = ((v if side > 0 else w).exp() for v, w in (ends, ends[::-1]))
        turn = self.size * right.cosh() * self.strip.sin()
        bounds = []
        if turn < 3:
            cos = (turn / 2).cos()
            live = unit.live(self.law, acb(-small), False).real
            q = arb.min(arb(1), self.most * large) / cos
            bounds.append(self.coefficient(live / cos.sqrt(), q))
        if self.least * small > 1.5:
            bounds.append(self.coefficient(*self._far(small)))
        if self.most * large < 0.75:
            bounds.append(self.coefficient(*self._near(large)))
        weight = arb.max((-side * self.p * near).exp(), (-side * self.p * far).exp())
        return min(bounds, default=arb.pos_inf(), key=float) * weight * self.size * right.cosh()

    def _far(self, t: arb) -> tuple[arb, arb]:
        """Return the bounds of `coefficient` from ``|t|`` on: ``|1 + 2 b t| >= 2 b |t| - 1``."""
        rest = 1 - 1 / (self.least * t)
        return unit.inverse_moment(self.law, arb(1)) / (t * rest).sqrt(), 1 / rest

    def _near(self, t: arb) -> tuple[arb, arb]:
        """Return the bounds of `coefficient` up to ``|t|``."""
        rest = 1 - self.most * t
        return ball(1 - self.law.dead) / rest.sqrt(), self.most * t / rest

    def beyond(self, end: arb, side: int, strip: arb, index: int) -> arb:
        """Return a bound of ``int |v - origin|^index |integrand|`` where ``side Re w > end``.

        On the lines of the strip. With ``s = size sinh(Re w)`` the integrand falls as
        ``exp(-rate cos s)``, and ``(s + size)^j <= (s1 + size)^j exp(j (s - s1)/(s1 + size))``.
        """
        start, cos = self.size * end.sinh(), strip.cos()
        t = (self.origin + side * start * cos).exp()
        units = arb(1 if self.law.has_atom else self.law.width)
        if side > 0:
            bounds, rate = self._far(t), self.p + units / 2
            fits = self.least * t > 1.5
        else:
            bounds, rate = self._near(t), self.m - self.p
            fits = self.most * t < 0.75
        # One power more for dv/dw, which must not make the bound of a sum grow.
        decay = rate * cos - (index + 2) / (start + self.size)
        if not (fits and decay > 0):
            return arb.pos_inf()
        height = self.coefficient(*bounds) * (-side * self.p * start * cos).exp()
        return height * (start + self.size) ** index / decay

    def total(self, count: int) -> list[arb]:
        """Return bounds of the integrals over the lines of the strip, for powers below count."""
        sums = [arb(0)] * count
        for side in (1, -1):
            left, step = arb(0), arb(_PIECE)
            while True:
                right = left + step
                height = self.piece(left, right, side) * step
                reach = self.size * right.cosh()
                sums = [x + height * reach**j for j, x in enumerate(sums)]
                left = right
                rest = [self.beyond(left, side, self.strip, j) for j in range(count)]
                if all(r < x for r, x in zip(rest, sums, strict=True)) or left > 40:
                    break
            sums = [x + r for x, r in zip(sums, rest, strict=True)]
        return sums

    def end(self, side: int, goal: arb, count: int) -> tuple[arb, list[arb]]:
        """Return from which w on integrals are below a goal, and bounds of them."""
        end = arb(1)
        while True:
            rest = [self.beyond(end, side, arb(0), j) for j in range(count)]
            if all(r < goal for r in rest) or end > 40:
                return end, rest
            end = end + _PIECE

    # ------------------------------------------------------------ the rule

    def integrals(self, count: int) -> list[arb]:
        """Return ``int (origin - v)^j integrand dw`` for powers j below count."""
        bits, middle = ctx.prec, self.at(arb(0))[0]
        with working_precision(_BOUND_BITS):
            goal = (abs(middle) * arb(2) ** -bits).mid()
            sums = self.total(count)
            first, last = (self.end(side, goal, count) for side in (-1, 1))
            rest = [a + b for a, b in zip(first[1], last[1], strict=True)]
            if not (goal > 0 and all(x.is_finite() for x in [*sums, *rest])):
                return [arb.nan()] * count
            ratio = max((2 * x / goal).log().upper() for x in sums)
            step = (2 * arb.pi() * self.strip / ratio).mid()
            reach = [math.ceil(float(side[0] / step)) for side in (first, last)]
        decay = (2 * arb.pi() * self.strip / step).expm1()
        left = self.half_sums([-step * i for i in range(1, reach[0] + 1)], count)
        right = self.half_sums([step * i for i in range(reach[1] + 1)], count)
        return [
            (a + b) * step + arb(0, (2 * s / decay + r).upper())
            for a, b, s, r in zip(left, right, sums, rest, strict=True)
        ]

    def half_sums(self, nodes: list[arb], count: int) -> list[arb]:
        """Return the sums over nodes, in the order of their distance from 0."""
        sums, peak, drop = [arb(0)] * count, -(1 << 40), 0
        for w in nodes:
            # Small integrands need fewer digits.
            with working_precision(max(ctx.prec - drop, _NODE_BITS)):
                value, u = self.at(w)
            size = exponent(value) + (count - 1) * max(0, exponent(u))
            peak = max(peak, size)
            drop = peak - size
            for j in range(count):
                sums[j] += value
                value = -value * u
        return sums


def _live(law: Law, t: arb, length: int) -> arb_series:
    """Return the series in f of ``E[(1 + 2 b t (1-f))^(-1/2); live]``."""
    total = arb_series([1 + 2 * t, -2 * t], prec=length).rsqrt() * ball(law.one)
    if not law.uniform:
        square = ball(law.lower) ** 2 * t
        part = arb_series([1 + 2 * square, -2 * square], prec=length).rsqrt()
        return total + part * ball(law.slope)
    low, high = ball(law.lower), ball(law.upper)
    if high**2 * t < _SMALL:
        return total + _binomial_series(law, t, length) * ball(law.slope)
    root = arb_series([2 * t, -2 * t], prec=length).sqrt()

    def area(slope: arb) -> arb_series:
        x = root * slope
        return (x + (1 + x * x).sqrt()).log()

    return total + (area(high) - area(low)) / (root * (high - low)) * ball(law.slope)


def _binomial_series(law: Law, t: arb, length: int) -> arb_series:
    """Return the mean over slopes where ``2 a^2 t`` is small: ``|C(-1/2, i)| <= 1``."""
    low, high = ball(law.lower), ball(law.upper)
    size, count = 2 * high**2 * t, ctx.prec // 8 + 2  # size is below 2^-9
    base, power = arb_series([1, -1], prec=length), arb_series([1], prec=length)
    total, factor, ends = arb_series([0], prec=length), arb(1), [low, high]
    for i in range(count):
        total += power * (factor * (ends[1] - ends[0]) / ((2 * i + 1) * (high - low)))
        factor = factor * (-2 * t) * (i + arb("0.5")) / (i + 1)
        power, ends = power * base, [ends[0] * low * low, ends[1] * high * high]
    # Coefficients of (1-f)^i are at most 2^i.
    rest = ((2 * size) ** count / (1 - 2 * size)).upper()
    return total + arb_series([arb(0, rest)] * length, prec=length)
