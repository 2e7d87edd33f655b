"""Certificates: a constant with everything needed to derive it again, as JSON.

The claim is an interval: with ``n = max(64, 3.322 digits + 4)`` and ``m 2^e`` the number of n bits
nearest to the constant, the end points are ``(m - 1) 2^e`` and ``(m + 1) 2^e``. They follow from
the exact value alone: whoever computes the constant sharply enough, by any method, finds the same
end points, and any other interval is not the claim. docs/certificates.md describes the fields.
"""

from __future__ import annotations

import decimal
import hashlib
import json
import re
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import flint
import mpmath

from fracmoment import _validation
from fracmoment._core import __version__
from fracmoment.activations import Activation, LeakyReLU, Linear, RandomizedLeakyReLU, ReLU
from fracmoment.certified import laws
from fracmoment.certified.laws import Law
from fracmoment.certified.precision import CertificationError
from fracmoment.certified.quantities import enclose, tail_index
from fracmoment.gains import Gain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fracmoment.certified.enclosure import Enclosure

__all__ = ["QUANTITIES", "Verdict", "check_certificate", "make_certificate", "parse_certificate"]

FORMAT = "fracmoment certificate"
VERSION = "1"
QUANTITIES = ("scale", "moment", "log_mean", "log_var", "cumulant", "tail_index")
MAX_DIGITS = 1000
MAX_WIDTH = 10**6
# Where slopes come close to 0 the integral of the stand-alone checker becomes long next to the edge
# of the domain of orders.
EDGE_GAP = Fraction(1, 4)
MIN_ORDER, MAX_ORDER = Fraction(-128), Fraction(128)
MAX_EXPONENT = 999_999

_NAMES: dict[str, type[Activation]] = {
    "linear": Linear,
    "relu": ReLU,
    "leaky_relu": LeakyReLU,
    "rrelu": RandomizedLeakyReLU,
}
_LAW_FIELDS = frozenset(
    ("activation", "width", "lower_slope", "upper_slope", "keep_prob", "inverted_dropout")
) | {"weights"}
# Beside these a certificate has the order, or for tail indices the scale sigma.
_INPUT_FIELDS = ("quantity", "law", "given_alive", "digits")
_CLAIM_FIELDS = ("precision", "lower", "upper", "decimal")
_FIELDS = frozenset(("format", "version", *_INPUT_FIELDS, *_CLAIM_FIELDS)) | {
    "method",
    "versions",
    "sha256",
}
_FRACTION = re.compile(r"-?\d{1,400}(/\d{1,400})?\Z", re.ASCII)
_HEXADECIMAL = re.compile(r"(-?0x[0-9a-f]{1,1000})p([+-]\d{1,6})\Z")
# Digits beyond the claim with which to derive it: a constant may be near the middle of two numbers.
_GUARDS = (10, 30, 90)


@dataclass(frozen=True)
class Verdict:
    """Whether a certificate is accepted, and the reason if it is not."""

    accepted: bool
    reason: str = ""


class _RejectedError(ValueError):
    """What is wrong with a certificate."""


def make_certificate(
    gain: Gain,
    order: Any = 0,
    *,
    quantity: str = "scale",
    digits: int = 30,
    given_alive: bool = False,
    sigma: Any = None,
) -> dict[str, Any]:
    """Return a certificate of a constant as a dictionary of JSON values.

    Parameters
    ----------
    gain : Gain
        A gain of scalar parameters, which are taken exactly; of width at most 10^6.
    order : float, str, int, Fraction or mpmath.mpf, optional
        Order of the moment or scale, exactly, in [-128, 128] and above -1 for laws with an atom at
        0, above minus the width for others; by at least 1/4 where slopes are drawn around 0. The
        number 3 to 8 of a cumulant; 0 for the logarithms and the tail index.
    quantity : {"scale", "moment", "log_mean", "log_var", "cumulant", "tail_index"}, optional
        The constant: that of the function of `certified` of this name.
    digits : int, optional
        Significant decimal digits, 1 to 1,000.
    given_alive : bool, optional
        Whether the moment or scale is that given R > 0. Order 0 and cumulants always are.
    sigma : float, str, int, Fraction or mpmath.mpf, optional
        Scale of the weights, exactly, for the tail index and nothing else. Tail indices above 128
        have no certificate, and none that are 0 or infinite.

    Raises
    ------
    ValueError
        For inputs outside of these ranges.
    CertificationError
        If the constant is 0 or cannot be proved sharply enough.

    Examples
    --------
    >>> import fracmoment as fm
    >>> certificate = make_certificate(fm.Gain("linear", 4), 2, digits=20)
    >>> certificate["decimal"], certificate["lower"], certificate["upper"]
    ('0.5', '0x1fffffffffffffffffp-70', '0x200000000000000001p-70')
    >>> check_certificate(certificate)
    Verdict(accepted=True, reason='')
    >>> make_certificate(fm.Gain("linear", 2), quantity="tail_index", sigma="0.7")["decimal"]
    '2.09666099363834977558963762599'
    """
    inputs = {
        "quantity": _validation.choice("quantity", quantity, QUANTITIES),
        "law": _law_data(gain),
        "given_alive": _validation.flag("given_alive", given_alive),
        "digits": _validation.integer("digits", digits, 1, MAX_DIGITS),
        **_argument(quantity, order, sigma),
    }
    inputs["given_alive"] = _given_alive(gain, inputs)
    claim = _claim(gain, inputs)
    data = {
        "format": FORMAT,
        "version": VERSION,
        **inputs,
        **claim,
        "method": "ball arithmetic: fracmoment.certified",
        "versions": {
            "fracmoment": __version__,
            "python-flint": flint.__version__,
            "flint": flint.__FLINT_VERSION__,
        },
    }
    return data | {"sha256": _digest(data)}


