"""Several signals at once: angles between two of them, and the Jacobian."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment.figures.specification import Run, Specification
from fracmoment.gains import Gain
from fracmoment.plotting import (
    CorrelationMap,
    Curve,
    Spectrum,
    mean_band,
    plot_correlation_map,
    plot_curves,
    plot_spectra,
)
from fracmoment.plotting.style import NEUTRAL, add_legend, new_figure, plain_ticks
from fracmoment.products import lyapunov_spectrum
from fracmoment.signals import MeanField, jacobian_moments
from fracmoment.simulation import simulate_jacobian, simulate_signals

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _correlation_figure(run: Run) -> Figure:
    figure = new_figure(11.0, 4.8)
    left, right = figure.subplots(1, 2)
    cosines = np.linspace(-1.0, 1.0, run["points"])
    maps = [CorrelationMap.exact(f"d = {d}", Gain("relu", d), cosines) for d in (64, 16, 8)]
    plot_correlation_map(maps, left)
    left.set_xlim(-1.0, 1.0)
    left.set_ylim(-0.25, 1.1)
    left.set_title("one layer: mean, ± one standard deviation", size="medium")

    depth = 30
    layers = np.arange(depth + 1)
    field = [0.0]
    for _ in range(depth):
        # The map does not depend on width or variance.
        field.append(
            float(MeanField(Gain("relu", 64), 1.0).correlation_map(field[-1], variance=1.0))
        )
    curves = [Curve("mean field", layers, 1.0 - np.array(field))]
    for look, width in ((1, 64), (4, 32), (2, 16)):
        gain = Gain("relu", width)
        inputs = np.zeros((2, width))
        inputs[0, 0] = inputs[1, 1] = 1.0
        signals = simulate_signals(
            gain,
            gain.scale(2.0),
            depth,
            inputs,
            run["networks"],
            rng=run.rng(look),
            every_layer=True,
            threads=run.threads,
        )
        # A network with a dead signal has no angle.
        alive = np.isfinite(signals.log_norms[:, -1]).all(axis=1)
        gaps = 1.0 - signals.cosines[alive, :, 0, 1]
        low, high = mean_band(gaps)
        mean = gaps.mean(axis=0)
        curves.append(Curve(f"d = {width}", layers[1:], mean, low, high, "simulated", look))
    plot_curves(
        curves, right, xlabel="depth k (layers)", ylabel=r"mean of $1 - $cosine", yscale="log"
    ).set_title("orthogonal inputs: mean over networks", size="medium")
    plain_ticks(right.yaxis, (0.01, 0.03, 0.1, 0.3, 1.0))
    return figure


# ---------------------------------------------------------------- Jacobians


def _jacobian_figure(run: Run) -> Figure:
    figure = new_figure(11.0, 4.8)
    left, right = figure.subplots(1, 2)
    width, depth = 64, 20
    # Half as many inputs as units: all that a network of submatrices can keep.
    widths = [width // 2, *[width] * depth]
    gaussian = float(Gain("relu", width).scale(2.0))
    orthogonal = float(Gain("relu", width, weights="orthogonal").scale(2.0))
    mirrored = float(Gain("linear", width // 2).scale(2.0))
    kinds: tuple[tuple[str, float, dict[str, Any]], ...] = (
        ("Gaussian (He)", gaussian, {}),
        ("orthogonal", orthogonal, {"weights": "orthogonal"}),
        ("Gaussian submatrix", mirrored, {"looks_linear": True}),
        ("orthogonal submatrix", 1.0, {"looks_linear": True, "weights": "orthogonal"}),
    )
    spectra, spreads = [], []
    layers = np.arange(1, depth + 1)
    for part, (label, sigma, options) in enumerate(kinds):
        draws = simulate_jacobian(
            widths, sigma, depth, run["networks"], rng=run.rng(part), threads=run.threads, **options
        )
        spectra.append(Spectrum.of(label, draws))
        spreads.append(
            Curve(label, layers, jacobian_moments(widths, sigma, depth, **options).spread[1:])
        )
    half = width // 2
    exponents = depth * np.asarray(lyapunov_spectrum(half, mirrored))
    plot_spectra(spectra, left, legend=None)
    left.plot(
        np.arange(1, half + 1),
        exponents,
        color=NEUTRAL,
        linewidth=1.0,
        label=f"{depth} Lyapunov exponents, d = {half}",
    )
    add_legend(left)
    left.set_title(f"singular values after {depth} layers, d = {width}", size="medium")
    plot_curves(
        spreads, right, xlabel="depth k (layers)", ylabel="spread of the squared singular values"
    )
    plain_ticks(right.xaxis, (1, 5, 10, 15, 20))
    return figure


SPECIFICATIONS = (
    Specification(
        "correlation",
        "the angle between two signals at finite width, against mean field",
        "docs/algorithms/signals.md",
        "Two inputs through ReLU layers without biases. Left: the cosine of their angle after one "
        "layer over that before it: exact mean, one standard deviation to either side, and the "
        "map of mean field, which is the limit of infinite width. Right: 1 minus the cosine over "
        "the depth for orthogonal inputs, mean of {networks} simulated networks with its 99 % "
        "confidence interval (central limit theorem), networks with a dead signal left out; "
        "narrow networks align their signals faster than mean field says.",
        _correlation_figure,
        sizes={"points": (41, 11), "networks": (2_000, 300)},
    ),
    Specification(
        "jacobian",
        "singular values of the input-output Jacobian for four kinds of weights",
        "docs/algorithms/isometry.md",
        "Jacobians of ReLU networks with 32 inputs and 20 layers of width 64, scales of order 2. "
        "Left: medians of the ordered singular values of {networks} networks, with pointwise 99 % "
        "confidence intervals that hold for any distribution; values that are 0 in half of the "
        "networks are left out. Grey: 20 times the Lyapunov exponents of Gaussian 32 x 32 "
        "matrices, what Gaussian submatrices tend to in depth. Right: the spread of the squared "
        "singular values, E tr S^2/n over (E tr S/n)^2, less 1, exact; 0 is an isometry, which "
        "orthogonal submatrices are.",
        _jacobian_figure,
        sizes={"networks": (1_001, 101)},
    ),
)
