"""One unit: transforms, moments and bounds of ``Y = b z^2`` for live units.

``h_b(z) = (1 - 2 b z)^(-1/2)`` is E exp(z b g^2), g normal. ``live(law, z)`` is the sum of ``h_b``
over the live units, weighted by their probabilities: ``E exp(z Y) = dead + live``.
"""

from __future__ import annotations

from fractions import Fraction

from flint import acb, acb_series, arb, arb_series, ctx

from fracmoment.certified.laws.law import Law, ball

__all__ = [
    "absolute_bound",
    "bound_bits",
    "crosses_between",
    "height_decay",
    "inverse_distance",
    "inverse_moment",
    "live",
    "live_moment",
    "smallest_square",
    "tilted",
]

# The closed forms for uniform slopes divide differences by sqrt(t): below this size of 2 b t a
# power series loses nothing instead.
_SMALL = arb(2) ** -20

_ZERO = Fraction(0)

# Bounds need no digits.
_BOUND_BITS = 64

# Number of pieces into which the slope interval is cut for an upper bound of a mean over it.
_PIECES = 16


def live(law: Law, z: acb, shift: Fraction = _ZERO) -> acb:
    """Return ``E[(1 - 2 (b - shift) z)^(-1/2); live]`` off its cuts on the real axis.

    Without a shift this is ``E[exp(z Y); live]``, cut along ``[1/(2 b), inf)``.
    """
    total = (1 - 2 * z * ball(1 - shift)).rsqrt() * ball(law.one)
    if not law.has_slopes:
        return total
    if law.uniform:
        return total + _uniform(law, z, shift) * ball(law.slope)
    gap = ball(law.lower * law.lower) - ball(shift)
    return total + (1 - 2 * gap * z).rsqrt() * ball(law.slope)


def _uniform(law: Law, z: acb, shift: Fraction) -> acb:
    """Return the mean of ``(1 - 2 (a^2 - shift) z)^(-1/2)`` over a uniform slope.

    For small slopes from ``(1 + 2 shift z)^(-1/2) (1 - 2 a^2 z')^(-1/2)``: z' and z lie on the same
    side of the axis, so that the principal square roots multiply.
    """
    whole = 1 + 2 * z * ball(shift)
    if _is_small(law, z, whole):
        return _power_series(law, -z / whole, 0) * whole.rsqrt()
    return _uniform_closed(law, z, shift)


def _uniform_closed(law: Law, z: acb, shift: Fraction) -> acb:
    """Return the mean over the slope by an antiderivative.

    For Re z >= 0, with ``r = sqrt(2 z)``, it is ``i log(P(a) - i a r)/r``, and for Re z < 0, with
    ``r = sqrt(-2 z)``, ``log(P(a) + a r)/r``, where ``P(a) = sqrt(1 - 2 (a^2 - shift) z)``. For
    a > 0 and z in the upper half-plane both summands lie in the right half-plane and do not cancel;
    slopes below 0 are reflected.
    """
    right = not z.mid().real < 0
    root = (2 * z if right else -2 * z).sqrt()
    turn = acb(0, -1) if right else acb(1)

    def primitive(slope: Fraction) -> acb:
        size = abs(slope)
        inside = 1 - 2 * (ball(size * size) - ball(shift)) * z
        return (inside.sqrt() + root * turn * ball(size)).log()

    low, high = law.lower, law.upper
    total = primitive(high) - primitive(low) if low >= 0 else primitive(high) + primitive(low)
    if low < 0:  # the integral from 0 on for either sign
        total = total - 2 * primitive(_ZERO)
    return total / (root * turn * ball(high - low))


def _largest_square(law: Law) -> arb:
    """Return an upper bound of the squares of uniform slopes."""
    return arb.max(ball(law.lower) ** 2, ball(law.upper) ** 2).upper()


def _is_small(law: Law, t: acb, whole: acb) -> bool:
    return bool(2 * _largest_square(law) * t.abs_upper() < _SMALL * whole.abs_lower())


