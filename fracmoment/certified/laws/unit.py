"""One unit: transforms, moments and bounds of ``Y = b z^2`` for live units.

``h_b(z) = (1 - 2 b z)^(-1/2)`` is E exp(z b g^2), g normal. ``live(law, z)`` is the sum of ``h_b``
over the live units, weighted by their probabilities: ``E exp(z Y) = dead + live``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flint import acb, acb_series, arb, arb_series, ctx

from fracmoment.certified.laws.law import Law, ball

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "absolute_bound",
    "inverse_moment",
    "live",
    "live_moment",
    "smallest_square",
    "tilted",
]

# The closed forms for uniform slopes divide differences by sqrt(t): below this size of 2 b t a
# power series loses nothing instead.
_SMALL = arb(2) ** -20

# Number of pieces into which the slope interval is cut for an upper bound of a mean over it.
_PIECES = 16


def _not_finite() -> acb:
    return acb("nan")


def live(law: Law, z: acb, analytic: bool) -> acb:
    """Return ``E[exp(z Y); live]`` for z off the cut ``[1/(2 b), inf)``.

    With ``analytic`` the result is not finite if the ball z may touch a branch cut, as
    `acb.integral` wants.
    """
    total = (1 - 2 * z).rsqrt(analytic=analytic) * ball(law.one)
    if not law.has_slopes:
        return total
    if law.uniform:
        return total + _uniform(law, z, analytic) * ball(law.slope)
    square = ball(law.lower) ** 2
    return total + (1 - 2 * square * z).rsqrt(analytic=analytic) * ball(law.slope)


def _uniform(law: Law, z: acb, analytic: bool) -> acb:
    """Return the mean of ``(1 - 2 a^2 z)^(-1/2)`` over a uniform slope, for z off ``(-inf, 0]``.

    With ``r = sqrt(2 z)`` the integral of ``(1 - (a r)^2)^(-1/2)`` over a is ``asin(a r)/r``, and
    ``asin(w) = i log(sqrt(1 - w^2) - i w)``, which does not cancel for z in the upper half-plane
    and ``w = a r`` of positive real part.
    """

    def closed(point: acb) -> acb:
        root = (2 * point).sqrt(analytic=analytic)
        ends = [_arcsine(ball(a) * root, analytic) for a in (law.upper, law.lower)]
        return (ends[0] - ends[1]) / (root * ball(law.upper - law.lower))

    if _is_small(law, z):
        return _power_series(law, -z, 0)
    value = closed(z)
    if _is_thin(z):
        return value
    return _narrower(value, _around(closed, z, _steepest(law, -z, 1)))


def _largest_square(law: Law) -> arb:
    """Return an upper bound of the squares of uniform slopes."""
    return arb.max(ball(law.lower) ** 2, ball(law.upper) ** 2).upper()


def _is_small(law: Law, t: acb) -> bool:
    return bool(2 * _largest_square(law) * t.abs_upper() < _SMALL)


def _power_series(law: Law, t: acb, j: int) -> acb:
    """Return ``rising(1/2, j)/j! E (1 + 2 a^2 t)^(-1/2-j)`` for a uniform slope, ``2 a^2 |t|`` small.

    The binomial series; ``|C(-1/2-j, i)| <= 2^(i+j)`` bounds its remainder.
    """
    low, high = ball(law.lower), ball(law.upper)
    size = 2 * _largest_square(law) * t.abs_upper()
    count = ctx.prec // 19 + 2
    total, power, ends = acb(0), acb(1), [low, high]
    for i in range(count):
        mean = (ends[1] - ends[0]) / ((2 * i + 1) * ball(law.upper - law.lower))
        total += power * mean
        power = power * (-2 * t) * (arb(j + i) + arb("0.5")) / (i + 1)
        ends = [ends[0] * low * low, ends[1] * high * high]
    rest = (2 * size) ** count * 2**j / (1 - 2 * size)
    error = arb(0, rest.upper())
    factor = arb("0.5").rising(j) / arb.fac_ui(j)
    return (total + acb(error, error)) * factor


def _is_thin(z: acb) -> bool:
    return bool(z.rel_accuracy_bits() > ctx.prec // 2)


def _steepest(law: Law, t: acb, twice: int) -> arb:
    """Return a bound of ``|d/dt E (1 + 2 b t)^(-n/2)|``, ``n = twice``, over a uniform slope."""
    low, high = ball(law.lower), ball(law.upper)
    largest = _largest_square(law)
    nearest = (1 + 2 * t * arb(largest / 2, largest / 2)).abs_lower()
    mean = (low * low + low * high + high * high) / 3
    return mean * twice / nearest ** (arb(twice) / 2 + 1)


def _around(function: Callable[[acb], acb], z: acb, steepest: arb) -> acb:
    """Return the mean value form: ``function`` in the middle of z, and a bound of its change.

    Where arguments enter a closed form several times, balls of its values on wide balls are far
    too large, and a power of the width makes them useless.
    """
    middle = z.mid()
    change = ((z - middle).abs_upper() * steepest).upper()
    return function(middle) + acb(arb(0, change), arb(0, change))


def _narrower(a: acb, b: acb) -> acb:
    """Return the smaller one of two balls that both contain a value."""
    if not (a.is_finite() and b.is_finite()):
        return a  # not finite also says: not analytic
    return b if b.rad() < a.rad() else a


def _arcsine(w: acb, analytic: bool) -> acb:
    if w.real < 0:
        return -_arcsine(-w, analytic)
    unit = acb(0, 1)
    return unit * ((1 - w * w).sqrt(analytic=analytic) - unit * w).log(analytic=analytic)


def tilted(law: Law, t: acb, length: int, analytic: bool) -> acb_series:
    """Return the series in f of ``E exp(-t Y + f g^2/2) = E (1 - f + 2 b t)^(-1/2)``.

    For laws without dead units, t in the right half-plane (or off the negative axis).
    """
    point = acb_series([1 + 2 * t, -1], prec=length)
    total = _rsqrt(point, analytic) * ball(law.one)
    if not law.has_slopes:
        return total
    if law.uniform:
        return total + _uniform_tilted(law, t, length, analytic) * ball(law.slope)
    square = ball(law.lower) ** 2
    point = acb_series([1 + 2 * square * t, -1], prec=length)
    return total + _rsqrt(point, analytic) * ball(law.slope)


def _rsqrt(point: acb_series, analytic: bool) -> acb_series:
    """Return the reciprocal root; not finite where ``analytic`` and the head touches the cut."""
    if analytic and not point[0].rsqrt(analytic=True).is_finite():
        return acb_series([_not_finite()], prec=point.prec)
    return point.rsqrt()


def _uniform_tilted(law: Law, t: acb, length: int, analytic: bool) -> acb_series:
    def closed(point: acb) -> acb_series:
        root = (2 * point).sqrt(analytic=analytic)
        ends = [_area(ball(a), root, length, analytic) for a in (law.upper, law.lower)]
        return (ends[0] - ends[1]) / acb_series(
            [root * ball(law.upper - law.lower)], prec=length
        )

    if _is_small(law, t):
        return acb_series([_power_series(law, t, j) for j in range(length)], prec=length)
    value = closed(t)
    if _is_thin(t):
        return value
    # The coefficients are those of E (1 + 2 b t)^(-1/2 - j) times rising(1/2, j)/j!.
    middle, coefficients, factor = closed(t.mid()), [], arb(1)
    for j in range(length):
        steepest = _steepest(law, t, 2 * j + 1) * factor
        centred = _around(lambda _, j=j: middle[j], t, steepest)
        coefficients.append(_narrower(value[j], centred))
        factor = factor * (j + arb("0.5")) / (j + 1)
    return acb_series(coefficients, prec=length)


def _area(slope: arb, root: acb, length: int, analytic: bool) -> acb_series:
    """Return ``log(x + sqrt(1 - f + x^2))`` for ``x = slope root``, a series in f.

    Its derivative in x is ``(1 - f + x^2)^(-1/2)``. For negative x it is
    ``log(1 - f) - log(|x| + sqrt(1 - f + x^2))``, which does not cancel.
    """
    if slope < 0:
        whole = acb_series([1, -1], prec=length).log()
        return whole - _area(-slope, root, length, analytic)
    x = slope * root
    inside = acb_series([1 + x * x, -1], prec=length)
    if analytic and not inside[0].sqrt(analytic=True).is_finite():
        return acb_series([_not_finite()], prec=length)
    total = acb_series([x], prec=length) + inside.sqrt()
    if analytic and not total[0].log(analytic=True).is_finite():
        return acb_series([_not_finite()], prec=length)
    return total.log()


# ---------------------------------------------------------------- moments of the slope


def live_moment(law: Law, p: arb_series) -> arb_series:
    """Return ``E[b^p; live]`` as a series, for p a series of length at least 1."""
    total = arb_series([ball(law.one)], prec=p.prec)
    if not law.has_slopes:
        return total
    if law.uniform:
        return total + _uniform_moment(law, 2 * p) * ball(law.slope)
    return total + (2 * ball(law.lower).log() * p).exp() * ball(law.slope)


def _uniform_moment(law: Law, s: arb_series) -> arb_series:
    """Return ``E |a|^s`` for a uniform slope: ``int |a|^s da / (upper - lower)``."""
    low, high = law.lower, law.upper
    if low > 0:
        # l^(s+1) (exp(D (s+1)) - 1)/(s+1) with D = log(u/l); regular at s = -1.
        ratio = ball((high - low) / low).log1p()
        head = ((s + 1) * ball(low).log()).exp()
        return head * _quotient((s + 1) * ratio) * (ratio / ball(high - low))
    total = ((s + 1) * ball(high).log()).exp()
    if low < 0:
        total = total + ((s + 1) * ball(-low).log()).exp()
    return total / ((s + 1) * ball(high - low))


def _quotient(y: arb_series) -> arb_series:
    """Return ``(exp(y) - 1)/y``, whose j-th derivative is ``1F1(j+1; j+2; y)/(j+1)``."""
    length = y.prec
    rest = y - y[0]
    total, power, factorial = arb_series([0], prec=length), arb_series([1], prec=length), 1
    for j in range(length):
        coefficient = y[0].hypgeom_1f1(j + 1, j + 2) / ((j + 1) * factorial)
        total = total + power * coefficient
        power = power * rest
        factorial *= j + 1
    return total


# ---------------------------------------------------------------- bounds


def smallest_square(law: Law) -> arb:
    """Return a lower bound of the squared slopes of live units, 0 for slopes around 0."""
    if not law.has_slopes:
        return arb(1)
    if law.vanishing:
        return arb(0)
    return arb.min(arb(1), ball(law.lower) ** 2).lower()


def inverse_moment(law: Law, theta: arb) -> arb:
    """Return ``E[(2 b)^(-theta/2); live]``, for theta < 1 if slopes vanish."""
    p = arb_series([-theta / 2], prec=1)
    return live_moment(law, p)[0] * arb(2) ** (-theta / 2)


def absolute_bound(law: Law, z: acb) -> arb:
    """Return an upper bound of ``E[|1 - 2 b z|^(-1/2); live]`` for a point z off the real line.

    ``|1 - 2 b z|`` increases with b from ``b = Re z/(2 |z|^2)`` on, and is nowhere below
    ``|Im z|/|z|``. So on each piece of the slope interval its value at the slope of smallest size,
    or that, is a lower bound.
    """
    total = abs(1 - 2 * z).rsqrt() * ball(law.one)
    if not law.has_slopes:
        return total
    turn = z.real / (2 * abs(z) ** 2)
    for square, share in _lower_squares(law):
        size = abs(1 - 2 * square * z) if square >= turn else abs(z.imag) / abs(z)
        total += size.rsqrt() * ball(law.slope) * share
    return total


def _lower_squares(law: Law) -> list[tuple[arb, arb]]:
    """Return pieces of the slope interval: the smallest square on each, and its share."""
    if not law.uniform:
        return [(ball(law.lower) ** 2, arb(1))]
    step = (law.upper - law.lower) / _PIECES
    pieces = []
    for i in range(_PIECES):
        left, right = law.lower + i * step, law.lower + (i + 1) * step
        smallest = 0 if left * right <= 0 else min(abs(left), abs(right))
        pieces.append((ball(smallest) ** 2, arb(1) / _PIECES))
    return pieces
