"""Signals with biases at finite width: norms, Gram matrices, and their mean-field limit."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import mpmath
import numpy as np

import fracmoment as fm
from fracmoment.statements.checks import (
    agree,
    bounded,
    computed,
    law_plot,
    means,
    same_law,
    under_law,
)
from fracmoment.statements.evidence import (
    COMPUTATION,
    IDENTITY,
    STATISTICS,
    Evidence,
    Outcome,
    Plot,
    Series,
)
from fracmoment.statements.statement import Run, Source, states

_JOINT = Source("BD19", "joint law of signals with biases, exactly at finite width")


# ---------------------------------------------------------------- one signal


@states(
    "norm-moments",
    "Mean and variance of the squared norm with biases",
    _JOINT,
    claim="The second and the fourth moment of the norm follow an exact recursion at every width.",
    formula="E X' = (σ^2 E X + σ_b^2) E R^2,  E X'^2 = (σ^4 E X^2 + 2σ^2σ_b^2 E X + σ_b^4) E R^4,"
    "  X = |x|^2,  E R^2 = d m,  E R^4 = d E Y^2 + d(d-1) m^2",
    hypotheses="Gaussian weights and biases.",
    kinds=(IDENTITY, STATISTICS),
)
def norm_moments(run: Run) -> Outcome:
    """Compare with the recursion in fractions, and with explicit networks."""
    items = []
    sigma, bias = Fraction(1, 4), Fraction(1, 8)  # binary numbers, so that doubles are exact
    for name, m, square in (("relu", Fraction(1, 2), Fraction(3, 2)), ("linear", 1, 3)):
        for d in (2, 16):
            first, second = Fraction(1), Fraction(1)
            found = fm.norm_moments(fm.Gain(name, d), float(sigma), 10, bias=float(bias))
            fourth = np.asarray(found.variance) + np.asarray(found.mean) ** 2
            for k in range(1, 11):
                r2, r4 = d * m, d * square + d * (d - 1) * m * m
                q2 = sigma**4 * second + 2 * sigma**2 * bias**2 * first + bias**4
                first, second = (sigma**2 * first + bias**2) * r2, q2 * r4
                items.append((f"{name} {d}, layer {k}: mean", found.mean[k], _mpf(first)))
                items.append((f"{name} {d}, layer {k}: fourth", fourth[k], _mpf(second)))
    same = agree("`norm_moments` against the recursion in rational arithmetic", items, 13)
    measured = []
    samples = run.pick(200_000, 1_000_000)
    for name in ("relu", "rrelu"):
        gain, depth, scale, noise = fm.Gain(name, 24), 3, 0.25, 0.1
        found = fm.norm_moments(gain, scale, depth, bias=noise)
        for label, method in (("explicit weights", "matrix"), ("Gram matrices", "gram")):
            signals = fm.simulate_signals(
                gain, scale, depth, np.full((1, 24), 24**-0.5), samples, bias=noise,
                rng=run.rng(f"{name} {label}"), method=method,
            )  # fmt: skip
            x = np.exp(2 * signals.log_norms[:, 0])
            spread = math.sqrt(found.variance[-1])
            measured.append((f"{name}, {label}: mean", x, found.mean[-1], spread))
            second = found.variance[-1] + found.mean[-1] ** 2
            measured.append((f"{name}, {label}: second moment", x**2, second, math.nan))
    text = "moments of |x_3|^2 in networks of width 24 with biases, two methods"
    return Outcome([same, means(text, measured)])


def _mpf(value: Fraction) -> mpmath.mpf:
    with mpmath.workdps(50):
        return mpmath.mpf(value.numerator) / value.denominator


@states(
    "signal-law",
    "The law of the norm with biases, at every depth",
    _JOINT,
    claim="The norm of a signal is a Markov chain, whose law can be followed exactly.",
    formula="P(|x_k| ≤ r) by the recursion |x'|^2 = (σ^2|x|^2 + σ_b^2) R^2",
    hypotheses="Gaussian weights and biases.",
    kinds=(STATISTICS,),
)
def signal_law(run: Run) -> Outcome:
    """Hold explicit networks against the law."""
    items, plots = [], []
    for name in ("relu", "leaky_relu", "linear"):
        gain, depth, scale, noise = fm.Gain(name, 8), 5, 0.4, 0.3
        law = fm.Signals(gain, scale, depth, bias=noise)
        y = fm.simulate_log_norms(
            gain, scale, depth, run.pick(30_000, 300_000), rng=run.rng(name), method="matrix",
            bias=noise,
        )  # fmt: skip
        items.append((name, np.exp(y), law.cdf))
        if name == "relu":
            plots.append(
                law_plot(
                    "ReLU, width 8, depth 5, with biases", "|x_k|",
                    {"explicit weights": np.exp(y)}, {"exact law": law.cdf},
                )
            )  # fmt: skip
    text = "norms after five layers of width 8 with explicit weights and biases"
    return Outcome([under_law(text, items)], plots)


# ---------------------------------------------------------------- several signals


@states(
    "gram-law",
    "Mean and variance of inner products",
    _JOINT,
    Source("CS09", "kernels of arc-cosine type"),
    claim="The inner product of two signals after a layer has a mean and a variance in closed form,"
    " by the kernels k1 and k2 of the angle.",
    formula="E<x',y'> = d (q_1q_2)^{1/2} k_1(ρ),  Var<x',y'> = d q_1q_2 (k_2(ρ) - k_1(ρ)^2);"
    "  k_1 = (sin θ + (π-θ) cos θ)/(2π),  k_2 = (3 sin θ cos θ + (π-θ)(1+2cos^2θ))/(2π)  (ReLU)",
    hypotheses="Gaussian weights and biases; q_i the variances of the pre-activations, ρ = cos θ"
    " their correlation.",
    kinds=(COMPUTATION, STATISTICS),
)
def gram_law(run: Run) -> Outcome:
    """Compare kernels with the formula and with integrals, and moments with simulations."""
    items = []
    cosines = [-0.9, -0.3, 0.0, 0.5, 0.99]
    relu = fm.Gain("relu", 1)
    kernels = fm.pair_kernels(relu, cosines)
    second = np.asarray(kernels.variance) + np.asarray(kernels.mean) ** 2
    for i, c in enumerate(cosines):
        t = math.acos(c)
        k1 = (math.sin(t) + (math.pi - t) * c) / (2 * math.pi)
        k2 = (3 * math.sin(t) * c + (math.pi - t) * (1 + 2 * c * c)) / (2 * math.pi)
        items.append((f"ReLU, cosine {c}: k1", float(kernels.mean[i]), k1))
        items.append((f"ReLU, cosine {c}: k2", float(second[i]), k2))
        first, square = _polar_integrals(c, 0.2)
        leaky = fm.pair_kernels(fm.Gain(fm.LeakyReLU(0.2), 1), c)
        items.append((f"leaky ReLU, cosine {c}: k1", float(leaky.mean), first))
        items.append(
            (f"leaky ReLU, cosine {c}: k2", float(leaky.variance) + float(leaky.mean) ** 2, square)
        )
    same = computed("the kernels against the formulas, and against integrals", items, 1e-11)
    return Outcome([same, _simulated_gram(run)], [_correlation_map()])


def _polar_integrals(cosine: float, slope: float) -> tuple[float, float]:
    """Return E yz and E (yz)^2 of two leaky ReLU outputs by an integral over the direction.

    The pre-activations are r cos(a) and r cos(a - t) with a uniform and r^2 of mean 2 and second
    moment 8; between the four changes of sign the integrand is smooth, so that Gauss' rule is
    exact to rounding.
    """
    t = math.acos(cosine)
    edges = sorted(x % (2 * math.pi) for x in (math.pi / 2, -math.pi / 2, t + math.pi / 2,
                                               t - math.pi / 2))  # fmt: skip
    edges.append(edges[0] + 2 * math.pi)
    nodes, weights = np.polynomial.legendre.leggauss(40)
    first = second = 0.0
    for low, high in pairwise(edges):
        a = 0.5 * (high + low) + 0.5 * (high - low) * nodes
        w = 0.5 * (high - low) * weights / (2 * math.pi)
        y, z = np.cos(a), np.cos(a - t)
        product = np.where(y > 0, y, slope * y) * np.where(z > 0, z, slope * z)
        first += 2.0 * float(np.sum(w * product))
        second += 8.0 * float(np.sum(w * product**2))
    return first, second


def _inputs() -> np.ndarray:
    """Return three inputs of different norms and angles."""
    return np.array([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [-1.0, 0.5, 2.0]])


def _simulated_gram(run: Run) -> Evidence:
    """Hold Gram matrices after a layer against their exact moments."""
    inputs = _inputs()
    gram = inputs @ inputs.T
    measured = []
    for name in ("relu", "leaky_relu", "rrelu"):
        gain, sigma, bias = fm.Gain(name, 20), 0.3, 0.2
        exact = fm.gram_moments(gain, sigma, gram, bias=bias)
        for method in ("gram", "matrix"):
            found = fm.simulate_signals(
                gain, sigma, 1, inputs, run.pick(20_000, 200_000), bias=bias,
                rng=run.rng(f"{name} {method}"), method=method,
            ).gram()  # fmt: skip
            for i, j in ((0, 0), (0, 1), (0, 2), (1, 2)):
                mean, variance = float(exact.mean[i, j]), float(exact.variance[i, j])
                values = found[:, i, j]
                label = f"{name}, {method}, {i}{j}"
                measured.append((f"{label}: mean", values, mean, math.sqrt(variance)))
                measured.append((f"{label}: variance", (values - mean) ** 2, variance, math.nan))
    return means(
        "means and variances of inner products of three inputs after a layer of width 20 with"
        " biases, by Gram matrices and by explicit weights",
        measured,
    )


def _correlation_map() -> Plot:
    cosines = np.linspace(-1.0, 1.0, 41)
    series = []
    for d in (4, 16):
        moments = fm.cosine_moments(fm.Gain("relu", d), cosines)
        series.append(Series(f"width {d}", cosines.tolist(), np.asarray(moments.mean).tolist()))
    field = fm.MeanField(fm.Gain("relu", 100), math.sqrt(0.02))
    limit = np.asarray(field.correlation_map(cosines))
    series.append(Series("mean field", cosines.tolist(), limit.tolist(), "limit"))
    return Plot("Cosine after a ReLU layer", "cosine of the inputs", "mean cosine", series)


@states(
    "gram-chain",
    "Gram matrices are a Markov chain",
    _JOINT,
    claim="The Gram matrix of the signals after a layer depends on the past through that of the"
    " layer before alone: the chain of Gram matrices has the law of the network.",
    formula="rows (h_1, …, h_m) i.i.d. N(0, σ^2 G + σ_b^2 11^T)",
    hypotheses="Gaussian weights and biases.",
    kinds=(STATISTICS,),
)
def gram_chain(run: Run) -> Outcome:
    """Compare the two methods in law, after several layers."""
    inputs = _inputs()
    gain, depth = fm.Gain("relu", 10), 4
    both = {
        method: fm.simulate_signals(
            gain, 0.4, depth, inputs, run.pick(30_000, 300_000), bias=0.2, rng=run.rng(method),
            method=method,
        )
        for method in ("gram", "matrix")
    }  # fmt: skip
    gram, matrix = both["gram"], both["matrix"]
    items = [
        ("log-norm of input 1", gram.log_norms[:, 0], matrix.log_norms[:, 0]),
        ("log-norm of input 3", gram.log_norms[:, 2], matrix.log_norms[:, 2]),
        ("cosine 12", gram.cosines[:, 0, 1], matrix.cosines[:, 0, 1]),
        ("cosine 13", gram.cosines[:, 0, 2], matrix.cosines[:, 0, 2]),
        ("smallest eigenvalue", _least(gram.cosines), _least(matrix.cosines)),
    ]
    text = "norms, cosines and the least eigenvalue of the cosines after four layers of width 10"
    return Outcome([same_law(text, items)])


def _least(cosines: np.ndarray) -> np.ndarray:
    return np.asarray(np.linalg.eigvalsh(cosines)[:, 0])


# ---------------------------------------------------------------- mean field


@states(
    "mean-field-limit",
    "Mean field is the limit of infinite width, and what it misses is of order 1/d",
    Source("BD19", "deviations from mean field at finite width"),
    claim="The mean of the squared norm is the same at every width; its relative variance is"
    " (1 + v/(m^2 d))^k - 1 and vanishes with 1/d; so does the difference between the mean cosine"
    " and the mean-field map.",
    formula="Var|x_k|^2/(E|x_k|^2)^2 = (1 + v/(m^2 d))^k - 1,  d (E cos' - c'(cos)) → const",
    hypotheses="No biases and the scale of order 2 for the first formula, ReLU for the second.",
    kinds=(COMPUTATION, STATISTICS),
)
def mean_field(run: Run) -> Outcome:
    """Compare with the closed form and follow the difference over widths."""
    items = []
    for name, ratio in (("linear", 2.0), ("relu", 5.0)):
        for d in (4, 64, 1024):
            found = fm.norm_moments(fm.Gain(name, d), fm.Gain(name, d).scale(2.0), 50)
            for k in (1, 10, 50):
                exact = math.expm1(k * math.log1p(ratio / d))
                items.append((f"{name} {d}, depth {k}", float(found.relative_variance[k]), exact))
                items.append((f"{name} {d}, depth {k}: mean", float(found.mean[k]), 1.0))
    closed = computed("`norm_moments` against the closed form", items, 1e-11)
    cosine = 0.3
    t = math.acos(cosine)
    limit = (math.sin(t) + (math.pi - t) * cosine) / math.pi
    widths = [16, 32, 64, 128, 256, 512, 1024]
    gaps = [d * (float(fm.cosine_moments(fm.Gain("relu", d), cosine).mean) - limit) for d in widths]
    settled = [
        (f"width {widths[i + 1]}", abs(gaps[i + 1] - gaps[i]), 1.2 * abs(gaps[0]) * 16 / widths[i])
        for i in range(len(widths) - 1)
    ]
    measured = []
    for d in (8, 64):
        gain = fm.Gain("relu", d)
        moments = fm.cosine_moments(gain, cosine)
        inputs = [[1.0, 0.0], [cosine, math.sqrt(1 - cosine**2)]]
        signals = fm.simulate_signals(
            gain, gain.scale(2.0), 1, inputs, run.pick(50_000, 500_000), rng=run.rng(f"{d}"),
            method="matrix",
        )  # fmt: skip
        values = signals.cosines[:, 0, 1]
        measured.append((f"width {d}", values, float(moments.mean), math.sqrt(moments.variance)))
    plot = Plot(
        "What mean field misses, ReLU, cosine 0.3", "width d", "d times the difference of cosines",
        [Series("exact", widths, gaps)], log_x=True,
    )  # fmt: skip
    return Outcome(
        [
            closed,
            bounded("d times the difference of mean cosines settles as 1/d", settled),
            means("mean cosines in simulated layers", measured),
        ],
        [plot],
    )
