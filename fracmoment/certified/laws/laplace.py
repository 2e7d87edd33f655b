"""Negative moments of laws without dead units, as a Laplace integral over the real line.

For every integer ``k >= 0`` and ``p < 0`` with ``d/2 + k + p > 0``, with ``G = |g|^2/2``,

    E[X^p G^k] = 1/Gamma(-p) int_0^inf t^(-p-1) E[G^k exp(-t X)] dt,
    E[G^k exp(-t X)] = k! [f^k] U(t, f)^d,    U(t, f) = E (1 - f + 2 b t)^(-1/2).

X is 2 G times an independent ratio B, so ``E B^p = 2^-p Gamma(d/2)/Gamma(d/2+k+p) E[X^p G^k]``: k
is large enough for the integral to converge well next to the edge ``p = -d/2`` and, for ratios of
slopes away from 0, beyond it. Integrated over ``v = log t`` from V0 to V1 by `acb.integral`;
docs/algorithms/certified.md, lemma 3, bounds the two ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flint import acb, acb_series, arb, arb_series, ctx

from fracmoment.certified.laws import unit
from fracmoment.certified.laws.integrate import integral
from fracmoment.certified.laws.saddle import laplace_peak
from fracmoment.certified.laws.series import compose, series_length
from fracmoment.certified.laws.vanishing import far_part, far_start

if TYPE_CHECKING:
    from collections.abc import Callable

    from fracmoment.certified.laws.law import Law

__all__ = ["ratio_moment"]

# Widest layers whose far part is taken off as a sum of as many terms.
_NARROW = 64


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
        if not law.vanishing or law.width > _NARROW:
            return None
        return (far_start(law) - self.peak).mid()

    def transform(self, t: acb, analytic: bool) -> acb:
        """Return ``[f^k] U(t, f)^d``."""
        base = unit.tilted(self.law, t, self.k + 1, analytic)
        if self.k == 0:
            return base[0] ** self.law.width
        return _power_coefficient(base, self.law.width, self.k)

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


def _power_coefficient(base: acb_series, exponent: int, k: int) -> acb:
    """Return ``[f^k] base^exponent`` by J. C. P. Miller's recurrence."""
    ratios = [base[j] / base[0] for j in range(k + 1)]
    terms = [base[0] ** exponent]
    for n in range(1, k + 1):
        total = acb(0)
        for j in range(1, n + 1):
            total += ratios[j] * terms[n - j] * (j * (exponent + 1) - n)
        terms.append(total / n)
    return terms[k]


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
    values, factorial = [], 1
    for power in range(p.prec):
        factorial *= max(power, 1)
        values.append(_integrate(integrand, power, lead) / (lead * factorial))
    total = arb_series(values, prec=p.prec)
    total = compose(total, p)
    if integrand.far is not None:
        total = total + far_part(law, p, integrand.far + peak) * (p * peak).exp()
    # t^(-p) = exp(-p peak) exp(-p v)
    weight = (half.lgamma() - (p + half + k).lgamma() - p * (arb.const_log2() + peak)).exp()
    return total * weight * (-p).rgamma() * arb.fac_ui(k)


def _extra(law: Law, p: arb) -> int:
    """Return k, the extra degrees of freedom."""
    if law.vanishing:
        return 0
    return max(0, math.ceil(1 - law.width / 2 - float(p.lower())))


def _integrate(integrand: _Integrand, power: int, lead: arb) -> arb:
    """Return the integral over the whole line, times ``lead``."""
    left, below = _far(lambda v: integrand.left(v, power) * lead)
    far = integrand.far
    if far is None:
        right, above = _far(lambda v: integrand.right(v, power) * lead)
    else:
        right, above = far, arb(0)

    def function(v: acb, analytic: bool) -> acb:
        return integrand.at(v, analytic, power, lead)

    total = integral(function, -left, arb(0)) + integral(function, arb(0), right)
    return total.real + arb(0, (below + above).upper())


def _far(bound: Callable[[arb], arb]) -> tuple[arb, arb]:
    """Return a distance at which a bound is small against the precision, and the bound there."""
    goal, v = arb(2) ** (-ctx.prec), 2.0
    while True:
        left_out = bound(arb(v))
        if left_out < goal:
            return arb(v), left_out
        if v > 1e6:
            return arb(v), arb.pos_inf()
        v *= 1.2
