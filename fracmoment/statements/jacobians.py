"""Jacobians, gradients and isometry; products of Gaussian matrices."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np

import fracmoment as fm
from fracmoment import certified
from fracmoment.statements.checks import (
    agree,
    computed,
    enclosed,
    law_plot,
    means,
    same_law,
    same_numbers,
    under_law,
)
from fracmoment.statements.evidence import (
    COMPUTATION,
    IDENTITY,
    PROOF,
    STATISTICS,
    Outcome,
    Plot,
    Series,
)
from fracmoment.statements.statement import Run, Source, states

_MASKS = Source("HN20", "Jacobians of ReLU networks as products of random matrices")
_ISOMETRY = Source("BD19", "dynamical isometry")
_SUBMATRIX = Source("BD19", "Gaussian submatrix initialization")


# ---------------------------------------------------------------- masks and gradients


@states(
    "bernoulli-masks",
    "The Jacobian has the law of a product with independent masks",
    _MASKS,
    claim="The singular values of the Jacobian of a ReLU network, and |Ju| for any fixed u, have"
    " the law of those of a product in which the units that are live are chosen by fair coins,"
    " independently of the weights.",
    formula="J = D_k W_k ⋯ D_1 W_1,  D_i = diag(1(W_i x_{i-1} > 0))  ~  D_i Bernoulli(1/2);"
    "  |J u|/|u| ~ |x_k|/|x_0|",
    hypotheses="ReLU, Gaussian weights, a fixed input that is not 0, no or any biases.",
    kinds=(STATISTICS,),
)
def masks(run: Run) -> Outcome:
    """Compare singular values, and |Ju| with the law of the norm."""
    samples = run.pick(20_000, 200_000)
    d, depth, sigma = 6, 4, 0.6
    both = [
        fm.simulate_jacobian(d, sigma, depth, samples, rng=run.rng(name), masks=name, method="qr")
        for name in ("forward", "independent")
    ]
    items = [(f"singular value {i + 1}", both[0][:, i], both[1][:, i]) for i in range(4)]
    u = np.zeros(d)
    u[1] = 1.0
    products, _ = _explicit_jacobians(run, d, depth, sigma, run.pick(20_000, 100_000))
    log_norms = np.log(np.maximum(np.linalg.norm(products @ u, axis=1), 1e-300))
    log_norms[log_norms < -600.0] = -math.inf
    law = fm.DepthLaw(fm.Gain("relu", d), sigma, depth)
    return Outcome(
        [
            same_law(
                "singular values with the masks of an input and with fair coins, four layers of"
                " width 6",
                items,
            ),
            under_law(
                "|J u| of Jacobians that NumPy multiplied, u orthogonal to the input, against the"
                " law of |x_k|/|x_0|",
                [("|J u|", log_norms, _with_death(law))],
            ),
        ]
    )


def _with_death(law: fm.DepthLaw) -> Any:
    """Return the distribution function of the log-norm, -inf where dead."""
    dead = law.prob_dead()
    return lambda y: dead + (1.0 - dead) * np.asarray(law.cdf(y))


def _explicit_jacobians(
    run: Run, d: int, depth: int, sigma: float, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return Jacobians at the input e_1 of ReLU networks drawn by NumPy, and the outputs."""
    rng = np.random.default_rng(run.rng(f"explicit {d} {depth}"))
    x = np.zeros((count, d))
    x[:, 0] = 1.0
    product = np.broadcast_to(np.eye(d), (count, d, d))
    for _ in range(depth):
        weights = sigma * rng.standard_normal((count, d, d))
        h = np.einsum("nij,nj->ni", weights, x)
        x = np.maximum(h, 0.0)
        product = (h > 0.0)[:, :, np.newaxis] * (weights @ product)
    return np.asarray(product), x


