"""One gain law in the form that the ball functions work with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from flint import arb, fmpq

if TYPE_CHECKING:
    from fracmoment.gains import Gain

__all__ = ["Law", "ball"]


def ball(value: Any) -> arb:
    """Return an exact number, or a ball, as a ball of the current precision."""
    if isinstance(value, Fraction):
        return arb(fmpq(value.numerator, value.denominator))
    return arb(value)


@dataclass(frozen=True)
class Law:
    """The squared gain ``X = b_1 z_1^2 + ... + b_d z_d^2`` with i.i.d. squared slopes ``b``.

    A unit has squared slope 1 with probability ``one``, ``a^2`` with probability ``slope``, and 0
    with probability ``dead``. Here ``a`` is a fixed number (``lower`` is ``upper``) or uniform on
    ``[lower, upper]``, and ``slope`` is 0 where every live unit has slope 1.

    Parameters
    ----------
    width : int
        Number of units d.
    one, slope, dead : Fraction
        Probabilities, of sum 1.
    lower, upper : Fraction or arb
        Ends of the slope; a ball for both, the same one, stands for every slope in it.
    factor : Fraction
        ``R = factor sqrt(X)``: the reciprocal keep probability of inverted dropout, or 1.
    orthogonal : bool
        Whether the weights are orthogonal: then ``R = factor sqrt(X)/|g|``.
    """

    width: int
    one: Fraction
    slope: Fraction
    dead: Fraction
    lower: Any
    upper: Any
    factor: Fraction = Fraction(1)
    orthogonal: bool = False

    @classmethod
    def make(
        cls,
        width: int,
        lower: Any,
        upper: Any,
        keep_prob: Any = 1,
        *,
        inverted: bool = True,
        orthogonal: bool = False,
    ) -> Law:
        """Return the law of a layer whose negative side has slopes in ``[lower, upper]``.

        Slopes are Fractions (or ints), or one ball given for both ends. Only their size matters:
        intervals below 0 are reflected, slope 0 counts as dead and slope 1 as the positive side.
        """
        keep = Fraction(keep_prob)
        factor = 1 / keep if inverted else Fraction(1)
        if isinstance(lower, arb):
            return cls(width, keep / 2, keep / 2, 1 - keep, lower, lower, factor, orthogonal)
        low, high = Fraction(lower), Fraction(upper)
        if high <= 0:
            low, high = -high, -low
        none = Fraction(0)
        if low == high == 1:
            return cls(width, keep, none, 1 - keep, low, high, factor, orthogonal)
        if low == high == 0:
            return cls(width, keep / 2, none, 1 - keep / 2, low, high, factor, orthogonal)
        return cls(width, keep / 2, keep / 2, 1 - keep, low, high, factor, orthogonal)

    @classmethod
    def of(cls, gain: Gain) -> Law:
        """Return the law of a gain of scalar parameters."""
        if gain.shape != ():
            message = f"gain must have scalar parameters, got an array of shape {gain.shape}"
            raise ValueError(message)
        lower, upper = gain.activation.exact_slopes
        return cls.make(
            int(gain.width),
            lower,
            upper,
            gain.keep_prob,
            inverted=gain.inverted_dropout,
            orthogonal=gain.weights == "orthogonal",
        )

    def with_slope(self, slope: Any) -> Law:
        """Return the law with another fixed slope of the negative side, a Fraction or a ball."""
        # Of a layer of slope 0 half of the units that are kept count as dead.
        rectified = not self.has_slopes and self.lower == 0
        keep = 2 * self.one if rectified else 1 - self.dead
        inverted = self.factor != 1
        return Law.make(
            self.width, slope, slope, keep, inverted=inverted, orthogonal=self.orthogonal
        )

    def plain(self) -> Law:
        """Return the law of X itself: Gaussian weights and no factor."""
        return replace(self, factor=Fraction(1), orthogonal=False)

    @property
    def has_slopes(self) -> bool:
        """Whether some live units have a slope other than 1."""
        return self.slope > 0

    @property
    def uniform(self) -> bool:
        """Whether slopes are drawn from an interval."""
        return self.has_slopes and not isinstance(self.lower, arb) and self.lower < self.upper

    @property
    def vanishing(self) -> bool:
        """Whether slopes come as close to 0 as one likes."""
        return self.uniform and self.lower <= 0

    @property
    def has_atom(self) -> bool:
        """Whether R = 0 has positive probability."""
        return self.dead > 0

    def is_constant(self) -> bool:
        """Whether R takes a single positive value: orthogonal weights, all or one unit of slope 1.

        R given R > 0 is then ``factor``, and live with probability ``one``.
        """
        single = self.width == 1 or not self.has_atom
        return self.orthogonal and not self.has_slopes and single

    def prob_zero(self) -> arb:
        """Return P(R = 0)."""
        return ball(self.dead) ** self.width

    def edge(self, given_alive: bool) -> Fraction | None:
        """Return the open lower end of the orders with a finite moment; None where there is none.

        With an atom at 0 an unconditional order must be positive; given R > 0 a single live unit
        decides. Without an atom all units must be small together, and under orthogonal weights
        they cannot be unless a slope is 0.
        """
        if self.has_atom:
            return Fraction(-1) if given_alive else Fraction(0)
        if self.orthogonal and not self.vanishing:
            return None
        return Fraction(-self.width)
