"""Moments of any law as a contour integral of the unit's moment generating function.

For ``p > -1/2`` and a contour from below to above that crosses the positive axis once, left of the
singularities of ``E exp(z Y)``, and leaves the negative axis on its left,

    E[X^p; at least two live units] = Gamma(p+1)/(2 pi i) int V(z) z^(-p-1) dz,
    V(z) = E[exp(z X); at least two live units]
         = (dead + l)^d - dead^d - d dead^(d-1) l,    l = E[exp(z Y); live].

One live unit is added in closed form. Without an atom this holds for all p > -d/2; what the poles
of the gamma function ask for is in `_Subtracted`. The contour is the hyperbola
``z(w) = A - B sin(phi - i w)`` through the saddle point ``c = A - B sin(phi)``. By symmetry the
integral is the imaginary part of the upper half over pi, and the trapezoidal rule in w gives it:
its error is bounded by the size of the integrand on the neighbouring hyperbolas, which are those of
other angles phi, and by a tail. docs/algorithms/certified.md, lemma 2, has both bounds.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import NamedTuple

from flint import acb, arb, arb_series, ctx

from fracmoment.certified.laws import unit
from fracmoment.certified.laws.law import Law, ball
from fracmoment.certified.laws.saddle import Saddle, moment_saddle
from fracmoment.certified.laws.series import compose, exponent
from fracmoment.certified.laws.trapezoid import imaginary_sums
from fracmoment.certified.precision import working_precision

__all__ = ["beyond_linear", "contour_moment", "serves"]

# The angle phi of the contour, and how far those of the hyperbolas of the strip are from it. Binary
# fractions: the strip is cut into pieces at these angles, exactly.
_ANGLE, _STRIP = 0.6875, 0.59375
_ANGLES = tuple(_ANGLE + _STRIP * (j - 4) / 4 for j in range(9))
# Up to this width the atom is taken off by a sum over the number of live units, and beyond it where
# the mean number of live units is below this: the closed form would cancel there.
_HORNER, _FEW = 24, 0.25
# Lowest p for `_Subtracted`, which loses about as many bits, above so many bits of precision.
_DEEPEST, _PRECISE = 16, 400


def contour_moment(law: Law, p: arb_series) -> arb_series:
    """Return ``E[X^p; X > 0]`` for p > -1/2, as a series of the length of p.

    Without an atom also for an exact p between -d/2 and -1/2, as a series of length 1.
    """
    d = law.width
    if d > 1 and not p[0] > -0.5 and not law.has_atom:
        return arb_series([_subtracted(law, p[0])], prec=1)
    one_unit = ball(law.dead) ** (d - 1) * d if d > 1 else arb(1)
    total = _single(law, p) * one_unit
    return total if d == 1 else total + _several(law, p)


def _single(law: Law, p: arb_series) -> arb_series:
    """Return ``E[Y^p; live] = E[b^p; live] 2^p Gamma(1/2 + p)/sqrt(pi)``."""
    half = arb(1) / 2
    gaussian = ((p + half).lgamma() + p * arb.const_log2()).exp() / arb.pi().sqrt()
    return unit.live_moment(law, p) * gaussian


class _Bounds(NamedTuple):
    """What a rule needs to know: the strip's integral, and where the tail may be cut."""

    strip: list[arb]
    end: arb
    beyond: list[arb]


