"""Angles between signals, after one layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment.plotting.curves import Curve, plot_curves
from fracmoment.signals import MeanField, cosine_moments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from fracmoment._typing import FloatArray
    from fracmoment.gains import Gain

__all__ = ["CorrelationMap", "plot_correlation_map"]


@dataclass(frozen=True)
class CorrelationMap:
    """Mean and spread of the cosine after one layer, over the cosine before it.

    Attributes
    ----------
    label : str
        What it is.
    cosines : ndarray, shape (n,)
        Cosines of the angle between two inputs.
    mean, std : ndarray, shape (n,)
        Exact mean and standard deviation of the cosine after the layer.
    mean_field : ndarray, shape (n,)
        The limit of infinite width, where the standard deviation is 0.
    """

    label: str
    cosines: FloatArray
    mean: FloatArray
    std: FloatArray
    mean_field: FloatArray

    @classmethod
    def exact(cls, label: str, gain: Gain, cosines: Any) -> CorrelationMap:
        """Return the exact moments of `cosine_moments`, without biases.

        Examples
        --------
        >>> import fracmoment as fm
        >>> data = CorrelationMap.exact("width 4", fm.Gain("relu", 4), [0.0, 1.0])
        >>> data.mean.round(6), data.mean_field.round(6)
        (array([0.365159, 0.9375  ]), array([0.31831, 1.     ]))
        """
        values = np.array(cosines, dtype=np.float64)
        moments = cosine_moments(gain, values)
        field = MeanField(gain, 1.0).correlation_map(values, variance=1.0)
        std = np.sqrt(np.maximum(moments.variance, 0.0))
        return cls(label, values, np.asarray(moments.mean), std, np.asarray(field))


def plot_correlation_map(
    maps: Sequence[CorrelationMap], ax: Axes | None = None, *, legend: str | None = "best"
) -> Axes:
    """Draw the exact means, with one standard deviation to either side, and mean field's map.

    Parameters
    ----------
    maps : sequence of CorrelationMap
        What to draw, of one activation; mean field's map is the first one's.
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
    >>> grid = np.linspace(-1, 1, 9)
    >>> data = CorrelationMap.exact("width 16", fm.Gain("relu", 16), grid)
    >>> ax = plot_correlation_map([data])
    >>> ax.get_xlabel()
    'cosine before the layer'
    """
    first = maps[0]
    curves = [
        Curve("unchanged", first.cosines, first.cosines, role="reference", look=3),
        Curve("mean field", first.cosines, first.mean_field, look=0),
        *(
            Curve(one.label, one.cosines, one.mean, one.mean - one.std, one.mean + one.std, look=i)
            for i, one in enumerate(maps, 1)
        ),
    ]
    return plot_curves(
        curves,
        ax,
        xlabel="cosine before the layer",
        ylabel="cosine after the layer",
        legend=legend,
    )
