"""The figures of [GH21] from the parameters of its released notebooks.

Its figures of training are an experiment, not a computation: see examples/training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fracmoment.activations import LeakyReLU, Linear, ReLU
from fracmoment.depth import DepthLaw
from fracmoment.figures.specification import Run, Specification
from fracmoment.gains import Gain
from fracmoment.plotting import (
    Curve,
    LawCurve,
    plot_curves,
    plot_densities,
    plot_distributions,
)
from fracmoment.plotting.style import new_figure, plain_ticks
from fracmoment.simulation import random_normal, simulate_log_norms

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fracmoment._typing import FloatArray
    from fracmoment.activations import Activation

_WIDTH = 64
_DEPTH = 100
_DEPTH_OF_MOMENTS = 500
_DRAWS_OF_MOMENTS = 500
_ORDERS_OF_MOMENTS = (2.0, 1.5, 1.0)
_SMALL_ORDERS = (0.5, 1.0, 1.5)
_WIDTHS_OF_LOGS = np.arange(30, 90)
# Standard normal inputs of width d are what a linear layer of scale 1 makes of a unit vector.
_INPUT = Gain("linear", _WIDTH)


def _layers(
    activation: Activation | str, order: float, depth: int
) -> tuple[list[Gain], list[float]]:
    """Return gains and scales of the input and of the layers after it."""
    gain = Gain(activation, _WIDTH)
    return [_INPUT, *[gain] * depth], [1.0, *[gain.scale(order)] * depth]


# ---------------------------------------------------------------- figure 1


def _entry_norms(run: Run, alphas: FloatArray) -> FloatArray:
    """Return (mean |x_i|^alpha)^(1/alpha) under He's scale, a row for each repetition."""
    gains, scales = _layers("relu", 2.0, _DEPTH_OF_MOMENTS - 1)
    count = run["repetitions"] * _DRAWS_OF_MOMENTS
    log_norms = simulate_log_norms(gains, scales, None, count, rng=run.rng(0), threads=run.threads)
    by_run = log_norms.reshape(run["repetitions"], _DRAWS_OF_MOMENTS)
    # The last layer in full, since the moments are those of its entries.
    last = Gain("relu", _WIDTH).scale(2.0)
    step = alphas[1] - alphas[0]
    rows = []
    for part, norms in enumerate(by_run):
        shape = (_DRAWS_OF_MOMENTS, _WIDTH)
        units = random_normal(shape, rng=run.rng(1 + part), threads=run.threads)
        entries = np.maximum(last * np.exp(norms)[:, None] * units, 0.0)
        power, factor = entries ** alphas[0], entries**step
        means = []
        for _ in alphas:
            means.append(power.mean())
            power *= factor
        rows.append(np.array(means) ** (1.0 / alphas))
    return np.array(rows)


def _exact_entry_norms(order: float, alphas: FloatArray) -> FloatArray:
    gains, scales = _layers("relu", order, _DEPTH_OF_MOMENTS - 1)
    moments = np.asarray(DepthLaw(gains, scales).moment(alphas))
    # The last layer, one unit of it.
    unit = np.asarray(Gain("relu", 1).moment(alphas))
    return np.asarray((moments * unit) ** (1.0 / alphas) * scales[-1])


def _figure_1(run: Run) -> Figure:
    figure = new_figure(11.0, 4.8)
    left, right = figure.subplots(1, 2)
    alphas = np.linspace(1.0, 3.0, 21)
    he = _entry_norms(run, alphas)
    low, high = np.quantile(he, [0.005, 0.995], axis=0)
    gain = Gain("relu", _WIDTH)
    simulated, exact = [], []
    for look, order in enumerate(_ORDERS_OF_MOMENTS):
        ratio = (gain.scale(order) / gain.scale(2.0)) ** _DEPTH_OF_MOMENTS
        simulated.append(
            Curve("", alphas, ratio * he[0], ratio * low, ratio * high, "simulated", look)
        )
        exact.append(Curve(f"s = {order:g}", alphas, _exact_entry_norms(order, alphas), look=look))
    plot_curves(
        [*simulated, *exact],
        left,
        xlabel=r"$\alpha$",
        ylabel=r"$(E\,|x_i|^\alpha)^{1/\alpha}$, entries of the output",
        yscale="log",
    ).set_title("lines: exact; markers: 500 draws; bands: 99 % of repetitions", size="medium")
    plain_ticks(left.xaxis, (1.0, 1.5, 2.0, 2.5, 3.0))
    _plot_excess(right, squared=True)
    return figure


