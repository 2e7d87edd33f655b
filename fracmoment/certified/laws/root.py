"""The tail index: the positive root of ``Lambda(s) = s log sigma + log E R^s``, and its proof."""

from __future__ import annotations

import itertools
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

from flint import arb, ctx

from fracmoment.certified.laws.law import Law, ball
from fracmoment.certified.laws.moments import log_mean, log_moment, log_moment_series
from fracmoment.certified.precision import CertificationError, working_precision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["drift", "growth", "tail_root", "top"]

# Orders between which a root is looked for, as powers of 2.
_LOWEST, _HIGHEST = -15_000, 20
_LARGEST_BITS = 40_000
# Bits of the first steps of Newton's method; below this order it begins at the root of a parabola.
_FIRST_BITS, _SMALL = 48, 0.25
# How many orders are tried, each after one more step at a higher precision.
_PROPOSALS = 6


def growth(law: Law, sigma: Any, order: Any) -> arb:
    """Return ``Lambda(order) = log E (sigma R)^order``, the atom at 0 included."""
    return log_moment(law, order) + ball(order) * ball(sigma).log()


def drift(law: Law, sigma: Any) -> arb:
    """Return ``log sigma + E[log R | R > 0]``."""
    return log_mean(law) + ball(sigma).log()


def top(law: Law) -> Fraction | None:
    """Return the largest value of R, None if R is unbounded."""
    if not law.orthogonal:
        return None
    slopes = [abs(Fraction(law.lower)), abs(Fraction(law.upper))] if law.has_slopes else []
    return law.factor * max([Fraction(1), *slopes])


def sign(function: Callable[[], arb]) -> int:
    """Return the sign of a ball, raising the precision until it is proved."""
    bits = ctx.prec
    while bits <= _LARGEST_BITS:
        with working_precision(bits):
            value = function()
        if value > 0:
            return 1
        if value < 0:
            return -1
        if value.is_zero():
            return 0
        bits *= 2
    message = f"the sign of a number that may be 0 could not be proved with {bits // 2} bits"
    raise CertificationError(message)


def tail_root(law: Law, sigma: Fraction, digits: int) -> tuple[Fraction, Fraction]:
    """Return two orders between which the root of Lambda lies, ``digits`` digits apart.

    Lambda is convex and at most 0 at 0+, so that it changes sign once. An approximate root is
    found by Newton's method; then the signs of Lambda on both sides of it are proved. Roots next
    to 0 come from the Taylor expansion there.
    """
    if tiny := _tiny_root(law, sigma, digits):
        return tiny
    goal = digits * 3322 // 1000 + 8
    for point in itertools.islice(_newton(law, sigma, goal), _PROPOSALS):
        step = point / 10 ** (digits + 1)
        with working_precision(goal + _lost(law, point)):
            signs = [sign(partial(growth, law, sigma, s)) for s in (point - step, point + step)]
        if signs == [-1, 1]:
            return point - step, point + step
    message = f"{digits} digits of the tail index could not be proved near {float(point):g}"
    raise CertificationError(message)


def _tiny_root(law: Law, sigma: Fraction, digits: int) -> tuple[Fraction, Fraction] | None:
    """Return what encloses a root so close to 0 that two terms give its digits, None for others.

    ``Lambda(s) = log P(R > 0) + m s + k(t) s^2/2`` with the drift m given R > 0 and k >= 0 the
    second derivative at some t in [0, s]. For m > 0 the root is at most ``u = -log P(R > 0)/m``,
    and at least ``u - k u^2/(2 m)`` with k its bound over [0, u].
    """
    if not law.has_atom:
        return None
    goal = digits * 3322 // 1000 + 16
    with working_precision(goal + 64 + 2 * law.width.bit_length()):
        mean = drift(law, sigma)
        most = -(-law.prob_zero()).log1p() / mean
        if not (mean > 0 and most < arb(2) ** -goal):
            return None
        if not most > arb(2) ** _LOWEST:
            message = f"the tail index lies below 2^{_LOWEST}"
            raise CertificationError(message)
        half = (most / 2).upper()
        curvature = 2 * log_moment_series(law, arb(half, half), 3, given_alive=True)[2]
        least = most - curvature * most**2 / (2 * mean)
        if not least > 0:
            return None
        return _exact(least.lower()), _exact(most.upper())


def _exact(value: arb) -> Fraction:
    mantissa, exponent = value.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def _exponent(value: Fraction) -> int:
    """Return about the binary logarithm of a positive number."""
    return value.numerator.bit_length() - value.denominator.bit_length()


def _lost(law: Law, point: Fraction) -> int:
    """Return how many bits Lambda loses: next to 0 it is a difference of numbers of size 1."""
    return 20 + 2 * law.width.bit_length() + 2 * max(0, -_exponent(point))


def _newton(law: Law, sigma: Fraction, goal: int) -> Iterator[Fraction]:
    """Yield orders that are next to the root if ever, by Newton's method.

    From the right of the root it converges monotonically, because Lambda is convex. The precision
    grows with what is known.
    """
    point, bits, spare = _first_guess(law, sigma), _FIRST_BITS, 0
    while True:
        with working_precision(bits + spare + _lost(law, point)):
            value, slope = log_moment_series(law, point, 2)
            if not (value.is_finite() and slope.is_finite()) and spare < _LARGEST_BITS:
                spare = 2 * spare + _FIRST_BITS  # nothing was proved with so few bits
                continue
            slope = slope + ball(sigma).log()
            change = ((value + ball(point) * ball(sigma).log()) / slope).mid()
            following = (ball(point) - change).mid()
        if not (slope > 0 and following > 0):
            message = f"the tail index could not be found below {float(point):g}"
            raise CertificationError(message)
        exact = _exact(following)
        if _exponent(exact) < _LOWEST:
            message = f"the tail index lies below 2^{_LOWEST}"
            raise CertificationError(message)
        # Every step doubles the bits that are right.
        known = 2 * (_exponent(point) - _exponent(abs(exact - point) or point / 2**goal)) - 8
        point = exact
        if known >= goal and bits >= goal:
            yield point
            spare = 2 * spare + _FIRST_BITS
        bits = min(goal, max(_FIRST_BITS, 2 * known))


def _first_guess(law: Law, sigma: Fraction) -> Fraction:
    """Return an order right of the root: next to a small root, or a power of 2.

    ``Lambda(s)`` is about ``log P(R > 0) + m s + k s^2/2`` next to 0.
    """
    with working_precision(_FIRST_BITS + 4 * law.width.bit_length()):
        _, mean, half = log_moment_series(law, 0, 3, given_alive=True)
        mean, atom = mean + ball(sigma).log(), -(-law.prob_zero()).log1p()
        root = (mean * mean + 4 * half * atom).sqrt()
        # of two forms the one that does not cancel
        guess = (root - mean) / (2 * half) if mean < 0 else 2 * atom / (root + mean)
    point = _exact(guess.mid()) if 0 < guess < _SMALL else Fraction(1)
    while point < 2**_HIGHEST:
        with working_precision(_FIRST_BITS + _lost(law, point)):
            if growth(law, sigma, point).mid() > 0:
                return point
        point *= 2
    message = f"the tail index lies above 2^{_HIGHEST}"
    raise CertificationError(message)
