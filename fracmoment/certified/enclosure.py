"""Numbers known to lie between two exact bounds, and arithmetic that keeps this true."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import mpmath
from flint import arb, fmpz

from fracmoment import _validation
from fracmoment.certified.laws.law import ball
from fracmoment.certified.precision import CertificationError, working_precision

__all__ = ["Enclosure"]

# The least number of bits that arithmetic carries.
_LEAST_BITS = 128
# More bits than the exponents of doubles, and than the ratio of the largest number of digits, need.
_DOUBLE_BITS, _MOST_BITS = 1200, 4000


def _to_mpf(end: arb) -> Any:
    """Return an exact ball as an mpf, by its mantissa and exponent."""
    if not end.is_finite():
        return mpmath.mpf("inf") if end > 0 else mpmath.mpf("-inf")
    mantissa, exponent = end.man_exp()
    return mpmath.mp.make_mpf(mpmath.libmp.from_man_exp(int(mantissa), int(exponent)))


def _to_arb(end: Any) -> arb:
    """Return an mpf as an exact ball."""
    if mpmath.isinf(end):
        return arb.pos_inf() if end > 0 else arb.neg_inf()
    sign, mantissa, exponent, _ = end._mpf_
    value = fmpz(int(mantissa))
    return arb((-value if sign else value, fmpz(int(exponent))))


def _exact(end: Any) -> Any:
    """Return an mpf as a Fraction, or as a float if it is infinite."""
    if mpmath.isinf(end):
        return float(end)
    sign, mantissa, exponent, _ = end._mpf_
    value = Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
    return -value if sign else value


class Enclosure:
    """A real number, or a set of them, proved to lie in ``[lower, upper]``.

    Parameters
    ----------
    lower, upper : mpmath.mpf, float, int, str or Fraction
        Bounds, ``lower <= upper``. What is no binary number is rounded outwards.

    Notes
    -----
    Arithmetic with other enclosures and with exact numbers (int, float, Fraction, str, mpf, each
    taken exactly) is rigorous: the result contains the result for every choice of numbers in the
    operands.

    Comparisons (``<``, ``<=``, ``>``, ``>=``) are True when they hold for every choice, False when
    they fail for every choice, and raise `CertificationError` when the enclosures do not decide.
    ``==`` compares the bounds of two enclosures, as a container does; whether a number is enclosed
    is asked with ``in``.

    ``float()`` is the double nearest to `mid`. It is the double nearest to the enclosed value
    whenever ``float(e.lower) == float(e.upper)``.

    Examples
    --------
    >>> third = Enclosure("1/3", "1/3")
    >>> Fraction(1, 3) in third, 1 / 3 in third
    (True, False)
    >>> (third * 3).digits >= 38, 1 in third * 3
    (True, True)
    >>> third < Fraction(1, 2)
    True
    >>> print(third.sqrt())
    0.57735026918962576450914878050195745565
    """

    __slots__ = ("_lower", "_upper")

    def __init__(self, lower: Any, upper: Any) -> None:
        self._lower = _end("lower", lower, up=False)
        self._upper = _end("upper", upper, up=True)
        if not self._lower <= self._upper:
            message = f"lower must be <= upper, got {lower!r} and {upper!r}"
            raise ValueError(message)

    @classmethod
    def of_ball(cls, value: arb) -> Enclosure:
        """Return the smallest enclosure that contains a ball, end points rounded outwards."""
        if value.is_nan() or not (value.is_finite() or value.is_exact()):
            message = f"the ball {value} has no finite end points"
            raise CertificationError(message)
        # End points are rounded outwards to the precision, which must hold those of the middle.
        with working_precision(max(_LEAST_BITS, value.mid().bits() + 64)):
            return cls(_to_mpf(value.lower()), _to_mpf(value.upper()))

    def to_ball(self) -> arb:
        """Return a ball of the current precision of python-flint that contains the enclosure."""
        lower, upper = _to_arb(self._lower), _to_arb(self._upper)
        return lower if self.is_exact() else lower.union(upper)

    # ------------------------------------------------------------ what is known

    @property
    def lower(self) -> Any:
        """The lower bound, an mpmath.mpf."""
        return self._lower

    @property
    def upper(self) -> Any:
        """The upper bound, an mpmath.mpf."""
        return self._upper

    @property
    def mid(self) -> Any:
        """The exact middle, an mpmath.mpf."""
        return _half(self._lower, self._upper, 1)

    @property
    def radius(self) -> Any:
        """Half the distance of the bounds, exactly, an mpmath.mpf."""
        return _half(self._upper, self._lower, -1)

    def is_exact(self) -> bool:
        """Return whether the bounds agree."""
        return bool(self._lower == self._upper)

    @property
    def digits(self) -> int:
        """The number n of significant digits proved: ``radius <= 10^-n |mid| / 2``.

        0 if the enclosure contains 0 besides other numbers, and 1,000 at most.
        """
        if self.is_exact():
            return _validation.MAX_DIGITS
        if not mpmath.isfinite(self.mid):
            return 0
        # Only the ratio matters, and exponents may be too large for a Fraction.
        shift = -_magnitude(self.radius)
        if _magnitude(self.mid) + shift > _MOST_BITS:
            return _validation.MAX_DIGITS
        middle, radius = (abs(_exact(_shifted(x, shift))) for x in (self.mid, self.radius))
        if middle <= radius:
            return 0
        ratio = middle / (2 * radius)
        # The number of digits before the point, corrected where the logarithm is off by one.
        count = int((ratio.numerator.bit_length() - ratio.denominator.bit_length()) * 0.30103)
        while ratio < Fraction(10) ** count:
            count -= 1
        while ratio >= Fraction(10) ** (count + 1):
            count += 1
        return max(0, min(count, _validation.MAX_DIGITS))

    def __contains__(self, value: Any) -> bool:
        """Return whether a number, taken exactly, or an enclosure lies within the bounds."""
        if isinstance(value, Enclosure):
            return bool(self._lower <= value._lower and value._upper <= self._upper)
        if isinstance(value, (float, mpmath.mpf)) and not mpmath.isnan(value):
            return bool(self._lower <= value <= self._upper)
        exact = _validation.rational("value", value)
        return _order(self._lower, exact) <= 0 <= _order(self._upper, exact)

    def __float__(self) -> float:
        """Return the double nearest to the middle, infinite beyond the largest one."""
        middle = self.mid
        if mpmath.isinf(middle) or middle == 0:
            return float(middle)
        if abs(_magnitude(middle)) < _DOUBLE_BITS:
            try:
                return float(_exact(middle))
            except OverflowError:
                pass
        return math.copysign(math.inf if _magnitude(middle) > 0 else 0.0, middle)

    def __str__(self) -> str:
        """Return the decimal digits that are proved, or the bounds if there are none."""
        if not mpmath.isfinite(self.mid):
            return str(self._lower) if self.is_exact() else f"[{self._lower}, {self._upper}]"
        if self.is_exact():
            return _decimal(self._lower, 40)
        for count in range(self.digits + 1, 0, -1):
            text = _decimal(self._lower, count)
            if text == _decimal(self._upper, count):
                return text
        return f"[{_decimal(self._lower, 6)}, {_decimal(self._upper, 6)}]"

    def __repr__(self) -> str:
        """Return the middle, the radius and the number of digits proved."""
        radius = _decimal(self.radius, 3) if mpmath.isfinite(self.radius) else "inf"
        shown = str(self) if self.digits else _decimal(self.mid, 6)
        return f"<Enclosure {shown}, radius {radius}, {self.digits} digits>"

    def __hash__(self) -> int:
        """Return a hash of the bounds."""
        return hash((self._lower, self._upper))

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what pickle and copy rebuild the enclosure from."""
        # mpmath's own copies are rounded to its precision.
        return (_rebuild, (_pair(self._lower), _pair(self._upper)))

    # ------------------------------------------------------------ comparisons

    def __eq__(self, other: object) -> bool:
        """Return whether the bounds of two enclosures agree."""
        if not isinstance(other, Enclosure):
            return NotImplemented
        return bool(self._lower == other._lower and self._upper == other._upper)

    def __lt__(self, other: Any) -> bool:
        """Return whether this is less than ``other``, proved either way."""
        other = _enclosure(other)
        return _decided(self._upper < other._lower, self._lower >= other._upper, self, "<", other)

    def __le__(self, other: Any) -> bool:
        """Return whether this is at most ``other``, proved either way."""
        other = _enclosure(other)
        return _decided(self._upper <= other._lower, self._lower > other._upper, self, "<=", other)

    def __gt__(self, other: Any) -> bool:
        """Return whether this is greater than ``other``, proved either way."""
        return _enclosure(other) < self

    def __ge__(self, other: Any) -> bool:
        """Return whether this is at least ``other``, proved either way."""
        return _enclosure(other) <= self

    # ------------------------------------------------------------ arithmetic

    def _apply(self, function: Any, *others: Any) -> Enclosure:
        """Return a ball function of this enclosure and exact numbers or enclosures."""
        operands = [self, *[_operand(other) for other in others]]
        bits = max(op._bits() for op in operands if isinstance(op, Enclosure))
        with working_precision(bits):
            balls = [op.to_ball() if isinstance(op, Enclosure) else ball(op) for op in operands]
            return Enclosure.of_ball(function(*balls))

    def _bits(self) -> int:
        """Return a precision at which rounding is small against the radius."""
        ends = (self._lower, self._upper)
        size = max(int(end._mpf_[1]).bit_length() for end in ends)
        return max(_LEAST_BITS, size + 8)

    def __add__(self, other: Any) -> Enclosure:
        return self._apply(lambda a, b: a + b, other)

    def __radd__(self, other: Any) -> Enclosure:
        return self._apply(lambda a, b: b + a, other)

    def __sub__(self, other: Any) -> Enclosure:
        return self._apply(lambda a, b: a - b, other)

    def __rsub__(self, other: Any) -> Enclosure:
        return self._apply(lambda a, b: b - a, other)

    def __mul__(self, other: Any) -> Enclosure:
        return self._apply(lambda a, b: a * b, other)

    def __rmul__(self, other: Any) -> Enclosure:
        return self._apply(lambda a, b: b * a, other)

    def __truediv__(self, other: Any) -> Enclosure:
        return self._apply(lambda a, b: a / b, other)

    def __rtruediv__(self, other: Any) -> Enclosure:
        return self._apply(lambda a, b: b / a, other)

    def __pow__(self, other: Any) -> Enclosure:
        if isinstance(other, int):
            return self._apply(lambda a: a**other)
        return self._apply(lambda a, b: a**b, other)

    def __rpow__(self, other: Any) -> Enclosure:
        return self._apply(lambda a, b: b**a, other)

    def __neg__(self) -> Enclosure:
        return Enclosure(_negative(self._upper), _negative(self._lower))

    def __pos__(self) -> Enclosure:
        return self

    def __abs__(self) -> Enclosure:
        if self._lower >= 0:
            return self
        if self._upper <= 0:
            return -self
        return Enclosure(mpmath.mpf(0), max(_negative(self._lower), self._upper))

    def exp(self) -> Enclosure:
        """Return the exponential."""
        return self._apply(lambda a: a.exp())

    def log(self) -> Enclosure:
        """Return the natural logarithm; the enclosure must be positive."""
        return self._apply(lambda a: a.log())

    def sqrt(self) -> Enclosure:
        """Return the square root; the enclosure must not be negative."""
        return self._apply(lambda a: a.sqrt())


