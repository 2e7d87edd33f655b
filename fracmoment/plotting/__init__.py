"""Pictures of what the package computes.

Functions take data and an optional ``ax``, draw, and return the Axes; without ``ax`` they make a
figure of their own, ``ax.figure``. Nothing here goes through pyplot or changes the settings of
matplotlib, which is imported when a picture is asked for, so that nothing else needs it.
"""

from fracmoment.plotting.bands import binomial_band, mean_band, quantile_band
from fracmoment.plotting.curves import Curve, plot_curves
from fracmoment.plotting.depth import (
    QuantileFan,
    WidthDepthMap,
    plot_quantile_fan,
    plot_width_depth,
)
from fracmoment.plotting.distributions import LawCurve, plot_densities, plot_distributions
from fracmoment.plotting.measurements import plot_log_norms
from fracmoment.plotting.sgd import plot_sgd_tail_index
from fracmoment.plotting.signals import CorrelationMap, plot_correlation_map
from fracmoment.plotting.spectra import Spectrum, plot_spectra

__all__ = [
    "CorrelationMap",
    "Curve",
    "LawCurve",
    "QuantileFan",
    "Spectrum",
    "WidthDepthMap",
    "binomial_band",
    "mean_band",
    "plot_correlation_map",
    "plot_curves",
    "plot_densities",
    "plot_distributions",
    "plot_log_norms",
    "plot_quantile_fan",
    "plot_sgd_tail_index",
    "plot_spectra",
    "plot_width_depth",
    "quantile_band",
]
