"""The one place where arguments are checked, before any compiled code runs.

Every error names the argument, the offending value and what is allowed. The compiled core assumes
that what reaches it is valid.
"""

from __future__ import annotations

import difflib
import math
import re
import sys
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fracmoment._typing import ComplexArray, FloatArray, IntArray, ObjectArray

MAX_WIDTH = 2**40
MAX_DIGITS = 1000
MAX_ORDER = 2.0**30  # in magnitude; moments of such orders are of no use, and leave every range
MIN_KEEP_PROB = 1e-200  # the parts of a double-double below its first need room
# Bounds on exact inputs, so that a hostile string such as "1e999999999" costs nothing.
_MAX_TEXT = 4000
_MAX_EXPONENT = 5000

_RATIONAL_TEXT = re.compile(
    r"\s*[+-]?(?:\d+\s*/\s*\d+|(?:\d+\.?\d*|\.\d+)(?:[eE](?P<exponent>[+-]?\d{1,9}))?)\s*\Z",
    re.ASCII,
)


def shown(value: object) -> str:
    """Return a short form, on one line, of an offending value for a message."""
    try:
        text = " ".join((str(value) if isinstance(value, Fraction) else repr(value)).split())
    except ValueError:  # an integer of more digits than Python converts
        return f"a {type(value).__name__} of thousands of digits"
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text)} characters)"


def _refuse(name: str, value: object, allowed: str) -> ValueError:
    return ValueError(f"{name} must be {allowed}, got {shown(value)}")


def _refuse_type(name: str, value: object, allowed: str) -> TypeError:
    return TypeError(f"{name} must be {allowed}, got {shown(value)} of type {type(value).__name__}")


def _offender(values: Any, bad: Any) -> object:
    """Return the first element of ``values`` where ``bad`` is true."""
    values, bad = np.broadcast_arrays(values, bad)
    element = values[bad].flat[0]
    return element.item() if isinstance(element, np.generic) else element


def is_array_like(value: object) -> bool:
    """Return whether ``value`` is a sequence or array of parameters rather than one parameter."""
    if isinstance(value, (float, int, str, Fraction, complex, bytes)):
        return False
    return isinstance(value, (np.ndarray, list, tuple, range)) or hasattr(value, "__array__")


# ---------------------------------------------------------------- names and flags


def choice(name: str, value: object, known: Iterable[str]) -> str:
    """Return ``value`` if it is one of the known names; the error suggests the closest one."""
    names = tuple(known)
    if isinstance(value, str):
        if value in names:
            return value
        close = difflib.get_close_matches(value.lower(), names, n=1, cutoff=0.5)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        listed = ", ".join(repr(n) for n in names)
        message = f"{name} must be one of {listed}, got {shown(value)}{hint}"
        raise ValueError(message)
    raise _refuse_type(name, value, f"one of {', '.join(repr(n) for n in names)}")


