"""Densities and distribution functions: exact ones over samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from fracmoment import _validation
from fracmoment.plotting import style
from fracmoment.plotting.bands import binomial_band

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from fracmoment._typing import FloatArray

__all__ = ["LawCurve", "plot_densities", "plot_distributions"]

# Probability beyond either end of an axis that the laws choose.
_OUTSIDE = 1e-3
_POINTS = 401
_BINS = 12


class Law(Protocol):
    """What is drawn of a law: `DepthLaw` and `Gain` have it, and SciPy's distributions."""

    def pdf(self, y: Any, /) -> Any:
        """Return the density."""

    def cdf(self, y: Any, /) -> Any:
        """Return the distribution function."""

    def ppf(self, q: Any, /) -> Any:
        """Return quantiles."""


@dataclass(frozen=True)
class LawCurve:
    """One law of a picture, and samples to compare it with.

    Parameters
    ----------
    label : str
        What it is.
    law : DepthLaw, Gain, or another law with ``pdf``, ``cdf`` and ``ppf``
        The exact law.
    samples : array_like of float, optional
        Independent samples of it.
    """

    label: str
    law: Law
    samples: FloatArray | None = None

    def __post_init__(self) -> None:
        if self.samples is not None:
            samples = np.sort(np.array(self.samples, dtype=np.float64).ravel())
            _validation.require("samples", samples, np.isfinite(samples), "finite")
            object.__setattr__(self, "samples", samples)


def plot_densities(
    laws: Sequence[LawCurve],
    ax: Axes | None = None,
    *,
    xlabel: str,
    exponential: bool = False,
    xlim: tuple[float, float] | None = None,
    bins: int = _BINS,
    legend: str | None = "best",
) -> Axes:
    """Draw densities as lines, and what samples say about them as markers with bars.

    Parameters
    ----------
    laws : sequence of LawCurve
        What to draw.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    xlabel : str
        What the laws are of.
    exponential : bool, optional
        Whether to draw the law of exp(Y) instead of that of Y: norms instead of their logarithms.
    xlim : (float, float), optional
        Ends of the axis; by default all but a thousandth of every law at either end.
    bins : int, optional
        Number of equal bins between the ends in which samples are counted.
    legend : str or None, optional
        Place of the legend, None for none.

    Returns
    -------
    matplotlib.axes.Axes
        Crosses span the bins; their height is the share of samples over the width of the bin, with
        the exact 99 % confidence interval of `binomial_band`.

    Raises
    ------
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> import fracmoment as fm
    >>> gain = fm.Gain("relu", 64)
    >>> law = fm.DepthLaw(gain, gain.scale(1), 100)
    >>> curve = LawCurve("order 1", law, law.rvs(100, rng=1))
    >>> ax = plot_densities([curve], xlabel="ln |x|")
    >>> x, y = ax.get_lines()[0].get_data()
    >>> bool(np.all(y == law.pdf(x)))
    True
    """
    ax = style.target(ax)
    low, high = _range(laws, exponential) if xlim is None else xlim
    grid = _grid(low, high)
    if exponential:
        # Close to 0 points lie as close as the law needs them.
        start = min(float(np.exp(one.law.ppf(_OUTSIDE))) for one in laws)
        grid = np.sort(np.concatenate([np.geomspace(start, high, _POINTS), grid[grid > start]]))
    for place, one in enumerate(laws):
        look = style.series(place)
        density = one.law.pdf(np.log(grid)) / grid if exponential else one.law.pdf(grid)
        style.draw_line(ax, grid, density, look, one.label)
        if one.samples is not None:
            # Bins of different laws are shifted, so that their bars stand side by side.
            width = (high - low) / bins
            shift = width * place / len(laws)
            edges = low + shift + width * np.arange(bins + (place == 0))
            samples = np.exp(one.samples) if exponential else one.samples
            counts = np.diff(np.searchsorted(samples, edges))
            _draw_shares(ax, 0.5 * (edges[1:] + edges[:-1]), counts, len(samples), width, look)
    ax.set_xlim(low, high)
    # Room for the markers of empty bins.
    top = ax.get_ylim()[1]
    ax.set_ylim(-0.02 * top, top)
    return style.decorate(ax, xlabel, "density", legend=legend)


def plot_distributions(
    laws: Sequence[LawCurve],
    ax: Axes | None = None,
    *,
    xlabel: str,
    xlim: tuple[float, float] | None = None,
    legend: str | None = "best",
) -> Axes:
    """Draw distribution functions as lines over bands that samples leave for them.

    Parameters
    ----------
    laws : sequence of LawCurve
        What to draw.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    xlabel : str
        What the laws are of.
    xlim : (float, float), optional
        Ends of the axis; by default all but a thousandth of every law at either end.
    legend : str or None, optional
        Place of the legend, None for none.

    Returns
    -------
    matplotlib.axes.Axes
        Bands are the pointwise exact 99 % confidence intervals of `binomial_band` around the
        shares of samples.

    Raises
    ------
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> import fracmoment as fm
    >>> gain = fm.Gain("relu", 64)
    >>> ax = plot_distributions([LawCurve("gain", gain)], xlabel="R")
    >>> x, y = ax.get_lines()[0].get_data()
    >>> bool(np.all(y == gain.cdf(x)))
    True
    """
    ax = style.target(ax)
    low, high = _range(laws, False) if xlim is None else xlim
    grid = _grid(low, high)
    for place, one in enumerate(laws):
        look = style.series(place)
        style.draw_line(ax, grid, one.law.cdf(grid), look, one.label)
        if one.samples is not None:
            counts = np.searchsorted(one.samples, grid, side="right")
            lower, upper = binomial_band(counts, len(one.samples))
            style.fill_band(ax, grid, lower, upper, look)
    ax.set_xlim(low, high)
    ax.set_ylim(0.0, 1.0)
    return style.decorate(ax, xlabel, "probability of at most so much", legend=legend)


def _range(laws: Sequence[LawCurve], exponential: bool) -> tuple[float, float]:
    ends = np.array([one.law.ppf(np.array([_OUTSIDE, 1.0 - _OUTSIDE])) for one in laws])
    if exponential:
        return 0.0, float(np.exp(ends).max())
    return float(ends.min()), float(ends.max())


def _grid(low: float, high: float) -> FloatArray:
    grid = np.linspace(low, high, _POINTS)
    # A norm of 0 has no logarithm; nothing is to be seen between 0 and the next point.
    return grid[1:] if low == 0.0 else grid


def _draw_shares(
    ax: Axes, places: Any, counts: Any, total: int, width: float, look: style.Series
) -> None:
    share = counts / total
    low, high = binomial_band(counts, total)
    ax.errorbar(
        places,
        share / width,
        xerr=0.5 * width,
        yerr=np.vstack([share - low, high - share]) / width,
        linestyle="none",
        marker=look.marker,
        markersize=4.5,
        markerfacecolor="white",
        color=look.color,
        elinewidth=0.8,
        zorder=2.5,
    )