@states(
    "gradient-law",
    "Back-propagated gradients follow the same gain law",
    _MASKS,
    claim="The gradient of an output with Gaussian readout, with respect to the input, has a norm"
    " with the law of a product of the same gains, and one linear gain of the input's width: what"
    " is preserved forward is preserved backward.",
    formula="|∇_x (a·x_k)| ~ σ^k R_1 ⋯ R_k |g|,  g ~ N(0, I_n),  R_i gains of ReLU layers",
    hypotheses="ReLU, Gaussian weights, readout a ~ N(0, I) independent (or of any law that signs"
    " do not change, of the same norm). For a fixed readout see fixed-readout.",
    kinds=(STATISTICS,),
)
def gradient(run: Run) -> Outcome:
    """Back-propagate through explicit networks."""
    d, depth, count = 8, 5, run.pick(20_000, 100_000)
    gain = fm.Gain("relu", d)
    sigma = gain.scale(1.0)
    products, _ = _explicit_jacobians(run, d, depth, sigma, count)
    a = np.random.default_rng(run.rng("readout")).standard_normal((count, d))
    norms = np.linalg.norm(np.einsum("nij,ni->nj", products, a), axis=1)
    with np.errstate(divide="ignore"):
        logs = np.log(norms)
    # |a| after the first mask is R_k, and so on; the last step back is a linear gain.
    law = fm.DepthLaw([gain] * depth + [fm.Gain("linear", d)], [sigma] * depth + [1.0])
    cdf = _with_death(law)
    plot = law_plot(
        "Norm of the gradient, ReLU, width 8, depth 5, s = 1", "log |gradient|",
        {"explicit networks": logs}, {"exact law": cdf},
    )  # fmt: skip
    text = "gradients of explicit ReLU networks of five layers of width 8 by NumPy"
    return Outcome([under_law(text, [("gradient", logs, cdf)])], [plot])


# ---------------------------------------------------------------- isometry


@states(
    "isometry-recursion",
    "The spread of squared singular values follows an exact recursion",
    _ISOMETRY,
    _MASKS,
    claim="The first two spectral moments of the Jacobian are exact at every width and depth, and"
    " with them the defect of dynamical isometry.",
    formula="E tr S'^2 = σ^4 (E N E(tr S)^2 + (E N^2 + E N) E tr S^2),"
    "  E(tr S')^2 = σ^4 (E N^2 E(tr S)^2 + 2 E N E tr S^2),  N ~ Bin(d, 1/2),  S = J J^T",
    hypotheses="ReLU (N = d for linear units), Gaussian weights, square layers.",
    kinds=(IDENTITY, STATISTICS),
)
def isometry(run: Run) -> Outcome:
    """Compare with the recursion in fractions, and with simulated Jacobians."""
    items = []
    sigma = Fraction(1, 4)
    for name, q in (("relu", Fraction(1, 2)), ("linear", Fraction(1))):
        for d in (2, 16):
            found = fm.jacobian_moments(d, float(sigma), 8, activation=name)
            mean = d * q
            square = mean**2 + d * q * (1 - q)
            trace, traces, powers = Fraction(d), Fraction(d * d), Fraction(d)
            for k in range(1, 9):
                trace *= sigma**2 * mean
                powers, traces = (
                    sigma**4 * (mean * traces + (square + mean) * powers),
                    sigma**4 * (square * traces + 2 * mean * powers),
                )
                for label, value, exact in (
                    ("tr S", found.trace[k], trace),
                    ("tr S^2", found.trace_of_square[k], powers),
                    ("(tr S)^2", found.square_of_trace[k], traces),
                ):
                    items.append((f"{name} {d}, layer {k}: {label}", float(value), _mpf(exact)))
    same = agree("`jacobian_moments` against the recursion in rational arithmetic", items, 13)
    measured = []
    samples = run.pick(30_000, 300_000)
    for name in ("relu", "linear"):
        d, depth, scale = 12, 3, fm.Gain(name, 12).scale(2.0)
        found = fm.jacobian_moments(d, scale, depth, activation=name)
        for method in ("chi", "qr"):
            logs = fm.simulate_jacobian(
                d, scale, depth, samples, activation=name, method=method, rng=run.rng(name + method)
            )
            squares = np.exp(2 * logs)
            label = f"{name}, {method}"
            trace = squares.sum(axis=1)
            measured.append((f"{label}: tr S", trace, float(found.trace[-1]), math.nan))
            power = (squares**2).sum(axis=1)
            measured.append((f"{label}: tr S^2", power, float(found.trace_of_square[-1]), math.nan))
            both = float(found.square_of_trace[-1])
            measured.append((f"{label}: (tr S)^2", trace**2, both, math.nan))
    text = "traces of simulated Jacobians, three layers of width 12, two methods"
    return Outcome([same, means(text, measured)], [_spectra(run)])


