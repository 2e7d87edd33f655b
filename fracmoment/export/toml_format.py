"""TOML: the head as comments, the parameters, and an array of tables, one a row."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fracmoment.export.description import head
from fracmoment.export.json_format import as_data

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fracmoment.export.table import ConstantTable

__all__ = ["render"]


def render(table: ConstantTable) -> str:
    """Return a table as TOML."""
    data = as_data(table)
    # The head says the same.
    del data["description"], data["columns"]
    arrays = {name: data.pop(name) for name in ("activations", "constants")}
    lines = [f"# {line}" for line in head(table)] + [""] + _lines(data)
    for name, entries in arrays.items():
        for entry in entries:
            lines += ["", f"[[{name}]]", *_lines(entry)]
    return "\n".join(lines) + "\n"


def _lines(entries: Mapping[str, Any]) -> list[str]:
    """Return keys with values: a text, a number or a flag is written as in JSON."""
    return [f"{key} = {json.dumps(value)}" for key, value in entries.items()]
