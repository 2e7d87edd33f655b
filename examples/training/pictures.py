"""Two pictures: accuracies over rates, and the law of the size of the output.

Schemes are told apart by marker, line style and lightness, so that prints in grey and readers who
are colour-blind lose nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from .schemes import KAIMING, SCHEMES
from .sizes import HIGH, LOW, PARTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.axes import Axes

    from .analysis import Analysis
    from .experiment import Results
    from .sizes import SizeLaw

# From the colours of Okabe and Ito, which colour-blind readers tell apart; lightness differs too.
_STYLES: dict[str, dict[str, Any]] = {
    "kaiming": {"color": "#000000", "marker": "o", "linestyle": "-"},
    "fractional": {"color": "#0072b2", "marker": "s", "linestyle": "--"},
    "lyapunov": {"color": "#56b4e9", "marker": "^", "linestyle": ":"},
    "control": {"color": "#7f7f7f", "marker": "P", "linestyle": (0, (1, 1))},
    "orthogonal": {"color": "#d55e00", "marker": "D", "linestyle": "-."},
    "gsm": {"color": "#e69f00", "marker": "v", "linestyle": (0, (5, 1))},
}
_SHADES = ("0.25", "0.93", "0.6")


def draw_accuracy(results: Results, analysis: Analysis) -> Figure:
    """Return test accuracies over rates, and their differences to Kaiming's."""
    figure = Figure(figsize=(11.0, 4.8), layout="constrained", dpi=150)
    left, right = figure.subplots(1, 2)
    base = {rate: results.outcomes[KAIMING.key, rate].test for rate in results.settings.rates}

    _over_rates(left, results, lambda key, rate: results.outcomes[key, rate].test, None)
    chance = 100.0 / results.widths[-1]
    left.axhline(chance, color="0.6", linewidth=0.8)
    left.annotate(
        "chance",
        (0.0, chance),
        (4, -3),
        left.get_yaxis_transform(),
        "offset points",
        va="top",
        color="0.4",
        fontsize="small",
    )
    left.set_ylabel("test accuracy in %")
    left.set_title("median and quartiles of the seeds")

    def gain(key: str, rate: float) -> np.ndarray:
        return results.outcomes[key, rate].test - base[rate]

    right.axhline(0.0, color="0.0", linewidth=0.8)
    _over_rates(right, results, gain, analysis)
    right.set_ylabel(f"points better than {KAIMING.label}")
    right.set_title("differences of pairs; filled where significant")

    handles = [
        Line2D([], [], label=scheme.label, markersize=6, **_STYLES[scheme.key])
        for scheme in SCHEMES
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(SCHEMES), frameon=False)
    width, depth = results.settings.width, results.settings.depth
    figure.suptitle(
        f"{len(results.settings.seeds)} ReLU networks of depth {depth} and width {width} from each"
        " scheme, after training"
    )
    return figure


