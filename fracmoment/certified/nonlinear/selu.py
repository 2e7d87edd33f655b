"""SELU's constants, from their two equations in closed form.

With z standard normal, ``phi(x) = lambda x`` for x > 0 and ``lambda alpha (exp(x) - 1)`` for x < 0:

    E phi = 0:    1/sqrt(2 pi) = alpha (1/2 - A_1),
    E phi^2 = 1:  1/lambda^2 = 1/2 + alpha^2 (A_2 - 2 A_1 + 1/2),

``A_k = E[exp(k z); z < 0] = exp(k^2/2) Phi(-k)``, ``Phi(-k) = erfc(k/sqrt 2)/2``. The first has one
solution alpha and the second, given alpha, one lambda > 0.
"""

from __future__ import annotations

from typing import NamedTuple

from flint import arb

from fracmoment import _validation
from fracmoment.certified.enclosure import Enclosure
from fracmoment.certified.precision import certify

__all__ = ["SELUConstants", "selu_balls", "selu_constants"]


class SELUConstants(NamedTuple):
    """Enclosures of lambda and alpha."""

    scale: Enclosure
    alpha: Enclosure


def selu_balls() -> tuple[arb, arb]:
    """Return balls of lambda and alpha at the current precision."""
    one, two = (_negative_part(k) for k in (1, 2))
    half = arb(0.5)
    alpha = (2 * arb.pi()).rsqrt() / (half - one)
    return (half + alpha**2 * (two - 2 * one + half)).rsqrt(), alpha


def _negative_part(k: int) -> arb:
    """Return ``E[exp(k z); z < 0]``."""
    return (arb(k * k) / 2).exp() * (k / arb(2).sqrt()).erfc() / 2


def selu_constants(*, digits: int = 50) -> SELUConstants:
    """Return enclosures of SELU's constants ``lambda`` (scale) and ``alpha``.

    Parameters
    ----------
    digits : int, optional
        Number of significant digits to prove, 1 to 1,000.

    Returns
    -------
    SELUConstants
        ``(scale, alpha)``: ``phi(x)`` is ``scale x`` for x > 0, ``scale alpha (exp(x) - 1)`` for
        x < 0, and has mean 0 and variance 1 for standard normal x.

    Examples
    --------
    >>> scale, alpha = selu_constants()
    >>> print(scale)
    1.0507009873554804934193349852946063519589812...
    >>> scale.digits >= 50, alpha.digits >= 50, round(float(alpha), 6)
    (True, True, 1.673263)
    """
    count = _validation.digits(digits)
    scale = certify(lambda: selu_balls()[0], count, "SELU's lambda")
    alpha = certify(lambda: selu_balls()[1], count, "SELU's alpha")
    return SELUConstants(Enclosure.of_ball(scale), Enclosure.of_ball(alpha))
