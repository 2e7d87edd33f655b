"""Probabilities as contour integrals of a moment generating function.

``Z = sum c_i g_i^2 - x`` with i.i.d. values ``c = b - shift`` of the units; a unit that counts for
nothing, ``c = 0``, has probability ``still``. With u on a contour from below to above that crosses
the real axis at ``u_0`` between the singularities of

    T(u) = exp(-u x) ((still + m(u))^d - still^d),    m(u) = E[(1 - 2 c u)^(-1/2); c != 0],

the integral of ``T(u)/u`` over ``2 pi i`` is the probability that some unit counts and Z > 0, for
``u_0 > 0``, and minus that of Z <= 0 for ``u_0 < 0``. The contour is a hyperbola, in wide layers a
line, and the trapezoidal rule gives the integral: its error is bounded by the size of the integrand
on the neighbouring contours, which are of the same form. docs/algorithms/certified.md, lemmas 5
and 6.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

from flint import acb, arb, ctx

from fracmoment.certified.laws import unit
from fracmoment.certified.laws.law import Law, ball
from fracmoment.certified.laws.trapezoid import imaginary_sums
from fracmoment.certified.precision import working_precision

if TYPE_CHECKING:
    from fracmoment.certified.laws.saddle import Saddle

__all__ = ["Transform", "probability"]

# Angle of the hyperbola and half-width of its strip for x > 0, for x = 0, and for x = 0 in layers
# up to a width: binary fractions. All angles lie in (0, pi/2), or in (-pi/2, pi/2).
_BENT, _STRAIGHT, _WIDE_STRIP, _NARROW = (0.40625, 0.375), (0.0, 0.625), (0.0, 1.125), 16
# Of the room next to singularities; pieces of a uniform slope; cells along a line grow by this.
_ROOM, _PIECES, _GROWTH = 0.9, 16, arb("1.125")
# Lines are taken where they may be cut before the first of these, in their unit of length.
_SHORT, _LONGEST = arb(64), arb(100_000)

_ZERO = Fraction(0)


@dataclass(frozen=True)
class Transform:
    """T(u) of a law: Gaussian weights have shift 0 and x > 0, orthogonal ones x = 0."""

    law: Law
    shift: Fraction
    x: arb

    @cached_property
    def still(self) -> Fraction:
        """The probability of c = 0."""
        law = self.law
        points = [(Fraction(1), law.one), (Fraction(0), law.dead)]
        if law.has_slopes and not law.uniform:
            points.append((law.lower**2, law.slope))
        return sum((q for b, q in points if b == self.shift), Fraction(0))

    def moving(self, u: acb) -> acb:
        """Return m(u)."""
        total = unit.live(self.law, u, self.shift)
        if self.shift:
            total += (1 + 2 * u * ball(self.shift)).rsqrt() * ball(self.law.dead)
            total -= ball(self.still)
        return total

    def power(self, moving: acb) -> acb:
        """Return ``(still + m)^d - still^d``."""
        if not self.still:
            return moving**self.law.width
        still = ball(self.still)
        return ((moving / still).log1p() * self.law.width).expm1() * still**self.law.width

    def at(self, u: acb) -> acb:
        """Return T(u)."""
        return self.power(self.moving(u)) * (-u * self.x).exp()

    def bound(self, c: arb, factor: arb) -> arb:
        """Return T(c) with ``factor m`` for m."""
        real = self.moving(acb(c)).real * factor
        return self.power(acb(real)).real * (-c * self.x).exp()


def probability(transform: Transform, saddle: Saddle) -> arb:
    """Return the probability of the side of 0 on which the contour crosses the axis."""
    bits = ctx.prec
    with working_precision(unit.bound_bits(transform.law)):
        path: _Path = _Line.choose(transform, saddle)
        if not path.tail(_SHORT) < path.goal(bits):
            path = _Hyperbola.choose(transform, saddle)
        goal, strip = path.goal(bits), path.strip_integral()
        end, beyond = arb(1), path.tail(arb(1))
        while not beyond < goal and end < _LONGEST:
            end = end * arb("1.0625")
            beyond = path.tail(end)
        if not (path.crosses() and beyond.is_finite() and 0 < goal < strip):
            return arb.nan()
        step = (2 * arb.pi() * path.strip / (2 * strip / goal).log().upper()).mid()
        nodes = math.ceil(float(end / step))
    decay = (2 * arb.pi() * path.strip / step).expm1()
    total = imaginary_sums(lambda w: [path.integrand(w)], step, nodes)[0]
    value = (total + arb(0, (2 * strip / decay + beyond).upper())) / arb.pi()
    return value if saddle.centre > 0 else -value


@dataclass(frozen=True)
class _Path(ABC):
    """A contour ``u(w)`` through ``centre``, and the strip ``|Im w| < strip`` around it."""

    transform: Transform
    centre: arb
    size: arb
    strip: arb

    @classmethod
    @abstractmethod
    def choose(cls, transform: Transform, saddle: Saddle) -> _Path:
        """Return a contour for a saddle point."""

    @abstractmethod
    def at(self, w: arb) -> tuple[acb, acb]:
        """Return u(w) and du/dw."""

    @abstractmethod
    def crossings(self) -> tuple[arb, arb]:
        """Return where the first and the last of the neighbouring contours cross the axis."""

    @abstractmethod
    def strip_integral(self) -> arb:
        """Return a bound of ``int_0^inf |T/u du/dw|`` over every contour of the strip."""

    @abstractmethod
    def tail(self, end: arb) -> arb:
        """Return a bound of it from ``end`` on, on the contour; it falls with w."""

    def integrand(self, w: arb) -> acb:
        u, slope = self.at(w)
        return self.transform.at(u) / u * slope

    def goal(self, bits: int) -> arb:
        """Return the size of errors that do not matter."""
        size = self.transform.bound(self.centre, arb(1)) / self.centre * self.size
        return size.abs_upper() * arb(2) ** -bits

    def crosses(self) -> bool:
        """Return whether all crossings are proved to lie on one side of 0, short of the cuts."""
        law, shift, ends = self.transform.law, self.transform.shift, self.crossings()
        same = all(c > 0 for c in ends) or all(c < 0 for c in ends)
        return same and all(unit.crosses_between(law, c, shift) for c in ends)

    def nearest(self) -> arb:
        """Return a lower bound of the distance of crossings from 0."""
        return arb.min(*(abs(c) for c in self.crossings()))

    def largest(self, factor: arb) -> arb:
        """Return a bound of T with ``factor m`` for m at every crossing: it is log-convex."""
        return arb.max(*(self.transform.bound(c, factor) for c in self.crossings()))


def _room(transform: Transform, centre: float) -> tuple[float, float]:
    """Return the distances of the next singularities, 0 among them, on either side."""
    law, shift = transform.law, float(transform.shift)
    squares = [1.0] + [0.0] * (law.has_atom or law.vanishing)
    if law.has_slopes:
        squares += [float(abs(ball(a)).mid()) ** 2 for a in (law.lower, law.upper)]
    points = [0.0] + [0.5 / (b - shift) for b in squares if b != shift]
    left = min((centre - s for s in points if s < centre), default=math.inf)
    right = min((s - centre for s in points if s > centre), default=math.inf)
    return left, right


@dataclass(frozen=True)
class _Hyperbola(_Path):
    """``u = centre + size (sin(angle + i w) - sin(angle))``.

    A shift of w by ``i b`` is one of the angle by -b.
    """

    angle: float

    @classmethod
    def choose(cls, transform: Transform, saddle: Saddle) -> _Hyperbola:
        angle, strip = _BENT if transform.x > 0 else _STRAIGHT
        if not transform.x > 0 and transform.law.width <= _NARROW:
            angle, strip = _WIDE_STRIP
        left, right = _room(transform, saddle.centre)
        before = math.sin(angle) - math.sin(angle - strip)
        after = math.sin(angle + strip) - math.sin(angle)
        moderate = saddle.radius * math.sqrt(0.4 * ctx.prec) / after
        size = min(moderate, _ROOM * left / before, _ROOM * right / after)
        return cls(transform, arb(saddle.centre), arb(size), arb(strip), angle)

    def at(self, w: arb) -> tuple[acb, acb]:
        sin, cos = arb(self.angle).sin_cos()
        sinh, cosh = w.sinh_cosh()
        u = acb(self.centre + self.size * sin * (cosh - 1), self.size * cos * sinh)
        return u, acb(self.size * sin * sinh, self.size * cos * cosh)

    def crossings(self) -> tuple[arb, arb]:
        sin, strip = arb(self.angle).sin(), self.strip
        ends = [(arb(self.angle) + b).sin() - sin for b in (-strip, strip)]
        return self.centre + self.size * ends[0], self.centre + self.size * ends[1]

    def strip_integral(self) -> arb:
        cos = (arb(abs(self.angle)) + self.strip).cos()
        most, near = self.largest(cos.rsqrt()), self.nearest() * cos
        if self.transform.x > 0:
            # int exp(-k (cosh w - 1)) cosh w dw; sqrt(1 + v^2) - 1 >= 0.41 min(v, v^2)
            k = (arb(self.angle) - self.strip).sin() * self.size * self.transform.x
            whole = (arb.pi() / (arb("1.64") * k)).sqrt() + 1 / (arb("0.41") * k)
            return most * self.size / near * whole
        cut = arb(1)
        while self._algebraic(cut, cos) > most and cut < 1e4:
            cut = cut + 1
        # |du/u| is at most size cosh(w)/near dw, and coth(w)/cos dw.
        middle = self.size * arb(1).sinh() / near + (cut - 1) * arb(1).coth() / cos
        return most * middle + self._algebraic(cut, cos)

    def tail(self, end: arb) -> arb:
        cos = arb(self.angle).cos()
        if not self.transform.x > 0:
            return self._algebraic(end, cos) if end >= 1 else arb.pos_inf()
        k = arb(self.angle).sin() * self.size * self.transform.x
        if not k * end.cosh() > 1:  # from here on the bound of the integrand falls
            return arb.pos_inf()
        most = self.transform.bound(self.centre, cos.rsqrt())
        decay = (-k * (end.cosh() - 1)).exp() * end.coth() / k
        return most * decay * self.size / (abs(self.centre) * cos)

    def _algebraic(self, end: arb, cos: arb) -> arb:
        """Return a bound of the integral beyond ``end`` >= 1 on contours of this cosine or more.

        ``|m| <= K y^(-1/2)`` at the height ``y >= size cos sinh(w) >= size cos 0.43 e^w``.
        """
        transform, d = self.transform, self.transform.law.width
        still, height = ball(transform.still), self.size * cos * arb("0.43") * end.exp()
        rest = unit.inverse_distance(transform.law, transform.shift) / height.sqrt()
        most = arb.max(*(transform.moving(acb(c)).real for c in self.crossings())) * cos.rsqrt()
        k, ways = (1, d) if transform.still else (min(d, 4), 1)
        units = (still + arb.min(most, rest)) ** (d - k) * rest**k * ways
        return units * (2 * end.coth() / (k * cos))


@dataclass(frozen=True)
class _Piece:
    """Some of the values of c: their part of m at the crossings of the strip and of the line.

    ``slowest`` is the least ``2|c|/(1 - 2 c u)`` over them and the crossings.
    """

    slowest: arb
    parts: tuple[arb, arb, arb]


@dataclass(frozen=True)
class _Line(_Path):
    """``u = centre + i size w``, |Im w| < 1, for layers so wide that T falls quickly there.

    ``|T(c + iy)| <= exp(-c x) (still + H(c))^d``, H the sum of the parts of the pieces times
    ``(1 + slowest^2 y^2)^(-1/4)``. This is log-convex in c: the two ends of the strip bound it.
    """

    pieces: list[_Piece]

    @classmethod
    def choose(cls, transform: Transform, saddle: Saddle) -> _Line:
        room = _ROOM * min(_room(transform, saddle.centre))
        centre = arb(saddle.centre)
        size = arb(min(1.2 * math.sqrt(ctx.prec) * saddle.radius, room))
        pieces = _pieces(transform, (centre - size, centre + size, centre))
        return cls(transform, centre, size, arb(1), pieces)

    def at(self, w: arb) -> tuple[acb, acb]:
        return acb(self.centre, self.size * w), acb(0, self.size)

    def crossings(self) -> tuple[arb, arb]:
        return self.centre - self.size, self.centre + self.size

    def height(self, index: int, y: arb, units: int) -> arb:
        """Return the bound of T at one of the three crossings, with so many units instead of d."""
        c = (*self.crossings(), self.centre)[index]
        total = ball(self.transform.still)
        for piece in self.pieces:
            total += piece.parts[index] / (1 + (piece.slowest * y) ** 2).root(4)
        return total**units * (-c * self.transform.x).exp()

    def strip_integral(self) -> arb:
        d, near = self.transform.law.width, self.nearest()
        total, y, step = arb(0), arb(0), self.size / 16
        while True:
            most = arb.max(*(self.height(i, y, d) for i in range(2)))
            total += most * step / arb.max(y, near)
            y, step = y + step, step * _GROWTH
            rest = arb.max(*(self._rest(i, y) for i in range(2)))
            if rest < total or not y < self.size * 1e30:
                return total + rest

    def tail(self, end: arb) -> arb:
        return self._rest(2, self.size * end)

    def _rest(self, index: int, y: arb) -> arb:
        """Return a bound of ``int |T| dy/y`` from y on."""
        transform, d = self.transform, self.transform.law.width
        theta, constant = unit.height_decay(transform.law, transform.shift, self.crossings()[1])
        k, ways = (1, d) if transform.still else (min(d, 4), 1)
        rest = (constant * y ** (-theta / 2)) ** k * ways
        return self.height(index, y, d - k) * rest * 2 / (k * theta)


def _pieces(transform: Transform, crossings: tuple[arb, arb, arb]) -> list[_Piece]:
    """Return the values of c that are not 0 in pieces, for the ends of a strip and the line."""
    law, shift, found = transform.law, transform.shift, []
    points = [(Fraction(1), law.one), (Fraction(0), law.dead)]
    if law.has_slopes and not law.uniform:
        points.append((law.lower**2, law.slope))
    for square, share in points:
        if square != shift:
            c = ball(square - shift)
            parts = [(1 - 2 * c * u).rsqrt() * ball(share) for u in crossings]
            found.append(_Piece(_slowest(c, c, crossings), (parts[0], parts[1], parts[2])))
    for low, high, share in _intervals(law) if law.uniform else ():
        piece = replace(law, one=Fraction(0), slope=share, lower=low, upper=high)
        parts = [unit.live(piece, acb(u), shift).real for u in crossings]
        slowest = _slowest(ball(low * low - shift), ball(high * high - shift), crossings)
        found.append(_Piece(slowest, (parts[0], parts[1], parts[2])))
    return found


def _intervals(law: Law) -> list[tuple[Fraction, Fraction, Fraction]]:
    """Return intervals of |a| that a uniform slope consists of, with their probabilities."""
    ends = [(law.lower, law.upper)] if law.lower >= 0 else [(_ZERO, -law.lower), (_ZERO, law.upper)]
    found = []
    for low, high in ends:
        step = (high - low) / _PIECES
        share = law.slope * step / (law.upper - law.lower)
        found += [(low + i * step, low + (i + 1) * step, share) for i in range(_PIECES)]
    return found


def _slowest(low: arb, high: arb, crossings: tuple[arb, arb, arb]) -> arb:
    """Return the least ``2|c|/(1 - 2 c u)`` for c between two numbers and u in the strip.

    It increases with |c|, and with u for c > 0; for c < 0 it falls with u.
    """
    if low > 0:
        return 2 * low / (1 - 2 * low * crossings[0])
    if high < 0:
        return -2 * high / (1 - 2 * high * crossings[1])
    return arb(0)
