"""Curves of any kind, exact and simulated, in one pair of axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fracmoment import _validation
from fracmoment.plotting import style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

__all__ = ["Curve", "plot_curves"]

_ROLES = ("exact", "simulated", "reference")


@dataclass(frozen=True)
class Curve:
    """One curve of a picture.

    Parameters
    ----------
    label : str
        What it is, for the legend; empty for none.
    x, y : array_like of float
        Points; where y is not finite there is a gap.
    low, high : array_like of float, optional
        A band around y.
    role : {"exact", "simulated", "reference"}, optional
        A line with its band; markers, with the band behind them; or a thin grey line for what the
        others are compared with.
    look : int, optional
        Number of the colour, line style and marker: curves that belong together share it. By
        default the place of the curve.

    Examples
    --------
    >>> Curve("line", [0, 1], [1, 2]).y
    array([1., 2.])
    """

    label: str
    # Whatever becomes an array of floats, which it is afterwards.
    x: Any
    y: Any
    low: Any = None
    high: Any = None
    role: Literal["exact", "simulated", "reference"] = "exact"
    look: int | None = None

    def __post_init__(self) -> None:
        _validation.choice("role", self.role, _ROLES)
        for name in ("x", "y", "low", "high"):
            value: Any = getattr(self, name)
            if value is None:
                continue
            array = np.array(value, dtype=np.float64)
            if array.ndim != 1 or array.shape != np.shape(self.x):
                message = f"{name} must have one dimension and as many points as x, got "
                message += f"shape {array.shape}"
                raise ValueError(message)
            object.__setattr__(self, name, array)
        if (self.low is None) != (self.high is None):
            raise ValueError("low and high must be given together")


def plot_curves(
    curves: Sequence[Curve],
    ax: Axes | None = None,
    *,
    xlabel: str,
    ylabel: str,
    xscale: str = "linear",
    yscale: str = "linear",
    legend: str | None = "best",
) -> Axes:
    """Draw curves, exact ones over simulated ones.

    Parameters
    ----------
    curves : sequence of Curve
        What to draw.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    xlabel, ylabel : str
        What the axes show, with units.
    xscale, yscale : {"linear", "log"}, optional
        Scales of the axes.
    legend : str or None, optional
        Place of the legend, None for none.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> import fracmoment as fm
    >>> orders = np.linspace(0.1, 4, 40)
    >>> scales = Curve("ReLU, width 16", orders, fm.Gain("relu", 16).scale(orders))
    >>> ax = plot_curves([scales], xlabel="order s", ylabel="scale")
    >>> bool(np.all(ax.get_lines()[0].get_ydata() == scales.y))
    True
    """
    ax = style.target(ax)
    ax.set_xscale(xscale)
    ax.set_yscale(yscale)
    for place, curve in enumerate(curves):
        look = style.series(place if curve.look is None else curve.look)
        if curve.role == "reference":
            ax.plot(
                curve.x,
                curve.y,
                color=style.NEUTRAL,
                linewidth=1.0,
                linestyle=look.linestyle,
                label=curve.label or None,
                zorder=1.9,
            )
            continue
        if curve.low is not None and curve.high is not None:
            style.fill_band(ax, curve.x, curve.low, curve.high, look)
        if curve.role == "simulated":
            _draw_markers(ax, curve, look)
        else:
            style.draw_line(ax, curve.x, curve.y, look, curve.label or None)
    return style.decorate(ax, xlabel, ylabel, legend=legend)


def _draw_markers(ax: Axes, curve: Curve, look: style.Series) -> None:
    ax.plot(
        curve.x,
        curve.y,
        color=look.color,
        linestyle="none",
        marker=look.marker,
        markersize=4.5,
        markerfacecolor="white",
        # A dozen markers are enough to tell the curve from others.
        markevery=max(1, len(curve.x) // 12),
        label=curve.label or None,
        zorder=2.5,
    )