def _plot_excess(ax: Axes, *, squared: bool) -> None:
    """Draw how much the scale of order s exceeds He's, squared or not, with the leading term."""
    widths = _WIDTHS_OF_LOGS
    curves = []
    for look, order in enumerate(_SMALL_ORDERS):
        scale = np.asarray(Gain("relu", widths).scale(order))
        term = 5.0 * (2.0 - order) / (2.0 * widths**2)
        excess = scale**2 - 2.0 / widths if squared else scale - np.sqrt(2.0 / widths)
        leading = term if squared else term / (2.0 * np.sqrt(2.0 / widths))
        curves.append(Curve("", widths, leading, role="reference", look=look))
        curves.append(Curve(f"s = {order:g}", widths, excess, look=look))
    name = r"$\sigma_s^2 - 2/d$" if squared else r"$\sigma_s - \sqrt{2/d}$"
    plot_curves(
        curves, ax, xlabel="width d (units)", ylabel=name, xscale="log", yscale="log"
    ).set_title("exact; grey: leading term in 1/d", size="medium")
    plain_ticks(ax.xaxis, range(30, 100, 10))
    plain_ticks(ax.yaxis, (0.0002, 0.0005, 0.001, 0.002, 0.005))


# ---------------------------------------------------------------- figures 2, 5 and 6


def _laws(run: Run, activation: Activation, part: int) -> list[LawCurve]:
    """Return the laws of log |x| after the layers for s = 2 and 1, with the paper's few draws."""
    laws = []
    known = "LeCun" if activation == Linear() else "He"
    for order, label in ((2.0, f"s = 2 ({known})"), (1.0, "s = 1")):
        gains, scales = _layers(activation, order, _DEPTH)
        draws = simulate_log_norms(
            gains,
            scales,
            None,
            run["draws"],
            rng=run.rng(part),
            method="matrix",
            threads=run.threads,
        )
        laws.append(LawCurve(label, DepthLaw(gains, scales), draws))
    return laws


_LOG_NORM = "ln |x|, norm of the output"


def _figure_2(run: Run) -> Figure:
    figure = new_figure(11.0, 4.6)
    left, right = figure.subplots(1, 2)
    laws = _laws(run, ReLU(), 0)
    plot_densities(laws, left, xlabel=_LOG_NORM)
    plot_distributions(laws, right, xlabel=_LOG_NORM)
    return figure


_LEAKY = "leaky ReLU, slope 0.01"
_ACTIVATIONS: dict[str, Activation] = {
    "linear": Linear(),
    "ReLU": ReLU(),
    _LEAKY: LeakyReLU("0.01"),
}


def _figure_5(run: Run) -> Figure:
    figure = new_figure(11.0, 8.4)
    axes = figure.subplots(2, 2)
    for row, name in enumerate(("linear", _LEAKY)):
        laws = _laws(run, _ACTIVATIONS[name], row)
        plot_densities(laws, axes[row, 0], xlabel=_LOG_NORM).set_title(name, size="medium")
        plot_distributions(laws, axes[row, 1], xlabel=_LOG_NORM).set_title(name, size="medium")
    return figure


def _figure_6(run: Run) -> Figure:
    figure = new_figure(13.0, 4.4)
    ends = {"linear": 40.0, "ReLU": 25.0, _LEAKY: 25.0}
    for part, (ax, name) in enumerate(zip(figure.subplots(1, 3), _ACTIVATIONS, strict=True)):
        plot_densities(
            _laws(run, _ACTIVATIONS[name], part),
            ax,
            xlabel="|x|, norm of the output",
            exponential=True,
            xlim=(0.0, ends[name]),
            bins=16,
        ).set_title(name, size="medium")
    return figure


# ---------------------------------------------------------------- figure 4


def _figure_4(_run: Run) -> Figure:
    figure = new_figure(13.0, 4.6)
    left, middle, right = figure.subplots(1, 3)
    widths = np.arange(1, 31)
    released = np.asarray(Gain("relu", widths).scale(0.1))
    curves = [
        Curve("released as s = 2", widths - 1, released, role="reference", look=1),
        *(
            Curve(
                f"s = {order:g}", widths, np.asarray(Gain("relu", widths).scale(order)), look=look
            )
            for look, order in enumerate((0.5, 1.0, 1.5, 2.0))
        ),
    ]
    plot_curves(curves, left, xlabel="width d (units)", ylabel=r"$\sigma_s$", yscale="log")
    left.set_ylim(0.22, 7.0)
    left.set_xlim(0, 30.5)
    plain_ticks(left.yaxis, (0.3, 0.5, 1.0, 2.0, 5.0))
    orders = np.linspace(0.01, 2.0, 200)
    by_order = [
        Curve(f"d = {width}", orders, np.asarray(Gain("relu", width).scale(orders)))
        for width in (30, 40, 50)
    ]
    plot_curves(by_order, middle, xlabel="order s", ylabel=r"$\sigma_s$").set_ylim(top=0.285)
    _plot_excess(right, squared=False)
    return figure


