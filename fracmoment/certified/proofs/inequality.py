"""Inequalities between functions of balls, and their enclosures over boxes."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flint import arb, arb_series, ctx

from fracmoment import _validation
from fracmoment.certified.laws import ball
from fracmoment.certified.precision import working_precision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from fractions import Fraction

    Ranges = Mapping[str, tuple[Fraction, Fraction]]

__all__ = ["Box", "Inequality"]

RELATIONS = ("<", "<=", ">", ">=")


@dataclass(frozen=True)
class Box:
    """A set of points: one width (or None where there is none) and a closed range a variable.

    Examples
    --------
    >>> from fractions import Fraction
    >>> print(Box(3, {"order": (Fraction(1, 2), Fraction(1))}))
    width 3, order in [1/2, 1]
    """

    width: int | None
    ranges: Mapping[str, tuple[Fraction, Fraction]]

    def __str__(self) -> str:
        """Return the box as text."""
        parts = [] if self.width is None else [f"width {self.width}"]
        for name, (low, high) in self.ranges.items():
            parts.append(f"{name} = {low}" if low == high else f"{name} in [{low}, {high}]")
        return ", ".join(parts)

    def centre(self) -> Box:
        """Return the midpoint as a box."""
        middle = {name: ((a + b) / 2, (a + b) / 2) for name, (a, b) in self.ranges.items()}
        return Box(self.width, middle)

    def halves(self, name: str) -> tuple[Box, Box]:
        """Return the two halves along one variable."""
        low, high = self.ranges[name]
        middle = (low + high) / 2
        return (
            Box(self.width, {**self.ranges, name: (low, middle)}),
            Box(self.width, {**self.ranges, name: (middle, high)}),
        )

    def wide(self) -> list[str]:
        """Return the variables whose range is more than a point."""
        return [name for name, (low, high) in self.ranges.items() if low < high]


@dataclass(frozen=True)
class Inequality:
    """``lhs relation rhs`` between two functions of balls.

    Parameters
    ----------
    lhs, rhs : callable or real number
        A function is called with one keyword argument for each variable, a `flint.arb` that
        encloses its range, and with ``width=`` (an int) if the proof is over widths. It returns an
        `arb` that encloses its values over all these arguments, at the precision of `flint.ctx`, or
        one that is not finite where it has no answer. Plain arithmetic with arb does so by itself.
    relation : {"<", "<=", ">", ">="}
        The relation that should hold everywhere.
    expand : str, optional
        Name of one variable that the functions accept as an `arb_series` and in which they return
        one. Over a box the difference is then enclosed by its Taylor polynomial at the midpoint
        with the last coefficient over the whole box as remainder, much tighter than plain balls.
    terms : int, optional
        Degree of that polynomial.

    Examples
    --------
    >>> from fractions import Fraction
    >>> square = Inequality(lambda x: x * (1 - x), "<=", Fraction(1, 4))
    >>> box = Box(None, {"x": (Fraction(0), Fraction(1, 8))})
    >>> square.holds(square.margin(box, 64))
    True
    """

    lhs: Callable[..., Any] | Any
    relation: str
    rhs: Callable[..., Any] | Any = 0
    expand: str | None = None
    terms: int = 4

    def __post_init__(self) -> None:
        """Check the relation, and numbers."""
        _validation.choice("relation", self.relation, RELATIONS)
        for name in ("lhs", "rhs"):
            if not callable(getattr(self, name)):
                object.__setattr__(self, name, _validation.rational(name, getattr(self, name)))

    def margin(self, box: Box, precision: int) -> arb:
        """Return an enclosure over a box of the larger side minus the smaller, as claimed."""
        arguments = {name: enclosing(low, high) for name, (low, high) in box.ranges.items()}
        if self.expand is None:
            with settings(precision):
                return _constant(self._difference(box.width, arguments))
        ball = arguments[self.expand]
        with settings(precision, self.terms + 3):
            around = arb_series([ball.mid(), 1])
            series = self._difference(box.width, {**arguments, self.expand: around})
            radius = arb(ball.rad())
            if radius == 0:
                return _constant(series)
            around = arb_series([ball, 1])
            wide = self._difference(box.width, {**arguments, self.expand: around})
            return _taylor(series, wide, radius, self.terms)

    def _difference(self, width: int | None, arguments: dict[str, Any]) -> Any:
        if width is not None:
            arguments = {**arguments, "width": width}
        try:
            left, right = (_value(side, arguments) for side in (self.lhs, self.rhs))
        except ValueError as error:
            # What python-flint says where it cannot divide a series by one that may vanish.
            if "leading term" not in str(error):
                raise
            return arb.nan()
        return left - right if self.relation.startswith(">") else right - left

    def holds(self, margin: arb) -> bool:
        """Return whether an enclosure of the margin proves the inequality."""
        return bool(margin >= 0) if self.relation.endswith("=") else bool(margin > 0)

    def fails(self, margin: arb) -> bool:
        """Return whether an enclosure of the margin disproves the inequality, everywhere."""
        return bool(margin < 0) if self.relation.endswith("=") else bool(margin <= 0)


def enclosing(low: Fraction, high: Fraction) -> arb:
    """Return a ball that contains a closed range, exact where the range is one dyadic number."""
    with settings(256):
        ends = [ball(end) for end in (low, high)]
        return ends[0] if low == high else ends[0].union(ends[1])


@contextmanager
def settings(precision: int, cap: int | None = None) -> Iterator[None]:
    """Set flint's precision in bits, and the length of its series, for a while."""
    before = ctx.cap
    with working_precision(precision):
        try:
            ctx.cap = before if cap is None else cap
            yield
        finally:
            ctx.cap = before


def _value(side: Any, arguments: dict[str, Any]) -> Any:
    if callable(side):
        return side(**arguments)
    return ball(side)


def _constant(value: Any) -> arb:
    return value[0] if isinstance(value, arb_series) else arb(value)


def _taylor(series: Any, wide: Any, radius: arb, terms: int) -> arb:
    """Return the enclosure over the ball from the series at its centre and over all of it."""
    if not isinstance(series, arb_series) or not isinstance(wide, arb_series):
        return _constant(wide)
    degree = min(terms, series.prec - 1, wide.prec - 1)
    step = arb(0, radius.upper())
    total: arb = wide[degree] * _power(step, degree)
    for j in range(degree):
        total = total + series[j] * _power(step, j)
    return total


def _power(step: arb, exponent: int) -> arb:
    """Return a power of a ball around 0; even ones are not negative."""
    if exponent == 0:
        return arb(1)
    top = step.upper() ** exponent
    return arb(0, top.upper()) if exponent % 2 else arb(0).union(top.upper())
