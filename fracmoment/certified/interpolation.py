"""Ranges over intervals of slopes and orders of quantities that are not monotone in them.

Slopes are ``a = a_0 exp(u)``. For complex u in an ellipse around the interval of u the quantities
are analytic, and moments at real slopes bound them; so the error of their Chebyshev interpolants is
known, and values at a few slopes bound the whole range. In the order a Taylor polynomial is taken,
with a remainder from moments as well. docs/algorithms/certified.md, "Ranges".
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from flint import arb, arb_series

from fracmoment.certified import laws
from fracmoment.certified.enclosure import Enclosure
from fracmoment.certified.laws.law import Law, ball
from fracmoment.certified.laws.series import series_length
from fracmoment.certified.precision import CertificationError, working_precision
from fracmoment.certified.ranges import hull

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["cumulant_range", "remainder_range"]

# The largest |Im u|, below pi/4; times the order it must stay below pi/2.
_TURN, _MOST_TURN = 0.6875, 1.1875
# Pieces of intervals: quotient of the ends of slopes; radius of the disc of orders over reach.
_QUOTIENT, _SHARE = 2.5, 5
# Halvings of an interval of orders; most terms in the order, and nodes in the slope; cells along
# slopes and orders in which polynomials are bounded.
_HALVINGS, _DEGREE, _MOST_NODES, _CELLS, _ORDER_CELLS = 12, 32, 80, 32, 8
# Halvings of the largest slope that are tried for the first one beyond 0.
_FROM_ZERO = (4, 8, 12, 16, 24, 32, 48, 64)
# Interpolants are as close as this part of what a value may change over its piece.
_CLOSE = 2.0**-8
_BITS = 128


@dataclass
class _Slopes:
    """Slopes from ``low`` to ``high``, and an ellipse around ``u = log(a/a_0)``."""

    low: Fraction
    high: Fraction
    turn: arb

    @property
    def half(self) -> arb:
        """Half the length of the interval of u."""
        return ball(self.high / self.low).log() / 2

    def slope(self, u: arb) -> arb:
        """Return ``a_0 exp(u)``, ``a_0`` the geometric mean of the ends."""
        return ball(self.low * self.high).sqrt() * u.exp()

    def node(self, k: int, degree: int) -> arb:
        """Return the slope at a Chebyshev point."""
        return self.slope(self.half * (arb.pi() * k / degree).cos())

    @property
    def rho(self) -> arb:
        """The sum of the semi-axes of the ellipse, for an interval [-1, 1]."""
        ratio = self.turn / self.half
        return ratio + (ratio * ratio + 1).sqrt()

    def extremes(self, law: Law) -> tuple[Law, Law]:
        """Return the laws of the smallest and the largest ``|exp(u)|`` on the ellipse."""
        reach = (self.turn**2 + self.half**2).sqrt()
        return law.with_slope(self.slope(-reach)), law.with_slope(self.slope(reach))


def _slope_pieces(low: Fraction, high: Fraction) -> list[tuple[Fraction, Fraction]]:
    """Cut an interval of slopes at ratios of at most about `_QUOTIENT`."""
    count = max(1, math.ceil(math.log(high / low) / math.log(_QUOTIENT)))
    cuts = [low * Fraction((float(high / low)) ** (i / count)) for i in range(1, count)]
    points = [low, *cuts, high]
    return list(itertools.pairwise(points))


def _interpolated(
    slopes: _Slopes, values: Callable[[arb], list[arb]], bound: arb, span: tuple[arb, arb]
) -> Enclosure:
    """Return the range of what is a polynomial in the order for every slope.

    ``values(a)`` returns its coefficients; orders minus their centre are in ``span``.
    ``bound`` bounds the analytic function of u on the ellipse, for each order.
    """
    rho = slopes.rho
    size = abs(values(slopes.slope(arb(0)))[0])
    goal = size.lower() * arb.min(slopes.half, arb(1)) * _CLOSE
    if not (goal > 0 and bound.is_finite()):
        goal = bound * arb(2) ** -64
    degree = max(2, math.ceil(float((4 * bound / goal).log() / rho.log())))
    if not (bound.is_finite() and degree <= _MOST_NODES):
        message = f"over slopes in [{slopes.low}, {slopes.high}] the range could not be bounded"
        raise CertificationError(message)
    error = 4 * bound * rho**-degree / (rho - 1)
    nodes = [values(slopes.node(k, degree)) for k in range(degree + 1)]
    total = _polynomial_range(_chebyshev(nodes), span)
    return Enclosure.of_ball(total + arb(0, error.upper()))


def _chebyshev(nodes: list[list[arb]]) -> list[list[arb]]:
    """Return the coefficients of the interpolant in ``T_j`` for values at Chebyshev points."""
    degree = len(nodes) - 1
    cosines = [(arb.pi() * k / degree).cos() for k in range(2 * degree)]
    rows = []
    for j in range(degree + 1):
        weight = arb(1 if j in (0, degree) else 2) / degree
        row = []
        for column in zip(*nodes, strict=True):
            inner = sum((f * cosines[j * k % (2 * degree)] for k, f in enumerate(column)), arb(0))
            ends = (column[0] + column[-1] * (-1) ** j) / 2
            row.append((inner - ends) * weight)
        rows.append(row)
    return rows


def _polynomial_range(rows: list[list[arb]], span: tuple[arb, arb]) -> arb:
    """Return the range of ``sum_jk c_jk T_j(x) t^k`` over ``|x| <= 1`` and t in ``span``."""
    low, length = span[0], span[1] - span[0]
    cells = 1 if length.is_zero() else _ORDER_CELLS
    centres = [low + length * (2 * i + 1) / (2 * cells) for i in range(cells)]
    return _union(
        _over_slopes([_shifted(row, centre) for row in rows], length / (2 * cells))
        for centre in centres
    )


def _union(parts: Iterable[arb]) -> arb:
    """Return a ball that contains all of some balls."""
    first, *rest = parts
    for part in rest:
        first = first.union(part)
    return first


def _shifted(row: list[arb], centre: arb) -> list[arb]:
    """Return the coefficients of a polynomial around another centre."""
    coefficients = list(row)
    for i in range(len(row)):
        for k in range(len(row) - 2, i - 1, -1):
            coefficients[k] = coefficients[k] + coefficients[k + 1] * centre
    return coefficients


def _over_slopes(rows: list[list[arb]], reach: arb) -> arb:
    """Return the range over ``|t| <= reach``: in every cell of x by Taylor's formula.

    ``|T_j'| <= j^2`` and ``|T_j''| <= j^2 (j^2 - 1)/3``.
    """
    half = arb(1) / _CELLS
    curved = sum((abs(row[0]) * (j * j * (j * j - 1)) / 6 for j, row in enumerate(rows)), arb(0))
    rest = curved * half**2
    for j, row in enumerate(rows):
        rest += sum((abs(c) * reach**k for k, c in enumerate(row[2:], 2)), arb(0))
        if len(row) > 1:
            rest += abs(row[1]) * reach * half * (j * j)
    parts = []
    for i in range(_CELLS):
        x = arb(2 * i + 1 - _CELLS) / _CELLS
        # T_j and T_j' by their recurrences
        t, u = [arb(1), x], [arb(0), arb(1)]
        for _ in range(2, len(rows)):
            u.append(2 * t[-1] + 2 * x * u[-1] - u[-2])
            t.append(2 * x * t[-1] - t[-2])
        value = sum((row[0] * c for row, c in zip(rows, t, strict=False)), arb(0))
        slope = sum((row[0] * c for row, c in zip(rows, u, strict=False)), arb(0))
        radius = abs(slope) * half + rest
        if len(rows[0]) > 1:
            radius += (
                abs(sum((row[1] * c for row, c in zip(rows, t, strict=False)), arb(0))) * reach
            )
        parts.append(value + arb(0, radius.upper()))
    return _union(parts)


# ---------------------------------------------------------------- cumulants


def cumulant_range(law: Law, n: int, low: Fraction, high: Fraction) -> Enclosure:
    """Return an enclosure of the n-th cumulant of log R given R > 0, n > 1, for all the slopes."""

    def values(slope: arb) -> list[arb]:
        return [laws.log_cumulants(law.with_slope(slope), n)[-1]]

    def piece(first: Fraction, last: Fraction) -> Enclosure:
        slopes = _Slopes(first, last, arb(_TURN))
        return _interpolated(slopes, values, _cumulant_bound(law, n, slopes), (arb(0), arb(0)))

    with working_precision(_BITS + 2 * n * law.width.bit_length()):
        return hull(*(piece(*ends) for ends in _slope_pieces(low, high)))


def _cumulant_bound(law: Law, n: int, slopes: _Slopes) -> arb:
    """Return a bound of the n-th cumulant on the ellipse: ``n! log(2)/r^n``."""
    steps = arb(1) / 2 if law.has_atom else arb.min(arb(law.width) / 2, arb(1))
    small, large = slopes.extremes(law)
    middle = laws.scale(law.with_slope(slopes.slope(arb(0))), 0, given_alive=True)
    upper = laws.moment(large, steps, given_alive=True) * middle**steps
    lower = laws.moment(small, -steps, given_alive=True) * middle**-steps
    total = (upper + lower * slopes.turn.cos() ** (-steps / 2)) * (steps * slopes.turn).exp() - 1
    radius = arb.min(steps, steps / (2 * total))
    return arb.fac_ui(n) * arb.const_log2() / radius**n


# ---------------------------------------------------------------- the expansion's remainder


def remainder_range(
    small: Law, large: Law, orders: tuple[Fraction, Fraction], given_alive: bool
) -> Enclosure:
    """Return an enclosure of the squared scale minus its expansion, for all orders and slopes.

    The laws are those at the ends of an interval of slopes, or twice the same.
    """
    parts = []
    with working_precision(_BITS + 6 * small.width.bit_length()):
        for piece in _order_pieces(small, _Orders(*orders, given_alive), _HALVINGS):
            over = replace(piece, degree=piece.enough(small))
            if small == large:
                part = _polynomial_range([over.coefficients(small)], over.span)
                parts.append(Enclosure.of_ball(part))
                continue
            turn = arb.min(arb(_TURN), _MOST_TURN / arb.max(abs(ball(over.high)), arb(1)))
            first = small.lower
            if first == 0:
                first, next_to_zero = _from_zero(large, over)
                parts.append(next_to_zero)
            for ends in _slope_pieces(first, large.lower):
                slopes = _Slopes(*ends, turn.mid())
                parts.append(_remainder_over_slopes(small, slopes, over))
    return hull(*parts)


def _from_zero(law: Law, over: _Orders) -> tuple[Fraction, Enclosure]:
    """Return a slope, and the range of the remainder over the slopes from 0 to it.

    The squared scale decreases with the slope: at every order it lies between its values at the
    ends, so that its coefficients may be taken to lie between those at the ends.
    """
    last = over.coefficients(law)[0]
    zero = over.coefficients(law.with_slope(Fraction(0)))
    for halvings in _FROM_ZERO:
        cut = law.lower / 2**halvings
        ends = zip(zero, over.coefficients(law.with_slope(cut)), strict=True)
        row = [a.union(b) for a, b in ends]
        first, slope = _expansion(law.with_slope(arb(0).union(ball(cut))))
        value = first + (2 - ball(over.centre)) * slope
        row[0] += value - value
        if over.degree > 1:
            row[1] += slope - slope
        if row[0].rad() < abs(last - zero[0]) * _CLOSE:
            break
    return cut, Enclosure.of_ball(_polynomial_range([row], over.span))


def _remainder_over_slopes(law: Law, slopes: _Slopes, over: _Orders) -> Enclosure:
    def values(slope: arb) -> list[arb]:
        return over.coefficients(law.with_slope(slope))

    return _interpolated(slopes, values, over.bound(slopes, law), over.span)


def _order_pieces(law: Law, over: _Orders, halvings: int) -> list[_Orders]:
    """Cut an interval of orders into pieces that are short against the discs around them."""
    if over.reach * _SHARE < over.disc(law)[0] or halvings == 0:
        return [over]
    middle = (over.low + over.high) / 2
    halves = (replace(over, high=middle), replace(over, low=middle))
    return [part for half in halves for part in _order_pieces(law, half, halvings - 1)]


@dataclass
class _Orders:
    """An interval of orders, and the squared scale minus its expansion as a polynomial there."""

    low: Fraction
    high: Fraction
    given_alive: bool
    degree: int = 1

    @property
    def centre(self) -> Fraction:
        """The order around which the polynomial is taken: 0 itself if it is inside."""
        return Fraction(0) if self.low <= 0 <= self.high else (self.low + self.high) / 2

    @property
    def reach(self) -> arb:
        """The distance of the farthest order from the centre."""
        return ball(max(self.high - self.centre, self.centre - self.low))

    @property
    def span(self) -> tuple[arb, arb]:
        """The ends of the interval minus its centre."""
        return ball(self.low - self.centre), ball(self.high - self.centre)

    def coefficients(self, law: Law) -> list[arb]:
        """Return the coefficients in ``s - centre``, the last one a ball for all that follow."""
        squares = self._squares(law, self.degree)
        first, slope = _expansion(law)
        squares[0] -= first + (2 - ball(self.centre)) * slope
        if self.degree > 1:
            squares[1] += slope
            radius, largest = self.disc(law)
            rest = largest / (radius**self.degree * (1 - self.reach / radius))
            squares.append(arb(0, rest.upper()) if self.reach < radius else arb.nan())
        return squares

    def enough(self, law: Law) -> int:
        """Return the degree for which the last coefficient is small: 1 for a single order."""
        if self.low == self.high:
            return 1
        radius, largest = self.disc(law)
        goal = abs(replace(self, degree=1).coefficients(law)[0]).lower() * _CLOSE
        if not (goal > 0 and self.reach < radius):
            return _DEGREE
        wanted = (largest / goal).log() / (radius / self.reach).log()
        return min(_DEGREE, 2 + math.ceil(float(wanted)))

    def disc(self, law: Law) -> tuple[arb, arb]:
        """Return the radius of a disc of complex orders, and a bound of the squared scale on it.

        With weights ``R^c`` for the centre c and ``L = log(sigma_c R)``, ``E exp(t |L|) = k`` gives
        ``|E exp(z L) - 1| <= (|z|/t) (k - 1) <= 1/2`` for ``|z|`` up to the radius.
        """
        centre, edge = self.centre, law.edge(True)
        room = 1 + ball(law.width).sqrt() / 2
        if edge is not None:
            room = arb.min(room, ball(centre - edge) / 2)
        step = room.mid()
        sigma = laws.scale(law, centre, self.given_alive)
        ends = [
            laws.moment(law, ball(centre) + t, self.given_alive) * sigma**t for t in (step, -step)
        ]
        whole = laws.moment(law, centre, self.given_alive) if centre else arb(1)
        radius = step / (2 * arb.max((ends[0] + ends[1]) / whole - 1, arb("0.5")))
        if centre:
            radius = arb.min(radius, abs(ball(centre)) / 2)
        nearest = abs(ball(centre)) - radius if centre else radius
        return radius, sigma**2 * (2 / nearest * arb.const_log2()).exp()

    def _squares(self, law: Law, length: int) -> list[arb]:
        """Return the Taylor coefficients of the squared scale around the centre."""
        with series_length(length + 1):
            logs = laws.log_moment_series(law, self.centre, length + 1, self.given_alive)
            if self.centre:
                order = arb_series([ball(self.centre), arb(1)][:length], prec=length)
                ratio = arb_series(logs[:length], prec=length) / order
            else:
                ratio = arb_series(logs[1:], prec=length)
            series = (-2 * ratio).exp()
            return [series[j] for j in range(length)]

    def bound(self, slopes: _Slopes, law: Law) -> arb:
        """Return a bound on the ellipse, for every order."""
        small, large = slopes.extremes(law)
        cos, highest = slopes.turn.cos(), ball(self.high)
        square = laws.scale(small, self.low, self.given_alive) ** 2 / cos
        if self.high > 0:
            square = square * (highest * slopes.turn).cos() ** (-2 / highest)
        (mean, _), (_, other) = _unit_moments(small), _unit_moments(large)
        mean = mean * cos
        correction = (3 * other / mean**2 + 3) / (4 * law.width)
        reach = arb.max(abs(2 - ball(self.low)), abs(2 - highest))
        return square + (1 + reach * correction) / _size(law, mean)


def _expansion(law: Law) -> tuple[arb, arb]:
    """Return A and B of the second-order expansion ``A + (2 - s) B`` of the squared scale."""
    mean, other = _unit_moments(law)
    correction = (3 * other / mean**2 - (3 if law.orthogonal else 1)) / (4 * law.width)
    first = 1 / _size(law, mean)
    return first, first * correction


def _size(law: Law, mean: arb) -> arb:
    """Return ``E R^2`` for a mean squared slope of the units."""
    return mean * ball(law.factor) ** 2 * (1 if law.orthogonal else law.width)


def _unit_moments(law: Law) -> tuple[arb, arb]:
    """Return the mean of the squared slope of a unit, and of its square."""
    low, high = ball(law.lower), ball(law.upper)
    means = [
        sum((low**i * high ** (n - i) for i in range(n + 1)), arb(0)) / (n + 1) for n in (2, 4)
    ]
    return ball(law.one) + means[0] * ball(law.slope), ball(law.one) + means[1] * ball(law.slope)
