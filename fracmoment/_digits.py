"""The any-precision route: exact rationals in, `mpmath.mpf` or `mpmath.mpc` out.

mpmath is imported on the first use only: the float route does without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _core, _validation

if TYPE_CHECKING:
    from collections.abc import Callable

    from fracmoment._typing import Result


def text(value: float | Fraction) -> str:
    """Return an exact scalar parameter as ``"numerator/denominator"``."""
    if isinstance(value, float):
        numerator, denominator = value.as_integer_ratio()
        return f"{numerator}/{denominator}"
    exact = Fraction(value)
    return f"{exact.numerator}/{exact.denominator}"


def to_mpf(mantissa: str, exponent: int) -> Any:
    """Return ``mantissa * 2**exponent`` (mantissa in hexadecimal) as an mpf, without rounding."""
    import mpmath

    return mpmath.mp.make_mpf(mpmath.libmp.from_man_exp(int(mantissa, 16), exponent))


@dataclass(frozen=True)
class ExactLaw:
    """One gain law with exact parameters, and whether its moments are conditional on R > 0."""

    width: int
    lower: float | Fraction
    upper: float | Fraction
    keep_prob: float | Fraction
    inverted: bool
    orthogonal: bool
    given_alive: bool = False

    def evaluate(self, quantity: str, order: float | Fraction, digits: int) -> Any:
        """Return one quantity, correct to ``digits`` decimal digits."""
        return to_mpf(*_core.digits_evaluate(quantity, *self._row(), text(order), digits))

    def complex_moment(
        self, order: float | Fraction, imaginary: float | Fraction, digits: int
    ) -> Any:
        """Return a moment of complex order, correct to ``digits`` digits of its modulus."""
        import mpmath

        parts = _core.digits_complex_moment(*self._row(), text(order), text(imaginary), digits)
        return mpmath.mp.make_mpc(tuple(to_mpf(*part)._mpf_ for part in parts))

    def _row(self) -> tuple[int, str, str, str, bool, bool, bool]:
        return (
            int(self.width),
            text(self.lower),
            text(self.upper),
            text(self.keep_prob),
            bool(self.inverted),
            bool(self.orthogonal),
            self.given_alive,
        )


def broadcast(function: Callable[..., Any], *arguments: Any) -> Result:
    """Apply ``function`` to exact parameters, element by element where some are arrays."""
    if not any(isinstance(argument, np.ndarray) for argument in arguments):
        return function(*arguments)
    columns = np.broadcast_arrays(*[np.asarray(argument) for argument in arguments])
    result = np.empty(columns[0].shape, dtype=object)
    rows = zip(*[column.flat for column in columns], strict=True)
    flat = result.reshape(-1)
    for index, row in enumerate(rows):
        flat[index] = function(*[_scalar(entry) for entry in row])
    return result


def _scalar(entry: Any) -> Any:
    return entry.item() if isinstance(entry, np.generic) else entry


def gamma_ratio(
    numerators: list[Fraction],
    denominators: list[Fraction],
    base: Fraction,
    exponent: Fraction,
    digits: int,
) -> Any:
    """Return ``base**exponent prod Gamma(numerators) / prod Gamma(denominators)``."""
    return to_mpf(
        *_core.digits_gamma_ratio(
            [text(x) for x in numerators],
            [text(x) for x in denominators],
            text(base),
            text(exponent),
            digits,
        )
    )


# The operations below take their precision as an argument. They leave mpmath's global precision
# alone, which other threads may be using.


def times_root(value: Any, square: Fraction, digits: int) -> Any:
    """Return ``value * sqrt(square)``, correct to ``digits`` digits if ``value`` is to more."""
    import mpmath

    lib, bits = mpmath.libmp, _bits(digits)
    root = lib.mpf_sqrt(lib.from_rational(square.numerator, square.denominator, bits), bits)
    return mpmath.mp.make_mpf(lib.mpf_mul(value._mpf_, root, bits))


def quotient(a: Any, b: Any, digits: int) -> Any:
    """Return ``a / b``, correct to ``digits`` digits if ``a`` and ``b`` are to more."""
    import mpmath

    return mpmath.mp.make_mpf(mpmath.libmp.mpf_div(a._mpf_, b._mpf_, _bits(digits)))


def variance(first: Any, second: Any, digits: int) -> Any:
    """Return ``second - first**2`` in the precision of ``digits`` digits."""
    import mpmath

    lib, bits = mpmath.libmp, _bits(digits)
    square = lib.mpf_mul(first._mpf_, first._mpf_)
    return mpmath.mp.make_mpf(lib.mpf_sub(second._mpf_, square, bits))


def exact(value: Any) -> Fraction:
    """Return an mpf as a Fraction."""
    return _validation.rational("value", value)


def _bits(digits: int) -> int:
    return digits * 3322 // 1000 + 16
