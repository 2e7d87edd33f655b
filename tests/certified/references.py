"""Enclosures of what the rows of the reference tables are about."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import fracmoment as fm
from fracmoment import certified
from fracmoment.certified import Enclosure
from tests.reference.tables import Row

# The tables have 42 digits, rounded.
TABLE_DIGITS = 42
WIDEST = 10**6


def gain(row: Row) -> fm.Gain:
    return fm.Gain(
        fm.RandomizedLeakyReLU(row.lower, row.upper),
        row.width,
        keep_prob=row.keep_prob,
        inverted_dropout=row.inverted,
        weights=row.weights,
    )


def enclose(row: Row, digits: int = 30) -> Enclosure | None:
    """The enclosure, or None where the certified functions have no such quantity."""
    law, numbers = gain(row), row.numbers
    functions: dict[str, Callable[[], Enclosure]] = {
        "moment": lambda: certified.moment(
            law, numbers[0], digits=digits, given_alive=row.given_alive
        ),
        "scale": lambda: certified.scale(
            law, numbers[0], digits=digits, given_alive=row.given_alive
        ),
        "log_mean": lambda: certified.log_mean(law, digits=digits),
        "log_var": lambda: certified.log_var(law, digits=digits),
        "log_cumulant": lambda: certified.cumulant(law, int(numbers[0]), digits=digits),
        "tail_index": lambda: certified.tail_index(law, numbers[0], digits=digits),
        "cdf": lambda: certified.cdf(law, numbers[0], digits=digits),
        "sf": lambda: certified.sf(law, numbers[0], digits=digits),
    }
    if row.is_complex or row.quantity not in functions or row.width > WIDEST:
        return None
    if row.given_alive and row.quantity in ("cdf", "sf"):
        return None
    return functions[row.quantity]()


def contains(enclosure: Enclosure, value: str) -> bool:
    """Whether the rounded value of a table is compatible with an enclosure."""
    exact: Any = Fraction(value) if math.isfinite(float(value)) else float(value)
    if exact in enclosure:
        return True
    if not isinstance(exact, Fraction):
        return False
    slack = abs(exact) / 10 ** (TABLE_DIGITS - 1)
    rounded = Enclosure(exact - slack, exact + slack)
    return bool(rounded.lower <= enclosure.upper and enclosure.lower <= rounded.upper)