def flag(name: str, value: object) -> bool:
    """Return ``value`` as a bool; only True and False are accepted."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise _refuse_type(name, value, "True or False")


# ---------------------------------------------------------------- integers


def integer(name: str, value: Any, lowest: int, highest: int) -> int:
    """Return ``value`` as an int in [lowest, highest]."""
    allowed = f"an integer in [{lowest}, {highest}]"
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise _refuse_type(name, value, allowed)
    number = int(value)
    if not lowest <= number <= highest:
        raise _refuse(name, number, allowed)
    return number


def digits(value: Any) -> int:
    """Return a number of decimal digits."""
    return integer("digits", value, 1, MAX_DIGITS)


def depth(value: Any) -> int:
    """Return a number of layers."""
    return integer("depth", value, 1, MAX_WIDTH)


def width(value: Any, name: str = "width") -> int | IntArray:
    """Return a layer width, or a read-only int64 array of widths."""
    return integers(name, value, 1, MAX_WIDTH)


def integers(
    name: str, value: Any, lowest: int, highest: int, *, copy: bool = True
) -> int | IntArray:
    """Return integers in [lowest, highest]: an int, or a read-only int64 array.

    Without ``copy`` an int64 array is returned as it is, writable or not.
    """
    if type(value) is int and lowest <= value <= highest:
        return value
    if not is_array_like(value):
        return integer(name, value, lowest, highest)
    array = _array(name, value)
    if array.ndim == 0:
        return integer(name, array[()], lowest, highest)
    if array.size == 0 and array.dtype.kind == "f":  # what NumPy makes of an empty list
        array = array.astype(np.int64)
    allowed = f"integers in [{lowest}, {highest}]"
    if array.dtype.kind not in "iu":
        raise _refuse_type(name, value, allowed)
    if array.size and not (array.min() >= lowest and array.max() <= highest):
        raise _refuse(name, _offender(array, (array < lowest) | (array > highest)), allowed)
    result: IntArray = array.astype(np.int64, copy=copy)
    if copy:
        result.flags.writeable = False
    return result


# ---------------------------------------------------------------- real numbers


def rational(name: str, value: Any) -> Fraction:
    """Return one finite real parameter exactly."""
    if isinstance(value, (bool, np.bool_)):
        raise _refuse_type(name, value, "a real number")
    if isinstance(value, Fraction):
        if max(value.numerator.bit_length(), value.denominator.bit_length()) > 4 * _MAX_EXPONENT:
            raise _refuse(name, value, "a rational of moderate size")
        return value
    if isinstance(value, (int, np.integer)):
        return rational(name, Fraction(int(value)))
    if isinstance(value, (float, np.floating)):
        if not math.isfinite(value):
            raise _refuse(name, float(value), "finite")
        return Fraction(*value.as_integer_ratio())
    if isinstance(value, str):
        match = _RATIONAL_TEXT.match(value) if len(value) <= _MAX_TEXT else None
        if match is None or abs(int(match["exponent"] or 0)) > _MAX_EXPONENT:
            allowed = 'a finite number, as text for example "0.1", "1e-3" or "1/3"'
            raise _refuse(name, value, allowed)
        try:
            return Fraction(value.replace(" ", ""))
        except (ZeroDivisionError, ValueError):
            raise _refuse(name, value, 'a finite number such as "0.1" or "1/3"') from None
    parts = getattr(value, "_mpf_", None)  # mpmath.mpf, without importing mpmath here
    if parts is not None:
        sign, mantissa, exponent, _ = parts
        if not mantissa:
            if exponent:  # infinities and NaN
                raise _refuse(name, value, "finite")
            return Fraction(0)
        if abs(exponent) > 4 * _MAX_EXPONENT:
            raise _refuse(name, value, "a number of moderate size")
        exact = Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
        return -exact if sign else exact
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return rational(name, value[()])
    raise _refuse_type(name, value, "a real number (float, int, str, Fraction or mpmath.mpf)")


def _finite(name: str, value: float) -> float:
    if math.isfinite(value):
        return float(value)
    raise _refuse(name, float(value), "finite")


def as_float(name: str, value: Any) -> float:
    """Return one finite real parameter rounded to the nearest double."""
    if isinstance(value, float):
        return _finite(name, value)
    if type(value) is int and abs(value) <= 2**53:
        return float(value)
    exact = rational(name, value)
    try:
        return float(exact)
    except OverflowError:
        raise _refuse(name, value, "a number within the range of a double") from None


def canonical(name: str, value: Any) -> float | Fraction | FloatArray | ObjectArray:
    """Return a real parameter, or a read-only array of them, without losing anything.

    A scalar becomes a float when it is one exactly and a Fraction otherwise. An array becomes
    float64, or an object array of such scalars if it was one of objects or strings.
    """
    if isinstance(value, float):
        return _finite(name, value)
    if not is_array_like(value):
        exact = rational(name, value)
        try:
            rounded = float(exact)
        except OverflowError:
            raise _refuse(name, value, "a number within the range of a double") from None
        return rounded if rational(name, rounded) == exact else exact
    array = _plain_array(name, value)
    result: FloatArray | ObjectArray
    if array.ndim == 0:
        return canonical(name, array.item())
    if array.dtype.kind in "OU":
        result = np.empty(array.shape, dtype=object)
        flat = result.reshape(-1)
        for index, element in enumerate(array.flat):
            flat[index] = canonical(name, element)
    else:
        result = _finite_floats(name, array).copy()
    result.flags.writeable = False
    return result


def slope(name: str, value: Any) -> Any:
    """Return the slope of an activation's negative side as `canonical` does.

    Only its square matters, and squares outside 1e-200 to 1e200 would leave the range of doubles.
    """
    result = canonical(name, value)
    size = np.abs(np.asarray(result, dtype=np.float64))
    good = (size == 0.0) | ((size >= 1e-100) & (size <= 1e100))
    require(name, np.asarray(value), good, "0 or of magnitude 1e-100 to 1e100")
    return result


def _array(name: str, value: Any) -> Any:
    """Return ``value`` as an array."""
    if np.ma.isMaskedArray(value):  # its mask would be lost
        raise _refuse_type(name, value, "a number or an array without a mask")
    try:
        return np.asarray(value)
    except ValueError:
        raise _refuse_type(name, value, "a number or a rectangular array of numbers") from None


def _plain_array(name: str, value: Any) -> Any:
    """Return ``value`` as an array of a kind that can hold real parameters."""
    array = _array(name, value)
    if array.dtype.kind not in "fiuOU":
        raise _refuse_type(name, value, "a real number or an array of real numbers")
    return array


def _finite_floats(name: str, array: Any) -> FloatArray:
    result: FloatArray = array.astype(np.float64, copy=False)
    finite = np.isfinite(result)
    if not finite.all():
        raise _refuse(name, _offender(array, ~finite), "finite")
    return result


def floats(name: str, value: Any) -> float | FloatArray:
    """Return a real parameter rounded to double: a float, or a float64 array."""
    if isinstance(value, float):
        return _finite(name, value)
    if not is_array_like(value):
        return as_float(name, value)
    array = _plain_array(name, value)
    if array.ndim == 0:
        return as_float(name, array.item())
    if array.dtype.kind in "OU":
        entries = [as_float(name, element) for element in array.flat]
        numbers: FloatArray = np.array(entries, dtype=np.float64).reshape(array.shape)
        return numbers
    return _finite_floats(name, array)


def real_line(name: str, value: Any) -> float | FloatArray:
    """Return a parameter as `floats` does, infinities allowed: logarithms of norms that are 0."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return floats(name, value)
    require(name, array, ~np.isnan(array), "a number")
    return float(array) if array.ndim == 0 else array


