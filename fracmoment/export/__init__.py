"""Tables of constants to use without fracmoment: JSON, CSV, TOML, LaTeX, Markdown, C, Python.

`tabulate` derives the scales over activations, layers and orders, with digits that are proved;
`render` and `write` put them into a format. ``fracmoment export`` is the same on the command line.

Examples
--------
>>> import fracmoment as fm
>>> table = fm.export.tabulate(["relu", "linear"], [64, (784, 256)], [0, "1/2", 1])
>>> "fracmoment_find" in fm.export.render(table, "c")
True
"""

from fracmoment.export.formats import FORMATS, render, write
from fracmoment.export.rounding import Number
from fracmoment.export.table import MAX_CONSTANTS, Constant, ConstantTable, tabulate

__all__ = [
    "FORMATS",
    "MAX_CONSTANTS",
    "Constant",
    "ConstantTable",
    "Number",
    "render",
    "tabulate",
    "write",
]
