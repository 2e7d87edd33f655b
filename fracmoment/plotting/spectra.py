"""Singular values of Jacobians."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment.plotting.bands import quantile_band
from fracmoment.plotting.curves import Curve, plot_curves

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from fracmoment._typing import FloatArray

__all__ = ["Spectrum", "plot_spectra"]


@dataclass(frozen=True)
class Spectrum:
    """Medians of the ordered log singular values of random Jacobians.

    Attributes
    ----------
    label : str
        What it is.
    median, low, high : ndarray, shape (d,)
        Median of the logarithm of the i-th largest singular value, and its 99 % confidence
        interval; -inf where the singular value is 0.
    """

    label: str
    median: FloatArray
    low: FloatArray
    high: FloatArray

    @classmethod
    def of(cls, label: str, log_singular_values: Any) -> Spectrum:
        """Return the medians of what `simulate_jacobian` returns, shape (n, d), n >= 8.

        Examples
        --------
        >>> import fracmoment as fm
        >>> x = fm.simulate_jacobian(8, 0.5, 10, 101, rng=1)
        >>> spectrum = Spectrum.of("He", x)
        >>> bool(np.all(spectrum.median == np.median(x, axis=0)))
        True
        """
        values = np.asarray(log_singular_values, dtype=np.float64)
        # The middle order statistic, not the mean of two of them, of which one may be infinite.
        median = np.sort(values, axis=0)[len(values) // 2]
        return cls(label, median, *quantile_band(values, 0.5))


def plot_spectra(
    spectra: Sequence[Spectrum], ax: Axes | None = None, *, legend: str | None = "best"
) -> Axes:
    """Draw the ordered singular values, largest first, with bands around their medians.

    Parameters
    ----------
    spectra : sequence of Spectrum
        What to draw.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    legend : str or None, optional
        Place of the legend, None for none.

    Returns
    -------
    matplotlib.axes.Axes
        Singular values that are 0 are left out.

    Raises
    ------
    ImportError
        matplotlib is not installed.

    Examples
    --------
    >>> import fracmoment as fm
    >>> x = fm.simulate_jacobian(8, 8**-0.5, 10, 101, activation="linear", rng=1)
    >>> ax = plot_spectra([Spectrum.of("Gaussian", x)])
    >>> ax.get_legend().get_texts()[0].get_text()
    'Gaussian'
    """
    curves = []
    for place, one in enumerate(spectra):
        seen = np.isfinite(one.median)
        # Of a singular value that is 0 in many networks the lower end is -inf: outside.
        rank = np.arange(1, len(one.median) + 1)[seen]
        curves.append(
            Curve(
                one.label, rank, one.median[seen], one.low[seen], one.high[seen], "simulated", place
            )
        )
    return plot_curves(
        curves,
        ax,
        xlabel="i (largest first)",
        ylabel="ln of the i-th singular value",
        legend=legend,
    )