def _is_complex(value: Any) -> bool:
    """Return whether a scalar is of a complex type: Python's, NumPy's or mpmath.mpc."""
    return isinstance(value, (complex, np.complexfloating)) or hasattr(value, "_mpc_")


def complex_parts(name: str, value: Any) -> tuple[Any, Any] | None:
    """Return real and imaginary part of a complex parameter as `canonical` does; None if real."""
    if isinstance(value, (float, int, str, Fraction)):
        return None
    if _is_complex(value):
        return canonical(name, value.real), canonical(name, value.imag)
    if not is_array_like(value):
        return None
    array = _array(name, value)
    if array.ndim == 0:
        return complex_parts(name, array.item())
    if array.dtype.kind != "c" and not any(_is_complex(entry) for entry in array.flat):
        return None
    real, imaginary = (np.empty(array.shape, dtype=object) for _ in range(2))
    for index, entry in enumerate(array.flat):
        is_complex = _is_complex(entry)
        real.flat[index] = entry.real if is_complex else entry
        imaginary.flat[index] = entry.imag if is_complex else 0.0
    return canonical(name, real), canonical(name, imaginary)


def complex_or_floats(name: str, value: Any) -> Any:
    """Return a real or complex parameter: a float or complex, or an array of them."""
    if hasattr(value, "_mpc_"):
        value = complex(as_float(name, value.real), as_float(name, value.imag))
    if isinstance(value, (complex, np.complexfloating)) and not isinstance(value, float):
        number = complex(value)
        if not (math.isfinite(number.real) and math.isfinite(number.imag)):
            raise _refuse(name, number, "finite")
        return number
    if is_array_like(value):
        array = _array(name, value)
        if array.dtype.kind == "c":
            if array.ndim == 0:
                return complex_or_floats(name, array.item())
            result: ComplexArray = array.astype(np.complex128, copy=False)
            bad = ~np.isfinite(result)
            if bad.any():
                raise _refuse(name, _offender(result, bad), "finite")
            return result
    return floats(name, value)


