"""The figures of the first paper and of the theory, from exact laws and simulations.

`FIGURES` lists them; `draw` computes and draws one, `render` makes it the bytes of a file.
"""

from fracmoment.figures.files import FORMATS, render
from fracmoment.figures.registry import FIGURES, draw
from fracmoment.figures.specification import Run, Specification

__all__ = ["FIGURES", "FORMATS", "Run", "Specification", "draw", "render"]
