"""Claims that are false, each with a witness: of the code released with [GH21], and of readings."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np

import fracmoment as fm
from fracmoment import certified
from fracmoment.certified import Enclosure
from fracmoment.statements.checks import agree, computed, means, proved, same_numbers
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

_CODE = "the released code"


def _exact(value: Fraction) -> Enclosure:
    return Enclosure(value, value)


def _released(activation: str, fan_in: int, order: Fraction) -> Enclosure:
    """Return the scale of the released initializer for linear or ReLU layers."""
    n, s = fan_in, order
    square = Fraction(1, n) + (2 - s) / (2 * n * n)
    if activation == "relu":
        square = Fraction(2, n) + 5 * (2 - s) / (2 * n * n)
    return _exact(square).sqrt()


# ---------------------------------------------------------------- the released code


@states(
    "released-expansion",
    "The released initializer preserves the moment of order s",
    Source("GH21", f"{_CODE}, the initializer for square layers"),
    claim="The released code preserves the moment of order s. (It uses the second-order expansion"
    " instead of the exact scale.)",
    formula="E|x'|^s = E|x|^s  for  σ^2 = 2/d + 5(2-s)/(2d^2)",
    hypotheses="ReLU and linear units, square layers, s < 2. The claim is false, by an amount of"
    " order 1/d^2 a layer.",
    kinds=(PROOF,),
    false=True,
)
def released_expansion(run: Run) -> Outcome:
    """Enclose what the released scale does to the moment."""
    facts = []
    shown: dict[tuple[str, Fraction, int], float] = {}
    series: dict[str, list[float]] = {}
    widths = run.pick([2, 4, 8, 16, 64, 256], [2, 3, 4, 6, 8, 12, 16, 32, 64, 128, 256])
    for name, s in (("relu", Fraction(1, 2)), ("relu", Fraction(1)), ("linear", Fraction(1))):
        errors = []
        for d in widths:
            ratio = _released(name, d, s) / certified.scale(fm.Gain(name, d), s)
            change = ratio**s - 1
            facts.append((f"{name} {d}, order {s}", bool(change != 0) and 0 not in change))
            errors.append(abs(float(change)))
            shown[name, s, d] = float(change)
        series[f"{name}, s = {s}"] = errors
    ratio = _released("relu", 64, Fraction(4, 5)) / certified.scale(fm.Gain("relu", 64), "4/5")
    deep = float(ratio ** (Fraction(4, 5) * 20)) - 1.0
    plot = Plot(
        "Relative error of the preserved moment, one layer", "width d", "|E|x'|^s/E|x|^s - 1|",
        [Series(label, widths, y) for label, y in series.items()], True, True,
    )  # fmt: skip
    text = "the enclosure of E|x'|^s/E|x|^s under the released scale does not contain 1"
    one = {d: shown["relu", Fraction(1), d] for d in (4, 16, 64)}
    witness = (
        f"ReLU, s = 1: the moment changes by {one[4]:+.2%} a layer at width 4, {one[16]:+.3%} at"
        f" 16, {one[64]:+.4%} at 64; s = 1/2, width 4: {shown['relu', Fraction(1, 2), 4]:+.2%}."
        f" The paper's network of 20 layers of width 64, s = 0.8: {deep:+.3%} in all."
    )
    return Outcome([proved(text, facts, f"{len(facts)} enclosures")], [plot], witness)


@states(
    "released-fan-in",
    "The released initializer may put the number of inputs for the width",
    Source("GH21", f"{_CODE}, the initializer for layers that are not square"),
    claim="For a layer that is not square the released code's scale, the formula at width n_{in},"
    " preserves the moment of the root mean square.",
    formula="σ^2 = 2/n_{in} + 5(2-s)/(2 n_{in}^2)  instead of"
    "  (n_{out}/n_{in}) M_{n_{out}}(s)^{-2/s}",
    hypotheses="ReLU, s = 1, layers 64 to 10 and 400 to 64. The claim is false.",
    kinds=(PROOF,),
    false=True,
)
def released_fan_in(_run: Run) -> Outcome:
    """Enclose the error at the layers named."""
    facts, parts = [], []
    expected = {(64, 10): "0.055", (400, 64): "0.008", (784, 64): "0.008", (64, 2): "0.28"}
    for (fan_in, fan_out), size in expected.items():
        exact = certified.init_scale("relu", fan_in, fan_out, 1)
        short = 1 - _released("relu", fan_in, Fraction(1)) / exact
        least = Fraction(size) * Fraction(4, 5)
        facts.append((f"{fan_in} to {fan_out}", bool(short > least)))
        parts.append(f"{float(short):.2%} at {fan_in} to {fan_out}")
        double = fm.init_scale("relu", fan_in, fan_out, 1.0)
        near = abs(exact - double) < exact * Fraction(1, 10**15)
        facts.append((f"{fan_in} to {fan_out}: the library's scale", bool(near)))
    text = "the released scale is too small, by at least four fifths of the figures below"
    return Outcome(
        [proved(text, facts, f"{len(facts)} enclosures")],
        witness=f"ReLU, s = 1: the scale is too small by {', '.join(parts)}.",
    )


@states(
    "released-leaky",
    "The released leaky expression is the second-order expansion",
    Source("GH21", f"{_CODE}, the initializer for leaky ReLU"),
    claim="The second-order coefficient of the released code is the one of the expansion.",
    formula="((5s-24)a^2+10)/(2(s+2)a^2+4) = (5-2a^2+5a^4)/(2(1+a^2)^3)",
    hypotheses="Leaky ReLU of slope a. The claim is false: the two agree to first order in a^2"
    " only.",
    kinds=(IDENTITY,),
    false=True,
)
def released_leaky(_run: Run) -> Outcome:
    """Compare the two in rational arithmetic."""

    def released(b: Fraction, s: Fraction) -> Fraction:
        return ((5 * s - 24) * b + 10) / (2 * (s + 2) * b + 4)

    def true(b: Fraction) -> Fraction:
        return (5 - 2 * b + 5 * b * b) / (2 * (1 + b) ** 3)

    orders = [Fraction(1, 2), Fraction(1), Fraction(3, 2)]
    zero = Fraction(0)
    # Of a quotient (p + q b)/(u + v b + ...) the first coefficients are p/u and (q u - p v)/u^2.
    first = [
        (f"order {s}", ((5 * s - 24) * 4 - 10 * 2 * (s + 2)) / Fraction(16), Fraction(-2 - 15, 2))
        for s in orders
    ]
    equal = [(f"order {s}, a = 0", released(zero, s), true(zero)) for s in orders]
    differ = [
        (f"order {s}, slope {a}", released(a * a, s) != true(a * a), True)
        for s in orders
        for a in (Fraction(1, 100), Fraction(1, 5), Fraction(1, 2), Fraction(1))
    ]
    slopes = np.linspace(0.0, 1.0, 60)
    series = [
        Series("the expansion", slopes.tolist(), [float(true(Fraction(a) ** 2))
                                                  for a in slopes]),
        Series("released, s = 1", slopes.tolist(),
               [float(released(Fraction(a) ** 2, orders[1])) for a in slopes], "other"),
    ]  # fmt: skip
    plot = Plot("Second-order coefficient over 2 - s", "slope a", "coefficient", series)
    half, one = Fraction(1, 4), Fraction(1)
    witness = (
        f"s = 1: at a = 1/2 {float(released(half, one)):.4f} instead of"
        f" {float(true(half)):.4f}; at a = 1, where units are linear,"
        f" {float(released(one, one)):.2f} instead of {float(true(one)):.2f}."
    )
    return Outcome(
        [
            same_numbers("value and derivative in a^2 agree at a = 0", equal + first),
            same_numbers("and nowhere else that was tried", differ),
        ],
        [plot],
        witness,
    )


@states(
    "released-gamma-sum",
    "The exact sum of the notebooks can be evaluated as written",
    Source("GH21", f"{_CODE}, notebooks of the figures"),
    claim="The binomial sum for E R^s of ReLU layers, with gamma functions in double precision,"
    " gives the moment at every width.",
    formula="Σ_n binom(d,n) 2^{-d} Γ((n+s)/2)/Γ(n/2)",
    hypotheses="ReLU, s = 1, doubles. The claim is false from d = 343 on, where a gamma function"
    " overflows.",
    kinds=(COMPUTATION,),
    false=True,
)
def released_gamma_sum(_run: Run) -> Outcome:
    """Evaluate the sum as it stands."""
    from scipy import special

    def naive(d: int) -> float:
        n = np.arange(1, d + 1)
        with np.errstate(over="ignore", invalid="ignore"):
            terms = special.comb(d, n) / 2.0**d * special.gamma((n + 1) / 2) / special.gamma(n / 2)
            return float(terms.sum() * math.sqrt(2.0))

    good = [(f"width {d}", naive(d), fm.Gain("relu", d).moment(1.0)) for d in (30, 200, 342)]
    broken = [
        ("width 343 is infinite", math.isinf(naive(343)), True),
        ("width 344 is no number", math.isnan(naive(344)), True),
    ]
    wide = [
        (f"width {d}", fm.Gain("relu", d).moment(1.0), float(certified.moment(
            fm.Gain("relu", d), 1))) for d in (343, 344, 10**6)
    ]  # fmt: skip
    return Outcome(
        [
            computed("up to width 342 the sum is right", good, 1e-12),
            computed("then it is not", [(a, float(b), float(c)) for a, b, c in broken], 0.0),
            computed("the library at those widths, against enclosures", wide, 1e-15),
        ],
        witness="width 343: inf; width 344: nan.",
    )


@states(
    "released-figure-4",
    "The curve labelled s = 2 in the fourth figure is He's",
    Source("GH21", f"{_CODE}, notebook of figure 4"),
    claim="In the notebook of figure 4 the curve of log σ labelled s = 2 belongs to s = 2, and each"
    " point to the width on its axis.",
    formula="log σ_2(d) = log(2/d)/2",
    hypotheses="ReLU, widths 1 to 30. The claim is false: the order is set to 0.1, and the sum for"
    " entry d is that of width d + 1.",
    kinds=(PROOF,),
    false=True,
)
def released_figure(_run: Run) -> Outcome:
    """Enclose the difference of the curves."""
    facts, differences = [], []
    widths = range(1, 30)
    drawn, true = [], []
    for d in widths:
        shown = certified.scale(fm.Gain("relu", d + 1), "1/10").log()
        he = _exact(Fraction(2, d)).log() / 2
        facts.append((f"entry {d}", 0 not in (shown - he)))
        differences.append(float(shown - he))
        drawn.append(float(shown))
        true.append(float(he))
    x = list(widths)
    plot = Plot(
        "Figure 4, the curve labelled s = 2", "d", "log σ",
        [Series("s = 2", x, true), Series("as drawn", x, drawn, "other")],
    )  # fmt: skip
    text = "the enclosure of the difference between what is drawn and He's scale excludes 0"
    witness = f"entry 5: log σ is {differences[4]:+.3f} off; entry 29: {differences[28]:+.3f}"
    shown_text = f"differences of {min(differences):+.3f} to {max(differences):+.3f}"
    return Outcome([proved(text, facts, shown_text)], [plot], witness + ".")


@states(
    "released-random-walk",
    "The released random walk scheme has a drift near 0 at every width",
    Source("GH21", f"{_CODE}, the random walk scheme that it compares with"),
    Source("SA14", "the gain of zero drift, fitted"),
    claim="The released code's version of the random walk initialization keeps the drift of ReLU"
    " layers near 0.",
    formula="σ = (2/d)^{1/2} exp(1.2/(d-2.4)),  |log σ + E log R| < 1/2",
    hypotheses="ReLU, small widths. The claim is false: the formula of the source has max(d, 6) in"
    " place of d.",
    kinds=(PROOF,),
    false=True,
)
def released_random_walk(_run: Run) -> Outcome:
    """Enclose the drift at widths 2 and 3."""
    facts, parts = [], []
    for d in (2, 3):
        exponent = Fraction(12, 10) / (d - Fraction(24, 10))
        start = _exact(Fraction(2, d)).sqrt().log() + certified.log_mean(fm.Gain("relu", d))
        drift = start + exponent
        repaired = start + Fraction(12, 10) / (6 - Fraction(24, 10))
        facts.append((f"width {d}", bool(abs(drift) > Fraction(1, 2))))
        facts.append((f"width {d}, with max(d, 6)", bool(abs(repaired) < Fraction(1, 2))))
        parts.append(f"{float(drift):+.2f} at width {d} (with max(d, 6): {float(repaired):+.2f})")
    text = "the drift exceeds 1/2, and with max(d, 6) it does not"
    return Outcome(
        [proved(text, facts, f"{len(facts)} enclosures")],
        witness=f"drift given survival: {', '.join(parts)}.",
    )


# ---------------------------------------------------------------- readings that are too strong


@states(
    "dead-scale-drift",
    "Under every scale that preserves a moment, living signals decay",
    Source("GH21", "almost sure limit for ReLU"),
    claim="The drift given survival is negative under the scale of order s of ReLU layers that"
    " counts dead layers.",
    formula="log σ_s + E[log R | R > 0] < 0  for  σ_s = (E R^s)^{-1/s}",
    hypotheses="ReLU. The claim is false for narrow layers and small orders: the scale makes up for"
    " the dead ones. (The output still tends to 0 almost surely, since every network dies.)",
    kinds=(PROOF, STATISTICS),
    false=True,
)
def dead_drift(run: Run) -> Outcome:
    """Enclose the drift, and simulate."""
    facts, shown = [], []
    for d, s in ((1, Fraction(1)), (2, Fraction(1, 2)), (4, Fraction(1, 10))):
        gain = fm.Gain("relu", d)
        drift = certified.scale(gain, s).log() + certified.log_mean(gain)
        facts.append((f"width {d}, order {s}", bool(drift > 0)))
        shown.append(f"{float(drift):+.4f} at width {d}, s = {s}")
    gain = fm.Gain("relu", 2)
    sigma = gain.scale(0.5)
    y = fm.simulate_log_norms(
        gain, sigma, 3, run.pick(100_000, 1_000_000), rng=run.rng("narrow"), method="matrix"
    )
    alive = y[np.isfinite(y)] / 3
    exact = float(certified.scale(gain, "1/2").log() + certified.log_mean(gain))
    test = means(
        "the drift of the living networks of three layers of width 2 with explicit weights",
        [("drift", alive, exact, math.sqrt(gain.log_var() / 3))],
    )
    proof = proved("the enclosure of the drift is positive", facts, ", ".join(shown))
    return Outcome([proof, test], witness=f"drift {', '.join(shown)}.")


@states(
    "weights-of-equal-variance",
    "Weights of any law with the same variance preserve the same moments",
    Source("GH21", "Gaussian weights; frameworks draw truncated or uniform ones"),
    claim="Only the variance of the weights matters: uniform or truncated normal weights of the"
    " standard deviation σ_s preserve the moment of order s too.",
    formula="E|w x|^s = |x|^s  for  w = σ_s 3^{1/2} U(-1, 1)",
    hypotheses="One linear unit of one input, s = 1. The claim is false, but for s = 2.",
    kinds=(IDENTITY, STATISTICS),
    false=True,
)
def other_weights(run: Run) -> Outcome:
    """Compute and measure the moment for the two laws."""
    sigma = fm.Gain("linear", 1).scale(1.0)
    with mpmath.workdps(30):
        root = mpmath.sqrt(mpmath.pi / 2)
        uniform = root * mpmath.sqrt(3) / 2
        inside = mpmath.erf(mpmath.sqrt(2))
        density = mpmath.exp(-2) / mpmath.sqrt(2 * mpmath.pi)
        mean = (2 / mpmath.sqrt(2 * mpmath.pi) - 2 * density) / inside
        variance = 1 - 4 * density / inside
        truncated = root * mean / mpmath.sqrt(variance)
        same = agree(
            "the scale of order 1 of one linear unit is sqrt(pi/2)", [("scale", sigma, root)], 15
        )
    samples = run.pick(100_000, 1_000_000)
    measured = []
    found = {}
    for law, exact in (("uniform", uniform), ("truncated", truncated)):
        y = fm.simulate_log_norms(
            fm.Gain("linear", 1), sigma, 1, samples, rng=run.rng(law), method="matrix",
            weights=law, x0=[1.0],
        )  # fmt: skip
        found[law] = np.exp(y)
        measured.append((f"{law}, order 1", np.exp(y), float(exact), math.nan))
        measured.append((f"{law}, order 2", np.exp(2 * y), sigma**2, math.nan))
    test = means("first and second moments of simulated layers against the closed forms", measured)
    return Outcome(
        [same, test],
        witness=f"E|x'|/|x| = {float(uniform):.5f} for uniform and {float(truncated):.5f} for"
        f" truncated normal weights (measured {found['uniform'].mean():.5f} and"
        f" {found['truncated'].mean():.5f}); 1 for normal ones.",
    )


@states(
    "fixed-readout",
    "The masks are independent of the weights",
    Source("HN20", "a reading of the statement on masks that is too strong"),
    claim="The masks are independent of the weights, so that the gradient of the sum of the outputs"
    " of a ReLU layer has the mean square of independent masks.",
    formula="E|J^T 1|^2 = σ^2 n d/2  for J = D W, 1 = (1, …, 1)",
    hypotheses="One ReLU layer of n inputs and d units, Gaussian weights. The claim is false: only"
    " the laws of singular values, and of |Ju|, are those of independent masks.",
    kinds=(IDENTITY, STATISTICS),
    false=True,
)
def fixed_readout(run: Run) -> Outcome:
    """Compute the mean square for dependent masks and measure it."""
    n, d = 3, 6
    # Along the input the sum of d variables z 1(z > 0), across it sums of d/2 normals on average.
    along = d * mpmath.mpf("0.5") + d * (d - 1) / (2 * mpmath.pi)
    across = mpmath.mpf(d) / 2 * (n - 1)
    exact, claimed = float(along + across), n * d / 2
    excess = d * (d - 1) / (2 * mpmath.pi)
    same = agree(
        "the mean square for d = 6, n = 3 exceeds the claim by d(d-1)/(2 pi)",
        [("difference", along + across - mpmath.mpf(claimed), excess)],
        14,
    )
    rng = np.random.default_rng(run.rng("weights"))
    w = rng.standard_normal((run.pick(50_000, 500_000), d, n))
    gradients = ((w[:, :, 0] > 0)[:, :, np.newaxis] * w).sum(axis=1)
    squares = (gradients**2).sum(axis=1)
    measured = means(
        "the mean square in explicit layers is the exact one, not the claimed one",
        [("mean square", squares, exact, math.nan)],
    )
    return Outcome(
        [same, measured],
        witness=f"d = 6, n = 3, sigma = 1: E|J^T 1|^2 = 9 + 15/π = {exact:.4f}, claimed 9;"
        f" measured {squares.mean():.4f}.",
    )
