"""Activations and exact numbers as text."""

from __future__ import annotations

import decimal
from dataclasses import fields
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from fracmoment.activations import name_of

if TYPE_CHECKING:
    from fracmoment.activations import Activation

__all__ = ["exact_text", "label", "slopes_of"]

_LONGEST_DECIMAL = 12


def exact_text(value: float | Fraction) -> str:
    """Return a rational number exactly, as a decimal where that is short.

    Examples
    --------
    >>> [exact_text(Fraction(x)) for x in ("3", "0.01", "1/3", "-1/8")]
    ['3', '0.01', '1/3', '-0.125']
    """
    exact = Fraction(value)
    short = decimal.Context(prec=_LONGEST_DECIMAL)
    quotient = short.divide(*(decimal.Decimal(part) for part in exact.as_integer_ratio()))
    text = f"{quotient:f}"
    return text if Fraction(text) == exact and len(text) <= _LONGEST_DECIMAL else str(exact)


def label(activation: Activation) -> str:
    """Return an activation with its exact slopes.

    Examples
    --------
    >>> from fracmoment import LeakyReLU, RandomizedLeakyReLU
    >>> label(LeakyReLU("0.01")), label(RandomizedLeakyReLU("1/8", "1/3"))
    ('leaky_relu(0.01)', 'rrelu(0.125, 1/3)')
    """
    slopes = {name: exact_text(value) for name, value in slopes_of(activation).items()}
    return name_of(activation) + (f"({', '.join(slopes.values())})" if slopes else "")


def slopes_of(activation: Activation) -> dict[str, Any]:
    """Return the parameters of an activation."""
    return {field.name: getattr(activation, field.name) for field in fields(activation)}
