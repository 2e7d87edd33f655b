"""Figures inside a page of HTML."""

from __future__ import annotations

import html
import io
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["inline_svg"]


def inline_svg(figure: Figure, name: str, description: str) -> str:
    """Return a figure as an SVG element that stands in a page beside others.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What to show; other settings of matplotlib are those of the caller.
    name : str
        Different for every figure of the page: it begins the names inside the element.
    description : str
        What it shows, for readers who cannot see it.

    Returns
    -------
    str
        Text stays text. Equal figures give equal elements: no date, no random names.

    Examples
    --------
    >>> from fracmoment.plotting.style import new_figure
    >>> inline_svg(new_figure(), "one", "nothing at all")[:43]
    '<svg role="img" aria-label="nothing at all"'
    """
    import matplotlib as mpl

    file = io.StringIO()
    empty = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(file, format="svg", metadata=empty)
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", text)
    label = html.escape(description)
    return text.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
