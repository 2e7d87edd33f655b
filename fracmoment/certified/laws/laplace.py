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
from fracmoment.certified.laws.saddle import laplace_peak
from fracmoment.certified.laws.series import compose, exponent, series_length
from fracmoment.certified.laws.vanishing import FarPart, far_start, near_bound
from fracmoment.certified.precision import working_precision

if TYPE_CHECKING:
    from collections.abc import Callable

    from fracmoment.certified.laws.law import Law

__all__ = ["ratio_moment"]

# Least precision of a node, which is the product of an integer and a double.
_NODE_BITS = 96
# Distance from the peak at which the search for an end stops.
_FARTHEST = 1e6


@dataclass
class _Integrand:
    """``t^(-p) [f^k] U^d`` on the line of ``v = log t``, measured from its peak ``v = peak``."""

    law: Law
    p: arb
    k: int
    peak: arb

    def transform(self, t: acb) -> acb:
        """Return ``[f^k] U(t, f)^d``."""
        base = unit.tilted(self.law, t, self.k + 1)
        return (base**self.law.width)[self.k] if self.k else base[0] ** self.law.width

    def at(self, v: arb, lead: arb) -> arb:
        """Return the integrand at ``peak + v`` times ``lead``."""
        value = self.transform(acb((v + self.peak).exp())).real
        return value * (-self.p * v).exp() * lead

    def turned(self, a: arb) -> arb:
        """Return a bound c of the integrals over ``Im v = b``, |b| <= a < pi, over that for b = 0.

        ``cos(a)^p`` for ``a < pi/2``, because ``|E exp(-t e^(ib) X)| <= E exp(-t cos(b) X)``, and
        ``cos(a/2)^(-d/2-k)``, because ``|1 + x e^(ib)| >= (1 + x) cos(b/2)``.
        """
        log = -(a / 2).cos().log() * (arb(self.law.width) / 2 + self.k)
        if a < arb.pi() / 2:
            log = arb.min(log, a.cos().log() * self.p)
        return log.exp()

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
    total = _far_only(law, p) if law.vanishing else None
    k = _extra(law, p[0])
    if total is None:
        peak = arb(laplace_peak(law, float(p[0].mid()), k))
        with series_length(k + 1):
            total = _by_trapezoids(_Integrand(law, p[0], k, peak), p)
    half = arb(law.width) / 2
    weight = (half.lgamma() - (p + half + k).lgamma() - p * arb.const_log2()).exp()
    return total * weight * (-p).rgamma() * arb.fac_ui(k)


def _far_only(law: Law, p: arb_series) -> arb_series | None:
    """Return the integral where the far part is nearly all of it, as it is for wide layers."""
    start = far_start(law)
    far = FarPart(law, start)
    x = (p[0] + arb(law.width) / 2) * far.first / far.beta
    if not x < law.width:  # the peak lies before the far part
        return None
    total = far.integral(p)
    left_out = [near_bound(law, p[0], start, j).upper() for j in range(p.prec)]
    if not all(out < abs(total[j]) * arb(2) ** -ctx.prec for j, out in enumerate(left_out)):
        return None
    return total + compose(arb_series([arb(0, out) for out in left_out], prec=p.prec), p)


def _extra(law: Law, p: arb) -> int:
    """Return k, the extra degrees of freedom."""
    if law.vanishing:
        return 0
    least = max(0, math.ceil(1 - law.width / 2 - float(p.lower())))
    return least + least // 8  # far below the edge a faster decay is worth longer series


# ---------------------------------------------------------------- the trapezoidal rule


