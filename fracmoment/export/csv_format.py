"""CSV: the head as comments that begin with ``#``, the names of the columns, one line a row."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from fracmoment.export.description import head
from fracmoment.export.records import records

if TYPE_CHECKING:
    from fracmoment.export.table import ConstantTable

__all__ = ["render"]


def render(table: ConstantTable) -> str:
    """Return a table as CSV."""
    rows = records(table)
    stream = io.StringIO()
    stream.writelines(f"# {line}\n" for line in head(table))
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