def _over_rates(
    ax: Axes,
    results: Results,
    values: Callable[[str, float], np.ndarray],
    analysis: Analysis | None,
) -> None:
    """Draw medians and quartiles, schemes side by side; with an analysis, all but Kaiming's."""
    rates = results.settings.rates
    shown = [scheme for scheme in SCHEMES if analysis is None or scheme is not KAIMING]
    for place, scheme in enumerate(shown):
        style = _STYLES[scheme.key]
        x = np.arange(len(rates)) + 0.1 * (place - (len(shown) - 1) / 2)
        low, middle, high = np.array(
            [np.quantile(100.0 * values(scheme.key, rate), [0.25, 0.5, 0.75]) for rate in rates]
        ).T
        ax.vlines(x, low, high, color=style["color"], linewidth=1.3)
        ax.plot(x, middle, color=style["color"], linestyle=style["linestyle"], linewidth=0.9)
        for position, rate, height in zip(x, rates, middle, strict=True):
            filled = analysis is None or analysis.kaiming[scheme.key, rate].verdict != 0
            ax.plot(
                position,
                height,
                marker=style["marker"],
                color=style["color"],
                markerfacecolor=style["color"] if filled else "white",
                markersize=6,
            )
    ax.xaxis.set_major_locator(FixedLocator(range(len(rates))))
    ax.xaxis.set_major_formatter(FixedFormatter([f"{rate:g}" for rate in rates]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("learning rate")
    for between in np.arange(len(rates) - 1) + 0.5:
        ax.axvline(between, color="0.9", linewidth=0.6)
    ax.set_xlim(-0.5, len(rates) - 0.5)
    ax.grid(visible=True, axis="y", color="0.9", linewidth=0.6)
    ax.set_axisbelow(True)


def draw_sizes(sizes: Sequence[SizeLaw], results: Results) -> Figure:
    """Return the exact law of the size of the output, and networks drawn."""
    figure = Figure(figsize=(11.0, 4.4), layout="constrained", dpi=150)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _draw_distributions(left, sizes)
    _draw_parts(right, sizes)
    width, depth = results.settings.width, results.settings.depth
    figure.suptitle(
        f"ReLU networks of depth {depth} and width {width} before training: size of the output"
    )
    return figure


def _draw_distributions(ax: Axes, sizes: Sequence[SizeLaw]) -> None:
    grid = np.logspace(-3.0, 2.5, 331)
    some = grid[::15]
    for one in sizes:
        style = _STYLES[one.scheme.key]
        ax.plot(
            grid,
            one.probability_below(grid),
            color=style["color"],
            linestyle=style["linestyle"],
            linewidth=1.5,
            label=f"{one.scheme.label}, exact",
        )
        share = np.searchsorted(np.sort(one.sizes), some, side="right") / one.sizes.size
        ax.plot(
            some,
            share,
            color=style["color"],
            marker=style["marker"],
            linestyle="none",
            markersize=5,
            markerfacecolor="white",
        )
    ax.plot(
        [],
        [],
        color="0.3",
        marker="o",
        linestyle="none",
        markersize=5,
        markerfacecolor="white",
        label=f"{sizes[0].drawn.total:,} networks drawn",
    )
    for bound in (LOW, HIGH):
        ax.axvline(bound, color="0.4", linewidth=0.8)
    ax.set_xscale("log")
    ax.set_xlim(grid[0], grid[-1])
    ax.set_ylim(0.0, 1.0)
    ax.set_xlabel("size of the output: rms of outputs / rms of inputs")
    ax.set_ylabel("probability of a size at most so large")
    ax.grid(visible=True, color="0.9", linewidth=0.6)
    ax.legend(frameon=False, fontsize="small", loc="upper left")


def _draw_parts(ax: Axes, sizes: Sequence[SizeLaw]) -> None:
    places = np.arange(len(sizes))[::-1]
    start = np.zeros(len(sizes))
    exact = np.array([one.exact for one in sizes])
    for part, name in enumerate(PARTS):
        ax.barh(
            places,
            exact[:, part],
            left=start,
            height=0.5,
            color=_SHADES[part],
            edgecolor="black",
            linewidth=0.6,
            label=name,
        )
        start += exact[:, part]
    for place, one in zip(places, sizes, strict=True):
        drawn = np.array(one.drawn.counts) / one.drawn.total
        ax.plot(
            np.cumsum(drawn)[:2],
            [place] * 2,
            linestyle="none",
            marker="o",
            color="black",
            markerfacecolor="white",
            markersize=5,
        )
        words = " / ".join(f"{100.0 * p:.1f}" for p in one.exact)
        ax.text(0.5, place + 0.29, f"{words} %", ha="center", va="bottom", fontsize="small")
    ax.set_yticks(places, [one.scheme.label for one in sizes])
    ax.set_xlim(0.0, 1.0)
    ax.set_ylim(-0.5, len(sizes) - 0.3)
    ax.set_xlabel("probability (bars exact, circles drawn)")
    ax.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, 1.12),
        ncols=len(PARTS),
        frameon=False,
        fontsize="small",
    )
