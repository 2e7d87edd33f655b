"""Negative moments of laws without dead units, as a Laplace integral over the real line.

For every integer ``k >= 0`` and ``p < 0`` with ``d/2 + k + p > 0``, with ``G = |g|^2/2``,

    E[X^p G^k] = 1/Gamma(-p) int_0^inf t^(-p-1) E[G^k exp(-t X)] dt,
    E[G^k exp(-t X)] = k! [f^k] U(t, f)^d,    U(t, f) = E (1 - f + 2 b t)^(-1/2).

X is 2 G times an independent ratio B, so ``E B^p = 2^-p Gamma(d/2)/Gamma(d/2+k+p) E[X^p G^k]``: k
is large enough for the integral to converge well next to the edge ``p = -d/2`` and, for ratios of
slopes away from 0, beyond it. In ``v = log t`` the trapezoidal rule has an error that is bounded by
the integral itself, because ``|E exp(-t e^(ib) X)| <= E exp(-t cos(b) X)``; the two ends are
bounded as well. docs/algorithms/certified.md, lemmas 3 and 4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from flint import acb, arb, arb_series, ctx

from fracmoment.certified.laws import unit
from fracmoment.certified.laws.integrate import integral
from fracmoment.certified.laws.saddle import laplace_peak
from fracmoment.certified.laws.series import compose, exponent, series_length
from fracmoment.certified.laws.vanishing import far_part, far_start
from fracmoment.certified.precision import working_precision

if TYPE_CHECKING:
    from collections.abc import Callable

    from fracmoment.certified.laws.law import Law

__all__ = ["ratio_moment"]

# Widest layers whose far part is taken off as a sum of as many terms.
_NARROW = 64
# Least precision of a node, which is the product of an integer and a double.
_NODE_BITS = 96
# Distance from the edge of the orders below which there is a far part.
_NEAR = 0.25


@dataclass
class _Integrand:
    """``t^(-p) [f^k] U^d`` on the line of ``v = log t``, measured from its peak ``v = peak``."""

    law: Law
    p: arb
    k: int
    peak: arb

    @property
    def far(self) -> arb | None:
        """Where the elementary far part begins, measured from the peak, if there is one."""
        law = self.law
        if not law.vanishing or law.width > _NARROW or arb(law.width) / 2 + self.p > _NEAR:
            return None
        return (far_start(law) - self.peak).mid()

    def transform(self, t: acb, analytic: bool) -> acb:
        """Return ``[f^k] U(t, f)^d``."""
        base = unit.tilted(self.law, t, self.k + 1, analytic)
        return (base**self.law.width)[self.k] if self.k else base[0] ** self.law.width

    def at(self, v: acb, analytic: bool, power: int, lead: arb) -> acb:
        """Return the integrand at ``peak + v`` times ``(-v)^power lead``."""
        value = self.transform((v + self.peak).exp(), analytic) * (-self.p * v).exp() * lead
        return value * (-v) ** power if power else value

    def left(self, v: arb, power: int) -> arb:
        """Return a bound of the integral to the left of ``peak - v``."""
        rate = -self.p - power / v
        if not rate > 0:
            return arb.pos_inf()
        return self._largest() * (self.p * v).exp() * v**power / rate

    def right(self, v: arb, power: int) -> arb:
        """Return a bound of the integral to the right of ``peak + v``."""
        d, k, law = self.law.width, self.k, self.law
        if law.vanishing:
            # U <= E (2 b t)^(-theta/2), any theta < 1
            theta = (1 - 2 * self.p / d).mid() / 2
            size, decay = unit.inverse_moment(law, theta) ** d, theta * d / 2
        else:
            decay = arb(d) / 2 + k
            size = self._largest() * (2 * unit.smallest_square(law)) ** (-decay)
        rate = decay + self.p - power / v
        if not rate > 0:
            return arb.pos_inf()
        return size * (-decay * (self.peak + v) - self.p * v).exp() * v**power / rate

    def _largest(self) -> arb:
        """Return ``E G^k / k!``, the transform at t = 0."""
        return (arb(self.law.width) / 2).rising(self.k) / arb.fac_ui(self.k)


def ratio_moment(law: Law, p: arb_series) -> arb_series:
    """Return ``E (X/|g|^2)^p`` for p < 0, as a series of the length of p."""
    k = _extra(law, p[0])
    peak = arb(laplace_peak(law, float(p[0].mid()), k))
    integrand = _Integrand(law, p[0], k, peak)
    with series_length(k + 1):
        return _series(integrand, p)


def _series(integrand: _Integrand, p: arb_series) -> arb_series:
    law, k, peak = integrand.law, integrand.k, integrand.peak
    half = arb(law.width) / 2
    lead = (1 / integrand.transform(acb(peak.exp()), False).real).mid()
    far = integrand.far
    if far is None:
        integrals = _by_trapezoids(integrand, p.prec, lead)
    else:
        integrals = [_up_to_far(integrand, far, power, lead) for power in range(p.prec)]
    values = [value / (lead * arb.fac_ui(j)) for j, value in enumerate(integrals)]
    total = arb_series(values, prec=p.prec)
    total = compose(total, p)
    if far is not None:
        total = total + far_part(law, p, far + peak) * (p * peak).exp()
    # t^(-p) = exp(-p peak) exp(-p v)
    weight = (half.lgamma() - (p + half + k).lgamma() - p * (arb.const_log2() + peak)).exp()
    return total * weight * (-p).rgamma() * arb.fac_ui(k)


def _extra(law: Law, p: arb) -> int:
    """Return k, the extra degrees of freedom."""
    if law.vanishing:
        return 0
    least = max(0, math.ceil(1 - law.width / 2 - float(p.lower())))
    return least + least // 8  # far below the edge a faster decay is worth longer series


def _up_to_far(integrand: _Integrand, far: arb, power: int, lead: arb) -> arb:
    """Return the integral up to the far part, times ``lead``."""
    left, below = _far(integrand.left, power, lead)

    def function(v: acb, analytic: bool) -> acb:
        return integrand.at(v, analytic, power, lead)

    total = integral(function, -left, arb(0)) + integral(function, arb(0), far)
    return total.real + arb(0, below.upper())


# ---------------------------------------------------------------- the trapezoidal rule


@dataclass
class _Rule:
    """The trapezoidal rule: its nodes, and the integrand of power 0 there, times ``lead``."""

    integrand: _Integrand
    lead: arb
    strip: arb
    step: arb
    nodes: list[arb]
    heights: list[arb]

    def total(self, weight: Callable[[arb], arb]) -> arb:
        """Return the sum over the nodes, with a weight."""
        pairs = zip(self.nodes, self.heights, strict=True)
        return sum((f * weight(v) for v, f in pairs), arb(0)) * self.step

    def value(self, power: int) -> arb:
        """Return the integral with ``(-v)^power``."""
        total = self.total(lambda v: (-v) ** power)
        ends = self._ends(self.integrand, power)
        return total + arb(0, (ends + self._aliasing(power)).upper())

    def _ends(self, integrand: _Integrand, power: int) -> arb:
        """Return a bound of what lies beyond the first and the last node."""
        left, right = -self.nodes[0], self.nodes[-1]
        return (integrand.left(left, power) + integrand.right(right, power)) * self.lead

    def _aliasing(self, power: int) -> arb:
        """Return lemma 4's bound of the error of the infinite rule.

        It is ``2 S/(exp(2 pi a/h) - 1)`` with S a bound of the integrals of ``|F(v + ib)|``,
        ``|b| < a``: ``cos(a)^p`` times the integral I(p) for power 0, for a power j and any e > 0
        ``j! exp(a e)/e^j`` times the sum of ``cos(a)^q I(q)`` for ``q = p + e`` and ``p - e``.
        """
        decay = (2 * arb.pi() * self.strip / self.step).expm1()
        p, shifts, front = self.integrand.p, [arb(0)], arb(1)
        if power:
            room = arb(self.integrand.law.width) / 2 + self.integrand.k + p
            e = (arb.min(arb.min(room, -p), arb(1)) / 4).lower()
            shifts, front = [e, -e], arb.fac_ui(power) * (self.strip * e).exp() / e**power
        total = sum((self._larger(shift, decay) for shift in shifts), arb(0))
        return 2 * front * total / decay

    def _larger(self, shift: arb, decay: arb) -> arb:
        """Return a bound of ``cos(a)^q I(q)``, ``q = p + shift``, from the rule for I(q) itself."""
        moved = replace(self.integrand, p=self.integrand.p + shift)
        factor = self.strip.cos() ** moved.p
        error = 2 * factor / decay
        rule = self.total(lambda v: (-shift * v).exp()) + self._ends(moved, 0)
        return factor * rule / (1 - error) if error < 1 else arb.pos_inf()


def _by_trapezoids(integrand: _Integrand, count: int, lead: arb) -> list[arb]:
    """Return the integrals over the whole line for powers below ``count``, times ``lead``."""
    strip, step = _strip(integrand)
    reach = [0, 0]
    for power in range(count):
        for side, bound in enumerate((integrand.left, integrand.right)):
            end, _ = _far(bound, power, lead)
            reach[side] = max(reach[side], math.ceil(float(end / step)) + 1)
    nodes = [step * i for i in range(-reach[0], reach[1] + 1)]
    left = _heights(integrand, lead, nodes[reach[0] - 1 :: -1])
    heights = left[::-1] + _heights(integrand, lead, nodes[reach[0] :])
    rule = _Rule(integrand, lead, strip, step, nodes, heights)
    return [rule.value(power) for power in range(count)]


def _heights(integrand: _Integrand, lead: arb, nodes: list[arb]) -> list[arb]:
    """Return the integrand, times ``lead``, at nodes in the order of their distance from 0."""
    heights: list[arb] = []
    drop = 0
    for v in nodes:
        # Small integrands need fewer digits.
        with working_precision(max(ctx.prec - drop, _NODE_BITS)):
            heights.append(integrand.at(acb(v), False, 0, lead).real)
        drop = max(0, -exponent(heights[-1]))
    return heights


def _strip(integrand: _Integrand) -> tuple[arb, arb]:
    """Return a half-width a of the strip and the step: choices, in doubles."""
    order, bits = -float(integrand.p.mid()), ctx.prec + 8

    def step(a: float) -> float:
        return 2 * math.pi * a / (0.6932 * bits - order * math.log(math.cos(a)))

    best = max((0.02 * j for j in range(5, 78)), key=step)
    return arb(best), arb(step(best))


def _far(bound: Callable[[arb, int], arb], power: int, lead: arb) -> tuple[arb, arb]:
    """Return a distance at which a bound, times ``lead``, is small, and its value there."""
    goal, v = arb(2) ** (-ctx.prec), 2.0
    while True:
        left_out = bound(arb(v), power) * lead
        if left_out < goal:
            return arb(v), left_out
        if v > 1e6:
            return arb(v), arb.pos_inf()
        v *= 1.2
