"""Tail indices: of networks over their scale, and of SGD over its step and batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fracmoment.figures.specification import Run, Specification
from fracmoment.gains import Gain
from fracmoment.plotting import Curve, binomial_band, plot_curves, plot_sgd_tail_index
from fracmoment.plotting.style import add_legend, mark_point, new_figure, plain_ticks
from fracmoment.signals import StationarySignals
from fracmoment.simulation import simulate_stationary_norms
from fracmoment.tails import power_tail, sgd_phase_diagram

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH = 16
_BIAS = 0.1
_DIMENSION = 10


def _index_figure(run: Run) -> Figure:
    figure = new_figure(11.0, 4.8)
    left, right = figure.subplots(1, 2)
    curves = []
    limits = []
    for look, width in enumerate((16, 32, 64, 256)):
        gain = Gain("relu", width)
        he = gain.scale(2.0)
        limits.append(float(gain.scale(0.0) / he))
        ratios = np.linspace(0.8, limits[-1], run["points"])
        index = np.asarray(gain.tail_index(ratios * he))
        curves.append(Curve(f"d = {width}", ratios, index, look=look))
    plot_curves(curves, left, xlabel=r"$\sigma$ / He's scale", ylabel="tail index", legend=None)
    mark_point(left, "He", [1.0], [2.0], "*")
    mark_point(left, "Lyapunov scale", limits, [0.0] * len(limits), "o")
    add_legend(left)
    left.set_ylim(0.0, 8.0)
    left.set_xlim(0.83, 1.12)

    gain = Gain("relu", _WIDTH)
    levels = np.geomspace(0.1, 1e4, run["points"])
    exact, simulated, powers = [], [], []
    for look, order in enumerate((2.0, 1.0, 0.5)):
        sigma = gain.scale(order)
        law = StationarySignals(gain, sigma, _BIAS)
        draws = np.sort(
            simulate_stationary_norms(
                gain, sigma, _BIAS, run["samples"], rng=run.rng(look), threads=run.threads
            )
        )
        count = len(draws) - np.searchsorted(draws, np.log(levels), side="right")
        low, high = binomial_band(count, len(draws))
        share = np.where(count > 0, count / len(draws), np.nan)
        tail = power_tail(gain, sigma, _BIAS)
        exact.append(Curve(f"order {order:g}", levels, np.asarray(law.sf(levels)), look=look))
        simulated.append(Curve("", levels, share, np.maximum(low, 1e-9), high, "simulated", look))
        power = np.asarray(tail.constant * levels**-tail.tail_index)
        powers.append(Curve("", levels, power, role="reference", look=look))
    plot_curves(
        [*simulated, *exact, *powers],
        right,
        xlabel="t",
        ylabel="P(|x| > t)",
        xscale="log",
        yscale="log",
    ).set_title(f"with biases of standard deviation {_BIAS:g}, d = {_WIDTH}", size="medium")
    right.set_ylim(3e-6, 2.0)
    right.set_xlim(levels[0], levels[-1])
    return figure


def _sgd_figure(run: Run) -> Figure:
    figure = new_figure(7.5, 5.4)
    ax = figure.subplots()
    steps = np.geomspace(0.05, 2.0, run["grid"])
    batches = np.unique(np.geomspace(1, 100, run["grid"]).astype(int))
    plot_sgd_tail_index(sgd_phase_diagram(steps, batches, _DIMENSION), ax)
    plain_ticks(ax.xaxis, (0.05, 0.1, 0.2, 0.5, 1.0, 2.0))
    plain_ticks(ax.yaxis, (1, 3, 10, 30, 100))
    return figure


SPECIFICATIONS = (
    Specification(
        "tail-index",
        "the tail index over the scale, and tails of networks with biases",
        "docs/algorithms/tails.md",
        "Left: the tail index of ReLU layers over their scale, exact: 2 at He's scale (star), 0 "
        "from the Lyapunov scale on (dots). Right: the stationary law of the norm in networks of "
        "width 16 with normal biases of standard deviation 0.1, for the scales of order 2, 1 and "
        "0.5. Lines are exact, thin grey lines the power law with the exact index, which is the "
        "order, and Goldie's constant; markers and bands are {samples} samples and pointwise "
        "exact 99 % confidence intervals.",
        _index_figure,
        sizes={"points": (121, 41), "samples": (100_000, 5_000)},
    ),
    Specification(
        "sgd",
        "the tail index of SGD over step and batch size",
        "docs/algorithms/sgd.md",
        "The tail index of SGD on least squares with normal data, dimension 10, over step and "
        "batch size, exact. White: SGD diverges. Lines: the stability boundary, and the steps "
        "beyond which mean and variance of the stationary law are infinite.",
        _sgd_figure,
        sizes={"grid": (60, 12)},
    ),
)
