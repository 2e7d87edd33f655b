"""Heavy tails of SGD over step and batch size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fracmoment.plotting import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fracmoment.tails.sgd import SGDPhaseDiagram

__all__ = ["plot_sgd_tail_index"]

# Beyond these powers of ten shades are the same: nothing is heavy-tailed about an index of 100.
_DARKEST, _LIGHTEST = -0.5, 2.0


def plot_sgd_tail_index(diagram: SGDPhaseDiagram, ax: Axes | None = None) -> Axes:
    """Draw the tail index of SGD over step and batch size.

    Parameters
    ----------
    diagram : SGDPhaseDiagram
        What `fracmoment.sgd_phase_diagram` returns, with at least two of each size, increasing.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        Logarithmic axes. Shades are the logarithm of the index, up to 100, white where SGD
        diverges; lines mark the stability boundary and where mean and variance become infinite.

    Raises
    ------
    ImportError
        matplotlib is not installed.
    """
    ax = style.target(ax)
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    # Without white, which stands for divergence.
    shades = ListedColormap(colormaps["Greys_r"](np.linspace(0.0, 0.85, 256)))
    index = np.ma.masked_equal(diagram.tail_index, 0.0)
    mesh = ax.pcolormesh(
        diagram.steps,
        diagram.batch_sizes,
        np.ma.log10(index),
        cmap=shades,
        shading="nearest",
        vmin=_DARKEST,
        vmax=_LIGHTEST,
    )
    label = r"$\log_{10}$ of the tail index"
    ax.figure.colorbar(mesh, ax=ax, label=label, extend="both")
    for line, dashes, color, label in (
        (diagram.stability, "-", style.MEASURED, "stability boundary, index 0"),
        (diagram.finite_mean, "--", style.SECOND, "index 1: infinite mean beyond"),
        (diagram.finite_variance, ":", style.LAW, "index 2: infinite variance beyond"),
    ):
        ax.plot(line, diagram.batch_sizes, linestyle=dashes, color=color, label=label)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(diagram.steps[0], diagram.steps[-1])
    ax.set_ylim(diagram.batch_sizes[0], diagram.batch_sizes[-1])
    ax.set_xlabel("step size")
    ax.set_ylabel("batch size")
    ax.set_title(f"SGD on least squares, dimension {diagram.dimension}")
    ax.legend(fontsize="small", loc="lower right")
    return ax
