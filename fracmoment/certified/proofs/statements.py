"""The inequalities that the library proves, by name.

Notation: width d, order s, p = s/2, slope a, ``y = ((1 - a^2)/(1 + a^2))^2``, ``K = log M`` and
``F(p) = K(s) - p log(d m)`` of `normalized`. Slope 1 is the linear activation, slope 0 is ReLU. The
slopes a and 1/a have the same y and, by scaling, the same inequalities, so that [0, 1] stands for
all slopes. Where ReLU is taken given R > 0 the name ends in ``_alive``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from flint import arb, arb_series, ctx

from fracmoment.certified.laws.law import Law
from fracmoment.certified.laws.mixture import mixture_moment
from fracmoment.certified.proofs.expansion_error import scaled_error, scaled_error_wide
from fracmoment.certified.proofs.inequality import Inequality, settings
from fracmoment.certified.proofs.normalized import atom, eta_of, log_moment, mean_log

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["STATEMENTS", "Statement"]


@dataclass(frozen=True)
class Statement:
    """An inequality with the ranges on which it is proved, and what it says.

    Attributes
    ----------
    claim : str
        The inequality in words and symbols.
    inequality : Inequality
        What is evaluated.
    over : mapping of str to pairs of Fraction
        Closed ranges of the variables.
    widths : range or None
        The widths, None where the width is not among the arguments.
    follows_from : str
        The statement that implies this one, if one does: a proof of the list needs no other.
    """

    claim: str
    inequality: Inequality
    over: Mapping[str, tuple[Fraction, Fraction]] = field(default_factory=dict)
    widths: range | None = range(1, 257)
    follows_from: str = ""


def _excess(slope: arb) -> arb:
    """Return ``v/m^2 = 2 + 3 y``, the squared coefficient of variation of phi(z)^2."""
    eta = eta_of(slope)
    return 2 + 3 * eta * eta


# ---------------------------------------------------------------- functions


def log_scale_slope(width: int, order: arb_series, slope: arb) -> arb_series:
    """Return ``-d log sigma_s/ds = (K(s)/s)'``."""
    return (log_moment(width, order / 2, eta_of(slope)) / order).derivative()


def log_scale_slope_bound(width: int, order: arb_series, slope: arb) -> arb_series:
    """Return ``(2 + 3 y)/(10 (d + s))``; the exact value tends to 10/8 of it for large d."""
    return _excess(slope) / (10 * (order + width))


def he_margin(width: int, order: arb_series, slope: arb) -> arb_series:
    """Return ``-d log sigma_s^2/ds - (2 + 3 y)/(5 (d + 2))``.

    The integral of the derivative from s to 2 is ``log(sigma_s^2/sigma_2^2)``, and sigma_2 is He's.
    """
    return 2 * log_scale_slope(width, order, slope) - _excess(slope) / (5 * (width + 2))


def log_moment_slope_at_scale(width: int, order: arb_series, slope: arb) -> arb_series:
    """Return ``Lambda'(alpha) = log sigma_alpha + K'(alpha)`` at the scale of tail index alpha."""
    log_moments = log_moment(width, order / 2, eta_of(slope))
    return log_moments.derivative() - log_moments / order


def tail_bound(width: int, order: arb_series, slope: arb) -> arb_series:
    """Return ``alpha (2 + 3 y)/(10 (d + alpha))``."""
    return order * log_scale_slope_bound(width, order, slope)


def drift_factor(width: int, order: arb_series, slope: arb) -> arb_series:
    """Return ``exp(2 mu_s + b)``, ``b = (2 + 3 y) s/(5 (d + s))``; the limit 0 for slope 0.

    ``2 mu_s = E log X - (2/s) log E X^(s/2)``, and the atom T = -1 adds ``2^-d log(1 - eta)``.
    """
    eta, p = eta_of(slope), order / 2
    margin = 2 * order * log_scale_slope_bound(width, order, slope)
    exponent = mean_log(width, eta) - log_moment(width, p, eta) / p + margin
    return exponent.exp() * _smallest_atom(width, eta)


def he_factor(width: int, slope: arb) -> arb:
    """Return ``exp(2 h + 2 (2 + 3 y)/(5 d))``, h He's Lyapunov exponent; 0 for slope 0."""
    eta = eta_of(slope)
    exponent = mean_log(width, eta) + 2 * _excess(slope) / (5 * width)
    return exponent.exp() * _smallest_atom(width, eta)


def _smallest_atom(width: int, eta: arb) -> arb:
    """Return ``(1 - eta)^(2^-d)``."""
    weight = arb_series([arb(2) ** -width])
    with settings(ctx.prec, 1):
        return atom((1 - eta).nonnegative_part(), weight)[0]


# ---------------------------------------------------------------- ReLU given R > 0


def _log_moment_alive(width: int, p: arb_series) -> arb_series:
    """Return ``log E[(2 X/d)^p | X > 0]`` from the finite sum over the number of live units."""
    moment = mixture_moment(Law.make(width, 0, 0), p) / (1 - arb(2) ** -width)
    return moment.log() - p * (arb(width) / 2).log()


@lru_cache(maxsize=1024)
def _mean_log_alive(width: int, precision: int) -> arb:
    """Return ``E[log(2 X/d) | X > 0]``."""
    with settings(precision, 2):
        return _log_moment_alive(width, arb_series([0, 1]))[1]


def log_scale_slope_alive(width: int, order: arb_series) -> arb_series:
    """Return ``-d log sigma_s/ds`` given R > 0."""
    return (_log_moment_alive(width, order / 2) / order).derivative()


