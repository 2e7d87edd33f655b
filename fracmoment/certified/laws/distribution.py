"""Distribution and survival function of R as balls.

They are probabilities of ``X > x`` or, for orthogonal weights, ``X/|g|^2 > beta``, which is
``sum (b_i - beta) g_i^2 > 0``: contour integrals (`inversion`). The side with the smaller
probability is computed, up to choices; the other one is 1 minus it. Narrow layers whose live units
all have slope 1, with Gaussian weights, are binomial mixtures of chi-square laws instead.
"""

from __future__ import annotations

from fractions import Fraction

from flint import arb

from fracmoment.certified.laws.inversion import Transform, probability
from fracmoment.certified.laws.law import Law, ball
from fracmoment.certified.laws.mixture import mixture_tail
from fracmoment.certified.laws.saddle import ratio_saddle, tail_saddle

__all__ = ["cdf", "sf"]

# Widest layers summed over the number of live units.
_NARROW = 64


def cdf(law: Law, r: Fraction) -> arb:
    """Return ``P(R <= r)``, the atom at 0 included, for an exact r."""
    return _probability(law, r, upper=False)


def sf(law: Law, r: Fraction) -> arb:
    """Return ``P(R > r)`` for an exact r."""
    return _probability(law, r, upper=True)


def _probability(law: Law, r: Fraction, *, upper: bool) -> arb:
    if r < 0:
        return arb(1 if upper else 0)
    if r == 0:
        return 1 - law.prob_zero() if upper else law.prob_zero()
    square = (r / law.factor) ** 2
    if law.orthogonal:
        exact = _exact_ratio(law, square)
        if exact is not None:
            return ball(1 - exact) if upper else ball(exact)
        side, value = _ratio(law, square)
    elif not law.has_slopes and law.width <= _NARROW:
        return mixture_tail(law, square, upper)
    else:
        side = square > law.width * _mean(law)
        saddle = tail_saddle(law, float(square), side)
        value = probability(Transform(law, Fraction(0), ball(square)), saddle)
        value = value if side else value + law.prob_zero()
    return value if side == upper else 1 - value


def _mean(law: Law) -> Fraction:
    """Return ``E Y`` of one unit."""
    low, high = Fraction(law.lower), Fraction(law.upper)
    return law.one + law.slope * (low * low + low * high + high * high) / 3


# ---------------------------------------------------------------- orthogonal weights


def _exact_ratio(law: Law, square: Fraction) -> Fraction | None:
    """Return ``P(X/|g|^2 <= square)`` where it is rational, None elsewhere."""
    slopes = [abs(Fraction(law.lower)), abs(Fraction(law.upper))] if law.has_slopes else []
    largest = max([Fraction(1), *slopes])
    if square >= largest**2:
        return Fraction(1)
    if not law.has_atom and not law.vanishing and square <= min([Fraction(1), *slopes]) ** 2:
        return Transform(law, square, arb(0)).still ** law.width
    if law.width == 1 and not law.uniform:
        steep = law.slope if law.has_slopes and slopes[0] ** 2 <= square else Fraction(0)
        return law.dead + steep + (law.one if square >= 1 else 0)
    return None


def _ratio(law: Law, square: Fraction) -> tuple[bool, arb]:
    """Return whether ``P(X/|g|^2 > square)`` was computed, or the other side, and its value."""
    if law.width == 1:
        return False, _one_uniform(law, square)
    side = square > _mean(law)
    transform = Transform(law, square, arb(0))
    value = probability(transform, ratio_saddle(law, float(square), side))
    return side, value if side else value + ball(transform.still) ** law.width


def _one_uniform(law: Law, square: Fraction) -> arb:
    """Return ``P(b <= square)`` of one unit of uniform slope."""
    root = ball(square).sqrt()
    low, high = arb.max(ball(law.lower), -root), arb.min(ball(law.upper), root)
    share = arb.max(high - low, arb(0)) / ball(law.upper - law.lower)
    return ball(law.dead) + (ball(law.one) if square >= 1 else 0) + share * ball(law.slope)
