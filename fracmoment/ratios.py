"""Moments that are closed forms in gamma functions: chi, ratios of chi, Beta and F variables.

The degrees of freedom may be any real numbers from 1e-300 to 2**40 here. Every function has the
float route (NumPy broadcasting, error at most 1 ulp) and the route of any precision (``digits=n``).
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _core, _digits, _validation

if TYPE_CHECKING:
    from collections.abc import Callable

    from fracmoment._typing import Real, Result

__all__ = ["beta_moment", "chi_moment", "chi_ratio_moment", "f_moment"]


def chi_moment(width: Real, order: Real, *, digits: int | None = None) -> Result:
    """Return E chi_d^s, the moment of the norm of a standard normal vector.

    ``2^(s/2) Gamma((d + s)/2) / Gamma(d/2)`` for real ``d > 0`` and ``s > -d``.

    Parameters
    ----------
    width : array_like
        Degrees of freedom d > 0, any real number.
    order : array_like
        Order s > -d.
    digits : int, optional
        Return an `mpmath.mpf` correct to so many decimal digits; text, fractions and mpf are then
        taken exactly.

    Returns
    -------
    float, mpmath.mpf or ndarray

    Examples
    --------
    >>> chi_moment(3, 2)
    3.0
    >>> chi_moment([1, 2, 3], 4)
    array([ 3.,  8., 15.])
    """

    def exact(d: Fraction, s: Fraction, n: int) -> Any:
        return _digits.gamma_ratio([(d + s) / 2], [d / 2], Fraction(2), s / 2, n)

    def check(d: Any, s: Any) -> None:
        _validation.degrees("width", d)
        _between(s, -d, None, "-width", "")

    return _evaluate(_core.chi_moments, exact, check, digits, width=width, order=order)


def chi_ratio_moment(m: Real, n: Real, order: Real, *, digits: int | None = None) -> Result:
    """Return E (chi_m / chi_n)^s for independent chi variables.

    ``Gamma((m + s)/2) Gamma((n - s)/2) / (Gamma(m/2) Gamma(n/2))`` for ``-m < s < n``.

    Parameters
    ----------
    m, n : array_like
        Degrees of freedom > 0 of the numerator and the denominator.
    order : array_like
        Order s, -m < s < n.
    digits : int, optional
        Return an `mpmath.mpf` correct to so many decimal digits.

    Examples
    --------
    >>> chi_ratio_moment(3, 5, 2)
    1.0
    """

    def exact(m: Fraction, n: Fraction, s: Fraction, count: int) -> Any:
        above, below = [(m + s) / 2, (n - s) / 2], [m / 2, n / 2]
        return _digits.gamma_ratio(above, below, Fraction(1), Fraction(0), count)

    def check(m: Any, n: Any, s: Any) -> None:
        _validation.degrees("m", m)
        _validation.degrees("n", n)
        _between(s, -m, n, "-m", "n")

    return _evaluate(_core.chi_ratio_moments, exact, check, digits, m=m, n=n, order=order)


def beta_moment(a: Real, b: Real, order: Real, *, digits: int | None = None) -> Result:
    """Return E B^s for B ~ Beta(a, b).

    ``Gamma(a + s) Gamma(a + b) / (Gamma(a) Gamma(a + b + s))`` for ``s > -a``.

    Parameters
    ----------
    a, b : array_like
        Parameters > 0.
    order : array_like
        Order s > -a.
    digits : int, optional
        Return an `mpmath.mpf` correct to so many decimal digits.

    Examples
    --------
    >>> beta_moment(1, 3, 1)
    0.25
    """

    def exact(a: Fraction, b: Fraction, s: Fraction, count: int) -> Any:
        above, below = [a + s, a + b], [a, a + b + s]
        return _digits.gamma_ratio(above, below, Fraction(1), Fraction(0), count)

    def check(a: Any, b: Any, s: Any) -> None:
        _validation.degrees("a", a)
        _validation.degrees("b", b)
        _between(s, -a, None, "-a", "")

    return _evaluate(_core.beta_moments, exact, check, digits, a=a, b=b, order=order)


def f_moment(m: Real, n: Real, order: Real, *, digits: int | None = None) -> Result:
    """Return E F^s for F = (chi_m^2 / m) / (chi_n^2 / n), the F distribution.

    ``(n/m)^s Gamma(m/2 + s) Gamma(n/2 - s) / (Gamma(m/2) Gamma(n/2))`` for ``-m/2 < s < n/2``.

    Parameters
    ----------
    m, n : array_like
        Degrees of freedom > 0.
    order : array_like
        Order s, -m/2 < s < n/2.
    digits : int, optional
        Return an `mpmath.mpf` correct to so many decimal digits.

    Examples
    --------
    >>> f_moment(7, 10, 1)
    1.25
    """

    def exact(m: Fraction, n: Fraction, s: Fraction, count: int) -> Any:
        above, below = [m / 2 + s, n / 2 - s], [m / 2, n / 2]
        return _digits.gamma_ratio(above, below, n / m, s, count)

    def check(m: Any, n: Any, s: Any) -> None:
        _validation.degrees("m", m)
        _validation.degrees("n", n)
        _between(s, -m / 2, n / 2, "-m/2", "n/2")

    return _evaluate(_core.f_moments, exact, check, digits, m=m, n=n, order=order)


def _evaluate(
    function: Callable[..., Any],
    exact: Callable[..., Any],
    check: Callable[..., None],
    digits: int | None,
    **arguments: Any,
) -> Result:
    """Validate, then evaluate by the core's array function or exactly."""
    if digits is not None:
        count = _validation.digits(digits)
        given = [_validation.canonical(name, value) for name, value in arguments.items()]
        check(*_broadcast(arguments, given))

        def one(*row: Any) -> Any:
            return exact(*[Fraction(entry) for entry in row], count)

        return _digits.broadcast(one, *given)
    columns = [_validation.floats(name, value) for name, value in arguments.items()]
    columns = _broadcast(arguments, columns)
    check(*columns)
    flat = [np.ascontiguousarray(column, dtype=np.float64).reshape(-1) for column in columns]
    result = function(*flat)
    shape = np.shape(columns[0])
    return float(result[0]) if shape == () else result.reshape(shape)


def _broadcast(arguments: dict[str, Any], columns: list[Any]) -> list[Any]:
    if not any(isinstance(column, np.ndarray) for column in columns):
        return columns
    try:
        return list(np.broadcast_arrays(*columns))
    except ValueError:
        shapes = ", ".join(
            f"{name} {np.shape(column)}" for name, column in zip(arguments, columns, strict=True)
        )
        message = f"{', '.join(arguments)} must broadcast together, got shapes {shapes}"
        raise ValueError(message) from None


def _between(order: Any, lowest: Any, highest: Any, low_name: str, high_name: str) -> None:
    """Check an order against the open ends of its domain."""
    _validation.order_size(order)
    good, allowed = order > lowest, f"> {low_name}"
    if highest is not None:
        good, allowed = good & (order < highest), f"in ({low_name}, {high_name})"
    if np.all(good):
        return
    wrong = ~np.asarray(good)
    low = np.broadcast_to(lowest, np.shape(good))[wrong].flat[0]
    ends = f"{float(low):g}"
    if highest is not None:
        ends += f" and {float(np.broadcast_to(highest, np.shape(good))[wrong].flat[0]):g}"
    _validation.require("order", order, good, f"{allowed}, here {ends}")
