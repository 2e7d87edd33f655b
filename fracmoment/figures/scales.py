"""The scale over order and width, its limits, and its second-order approximation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fracmoment.activations import LeakyReLU
from fracmoment.expansions import leaky_relu_scale_squared, relu_scale_squared
from fracmoment.figures.specification import Run, Specification
from fracmoment.gains import Gain
from fracmoment.plotting import Curve, plot_curves
from fracmoment.plotting.style import add_legend, mark_point, new_figure, plain_ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fracmoment._typing import FloatArray

_WIDTHS = (4, 8, 16, 64)
_ORDERS = (0.0, 0.5, 1.0, 1.5)


def _scale_figure(run: Run) -> Figure:
    figure = new_figure(11.0, 4.8)
    left, right = figure.subplots(1, 2)
    orders = np.linspace(0.0, 4.0, run["points"])
    curves = []
    for look, width in enumerate(_WIDTHS):
        gain = Gain("relu", width)
        he = gain.scale(2.0)
        alive = np.asarray(gain.scale(orders, given_alive=True))
        some = orders[orders > 0.0]
        dead_too = np.asarray(gain.scale(some)) / he
        curves.append(Curve(f"d = {width}", orders, alive / he, look=look))
        curves.append(Curve("", some, dead_too, role="reference", look=look))
    plot_curves(curves, left, xlabel="order s", ylabel=r"$\sigma_s$ / He's scale", legend=None)
    left.set_title(
        "lines: given that the layer is alive; grey: dead layers included", size="medium"
    )
    left.set_ylim(0.8, 1.62)
    zeros = [Gain("relu", width).scale(0.0) / Gain("relu", width).scale(2.0) for width in _WIDTHS]
    mark_point(left, "Lyapunov scale", [0.0] * len(zeros), zeros, "o")
    mark_point(left, "He", [2.0], [1.0], "*")
    add_legend(left)

    widths = np.unique(np.geomspace(4, 4096, run["points"]).astype(int))
    gains = Gain("relu", widths)
    he = np.asarray(gains.scale(2.0))
    over_width = []
    for look, order in enumerate(_ORDERS):
        excess = np.asarray(gains.scale(order, given_alive=True)) / he - 1.0
        name = "s = 0 (Lyapunov)" if order == 0.0 else f"s = {order:g}"
        leading = 5.0 * (2.0 - order) / (8.0 * widths)
        over_width.append(Curve("", widths, leading, role="reference", look=look))
        over_width.append(Curve(name, widths, excess, look=look))
    plot_curves(
        over_width,
        right,
        xlabel="width d (units)",
        ylabel=r"$\sigma_s$ / He's scale $-$ 1",
        xscale="log",
        yscale="log",
    ).set_title(r"exact; grey: leading term $5(2-s)/(8d)$", size="medium")
    plain_ticks(right.xaxis, (4, 16, 64, 256, 1024, 4096))
    return figure


# What the programs released with [GH21] take for the squared scale of a leaky layer of order s.
def _released_leaky(width: int, order: float, slope: FloatArray) -> FloatArray:
    a2 = slope**2
    numerator = (5.0 * order - 24.0) * a2 + 10.0
    denominator = 2.0 * (order + 2.0) * a2 + 4.0
    second = (2.0 - order) * numerator / denominator / width**2
    return np.asarray(2.0 / (1.0 + a2) / width + second)


def _relative(approximate: FloatArray, exact: FloatArray) -> FloatArray:
    return np.abs(approximate / exact - 1.0)


def _expansion_figure(run: Run) -> Figure:
    figure = new_figure(11.0, 4.8)
    left, right = figure.subplots(1, 2)
    widths = np.unique(np.geomspace(4, 4096, run["points"]).astype(int))
    curves = []
    for look, order in enumerate((0.5, 1.0, 1.5)):
        exact = np.asarray(Gain("relu", widths).scale(order, given_alive=True))
        second = np.sqrt(np.asarray(relu_scale_squared(widths, order)))
        curves.append(
            Curve("", widths, _relative(np.sqrt(2.0 / widths), exact), role="reference", look=look)
        )
        curves.append(Curve(f"s = {order:g}", widths, _relative(second, exact), look=look))
    plot_curves(
        curves,
        left,
        xlabel="width d (units)",
        ylabel=r"relative error of $\sigma_s$",
        xscale="log",
        yscale="log",
    ).set_title("ReLU: second order; grey: first order (He)", size="medium")
    plain_ticks(left.xaxis, (4, 16, 64, 256, 1024, 4096))

    width = 64
    slopes = np.linspace(0.0, 1.0, run["points"])
    leaky = [float(Gain(LeakyReLU(float(a)), width).scale(1.0)) for a in slopes]
    exact = np.array(leaky)
    he = np.sqrt(2.0 / (1.0 + slopes**2) / width)
    expansion = np.sqrt(np.asarray(leaky_relu_scale_squared(width, 1.0, slopes)))
    released = np.sqrt(_released_leaky(width, 1.0, slopes))
    plot_curves(
        [
            Curve("first order (He)", slopes, _relative(he, exact), role="reference", look=0),
            Curve("second order", slopes, _relative(expansion, exact), look=0),
            Curve("second order, as released", slopes, _relative(released, exact), look=1),
        ],
        right,
        xlabel="slope a of the negative side",
        ylabel=r"relative error of $\sigma_1$",
        yscale="log",
    ).set_title(f"leaky ReLU, d = {width}, s = 1", size="medium")
    return figure


SPECIFICATIONS = (
    Specification(
        "scale",
        "the scale over order and width, between Lyapunov's and He's",
        "docs/exactness.md",
        "The scale of order s of ReLU layers over He's scale, exact. Left: over the order, for "
        "widths 4 to 64. Given that the layer is alive it tends to the Lyapunov scale, zero "
        "drift, as s tends to 0 (dots); with dead layers included, in grey, it is He's scale at s "
        "= 2 (star) and diverges at 0. Right: the excess over He's scale over the width, given "
        "that the layer is alive, with the leading term 5(2-s)/(8d) in grey.",
        _scale_figure,
        sizes={"points": (161, 33)},
    ),
    Specification(
        "expansion",
        "the second-order approximation of the scale against the exact one",
        "docs/exactness.md",
        "Relative error of approximations of the scale. Left: ReLU, the second-order expansion "
        "for orders 0.5, 1 and 1.5 over the width, and He's scale, its first order, in grey; the "
        "exact scale is given that the layer is alive. Dips are changes of sign. Right: leaky "
        "ReLU of width 64, order 1, over the slope: the expansion, and the expression in the "
        "programs released with the paper.",
        _expansion_figure,
        sizes={"points": (121, 25)},
        corrections=(
            (
                "The released expression agrees with the expansion to first order in the square "
                "of the slope only. At slope 1 it is worse than He's scale."
            ),
        ),
    ),
)