def alive_bound(width: int, order: arb_series) -> arb_series:
    """Return ``1/(2 (d + s))``."""
    return 1 / (2 * (order + width))


def drift_alive(width: int, order: arb_series) -> arb_series:
    """Return the drift under the scale of order s given R > 0, over the order."""
    p = order / 2
    twice = _mean_log_alive(width, ctx.prec) - _log_moment_alive(width, p) / p
    return twice / (2 * order)


def drift_alive_bound(width: int, order: arb_series) -> arb_series:
    """Return ``-1/(2 (d + s))``."""
    return -alive_bound(width, order)


def he_exponent_alive(width: int) -> arb:
    """Return He's Lyapunov exponent given R > 0, times d."""
    return _mean_log_alive(width, ctx.prec) * width / 2


# ---------------------------------------------------------------- expansion


def squared_error(width: int, order: arb_series, slope: arb) -> arb_series:
    """Return ``(d^2 r)^2``."""
    error = scaled_error(width, order, slope)
    return error * error


def absolute_error_wide(order: arb, slope: arb, inverse_width: arb) -> arb:
    """Return ``|d^2 r|``."""
    return abs(scaled_error_wide(order, slope, inverse_width))


# ---------------------------------------------------------------- the list


def _range(low: Any, high: Any) -> tuple[Fraction, Fraction]:
    return Fraction(low), Fraction(high)


_ORDERS = {"order": _range("1/4", 8)}
_SLOPES = {"slope": _range(0, 1)}
_LINEAR = {"slope": _range(1, 1)}
_WIDE = {"inverse_width": _range(0, Fraction(1, 256))}
_ERROR = "abs(sigma_s^2 - expansion) < {constant}/(m d^3), m = (1 + a^2)/2"


def _expansion(constant: int, low: str, slopes: dict[str, tuple[Fraction, Fraction]]) -> Statement:
    inequality = Inequality(squared_error, "<", constant**2, expand="order")
    return Statement(
        _ERROR.format(constant=constant), inequality, {"order": _range(low, 2), **slopes}
    )


def _expansion_wide(
    constant: int, low: str, slopes: dict[str, tuple[Fraction, Fraction]]
) -> Statement:
    inequality = Inequality(absolute_error_wide, "<", constant)
    over = {"order": _range(low, 2), **slopes, **_WIDE}
    return Statement(
        _ERROR.format(constant=constant) + ", every d >= 256", inequality, over, widths=None
    )


#: Every statement by name, in the order in which they are proved.
STATEMENTS: dict[str, Statement] = {
    "scale_decreasing": Statement(
        "-d log sigma_s/ds > (2 + 3 y)/(10 (d + s))",
        Inequality(log_scale_slope, ">", log_scale_slope_bound, expand="order"),
        _ORDERS | _SLOPES,
    ),
    "scale_decreasing_alive": Statement(
        "-d log sigma_s/ds > 1/(2 (d + s)), ReLU given R > 0",
        Inequality(log_scale_slope_alive, ">", alive_bound, expand="order"),
        _ORDERS,
    ),
    "drift_negative": Statement(
        "log sigma_s + E log R < -(2 + 3 y) s/(10 (d + s)), slopes a > 0",
        Inequality(drift_factor, "<", 1, expand="order"),
        _ORDERS | _SLOPES,
    ),
    "drift_negative_alive": Statement(
        "log sigma_s + E[log R | R > 0] < -s/(2 (d + s)), ReLU, sigma_s given R > 0",
        Inequality(drift_alive, "<", drift_alive_bound, expand="order"),
        _ORDERS,
    ),
    "he_exponent_negative": Statement(
        "log sigma_He + E log R < -(2 + 3 y)/(5 d), slopes a > 0",
        Inequality(he_factor, "<", 1),
        _SLOPES,
    ),
    "he_exponent_negative_alive": Statement(
        "log sigma_He + E[log R | R > 0] < -1/(4 d), ReLU",
        Inequality(he_exponent_alive, "<", Fraction(-1, 4)),
    ),
    "above_he": Statement(
        "-d log sigma_s^2/ds > (2 + 3 y)/(5 (d + 2)),"
        " hence log(sigma_s^2/sigma_He^2) > (2 - s)(2 + 3 y)/(5 (d + 2)) for s < 2",
        Inequality(he_margin, ">", 0, expand="order"),
        {"order": _range("1/4", 2)} | _SLOPES,
        follows_from="scale_decreasing",  # s <= 2 in its bound
    ),
    "tail_index_decreasing": Statement(
        "Lambda'(alpha) > alpha (2 + 3 y)/(10 (d + alpha)) at the scale of tail index alpha,"
        " hence -10 (d + alpha)/(2 + 3 y) < d alpha/d log sigma < 0",
        Inequality(log_moment_slope_at_scale, ">", tail_bound, expand="order"),
        _ORDERS | _SLOPES,
        follows_from="scale_decreasing",  # alpha times both sides
    ),
    "expansion": _expansion(2, "1", _SLOPES),
    "expansion_half": _expansion(15, "1/2", _SLOPES),
    "expansion_linear": _expansion(1, "1/4", _LINEAR),
    "expansion_wide": _expansion_wide(2, "1", _SLOPES),
    "expansion_half_wide": _expansion_wide(15, "1/2", _SLOPES),
    "expansion_linear_wide": _expansion_wide(1, "1/4", _LINEAR),
}
