"""The one place that decides how pictures look.

Colours are from the palette of Okabe and Ito, which colour-blind readers tell apart. Series differ
by line style and marker too, so that pictures survive printing in grey.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

__all__ = [
    "BANDS",
    "LAW",
    "MEASURED",
    "NEUTRAL",
    "SECOND",
    "Series",
    "add_legend",
    "decorate",
    "draw_line",
    "fill_band",
    "mark_point",
    "new_figure",
    "plain_ticks",
    "require_matplotlib",
    "series",
    "target",
]

LAW = "0.15"
MEASURED = "#b2182b"
SECOND = "#2166ac"
#: Reference lines: what is not the subject of a picture.
NEUTRAL = "0.58"
#: Shades of nested ranges, the inner first.
BANDS = ("0.66", "0.78", "0.89")

LINE_WIDTH = 1.6


class Series(NamedTuple):
    """How one of several series is drawn."""

    color: str
    linestyle: Any
    marker: str


_SERIES = (
    Series("#000000", "-", "o"),
    Series("#0072b2", (0, (6, 2)), "s"),
    Series("#d55e00", (0, (6, 2, 1, 2)), "^"),
    Series("#009e73", (0, (1, 1.3)), "D"),
    Series("#cc79a7", (0, (9, 2, 1, 2, 1, 2)), "v"),
    Series("#56b4e9", (0, (3, 1)), "P"),
)


def series(index: int) -> Series:
    """Return the look of series number ``index``; there are six."""
    return _SERIES[index % len(_SERIES)]


def require_matplotlib() -> None:
    """Raise an ImportError that says how to install matplotlib, if it is missing."""
    try:
        importlib.import_module("matplotlib")
    except ImportError:
        message = "pictures need matplotlib: pip install 'fracmoment[plot]'"
        raise ImportError(message) from None


def new_figure(width: float = 6.4, height: float = 4.8) -> Figure:
    """Return an empty figure, sizes in inches, that pyplot knows nothing of."""
    require_matplotlib()
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=150, layout="constrained")


def target(ax: Axes | None) -> Axes:
    """Return the Axes to draw into: the ones given, or those of a new figure."""
    require_matplotlib()
    return new_figure().subplots() if ax is None else ax


def draw_line(ax: Axes, x: Any, y: Any, look: Series, label: str | None) -> None:
    """Draw an exact curve of a series, above what is simulated."""
    ax.plot(
        x,
        y,
        color=look.color,
        linestyle=look.linestyle,
        linewidth=LINE_WIDTH,
        label=label,
        zorder=3,
    )


def fill_band(ax: Axes, x: Any, low: Any, high: Any, look: Series) -> None:
    """Shade a band, with edges in the line style of its series, so that bands may overlap."""
    ax.fill_between(x, low, high, color=look.color, alpha=0.14, linewidth=0, zorder=1.5)
    for edge in (low, high):
        ax.plot(
            x,
            edge,
            color=look.color,
            linestyle=look.linestyle,
            linewidth=0.5,
            alpha=0.7,
            label="_edge",
            zorder=1.6,
        )


def mark_point(ax: Axes, label: str, x: Any, y: Any, marker: str) -> None:
    """Put markers on single points that have a name."""
    ax.plot(
        x,
        y,
        color="black",
        linestyle="none",
        marker=marker,
        markersize=11 if marker == "*" else 5.5,
        clip_on=False,
        label=label,
        zorder=4,
    )


def add_legend(ax: Axes, place: str = "best", **options: Any) -> None:
    """Add a legend with lines long enough to show their style."""
    look = {"fontsize": "small", "framealpha": 0.9, "edgecolor": "0.8", "handlelength": 3.2}
    settings: dict[str, Any] = look | {"loc": place} | options
    ax.legend(**settings)


def decorate(ax: Axes, xlabel: str, ylabel: str, *, legend: str | None = "best") -> Axes:
    """Label the axes, lay a light grid under the data, and put the legend at a place, if any."""
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.grid(visible=True, color="0.9", linewidth=0.6)
    ax.set_axisbelow(True)
    if legend is not None and ax.get_legend_handles_labels()[0]:
        add_legend(ax, legend)
    return ax


def plain_ticks(axis: Axis, values: Iterable[float]) -> None:
    """Put ticks at these values, written as plain numbers, and no others."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    places = list(values)
    axis.set_major_locator(FixedLocator(places))
    axis.set_major_formatter(FixedFormatter([f"{value:g}" for value in places]))
    axis.set_minor_locator(NullLocator())
