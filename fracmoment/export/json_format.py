"""JSON: one object with the head, the parameters and the rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fracmoment.export.description import describe, meanings
from fracmoment.export.records import parameters, records

if TYPE_CHECKING:
    from fracmoment.export.table import ConstantTable

__all__ = ["as_data", "render"]

FORMAT = "fracmoment constants"
VERSION = 1


def as_data(table: ConstantTable) -> dict[str, Any]:
    """Return a table as JSON values."""
    return {
        "format": FORMAT,
        "format_version": VERSION,
        "fracmoment_version": table.version,
        "description": describe(table),
        "columns": meanings(table),
        **parameters(table),
        "constants": records(table),
    }


def render(table: ConstantTable) -> str:
    """Return a table as JSON, one line a row."""
    data = as_data(table)
    rows = [json.dumps(row) for row in data.pop("constants")]
    text = json.dumps(data, indent=2).removesuffix("\n}")
    return text + ',\n  "constants": [\n    ' + ",\n    ".join(rows) + "\n  ]\n}\n"
