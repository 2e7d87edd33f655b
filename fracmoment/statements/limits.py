"""Limits in depth: convergence, death, log-normality, large deviations, small outputs."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath
import numpy as np

import fracmoment as fm
from fracmoment import certified
from fracmoment.statements import formulas
from fracmoment.statements.checks import (
    agree,
    bounded,
    computed,
    counted,
    enclosed,
    law_plot,
    means,
    proved,
    ratios,
    theorem,
    under_law,
)
from fracmoment.statements.evidence import (
    COMPUTATION,
    IDENTITY,
    PROOF,
    STATISTICS,
    Evidence,
    Outcome,
    Plot,
    Series,
)
from fracmoment.statements.scales import QUICK_WIDTHS, SOME_WIDTHS
from fracmoment.statements.statement import Run, Source, states

METHODS = ("norm", "vector", "matrix")
_DEPTHS = [1, 2, 3, 5, 10, 20, 50, 100, 300, 1000]


# ---------------------------------------------------------------- almost sure limit


@states(
    "almost-sure-limit",
    "The output tends to 0 almost surely, though a moment is preserved",
    Source("GH21", "almost sure limit of the network's output"),
    claim="Under the scale of every order s > 0 the drift is negative, at most"
    " -(2+3y)s/(10(d+s)): the norm decays exponentially along almost every network, while its"
    " moment of order s stays constant. The rate of decay is the drift.",
    formula="(1/k) log|x_k| → μ = log σ_s + E log R < 0  almost surely",
    hypotheses="Slopes a > 0; for ReLU everything given survival, and the scale that is given"
    " survival (the one that counts dead layers can have a positive drift, see"
    " dead-scale-drift). 1/4 ≤ s ≤ 8, the widths named below.",
    kinds=(PROOF, STATISTICS),
)
def almost_sure(run: Run) -> Outcome:
    """Prove that the drift is negative, and simulate very deep networks."""
    widths = run.pick(QUICK_WIDTHS, SOME_WIDTHS)
    gain, s = fm.Gain("leaky_relu", 16), 1.0
    sigma = gain.scale(s)
    drift = fm.drift(gain, sigma)
    exact = certified.scale(gain, 1).log() + certified.log_mean(gain)
    depth, samples = 10_000, run.pick(2_000, 20_000)
    measured, series = [], []
    for method in ("norm", "vector"):
        y = fm.simulate_log_norms(gain, sigma, depth, samples, rng=run.rng(method), method=method)
        spread = math.sqrt(gain.log_var() / depth)
        measured.append((method, y / depth, float(exact), spread))
    paths = _paths(gain, sigma, run)
    x = list(range(0, 1001, 10))
    for i, path in enumerate(paths):
        series.append(Series(f"network {i + 1}", x, path, "other"))
    series.append(Series("drift", [0, 1000], [0.0, 1000 * drift], "limit"))
    plot = Plot(
        "Three networks of 1000 layers, leaky ReLU, width 16, s = 1", "depth k",
        "log(|x_k|/|x_0|)", series,
    )  # fmt: skip
    return Outcome(
        [
            theorem("drift_negative", widths),
            theorem("drift_negative_alive", widths),
            theorem("he_exponent_negative", run.pick(range(1, 65), range(1, 257))),
            theorem("he_exponent_negative_alive", run.pick(range(1, 65), range(1, 257))),
            proved(
                "`fm.drift` is in the enclosure of log sigma_s + E log R, up to rounding",
                [("drift", bool(abs(exact - drift) < Fraction(1, 10**15)))],
                f"{drift:.6f}",
            ),
            means(
                f"(1/k) log|x_k|/|x_0| at depth {depth} of leaky ReLU layers of width 16 has the"
                " drift as its mean",
                measured,
            ),
        ],
        [plot],
    )


def _paths(gain: fm.Gain, sigma: float, run: Run) -> list[list[float]]:
    """Return the log-norms of three networks after every tenth layer."""
    r = fm.random_gain(gain, (3, 1000), rng=run.rng("paths"))
    logs = np.cumsum(np.log(sigma * r), axis=1)
    return [[0.0, *row[9::10].tolist()] for row in logs]


@states(
    "death-probability",
    "Dead ReLU networks",
    Source("GH21", "almost sure limit for ReLU"),
    claim="A ReLU layer is dead with probability 2^-d, whatever its input, and a network of depth k"
    " with the complement of k survivals; with dropout a unit is live with probability q/2.",
    formula="P(x_k = 0) = 1 - (1 - 2^{-d})^k,  with dropout  1 - (1 - (1-q/2)^d)^k",
    hypotheses="ReLU, weights of symmetric law, no bias, x_0 ≠ 0.",
    kinds=(IDENTITY, STATISTICS),
)
def death(run: Run) -> Outcome:
    """Compare with rational arithmetic and count dead networks."""
    items = []
    for d, k in ((1, 1), (2, 2), (4, 20), (8, 100), (16, 1000), (40, 10**6)):
        for q in (Fraction(1), Fraction(4, 5)):
            exact = 1 - (1 - (1 - q / 2) ** d) ** min(k, 1000)
            value = fm.prob_dead(fm.Gain("relu", d, keep_prob=q), min(k, 1000))
            items.append((f"width {d}, depth {k}, q = {q}", mpmath.mpf(value), _mpf(exact)))
    same = agree("`prob_dead` is the formula in rational arithmetic", items, 14)
    counts = []
    samples = run.pick(50_000, 500_000)
    x, y = [], []
    for d, depth, q in ((4, 10, Fraction(1)), (5, 4, Fraction(4, 5))):
        gain = fm.Gain("relu", d, keep_prob=q)
        p = float(1 - (1 - (1 - q / 2) ** d) ** depth)
        for method in METHODS:
            logs = fm.simulate_log_norms(
                gain, 0.5, depth, samples, rng=run.rng(f"{method} {d}"), method=method
            )
            dead = int(np.count_nonzero(logs == -math.inf))
            counts.append((f"{method}, width {d}, depth {depth}", dead, samples, p))
    for depth in (1, 3, 10, 30, 100):
        logs = fm.simulate_log_norms(
            fm.Gain("relu", 4), 0.5, depth, samples, rng=run.rng(f"depth {depth}"), method="vector"
        )
        x.append(depth)
        y.append(float(np.mean(logs == -math.inf)))
    curve = list(range(1, 101))
    exact_curve = [1 - (15 / 16) ** k for k in curve]
    plot = Plot(
        "Fraction of dead networks, ReLU, width 4", "depth k", "P(x_k = 0)",
        [Series("exact", curve, exact_curve), Series("simulated", x, y, "measured")],
    )  # fmt: skip
    text = "dead networks among the simulated ones, three methods, with and without dropout"
    return Outcome([same, counted(text, counts)], [plot])


def _mpf(value: Fraction) -> mpmath.mpf:
    with mpmath.workdps(50):
        return mpmath.mpf(value.numerator) / value.denominator


# ---------------------------------------------------------------- log-normality


@states(
    "log-moments",
    "Mean and variance of the logarithm are explicit",
    Source("GH21", "log-normal limit, its mean and variance"),
    claim="The mean and the variance of log R are polygamma functions for linear units, and"
    " mixtures of them over the number of live units for ReLU.",
    formula="E log R = (ψ(d/2) + log 2)/2,  Var log R = ψ'(d/2)/4  (linear);"
    "  Var = Σ_n w_n (v_n + (m_n - m)^2),  w_n = binom(d,n)/(2^d - 1)  (ReLU, given R > 0)",
    hypotheses="Gaussian weights, any width.",
    kinds=(IDENTITY, PROOF),
)
def log_moments(run: Run) -> Outcome:
    """Compare with the formulas of the paper and with enclosures."""
    widths = run.pick((1, 2, 7, 64), (1, 2, 3, 7, 16, 64, 300))
    items = []
    with mpmath.workdps(60):
        for name, formula in (("linear", formulas.linear_log), ("relu", formulas.relu_log)):
            for d in widths:
                gain = fm.Gain(name, d)
                mean, variance = formula(d)
                items.append((f"{name} {d}: mean", gain.log_mean(digits=40), mean))
                items.append((f"{name} {d}: variance", gain.log_var(digits=40), variance))
        same = agree("`log_mean` and `log_var` to 40 digits against the formulas", items, 38)
    doubles = []
    for name in ("linear", "relu", "leaky_relu", "rrelu"):
        for d in widths:
            gain = fm.Gain(name, d)
            doubles.append((f"{name} {d}: mean", certified.log_mean(gain), gain.log_mean()))
            doubles.append((f"{name} {d}: variance", certified.log_var(gain), gain.log_var()))
    text = "doubles of all four activations against enclosures from the integral over L"
    return Outcome([same, enclosed(text, doubles)])


def _largest_distance(law: fm.DepthLaw) -> float:
    """Bound ``sup |F - Phi|`` from above through the values on a grid: both functions increase."""
    normal = law.clt()
    y = law.mean() + law.std() * np.linspace(-7.5, 7.5, 3001)
    exact = np.asarray(law.cdf(y))
    limit = normal.cdf(y)
    over = np.max(exact[1:] - limit[:-1])
    under = np.max(limit[1:] - exact[:-1])
    return float(max(over, under, exact[0], 1.0 - exact[-1]))


@states(
    "log-normal-limit",
    "The logarithm of the norm is asymptotically normal",
    Source("GH21", "log-normal limit of the norm"),
    claim="Standardized by its exact mean and variance, the law of the log-norm tends to the normal"
    " law, at the rate of the inverse root of the depth.",
    formula="(log(|x_k|/|x_0|) - kμ)/(kv)^{1/2} → N(0,1),  μ = log σ + E log R,  v = Var log R",
    hypotheses="Any scale; given survival for ReLU.",
    kinds=(COMPUTATION, STATISTICS),
)
def log_normal(run: Run) -> Outcome:
    """Follow the exact law to the normal one, and simulate it."""
    names = ("linear", "relu", "leaky_relu", "rrelu")
    facts, series = [], []
    for name in names:
        gain = fm.Gain(name, 8)
        distances = [
            _largest_distance(fm.DepthLaw(gain, gain.scale(1.0), depth)) for depth in _DEPTHS
        ]
        for depth, distance in zip(_DEPTHS, distances, strict=True):
            facts.append((f"{name}, depth {depth}", distance, 0.25 / math.sqrt(depth)))
        series.append(Series(name, _DEPTHS, distances))
    series.append(Series("1/(4 sqrt(k))", _DEPTHS, [0.25 / math.sqrt(k) for k in _DEPTHS], "limit"))
    plot = Plot(
        "Distance of the exact law from the normal one, width 8", "depth k",
        "largest difference of distribution functions", series, True, True,
    )  # fmt: skip
    text = "the largest distance between the exact law and the normal one is below 1/(4 sqrt(k))"
    laws, moments, plots = [], [], [plot]
    for name in names:
        gain, depth = fm.Gain(name, 24), 20
        law = fm.DepthLaw(gain, gain.scale(1.0), depth)
        normal = law.clt()
        logs = {
            method: fm.simulate_log_norms(
                gain, gain.scale(1.0), depth, run.pick(10_000, 100_000),
                rng=run.rng(f"{name} {method}"), method=method,
            )
            for method in METHODS
        }  # fmt: skip
        for method, y in logs.items():
            alive = y[np.isfinite(y)]
            laws.append((f"{name}, {method}", alive, law.cdf))
            moments.append((f"{name}, {method}: mean", alive, law.mean(), law.std()))
            square = (alive - law.mean()) ** 2
            spread = law.var() * math.sqrt(2.0 + law.kurtosis())
            moments.append((f"{name}, {method}: variance", square, law.var(), spread))
        if name == "relu":
            plots.append(
                law_plot(
                    "ReLU, width 24, depth 20", "log(|x_k|/|x_0|)",
                    {"explicit weights": logs["matrix"]},
                    {"exact law": law.cdf, "normal law": normal.cdf},
                )
            )  # fmt: skip
    return Outcome(
        [
            bounded(text, facts),
            under_law("twenty layers of width 24, four activations, three methods", laws),
            means("their means and variances are k mu and k v", moments),
        ],
        plots,
    )


@states(
    "berry-esseen",
    "An error bound at every finite depth",
    Source("GH21", "log-normal limit; the bound is that of Berry and Esseen, constant of [She11]"),
    Source("She11", "the constant 0.4748 for summands alike"),
    claim="At every depth the law of the log-norm differs from the normal law by less than the"
    " bound from the third absolute central moment.",
    formula="sup_y |P(Y_k ≤ y) - Φ| ≤ 0.4748 E|log R - E log R|^3/(v^{3/2} k^{1/2})",
    hypotheses="Layers alike, given survival.",
    kinds=(COMPUTATION,),
)
def berry_esseen(run: Run) -> Outcome:
    """Compare the exact distance with the bound."""
    facts, plots = [], []
    for name in ("linear", "relu", "leaky_relu", "rrelu"):
        for d in run.pick((2, 64), (1, 2, 4, 16, 64, 256)):
            gain = fm.Gain(name, d)
            laws = [fm.DepthLaw(gain, gain.scale(1.0), depth) for depth in _DEPTHS]
            distances = [_largest_distance(law) for law in laws]
            bounds = [law.berry_esseen() for law in laws]
            for depth, value, bound in zip(_DEPTHS, distances, bounds, strict=True):
                facts.append((f"{name} {d}, depth {depth}", value, bound))
            if name == "relu" and d == 64:
                series = [
                    Series("exact distance", _DEPTHS, distances),
                    Series("bound", _DEPTHS, bounds, "limit"),
                ]
                title = "ReLU, width 64: distance from the normal law"
                plots.append(Plot(title, "depth k", "distance", series, True, True))
    thirds = []
    for name, d in (("linear", 8), ("relu", 16), ("rrelu", 8)):
        gain = fm.Gain(name, d)
        thirds.append((f"{name} {d}", gain.log_abs_third(), _third_moment(gain)))
    return Outcome(
        [
            bounded("the exact distance is below the bound at depths 1 to 1000", facts),
            computed(
                "the third absolute moment against an integral over the density", thirds, 1e-8
            ),
        ],
        plots,
    )


def _third_moment(gain: fm.Gain) -> float:
    """Integrate ``|log R - E log R|^3`` over the density, by the trapezoidal rule in log r."""
    mean = gain.log_mean()
    v = np.linspace(-30.0, 5.0, 35_001)
    density = gain.pdf(np.exp(mean + v), given_alive=True) * np.exp(mean + v)
    return float(np.sum(np.abs(v) ** 3 * density) * (v[1] - v[0]))


# ---------------------------------------------------------------- large deviations


@states(
    "large-deviations",
    "Outputs far from the typical one are exponentially rare",
    Source("GH21", "moments and tails of the norm; the rate is that of Cramer"),
    claim="The probability that the log-norm per layer exceeds c is at most exp(-k I(c)), and falls"
    " at exactly this rate, with I the Legendre transform of the logarithm of the moments.",
    formula="P(log|x_k|/|x_0| ≥ k c) ≤ e^{-k I(c)},  I(c) = sup_s (s c - log E(σR)^s),"
    "  -(1/k) log P → I(c)",
    hypotheses="c above the drift; given survival.",
    kinds=(COMPUTATION, STATISTICS),
)
def large_deviations(run: Run) -> Outcome:
    """Compare exact tails with the bound, and estimate them by tilting."""
    gain = fm.Gain("relu", 32)
    sigma = gain.scale(1.0)
    bounds, rates, series = [], [], []
    for c in (0.02, 0.05, 0.1, 0.2):
        exponents = []
        for depth in _DEPTHS:
            law = fm.DepthLaw(gain, sigma, depth)
            exponent = -float(law.logsf(depth * c)) / depth
            rate = float(law.rate(c))
            bounds.append((f"c = {c}, depth {depth}", rate, exponent))
            exponents.append(exponent)
        rates.append((f"c = {c}", abs(exponents[-1] - rate), 5e-3 + 0.05 * rate))
        series.append(Series(f"c = {c}", _DEPTHS, exponents))
        series.append(Series("rate I(c)", [_DEPTHS[0], _DEPTHS[-1]], [rate, rate], "limit"))
    plot = Plot(
        "Rate of exceeding c a layer, ReLU, width 32, s = 1", "depth k", "-(1/k) log P", series,
        True, True,
    )  # fmt: skip
    tails = _tilted(run, gain, sigma)
    return Outcome(
        [
            bounded("the bound holds at ten depths from 1 to 1000, four levels", bounds),
            bounded(
                "at depth 1000 the exponent is the rate, but for terms of order log(k)/k", rates
            ),
            tails,
        ],
        [plot],
    )


def _tilted(run: Run, gain: fm.Gain, sigma: float) -> Evidence:
    """Hold estimates by importance sampling against exact probabilities."""
    law = fm.DepthLaw(gain, sigma, 100)
    items = []
    alive = math.log1p(-law.prob_dead())
    for level in (3.0, 10.0, 30.0):
        event = fm.rare_event_probability(
            gain, sigma, 100, level, n_samples=run.pick(20_000, 200_000), rng=run.rng(f"{level}")
        )
        exact = float(law.logsf(level)) + alive
        z = math.expm1(event.log_probability - exact) / event.relative_error
        items.append((level, event.log_probability, exact, z))
    return ratios(
        "estimates by exponential tilting of probabilities of exceeding e^3, e^10, e^30 at depth"
        " 100, against the exact tail",
        [(f"level e^{level:g}", z, value, exact) for level, value, exact, z in items],
        run.pick(20_000, 200_000),
    )


# ---------------------------------------------------------------- small outputs


@states(
    "small-outputs-coupling",
    "Smaller orders mean larger outputs, network by network",
    Source("GH21", "small outputs are less frequent for smaller s"),
    claim="Take the same random numbers for two orders s < s'. Then every network of the first has"
    " an output that is larger, by the k-th power of the quotient of the scales.",
    formula="|x_k^{(s)}| = (σ_s/σ_{s'})^k |x_k^{(s')}|",
    hypotheses="Positively homogeneous activation, no bias.",
    kinds=(COMPUTATION, PROOF),
)
def coupling(run: Run) -> Outcome:
    """Simulate both schemes with the same random numbers."""
    items, facts = [], []
    depth, low, high = 30, 0.8, 2.0
    for name in ("linear", "relu", "leaky_relu", "rrelu"):
        gain = fm.Gain(name, 16)
        quotient = certified.scale(gain, low) / certified.scale(gain, high)
        facts.append((name, bool(quotient > 1)))
        shift = depth * float(quotient.log())
        for method in METHODS:
            y = [
                fm.simulate_log_norms(
                    gain, gain.scale(s), depth, 500, rng=run.rng(name), method=method
                )
                for s in (low, high)
            ]
            alive = np.isfinite(y[1])
            difference = y[0][alive] - y[1][alive]
            items.append((f"{name}, {method}: least", float(difference.min()), shift))
            items.append((f"{name}, {method}: largest", float(difference.max()), shift))
    text = "the difference of the log-norms is k log(sigma_s/sigma_s') in each of 500 networks"
    return Outcome(
        [
            computed(f"{text}, by each of the three methods", items, 1e-12),
            proved("sigma_0.8 > sigma_2, as enclosures", facts, "four activations"),
        ]
    )


@states(
    "small-outputs-probability",
    "Smaller orders make small outputs less frequent",
    Source("GH21", "small outputs are less frequent for smaller s"),
    claim="For s < s' the probability of an output below e is smaller under the scale of order s,"
    " and it is the other one's at a level that is smaller by the power of the quotient.",
    formula="P_s(|x_k| ≤ e) = P_{s'}(|x_k| ≤ e (σ_{s'}/σ_s)^k) < P_{s'}(|x_k| ≤ e)",
    hypotheses="Positively homogeneous activation, no bias, x_0 of norm 1, e > 0.",
    kinds=(COMPUTATION, STATISTICS),
)
def small_outputs(run: Run) -> Outcome:
    """Compare probabilities, exact and counted."""
    gain, depth = fm.Gain("relu", 16), 30
    scales = {s: gain.scale(s) for s in (0.5, 1.0, 2.0)}
    laws = {s: fm.DepthLaw(gain, sigma, depth) for s, sigma in scales.items()}
    levels = np.geomspace(1e-4, 1.0, 9)
    same, order = [], []
    for low, high in ((0.5, 1.0), (1.0, 2.0), (0.5, 2.0)):
        shift = (scales[high] / scales[low]) ** depth
        for e in levels:
            left = float(laws[low].small_output_probability(e))
            same.append(
                (f"{low}, {high}, {e:.1e}", left,
                 float(laws[high].small_output_probability(e * shift)))
            )  # fmt: skip
            right = float(laws[high].small_output_probability(e))
            order.append((f"{low}, {high}, {e:.1e}", left, right))
    samples = run.pick(5_000, 50_000)
    counts, series = [], []
    for s, sigma in scales.items():
        logs = fm.simulate_log_norms(
            gain, sigma, depth, samples, rng=run.rng(f"{s}"), method="matrix"
        )
        fractions = []
        for e in levels:
            count = int(np.count_nonzero(logs <= math.log(e)))
            exact = float(laws[s].small_output_probability(e))
            counts.append((f"order {s}, e = {e:.1e}", count, samples, exact))
            fractions.append(count / samples)
        x = np.geomspace(1e-4, 1.0, 60)
        y = np.asarray(laws[s].small_output_probability(x))
        series.append(Series(f"s = {s:g}, exact", x.tolist(), y.tolist()))
        series.append(Series(f"s = {s:g}, simulated", levels.tolist(), fractions, "measured"))
    plot = Plot("Small outputs, ReLU, width 16, depth 30", "e", "P(|x_k| ≤ e)", series, log_x=True)
    return Outcome(
        [
            computed("the identity between the probabilities", same, 1e-8),
            bounded("and the order, at nine levels", order),
            counted("outputs below the levels in networks with explicit weights", counts),
        ],
        [plot],
    )


# ---------------------------------------------------------------- one output


@states(
    "prior-predictive",
    "The law of one output of a linear network is a Meijer G-function",
    Source("N21", "linear networks"),
    claim="The output of a deep linear network is a product of independent chi variables and one"
    " normal variable; its density is a Meijer G-function. For ReLU it is a mixture of such, with"
    " an atom at 0.",
    formula="h = σ_{out} |x_k| z,  p(h) = G^{k+1,0}_{0,k+1}(h^2/(2^{k+1} σ^{2k} σ_{out}^2) |"
    " 0, (d-1)/2, …, (d-1)/2)/(2^{(k+1)/2} π^{1/2} Γ(d/2)^k σ^k σ_{out})",
    hypotheses="Linear units, k layers of width d, |x_0| = 1; ReLU for the simulation.",
    kinds=(COMPUTATION, STATISTICS),
)
def prior_predictive(run: Run) -> Outcome:
    """Compare densities with the special function, and samples with the law."""
    items = []
    for d, k in run.pick(((4, 2), (3, 3)), ((4, 2), (3, 3), (16, 2), (5, 4))):
        sigma = 1.0 / math.sqrt(d)
        law = fm.DepthLaw(fm.Gain("linear", d), sigma, k).output(0.7)
        items += [
            (f"width {d}, depth {k}, h = {h}", float(law.pdf(h)), _meijer(d, k, h))
            for h in (0.1, 0.5, 2.0)
        ]
    same = computed("densities against mpmath's Meijer G-function", items, 1e-8)
    gain, depth = fm.Gain("relu", 6), 5
    predictive = fm.DepthLaw(gain, gain.scale(2.0), depth).output(1.0)
    samples = run.pick(20_000, 200_000)
    logs = fm.simulate_log_norms(
        gain, gain.scale(2.0), depth, samples, rng=run.rng("norms"), method="matrix"
    )
    h = np.exp(logs) * fm.random_normal(samples, rng=run.rng("readout"))
    law_test = under_law(
        "outputs of ReLU networks 6-6-6-6-6-6-1 with explicit weights, dead ones included",
        [("output", h, predictive.cdf)],
    )
    plot = law_plot(
        "One output of a ReLU network, width 6, depth 5", "output h", {"simulated": h},
        {"exact law": predictive.cdf},
    )  # fmt: skip
    return Outcome([same, law_test], [plot])


def _meijer(d: int, k: int, h: float) -> float:
    """Return the density of ``0.7 |x_k| z`` with scale 1/sqrt(d)."""
    sigma = 1.0 / math.sqrt(d)
    argument = mpmath.mpf(h) ** 2 / (2 ** (k + 1) * mpmath.mpf(sigma) ** (2 * k) * 0.7**2)
    # of the product of k chi_d^2 variables and one chi_1^2, halved; density of its signed root
    b = [0.0] + [(d - 1) / 2] * k
    g = mpmath.meijerg([[], []], [b, []], argument)
    constant = 2 ** (mpmath.mpf(k + 1) / 2) * mpmath.sqrt(mpmath.pi)
    constant *= mpmath.gamma(mpmath.mpf(d) / 2) ** k * mpmath.mpf(sigma) ** k * 0.7
    return float(g / constant)
