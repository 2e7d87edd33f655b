"""Pictures of what the package computes.

Functions take data and an optional ``ax``, draw, and return the Axes; they never call ``show``.
matplotlib is imported when a picture is asked for, so that nothing else needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fracmoment.networks.audit import Measurement
    from fracmoment.tails.sgd import SGDPhaseDiagram

__all__ = ["plot_log_norms", "plot_sgd_tail_index"]

# Told apart by lightness, line style and marker, so that the picture survives printing in grey.
_LAW = "0.15"
_BANDS = ("0.72", "0.87")
_MEASURED = "#b2182b"
_BIASED = "#2166ac"


def plot_log_norms(measurement: Measurement, ax: Axes | None = None) -> Axes:
    """Draw measured log-norms after every layer against the law.

    Parameters
    ----------
    measurement : fracmoment.networks.Measurement
        What `fracmoment.networks.measure` returns.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        matplotlib is not installed.
    """
    if ax is None:
        ax = _new_axes()
    from matplotlib.ticker import MaxNLocator

    layers = measurement.layers
    # Layer 0 is the input, where every log-ratio is 0.
    index = np.arange(len(layers) + 1)
    mean = np.array([0.0, *(layer.law_mean for layer in layers)])
    std = np.array([0.0, *(layer.law_std for layer in layers)])
    for width, shade in ((2, _BANDS[1]), (1, _BANDS[0])):
        ax.fill_between(
            index,
            mean - width * std,
            mean + width * std,
            color=shade,
            linewidth=0,
            label=f"law, mean ± {width} std of one draw",
        )
    ax.plot(index, mean, color=_LAW, linewidth=1.2, label="law, mean")

    measured = np.array([0.0, *(layer.mean for layer in layers)])
    low = np.array([0.0, *(layer.low for layer in layers)])
    high = np.array([0.0, *(layer.high for layer in layers)])
    # The mean may lie outside the quantiles of a very skewed sample.
    bars = np.maximum(np.vstack([measured - low, high - measured]), 0.0)
    ax.errorbar(
        index,
        measured,
        yerr=bars,
        fmt="o",
        markersize=4,
        color=_MEASURED,
        ecolor=_MEASURED,
        elinewidth=1,
        capsize=2,
        label="measured, mean and 5–95 % of the inputs",
    )
    if any(layer.mean_with_biases is not None for layer in layers):
        biased = [np.nan if x.mean_with_biases is None else x.mean_with_biases for x in layers]
        ax.plot(
            index,
            [0.0, *biased],
            linestyle="--",
            marker="s",
            markersize=3.5,
            markerfacecolor="white",
            linewidth=1,
            color=_BIASED,
            label="measured with the biases (not in the law)",
        )
    quantity = "rms" if measurement.preserve == "rms" else "norm"
    ax.set_xlabel("layer (0 is the input)")
    ax.set_ylabel(f"ln({quantity} after the layer / {quantity} of the input)")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlim(-0.4, len(layers) + 0.4)
    ax.grid(visible=True, color="0.9", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.legend(fontsize="small", frameon=False)
    return ax


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
        Logarithmic axes. Shades are the logarithm of the index, white where SGD diverges; lines
        mark the stability boundary and where mean and variance become infinite.

    Raises
    ------
    ImportError
        matplotlib is not installed.
    """
    if ax is None:
        ax = _new_axes()
    index = np.ma.masked_equal(diagram.tail_index, 0.0)
    mesh = ax.pcolormesh(
        diagram.steps, diagram.batch_sizes, np.ma.log10(index), cmap="Greys_r", shading="nearest"
    )
    ax.figure.colorbar(mesh, ax=ax, label="log10 of the tail index")
    for line, style, color, label in (
        (diagram.stability, "-", _MEASURED, "stability boundary, index 0"),
        (diagram.finite_mean, "--", _BIASED, "index 1: infinite mean beyond"),
        (diagram.finite_variance, ":", _LAW, "index 2: infinite variance beyond"),
    ):
        ax.plot(line, diagram.batch_sizes, linestyle=style, color=color, label=label)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(diagram.steps[0], diagram.steps[-1])
    ax.set_ylim(diagram.batch_sizes[0], diagram.batch_sizes[-1])
    ax.set_xlabel("step size")
    ax.set_ylabel("batch size")
    ax.set_title(f"SGD on least squares, dimension {diagram.dimension}")
    ax.legend(fontsize="small", loc="lower right")
    return ax


def _new_axes() -> Axes:
    try:
        from matplotlib import pyplot as plt
    except ImportError:
        msg = "pictures need matplotlib: pip install 'fracmoment[plot]'"
        raise ImportError(msg) from None
    return plt.subplots(layout="constrained")[1]