def require(name: str, values: Any, good: Any, allowed: str) -> None:
    """Raise ValueError unless ``good`` (a bool or an array of them) holds everywhere."""
    if good is True or good is np.True_:
        return
    if np.all(good):
        return
    offender = values if np.ndim(good) == 0 and not is_array_like(values) else None
    if offender is None:
        offender = _offender(np.asarray(values), ~np.asarray(good))
    raise _refuse(name, offender, allowed)


def positive(name: str, value: Any) -> float | FloatArray:
    """Return a finite real parameter that is > 0."""
    result = floats(name, value)
    smallest = result if isinstance(result, float) else np.min(result, initial=np.inf)
    if smallest <= 0:
        require(name, result, result > 0, "> 0")
    return result


def probability(name: str, value: Any) -> float | FloatArray:
    """Return a real parameter in [0, 1]."""
    result = floats(name, value)
    if isinstance(result, float):
        require(name, result, 0 <= result <= 1, "in [0, 1]")
    elif np.min(result, initial=0.0) < 0 or np.max(result, initial=1.0) > 1:
        require(name, result, (result >= 0) & (result <= 1), "in [0, 1]")
    return result


def keep_prob(value: Any) -> float | Fraction | FloatArray | ObjectArray:
    """Return a keep probability, exactly, in (0, 1]; its reciprocal must be a double."""
    if type(value) is float and MIN_KEEP_PROB <= value <= 1.0:
        return value
    result = canonical("keep_prob", value)
    rounded = np.asarray(floats("keep_prob", result))
    good = (rounded >= MIN_KEEP_PROB) & (np.asarray(result) <= 1)
    require("keep_prob", result, good, f"in (0, 1] and at least {MIN_KEEP_PROB:g}")
    return result


def degrees(name: str, value: Any) -> None:
    """Check degrees of freedom and parameters of Beta variables, a number or an array."""
    good = (value >= 1e-300) & (value <= MAX_WIDTH)
    require(name, value, good, "> 0, at least 1e-300 and at most 2**40")


def order_size(order: Any) -> None:
    """Check that an order is no larger in magnitude than any use there is for it."""
    for part in (order.real, order.imag) if np.iscomplexobj(order) else (order,):
        require("order", part, abs(part) <= MAX_ORDER, "of magnitude at most 2**30")


def order_domain(order: Any, edge: Any, *, allow_zero: bool = False, hint: str = "") -> None:
    """Check that the real part of an order is above ``edge``, the open end of the law's domain."""
    real = order.real if isinstance(order, (complex, np.ndarray)) else order
    good = (real > edge) | (real == 0) if allow_zero else real > edge
    if np.all(good):
        order_size(order)
        return
    end = float(np.broadcast_to(edge, np.shape(good))[~np.asarray(good)].flat[0])
    relation = ">=" if allow_zero and end == 0 else ">"
    part = "have a real part" if np.iscomplexobj(order) else "be"
    value = shown(_offender(order, ~np.asarray(good)))
    message = f"order must {part} {relation} {end:g} {hint}".rstrip() + f", got {value}"
    raise ValueError(message)


def generator(rng: Any) -> np.random.Generator:
    """Return a NumPy generator from None, a seed or a generator."""
    if isinstance(rng, np.random.Generator):
        return rng
    if rng is None:
        return np.random.default_rng()
    if isinstance(rng, np.random.RandomState):
        raise _refuse_type("rng", rng, "None, a seed or a numpy.random.Generator")
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError):
        allowed = "None, a seed >= 0 or a numpy.random.Generator"
        raise _refuse_type("rng", rng, allowed) from None


def sample_shape(size: Any) -> tuple[int, ...]:
    """Return the shape of a sample from an int or a tuple of ints."""
    entries = size if isinstance(size, (tuple, list)) else (size,)
    return tuple(integer("size", entry, 0, sys.maxsize) for entry in entries)
