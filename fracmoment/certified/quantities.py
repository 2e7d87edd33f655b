"""Constants of one layer as enclosures: moments, scales, and cumulants of the logarithm."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import mpmath

from fracmoment import _validation
from fracmoment.activations import LeakyReLU
from fracmoment.certified import laws
from fracmoment.certified.enclosure import Enclosure
from fracmoment.certified.interpolation import cumulant_range, remainder_range
from fracmoment.certified.interval import Interval
from fracmoment.certified.laws.root import sign, tail_root, top
from fracmoment.certified.precision import certify, working_precision
from fracmoment.certified.ranges import convex_minimum, hull
from fracmoment.expansions import exact_expansion
from fracmoment.gains import Gain

if TYPE_CHECKING:
    from collections.abc import Callable

    from flint import arb

    from fracmoment.certified.laws import Law

__all__ = [
    "cdf",
    "cumulant",
    "enclose",
    "log_mean",
    "log_var",
    "moment",
    "scale",
    "scale_order",
    "scale_remainder",
    "sf",
    "tail_index",
]

_ATOM_HINT = (
    "where the gain is 0 with positive probability (given_alive=True conditions on a live layer)"
)


def moment(
    gain: Gain,
    order: Any,
    *,
    digits: int = 30,
    given_alive: bool = False,
    negative_slope: Interval | None = None,
) -> Enclosure:
    """Return an enclosure of ``E R^order``.

    Parameters
    ----------
    gain : Gain
        A gain of scalar parameters, which are taken exactly.
    order : float, str, int, Fraction, mpmath.mpf or Interval
        Real order in the domain of `Gain.moment`, taken exactly. For an interval the enclosure
        contains the moments of every order in it.
    digits : int, optional
        Number of significant digits to prove, 1 to 1,000; over intervals of each end of the range.
    given_alive : bool, optional
        Enclose ``E[R^order | R > 0]``.
    negative_slope : Interval, optional
        Slopes that replace the one of a `LeakyReLU`: the enclosure is for all of them.

    Returns
    -------
    Enclosure

    Raises
    ------
    ValueError
        For an order outside the domain.
    CertificationError
        If the digits could not be proved.

    Notes
    -----
    The moment increases with the size of the slope for positive orders and decreases for negative
    ones, and is convex in the order: the range over intervals comes from its corners, and from
    tangents where the least moment lies between the ends.

    Examples
    --------
    >>> import fracmoment as fm
    >>> "1.5" in moment(fm.Gain("relu", 3), 2)
    True
    >>> over = moment(fm.Gain("relu", 64), Interval("0.5", "0.6"))
    >>> fm.Gain("relu", 64).moment(0.55) in over
    True
    """
    alive = _validation.flag("given_alive", given_alive)
    count = _validation.digits(digits)
    corners = _Corners(gain, negative_slope)
    low, high = _order(corners, order, alive)

    def at(law: Law, s: Fraction) -> Enclosure:
        what = f"the moment of order {float(s):g}"
        return enclose(lambda: laws.moment(law, s, alive), law, count, what)

    if corners.point and low == high:
        return at(corners.small, low)
    ends = [at(corners.largest(s), s) for s in (low, high)]
    bottoms = []
    for part in _signed(low, high):
        law = corners.smallest(part[0] + part[1])
        bottoms += [at(law, s) for s in part]
        bottoms += convex_minimum(partial(_tangent, law, alive), *part)
    return hull(min(bottoms, key=lambda e: e.lower), *ends)


def _tangent(law: Law, given_alive: bool, order: Fraction) -> list[arb]:
    """Return the moment and its derivative in the order."""
    return laws.moment_series(law, order, 2, given_alive)


def _signed(low: Fraction, high: Fraction) -> list[tuple[Fraction, Fraction]]:
    """Cut an interval of orders at 0."""
    if low < 0 < high:
        return [(low, Fraction(0)), (Fraction(0), high)]
    return [(low, high)]


def scale(
    gain: Gain,
    order: Any,
    *,
    digits: int = 30,
    given_alive: bool = False,
    negative_slope: Interval | None = None,
) -> Enclosure:
    """Return an enclosure of the scale ``(E R^order)^(-1/order)`` of `Gain.scale`.

    Parameters are those of `moment`; order 0 is ``exp(-E[log R | R > 0])``.

    Notes
    -----
    The scale decreases with the order (Lyapunov's inequality) and with the size of the slope, so
    the range over intervals lies between two corners. An interval of orders may contain 0 only
    where R > 0 almost surely or with ``given_alive=True``.

    Examples
    --------
    >>> import fracmoment as fm
    >>> sigma = scale(fm.Gain("relu", 64), "0.8")
    >>> print(f"{float(sigma):.12f}, radius below 1e-30: {sigma.radius < 1e-30}")
    0.178887458418, radius below 1e-30: True
    >>> 0.2 in scale(fm.Gain("linear", 25), Interval(1, 2))
    True
    """
    alive = _validation.flag("given_alive", given_alive)
    count = _validation.digits(digits)
    corners = _Corners(gain, negative_slope)
    low, high = _order(corners, order, alive, allow_zero=True)
    corners.require_order(low, high, alive)

    def at(law: Law, s: Fraction) -> Enclosure:
        what = f"the scale of order {float(s):g}"
        return enclose(lambda: laws.scale(law, s, alive), law, count, what)

    if corners.point and low == high:
        return at(corners.small, low)
    return hull(at(corners.small, low), at(corners.large, high))


def log_mean(gain: Gain, *, digits: int = 30, negative_slope: Interval | None = None) -> Enclosure:
    """Return an enclosure of ``E[log R | R > 0]``; parameters as for `moment`.

    Examples
    --------
    >>> import fracmoment as fm
    >>> round(float(log_mean(fm.Gain("linear", 2))), 12)
    0.057965757829
    """
    count = _validation.digits(digits)
    corners = _Corners(gain, negative_slope)
    corners.require_live()
    ends = [
        enclose(partial(laws.log_mean, law), law, count, "the mean of log R")
        for law in corners.both()
    ]
    return hull(*ends)


def log_var(gain: Gain, *, digits: int = 30, negative_slope: Interval | None = None) -> Enclosure:
    """Return an enclosure of ``Var[log R | R > 0]``; parameters as for `moment`.

    Examples
    --------
    >>> import fracmoment as fm
    >>> round(float(log_var(fm.Gain("linear", 2))), 12)
    0.411233516712
    """
    return cumulant(gain, 2, digits=digits, negative_slope=negative_slope)


def cumulant(
    gain: Gain, n: int, *, digits: int = 30, negative_slope: Interval | None = None
) -> Enclosure:
    """Return an enclosure of the n-th cumulant of log R given R > 0, n from 1 to 8.

    Other parameters are those of `moment`.

    Notes
    -----
    For n > 1 the cumulants are not monotone in the slope. Their range over slopes comes from an
    interpolant of proved error, and is found to about three digits of its length whatever
    ``digits`` is.

    Examples
    --------
    >>> import fracmoment as fm
    >>> round(float(cumulant(fm.Gain("linear", 2), 3)), 12)
    -0.30051422579
    >>> over = cumulant(fm.Gain("leaky_relu", 64), 2, negative_slope=Interval("0.1", "0.3"))
    >>> fm.Gain(fm.LeakyReLU(0.2), 64).log_var() in over
    True
    """
    n = _validation.integer("n", n, 1, 8)
    if n == 1:
        return log_mean(gain, digits=digits, negative_slope=negative_slope)
    count = _validation.digits(digits)
    corners = _Corners(gain, negative_slope)
    corners.require_live()
    if not corners.point:
        return cumulant_range(corners.small, n, *corners.slopes)
    law, what = corners.small, f"cumulant {n} of log R"
    if law.is_constant():
        return Enclosure(0, 0)
    return enclose(lambda: laws.log_cumulants(law, n)[-1], law, count, what)


def scale_remainder(
    gain: Gain,
    order: Any,
    *,
    digits: int = 30,
    given_alive: bool = False,
    negative_slope: Interval | None = None,
) -> Enclosure:
    """Return an enclosure of the squared scale minus its second-order expansion.

    The expansion is that of `fracmoment.scale_squared_remainder`, an exact rational number here;
    parameters are those of `scale`. At order 2 the remainder is exactly 0. Over intervals see the
    notes of `cumulant`.

    Examples
    --------
    >>> import fracmoment as fm
    >>> gain = fm.Gain("relu", 50)
    >>> fm.scale_squared_remainder(gain, 1) == float(scale_remainder(gain, 1))
    True
    >>> scale_remainder(gain, 1) in scale_remainder(gain, Interval("0.9", "1.1"))
    True
    """
    alive = _validation.flag("given_alive", given_alive)
    count = _validation.digits(digits)
    corners = _Corners(gain, negative_slope)
    low, high = _order(corners, order, alive, allow_zero=True)
    corners.require_order(low, high, alive)
    law = corners.small
    if low == high == 2 and not (alive and law.has_atom):
        return Enclosure(0, 0)
    if not (corners.point and low == high):
        return remainder_range(law, corners.large, (low, high), alive)
    first, last = gain.activation.exact_slopes if negative_slope is None else corners.slopes

    def remainder() -> arb:
        expansion = exact_expansion(gain, gain.width, first, last, gain.keep_prob, low)
        return laws.scale(law, low, alive) ** 2 - laws.ball(expansion)

    what = f"the remainder of the expansion of order {float(low):g}"
    return enclose(remainder, law, count, what)


def tail_index(
    gain: Gain, sigma: Any, *, digits: int = 30, negative_slope: Interval | None = None
) -> Enclosure:
    """Return an enclosure of the tail index of a scale: alpha > 0 with ``E (sigma R)^alpha = 1``.

    Parameters
    ----------
    gain : Gain
        A gain of scalar parameters.
    sigma : float, str, int, Fraction, mpmath.mpf or Interval
        Scale of the weights, > 0, taken exactly.
    digits : int, optional
        Number of significant digits to prove.
    negative_slope : Interval, optional
        As for `moment`.

    Returns
    -------
    Enclosure
        Exactly 0 where the drift is proved not to be negative (no atom), exactly infinity where
        ``sigma R <= 1`` almost surely. With an atom at 0 the root itself, however small.

    Raises
    ------
    CertificationError
        If sigma is so close to the critical value that the sign of the drift cannot be proved, or
        the root lies outside 2^-15000 to 2^20.

    Notes
    -----
    The root is unique because ``log E (sigma R)^s`` is convex; it is enclosed by two orders at
    which the sign of that function is proved. It decreases with sigma and the size of the slope.

    Examples
    --------
    >>> import fracmoment as fm
    >>> gain = fm.Gain("relu", 64)
    >>> sigma = scale(gain, "0.8")
    >>> "0.8" in tail_index(gain, Interval(sigma.lower, sigma.upper), digits=20)
    True
    >>> tail_index(gain, "0.2").digits >= 30
    True
    """
    count = _validation.digits(digits)
    corners = _Corners(gain, negative_slope)
    corners.require_live()
    ends = _sigma(sigma)
    largest = _tail_index(corners.small, ends[0], count)
    if corners.point and ends[0] == ends[1]:
        return largest
    return hull(_tail_index(corners.large, ends[1], count), largest)


def _sigma(sigma: Any) -> tuple[Fraction, Fraction]:
    """Return the ends of the scales."""
    if isinstance(sigma, Interval):
        ends = (sigma.lower, sigma.upper)
    else:
        exact = _validation.rational("sigma", sigma)
        ends = (exact, exact)
    _validation.require("sigma", ends[0], ends[0] > 0, "> 0")
    return ends


def _tail_index(law: Law, sigma: Fraction, digits: int) -> Enclosure:
    """Return the tail index of one scale of one law."""
    largest = top(law)
    if largest is not None and sigma * largest <= 1:
        return Enclosure(mpmath.inf, mpmath.inf)
    if not law.has_atom:
        if law.is_constant():
            return Enclosure(0, 0)
        with working_precision(64 + 2 * law.width.bit_length()):
            if sign(lambda: laws.drift(law, sigma)) >= 0:
                return Enclosure(0, 0)
    return hull(*(Enclosure(end, end) for end in tail_root(law, sigma, digits)))


def cdf(
    gain: Gain, r: Any, *, digits: int = 30, negative_slope: Interval | None = None
) -> Enclosure:
    """Return an enclosure of ``P(R <= r)``, the atom at 0 included.

    Parameters
    ----------
    gain : Gain
        A gain of scalar parameters.
    r : float, str, int, Fraction, mpmath.mpf or Interval
        Point, taken exactly; for an interval the enclosure contains the values over it.
    digits : int, optional
        Number of significant digits to prove, over intervals of each end of the range.
    negative_slope : Interval, optional
        As for `moment`.

    Notes
    -----
    The probability increases with the point and decreases with the size of the slope.

    Examples
    --------
    >>> import fracmoment as fm
    >>> fm.Gain("leaky_relu", 64).cdf(5.5) == float(cdf(fm.Gain("leaky_relu", 64), 5.5))
    True
    """
    return _distribution(laws.cdf, gain, r, digits, negative_slope, "P(R <= r)")


def sf(
    gain: Gain, r: Any, *, digits: int = 30, negative_slope: Interval | None = None
) -> Enclosure:
    """Return an enclosure of ``P(R > r)``; parameters as for `cdf`.

    Examples
    --------
    >>> import fracmoment as fm
    >>> round(float(sf(fm.Gain("linear", 2), 12).log()), 12)
    -72.0
    """
    return _distribution(laws.sf, gain, r, digits, negative_slope, "P(R > r)")


def _distribution(
    function: Callable[[Law, Fraction], arb],
    gain: Gain,
    r: Any,
    digits: int,
    negative_slope: Interval | None,
    what: str,
) -> Enclosure:
    count = _validation.digits(digits)
    corners = _Corners(gain, negative_slope)
    low, high = (
        (r.lower, r.upper) if isinstance(r, Interval) else [_validation.rational("r", r)] * 2
    )

    def at(law: Law, x: Fraction) -> Enclosure:
        return enclose(partial(function, law, x), law, count, what)

    least = at(corners.large, low)
    if corners.point and low == high:
        return least
    return hull(least, at(corners.small, high))


# ---------------------------------------------------------------- arguments


class _Corners:
    """The law of a gain, or the two laws at the ends of an interval of slopes."""

    def __init__(self, gain: Any, negative_slope: Any) -> None:
        if not isinstance(gain, Gain):
            message = f"gain must be a fracmoment.Gain, got {gain!r}"
            raise TypeError(message)
        self.small = self.large = laws.Law.of(gain)
        self.slopes = (Fraction(0), Fraction(0))
        if negative_slope is None:
            return
        if not isinstance(negative_slope, Interval):
            message = f"negative_slope must be an Interval, got {negative_slope!r}"
            raise TypeError(message)
        if not isinstance(gain.activation, LeakyReLU):
            message = f"negative_slope needs a gain of LeakyReLU units, got {gain!r}"
            raise ValueError(message)
        ends = sorted((abs(negative_slope.lower), abs(negative_slope.upper)))
        if 0 in negative_slope:
            ends[0] = Fraction(0)
        self.slopes = (ends[0], ends[1])
        self.small, self.large = (self.small.with_slope(a) for a in ends)

    @property
    def point(self) -> bool:
        return self.small == self.large

    def both(self) -> list[Law]:
        return [self.small] if self.point else [self.small, self.large]

    def largest(self, order: Fraction) -> Law:
        """Return the law of the largest moment: moments of negative order decrease with R."""
        return self.large if order >= 0 else self.small

    def smallest(self, order: Fraction) -> Law:
        """Return the law of the smallest moment."""
        return self.small if order >= 0 else self.large

    def require_live(self) -> None:
        """Refuse slopes from 0 on where R > 0 is given: the law of R jumps at slope 0."""
        if not self.point and self.slopes[0] == 0:
            message = "negative_slope must not contain 0: conditions on R > 0 jump there"
            raise ValueError(message)

    def require_order(self, low: Fraction, high: Fraction, given_alive: bool) -> None:
        """Refuse scales over orders around 0 that jump there."""
        if low <= 0 <= high and low != high and self.small.has_atom and not given_alive:
            message = f"order must not contain 0 {_ATOM_HINT}, got [{low}, {high}]"
            raise ValueError(message)
        if low <= 0 or given_alive:
            self.require_live()


def _order(
    corners: _Corners, order: Any, given_alive: bool, *, allow_zero: bool = False
) -> tuple[Fraction, Fraction]:
    """Return the ends of the orders, checked against the domain of the laws."""
    if isinstance(order, Interval):
        ends = (order.lower, order.upper)
        if corners.small.has_atom and not given_alive:
            allow_zero = False
    else:
        exact = _validation.rational("order", order)
        ends = (exact, exact)
    for law in corners.both():
        edge = law.edge(given_alive)
        limit = -math.inf if edge is None else float(edge)
        hint = _ATOM_HINT if law.has_atom and not given_alive else ""
        _validation.order_domain(ends[0], limit, allow_zero=allow_zero, hint=hint)
    if ends[0] <= 0 or given_alive:
        corners.require_live()
    return ends


def scale_order(gain: Any, order: Any, given_alive: bool) -> Fraction:
    """Return the order of a scale exactly, checked against the domain of the law."""
    exact = _validation.rational("order", order)
    _order(_Corners(gain, None), exact, given_alive, allow_zero=True)
    return exact


def enclose(function: Callable[[], Any], law: Law, digits: int, what: str) -> Enclosure:
    """Return an enclosure of a quantity of a law, with the digits asked for."""
    # Powers of the width, and sums over as many nodes as the square of the digits.
    lost = 2 * law.width.bit_length() + 4 * (digits // 64).bit_length()
    ball = certify(function, digits, f"{what} at width {law.width}", guard=lost)
    return Enclosure.of_ball(ball)
