"""All statements, by theme and by id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fracmoment.statements import (
    jacobians,
    limits,
    preservation,
    refutations,
    scales,
    signals,
    tails,
)
from fracmoment.statements.statement import Statement

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["STATEMENTS", "THEMES"]


def _of(module: ModuleType) -> tuple[Statement, ...]:
    """Return the statements of a module, in the order in which they stand there."""
    return tuple(value for value in vars(module).values() if isinstance(value, Statement))


#: The themes, in the order of the report, with their statements.
THEMES: dict[str, tuple[Statement, ...]] = {
    "Scales that preserve a moment": _of(preservation),
    "The scale as a function of order and width": _of(scales),
    "Limits in depth": _of(limits),
    "Power tails": _of(tails),
    "Signals with biases": _of(signals),
    "Jacobians, gradients and isometry": _of(jacobians),
    "Claims that are false": _of(refutations),
}

#: Every statement by its id.
STATEMENTS: dict[str, Statement] = {
    statement.id: statement for theme in THEMES.values() for statement in theme
}
