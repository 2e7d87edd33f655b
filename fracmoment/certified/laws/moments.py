"""Moments of R, their derivatives in the order, and what follows from them, as balls.

Which method serves which law:

- live units of slope 1 only (linear, ReLU, dropout on either): finite sums (`mixture`), up to a
  width of about a million;
- one unit: closed form, the first part of `contour`;
- other narrow layers: the Laplace transform, by series for small and large arguments and a Gauss
  rule between (`narrow`);
- other laws: a contour integral for orders above -1, for single orders somewhat lower, and for all
  orders of laws with an atom (`contour`); a Laplace integral for lower orders (`laplace`).
"""

from __future__ import annotations

from typing import Any

from flint import arb, arb_series

from fracmoment.certified.laws import contour, narrow
from fracmoment.certified.laws.laplace import ratio_moment
from fracmoment.certified.laws.law import Law, ball
from fracmoment.certified.laws.mixture import chi_moment, mixture_moment
from fracmoment.certified.laws.series import series_length
from fracmoment.certified.laws.unit import live_moment

__all__ = [
    "log_cumulants",
    "log_mean",
    "log_moment",
    "log_moment_series",
    "log_scale",
    "log_scale_derivative",
    "log_var",
    "moment",
    "moment_series",
    "scale",
]


# Variance of the number of live units above which a contour has fewer nodes than sums have terms.
_MANY = 250_000


def moment_series(law: Law, order: Any, length: int, given_alive: bool = False) -> list[arb]:
    """Return the Taylor coefficients ``M^(j)(order)/j!``, j < length, of the moment ``E R^order``.

    Parameters
    ----------
    law : Law
        The law.
    order : Fraction, int or arb
        Order in the domain `Law.edge`; a ball stands for each order in it.
    length : int
        Number of coefficients, at least 1.
    given_alive : bool
        Whether the moments are those given R > 0. Derivatives at order 0 are right for both only
        with ``given_alive=True``; without it they are those of ``E[R^s; R > 0]``.

    Returns
    -------
    list of arb
        Enclosures; not finite where the current precision does not suffice.
    """
    with series_length(length):
        s = arb_series([ball(order), arb(1)][:length], prec=length)
        p = s / 2
        if law.is_constant():
            value = arb_series([arb(1) if given_alive else ball(law.one)], prec=length)
            given_alive = False
        elif law.orthogonal:
            value = _ratio(law, p)
        else:
            value = _gaussian(law, p)
        if law.factor != 1:
            value = value * (s * ball(law.factor).log()).exp()
        if given_alive and law.has_atom:
            value = value / (1 - law.prob_zero())
        return [value[j] for j in range(length)]


def _gaussian(law: Law, p: arb_series) -> arb_series:
    """Return ``E[X^p; X > 0]``."""
    if not law.has_slopes and law.width * law.one * law.dead < _MANY:
        return mixture_moment(law, p)
    if narrow.serves(law, p):
        return narrow.narrow_moment(law, p)
    if law.has_atom or law.width == 1 or contour.serves(law, p):
        return contour.contour_moment(law, p)
    return ratio_moment(law, p) * chi_moment(law.width, p)


def _ratio(law: Law, p: arb_series) -> arb_series:
    """Return ``E[(X/|g|^2)^p; X > 0]``."""
    if law.width == 1 and not law.has_atom:
        return live_moment(law, p)
    by_gaussian = law.has_atom or narrow.serves(law, p) or contour.serves(law, p)
    if by_gaussian or not law.has_slopes:
        return _gaussian(law, p) / chi_moment(law.width, p)
    return ratio_moment(law, p)


def moment(law: Law, order: Any, given_alive: bool = False) -> arb:
    """Return ``E R^order``, or ``E[R^order | R > 0]``.

    Examples
    --------
    >>> from fracmoment.certified.laws import Law
    >>> moment(Law.make(3, 0, 0), 2).str(10, radius=False)
    '1.500000000'
    """
    return moment_series(law, order, 1, given_alive)[0]


def log_moment(law: Law, order: Any, given_alive: bool = False) -> arb:
    """Return ``log E R^order``."""
    return moment(law, order, given_alive).log()


def log_moment_series(law: Law, order: Any, length: int, given_alive: bool = False) -> list[arb]:
    """Return the Taylor coefficients of ``log E R^s`` at ``s = order``."""
    with series_length(length):
        series = arb_series(moment_series(law, order, length, given_alive), prec=length).log()
        return [series[j] for j in range(length)]


def log_cumulants(law: Law, count: int) -> list[arb]:
    """Return the first ``count`` cumulants of log R given R > 0."""
    series = log_moment_series(law, 0, count + 1, given_alive=True)
    return [series[j] * arb.fac_ui(j) for j in range(1, count + 1)]


def log_mean(law: Law) -> arb:
    """Return ``E[log R | R > 0]``."""
    return log_cumulants(law, 1)[0]


def log_var(law: Law) -> arb:
    """Return ``Var[log R | R > 0]``."""
    return log_cumulants(law, 2)[1]


def log_scale(law: Law, order: Any, given_alive: bool = False) -> arb:
    """Return ``log sigma_s = -log(E R^s)/s``, at order 0 its limit given R > 0."""
    s = ball(order)
    if s.is_zero():
        return -log_mean(law)
    return -log_moment(law, order, given_alive) / s


def scale(law: Law, order: Any, given_alive: bool = False) -> arb:
    """Return the scale that preserves the moment of the order."""
    return log_scale(law, order, given_alive).exp()


def log_scale_derivative(law: Law, order: Any, given_alive: bool = False) -> arb:
    """Return the derivative of ``log sigma_s`` in s, for orders other than 0."""
    s = ball(order)
    value, slope = log_moment_series(law, order, 2, given_alive)
    return (value / s - slope) / s