def _power_series(law: Law, t: acb, j: int) -> acb:
    """Return ``rising(1/2, j)/j! E (1 + 2 a^2 t)^(-1/2-j)``, uniform slopes, small ``2 a^2 |t|``.

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


def tilted(law: Law, t: acb, length: int) -> acb_series:
    """Return the series in f of ``E exp(-t Y + f g^2/2) = E (1 - f + 2 b t)^(-1/2)``.

    For laws without dead units and an exact t off the negative axis.
    """
    point = acb_series([1 + 2 * t, -1], prec=length)
    total = point.rsqrt() * ball(law.one)
    if not law.has_slopes:
        return total
    if law.uniform:
        return total + _uniform_tilted(law, t, length) * ball(law.slope)
    square = ball(law.lower) ** 2
    point = acb_series([1 + 2 * square * t, -1], prec=length)
    return total + point.rsqrt() * ball(law.slope)


def _uniform_tilted(law: Law, t: acb, length: int) -> acb_series:
    if _is_small(law, t, acb(1)):
        return acb_series([_power_series(law, t, j) for j in range(length)], prec=length)
    root = (2 * t).sqrt()
    high, low = (_area(ball(a), root, length) for a in (law.upper, law.lower))
    return (high - low) / acb_series([root * ball(law.upper - law.lower)], prec=length)


def _area(slope: arb, root: acb, length: int) -> acb_series:
    """Return ``log(x + sqrt(1 - f + x^2))`` for ``x = slope root``, a series in f.

    Its derivative in x is ``(1 - f + x^2)^(-1/2)``. For negative x it is
    ``log(1 - f) - log(|x| + sqrt(1 - f + x^2))``, which does not cancel.
    """
    if slope < 0:
        whole = acb_series([1, -1], prec=length).log()
        return whole - _area(-slope, root, length)
    x = slope * root
    inside = acb_series([1 + x * x, -1], prec=length)
    return (acb_series([x], prec=length) + inside.sqrt()).log()


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


def bound_bits(law: Law) -> int:
    """Return the precision of bounds: means over short intervals of slopes lose digits."""
    if not law.uniform:
        return _BOUND_BITS
    length = (law.upper - law.lower) / law.upper
    lost: int = length.denominator.bit_length() - length.numerator.bit_length()
    return _BOUND_BITS + max(0, lost)


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


def crosses_between(law: Law, point: arb, shift: Fraction = _ZERO) -> bool:
    """Return whether ``1 - 2 (b - shift) point > 0`` for every unit: no cut is crossed there."""
    squares = [arb(1)] + ([arb(0)] if law.has_atom or law.vanishing else [])
    if law.has_slopes:
        squares += [ball(law.lower) ** 2, ball(law.upper) ** 2]
    return all(1 - 2 * (square - ball(shift)) * point > 0 for square in squares)


def absolute_bound(law: Law, z: acb, shift: Fraction | None = None) -> arb:
    """Return an upper bound of ``E[|1 - 2 (b - shift) z|^(-1/2)]`` for z off the real line.

    Over live units, or with a ``shift`` over all units of ``b != shift``. As a function of
    ``c = b - shift`` the size is smallest at ``c = Re z/(2 |z|^2)``, where it is ``|Im z|/|z|``,
    and is monotone on either side: on each piece of the slope interval its value at one of the
    ends, or that, is a lower bound.
    """
    turn, least = z.real / (2 * abs(z) ** 2), abs(z.imag) / abs(z)
    total = arb(0)
    for low, high, share in _pieces(law, shift):
        ends = [abs(1 - 2 * c * z) for c in (low, high)]
        inside = not (low >= turn or high <= turn)
        size = least if inside else arb.min(*ends)
        total += size.rsqrt() * share
    return total


def _pieces(law: Law, shift: Fraction | None) -> list[tuple[arb, arb, arb]]:
    """Return ranges of ``c = b - shift`` that are not 0, with their probabilities."""
    moved = ball(shift or 0)
    points = [(Fraction(1), law.one)]
    if shift is not None and law.has_atom:
        points.append((Fraction(0), law.dead))
    if law.has_slopes and not law.uniform:
        points.append((law.lower * law.lower, law.slope))
    parts = []
    for b, q in points:
        if shift is None or b != shift:
            c = ball(b) - moved
            parts.append((c, c, ball(q)))
    if law.uniform:
        share = ball(law.slope) / _PIECES
        step = (law.upper - law.lower) / _PIECES
        for i in range(_PIECES):
            ends = sorted(abs(law.lower + (i + k) * step) for k in range(2))
            if (law.lower + i * step) * (law.lower + (i + 1) * step) <= 0:
                ends[0] = Fraction(0)
            parts.append((ball(ends[0] ** 2) - moved, ball(ends[1] ** 2) - moved, share))
    return parts


def inverse_distance(law: Law, shift: Fraction) -> arb:
    """Return an upper bound of ``E |2 (b - shift)|^(-1/2)`` over units of ``b != shift``.

    On a piece of the slope interval, of length D, the smallest distance serves, or
    ``|a^2 - shift| >= sqrt(shift) ||a| - sqrt(shift)|``: the mean of ``|x - y|^(-1/2)`` over x
    uniform on an interval of length D is at most ``2 sqrt(2/D)``, whatever y; twice that for the
    two signs of a.
    """
    total, spread = arb(0), arb.pos_inf()
    if law.uniform:
        mean = 4 * (2 * _PIECES / ball(law.upper - law.lower)).sqrt()
        spread = mean / (2 * ball(shift).sqrt()).sqrt()
    for low, high, share in _pieces(law, shift):
        nearest = arb.min(abs(2 * low), abs(2 * high)).rsqrt() if low * high > 0 else arb.pos_inf()
        total += share * (nearest if low is high else arb.min(nearest, spread))
    return total


def height_decay(law: Law, shift: Fraction, last: arb) -> tuple[arb, arb]:
    """Return theta and K: ``E[|1 - 2 (b - shift) u|^(-1/2)] <= K y^(-theta/2)`` for y = Im u.

    Over units of ``b != shift``, for Re u up to ``last``. Without a shift b may come close to 0:
    ``|1 - 2 b u|`` is at least 2by, and at least its value at ``last`` or 1.
    """
    if shift:
        return arb(1), inverse_distance(law, shift)
    if not law.vanishing:
        return arb(1), inverse_moment(law, arb(1))
    theta = arb("0.75")
    least = arb.min(arb(1), 1 - 2 * arb.max(arb(1), _largest_square(law)) * last)
    return theta, inverse_moment(law, theta) * least ** ((theta - 1) / 2)
