"""Moments of a nonlinear layer's gain as balls at the current precision.

With ``X = Y_1 + ... + Y_d``, an integer ``m >= 0`` with ``c = m - p > 0`` and
``P(t) = E (tX)^m exp(-tX)/m! = [e^m] (E exp((e-1) t Y))^d``,

    E X^p = m!/Gamma(c) int exp(-p v) P(e^v) dv,

by the trapezoidal rule. Its relative error is at most ``2 sum_j |Gamma(c + 2 pi i j/h)|/Gamma(c)``
for every law of X. docs/algorithms/nonlinear.md, "Certified".
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flint import arb, arb_series, ctx

from fracmoment.certified.laws.law import ball
from fracmoment.certified.laws.series import series_length
from fracmoment.certified.nonlinear.panels import UnitBalls
from fracmoment.certified.precision import CertificationError

if TYPE_CHECKING:
    from fractions import Fraction

    from fracmoment.certified.nonlinear.units import Unit

__all__ = ["gain_moment", "mean_square"]

# Nodes that are evaluated together; the most of them; steps are multiples of 1/_GRID.
_BLOCK, _MOST, _GRID = 8, 6000, 128
# Least c: larger values mean shorter rules and longer series.
_EXTRA = 6


def mean_square(unit: Unit, q: Fraction) -> arb:
    """Return ``E phi(x)^2`` for x ~ N(0, q), of the unit with its scales."""
    return arb(unit.outer) ** 2 * UnitBalls(unit, ball(unit.inner**2 * q)).moment(1)


def gain_moment(unit: Unit, q: Fraction, width: int, order: Fraction) -> arb:
    """Return ``E R_q^order``."""
    p = ball(order) / 2
    power = max(0, math.floor(order / 2) + 1 + _EXTRA)
    balls = UnitBalls(unit, ball(unit.inner**2 * q), power)
    rule = _Rule(balls, width, p, power)
    return arb(unit.outer) ** ball(order) * rule.integral() * arb.fac_ui(power) / rule.c.gamma()


@dataclass
class _Rule:
    """The trapezoidal rule for ``exp(-p v) P(e^v)``."""

    balls: UnitBalls
    width: int
    p: arb
    power: int
    _sizes: dict[int, arb] = field(default_factory=dict)

    @property
    def c(self) -> arb:
        """The exponent ``m - p`` towards the left."""
        return self.power - self.p

    def integral(self) -> arb:
        """Return the integral over the line."""
        mean = self.balls.moment(1)
        largest = self.balls.moment(self.power) if self.power else arb(1)
        whole = largest * arb(self.width) ** self.power  # E X^m <= d^m E Y^m
        step, aliasing = self._step()
        self._check(self._expected(step))
        start = math.log(float(self.c.mid()) / (self.width * float(mean.mid())))
        first = last = round(start / step) - _BLOCK // 2
        last += _BLOCK
        total = self._block(first, step)
        goal = arb(2) ** -ctx.prec
        while not self._right(last - 1, step) < goal * total:
            total += self._block(last, step)
            last += _BLOCK
            self._check(last - first)
        while not self._left(first, step, whole) < goal * total:
            first -= _BLOCK
            total += self._block(first, step)
            self._check(last - first)
        rest = self._right(last - 1, step) + self._left(first, step, whole)
        total += arb(0, rest.upper())
        return total * arb(step) / (1 + arb(0, aliasing.upper()))

    def _expected(self, step: float) -> float:
        """Return how many nodes it takes to the right where all units' decay is needed, or 0."""
        if self.balls.unit.inverse is None or self.p >= 0:
            return 0.0
        theta, count = self._theta()
        rate = float((self.p + theta * count).mid())
        return ctx.prec * math.log(2) / (max(rate, 1e-9) * step) if count == self.width else 0.0

    def _check(self, count: float) -> None:
        if count > _MOST:
            message = (
                f"a moment at width {self.width} needs more than {_MOST} values of the Laplace "
                "transform: the order is too close to the edge, or phi nearly vanishes too often"
            )
            raise CertificationError(message)

    def _block(self, index: int, step: float) -> arb:
        """Return the sum over some nodes ``v = step i`` from an index on."""
        points = [arb(step * i) for i in range(index, index + _BLOCK)]
        rows = self.balls.sums([v.exp() for v in points], self.power + 1)
        total = arb(0)
        with series_length(self.power + 1):
            for i, v, row in zip(range(index, index + _BLOCK), points, rows, strict=True):
                self._sizes[i] = row[0].upper()
                series = arb_series(row, prec=self.power + 1)
                total += (series**self.width)[self.power] * (-self.p * v).exp()
        return total

    def _left(self, first: int, step: float, whole: arb) -> arb:
        """Return a bound of the sum to the left: ``P(t) <= t^m E X^m/m!``."""
        decay = (-self.c * arb(step)).exp()
        front = whole / arb.fac_ui(self.power) * (self.c * arb(step * first)).exp()
        return front * decay / (1 - decay)

    def _right(self, last: int, step: float) -> arb:
        """Return a bound of the sum to the right of a node.

        ``P(t) <= A L(t/2)^d`` with ``A = sup x^m exp(-x/2)/m!``; L decreases, and ``L(t) <=
        (theta/e)^theta E Y^-theta t^-theta``.
        """
        m, d = self.power, self.width
        size = (2 * arb(m) / arb.const_e()) ** m / arb.fac_ui(m) if m else arb(1)
        before = last - math.ceil(0.7 / step)
        if before not in self._sizes:
            return arb.pos_inf()
        half, v = arb.min(self._sizes[before], arb(1)), arb(step * last)
        bound = arb.pos_inf()
        if self.p > 0:
            bound = half**d * self._geometric(self.p, v, step)
        inverse = self.balls.unit.inverse
        if inverse is not None:
            theta, count = self._theta()
            rate = self.p + theta * count
            if rate > 0:
                factor = (2 * theta / arb.const_e()) ** theta * inverse(theta, self.balls.q)
                other = half ** (d - count) * factor**count * self._geometric(rate, v, step)
                bound = arb.min(bound, other)
        return size * bound

    def _theta(self) -> tuple[arb, int]:
        """Return theta, and of how many units the decay is used: choices."""
        p, edge = float(self.p.mid()), self.balls.unit.edge(self.balls.q)
        least = max(0.0, -p) / self.width
        if edge.is_finite():
            theta = arb(0.85 * float(edge.mid()) + 0.15 * least)
        else:
            theta = arb(max(0.5, 2.0 * least))
        count = math.ceil((max(0.0, -p) + 2.0) / float(theta.mid()))
        return theta, min(self.width, count)

    def _geometric(self, rate: arb, v: arb, step: float) -> arb:
        """Return ``sum_{i>0} exp(-rate (v + i step))``."""
        decay = (-rate * arb(step)).exp()
        return (-rate * v).exp() * decay / (1 - decay)

    def _step(self) -> tuple[float, arb]:
        """Return a step, and a bound of the rule's relative error with it.

        ``|Gamma(z)| <= sqrt(2 pi) |z|^(Re z - 1/2) exp(-pi |Im z|/2 + 1/(6|z|))``, DLMF 5.6.9; from
        one frequency to the next the bound falls by ``2^c exp(-pi^2/h)`` at least.
        """
        steps = math.floor(0.5 * _GRID)
        while True:
            step = steps / _GRID
            w = 2 * arb.pi() / arb(step)
            z = (self.c**2 + w**2).sqrt()
            first = (2 * arb.pi()).sqrt() * z ** (self.c - 0.5)
            first *= (1 / (6 * z) - arb.pi() * w / 2).exp() / self.c.gamma()
            decay = 2**self.c * (-arb.pi() * w / 2).exp()
            bound = 2 * first / (1 - decay) if decay < 1 else arb.pos_inf()
            if bound < arb(2) ** -ctx.prec:
                return step, bound
            steps -= 1
            if steps == 0:
                message = f"orders such as {float(2 * self.p.mid()):g} need too small a step"
                raise CertificationError(message)
