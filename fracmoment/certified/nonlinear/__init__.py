"""Constants of layers of nonlinear units with a proof: enclosures by ball arithmetic.

The functions have the names of `fracmoment.nonlinear`. They share no numerical code with it: the
Laplace transform of one unit comes from Gauss-Legendre rules with proved errors, the moments from
a trapezoidal rule with a proved error. docs/algorithms/nonlinear.md, "Certified".

Examples
--------
>>> import fracmoment as fm
>>> print(mean_field_gain("tanh"))
1.5925374197228314277704388460185981...
>>> layer = fm.nonlinear.NonlinearGain("selu", 64, 1)
>>> abs(layer.moment(1.0) - float(moment(layer, 1))) < 1e-14, 64 in moment(layer, 2)
(True, True)
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from fracmoment import _validation
from fracmoment.certified.enclosure import Enclosure
from fracmoment.certified.laws.law import ball
from fracmoment.certified.nonlinear import moments
from fracmoment.certified.nonlinear.selu import SELUConstants, selu_constants
from fracmoment.certified.nonlinear.units import unit_of
from fracmoment.certified.precision import certify
from fracmoment.nonlinear import NonlinearActivation, NonlinearGain
from fracmoment.nonlinear.activations import as_nonlinear
from fracmoment.nonlinear.gain import check_variance

if TYPE_CHECKING:
    from flint import arb

__all__ = [
    "SELUConstants",
    "mean_field_gain",
    "mean_square",
    "moment",
    "scale",
    "selu_constants",
]

# Bits that sums over panels and nodes lose.
_GUARD = 8


def moment(gain: NonlinearGain, order: Any, *, digits: int = 30) -> Enclosure:
    """Return an enclosure of ``E R_q^order``.

    Parameters
    ----------
    gain : NonlinearGain
        The layer; its variance and parameters are taken exactly, SELU's constants as the solutions
        of their equations, and the 0.044715 of GELU's tanh form as that decimal.
    order : float, str, int, Fraction or mpmath.mpf
        Real order above `NonlinearGain.order_edge`, taken exactly.
    digits : int, optional
        Number of significant digits to prove, 1 to 1,000.

    Returns
    -------
    Enclosure

    Raises
    ------
    ValueError
        For an order outside the domain.
    CertificationError
        If the digits could not be proved: orders close to the edge, above all of narrow layers, and
        variances beyond about 10^6 of units with long transitions.

    Notes
    -----
    30 digits take about a second at any width, 5 for GELU, more for narrow layers.

    Examples
    --------
    >>> import fracmoment as fm
    >>> layer = fm.nonlinear.NonlinearGain("sin", 8, "1/2")
    >>> enclosure = moment(layer, 1)
    >>> enclosure.digits >= 30, abs(float(enclosure) - layer.moment(1.0)) < 1e-14
    (True, True)
    """
    _require_gain(gain)
    count = _validation.digits(digits)
    s = _order(gain, order)
    if s == 0:
        return Enclosure(1, 1)
    what = f"the moment of order {float(s):g} of {gain!r}"
    return _enclose(lambda: _moment_ball(gain, s), gain, count, what)


def scale(gain: NonlinearGain, order: Any, *, digits: int = 30) -> Enclosure:
    """Return an enclosure of ``sqrt(q) (E R_q^order)^(-1/order)``, that of `NonlinearGain.scale`.

    Parameters are those of `moment`; the order must not be 0.

    Examples
    --------
    >>> import fracmoment as fm
    >>> layer = fm.nonlinear.NonlinearGain("selu", 4, 1)
    >>> "0.5" in scale(layer, 2)  # the mean field gain 1 over the root of the width
    True
    """
    _require_gain(gain)
    count = _validation.digits(digits)
    s = _order(gain, order)
    _validation.require("order", s, s != 0, "other than 0")

    def value() -> arb:
        return ball(Fraction(gain.variance)).sqrt() * _moment_ball(gain, s) ** (-1 / ball(s))

    return _enclose(value, gain, count, f"the scale of order {float(s):g} of {gain!r}")


def mean_square(
    activation: NonlinearActivation | str, variance: Any = 1, *, digits: int = 30
) -> Enclosure:
    """Return an enclosure of ``E phi(sqrt(q) z)^2`` for standard normal z.

    Parameters
    ----------
    activation : NonlinearActivation or str
        As for `NonlinearGain`; parameters as for `moment`.
    variance : float, str, int, Fraction or mpmath.mpf, optional
        The variance q, taken exactly.
    digits : int, optional
        Number of significant digits to prove.

    Examples
    --------
    >>> 1 in mean_square("selu")
    True
    """
    phi, q, count = _parameters(activation, variance, digits)
    what = f"E phi^2 of {phi} at variance {float(q):g}"
    return Enclosure.of_ball(
        certify(lambda: moments.mean_square(unit_of(phi), q), count, what, guard=_GUARD)
    )


def mean_field_gain(
    activation: NonlinearActivation | str, variance: Any = 1, *, digits: int = 30
) -> Enclosure:
    """Return an enclosure of ``sqrt(q / E phi(sqrt(q) z)^2)``; parameters as for `mean_square`.

    Examples
    --------
    >>> import fracmoment as fm
    >>> float(mean_field_gain("gelu")) == fm.nonlinear.mean_field_gain("gelu")
    True
    """
    phi, q, count = _parameters(activation, variance, digits)

    def value() -> arb:
        return (ball(q) / moments.mean_square(unit_of(phi), q)).sqrt()

    what = f"the mean field gain of {phi} at variance {float(q):g}"
    return Enclosure.of_ball(certify(value, count, what, guard=_GUARD))


def _require_gain(gain: Any) -> None:
    if not isinstance(gain, NonlinearGain):
        message = f"gain must be a fracmoment.nonlinear.NonlinearGain, got {gain!r}"
        raise TypeError(message)


def _order(gain: NonlinearGain, order: Any) -> Fraction:
    """Return an order exactly, in the domain."""
    s = _validation.rational("order", order)
    _validation.order_domain(s, gain.order_edge, allow_zero=True)
    return s


def _parameters(activation: Any, variance: Any, digits: Any) -> tuple[Any, Fraction, int]:
    phi, q = as_nonlinear(activation), Fraction(check_variance(variance))
    return phi, q, _validation.digits(digits)


def _moment_ball(gain: NonlinearGain, order: Fraction) -> arb:
    unit = unit_of(gain.activation)
    return moments.gain_moment(unit, Fraction(gain.variance), gain.width, order)


def _enclose(value: Any, gain: NonlinearGain, digits: int, what: str) -> Enclosure:
    guard = _GUARD + gain.width.bit_length()
    return Enclosure.of_ball(certify(value, digits, what, guard=guard))