@dataclass
class _Rule:
    """The trapezoidal rule: its nodes, and the integrand of power 0 there, times ``lead``.

    With a far part the nodes end before its start.
    """

    integrand: _Integrand
    lead: arb
    strip: arb
    step: arb
    nodes: list[arb]
    heights: list[arb]
    far: FarPart | None

    def total(self, weight: Callable[[arb], arb]) -> arb:
        """Return the sum over the nodes, with a weight."""
        pairs = zip(self.nodes, self.heights, strict=True)
        return sum((f * weight(v) for v, f in pairs), arb(0)) * self.step

    def value(self, power: int) -> arb:
        """Return the integral with ``(-v)^power``."""
        total = self.total(lambda v: (-v) ** power) + self._far(self.integrand.p, power)
        ends = self._ends(self.integrand, power)
        return total + arb(0, (ends + self._aliasing(power)).upper())

    def _far(self, p: arb, power: int) -> arb:
        """Return the sum over the far part."""
        if self.far is None:
            return arb(0)
        return self.far.sum(p, self.step, power, self.integrand.peak) * self.lead

    def _ends(self, integrand: _Integrand, power: int) -> arb:
        """Return a bound of what lies beyond the first and the last node."""
        ends = integrand.left(-self.nodes[0], power)
        if self.far is None:
            ends += integrand.right(self.nodes[-1], power)
        return ends * self.lead

    def _aliasing(self, power: int) -> arb:
        """Return lemma 4's bound of the error of the infinite rule.

        It is ``2 S/(exp(2 pi a/h) - 1)`` with S a bound of the integrals of ``|F(v + ib)|``,
        ``|b| < a``: a factor c times the integral I(p) for power 0, for a power j and any e > 0
        ``j! exp(a e)/e^j`` times the sum of ``c I(q)`` for ``q = p + e`` and ``p - e``.
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
        """Return a bound of ``c I(q)``, ``q = p + shift``, from the rule for I(q) itself."""
        moved = replace(self.integrand, p=self.integrand.p + shift)
        factor = moved.turned(self.strip)
        error = 2 * factor / decay
        rule = self.total(lambda v: (-shift * v).exp()) + self._far(moved.p, 0)
        rule += self._ends(moved, 0)
        return factor * rule / (1 - error) if error < 1 else arb.pos_inf()


def _by_trapezoids(integrand: _Integrand, p: arb_series) -> arb_series:
    """Return the integral over the whole line as a series of the length of p."""
    peak, count = integrand.peak, p.prec
    lead = (1 / integrand.transform(acb(peak.exp())).real).mid()
    strip, step = _strip(integrand)
    first = max(_reach(integrand.left, j, step, lead) for j in range(count))
    last = max(_reach(integrand.right, j, step, lead) for j in range(count))
    far = None
    if integrand.law.vanishing:
        start = max(1, _steps(far_start(integrand.law) - peak, step))
        if start < last:
            far, last = FarPart(integrand.law, peak + step * start), start - 1
    nodes = [step * i for i in range(-first, last + 1)]
    left = _heights(integrand, lead, nodes[first - 1 :: -1])
    heights = left[::-1] + _heights(integrand, lead, nodes[first:])
    rule = _Rule(integrand, lead, strip, step, nodes, heights, far)
    values = [rule.value(j) / (lead * arb.fac_ui(j)) for j in range(count)]
    # t^(-p) = exp(-p peak) exp(-p v)
    return compose(arb_series(values, prec=count), p) * (-p * peak).exp()


def _steps(distance: arb, step: arb) -> int:
    """Return a number of steps that reach at least about so far."""
    return math.ceil(float(distance / step)) + 1


def _reach(bound: Callable[[arb, int], arb], power: int, step: arb, lead: arb) -> int:
    """Return after how many steps a bound, times ``lead``, is below the precision."""
    goal, v = arb(2) ** (-ctx.prec), 2.0
    while v < _FARTHEST and not bound(arb(v), power) * lead < goal:
        v *= 1.2
    return _steps(arb(v), step)


def _heights(integrand: _Integrand, lead: arb, nodes: list[arb]) -> list[arb]:
    """Return the integrand, times ``lead``, at nodes in the order of their distance from 0."""
    heights: list[arb] = []
    drop = 0
    for v in nodes:
        # Small integrands need fewer digits.
        with working_precision(max(ctx.prec - drop, _NODE_BITS)):
            heights.append(integrand.at(v, lead))
        drop = max(0, -exponent(heights[-1]))
    return heights


def _strip(integrand: _Integrand) -> tuple[arb, arb]:
    """Return a half-width a of the strip and the step: choices, in doubles."""
    bits = ctx.prec + 8

    def step(a: float) -> float:
        loss = float(integrand.turned(arb(a)).log())
        return 2 * math.pi * a / (0.6932 * bits + loss)

    best = max((0.05 * j for j in range(1, 62)), key=step)
    return arb(best), arb(step(best))
