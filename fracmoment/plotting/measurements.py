"""Measured log-norms of a network against their law."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fracmoment.plotting import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fracmoment.networks.audit import Measurement

__all__ = ["plot_log_norms"]


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
    ax = style.target(ax)
    from matplotlib.ticker import MaxNLocator

    layers = measurement.layers
    # Layer 0 is the input, where every log-ratio is 0.
    index = np.arange(len(layers) + 1)
    mean = np.array([0.0, *(layer.law_mean for layer in layers)])
    std = np.array([0.0, *(layer.law_std for layer in layers)])
    for width, shade in ((2, style.BANDS[2]), (1, style.BANDS[1])):
        ax.fill_between(
            index,
            mean - width * std,
            mean + width * std,
            color=shade,
            linewidth=0,
            label=f"law, mean ± {width} std of one draw",
        )
    ax.plot(index, mean, color=style.LAW, linewidth=1.2, label="law, mean")

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
        color=style.MEASURED,
        ecolor=style.MEASURED,
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
            color=style.SECOND,
            label="measured with the biases (not in the law)",
        )
    quantity = "rms" if measurement.preserve == "rms" else "norm"
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlim(-0.4, len(layers) + 0.4)
    ylabel = f"ln({quantity} after the layer / {quantity} of the input)"
    return style.decorate(ax, "layer (0 is the input)", ylabel)