def _mpf(value: Fraction) -> mpmath.mpf:
    with mpmath.workdps(50):
        return mpmath.mpf(value.numerator) / value.denominator


def _spectra(run: Run) -> Plot:
    depths = list(range(1, 21))
    series = []
    for label, activation, weights in (
        ("Gaussian, ReLU", "relu", "gaussian"),
        ("Gaussian, linear", "linear", "gaussian"),
        ("orthogonal, ReLU", "relu", "orthogonal"),
    ):
        d = 16
        gain = fm.Gain(activation, d, weights=weights)
        found = fm.jacobian_moments(d, gain.scale(2.0), 20, activation=activation, weights=weights)
        series.append(Series(label, depths, np.asarray(found.spread[1:]).tolist()))
        if label == "Gaussian, ReLU":
            x, y = [1, 2, 4, 8], []
            for depth in x:
                logs = fm.simulate_jacobian(
                    d, gain.scale(2.0), depth, 20_000, rng=run.rng(f"plot {depth}")
                )
                square = np.exp(2 * logs)
                mean = float(found.trace[depth]) / d
                y.append(float((square**2).sum(axis=1).mean()) / d / mean**2 - 1.0)
            series.append(Series(f"{label}, simulated", x, y, "measured"))
    return Plot(
        "Relative variance of squared singular values, width 16", "depth k", "spread", series,
        log_y=True,
    )  # fmt: skip


@states(
    "orthogonal-isometry",
    "Orthogonal linear networks are isometries, Gaussian ones are not",
    _ISOMETRY,
    Source("SMG13", "orthogonal weights"),
    claim="The defect of isometry is 0 for orthogonal linear layers at every depth, and of order"
    " depth for Gaussian ones; for large widths their spread tends to the Fuss-Catalan value k.",
    formula="(1/d) E tr S^2 = 1 (orthogonal),  → binom(2(k+1),2)/(2k+1) = k + 1 (Gaussian, d → ∞)",
    hypotheses="Linear units, variance 1/d.",
    kinds=(COMPUTATION, STATISTICS),
)
def orthogonal(run: Run) -> Outcome:
    """Compare defects."""
    zero, limits = [], []
    for d in (2, 16, 64):
        found = fm.jacobian_moments(d, 1.0, 50, activation="linear", weights="orthogonal")
        zero.append((f"width {d}", float(found.trace_of_square[-1]) / d, 1.0))
    for k in (1, 3, 10):
        d = 10**6
        found = fm.jacobian_moments(d, d**-0.5, k, activation="linear")
        limits.append((f"depth {k}", float(found.trace_of_square[-1]) / d, fm.fuss_catalan(2, k)))
    logs = fm.simulate_jacobian(
        8, 1.0, 10, run.pick(100, 1000), activation="linear", weights="orthogonal",
        rng=run.rng("orthogonal"),
    )  # fmt: skip
    values = [("largest singular value", float(np.exp(np.max(np.abs(logs)))), 1.0)]
    rng = np.random.default_rng(run.rng("gaussian"))
    d, k, count = 6, 2, run.pick(20_000, 200_000)
    product = np.broadcast_to(np.eye(d), (count, d, d))
    for _ in range(k):
        product = (rng.standard_normal((count, d, d)) / math.sqrt(d)) @ product
    square = product @ np.swapaxes(product, 1, 2)
    exact = float(fm.jacobian_moments(d, d**-0.5, k, activation="linear").trace_of_square[-1])
    powers = (square**2).sum(axis=(1, 2))
    return Outcome(
        [
            computed("E tr S^2/d of orthogonal layers is 1 at depth 50", zero, 1e-12),
            computed("and so are all simulated singular values", values, 1e-11),
            computed("at width 10^6 the Gaussian value is the Fuss-Catalan number", limits, 1e-4),
            means(
                "E tr S^2 of products of two Gaussian 6 x 6 matrices by NumPy",
                [("tr S^2", powers, exact, math.nan)],
            ),
        ]
    )


