"""What depth does to norms: quantiles over depth, and maps over width and depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fracmoment import _validation
from fracmoment.depth import DepthLaw
from fracmoment.plotting import style

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

    from fracmoment._typing import FloatArray, IntArray
    from fracmoment.gains import Gain

__all__ = ["QuantileFan", "WidthDepthMap", "plot_quantile_fan", "plot_width_depth"]

_LEVELS = (0.005, 0.05, 0.25, 0.5, 0.75, 0.95, 0.995)


@dataclass(frozen=True)
class QuantileFan:
    """Quantiles of log(|x_k|/|x_0|) over depths, given that no layer is dead.

    Attributes
    ----------
    depths : ndarray, shape (n,)
        Depths k, increasing.
    levels : ndarray, shape (m,)
        Probabilities, increasing and symmetric around 1/2, which is one of them.
    quantiles : ndarray, shape (n, m)
        Natural logarithms.
    """

    depths: IntArray
    levels: FloatArray
    quantiles: FloatArray

    @classmethod
    def exact(
        cls, gain: Gain, sigma: float, depths: Sequence[int], levels: Sequence[float] = _LEVELS
    ) -> QuantileFan:
        """Return the exact quantiles of `DepthLaw`, for one gain and scale in all layers.

        Depth 0 is the input itself, where every logarithm is 0.

        Examples
        --------
        >>> import fracmoment as fm
        >>> gain = fm.Gain("relu", 64)
        >>> fan = QuantileFan.exact(gain, gain.scale(2), [10, 100])
        >>> fan.quantiles.shape, round(float(fan.quantiles[1, 3]), 4)
        ((2, 7), -1.9966)
        """
        probabilities = np.array(levels, dtype=np.float64)
        mirrored = probabilities.size % 2 == 1 and np.allclose(
            probabilities + probabilities[::-1], 1.0
        )
        _validation.require("levels", probabilities, mirrored, "symmetric around 1/2, with 1/2")
        rows = [
            DepthLaw(gain, sigma, int(depth)).ppf(probabilities)
            if depth
            else np.zeros(probabilities.size)
            for depth in depths
        ]
        return cls(np.array(depths), probabilities, np.array(rows))


def plot_quantile_fan(
    fan: QuantileFan, ax: Axes | None = None, *, legend: str | None = "best"
) -> Axes:
    """Draw nested ranges of the norm over depth, with its median.

    Parameters
    ----------
    fan : QuantileFan
        What to draw.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
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
    >>> gain = fm.Gain("relu", 64)
    >>> fan = QuantileFan.exact(gain, gain.scale(1), [20, 50, 100])
    >>> ax = plot_quantile_fan(fan)
    >>> bool(np.all(ax.get_lines()[0].get_ydata() == fan.quantiles[:, 3]))
    True
    """
    ax = style.target(ax)
    middle = len(fan.levels) // 2
    for ring in range(middle):
        share = 100.0 * (fan.levels[-1 - ring] - fan.levels[ring])
        shades = style.BANDS[::-1]
        ax.fill_between(
            fan.depths,
            fan.quantiles[:, ring],
            fan.quantiles[:, -1 - ring],
            color=shades[min(ring, len(shades) - 1)],
            linewidth=0,
            label=f"{share:.3g} % of networks",
        )
    ax.plot(
        fan.depths,
        fan.quantiles[:, middle],
        color=style.LAW,
        linewidth=style.LINE_WIDTH,
        label="median",
    )
    ax.set_xlim(0, fan.depths[-1])
    return style.decorate(ax, "depth k (layers)", r"$\ln(|x_k| / |x_0|)$", legend=legend)


@dataclass(frozen=True)
class WidthDepthMap:
    """Some quantity of networks over width and depth.

    Attributes
    ----------
    widths : ndarray, shape (m,)
        Widths, increasing.
    depths : ndarray, shape (n,)
        Depths, increasing.
    values : ndarray, shape (n, m)
        The quantity.
    quantity : str
        What it is, with its unit.
    """

    widths: IntArray
    depths: IntArray
    values: FloatArray
    quantity: str

    def __post_init__(self) -> None:
        shape = (len(self.depths), len(self.widths))
        if np.shape(self.values) != shape:
            message = f"values must have the shape {shape}, got {np.shape(self.values)}"
            raise ValueError(message)


def plot_width_depth(
    data: WidthDepthMap,
    ax: Axes | None = None,
    *,
    levels: Sequence[float],
    darker: Literal["low", "high"] = "low",
    ratios: Mapping[float, str] | None = None,
    legend: str | None = "lower right",
) -> Axes:
    """Draw a quantity over width and depth: shades between levels, and lines of depth/width.

    Parameters
    ----------
    data : WidthDepthMap
        What to draw.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    levels : sequence of float
        Values between which a shade is the same, increasing.
    darker : {"low", "high"}, optional
        Which values are dark.
    ratios : mapping of float to str, optional
        Ratios depth/width to mark by lines, and their labels.
    legend : str or None, optional
        Place of the legend, None for none.

    Returns
    -------
    matplotlib.axes.Axes
        Logarithmic axes.

    Raises
    ------
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> widths, depths = np.array([8, 64]), np.array([1, 10, 100])
    >>> data = WidthDepthMap(widths, depths, depths[:, None] / widths, "depth/width")
    >>> ax = plot_width_depth(data, levels=[0.3, 1.0], ratios={1.0: "k = d"})
    >>> ax.get_xscale(), ax.get_yscale()
    ('log', 'log')
    """
    ax = style.target(ax)
    from matplotlib.colors import BoundaryNorm

    ax.set_xscale("log")
    ax.set_yscale("log")
    # Every step between two levels gets the same share of the colours.
    options: dict[str, Any] = {"levels": levels, "norm": BoundaryNorm(levels, 256, extend="both")}
    shades = "cividis" if darker == "low" else "cividis_r"
    filled = ax.contourf(
        data.widths, data.depths, data.values, cmap=shades, extend="both", **options
    )
    ax.contour(
        data.widths,
        data.depths,
        data.values,
        levels=levels,
        colors="0.35",
        linestyles="solid",
        linewidths=0.5,
    )
    bar = ax.figure.colorbar(filled, ax=ax, label=data.quantity, ticks=levels)
    bar.ax.set_yticklabels([f"{level:g}" for level in levels])
    ends = np.array([data.widths[0], data.widths[-1]], dtype=np.float64)
    for place, (ratio, label) in enumerate((ratios or {}).items()):
        look = style.series(place)
        ax.plot(
            ends,
            ratio * ends,
            color="white",
            linestyle=look.linestyle,
            linewidth=style.LINE_WIDTH,
            path_effects=_outline(),
            label=label,
        )
    ax.set_xlim(data.widths[0], data.widths[-1])
    ax.set_ylim(data.depths[0], data.depths[-1])
    ax.set_xlabel("width d (units)")
    ax.set_ylabel("depth k (layers)")
    if legend is not None and ratios:
        style.add_legend(ax, legend, facecolor="0.45", labelcolor="white")
    return ax


def _outline() -> list[Any]:
    """Return a dark edge for light lines, which reads on any shade."""
    from matplotlib.patheffects import Normal, Stroke

    return [Stroke(linewidth=2.6, foreground="0.1"), Normal()]
