"""Scales that preserve the moment of order s."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import mpmath
import numpy as np

import fracmoment as fm
from fracmoment import certified
from fracmoment.statements import formulas
from fracmoment.statements.checks import agree, enclosed, law_plot, means, proved, under_law
from fracmoment.statements.evidence import (
    IDENTITY,
    PROOF,
    STATISTICS,
    Evidence,
    Outcome,
    Plot,
    Series,
)
from fracmoment.statements.statement import Run, Source, Statement, states

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fracmoment._typing import FloatArray

METHODS = ("norm", "vector", "matrix")
_DIGITS = 30
_GH21 = "initialization that preserves the moment of order s"


# ---------------------------------------------------------------- what the statements share


def doubles_preserve(text: str, gains: Sequence[fm.Gain], orders: Sequence[str]) -> Evidence:
    """Prove that the doubles of `Gain.scale` are the exact scales, rounded."""
    items = [
        (f"{gain!r}, order {order}", certified.scale(gain, order), gain.scale(float(order)))
        for gain in gains
        for order in orders
    ]
    return enclosed(text, items)


def formula_agrees(
    text: str, cases: Sequence[tuple[fm.Gain, Any]], moment: Callable[[fm.Gain, Any], Any]
) -> Evidence:
    """Compare enclosures of moments with the formula of the paper."""
    with mpmath.workdps(_DIGITS + 15):
        items = [
            (
                f"width {gain.width}, order {order}",
                certified.moment(gain, order, digits=_DIGITS + 5).mid,
                moment(gain, order),
            )
            for gain, order in cases
        ]
        return agree(text, items, _DIGITS)


def simulated_moment(
    run: Run, gain: fm.Gain, order: float, depth: int, samples: int
) -> tuple[list[Evidence], Plot]:
    """Hold the simulated moment of order s against 1, and the law against the exact one."""
    sigma = gain.scale(order)
    law = fm.DepthLaw(gain, sigma, depth)
    alive = 1.0 - law.prob_dead()

    def cdf(y: FloatArray) -> FloatArray:
        return (1.0 - alive) + alive * np.asarray(law.cdf(y))

    logs = {
        method: fm.simulate_log_norms(
            gain, sigma, depth, samples, rng=run.rng(method), method=method
        )
        for method in METHODS
    }
    spread = math.sqrt(law.moment(2 * order) - 1.0)
    where = f"{depth} layers of width {gain.width}, order {order:g}"
    moments = means(
        f"E|x_k|^s/|x_0|^s = 1 in simulated networks of {where}: one number a layer (norm), a unit"
        " (vector), a weight (matrix)",
        [(method, np.exp(order * y), 1.0, spread) for method, y in logs.items()],
    )
    laws = under_law(
        f"the simulated log-norms have the exact law, {where}, by each of the three methods",
        [(method, y, cdf) for method, y in logs.items()],
    )
    plot = law_plot(
        f"log(|x_k|/|x_0|), {where}", "log(|x_k|/|x_0|)", {"explicit weights": logs["matrix"]},
        {"exact law": cdf},
    )  # fmt: skip
    return [moments, laws], plot


def _activation_statement(
    name: str,
    activation: fm.Activation,
    words: str,
    formula: str,
    moment: Callable[[fm.Gain, Any], Any],
    of_formula: str,
) -> Statement:
    """Return the statement that the scale of one activation preserves moments."""

    def check(run: Run) -> Outcome:
        widths = run.pick((1, 3, 64), (1, 2, 3, 16, 64, 343, 1024))
        orders = run.pick(("0.5", "1", "1.5", "2"), ("0.25", "0.5", "0.8", "1", "1.5", "2", "3"))
        gains = [fm.Gain(activation, width) for width in widths]
        narrow = [fm.Gain(activation, width) for width in run.pick((1, 5), (1, 2, 5, 24))]
        exact = [Fraction(1, 2), Fraction(4, 5), Fraction(1)]
        order = 0.8 if name == "relu" else 1.0
        found, plot = simulated_moment(
            run, fm.Gain(activation, 32), order, 10, run.pick(20_000, 200_000)
        )
        proof = doubles_preserve(
            "`Gain.scale` is the solution of sigma^s E R^s = 1, to the last bit of the double",
            gains,
            orders,
        )
        same = formula_agrees(
            f"E R^s by ball arithmetic is {of_formula}",
            [(gain, s) for gain in narrow for s in exact],
            moment,
        )
        return Outcome([proof, same, *found], [plot])

    return Statement(
        f"preserve-{name.replace('_', '-')}",
        f"The moment of order s is preserved: {words}",
        (Source("GH21", f"{_GH21}, {words}"),),
        f"With the scale sigma_s a layer of {words} keeps the moment of order s of the norm,"
        " at every width, for every input and hence at every depth.",
        formula,
        "Independent N(0, sigma^2) weights, no bias, square layers of width d, s > 0.",
        (PROOF, IDENTITY, STATISTICS),
        check,
    )


_PRESERVES = "E|x'|^s = E|x|^s  for  σ_s = (E R^s)^{-1/s},  "

LINEAR = _activation_statement(
    "linear", fm.Linear(), "linear units",
    _PRESERVES + "E R^s = 2^{s/2} Γ((d+s)/2)/Γ(d/2)",
    lambda gain, s: formulas.chi_moment(int(gain.width), s),
    "the quotient of gamma functions",
)  # fmt: skip
RELU = _activation_statement(
    "relu", fm.ReLU(), "ReLU units",
    _PRESERVES + "E R^s = 2^{-d} Σ_{n≥1} binom(d,n) 2^{s/2} Γ((n+s)/2)/Γ(n/2)",
    lambda gain, s: formulas.relu_moment(int(gain.width), s),
    "the binomial sum over the live units",
)  # fmt: skip
LEAKY_RELU = _activation_statement(
    "leaky_relu", fm.LeakyReLU("1/5"), "leaky ReLU units of slope a (here 1/5)",
    _PRESERVES
    + "E R^s = E|g|^s 2^{-d} Σ_n binom(d,n) _2F_1(-s/2, (d-n)/2; d/2; 1-a^2)",
    lambda gain, s: formulas.leaky_moment(int(gain.width), s, "1/5"),
    "the sum of hypergeometric functions",
)  # fmt: skip
RANDOMIZED = _activation_statement(
    "randomized_leaky_relu", fm.RandomizedLeakyReLU("1/8", "1/3"),
    "leaky ReLU units of random slopes in (1/8, 1/3)",
    _PRESERVES + "E R^s = (p/Γ(1-p)) ∫_0^∞ (1 - L(t)^d) t^{-p-1} dt,  p = s/2 ≤ 1/2",
    lambda gain, s: formulas.laplace_moment(
        int(gain.width), s, formulas.unit_transform("1/8", "1/3")
    ),
    "the integral over the Laplace transform L of one unit",
)  # fmt: skip


@states(
    "preserve-rectangular",
    "Layers that are not square",
    Source("GH21", "fully connected networks, layers of different widths"),
    claim="Only the number of outputs decides the gain. The scale that preserves the norm depends"
    " on the number of outputs alone; the scale that preserves the root mean square has the factor"
    " sqrt(n_{out}/n_{in}) besides.",
    formula="σ = M^{-1/s} keeps E|x|^s,  σ = (n_{out}/n_{in})^{1/2} M^{-1/s} keeps"
    " E(|x|^2/n)^{s/2},  M = E R^s at width n_{out}",
    hypotheses="Independent N(0, sigma^2) weights of n_{out} rows and n_{in} columns, no bias,"
    " s > 0.",
    kinds=(PROOF, STATISTICS),
)
def rectangular(run: Run) -> Outcome:
    """Check both conventions at rectangular layers."""
    fans = [(784, 64), (64, 10), (3, 128), (400, 64)]
    items = []
    for activation in ("linear", "relu", "leaky_relu", "rrelu"):
        for fan_in, fan_out in run.pick(fans[:2], fans):
            for order in (0.8, 1.0):
                for preserve in ("rms", "norm"):
                    value = fm.init_scale(activation, fan_in, fan_out, order, preserve=preserve)
                    exact = certified.scale(fm.Gain(activation, fan_out), order)
                    if preserve == "rms":
                        exact = exact * certified.Enclosure(fan_out, fan_out).sqrt()
                        exact = exact / certified.Enclosure(fan_in, fan_in).sqrt()
                    items.append((f"{activation} {fan_in} to {fan_out}", exact, value))
    proof = enclosed("`init_scale` is the scale of width n_{out}, times the factor", items)
    widths, order = [40, 24, 48, 8], 0.8
    samples = run.pick(20_000, 200_000)
    gains = [fm.Gain("relu", width) for width in widths[1:]]
    pairs = list(pairwise(widths))
    # Not constant, so that nothing depends on a special input.
    x0 = np.arange(1.0, widths[0] + 1.0)
    measured = []
    for preserve, factor in (("rms", math.sqrt(widths[0] / widths[-1])), ("norm", 1.0)):
        scales = [fm.init_scale("relu", a, b, order, preserve=preserve) for a, b in pairs]
        law = fm.DepthLaw(gains, scales)
        y = fm.simulate_log_norms(
            gains, scales, None, samples, rng=run.rng(preserve), method="matrix", x0=x0
        )
        spread = math.sqrt(law.moment(2 * order) * factor ** (2 * order) - 1.0)
        measured.append((preserve, np.exp(order * y) * factor**order, 1.0, spread))
    return Outcome(
        [
            proof,
            means(
                "the moment of order 0.8 of the root mean square, or of the norm, is the same at"
                " input and output of ReLU networks 40-24-48-8 with explicit weights",
                measured,
            ),
        ]
    )


@states(
    "preserve-dropout",
    "Dropout",
    Source("GH21", "networks with dropout"),
    claim="With dropout the same holds, for the gain of a layer that keeps every unit with"
    " probability q.",
    formula="E|x'|^s = E|x|^s  for  σ_s = (E R^s)^{-1/s},  R^2 = Σ ε_i φ(g_i)^2/q^2,"
    "  ε_i ~ Bernoulli(q)",
    hypotheses="Independent N(0, sigma^2) weights, no bias, inverted dropout (units that are kept"
    " are divided by q), s > 0; dead layers are counted.",
    kinds=(PROOF, IDENTITY, STATISTICS),
)
def dropout(run: Run) -> Outcome:
    """Check scales with dropout."""
    q = Fraction(4, 5)
    names = ("linear", "relu", "leaky_relu", "rrelu")
    gains = [fm.Gain(name, d, keep_prob=q) for name in names for d in run.pick((2, 64), (2, 9, 64))]
    proof = doubles_preserve("`Gain.scale` with `keep_prob=4/5`", gains, ("0.8", "1", "2"))
    cases = [(fm.Gain("relu", d, keep_prob=q), s) for d in (1, 5, 24) for s in (Fraction(1, 2), 1)]
    same = formula_agrees(
        "E R^s of ReLU units is the binomial sum with success probability q/2",
        cases,
        lambda gain, s: formulas.relu_moment(int(gain.width), s, q),
    )
    evidence = [proof, same]
    plots = []
    for name in names:
        found, plot = simulated_moment(
            Run(f"{run.statement}/{name}", run.seed, run.quick),
            fm.Gain(name, 16, keep_prob=q), 0.8, 6, run.pick(20_000, 100_000),
        )  # fmt: skip
        evidence += found
        if name == "relu":
            plots.append(plot)
    return Outcome(evidence, plots)


@states(
    "preserve-orthogonal",
    "Orthogonal weights",
    Source("SMG13", "orthogonal weights"),
    Source(
        "GH21", f"{_GH21}; the same argument for weights that are uniform on orthogonal matrices"
    ),
    claim="For orthogonal weights of Haar's law, times eta, the gain is the ratio |phi(g)|/|g|,"
    " whose moments are quotients, and the scale follows from them.",
    formula="E|x'|^s = E|x|^s  for  η_s = (E|φ(g)|^s / E|g|^s)^{-1/s}",
    hypotheses="W is eta times a uniform orthogonal matrix of size d, no bias.",
    kinds=(PROOF, STATISTICS),
)
def orthogonal(run: Run) -> Outcome:
    """Check the ratio laws."""
    items = []
    for name in ("relu", "leaky_relu", "rrelu"):
        for d in run.pick((2, 32), (2, 7, 32, 256)):
            for order in (0.5, 1.0, 2.0):
                upper = certified.moment(fm.Gain(name, d), order)
                lower = certified.moment(fm.Gain("linear", d), order)
                exact = (upper / lower) ** Fraction(-1 / order)
                value = fm.Gain(name, d, weights="orthogonal").scale(order)
                items.append((f"{name} {d}, order {order}", exact, value))
    proof = enclosed("`Gain.scale` for orthogonal weights is the quotient of moments", items, 2.0)
    gain, order, depth = fm.Gain("relu", 12, weights="orthogonal"), 1.0, 4
    eta = gain.scale(order)
    spread = math.sqrt((eta**2 * gain.moment(2.0)) ** depth - 1.0)
    measured = [
        (
            method,
            np.exp(
                fm.simulate_log_norms(
                    gain, eta, depth, run.pick(20_000, 200_000), rng=run.rng(method), method=method
                )
            ),
            1.0,
            spread,
        )
        for method in ("norm", "vector")
    ]
    text = "E|x_k|/|x_0| = 1 in four orthogonal ReLU layers of width 12, two methods"
    return Outcome([proof, means(text, measured), _explicit_orthogonal(run, eta)])


def _explicit_orthogonal(run: Run, eta: float) -> Evidence:
    """Multiply explicit orthogonal matrices, drawn by NumPy."""
    rng = np.random.default_rng(run.rng("explicit"))
    count, d = run.pick(5_000, 50_000), 12
    x = np.zeros((count, d, 1))
    x[:, 0] = 1.0
    for _ in range(2):
        q, r = np.linalg.qr(rng.standard_normal((count, d, d)))
        signs = np.sign(np.diagonal(r, axis1=1, axis2=2))
        x = np.maximum(eta * (q * signs[:, np.newaxis, :]) @ x, 0.0)
    norms = np.linalg.norm(x[..., 0], axis=1)
    gain = fm.Gain("relu", d, weights="orthogonal")
    spread = math.sqrt((eta**2 * gain.moment(2.0)) ** 2 - 1.0)
    return means(
        "the same in two layers whose matrices were drawn and multiplied by NumPy",
        [("explicit matrices", norms, 1.0, spread)],
    )


@states(
    "preserve-every-depth",
    "One scale, every depth, and only one order",
    Source("GH21", f"{_GH21}, and the moments of other orders"),
    claim="Under the scale of order s the moment of order s is constant in depth, moments of lower"
    " orders fall and those of higher orders grow, exponentially.",
    formula="E|x_k|^r/|x_0|^r = (σ_s/σ_r)^{kr},  which is 1 for r = s, < 1 for r < s,"
    " > 1 for r > s",
    hypotheses="Independent N(0, sigma^2) weights, no bias; width 64, ReLU, s = 1, depth up to"
    " 100.",
    kinds=(PROOF, STATISTICS),
)
def every_depth(run: Run) -> Outcome:
    """Check the growth of moments in depth."""
    gain, s = fm.Gain("relu", 64), 1
    log_s = certified.scale(gain, s).log()
    rates = {
        float(r): (log_s - certified.scale(gain, r).log()) * Fraction(r)
        for r in ("0.5", "0.9", "1.1", "1.5", "2")
    }
    facts = [
        (f"order {r}", bool(rate < 0) if r < s else bool(rate > 0)) for r, rate in rates.items()
    ]
    shown = ", ".join(f"{float(rate):+.5f} at r = {r:g}" for r, rate in rates.items())
    growth = {r: float(rate) for r, rate in rates.items()} | {1.0: 0.0}
    proof = proved(
        "the growth rates per layer, as enclosures, have the signs claimed", facts, shown
    )
    orders = [0.5, 1.0, 1.5]
    depths = [1, 5, 20, 50, 100]
    samples = run.pick(500_000, 2_000_000)
    measured, series = [], []
    found: dict[float, list[tuple[int, float]]] = {r: [] for r in orders}
    for depth in depths:
        y = fm.simulate_log_norms(gain, gain.scale(1.0), depth, samples, rng=run.rng(f"{depth}"))
        law = fm.DepthLaw(gain, gain.scale(1.0), depth)
        # Powers of higher order have so skewed a law that a mean says nothing.
        for r in (order for order in orders if depth * order**2 <= 125):
            exact = math.exp(depth * growth[r])
            spread = math.sqrt(law.moment(2 * r) - exact**2)
            found[r].append((depth, float(np.exp(r * y).mean())))
            measured.append((f"order {r:g}, depth {depth}", np.exp(r * y), exact, spread))
    for r in orders:
        x = list(range(1, 101))
        series.append(Series(f"order {r:g}, exact", x, [math.exp(k * growth[r]) for k in x]))
        depths_seen, values = zip(*found[r], strict=True)
        series.append(Series(f"order {r:g}, simulated", depths_seen, values, "measured"))
    plot = Plot(
        "Moments under the scale of order 1, ReLU, width 64", "depth k", "E|x_k|^r/|x_0|^r",
        series, log_y=True,
    )  # fmt: skip
    text = "simulated moments of orders 0.5, 1 and 1.5 at up to five depths against the formula"
    return Outcome([proof, means(text, measured)], [plot])
