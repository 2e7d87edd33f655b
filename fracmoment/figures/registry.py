"""The list of all figures, and how one is drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fracmoment import _validation
from fracmoment.figures import depth, paper, scales, signals, tails
from fracmoment.figures.specification import Run, Specification
from fracmoment.plotting.style import require_matplotlib

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FIGURES", "draw"]

#: All figures by name, those of the first paper first.
FIGURES: dict[str, Specification] = {
    one.name: one
    for module in (paper, scales, depth, tails, signals)
    for one in module.SPECIFICATIONS
}


def draw(name: str, *, quick: bool = False, seed: int = 1, threads: int | None = None) -> Figure:
    """Compute and draw a figure.

    Parameters
    ----------
    name : str
        One of `FIGURES`.
    quick : bool, optional
        Smaller samples and coarser grids, for a look.
    seed : int, optional
        Seed of everything simulated, >= 0.
    threads : int, optional
        Threads of the simulations, every core by default. The picture does not depend on it.

    Returns
    -------
    matplotlib.figure.Figure
        Drawn with the settings that matplotlib is delivered with, whatever the user's are.

    Raises
    ------
    ValueError
        The name is unknown, or the seed negative.
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> figure = draw("scale", quick=True)
    >>> len(figure.axes)
    2
    """
    specification = FIGURES[_validation.choice("name", name, FIGURES)]
    run = Run(quick, _validation.integer("seed", seed, 0, 2**63 - 1), threads)
    require_matplotlib()
    import matplotlib.style

    with matplotlib.style.context("default"):
        figure = specification.figure(replace(run, sizes=specification.sizes_of(quick)))
        # Layout and text are fixed while the settings hold.
        figure.draw_without_rendering()
    return figure
