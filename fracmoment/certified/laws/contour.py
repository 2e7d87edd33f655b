"""Moments of any law as a contour integral of the unit's moment generating function.

For ``p > -1/2`` and a contour from below to above that crosses the positive axis once, left of the
singularities of ``E exp(z Y)``, and leaves the negative axis on its left,

    E[X^p; at least two live units] = Gamma(p+1)/(2 pi i) int V(z) z^(-p-1) dz,
    V(z) = E[exp(z X); at least two live units]
         = (dead + l)^d - dead^d - d dead^(d-1) l,    l = E[exp(z Y); live].

One live unit is added in closed form. The contour is the hyperbola ``z(w) = A - B sin(phi - i w)``
through the saddle point ``c = A - B sin(phi)``. By symmetry the integral is the imaginary part of
the upper half over pi, and the trapezoidal rule in w gives it: its error is bounded by the size of
the integrand on the neighbouring hyperbolas, which are those of other angles phi, and by a tail.
docs/algorithms/certified.md, lemma 2, has both bounds.
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
from fracmoment.certified.laws.series import compose
from fracmoment.certified.precision import working_precision

__all__ = ["contour_moment"]

# The angle phi of the contour, and how far those of the hyperbolas of the strip are from it. Binary
# fractions: the strip is cut into pieces at these angles, exactly.
_ANGLE, _STRIP = 0.6875, 0.59375
_ANGLES = tuple(_ANGLE + _STRIP * (j - 4) / 4 for j in range(9))
# Up to this width the atom is taken off without cancellation.
_HORNER = 24
# Bounds need no digits.
_BOUND_BITS = 64


def contour_moment(law: Law, p: arb_series) -> arb_series:
    """Return ``E[X^p; X > 0]`` for p > -1/2, as a series of the length of p."""
    d = law.width
    one_unit = ball(law.dead) ** (d - 1) * d if d > 1 else arb(1)
    total = _single(law, p) * one_unit
    if d == 1:
        return total
    return total + _several(law, p)


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
        live = unit.live(law, z, False)
        if not law.has_atom:
            return live**d
        dead = ball(law.dead)
        if d > _HORNER:
            return (dead + live) ** d - dead**d - live * dead ** (d - 1) * d
        total = acb(0)  # the same without cancellation: sum_{k>=2} C(d,k) dead^(d-k) live^k
        for k in range(d, 1, -1):
            total = total * live + dead ** (d - k) * math.comb(d, k)
        return total * live * live

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

    def beyond(self, each: arb, angle: float, end: arb, index: int) -> arb:
        """Return a bound of ``int |integrand| dw`` from ``end`` on, for angles up to ``angle``.

        ``each`` is a bound of ``|E exp(z Y)|`` there.
        """
        law, d, cos = self.law, self.law.width, arb(angle).cos()
        theta = arb("0.75") if law.vanishing else arb(1)
        y = self.size * cos * end.sinh()
        farthest = (self.focus + y / (end.tanh() * cos)) / self.centre
        reach = arb.max(farthest.log(), (self.centre / y).log()) + arb.pi()
        decay = theta + self.p - index / reach
        if not decay > 0:
            return arb.pos_inf()
        size = unit.inverse_moment(law, theta) * arb(2) ** ((1 - theta) / 4)
        pair = each ** (d - 2) * size**2 * (d * (d - 1) // 2)
        weight = (y / self.centre) ** (-self.p - 1) * y ** (1 - theta)
        return pair * weight * reach**index / (cos * decay)

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
        return values * least ** (-self.p - 1) * self.size * right.cosh(), log

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
        each = ball(self.law.dead) + unit.live(self.law, acb(real.upper()), False).real
        return [self.beyond(each, _ANGLES[-1], end, j) for j in range(count)]


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
    with working_precision(_BOUND_BITS):
        bounds = _bounds(contour, count, goal)
        if not all(bound.is_finite() for bound in [*bounds.strip, *bounds.beyond, goal]):
            return [arb.nan()] * count
        ratio = max((2 * strip / goal).log().upper() for strip in bounds.strip)
        step = (2 * arb.pi() * arb(_STRIP) / ratio).mid()
        nodes = int(float((bounds.end / step).ceil().upper()))
    decay = (2 * arb.pi() * arb(_STRIP) / step).expm1()
    totals = [acb(0)] * count
    for i in range(1, nodes + 1):
        for j, value in enumerate(contour.integrands(step * i, count)):
            totals[j] += value
    totals[0] += contour.integrands(arb(0), 1)[0] / 2
    return [
        total.imag * step + arb(0, (2 * strip / decay + beyond).upper())
        for total, strip, beyond in zip(totals, bounds.strip, bounds.beyond, strict=True)
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
