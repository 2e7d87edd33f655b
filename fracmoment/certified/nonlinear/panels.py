"""Rigorous quadrature for one nonlinear unit: ``E (t Y)^j exp(-t Y)/j!`` for many t.

Panels of (0, inf) carry Gauss-Legendre nodes. The n-point rule on [-1, 1] errs by at most

    (64/15) M rho^(-2n)/(1 - rho^-2)

for a function analytic and bounded by M in the ellipse of foci -1, 1 and semi-axes of sum rho. M
comes from balls over boxes that cover the ellipse: a lower bound of ``Re Y``, upper bounds of
``|Y|`` and of the density, for all t at once. docs/algorithms/nonlinear.md, "Certified".
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from flint import acb, arb, arb_mat, ctx

from fracmoment.certified.nonlinear.units import folded_density
from fracmoment.certified.precision import CertificationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fracmoment.certified.nonlinear.units import Side, Unit

__all__ = ["UnitBalls"]

# The ellipses: sum of the semi-axes rho, semi-axes.
_RHO = 3
_ALONG, _ACROSS = 5 / 3, 4 / 3
# Boxes that cover half an ellipse: along and across.
_STRIPS, _ROWS = 16, 3
# No half-line is cut into more panels.
_MOST = 2000
# Bits by which the place of phi by its limit may fall short of the precision.
_SLACK = 12
# Below it exp(-t Y) is computed; beyond, panels are bounded. In bits of the precision.
_DEAD = 3.0


@lru_cache(maxsize=8)
def _legendre(count: int, bits: int) -> tuple[tuple[arb, arb], ...]:
    """Return nodes and weights on [-1, 1], at a precision that is part of the key."""
    assert bits == ctx.prec
    return tuple(arb.legendre_p_root(count, k, weight=True) for k in range(count))


def _boxes(middle: arb, half: arb) -> Iterator[acb]:
    """Yield boxes that cover the upper half of the ellipse of a panel; the lower is its mirror."""
    step = 2 * _ALONG / _STRIPS
    for i in range(_STRIPS):
        left = -_ALONG + i * step
        inner = max(0.0, left, -(left + step))  # the distance of the strip from the middle
        height = _ACROSS * math.sqrt(max(0.0, 1.0 - (inner / _ALONG) ** 2)) + 1e-6
        row = height / _ROWS
        for k in range(_ROWS):
            x = middle + half * arb(left + step / 2, step / 2 + 1e-6)
            y = half * arb((k + 0.5) * row, row / 2 + 1e-9)
            yield acb(x, y)


@dataclass
class _Panel:
    """One panel: nodes with their weights and values of Y, and bounds over its ellipse.

    Attributes
    ----------
    squares, weights : list of arb
        Y at the nodes; weights times the density.
    least, most : arb
        Bounds of Re Y and |Y| over the ellipse.
    error : arb
        The rule's error is this times a bound of the other factor of the integrand.
    mass : arb
        A bound of the probability of the panel.
    deviation : arb
        A bound of ``|log(Y/Y')|`` where a limit Y' takes the place of Y.
    """

    squares: list[arb]
    weights: list[arb]
    least: arb
    most: arb
    error: arb
    mass: arb
    deviation: arb
    _powers: list[list[arb]] = field(default_factory=list)

    def powers(self, count: int) -> list[list[arb]]:
        """Return the powers ``Y^j``, j < count, at the nodes."""
        if not self._powers or len(self._powers[0]) < count:
            self._powers = [[y**j for j in range(count)] for y in self.squares]
        return [row[:count] for row in self._powers]

    def size(self, low: arb, high: arb, j: int) -> arb:
        """Return a bound of ``|Y^j exp(-tY)/j!|`` over the ellipse, for t from low to high."""
        slowest = -low * self.least if self.least > 0 else -high * self.least
        return self.most**j / arb.fac_ui(j) * slowest.exp()

    def live_error(self, low: arb, high: arb, j: int) -> arb:
        """Return a bound of the error of the rule, and of phi's limit, over ``t^j``, t in a range.

        A limit changes log Y by the deviation at most, and ``f = y^j exp(-y)/j!`` by ``(j + y) f``
        times that; the factor 2 is for the change of f itself.
        """
        change = 2 * self.deviation * self.mass * (j + high * self.most)
        return (self.error + change) * self.size(low, high, j)

    def dead_error(self, low: arb, j: int) -> arb:
        """Return a bound of the panel's share over ``t^j`` where ``t Y`` is large."""
        y = low * self.least * (1 - self.deviation)
        if not (y > j and j * self.deviation < 0.5):
            return arb.pos_inf()
        return 2 * self.mass * self.most**j / arb.fac_ui(j) * (-y).exp()


class UnitBalls:
    """``Y = phi(x)^2`` for x ~ N(0, q), at the precision of the time of construction.

    Parameters
    ----------
    unit : Unit
        The activation; only its base counts here.
    q : arb
        Variance of x.
    power : int, optional
        The highest power of Y whose mean counts: means of higher ones get wide balls.
    """

    def __init__(self, unit: Unit, q: arb, power: int = 1) -> None:
        self.unit, self.q = unit, q
        bits = ctx.prec + 24
        self._count = math.ceil(bits * math.log(2) / (2 * math.log(_RHO))) + 2
        self._root = math.sqrt(float(q))
        # Where the normal density is negligible, times the power of x.
        reach = math.sqrt(2 * (bits * math.log(2) + 20)) + math.sqrt(2 * power)
        self._end = self._root * reach
        self._panels: dict[tuple[bool, float, float], _Panel] = {}
        self._limits = {right: self._limit_start(right) for right in (True, False)}

    def _side(self, right: bool) -> Side:
        return self.unit.right if right else self.unit.left

    def _limit_start(self, right: bool) -> float:
        """Return from where on the limit serves for phi, to the precision."""
        side, r = self._side(right), 4.0
        if side.limit not in ("constant", "linear"):
            return math.inf
        goal = arb(2) ** -(
            ctx.prec - _SLACK
        )  # the rounding of the deviation itself is larger than 1 ulp
        while not side.deviation(arb(r)) < goal:
            r += 2.0
        return r

    # ------------------------------------------------------------ panels

    def _density(self, r: arb) -> arb:
        if self.unit.folded:
            return folded_density(r, self.q)
        return self._normal((-r * r / (2 * self.q)).exp())

    def _normal(self, value: arb) -> arb:
        """Return an exponential times the constants of the density."""
        density = value * (2 * arb.pi() * self.q).rsqrt()
        return 2 * density if self.unit.odd else density

    def _density_bound(self, w: acb) -> arb:
        """Return a bound of the size of the density on a box.

        ``|f(x + iy)| <= exp(y^2/2q) f(x)``. The folded density falls with the distance of x from
        the multiples of pi.
        """
        if not self.unit.folded:
            return self._normal(((w.imag**2 - w.real**2) / (2 * self.q)).exp())
        x = abs(w.real)
        distance = arb.max(arb.min(x, arb.pi() - x).lower(), arb(0)).lower()
        return (w.imag**2 / (2 * self.q)).exp() * folded_density(distance, self.q)

    def _panel(self, right: bool, low: float, high: float) -> _Panel:
        key = (right, low, high)
        if key not in self._panels:
            self._panels[key] = self._make(right, low, high)
        return self._panels[key]

    def _make(self, right: bool, low: float, high: float) -> _Panel:
        side, start = self._side(right), arb(low)
        end = arb.pi() / 2 if high == math.inf else arb(high)
        middle, half = (start + end) / 2, (end - start) / 2
        limit = low >= self._limits[right]
        real: Any = side.far if limit else side.real
        continued: Any = side.far if limit else side.complex
        squares, weights = [], []
        for node, weight in _legendre(self._count, ctx.prec):
            r = middle + half * node
            squares.append(real(r) ** 2)
            weights.append(weight * half * self._density(r))
        least, most, density = arb.pos_inf(), arb(0), arb(0)
        for w in _boxes(middle, half):
            square = continued(w) ** 2
            if not square.is_finite():
                nan = arb.nan()
                return _Panel(squares, weights, nan, nan, nan, nan, nan)
            least = arb.min(least, square.real.lower())
            most = arb.max(most, abs(square).upper())
            density = arb.max(density, self._density_bound(w).upper())
        rule = arb(64) / 15 * arb(_RHO) ** (-2 * self._count) / (1 - arb(_RHO) ** -2)
        mass = 2 * half * density
        deviation = side.deviation(start) if limit else arb(0)
        return _Panel(squares, weights, least, most, rule * mass / 2, mass, deviation)

    def _edges(self, right: bool, first: int, end: float) -> list[float]:
        """Return the edges of panels: 0, powers of 2 from ``2^first`` on, then other lengths."""
        longest = 2.0 ** math.floor(math.log2(2 * self._root))
        edges, r = [0.0], 2.0**first
        while r < end:
            edges.append(r)
            length = min(r, longest)
            if 0.25 <= r < self._limits[right]:
                length = min(length, self._side(right).longest(r))
            r += length
            if len(edges) > _MOST:
                message = f"a variance of {float(self.q):g} needs more than {_MOST} panels"
                raise CertificationError(message)
        # On the folded line pi/2 ends the last panel.
        edges.append(math.inf if self.unit.folded and r > 1.57 else r)
        return edges

    def _chosen(self, t: float) -> tuple[list[_Panel], list[tuple[bool, float]]]:
        """Return the panels that serve up to t, and where the half-lines end."""
        panels, ends = [], []
        for right in (True,) if self.unit.odd else (True, False):
            side, end = self._side(right), self._end
            scale = min(0.5, 0.7 * self._root, 0.7 / (self._slope(side) * math.sqrt(t)))
            first = math.floor(math.log2(scale))
            if self.unit.folded:
                end = min(end, 0.5 * math.pi - 0.25 * 2.0**first)
            if side.limit == "vanishes":
                extra = 2.0 * t * float(self.unit.offset) ** 2
                end = min(math.sqrt(end**2 + self._root**2 * extra), self._vanished(side, t))
            edges = self._edges(right, first, end)
            panels += [self._panel(right, a, b) for a, b in itertools.pairwise(edges)]
            ends.append((right, edges[-1]))
        return panels, ends

    def _vanished(self, side: Side, t: float) -> float:
        """Return where ``t Y`` is negligible, roughly: a choice.

        Weighed with the probability of the rest against ``E exp(-t Y)``, about ``(1 + t q)^(-1/2)``
        where phi vanishes at 0.
        """
        r, goal = 2.0, -math.log(2) * ctx.prec - math.log(t) - 10
        relief = 0.5 * math.log1p(t * float(self.q)) if self.unit.offset == 0 else math.inf
        while True:
            size = float((2 * side.real(arb(r)).log()).mid())
            if size + min(0.0, float(self._probability(r).log().mid()) + relief) <= goal:
                return r
            r *= 1.05

    def _slope(self, side: Side) -> float:
        """Return about the slope at 0, 1 where phi does not vanish there: a choice."""
        small = arb(2) ** -20
        return float((side.real(small) / small).mid()) if self.unit.offset == 0 else 1.0

    # ------------------------------------------------------------ means

    def sums(self, times: list[arb], count: int) -> list[list[arb]]:
        """Return ``E (t Y)^j exp(-t Y)/j!`` for increasing times t, and ``j < count``."""
        low, high = float(times[0].mid()), float(times[-1].mid())
        panels, ends = self._chosen(high)
        dead = [low * float(panel.least) > _DEAD * ctx.prec for panel in panels]
        live = [panel for panel, out in zip(panels, dead, strict=True) if not out]
        squares = [y for panel in live for y in panel.squares]
        weights = [w for panel in live for w in panel.weights]
        rows = [[(-t * y).exp() * w for y, w in zip(squares, weights, strict=True)] for t in times]
        sums = arb_mat(rows) * arb_mat([row for panel in live for row in panel.powers(count)])
        low_t, high_t = times[0], times[-1]
        errors = []
        for j in range(count):
            error = self._tails(ends, low_t, j)
            for panel, out in zip(panels, dead, strict=True):
                error += panel.dead_error(low_t, j) if out else panel.live_error(low_t, high_t, j)
            errors.append(arb(0, error.upper()))
        result = []
        for i, t in enumerate(times):
            row = [t**j * (sums[i, j] / arb.fac_ui(j) + errors[j]) for j in range(count)]
            row[0] += self._rest(ends, t)
            result.append(row)
        return result

    def moment(self, j: int) -> arb:
        """Return ``E Y^j``, j >= 1."""
        panels, ends = self._chosen(1.0)
        total, error = arb(0), arb(0)
        for panel in panels:
            total += sum(
                (w * y**j for w, y in zip(panel.weights, panel.squares, strict=True)), arb(0)
            )
            error += panel.error * panel.most**j
            error += 2 * j * panel.deviation * panel.mass * panel.most**j
        for right, end in ends:
            error += self._outside(right, end, j)
        return total + arb(0, error.upper())

    def _rest(self, ends: list[tuple[bool, float]], t: arb) -> arb:
        """Return a ball of ``E exp(-t Y)`` where phi has vanished."""
        total = arb(0)
        for right, end in ends:
            if self._has_vanished(right, end):
                least = (-t * self._side(right).real(arb(end)) ** 2).exp()
                total += self._probability(end) * least.union(arb(1))
        return total

    def _has_vanished(self, right: bool, end: float) -> bool:
        """Return whether |phi| falls from an end on: from 2 on where phi vanishes."""
        return self._side(right).limit == "vanishes" and end >= 2.0

    def _tails(self, ends: list[tuple[bool, float]], low: arb, j: int) -> arb:
        """Return a bound of the integral beyond the panels, over ``t^j``, without `_rest`."""
        total = arb(0)
        for right, end in ends:
            if j > 0 or not self._has_vanished(right, end):
                # (tY)^j exp(-tY)/j! is at most (tY)^j/j!, and at most 1
                power = self._outside(right, end, j) / arb.fac_ui(j)
                total += arb.min(power, self._outside(right, end, 0) / low**j)
        return total

    def _outside(self, right: bool, end: float, j: int) -> arb:
        """Return a bound of ``E Y^j`` beyond an end of the panels."""
        if end == math.inf:
            return arb(0)
        if self._has_vanished(right, end):
            return self._probability(end) * self._side(right).real(arb(end)) ** (2 * j)
        if j == 0:
            return self._probability(end)
        if self.unit.largest is not None:
            return self._probability(end) * arb(self.unit.largest) ** (2 * j)
        # (K r + c)^2j <= 2^(2j-1) (K^2j r^2j + c^2j)
        x, half = arb(end) ** 2 / (2 * self.q), arb(0.5)
        power = (2 * self.q) ** j * x.gamma_upper(half + j) / (2 * arb.pi().sqrt())
        offset = self.unit.offset ** (2 * j) * self._probability(end)
        bound: arb = arb(2) ** (2 * j - 1) * (self.unit.growth ** (2 * j) * power + offset)
        return bound

    def _probability(self, end: float) -> arb:
        """Return the probability of the half-line beyond an end, a bound on the folded line."""
        if self.unit.folded:
            return arb.pi() / 2 * folded_density(arb(end), self.q)
        tail = (arb(end) / (2 * self.q).sqrt()).erfc() / 2
        return 2 * tail if self.unit.odd else tail
