"""Power tails: networks with biases, and stochastic gradient descent."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np

import fracmoment as fm
from fracmoment import certified
from fracmoment.statements import formulas
from fracmoment.statements.checks import (
    bounded,
    computed,
    enclosed,
    means,
    proved,
    ratios,
    same_numbers,
    theorem,
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
from fracmoment.statements.scales import QUICK_WIDTHS, SOME_WIDTHS
from fracmoment.statements.statement import Run, Source, states

_BIASED = Source("GH21", "heavy-tailed limits of networks with biases")
_GOLDIE = Source("Gol91", "implicit renewal theory, power tails of perpetuities")


# ---------------------------------------------------------------- networks with biases


@states(
    "tail-index-is-the-order",
    "The tail index of the scale of order s is exactly s",
    _BIASED,
    _GOLDIE,
    claim="The order alpha > 0 at which the moment of the norm is preserved is unique: it is the"
    " tail index, and for the scale of order s it is s.",
    formula="E(σ R)^α = 1 with α > 0  has the one solution α = s  at σ = σ_s",
    hypotheses="Negative drift, R unbounded.",
    kinds=(PROOF,),
)
def tail_index(run: Run) -> Outcome:
    """Enclose the index of enclosed scales."""
    facts, doubles = [], []
    orders = (Fraction(1, 2), Fraction(1), Fraction(9, 5), Fraction(2))
    for name in run.pick(("linear", "relu"), ("linear", "relu", "leaky_relu", "rrelu")):
        for d in run.pick((2, 64), (1, 2, 16, 64, 256)):
            for s in run.pick(orders[:2], orders):
                gain = fm.Gain(name, d)
                sigma = certified.scale(gain, s, digits=40)
                index = certified.tail_index(
                    gain, certified.Interval(sigma.lower, sigma.upper), digits=25
                )
                narrow = index.radius < mpmath.mpf(10) ** -20
                facts.append((f"{name} {d}, order {s}", s in index and bool(narrow)))
                double = gain.scale(float(s))
                exact = certified.tail_index(gain, double, digits=25)
                value = gain.tail_index(double)
                # the index of the rounded scale, which the double should have to a few ulp
                doubles.append((f"{name} {d}, order {s}", exact, value))
    return Outcome(
        [
            proved(
                "the index of the enclosed scale is an interval around s of radius below 1e-20",
                facts,
                f"{len(facts)} laws and orders",
            ),
            enclosed("`Gain.tail_index` of the double of the scale", doubles, 2.0),
        ],
        [_index_curves()],
    )


def _index_curves() -> Plot:
    orders = np.linspace(0.1, 6.0, 80)
    series = []
    for d in (8, 32, 128):
        gain = fm.Gain("relu", d)
        ratio = np.asarray(gain.scale(orders)) / math.sqrt(2 / d)
        series.append(Series(f"width {d}", ratio.tolist(), orders.tolist()))
    series.append(Series("He: index 2", [1.0, 1.0], [0.0, 6.0], "limit"))
    return Plot("Tail index against the scale, ReLU", "σ over He's scale", "tail index α", series)


@states(
    "tail-index-decreasing",
    "Larger scales have heavier tails",
    _BIASED,
    claim="The tail index decreases strictly with the scale, by at most 10(d+α)/(2+3y) for a factor"
    " of e.",
    formula="Λ'(α) > α(2+3y)/(10(d+α)),  hence  -10(d+α)/(2+3y) < dα/d log σ < 0,"
    "  Λ(s) = log E(σR)^s",
    hypotheses="Slopes 0 ≤ a ≤ 1, 1/4 ≤ α ≤ 8, the widths named below.",
    kinds=(PROOF,),
)
def tail_index_decreasing(run: Run) -> Outcome:
    """Prove the rate."""
    return Outcome([theorem("tail_index_decreasing", run.pick(QUICK_WIDTHS, SOME_WIDTHS))])


@states(
    "stationary-heavy-tail",
    "Networks with Gaussian biases have outputs of tail index s",
    _BIASED,
    _GOLDIE,
    claim="A network with Gaussian biases and the scale of order s has a stationary norm whose tail"
    " is a power, of index exactly s: half of the moments that the scale preserves without biases"
    " are infinite with them.",
    formula="|x'|^2 = (σ^2|x|^2 + σ_b^2) R^2,  P(|x| > t) t^s → C > 0",
    hypotheses="b ~ N(0, σ_b^2 I), scale of order s, negative drift.",
    kinds=(COMPUTATION, STATISTICS),
)
def stationary(run: Run) -> Outcome:
    """Follow the tail out to e^100, by tilting, and simulate the law."""
    facts, plots, tests, samples_tests = [], [], [], []
    samples = run.pick(50_000, 500_000)
    for name, order in (("relu", 1.5), ("linear", 0.8), ("leaky_relu", 2.0)):
        gain, bias = fm.Gain(name, 16), 0.1
        sigma = gain.scale(order)
        law = fm.StationarySignals(gain, sigma, bias)
        tail = fm.power_tail(gain, sigma, bias)
        facts.append((f"{name}: index", abs(tail.tail_index - order), 1e-9))
        far = (10.0, 30.0, 100.0) if order < 1.9 else (10.0, 30.0, 80.0)
        for level in far:
            estimate = fm.stationary_tail(
                gain, sigma, bias, level, n_samples=samples, rng=run.rng(f"{name} {level}")
            )
            exact = math.log(tail.constant) - order * level
            z = math.expm1(estimate.log_probability - exact) / estimate.relative_error
            tests.append((f"{name}, level e^{level:g}", z, estimate.log_probability, exact))
        y = fm.simulate_stationary_norms(gain, sigma, bias, samples, rng=run.rng(name))
        samples_tests.append((name, np.exp(y), law.cdf))
        if name == "relu":
            levels = np.geomspace(0.05, 1e6, 60)
            count = np.sort(np.exp(y))[::-1]
            ranks = np.unique(np.geomspace(1, count.size // 2, 30).astype(int))
            plots.append(
                Plot(
                    "Stationary norm, ReLU, width 16, s = 1.5", "t", "P(|x| > t)",
                    [
                        Series("exact law", levels.tolist(), np.asarray(law.sf(levels)).tolist()),
                        Series(
                            "C t^-1.5", levels[20:].tolist(),
                            np.asarray(tail.sf(levels[20:])).tolist(), "limit",
                        ),
                        Series(
                            "simulated", count[ranks - 1].tolist(), (ranks / count.size).tolist(),
                            "measured",
                        ),
                    ],
                    True, True,
                )
            )  # fmt: skip
    return Outcome(
        [
            bounded("the index of `power_tail` is s", facts),
            ratios(
                "the probability of exceeding e^10, e^30 and e^80 or e^100, by tilting, against"
                " C t^-s",
                tests,
                samples,
            ),
            under_law("stationary norms against the law from the integral equation", samples_tests),
        ],
        plots,
    )


@states(
    "explicit-biases",
    "Deep networks with biases reach the stationary law",
    _BIASED,
    Source("BD19", "joint law of signals with biases, exactly at finite width"),
    claim="The output of a network with explicit weights and biases has, at depth k, the law of the"
    " recursion of norms, and in depth the stationary law.",
    formula="|x_{k+1}|^2 = (σ^2|x_k|^2 + σ_b^2) R^2,  R independent of x_k",
    hypotheses="Gaussian weights and biases, ReLU, width 12.",
    kinds=(COMPUTATION, STATISTICS),
)
def explicit_biases(run: Run) -> Outcome:
    """Simulate explicit networks and follow the exact law to its limit."""
    gain, bias = fm.Gain("relu", 12), 0.2
    sigma = gain.scale(1.5)
    items, distances, x = [], [], [1, 2, 5, 10, 20, 50, 100, 200]
    limit = fm.StationarySignals(gain, sigma, bias)
    points = np.geomspace(1e-3, 1e3, 300)
    for depth in (1, 3, 10):
        law = fm.Signals(gain, sigma, depth, bias=bias)
        y = fm.simulate_log_norms(
            gain, sigma, depth, run.pick(20_000, 200_000), rng=run.rng(f"{depth}"),
            method="matrix", bias=bias,
        )  # fmt: skip
        items.append((f"depth {depth}", np.exp(y), law.cdf))
    for depth in x:
        law = fm.Signals(gain, sigma, depth, bias=bias)
        gap = np.asarray(law.cdf(points)) - np.asarray(limit.cdf(points))
        distances.append(float(np.max(np.abs(gap))))
    falls = [
        (f"depth {x[i + 1]}", distances[i + 1], distances[i]) for i in range(len(x) - 1)
        if distances[i] > 1e-9
    ]  # fmt: skip
    falls.append(("depth 200", distances[-1], 1e-3))
    plot = Plot(
        "Distance to the stationary law, ReLU, width 12, s = 1.5", "depth k",
        "largest difference of distribution functions", [Series("exact", x, distances)], True, True,
    )  # fmt: skip
    return Outcome(
        [
            under_law("norms in networks with explicit weights and biases, three depths", items),
            bounded("the distance of the exact law to the stationary one falls in depth", falls),
        ],
        [plot],
    )


@states(
    "goldie-constant",
    "The constant of the tail, in closed form at order 2",
    _GOLDIE,
    _BIASED,
    claim="For He's scale the constant of the power tail is the variance of the biases over that of"
    " the weights, divided by the mean of A log A.",
    formula="C = (σ_b^2/σ^2)/E[A log A],  A = (σ R)^2,  α = 2",
    hypotheses="Scale of order 2, Gaussian biases.",
    kinds=(COMPUTATION,),
)
def goldie(run: Run) -> Outcome:
    """Compare with derivatives of the moments by mpmath."""
    items, limits = [], []
    bias = 0.1
    for d in run.pick((2, 16), (1, 2, 5, 16, 40)):
        for name, moment in (("linear", formulas.chi_moment), ("relu", formulas.relu_moment)):
            gain = fm.Gain(name, d)
            with mpmath.workdps(40):
                # E[A log A] is the derivative of E A^p at p = 1; s = 2p
                h = Fraction(1, 10**12)
                mean = moment(d, 2)
                growth = [moment(d, 2 * p) / mean ** formulas.number(p) for p in (1 - h, 1 + h)]
                slope = (growth[1] - growth[0]) / (2 * formulas.number(h))
                constant = float(mpmath.mpf(bias) ** 2 * mean / slope)
            value = fm.power_tail(gain, gain.scale(2.0), bias).constant
            items.append((f"{name} {d}", value, constant))
            if d > 1:
                law = fm.StationarySignals(gain, gain.scale(2.0), bias)
                limits.append((f"{name} {d}", law.sf(1e8) * 1e16, constant))
    return Outcome(
        [
            computed("`power_tail` against the closed form", items, 1e-11),
            computed("t^2 P(|x| > t) of the exact law at t = 10^8", limits, 1e-6),
        ]
    )


# ---------------------------------------------------------------- SGD


_GSZ = Source("GSZ21", "stochastic gradient descent on least squares with Gaussian data")


@states(
    "sgd-tail-index",
    "Stochastic gradient descent has iterates of tail index alpha, h(alpha) = 1",
    _GSZ,
    claim="A step of SGD on least squares multiplies distances by a random factor whose moments are"
    " explicit; the iterates have a power tail of the index at which the moment is 1. It is 2 at a"
    " step size in closed form.",
    formula="h(s) = E((1-ηX/b)^2 + (η/b)^2 XZ)^{s/2},  X ~ χ^2_b,  Z ~ χ^2_{d-1},  h(α) = 1;"
    "  α = 2  at  η = 2b/(b+d+1)",
    hypotheses="Independent Gaussian data of dimension d, batches of b, step η.",
    kinds=(IDENTITY, COMPUTATION, STATISTICS),
)
def sgd(run: Run) -> Outcome:
    """Compare moments with explicit steps, and the closed form."""
    polynomials, closed, ones = [], [], []
    for b, d in ((1, 1), (1, 10), (10, 100), (7, 3)):
        law = fm.LeastSquaresSGD(b, d)
        # E C^2 = 1 - 2 eta + eta^2 (b + d + 1)/b
        exact = [Fraction(1), Fraction(-2), Fraction(b + d + 1, b)]
        polynomials.append((f"b = {b}, d = {d}", law.moment_polynomial(2), exact))
        step = law.critical_step(2.0)
        closed.append((f"b = {b}, d = {d}: step", step, 2 * b / (b + d + 1)))
        closed.append((f"b = {b}, d = {d}: index", law.tail_index(2 * b / (b + d + 1)), 2.0))
        for alpha in (0.7, 1.3, 3.1):
            step = law.critical_step(alpha)
            ones.append((f"b = {b}, d = {d}, index {alpha}", law.moment(step, alpha), 1.0))
            ones.append((f"b = {b}, d = {d}, index {alpha}: root", law.tail_index(step), alpha))
    measured = []
    count = run.pick(20_000, 200_000)
    rng = np.random.default_rng(run.rng("data"))
    for b, d in ((1, 3), (5, 10)):
        law = fm.LeastSquaresSGD(b, d)
        for alpha in (1.0, 1.7):
            step = law.critical_step(alpha)
            factors = _explicit_steps(rng, b, d, step, count)
            spread = math.sqrt(law.moment(step, 2 * alpha) - 1.0)
            measured.append((f"b = {b}, d = {d}, index {alpha}", factors**alpha, 1.0, spread))
    return Outcome(
        [
            same_numbers("the second moment as a polynomial in the step size", polynomials),
            computed("the step size of index 2, and the index at it", closed, 1e-12),
            computed("h(alpha) = 1 at the step size of index alpha, and back", ones, 1e-10),
            means("E C^alpha = 1 for explicit steps on Gaussian data, by NumPy", measured),
        ]
    )


def _explicit_steps(
    rng: np.random.Generator, b: int, d: int, step: float, count: int
) -> np.ndarray:
    """Return the factors of steps from a fixed unit vector, targets zero."""
    x = np.full(d, 1.0 / math.sqrt(d))
    data = rng.standard_normal((count, b, d))
    moved = x - (step / b) * np.einsum("nbd,nb->nd", data, data @ x)
    return np.asarray(np.linalg.norm(moved, axis=1))


@states(
    "sgd-monotone",
    "Larger steps and smaller batches have heavier tails",
    _GSZ,
    claim="The tail index falls with the step size and rises with the batch size, where it is at"
    " least 1.",
    formula="∂α/∂η < 0,  α(b+1) > α(b)",
    hypotheses="Independent Gaussian data; indices of at least 1.",
    kinds=(COMPUTATION,),
)
def sgd_monotone(run: Run) -> Outcome:
    """Compute the index over a grid."""
    steps = np.geomspace(0.01, 1.2, run.pick(20, 40))
    batches = np.array([1, 2, 3, 5, 10, 20, 40])
    facts, series = [], []
    for d in (2, 10, 50):
        index = np.asarray(fm.LeastSquaresSGD(batches[:, np.newaxis], d).tail_index(steps))
        for i, b in enumerate(batches):
            row = index[i][index[i] >= 1.0]
            facts += [(f"d = {d}, b = {b}", row[j + 1], row[j]) for j in range(row.size - 1)]
            if i + 1 < batches.size:
                good = index[i] >= 1.0
                pairs = zip(index[i][good], index[i + 1][good], strict=True)
                facts += [(f"d = {d}, b = {b} and next", low, high) for low, high in pairs]
            if d == 10:
                keep = index[i] > 0.1
                series.append(Series(f"b = {b}", steps[keep].tolist(), index[i][keep].tolist()))
    plot = Plot("Tail index of SGD, dimension 10", "step size", "tail index", series, True, True)
    return Outcome([bounded("neighbours on the grid are in order", facts)], [plot])