def check_certificate(data: Any) -> Verdict:
    """Derive the constant of a certificate again and compare.

    Parameters
    ----------
    data : dict
        What `make_certificate` or `parse_certificate` returned. Anything else is rejected.

    Returns
    -------
    Verdict
        The reason names what is wrong: a field, the digest, a value outside of the claimed
        interval, an interval wider or narrower than the claim demands, a decimal digit.

    Examples
    --------
    >>> import fracmoment as fm
    >>> certificate = make_certificate(fm.Gain("relu", 64), "1/2", digits=25)
    >>> certificate["law"]["width"] = 65
    >>> check_certificate(certificate).reason
    'the digest is wrong: the certificate was changed after it was made'
    """
    try:
        _check(data)
    except (ValueError, TypeError, ArithmeticError) as error:
        return Verdict(accepted=False, reason=" ".join(str(error).split()))
    return Verdict(accepted=True)


def parse_certificate(text: str) -> Any:
    """Return the data of a certificate's text; a field must not occur twice.

    Raises
    ------
    ValueError
        If the text is no JSON.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict(pairs)
        if len(fields) != len(pairs):
            raise _RejectedError("a field occurs twice")
        return fields

    try:
        return json.loads(text, object_pairs_hook=unique)
    except RecursionError:
        raise _RejectedError("the text is nested too deeply") from None


def _digest(data: Mapping[str, Any]) -> str:
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


# ---------------------------------------------------------------- the law


def _law_data(gain: Gain) -> dict[str, Any]:
    """Return the one description of a law: parameters that do not matter have one value."""
    if gain.shape != ():
        message = f"gain must have scalar parameters, got an array of shape {gain.shape}"
        raise ValueError(message)
    lower, upper = (Fraction(slope) for slope in gain.activation.exact_slopes)
    if abs(lower) > upper:
        lower, upper = -upper, -lower  # only the size of a slope matters
    return {
        "activation": _activation_name(lower, upper),
        "width": _validation.integer("width", gain.width, 1, MAX_WIDTH),
        "lower_slope": str(lower),
        "upper_slope": str(upper),
        "keep_prob": str(Fraction(gain.keep_prob)),
        "inverted_dropout": gain.inverted_dropout or gain.keep_prob == 1,
        "weights": gain.weights,
    }


def _activation_name(lower: Fraction, upper: Fraction) -> str:
    """Return the one name under which slopes are certified."""
    if lower != upper:
        return "rrelu"
    return {Fraction(0): "relu", Fraction(1): "linear"}.get(upper, "leaky_relu")


def _gain(data: Any) -> Gain:
    """Return the gain that a certificate describes; it must describe it as `_law_data` does."""
    if not isinstance(data, dict) or data.keys() != _LAW_FIELDS:
        message = f"law must have the fields {', '.join(sorted(_LAW_FIELDS))}"
        raise _RejectedError(message)
    name = _validation.choice("activation", data["activation"], _NAMES)
    lower, upper = (_fraction(data, key) for key in ("lower_slope", "upper_slope"))
    activation: Activation
    if name == "leaky_relu":
        activation = LeakyReLU(lower)
    elif name == "rrelu":
        activation = RandomizedLeakyReLU(lower, upper)
    else:
        activation = _NAMES[name]()
    gain = Gain(
        activation,
        data["width"],
        keep_prob=_fraction(data, "keep_prob"),
        inverted_dropout=data["inverted_dropout"],
        weights=data["weights"],
    )
    expected = _law_data(gain)
    for key, value in expected.items():
        if data[key] != value or type(data[key]) is not type(value):
            message = f"law: {key} must be {value!r} for {name}, got {str(data[key])[:40]!r}"
            raise _RejectedError(message)
    return gain


def _argument(quantity: str, order: Any, sigma: Any) -> dict[str, str]:
    """Return the field of the order, or of sigma for tail indices."""
    exact = _validation.rational("order", order)
    if quantity != "tail_index":
        if sigma is not None:
            message = f"sigma is for tail_index only, got {sigma!r} for {quantity}"
            raise ValueError(message)
        return {"order": str(exact)}
    if sigma is None or exact != 0:
        message = f"tail_index needs sigma and no order, got sigma={sigma!r}, order={order!r}"
        raise ValueError(message)
    return {"sigma": str(_validation.rational("sigma", sigma))}


def _given_alive(gain: Gain, inputs: Mapping[str, Any]) -> bool:
    """Return the one value of the condition R > 0.

    True for order 0 and cumulants, false for tail indices and where it is empty.
    """
    if "sigma" in inputs:
        return False
    if inputs["order"] == "0" or inputs["quantity"] == "cumulant":
        return True
    return bool(inputs["given_alive"] and Law.of(gain).has_atom)


def _fraction(data: Mapping[str, Any], key: str) -> Fraction:
    text = data[key]
    if not isinstance(text, str) or not _FRACTION.match(text) or str(Fraction(text)) != text:
        message = f"{key} must be the text of a fraction in lowest terms, got {str(text)[:40]!r}"
        raise _RejectedError(message)
    return Fraction(text)


# ---------------------------------------------------------------- the claim


def _enclose(gain: Gain, inputs: Mapping[str, Any], digits: int) -> Enclosure:
    """Return an enclosure of the constant."""
    quantity, alive, law = inputs["quantity"], inputs["given_alive"], Law.of(gain)
    if quantity == "tail_index":
        return _tail_index(gain, Fraction(inputs["sigma"]), digits)
    order = Fraction(inputs["order"])
    if quantity in ("scale", "moment") and order != 0:
        _require_order(law, order, alive)
        function = laws.scale if quantity == "scale" else laws.moment
        return enclose(partial(function, law, order, alive), law, digits, quantity)
    if quantity == "moment":
        raise _RejectedError("the moment of order 0 is trivial")
    if quantity == "cumulant":
        if order not in range(3, 9):
            message = f"order of a cumulant must be an integer from 3 to 8, got {order}"
            raise _RejectedError(message)
        return enclose(lambda: laws.log_cumulants(law, int(order))[-1], law, digits, quantity)
    if order != 0:
        message = f"{quantity} has order 0 and is given R > 0, got order {order}"
        raise _RejectedError(message)
    if quantity == "scale":
        return enclose(partial(laws.scale, law, 0, given_alive=True), law, digits, quantity)
    logarithm = laws.log_mean if quantity == "log_mean" else laws.log_var
    return enclose(partial(logarithm, law), law, digits, quantity)


def _tail_index(gain: Gain, sigma: Fraction, digits: int) -> Enclosure:
    """Return an enclosure of a tail index that both checkers can confirm."""
    _validation.require("sigma", sigma, sigma > 0, "> 0")
    value = tail_index(gain, sigma, digits=digits)
    if value.is_exact():
        message = f"the tail index is {value}, which has no certificate"
        raise CertificationError(message)
    if not value <= MAX_ORDER:
        message = f"the tail index is {value}, above {MAX_ORDER}: such have no certificate"
        raise CertificationError(message)
    return value


def _require_order(law: Law, order: Fraction, given_alive: bool) -> None:
    """Refuse orders outside of the domain, or that the stand-alone checker does not serve."""
    if law.has_atom and order < 0 and not given_alive:
        message = f"order must be positive unless given_alive is true, got {order}"
        raise _RejectedError(message)
    edge = Fraction(-1 if law.has_atom else -law.width)
    lowest = max(MIN_ORDER, edge + (EDGE_GAP if law.vanishing else 0))
    if not lowest <= order <= MAX_ORDER or order == edge:
        bracket = "(" if lowest == edge else "["
        message = f"order must be in {bracket}{lowest}, {MAX_ORDER}] for this law, got {order}"
        raise _RejectedError(message)


def _claim(gain: Gain, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the claim."""
    digits = inputs["digits"]
    bits = max(64, digits * 3322 // 1000 + 4)
    for guard in _GUARDS:
        value = _enclose(gain, inputs, bits * 302 // 1000 + 1 + guard)
        if value.mid and abs(mpmath.mag(value.mid)) > MAX_EXPONENT - bits:
            message = f"the constant is about {value}: too far from 1 for a certificate"
            raise CertificationError(message)
        ends = [
            _nearest(_validation.rational("bound", end), bits) for end in (value.lower, value.upper)
        ]
        if ends[0] == ends[1]:
            mantissa, exponent = ends[0]
            return {
                "precision": bits,
                "lower": _hexadecimal(mantissa - 1, exponent),
                "upper": _hexadecimal(mantissa + 1, exponent),
                "decimal": _decimal(mantissa * Fraction(2) ** exponent, digits),
            }
    message = f"{digits} digits: the constant lies in the middle of two numbers; ask for others"
    raise CertificationError(message)


def _nearest(value: Fraction, bits: int) -> tuple[int, int]:
    """Return m of so many bits and e such that ``m 2^e`` is nearest to the value."""
    if value == 0:
        raise CertificationError("the constant is 0 or has no certain digits")
    exponent = value.numerator.bit_length() - value.denominator.bit_length() - bits
    if abs(value) >= Fraction(2) ** (exponent + bits):
        exponent += 1
    mantissa = round(value / Fraction(2) ** exponent)
    if abs(mantissa) == 1 << bits:
        return mantissa // 2, exponent + 1
    return mantissa, exponent


def _hexadecimal(mantissa: int, exponent: int) -> str:
    return f"{'-' if mantissa < 0 else ''}0x{abs(mantissa):x}p{exponent:+d}"


def _decimal(value: Fraction, digits: int) -> str:
    """Return a number rounded to so many significant digits."""
    ends = (decimal.Decimal(end) for end in value.as_integer_ratio())
    return str(decimal.Context(prec=digits).divide(*ends))


# ---------------------------------------------------------------- checking


def _check(data: Any) -> None:
    argument = "order"
    if isinstance(data, dict) and data.get("quantity") == "tail_index":
        argument = "sigma"
    fields = _FIELDS | {argument}
    if not isinstance(data, dict) or data.keys() != fields:
        found: set[Any] = set(data) if isinstance(data, dict) else set()
        wrong = ", ".join(sorted(str(key)[:40] for key in found ^ fields)[:5])
        message = f"the fields are not those of a certificate; missing or unknown: {wrong}"
        raise _RejectedError(message)
    if (data["format"], data["version"]) != (FORMAT, VERSION):
        message = f"format must be {FORMAT!r}, version {VERSION!r}"
        raise _RejectedError(message)
    rest = {key: value for key, value in data.items() if key != "sha256"}
    if _digest(rest) != data["sha256"]:
        raise _RejectedError("the digest is wrong: the certificate was changed after it was made")
    gain = _gain(data["law"])
    inputs = {
        "quantity": _validation.choice("quantity", data["quantity"], QUANTITIES),
        argument: str(_fraction(data, argument)),
        "given_alive": _validation.flag("given_alive", data["given_alive"]),
        "digits": _validation.integer("digits", data["digits"], 1, MAX_DIGITS),
    }
    if inputs["given_alive"] != _given_alive(gain, inputs):
        message = f"given_alive must be {not inputs['given_alive']} for this law and order"
        raise _RejectedError(message)
    _compare(data, _claim(gain, inputs))


def _compare(data: Mapping[str, Any], claim: Mapping[str, Any]) -> None:
    """Compare a claim with the one derived, with a reason for every kind of difference."""
    low, high = (_endpoint(data, key) for key in ("lower", "upper"))
    true_low, true_high = (_endpoint(claim, key) for key in ("lower", "upper"))
    interval = f"[{claim['lower']}, {claim['upper']}]"
    if low > high:
        raise _RejectedError("lower is above upper")
    if true_high < low or high < true_low:
        message = f"the claimed interval does not contain the constant, which is in {interval}"
        raise _RejectedError(message)
    if (low, high) != (true_low, true_high):
        kind = "wider" if high - low > true_high - true_low else "narrower"
        if high - low == true_high - true_low:
            kind = "other"
        message = f"the claimed interval is {kind} than the one to claim, {interval}"
        raise _RejectedError(message)
    for key in _CLAIM_FIELDS:
        if data[key] != claim[key] or type(data[key]) is not type(claim[key]):
            message = f"{key} must be {claim[key]!r}, got {str(data[key])[:80]!r}"
            raise _RejectedError(message)


def _endpoint(data: Mapping[str, Any], key: str) -> Fraction:
    match = _HEXADECIMAL.match(data[key]) if isinstance(data[key], str) else None
    if match is None:
        message = f"{key} must be a hexadecimal number such as 0x1fp-4, got {str(data[key])[:40]!r}"
        raise _RejectedError(message)
    return int(match[1], 16) * Fraction(2) ** int(match[2])
