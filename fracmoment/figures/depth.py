"""What depth does: the law of the norm under several schemes, and where schemes matter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fracmoment.depth import DepthLaw
from fracmoment.figures.specification import Run, Specification
from fracmoment.gains import Gain
from fracmoment.plotting import (
    QuantileFan,
    WidthDepthMap,
    plot_quantile_fan,
    plot_width_depth,
    quantile_band,
)
from fracmoment.plotting.style import new_figure, plain_ticks
from fracmoment.simulation import simulate_log_norms

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH = 64
_LAST = 200
_SIMULATED = (25, 100, 175)
_LEVELS = (0.05, 0.5, 0.95)


def _fan_figure(run: Run) -> Figure:
    figure = new_figure(12.0, 7.4)
    axes = figure.subplots(2, 3, sharex=True, sharey=True)
    gaussian = Gain("relu", _WIDTH)
    orthogonal = Gain("relu", _WIDTH, weights="orthogonal")
    mirrored = Gain("linear", _WIDTH // 2)
    panels = (
        ("Gaussian, order 2 (He)", gaussian, 2.0),
        ("Gaussian, order 1", gaussian, 1.0),
        ("Gaussian, order 0 (Lyapunov)", gaussian, 0.0),
        ("orthogonal, order 2", orthogonal, 2.0),
        ("Gaussian submatrix, order 2", mirrored, 2.0),
    )
    for part, (ax, (name, gain, order)) in enumerate(zip(axes.flat[:-1], panels, strict=True)):
        sigma = float(gain.scale(order))
        depths = [0, 1, 2, 5, 10, *range(20, _LAST + 1, run["step"])]
        fan = QuantileFan.exact(gain, sigma, depths)
        plot_quantile_fan(fan, ax, legend=None)
        ax.axhline(0.0, color="0.4", linewidth=0.8)
        if gain is not mirrored:
            _mark_simulated(ax, gain, sigma, run, part)
        ax.set_title(name, size="medium")
        ax.label_outer()
    last = axes[1, 2]
    last.axis("off")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    last.legend(handles, labels, loc="center", frameon=False)
    axes[0, 2].xaxis.set_tick_params(labelbottom=True)
    axes[0, 2].set_xlabel("depth k (layers)")
    return figure


def _mark_simulated(ax: Axes, gain: Gain, sigma: float, run: Run, part: int) -> None:
    """Add quantiles of simulated networks, with their confidence intervals."""
    for depth in _SIMULATED:
        y = simulate_log_norms(
            gain, sigma, depth, run["networks"], rng=run.rng(part), threads=run.threads
        )
        for level in _LEVELS:
            low, high = quantile_band(y, level)
            middle = np.quantile(y, level, method="inverted_cdf")
            ax.errorbar(
                depth,
                middle,
                yerr=[[middle - low], [high - middle]],
                marker="o",
                markersize=4,
                markerfacecolor="white",
                color="black",
                elinewidth=1,
                capsize=2.5,
                linestyle="none",
                label="simulated quantile, 99 % interval" if (depth, level) == (25, 0.05) else None,
            )


# ---------------------------------------------------------------- width and depth


def _phase_figure(run: Run) -> Figure:
    figure = new_figure(12.0, 4.9)
    left, right = figure.subplots(1, 2)
    widths = np.unique(np.geomspace(4, 512, run["grid"]).round().astype(int))
    depths = np.unique(np.geomspace(1, 1000, run["grid"]).round().astype(int))
    quantiles = np.empty((len(depths), len(widths), 3))
    for column, width in enumerate(widths):
        gain = Gain("relu", int(width))
        scale = gain.scale(2.0)
        for row, depth in enumerate(depths):
            quantiles[row, column] = DepthLaw(gain, scale, int(depth)).ppf(list(_LEVELS))
    decades = quantiles / np.log(10.0)
    ratios = {0.3: "depth = 0.3 width", 1.0: "depth = width"}
    median = WidthDepthMap(
        widths, depths, decades[:, :, 1], r"$\log_{10}$ of the median of $|x_k| / |x_0|$"
    )
    plot_width_depth(median, left, levels=(-10, -3, -2, -1, -0.5, -0.25, -0.1), ratios=ratios)
    left.set_title("He's scale: median of the output", size="medium")
    spread = WidthDepthMap(
        widths,
        depths,
        decades[:, :, 2] - decades[:, :, 0],
        r"$\log_{10}$ of the 95 % over the 5 % quantile",
    )
    plot_width_depth(
        spread, right, levels=(0.25, 0.5, 1, 2, 3, 5, 10), darker="high", ratios=ratios
    )
    right.set_title("any scale: spread of the output", size="medium")
    for ax in (left, right):
        plain_ticks(ax.xaxis, (4, 8, 16, 32, 64, 128, 256, 512))
        plain_ticks(ax.yaxis, (1, 10, 100, 1000))
    return figure


SPECIFICATIONS = (
    Specification(
        "depth",
        "law of the norm of the output over depth, for five schemes",
        "docs/algorithms/depth_law.md",
        "Law of ln |x_k|/|x_0| over the depth k for ReLU networks of width 64: the ranges that "
        "hold 50, 90 and 99 % of the networks, and the median, exact. Gaussian weights of orders "
        "2, 1 and 0, orthogonal weights, and Gaussian submatrices, which make the network a "
        "linear one of width 32. Markers are the 5 %, 50 % and 95 % quantiles of {networks} "
        "simulated networks with their 99 % confidence intervals, which hold for any "
        "distribution. A smaller order turns the fan, it does not make it narrower.",
        _fan_figure,
        sizes={"networks": (1_000, 1_000), "step": (5, 20)},
    ),
    Specification(
        "phases",
        "depth against width: median and spread of the output",
        "docs/algorithms/depth_law.md",
        "ReLU networks with Gaussian weights over width and depth, exact, given that the network "
        "is alive. Left: the median of |x_k|/|x_0| under He's scale, in powers of ten. Right: the "
        "95 % quantile over the 5 % quantile, in powers of ten, which no scale changes. Below "
        "depth = 0.3 width all scales are much alike; from depth = width on the output of most "
        "networks collapses under He's scale.",
        _phase_figure,
        sizes={"grid": (32, 10)},
    ),
)