@dataclass
class _Contour:
    """The hyperbola, and the integrands on it.

    The integrand of index j is ``V(z) (z/c)^(-p-1) (-log(z/c))^j z'(w)``: the j-th derivative in p
    of the first.
    """

    law: Law
    p: arb
    centre: arb
    size: arb

    @property
    def focus(self) -> arb:
        """The point A."""
        return self.centre + self.size * arb(_ANGLE).sin()

    def at(self, w: arb) -> tuple[acb, acb]:
        """Return z(w) and dz/dw."""
        sin, cos = arb(_ANGLE).sin_cos()
        sinh, cosh = w.sinh_cosh()
        z = acb(self.focus - self.size * sin * cosh, self.size * cos * sinh)
        return z, acb(-self.size * sin * sinh, self.size * cos * cosh)

    def several(self, z: acb) -> acb:
        """Return V(z)."""
        law, d = self.law, self.law.width
        live = unit.live(law, z)
        if not law.has_atom:
            return live**d
        dead = ball(law.dead)
        if d <= _HORNER:  # sum_{k>=2} C(d,k) dead^(d-k) live^k
            total = acb(0)
            for k in range(d, 1, -1):
                total = total * live + dead ** (d - k) * math.comb(d, k)
            return total * live * live
        ratio = live / dead
        if d * abs(ratio) < _FEW:
            return beyond_linear(ratio, d) * dead**d
        return (dead + live) ** d - dead**d - live * dead ** (d - 1) * d

    def integrands(self, w: arb, count: int) -> list[acb]:
        """Return the integrands of index below ``count``."""
        z, slope = self.at(w)
        logarithm = (z / self.centre).log()
        value = self.several(z) * (-(self.p + 1) * logarithm).exp() * slope
        values = [value]
        for _ in range(1, count):
            value = -value * logarithm
            values.append(value)
        return values

    @property
    def growth(self) -> arb:
        """The exponent q for which the integrand is at most ``|V (z/c)^q z'|`` and logarithms."""
        return -self.p - 1

    def weight(self, least: arb, most: arb) -> arb:
        """Return a bound of the integrand over ``|V z'|`` where ``least <= |z/c| <= most``."""
        return (least if self.growth < 0 else most) ** self.growth

    def beyond(self, each: arb, angle: float, end: arb, index: int) -> arb:
        """Return a bound of ``int |integrand| dw`` from ``end`` on, for angles up to ``angle``.

        ``each`` is a bound of ``|E exp(z Y)|`` there. Of the units k are used for the decay.
        """
        law, d, cos, growth = self.law, self.law.width, arb(angle).cos(), self.growth
        theta = arb("0.75") if law.vanishing else arb(1)
        k = 2 if law.has_atom else min(d, max(2, math.ceil(4 + 3 * float(growth.upper()))))
        y = self.size * cos * end.sinh()
        farthest = (self.focus + y / (end.tanh() * cos)) / self.centre
        reach = arb.max(farthest.log(), (self.centre / y).log()) + arb.pi()
        decay = theta * k / 2 - growth - 1 - index / reach
        if not decay > 0:
            return arb.pos_inf()
        size = unit.inverse_moment(law, theta) * arb(2) ** ((1 - theta) / 4)
        units = each ** (d - k) * size**k * (math.comb(d, 2) if law.has_atom else 1)
        base = y / self.centre if growth < 0 else farthest
        weight = base**growth * y ** (1 - theta * k / 2)
        return units * weight * reach**index / (cos * decay)

    def tail(self, end: arb, index: int) -> arb:
        """Return a bound of the integral on the contour beyond ``end``."""
        z, _ = self.at(end)
        if self.law.vanishing and not z.real <= z.imag:
            return arb.pos_inf()
        each = ball(self.law.dead) + unit.absolute_bound(self.law, z)
        return self.beyond(each, _ANGLE, end, index)

    # ------------------------------------------------------------ the strip

    def piece(self, low: float, high: float, left: arb, right: arb) -> tuple[arb, arb]:
        """Return bounds of the first integrand and of |log(z/c)| for these angles and w."""
        nearest = self.focus - self.size * arb(low).sin() * left.cosh()
        farthest = self.focus - self.size * arb(high).sin() * right.cosh()
        height = self.size * arb(high).cos() * left.sinh()
        real = nearest if nearest < 0 else (farthest if farthest > 0 else arb(0))
        least = (real * real + height * height).sqrt() / self.centre
        most = (self.focus + self.size * right.cosh()) / self.centre
        values = self.several(acb(nearest.upper())).real
        log = arb.max(abs(least.log()), abs(most.log())) + arb.pi()
        return values * self.weight(least, most) * self.size * right.cosh(), log

    def strip(self, count: int) -> list[arb]:
        """Return bounds of ``int_0^inf |integrand| dw`` on every hyperbola of the strip."""
        totals = [arb(0)] * count
        left, step = arb(0), arb("0.0625")
        while True:
            right = left + step
            pieces = [
                self.piece(low, high, left, right) for low, high in itertools.pairwise(_ANGLES)
            ]
            for j in range(count):
                largest = arb(0)
                for value, log in pieces:
                    largest = arb.max(largest, value * log**j)
                totals[j] += largest * step
            left, step = right, step * (1 if right < 1 else arb("1.125"))
            rest = self._strip_tail(left, count)
            if all(b < a for a, b in zip(totals, rest, strict=True)):
                return [a + b for a, b in zip(totals, rest, strict=True)]
            if not left < 1e6:
                return [arb.pos_inf()] * count

    def _strip_tail(self, end: arb, count: int) -> list[arb]:
        real = self.focus - self.size * arb(_ANGLES[0]).sin() * end.cosh()
        height = self.size * arb(_ANGLES[-1]).cos() * end.sinh()
        if not (real < 0 and real < height):
            return [arb.pos_inf()] * count
        each = ball(self.law.dead) + unit.live(self.law, acb(real.upper())).real
        return [self.beyond(each, _ANGLES[-1], end, j) for j in range(count)]


