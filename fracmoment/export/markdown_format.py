"""Markdown: the head as a list, and a table of decimals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fracmoment.export.description import TITLE, describe, meanings
from fracmoment.export.records import records

if TYPE_CHECKING:
    from fracmoment.export.table import ConstantTable

__all__ = ["render"]

_KEYS = ("activation", "fan_in", "fan_out", "order_exact")


def render(table: ConstantTable) -> str:
    """Return a table as Markdown."""
    lines = [TITLE, ""]
    lines += [f"- {subject}: {text}." for subject, text in describe(table).items()]
    lines += [f"- `{name}`: {text}." for name, text in meanings(table).items()]
    columns = [*_KEYS, *(f"{name}_decimal" for name in table.quantities)]
    titles = ["activation", "fan_in", "fan_out", "order", *table.quantities]
    rules = ["---", *["---:"] * (len(columns) - 1)]
    rows = [[str(record[column]) for column in columns] for record in records(table)]
    lines.append("")
    lines += [f"| {' | '.join(cells)} |" for cells in (titles, rules, *rows)]
    return "\n".join(lines) + "\n"