def _pair(value: Any) -> Any:
    """Return an mpf as mantissa and exponent, or as a float if it is infinite."""
    if mpmath.isinf(value):
        return float(value)
    sign, mantissa, exponent, _ = value._mpf_
    return (-int(mantissa) if sign else int(mantissa), int(exponent))


def _rebuild(*pairs: Any) -> Enclosure:
    lib = mpmath.libmp
    ends = [
        mpmath.mpf(pair) if isinstance(pair, float) else mpmath.mp.make_mpf(lib.from_man_exp(*pair))
        for pair in pairs
    ]
    return Enclosure(*ends)


def _end(name: str, value: Any, up: bool) -> Any:
    """Return a bound as an mpf, rounded outwards if it is no binary number."""
    if isinstance(value, mpmath.mpf):
        if mpmath.isnan(value):
            message = f"{name} must be a number, got {value}"
            raise ValueError(message)
        return value
    exact = _validation.rational(name, value)
    bits = max(_LEAST_BITS, exact.numerator.bit_length() + 8)
    lib = mpmath.libmp
    rounding = lib.round_ceiling if up else lib.round_floor
    return mpmath.mp.make_mpf(lib.from_rational(exact.numerator, exact.denominator, bits, rounding))


def _negative(value: Any) -> Any:
    """Return ``-value`` without the rounding that mpmath's own minus does."""
    return mpmath.mp.make_mpf(mpmath.libmp.mpf_neg(value._mpf_))


