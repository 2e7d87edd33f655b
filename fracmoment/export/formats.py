"""The formats of tables, by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fracmoment import _validation
from fracmoment._files import write_text
from fracmoment.export import (
    c_format,
    csv_format,
    json_format,
    latex_format,
    markdown_format,
    python_format,
    toml_format,
)

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from fracmoment.export.table import ConstantTable

__all__ = ["FORMATS", "render", "write"]

#: What writes a table, by the name of the format.
FORMATS: Mapping[str, Callable[..., str]] = {
    "json": json_format.render,
    "csv": csv_format.render,
    "toml": toml_format.render,
    "latex": latex_format.render,
    "markdown": markdown_format.render,
    "c": c_format.render,
    "python": python_format.render,
}


def render(table: ConstantTable, format_name: str, **options: Any) -> str:
    """Return a table as text.

    Parameters
    ----------
    table : ConstantTable
        What `tabulate` returned.
    format_name : {"json", "csv", "toml", "latex", "markdown", "c", "python"}
        The format.
    prefix : str, optional
        For C: the beginning of every name, ``"fracmoment"`` by default.

    Raises
    ------
    ValueError
        For an unknown format, or a prefix that is no name in C.

    Examples
    --------
    >>> from fracmoment.export import tabulate
    >>> text = render(tabulate("relu", 64, 1, digits=6), "markdown")
    >>> print(text.splitlines()[-1])
    | relu | 64 | 64 | 1 | 0.178528 | 1.42822 | 2.03982 |
    """
    return FORMATS[_validation.choice("format_name", format_name, FORMATS)](table, **options)


def write(
    table: ConstantTable, path: str | os.PathLike[str], format_name: str, **options: Any
) -> None:
    """Write a table to a file, which is there as a whole or as it was before.

    Parameters
    ----------
    table, format_name, options
        As for `render`.
    path : path-like
        The file.
    """
    write_text(Path(path), render(table, format_name, **options))
