"""The far end of the Laplace integral where slopes come as close to 0 as one likes.

For a uniform slope on ``[l, u]`` with ``l <= 0 < u`` the transform carries a logarithm: with
``y = sqrt(2 t)`` and ``v = log t``

    y E (1 + 2 b t)^(-1/2) = alpha + beta v + rho,    |rho| <= C/t,

by ``0 <= asinh(x) - log(2x) <= 1/(4 x^2)`` and ``0 <= 1 - (1 + 1/(2t))^(-1/2) <= 1/(4t)``. Next to
the edge ``p = -d/2`` the integral of ``t^-p`` times its d-th power decays slowly, but without rho
it is elementary, and so is the sum of the trapezoidal rule by Euler and Maclaurin's formula.
docs/algorithms/certified.md, lemma 4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from flint import acb, arb, arb_series, ctx

from fracmoment.certified.laws import unit
from fracmoment.certified.laws.law import Law, ball
from fracmoment.certified.laws.series import compose, series_length

__all__ = ["FarPart", "far_start", "near_bound"]

# Cells in which the integrand is bounded.
_CELLS = 64


def far_start(law: Law) -> arb:
    """Return ``v = log t`` from which on rho is below the precision."""
    smallest = min(law.upper, -law.lower) if law.lower < 0 else law.upper
    return arb(0.7 * ctx.prec + 2 * math.log(law.width + 1) + 10) - 2 * ball(smallest).log()


@dataclass
class FarPart:
    """``exp(-p v) E[exp(-t X)] = 2^(-d/2) exp(-k v) (alpha + beta v + rho)^d`` from a start on.

    Here ``k = d/2 + p``. Nothing is finite unless ``alpha + beta v > 0`` at the start.
    """

    law: Law
    start: arb

    def __post_init__(self) -> None:
        """Compute ``beta``, ``first = alpha + beta start`` and the relative size of rho there."""
        law = self.law
        share = ball(law.slope / (law.upper - law.lower))
        two, high = arb.const_log2(), ball(law.upper)
        if law.lower < 0:
            self.beta, inner = share, 3 * two + (high * ball(-law.lower)).log()
            squares = high**-2 + ball(law.lower) ** -2
        else:
            self.beta, inner = share / 2, 3 * two / 2 + high.log()
            squares = high**-2
        first = ball(law.one) + share * inner + self.beta * self.start
        self.first = first if first > 0 else arb.nan()
        self.rho = (ball(law.one) / 4 + share * squares / 8) * (-self.start).exp() / self.first

    def integral(self, p: arb_series) -> arb_series:
        """Return ``int exp(-p v) E[exp(-t X)] dv`` from the start on, as a series.

        ``int exp(-k v) (alpha + beta v)^d dv = exp(-k start) d! beta^d/k^(d+1) sum_{i<=d} x^i/i!``
        with ``x = k first/beta``.
        """
        d, rate = self.law.width, p + arb(self.law.width) / 2
        x = rate * (self.first / self.beta)
        sums = [_exponential(x[0], d - j) / arb.fac_ui(j) for j in range(p.prec)]
        total = compose(arb_series(sums, prec=p.prec), x)
        logarithm = arb(d + 1).lgamma() + d * self.beta.log() - arb.const_log2() * d / 2
        whole = (logarithm - (d + 1) * rate.log() - rate * self.start).exp() * total
        return whole * self._error()

    def sum(self, p: arb, step: arb, power: int, origin: arb) -> arb:
        """Return ``step`` times the sum of the integrand times ``(origin - v)^power``.

        Over ``v = start, start + step, ...``, and ``start > origin``. With g for the integrand
        without rho it is ``int g + step g(start)/2 - sum_i B_2i/(2i)! step^2i g^(2i-1)(start)``
        within ``4 (step/2 pi)^2m int |g^(2m)|``, and ``|g^(m)| <= rate^m |g|`` from the start on
        for ``rate = k + power/(start - origin) + d beta/first``.
        """
        d, distance = self.law.width, self.start - origin
        k = p + arb(d) / 2
        shift = arb_series([p, arb(1)][: power + 1], prec=power + 1)
        whole = self.integral(shift) * (shift * origin).exp()
        integral = whole[power] * arb.fac_ui(power)
        rate = k + power / distance + d * self.beta / self.first
        ratio = step * rate / (2 * arb.pi())
        if not (ratio < 0.75 and distance > 0):
            return arb.nan()
        m = 1 + math.ceil(0.5 * ctx.prec * math.log(2) / -math.log(float(ratio.upper())))
        with series_length(2 * m):
            x = arb_series([0, 1], prec=2 * m)
            taylor = (-x * k).exp() * (1 + x * (self.beta / self.first)) ** d
            taylor = taylor * (-x - distance) ** power
            # g/2, and B_2i/(2i)! times (2i-1)! times the coefficient
            total = taylor[0] / 2
            for i in range(1, m + 1):
                factor = arb.bernoulli(2 * i) / (2 * i) * step ** (2 * i - 1)
                total -= factor * taylor[2 * i - 1]
        head = (p * origin - k * self.start - arb.const_log2() * d / 2).exp() * self.first**d
        correction = total * head * step
        rest = 4 * ratio ** (2 * m) * abs(integral)
        return (integral + correction + arb(0, rest.upper())) * self._error()

    def _error(self) -> arb:
        """Return a ball around 1 for what rho changes: ``(1 + r)^d``, |r| <= rho."""
        change = self.law.width * self.rho
        return 1 + arb(0, (change * change.exp()).upper())


def near_bound(law: Law, p: arb, end: arb, index: int) -> arb:
    """Return a bound of ``int |v|^index/index! exp(-p v) E[exp(-t X)] dv`` up to ``end`` > 0.

    ``E exp(-t X) <= 1`` for v < 0, and beyond cells in which ``y^d`` is at most its value at the
    right, because y increases, and ``exp(-k v)`` that at the left.
    """
    d, width = law.width, end / _CELLS
    k, total = p + arb(d) / 2, arb(0)
    for i in range(_CELLS):
        left, right = width * i, width * (i + 1)
        y = unit.tilted(law, acb(right.exp()), 1)[0].real * (right / 2).exp()
        total += (-k * left).exp() * y**d * right**index
    return (-p) ** (-index - 1) + total * width / arb.fac_ui(index)


def _exponential(x: arb, n: int) -> arb:
    """Return ``sum_{i<=n} x^i/i!`` for x > 0.

    Examples
    --------
    >>> _exponential(arb(2), 3).str(5, radius=False), _exponential(arb(1), 99).str(5, radius=False)
    ('6.3333', '2.7183')
    """
    total, term, i = arb(0), arb(1), 0
    while i <= n:
        total += term
        i += 1
        term = term * x / i
        ratio = x / (i + 1)
        if ratio < 0.5 and term < total * arb(2) ** (-ctx.prec - 8):
            rest = arb(0) if i > n else term / (1 - ratio)
            return total + arb(0, rest.upper())
    return total
