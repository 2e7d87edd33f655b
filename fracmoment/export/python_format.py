"""Python: a module of constants and a function that finds a row, without dependencies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fracmoment.export.description import TITLE, head
from fracmoment.export.records import records

if TYPE_CHECKING:
    from fracmoment.export.table import ConstantTable

__all__ = ["render"]

_TEMPLATE = '''\
"""{head}
"""

from fractions import Fraction
from typing import NamedTuple


class Constant(NamedTuple):
    """One row: what identifies it, then every number as the nearest double and as decimal."""

{members}


CONSTANTS = (
{rows}
)

_ROWS = {{(row.activation, row.fan_in, row.fan_out, row.order): row for row in CONSTANTS}}


def lookup(
    activation: str, fan_in: int, fan_out: int, order: "float | str | Fraction"
) -> Constant:
    """Return the constant of an activation, a layer and an order.

    Orders may be numbers or texts such as "1/3". Raises KeyError if the table has no such row.

    >>> lookup({example}).{quantity}
    {value}
    """
    key = (activation, fan_in, fan_out, float(Fraction(order)))
    try:
        return _ROWS[key]
    except KeyError:
        pass
    if all(row.activation != activation for row in CONSTANTS):
        known = ", ".join(sorted({{row.activation for row in CONSTANTS}}))
        message = f"no activation {{activation!r}} in this table; there are: {{known}}"
    elif all((row.fan_in, row.fan_out) != (fan_in, fan_out) for row in CONSTANTS):
        message = f"no layer {{fan_in}} -> {{fan_out}} in this table"
    else:
        known = ", ".join(dict.fromkeys(row.order_exact for row in CONSTANTS))
        message = f"no order {{order}} in this table; there are: {{known}}"
    raise KeyError(message)
'''


def render(table: ConstantTable) -> str:
    """Return a table as a Python module."""
    rows = records(table)
    first = rows[0]
    key = (first["activation"], first["fan_in"], first["fan_out"], first["order"])
    return _TEMPLATE.format(
        head="\n".join([TITLE, "", *head(table)[1:]]),
        members="\n".join(f"    {name}: {type(value).__name__}" for name, value in first.items()),
        rows="\n".join(_row(row) for row in rows),
        example=", ".join(map(_literal, key)),
        quantity=table.quantities[0],
        value=first[table.quantities[0]],
    )


def _row(row: dict[str, Any]) -> str:
    lines = [f"        {name}={_literal(value)}," for name, value in row.items()]
    return "    Constant(\n" + "\n".join(lines) + "\n    ),"


def _literal(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)
