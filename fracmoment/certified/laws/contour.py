"""Moments of any law as a contour integral of the unit's moment generating function.

For ``p > -1/2`` and a contour from below to above that crosses the positive axis once, left of the
singularities of ``E exp(z Y)``, and leaves the negative axis on its left,

    E[X^p; at least two live units] = Gamma(p+1)/(2 pi i) int V(z) z^(-p-1) dz,
    V(z) = E[exp(z X); at least two live units]
         = (dead + l)^d - dead^d - d dead^(d-1) l,    l = E[exp(z Y); live].

One live unit is added in closed form. By symmetry the integral is the imaginary part of the upper
half over pi. The contour is the hyperbola ``z(w) = c + r (i sinh w - tau (cosh w - 1))`` through
the saddle point c, integrated from 0 to W by `acb.integral`; docs/algorithms/certified.md, lemma 2,
bounds what lies beyond W.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

from flint import acb, arb, arb_series, ctx

from fracmoment.certified.laws import unit
from fracmoment.certified.laws.integrate import integral
from fracmoment.certified.laws.law import Law, ball
from fracmoment.certified.laws.saddle import moment_saddle
from fracmoment.certified.laws.series import compose

__all__ = ["contour_moment"]

# How far the contour bends to the left: wide layers need the decay of E exp(z X) there, narrow
# ones the distance from the cut of z^(-p-1).
_BEND, _WIDE = 0.6, 24
# Up to this width the atom is taken off without cancellation.
_HORNER = 24


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


@dataclass
class _Contour:
    """The hyperbola, and the integrand on it relative to its size at the saddle point."""

    law: Law
    p: arb
    centre: arb
    radius: arb

    @property
    def tau(self) -> arb:
        """The bend."""
        return arb(_BEND if self.law.width > _WIDE else 0)

    def at(self, w: acb) -> tuple[acb, acb]:
        """Return z(w) and dz/dw."""
        sinh, cosh = w.sinh_cosh()
        i, tau = acb(0, 1), self.tau
        z = self.centre + self.radius * (i * sinh - tau * (cosh - 1))
        return z, self.radius * (i * cosh - tau * sinh)

    def several(self, z: acb, analytic: bool) -> acb:
        """Return V(z)."""
        law, d = self.law, self.law.width
        live = unit.live(law, z, analytic)
        if not law.has_atom:
            return live**d
        dead = ball(law.dead)
        if d > _HORNER:
            return (dead + live) ** d - dead**d - live * dead ** (d - 1) * d
        total = acb(0)  # the same without cancellation: sum_{k>=2} C(d,k) dead^(d-k) live^k
        for k in range(d, 1, -1):
            total = total * live + dead ** (d - k) * math.comb(d, k)
        return total * live * live

    def integrand(self, w: acb, analytic: bool, power: int, lead: arb) -> acb:
        """Return ``V(z) (z/c)^(-p-1) log(c/z)^power z'(w) / lead``."""
        z, slope = self.at(w)
        logarithm = (z / self.centre).log(analytic=analytic)
        value = self.several(z, analytic) * (-(self.p + 1) * logarithm).exp() * slope * lead
        return value * (-logarithm) ** power if power else value

    def tail(self, end: arb, power: int) -> arb:
        """Return a bound of the integral of ``|V (z/c)^(-p-1) log(z/c)^power dz|`` beyond W."""
        law, d = self.law, self.law.width
        z, _ = self.at(acb(end))
        theta = arb("0.75") if law.vanishing else arb(1)
        y, spread = z.imag, (1 + self.tau**2).sqrt()
        reach = (2 * y / self.centre).log() + arb.pi()
        decay = theta + self.p - power / reach
        if not (z.real <= y and reach > 1 and decay > 0):
            return arb.pos_inf()
        each = ball(law.dead) + unit.absolute_bound(law, z)
        size = unit.inverse_moment(law, theta) * arb(2) ** ((1 - theta) / 4)
        pair = each ** (d - 2) * size**2 * (d * (d - 1) // 2)
        weight = (y / self.centre) ** (-self.p - 1) * y ** (1 - theta)
        return pair * weight * reach**power * spread / decay


def _several(law: Law, p: arb_series) -> arb_series:
    """Return ``E[X^p; at least two live units]``."""
    centre, radius = moment_saddle(law, float(p[0].mid()))
    contour = _Contour(law, p[0], arb(centre), arb(radius))
    if not (contour.centre > 0 and unit.crosses_between(law, contour.centre)):
        return p * 0 + arb.nan()
    scale = contour.several(acb(contour.centre), False).real * contour.radius
    lead = (1 / scale).mid() if scale.is_finite() and scale > 0 else 1 / contour.radius
    values, factorial = [], 1
    for power in range(p.prec):
        factorial *= max(power, 1)
        if power == 0 and p[0].is_zero():
            values.append(_prob_several(law) * arb.pi() * contour.centre)
            continue
        end, tail = _end(contour, power, lead)
        total = integral(partial(contour.integrand, power=power, lead=lead), arb(0), end)
        values.append((total.imag + arb(0, tail.upper())) / (lead * factorial))
    # z^(-p-1-e) = c^(-p-1-e) (z/c)^(-p-1) exp(-e log(z/c))
    series = arb_series(values, prec=p.prec)
    weight = ((p + 1).lgamma() - (p + 1) * contour.centre.log()).exp() / arb.pi()
    return compose(series, p) * weight


def _prob_several(law: Law) -> arb:
    """Return the probability of two or more live units."""
    d, dead = law.width, ball(law.dead)
    return 1 - dead**d - dead ** (d - 1) * (1 - dead) * d


def _end(contour: _Contour, power: int, lead: arb) -> tuple[arb, arb]:
    """Return W and the bound beyond it, small against the precision if that can be reached."""
    goal = arb(2) ** (-ctx.prec)
    end = 2.0
    while True:
        tail = contour.tail(arb(end), power) * lead
        if tail < goal:
            return arb(end), tail
        if end > 1e6:
            return arb(end), arb.pos_inf()
        end *= 1.25
