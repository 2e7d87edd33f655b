"""The tail index: the positive root of ``Lambda(s) = s log sigma + log E R^s``, and its proof."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from flint import arb, ctx

from fracmoment.certified.laws.law import Law, ball
from fracmoment.certified.laws.moments import log_mean, log_moment, log_moment_series
from fracmoment.certified.precision import CertificationError, working_precision

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["drift", "growth", "root_between", "tail_root", "top"]

# Orders between which a root is looked for, as powers of 2.
_LOWEST, _HIGHEST = -15_000, 20
_LARGEST_BITS = 40_000
# Orders tried first are powers of 2 times this number: an order at which Lambda is exactly 0, such
# as 2, would have no sign to be proved.
_ODD = Fraction(1_414_213, 1_000_003)


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


def root_between(low: Fraction, high: Fraction, sign_at: Callable[[Fraction], int]) -> bool:
    """Return whether Lambda is proved negative at ``low`` and positive at ``high``."""
    return sign_at(low) < 0 < sign_at(high)


def tail_root(law: Law, sigma: Fraction, digits: int) -> tuple[Fraction, Fraction]:
    """Return two orders between which the root of Lambda lies, ``digits`` digits apart.

    Lambda is convex and at most 0 at 0+, so that it changes sign once. An approximate root is
    found by Newton's method from the right, where it converges monotonically; then the signs of
    Lambda on both sides of it are proved. Roots next to 0 come from the Taylor expansion there.
    """
    if tiny := _tiny_root(law, sigma, digits):
        return tiny

    def sign_at(s: Fraction) -> int:
        return sign(lambda: growth(law, sigma, s))

    with working_precision(96 + 2 * law.width.bit_length()):
        low, high = _bracket(sign_at)
        for _ in range(6):
            middle = (low + high) / 2
            low, high = (middle, high) if sign_at(middle) < 0 else (low, middle)
    # Lambda(s) is a difference of numbers of size 1 next to s = 0.
    lost = 40 + 2 * law.width.bit_length() + 3 * max(0, -_exponent(high))
    bits, goal = 64, digits * 3322 // 1000 + 8
    point = high
    while bits < 4 * goal + 128:
        with working_precision(bits + lost):
            point = _newton(law, sigma, point, low, high)
        if bits > 2 * goal:
            break
        bits *= 2
    with working_precision(goal + lost):
        step = point / 10 ** (digits + 1)
        for _ in range(4):
            if root_between(point - step, point + step, sign_at):
                return point - step, point + step
            point = _newton(law, sigma, point, low, high)
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


def _bracket(sign_at: Callable[[Fraction], int]) -> tuple[Fraction, Fraction]:
    """Return orders at which Lambda is negative and positive, one twice the other."""

    def negative(exponent: int) -> bool:
        return sign_at(_ODD * Fraction(2) ** exponent) < 0

    low, high, step = 0, 0, 1
    if negative(0):
        while negative(high := high + 1):
            if high >= _HIGHEST:
                message = f"the tail index lies above 2^{_HIGHEST}"
                raise CertificationError(message)
        low = high - 1
    else:
        while not negative(low := high - step):
            high, step = low, 2 * step
            if high < _LOWEST:
                message = f"the tail index lies below 2^{_LOWEST}"
                raise CertificationError(message)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if negative(middle) else (low, middle)
    return _ODD * Fraction(2) ** low, _ODD * Fraction(2) ** high


def _newton(law: Law, sigma: Fraction, point: Fraction, low: Fraction, high: Fraction) -> Fraction:
    """Return the limit of Newton's method at about the current precision, a binary number."""
    for _ in range(6):
        value, slope = log_moment_series(law, point, 2)
        value += ball(point) * ball(sigma).log()
        slope += ball(sigma).log()
        change = (value / slope).mid()
        if not change.is_finite():
            break
        following = _exact((ball(point) - change).mid())
        if not low <= following <= high:
            following = (low + high) / 2
        close = abs(following - point) * 2 ** (ctx.prec // 3) < abs(point)
        point = following
        if close:
            break
    return point
