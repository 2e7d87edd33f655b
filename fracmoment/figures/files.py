"""Figures as files: the same bytes from the same figure."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from fracmoment import _validation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FORMATS", "render"]

FORMATS = ("png", "svg", "pdf")


def render(figure: Figure, format_name: str, title: str, caption: str) -> bytes:
    """Return a figure as a file that carries its title and caption.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What `draw` returns.
    format_name : {"png", "svg", "pdf"}
        Format.
    title, caption : str
        For the description inside the file.

    Returns
    -------
    bytes
        No date and no random names, so that equal figures are equal files.
    """
    _validation.choice("format_name", format_name, FORMATS)
    metadata: dict[str, Any]
    if format_name == "pdf":
        metadata = {"Title": title, "Subject": caption, "CreationDate": None}
    elif format_name == "svg":
        metadata = {"Title": title, "Description": caption, "Date": None}
    else:
        metadata = {"Title": title, "Description": caption}
    import matplotlib.style

    file = io.BytesIO()
    with matplotlib.style.context(["default", {"svg.hashsalt": title}]):
        figure.savefig(file, format=format_name, metadata=metadata)
    return file.getvalue()