SPECIFICATIONS = (
    Specification(
        "paper-fig1",
        "moments of the entries of the output, and the excess of the scale over He's",
        "[GH21] figure 1",
        "Left: the alpha-th root of the alpha-th moment of the entries after 500 ReLU layers of "
        "width 64, standard normal inputs, scales of order 2, 1.5 and 1. Lines are exact. Markers "
        "are the experiment of the paper, 500 networks, all entries pooled; bands hold the middle "
        "99 % of {repetitions} repetitions of it, at each alpha. The scales share their networks, "
        "as in the notebook, so that curves differ by a factor only. Right: by how much the "
        "squared scale exceeds He's 2/d, for widths 30 to 89 and orders 0.5, 1 and 1.5, exact, "
        "with the leading term 5(2-s)/(2d^2) in grey.",
        _figure_1,
        sizes={"repetitions": (1000, 100)},
        corrections=(
            (
                "500 networks cannot show these moments, which rare large networks carry. The "
                "released picture ends at about 40 for order 1 and alpha = 3, where the exact "
                "value is 21,339; hence the exact lines and the logarithmic axis."
            ),
            (
                "The notebook takes the second-order approximation of the scale. Through 500 "
                "layers it keeps 0.911 of the first moment for order 1; here the scale is exact."
            ),
        ),
    ),
    Specification(
        "paper-fig2",
        "law of the norm of the output of a ReLU network",
        "[GH21] figure 2",
        "Density and distribution function of ln |x| after 100 ReLU layers of width 64, standard "
        "normal inputs, for He's scale and the scale of order 1. Lines are exact. Crosses are "
        "shares of {draws} networks with explicit weights, as many as in the paper, over bins as "
        "wide as the cross, with the exact 99 % confidence interval of each bin; bands are the "
        "pointwise exact 99 % confidence intervals of the distribution function. Both scales "
        "share their networks, as in the notebook.",
        _figure_2,
        sizes={"draws": (100, 100)},
        corrections=(
            (
                "The released picture shows kernel estimates of 100 draws, whose shoulders are "
                "noise, and the approximate scale, which loses 2 % of the first moment in 100 "
                "layers."
            ),
        ),
    ),
    Specification(
        "paper-fig4",
        "the scale over width and order",
        "[GH21] figure 4",
        "The scale of ReLU layers, exact. Left: over widths 1 to 30, on a logarithmic axis, for "
        "orders 0.5, 1, 1.5 and 2. Middle: over orders from 0.01 to 2 for widths 30, 40 and 50. "
        "Right: by how much it exceeds He's (2/d)^(1/2), for widths 30 to 89, with the leading "
        "term in grey.",
        _figure_4,
        corrections=(
            (
                "The curve that the notebook labels s = 2 is computed with s = 0.1, and its "
                "widths are one too small; the grey line on the left is that curve, as released, "
                "and the dotted one is s = 2."
            ),
        ),
    ),
    Specification(
        "paper-fig5",
        "law of the norm of the output of linear and leaky ReLU networks",
        "[GH21] figure 5",
        "Density and distribution function of ln |x| after 100 layers of width 64, standard "
        "normal inputs, for the scales of order 2 and 1: linear layers above, leaky ReLU of slope "
        "0.01 below. Lines are exact, crosses and bands are {draws} networks with explicit "
        "weights, see paper-fig2.",
        _figure_5,
        sizes={"draws": (100, 100)},
        corrections=(
            (
                "Kernel estimates and approximate scales, as in paper-fig2. The notebook's "
                "expression for leaky ReLU agrees with the right one to first order in the square "
                "of the slope only, which does not matter at 0.01 (see expansion)."
            ),
        ),
    ),
    Specification(
        "paper-fig6",
        "density of the norm of the output, not of its logarithm",
        "[GH21] figure 6",
        "Density of the norm |x| itself after 100 layers of width 64, standard normal inputs, for "
        "the scales of order 2 and 1. Lines are exact; crosses are shares of {draws} networks "
        "with explicit weights over bins as wide as the cross, with the exact 99 % confidence "
        "interval of each bin. Where a density is steep its mean over a bin is not its value in "
        "the middle.",
        _figure_6,
        sizes={"draws": (100, 100)},
        corrections=(
            (
                "The released kernel estimates give negative norms a positive density, and He's "
                "peak next to 0 a height of about 0.26 for ReLU layers, where it is 0.73."
            ),
        ),
    ),
)