def _half(a: Any, b: Any, sign: int) -> Any:
    """Return ``(a + sign b)/2`` without rounding."""
    lib = mpmath.libmp
    total = lib.mpf_add(a._mpf_, b._mpf_ if sign > 0 else lib.mpf_neg(b._mpf_))
    return mpmath.mp.make_mpf(lib.mpf_shift(total, -1))


def _magnitude(value: Any) -> int:
    """Return e for which ``|value| / 2^e`` is in [1/2, 1), of an mpf; very low for 0."""
    _, mantissa, exponent, bits = value._mpf_
    return int(exponent) + int(bits) if mantissa else -(1 << 62)


def _shifted(value: Any, bits: int) -> Any:
    """Return ``value 2^bits``, exactly."""
    return mpmath.mp.make_mpf(mpmath.libmp.mpf_shift(value._mpf_, bits))


def _order(end: Any, exact: Fraction) -> int:
    """Return the sign of ``end - exact``, without the power of 2 that an mpf may be."""
    if mpmath.isinf(end):
        return 1 if end > 0 else -1
    lib = mpmath.libmp
    product = lib.mpf_mul(end._mpf_, lib.from_int(exact.denominator))
    return int(lib.mpf_cmp(product, lib.from_int(exact.numerator)))


def _decimal(value: Any, digits: int) -> str:
    """Return an mpf rounded to so many digits."""
    return str(mpmath.libmp.to_str(value._mpf_, digits, strip_zeros=False))


def _operand(value: Any) -> Any:
    if isinstance(value, Enclosure):
        return value
    return _validation.rational("operand", value)


def _enclosure(value: Any) -> Enclosure:
    if isinstance(value, Enclosure):
        return value
    if isinstance(value, float) and math.isinf(value):
        return Enclosure(mpmath.mpf(value), mpmath.mpf(value))
    exact = _validation.rational("operand", value)
    return Enclosure(exact, exact)


def _decided(holds: bool, fails: bool, left: Enclosure, relation: str, right: Enclosure) -> bool:
    if holds or fails:
        return bool(holds)
    message = f"undecided: {left!r} {relation} {right!r}; ask for more digits"
    raise CertificationError(message)