class _Subtracted(_Contour):
    """The contour for p < -1/2 of laws without an atom.

    With n the integer nearest to -p, the integral of ``V(z) z^(n-1)`` is 0. It is taken off, since
    the gamma function has a pole at p = -n: ``(z/c)^(n-1) ((z/c)^-e - 1)/e`` replaces
    ``(z/c)^(-p-1)`` for ``e = p + n``. There is one integrand.
    """

    @property
    def pole(self) -> int:
        """The integer n >= 1: the integral of ``V(z)/z`` is not 0."""
        return max(1, round(-float(self.p.mid())))

    @property
    def growth(self) -> arb:
        """The exponent of a bound where ``|z| >= c``, beside a factor ``|log(z/c)|``."""
        return abs(self.p + self.pole) + self.pole - 1

    def integrands(self, w: arb, count: int) -> list[acb]:
        """Return the integrand, the only one: ``count`` is 1."""
        assert count == 1
        z, slope = self.at(w)
        ratio, e = z / self.centre, self.p + self.pole
        logarithm = ratio.log()
        factor = -logarithm if e.is_zero() else (-e * logarithm).expm1() / e
        return [self.several(z) * ratio ** (self.pole - 1) * factor * slope]

    def weight(self, least: arb, most: arb) -> arb:
        """Return a bound of the integrand over ``|V z'|`` where ``least <= |z/c| <= most``."""
        largest = arb.max(most, 1 / least)
        log = largest.log() + arb.pi()
        return most ** (self.pole - 1) * largest ** abs(self.p + self.pole) * log

    def beyond(self, each: arb, angle: float, end: arb, index: int) -> arb:
        """Return a bound of ``int |integrand| dw`` from ``end`` on, for angles up to ``angle``."""
        if not self.size * arb(angle).cos() * end.sinh() >= self.centre:
            return arb.pos_inf()
        return super().beyond(each, angle, end, index + 1)


def serves(law: Law, p: arb_series) -> bool:
    """Return whether the contour is the method of choice for a law without an atom.

    At high precision the distance ``d/2 + p`` from the edge decides: it is the decay of V.
    """
    lowest = -min(_DEEPEST if ctx.prec > _PRECISE else 1.5, law.width / 20)
    return bool(p[0] > -0.5) or (p.prec == 1 and p[0].is_exact() and bool(p[0] > lowest))


def _subtracted(law: Law, p: arb) -> arb:
    """Return ``E X^p`` for ``-d/2 < p < -1/2``, of laws without an atom."""
    saddle = moment_saddle(law, abs(float(p.mid())) / 2)
    contour = _Subtracted(law, p, arb(saddle.centre), arb(_size(law, saddle)))
    e, weight = p + contour.pole, arb(1)
    for i in range(1, contour.pole):  # e Gamma(p + 1)
        weight = weight / (e - i)
    weight = weight * (1 + e).gamma() * contour.centre ** (-p - 1) / arb.pi()
    return _integrals(contour, 1)[0] * weight