# ---------------------------------------------------------------- Gaussian submatrix


def _integer_network(rng: np.random.Generator, half: int, depth: int) -> bool:
    """Return whether a submatrix network of integer weights is the linear network, exactly."""
    x = rng.integers(-9, 10, size=half).astype(object)
    linear, signal = x, x
    for k in range(depth):
        w = rng.integers(-9, 10, size=(half, half)).astype(object)
        linear = w @ linear
        block = np.vstack([w, -w]) if k == 0 else np.block([[w, -w], [-w, w]])
        h = block @ signal
        signal = np.where(h > 0, h, 0)
    difference = signal[:half] - signal[half:]
    return bool(np.all(difference == linear)) and bool(
        sum(v * v for v in signal) == sum(v * v for v in linear)
    )


def _reflection(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return a product of two rational Householder reflections: orthogonal, exactly."""
    result = np.array([[Fraction(int(i == j)) for j in range(n)] for i in range(n)])
    for _ in range(2):
        v = [Fraction(int(i)) for i in rng.integers(1, 9, size=n)]
        size = sum(x * x for x in v)
        mirror = np.array(
            [[Fraction(int(i == j)) - 2 * v[i] * v[j] / size for j in range(n)] for i in range(n)]
        )
        result = mirror @ result
    return result


@states(
    "submatrix-is-linear",
    "Gaussian submatrix networks are linear networks of half the width",
    _SUBMATRIX,
    Source("BFL17", "looks-linear initialization"),
    claim="A ReLU network whose weights are [[W, -W], [-W, W]], and [W; -W] in the first layer,"
    " computes the linear network of the W, exactly, for every input. Its scales are those of"
    " linear layers of half the width.",
    formula="φ(h) - φ(-h) = h,  |φ(h)|^2 + |φ(-h)|^2 = |h|^2;  σ_s(d) = σ_s^{linear}(d/2)",
    hypotheses="ReLU, even widths.",
    kinds=(IDENTITY, PROOF, STATISTICS),
)
def submatrix(run: Run) -> Outcome:
    """Compare networks in integers, scales with enclosures, Jacobians with the linear law."""
    rng = np.random.default_rng(run.rng("integers"))
    equal = same_numbers(
        "networks of integer weights, all outputs and norms, in integers of any size",
        [
            (f"half width {half}, depth {depth}", _integer_network(rng, half, depth), True)
            for half, depth in ((1, 5), (3, 10), (8, 20))
        ],
    )
    doubles = []
    for d in (4, 64):
        scheme = fm.schemes.get("gaussian_submatrix", order=1.0)
        exact = certified.scale(fm.Gain("linear", d // 2), 1)
        doubles.append((f"width {d}", exact, float(scheme.scale(d, d))))
    scales = enclosed("the scheme's scale of order 1 is the linear one at half the width", doubles)
    half, depth, sigma = 5, 4, 0.5
    samples = run.pick(20_000, 200_000)
    twin = fm.simulate_jacobian(
        half, sigma, depth, samples, activation="linear", rng=run.rng("linear")
    )
    widths = [half] + [2 * half] * depth
    logs = fm.simulate_jacobian(
        widths, sigma, None, samples, activation="relu", looks_linear=True, rng=run.rng("submatrix")
    )
    items = [(f"singular value {i + 1}", logs[:, i], twin[:, i]) for i in range(half)]
    text = "singular values of simulated submatrix networks and of linear ones of half the width"
    return Outcome([equal, scales, same_law(text, items)])


@states(
    "submatrix-isometry",
    "With an orthogonal block the ReLU network is an isometry",
    _SUBMATRIX,
    claim="If the block W is orthogonal, the submatrix network keeps every norm: it has dynamical"
    " isometry, which no ReLU network of independent weights has.",
    formula="|x_k| = |x_0|  exactly, for W^T W = I",
    hypotheses="ReLU, even widths.",
    kinds=(IDENTITY,),
)
def submatrix_isometry(run: Run) -> Outcome:
    """Take rational orthogonal matrices through ReLU layers in fractions."""
    rng = np.random.default_rng(run.rng("reflections"))
    items = []
    for n, depth in ((2, 6), (4, 4), (7, 3)):
        x = np.array([Fraction(int(v)) for v in rng.integers(-9, 10, size=n)])
        signal = x
        for k in range(depth):
            w = _reflection(rng, n)
            block = np.vstack([w, -w]) if k == 0 else np.block([[w, -w], [-w, w]])
            h = block @ signal
            signal = np.array([max(value, Fraction(0)) for value in h])
            items.append(
                (f"size {n}, layer {k + 1}", sum(v * v for v in signal), sum(v * v for v in x))
            )
    return Outcome([same_numbers("the squared norm after every layer, as a fraction", items)])


# ---------------------------------------------------------------- Lyapunov exponents


@states(
    "newman-exponents",
    "Lyapunov exponents of products of Gaussian matrices",
    Source("New86", "exact exponents of products of Gaussian matrices"),
    claim="The exponents are explicit, and the QR estimate of exponent i at depth k is unbiased,"
    " with an explicit variance.",
    formula="λ_i = log σ + (ψ((d-i+1)/2) + log 2)/2,  Var = ψ'((d-i+1)/2)/(4k)",
    hypotheses="Independent N(0, σ^2) entries, square matrices of size d.",
    kinds=(IDENTITY, STATISTICS),
)
def newman(run: Run) -> Outcome:
    """Compare with polygamma functions, and with products of matrices."""
    items = []
    with mpmath.workdps(60):
        for d in (1, 2, 9, 64):
            found = fm.lyapunov_spectrum(d, "1/3", digits=40)
            spread = fm.lyapunov_variances(d, digits=40)
            for i in range(d):
                half = mpmath.mpf(d - i) / 2
                exact = -mpmath.log(3) + (mpmath.digamma(half) + mpmath.log(2)) / 2
                items.append((f"size {d}, exponent {i + 1}", found[i], exact))
                items.append((f"size {d}, variance {i + 1}", spread[i], mpmath.psi(1, half) / 4))
        same = agree("exponents and variances to 40 digits", items, 36)
    d, depth, sigma = 8, 50, 0.4
    exact = fm.lyapunov_spectrum(d, sigma)
    spread = np.sqrt(fm.lyapunov_variances(d) / depth)
    measured, found = [], {}
    for method in ("chi", "qr"):
        rows = fm.simulate_lyapunov_spectrum(
            d, sigma, depth, run.pick(4_000, 40_000), rng=run.rng(method), method=method
        )
        found[method] = rows
        for i in range(d):
            label = f"{method}, exponent {i + 1}"
            measured.append((label, rows[:, i], float(exact[i]), float(spread[i])))
            square = (rows[:, i] - exact[i]) ** 2
            measured.append((f"{label}: variance", square, float(spread[i] ** 2), math.nan))
    index = list(range(1, d + 1))
    error = (3 * spread / math.sqrt(found["qr"].shape[0])).tolist()
    plot = Plot(
        "Lyapunov exponents, size 8, sigma = 0.4", "i", "λ_i",
        [
            Series("exact", index, exact.tolist()),
            Series("QR of products", index, found["qr"].mean(axis=0).tolist(), "measured", error),
        ],
    )  # fmt: skip
    text = "means and variances of the QR estimates at depth 50, by matrices and by chi variates"
    return Outcome([same, means(text, measured)], [plot])