def beyond_linear(x: acb, d: int) -> acb:
    """Return ``(1 + x)^d - 1 - d x`` for ``d |x| < 1``, by the binomial series from k = 2 on.

    Each term is smaller than ``d |x|`` times the one before: a geometric series bounds the rest.

    Examples
    --------
    >>> beyond_linear(acb("1e-50"), 30).real.str(10, radius=False)
    '4.350000000e-98'
    """
    size = d * x.abs_upper()
    total, term, k = acb(0), x * x * math.comb(d, 2), 2
    while True:
        total += term
        term = term * x * (d - k) / (k + 1)
        k += 1
        if k > d or not exponent(term) + ctx.prec > exponent(total):
            break
    rest = (term.abs_upper() / (1 - size)).upper()
    return total + acb(arb(0, rest), arb(0, rest))


def _several(law: Law, p: arb_series) -> arb_series:
    """Return ``E[X^p; at least two live units]``."""
    saddle = moment_saddle(law, float(p[0].mid()))
    contour = _Contour(law, p[0], arb(saddle.centre), arb(_size(law, saddle)))
    values = _integrals(contour, p.prec)
    if p[0].is_zero():
        values[0] = _prob_several(law) * arb.pi() * contour.centre
    # z^(-p-1-e) = c^(-p-1-e) (z/c)^(-p-1) exp(-e log(z/c))
    series = arb_series([v / arb.fac_ui(j) for j, v in enumerate(values)], prec=p.prec)
    weight = ((p + 1).lgamma() - (p + 1) * contour.centre.log()).exp() / arb.pi()
    return compose(series, p) * weight


def _size(law: Law, saddle: Saddle) -> float:
    """Return B, in doubles: the wider the better while the integrand is moderate in the strip."""
    right = math.sin(_ANGLE) - math.sin(_ANGLES[0])
    left = math.sin(_ANGLES[-1]) - math.sin(_ANGLE)
    largest = max(1.0, abs(float(ball(law.upper).mid())), abs(float(ball(law.lower).mid())))
    room = 0.5 / largest**2 - saddle.centre
    growth = math.sqrt(0.3 * ctx.prec)
    return min(saddle.radius * growth / right, 0.9 * room / right, 0.9 * saddle.centre / left)


def _integrals(contour: _Contour, count: int) -> list[arb]:
    """Return the integrals of the imaginary parts of the integrands from 0 to infinity."""
    crossing = contour.focus - contour.size * arb(_ANGLES[0]).sin()
    nearest = contour.focus - contour.size * arb(_ANGLES[-1]).sin()
    if not (nearest > 0 and unit.crosses_between(contour.law, crossing)):
        return [arb.nan()] * count
    scale = contour.several(acb(contour.centre)).real * contour.size
    goal = scale * arb(2) ** (-ctx.prec)
    with working_precision(unit.bound_bits(contour.law)):
        bounds = _bounds(contour, count, goal)
        known = all(bound.is_finite() for bound in [*bounds.strip, *bounds.beyond, goal])
        if not (known and all(strip > goal for strip in bounds.strip)):
            return [arb.nan()] * count
        ratio = max((2 * strip / goal).log().upper() for strip in bounds.strip)
        step = (2 * arb.pi() * arb(_STRIP) / ratio).mid()
        nodes = int(float((bounds.end / step).ceil().upper()))
    decay = (2 * arb.pi() * arb(_STRIP) / step).expm1()
    sums = imaginary_sums(lambda w: contour.integrands(w, count), step, nodes)
    return [
        total + arb(0, (2 * strip / decay + beyond).upper())
        for total, strip, beyond in zip(sums, bounds.strip, bounds.beyond, strict=True)
    ]


def _bounds(contour: _Contour, count: int, goal: arb) -> _Bounds:
    """Return the bounds, with an end beyond which the integrals are below ``goal`` if possible."""
    end = arb(1)
    while True:
        beyond = [contour.tail(end, j) for j in range(count)]
        if all(tail < goal for tail in beyond) or not end < 1e6:
            return _Bounds(contour.strip(count), end, beyond)
        end = end * arb("1.0625")


def _prob_several(law: Law) -> arb:
    """Return the probability of two or more live units."""
    d, dead = law.width, ball(law.dead)
    return 1 - dead**d - dead ** (d - 1) * (1 - dead) * d
