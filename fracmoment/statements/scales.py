"""The scale as a function of its order and width: special cases, expansions, limits."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

import fracmoment as fm
from fracmoment import certified
from fracmoment.certified import Enclosure
from fracmoment.statements.checks import enclosed, proved, same_numbers, theorem
from fracmoment.statements.evidence import IDENTITY, PROOF, Evidence, Outcome, Plot, Series
from fracmoment.statements.statement import Run, Source, states

if TYPE_CHECKING:
    from collections.abc import Callable

SOME_WIDTHS = [*range(1, 9), 12, 16, 24, 32, 48, 64, 96, 128, 192, 256]
QUICK_WIDTHS = [2, 64]
_EXPANSION = "second-order expansion of the squared scale"


def _root(value: Fraction) -> Enclosure:
    """Return an enclosure of the square root of a fraction."""
    return Enclosure(value, value).sqrt()


# ---------------------------------------------------------------- order 2


def _order_two(name: str, activation: fm.Activation, mean: Fraction) -> list[Evidence]:
    """Compare the scale of order 2 with ``1/sqrt(d m)``."""
    widths = [1, 2, 3, 10, 64, 343, 1000, 4096, 10**6]
    exact = [(d, _root(1 / (d * mean))) for d in widths]
    doubles = [(f"width {d}", value, fm.Gain(activation, d).scale(2.0)) for d, value in exact]
    moments = []
    for d in (1, 2, 3, 10, 64, 1000):
        moment = certified.moment(fm.Gain(activation, d), 2)
        moments.append((f"width {d}", bool(moment.lower <= _mpf(d * mean) <= moment.upper)))
    return [
        enclosed(f"the scale of order 2 of {name} is the classical one", doubles),
        proved(
            f"the enclosure of E R^2 contains d E phi(z)^2 = {mean} d",
            moments,
            f"{len(moments)} widths, relative radius below 1e-30",
        ),
    ]


def _mpf(value: Fraction) -> Any:
    import mpmath

    with mpmath.workdps(60):
        return mpmath.mpf(value.numerator) / value.denominator


@states(
    "order-two-is-he",
    "He's initialization is the case s = 2 for ReLU",
    Source("GH21", "recovery of classical schemes as s tends to 2"),
    Source("HZRS15", "variance 2/n"),
    claim="For s = 2 and ReLU units the scale is He's, and for leaky ReLU its generalization.",
    formula="σ_2 = (2/d)^{1/2},  and  (2/((1+a^2) d))^{1/2}  for slope a",
    hypotheses="Independent Gaussian weights, square layers of width d.",
    kinds=(PROOF,),
)
def he(_run: Run) -> Outcome:
    """Check He's scale."""
    slope = Fraction(1, 4)  # a binary number: the scale of the double is that of the fraction
    evidence = _order_two("ReLU units", fm.ReLU(), Fraction(1, 2))
    leaky = _order_two("leaky ReLU units of slope 1/4", fm.LeakyReLU(slope), (1 + slope**2) / 2)
    return Outcome([*evidence, *leaky])


@states(
    "order-two-is-lecun",
    "LeCun's initialization is the case s = 2 for linear units",
    Source("GH21", "recovery of classical schemes as s tends to 2"),
    Source("LBOM98", "variance 1/n"),
    claim="For s = 2 and linear units the scale is LeCun's.",
    formula="σ_2 = d^{-1/2}",
    hypotheses="Independent Gaussian weights, square layers of width d.",
    kinds=(PROOF,),
)
def lecun(_run: Run) -> Outcome:
    """Check LeCun's scale."""
    return Outcome(_order_two("linear units", fm.Linear(), Fraction(1)))


@states(
    "order-two-fan-modes",
    "fan_in and fan_out are the two conventions at s = 2",
    Source("HZRS15", "forward and backward variance"),
    Source("GH21", "layers of different widths"),
    claim="At s = 2 the scale that preserves the root mean square is the usual fan_in form, and the"
    " one that preserves the norm is the fan_out form.",
    formula="σ = (2/n_{in})^{1/2}  and  σ = (2/n_{out})^{1/2}  for ReLU,"
    "  (1/n_{in})^{1/2}  and  (1/n_{out})^{1/2}  for linear units",
    hypotheses="Independent Gaussian weights of n_{out} rows and n_{in} columns.",
    kinds=(PROOF,),
)
def fan_modes(_run: Run) -> Outcome:
    """Check the forms of frameworks."""
    items = []
    for activation, m in (("relu", Fraction(1, 2)), ("linear", Fraction(1))):
        for fan_in, fan_out in ((784, 256), (64, 10), (3, 1000), (1, 7)):
            for preserve, fan in (("rms", fan_in), ("norm", fan_out)):
                value = fm.init_scale(activation, fan_in, fan_out, 2.0, preserve=preserve)
                label = f"{activation} {fan_in} to {fan_out}, {preserve}"
                items.append((label, _root(1 / (fan * m)), value))
    return Outcome([enclosed("`init_scale` of order 2 is the form of the frameworks", items)])


# ---------------------------------------------------------------- expansions


def _remainders(name: str, gain_of: Any, orders: list[str]) -> Plot:
    widths = [int(d) for d in np.unique(np.round(np.geomspace(2, 1024, 28)))]
    series = []
    for order in orders:
        y = [abs(float(certified.scale_remainder(gain_of(d), order)) * d**3) for d in widths]
        series.append(Series(f"s = {order}", widths, y))
    return Plot(
        f"What the expansion leaves out, {name}", "width d", "d^3 times the remainder", series,
        log_x=True,
    )  # fmt: skip


def _remainder_doubles(gains: list[fm.Gain], orders: list[str]) -> Evidence:
    items = [
        (
            f"{gain!r}, order {order}",
            certified.scale_remainder(gain, order),
            fm.scale_squared_remainder(gain, order),
        )
        for gain in gains
        for order in orders
    ]
    return enclosed("the library's remainder is the exact one, so that the picture is", items)


def _classical_forms() -> Evidence:
    """Compare the three expansions as printed with the general one, in rational arithmetic."""
    items = []
    for s in (Fraction(1, 2), Fraction(1), Fraction(8, 5)):
        for a in (Fraction(0), Fraction(1, 100), Fraction(1, 5), Fraction(1)):
            for d in (1, 10, 64):
                m, v = (1 + a * a) / 2, 3 * (1 + a**4) / 2 - ((1 + a * a) / 2) ** 2
                general = (1 + (2 - s) * v / (4 * m * m * d)) / (d * m)
                b = a * a
                leaky = 2 / ((1 + b) * d) + (2 - s) * (5 - 2 * b + 5 * b * b) / (
                    2 * (1 + b) ** 3 * d**2
                )
                items.append((f"slope {a}, order {s}, width {d}", general, leaky))
                if a == 0:
                    relu = Fraction(2, d) + 5 * (2 - s) / (2 * d * d)
                    items.append((f"ReLU, order {s}, width {d}", general, relu))
                if a == 1:
                    linear = Fraction(1, d) + (2 - s) / (2 * d * d)
                    items.append((f"linear, order {s}, width {d}", general, linear))
    return same_numbers(
        "the expansions for ReLU, linear and leaky ReLU units are the one formula in mean and"
        " variance of phi(z)^2",
        items,
    )


@states(
    "expansion-linear",
    "Second-order expansion, linear units",
    Source("GH21", f"{_EXPANSION}, linear units"),
    claim="The squared scale has an expansion in 1/d whose first two terms leave out less than"
    " 1/d^3, at every width.",
    formula="|σ_s^2 - (1/d + (2-s)/(2 d^2))| < 1/d^3",
    hypotheses="Linear units, 1/4 ≤ s ≤ 2, every width d.",
    kinds=(PROOF, IDENTITY),
)
def expansion_linear(run: Run) -> Outcome:
    """Prove the bound."""
    orders = ["1/4", "1", "3/2"]
    return Outcome(
        [
            theorem("expansion_linear", run.pick(range(1, 33), range(1, 257))),
            theorem("expansion_linear_wide", None),
            _classical_forms(),
            _remainder_doubles([fm.Gain("linear", d) for d in (2, 64, 1000)], orders),
        ],
        [_remainders("linear units", lambda d: fm.Gain("linear", d), orders)],
    )


@states(
    "expansion-relu",
    "Second-order expansion, ReLU and leaky ReLU",
    Source("GH21", f"{_EXPANSION}, ReLU and leaky ReLU units"),
    claim="The squared scale of ReLU and leaky ReLU layers has an expansion whose first two terms"
    " leave out less than C/(m d^3), m the mean of phi(z)^2, with C = 2 for orders from 1 on and"
    " C = 15 from 1/2 on.",
    formula="σ_s^2 = (1/(d m)) (1 + (2-s) v/(4 m^2 d)) + r,  |r| < C/(m d^3),"
    "  m = (1+a^2)/2,  v = 3(1+a^4)/2 - m^2",
    hypotheses="Slopes 0 ≤ a ≤ 1 (0 is ReLU), 1 ≤ s ≤ 2 or 1/2 ≤ s ≤ 2, dead layers counted,"
    " every width d.",
    kinds=(PROOF,),
)
def expansion_relu(run: Run) -> Outcome:
    """Prove the bounds."""
    widths = run.pick([1, 2, 8, 64], range(1, 257))
    gains = [fm.Gain("relu", d) for d in (2, 64, 1000)] + [fm.Gain(fm.LeakyReLU("1/5"), 64)]
    return Outcome(
        [
            theorem("expansion", widths),
            theorem("expansion_wide", None),
            theorem("expansion_half", widths),
            theorem("expansion_half_wide", None),
            _remainder_doubles(gains, ["1/2", "1", "3/2"]),
        ],
        [_remainders("ReLU units", lambda d: fm.Gain("relu", d), ["1/2", "1", "3/2"])],
    )


@states(
    "expansion-general",
    "The same expansion with random slopes and with dropout",
    Source("GH21", f"{_EXPANSION}, randomized leaky ReLU units and dropout"),
    claim="For every activation the second-order term is the squared coefficient of variation of"
    " one unit's square, and what is left out falls like 1/d^3.",
    formula="d^3 (σ_s^2 - (1/(d m)) (1 + (2-s) v/(4 m^2 d)))  stays bounded",
    hypotheses="Mean m and variance v of φ(z)^2, dropout included; s = 1/2, 1, 3/2.",
    kinds=(PROOF,),
)
def expansion_general(run: Run) -> Outcome:
    """Enclose the remainders over many widths."""
    gains: dict[str, Callable[[int], fm.Gain]] = {
        "random slopes in (1/8, 1/3)": lambda d: fm.Gain("rrelu", d),
        "ReLU with dropout": lambda d: fm.Gain("relu", d, keep_prob=Fraction(4, 5)),
    }
    facts, plots, largest = [], [], 0.0
    widths = run.pick([32, 128, 1024], [32, 64, 128, 256, 512, 1024, 4096, 2**16])
    for name, gain_of in gains.items():
        for order in ("1/2", "1", "3/2"):
            limit = None
            for d in widths:
                value = certified.scale_remainder(gain_of(d), order) * d**3
                # Bounded, and settled: the change from one width to the next falls.
                facts.append((f"{name}, order {order}, width {d}", bool(abs(value) < 60)))
                if limit is not None:
                    near = abs(value - limit) < abs(limit) * Fraction(1, 4) + Fraction(1, 4)
                    facts.append((f"{name}, order {order}, width {d}: settled", bool(near)))
                limit = value
                largest = max(largest, float(abs(value)))
        plots.append(_remainders(name, gain_of, ["1/2", "1", "3/2"]))
    text = (
        "d^3 times the remainder is below 60 and changes by less than a quarter of itself plus 1/4"
        " from one width to the next"
    )
    return Outcome([proved(text, facts, f"largest value {largest:.3g}")], plots)


# ---------------------------------------------------------------- order and width


def _scale_curves() -> Plot:
    orders = np.linspace(0.05, 4.0, 60)
    series = []
    for d in (4, 16, 64):
        gain = fm.Gain("relu", d)
        y = gain.scale(orders) / math.sqrt(2 / d)
        series.append(Series(f"width {d}", orders.tolist(), np.asarray(y).tolist()))
    series.append(Series("He", [0.05, 4.0], [1.0, 1.0], "limit"))
    return Plot("Scale over He's scale, ReLU", "order s", "σ_s/σ_He", series)


@states(
    "scale-decreasing",
    "The scale decreases with the order",
    Source("GH21", "comparison of the scales of different orders"),
    claim="The scale decreases strictly with the order, at a rate of at least"
    " (2 + 3y)/(10 (d + s)). (That it decreases is Lyapunov's inequality, for all widths; the rate"
    " is proved here.)",
    formula="-d log σ_s/ds > (2 + 3 y)/(10 (d+s)),  y = ((1-a^2)/(1+a^2))^2",
    hypotheses="Slopes 0 ≤ a ≤ 1, 1/4 ≤ s ≤ 8, the widths named below.",
    kinds=(PROOF,),
)
def scale_decreasing(run: Run) -> Outcome:
    """Prove the rate, and that the doubles decrease as they should."""
    widths = run.pick(QUICK_WIDTHS, SOME_WIDTHS)
    orders = ["1/4", "1/2", "1", "3/2", "2", "4", "8"]
    facts = []
    for name in ("relu", "leaky_relu", "linear", "rrelu"):
        for d in (3, 64):
            gain = fm.Gain(name, d)
            values = [Enclosure(x, x) for x in (gain.scale(float(Fraction(s))) for s in orders)]
            exact = [certified.scale(gain, s) for s in orders]
            for i in range(len(orders) - 1):
                # the true values separate, and the double of the larger is above the smaller
                good = bool(exact[i] > exact[i + 1]) and bool(values[i] > exact[i + 1])
                facts.append((f"{name} {d}, orders {orders[i]} and {orders[i + 1]}", good))
    return Outcome(
        [
            theorem("scale_decreasing", widths),
            theorem("scale_decreasing_alive", widths),
            proved(
                "the enclosures of the scales of seven orders are in order, and so are the doubles",
                facts,
                f"{len(facts)} comparisons",
            ),
        ],
        [_scale_curves()],
    )


@states(
    "scale-above-he",
    "Orders below 2 mean scales above He's",
    Source("GH21", "comparison with the classical schemes"),
    claim="For s < 2 the squared scale exceeds He's by a factor of at least"
    " exp((2-s)(2+3y)/(5(d+2))).",
    formula="log(σ_s^2/σ_2^2) > (2-s)(2+3y)/(5(d+2)),  y = ((1-a^2)/(1+a^2))^2",
    hypotheses="Slopes 0 ≤ a ≤ 1, 1/4 ≤ s < 2, the widths named below.",
    kinds=(PROOF,),
)
def above_he(run: Run) -> Outcome:
    """Prove the bound."""
    facts = []
    for name, y in (("relu", 1), ("linear", 0)):
        for d in (1, 4, 64, 256):
            for s in (Fraction(1, 2), Fraction(1), Fraction(3, 2)):
                gain = fm.Gain(name, d)
                square = gain.scale(float(s)) ** 2 * d * float(Fraction(1, 2) if y else 1)
                bound = math.exp((2 - s) * (2 + 3 * y) / (5 * (d + 2)))
                facts.append((f"{name} {d}, order {s}", square > bound))
    return Outcome(
        [
            theorem("above_he", run.pick(QUICK_WIDTHS, SOME_WIDTHS)),
            proved("and the doubles of the library satisfy it", facts, f"{len(facts)} scales"),
        ]
    )


@states(
    "lyapunov-limit",
    "The Lyapunov scale is the limit s to 0",
    Source("KSK26", "the scale of zero drift"),
    claim="As s tends to 0 the scale, given that the layer is not dead, tends to the one of zero"
    " drift, at the rate s Var(log R)/2.",
    formula="σ_s → σ_0 = exp(-E log R),  (log σ_0 - log σ_s)/s → Var(log R)/2",
    hypotheses="Moments and logarithms given R > 0; every activation, dropout.",
    kinds=(PROOF,),
)
def lyapunov_limit(run: Run) -> Outcome:
    """Enclose the difference at small orders."""
    facts, values, doubles = [], [], []
    for name in ("linear", "relu", "leaky_relu", "rrelu"):
        for d in run.pick((2, 64), (1, 2, 8, 64, 512)):
            gain = fm.Gain(name, d)
            limit = certified.scale(gain, 0, given_alive=True, digits=40)
            half = certified.log_var(gain) * Fraction(1, 2)
            error = math.inf
            for j in (10, 20):
                s = Fraction(1, 2**j)
                scale = certified.scale(gain, s, given_alive=True, digits=40)
                rate = (limit.log() - scale.log()) / s
                facts.append((f"{name} {d}: above, order 2^-{j}", bool(scale < limit)))
                share = abs(rate / half - 1)
                facts.append((f"{name} {d}: rate, order 2^-{j}", bool(share < 8 * s)))
                error = float(share)
            values.append(error)
            doubles.append((f"{name} {d}", limit, gain.scale(0.0)))
    shown = f"{len(facts)} comparisons; at s = 2^-20 the rate is off by at most {max(values):.1e}"
    text = "sigma_s < sigma_0, and the difference of logarithms over s is Var(log R)/2 to O(s)"
    return Outcome(
        [
            proved(text, facts, shown),
            enclosed("`Gain.scale(0)` is the limit", doubles),
        ]
    )


@states(
    "dead-scale-diverges",
    "The scale that counts dead layers diverges as s tends to 0",
    Source("KSK26", "the scale of zero drift, for layers that can die"),
    Source("GH21", "the case of ReLU for small s"),
    claim="For ReLU the scale of the unconditional moment grows without bound as s tends to 0,"
    " because the moment tends to the probability of survival, which is below 1.",
    formula="σ_s > (1 - 2^{-d})^{-1/s} σ_0 e^{-s v} → ∞,  M(0+) = 1 - 2^{-d}",
    hypotheses="ReLU, any width; σ_0 and v = Var log R given R > 0, small s.",
    kinds=(PROOF,),
)
def dead_scale(_run: Run) -> Outcome:
    """Enclose the scale at small orders."""
    facts, shown = [], []
    for d in (1, 2, 4, 8):
        gain = fm.Gain("relu", d)
        alive = Fraction(2**d - 1, 2**d)
        limit = certified.scale(gain, 0, given_alive=True).log()
        variance = certified.log_var(gain)
        for s in (Fraction(1, 50), Fraction(1, 500)):
            log_scale = certified.scale(gain, s).log()
            atom = -Enclosure(alive, alive).log() / s
            facts.append((f"width {d}, order {s}", bool(log_scale > atom + limit - variance * s)))
            value = gain.scale(float(s))
            if math.isfinite(value):
                close = abs(Enclosure(value, value).log() - log_scale) < Fraction(1, 10**12)
                facts.append((f"width {d}, order {s}: double", bool(close)))
        shown.append(f"e^{float(log_scale):.1f} at width {d}")
    return Outcome(
        [proved("the bound at orders 1/50 and 1/500", facts, f"at s = 1/500: {', '.join(shown)}")],
        [_divergence()],
    )


def _divergence() -> Plot:
    orders = np.geomspace(0.01, 2.0, 60)
    series = []
    for d in (2, 4, 8):
        gain = fm.Gain("relu", d)
        series.append(Series(f"width {d}", orders.tolist(), gain.scale(orders).tolist()))
        given = gain.scale(orders, given_alive=True)
        label = f"width {d}, given survival"
        series.append(Series(label, orders.tolist(), given.tolist(), "limit"))
    return Plot("Scale of ReLU with and without dead layers", "order s", "σ_s", series, True, True)


@states(
    "random-walk-is-approximate",
    "The random walk formulas approximate the Lyapunov scale",
    Source("SA14", "the gain of zero drift, fitted"),
    Source("KSK26", "the scale of zero drift"),
    claim="The gains exp(1/(2d)) for linear and sqrt(2) exp(1.2/(max(d,6) - 2.4)) for ReLU layers"
    " bring the drift close to 0: below 1/d^2 for linear layers, below (1/20 + 2.2/d)/d for ReLU"
    " layers of width 6 or more. (The term 1/(20 d) stays: the fitted 1.2 is not 5/4.)",
    formula="|log σ + E log R| < 1/d^2 (linear),  < (1/20 + 2.2/d)/d (ReLU, d ≥ 6)",
    hypotheses="Square layers; E log R given R > 0.",
    kinds=(PROOF,),
)
def random_walk(run: Run) -> Outcome:
    """Enclose the drift under the formulas."""
    facts, x, linear, relu = [], [], [], []
    widths = run.pick([6, 16, 64, 512], [6, 7, 8, 12, 16, 32, 64, 128, 256, 512, 1024])
    for d in widths:
        one = Enclosure(Fraction(1, d), Fraction(1, d))
        gain = Enclosure(Fraction(1, 2 * d), Fraction(1, 2 * d))
        drift = gain + one.sqrt().log() + certified.log_mean(fm.Gain("linear", d))
        facts.append((f"linear, width {d}", bool(abs(drift) < Fraction(1, d * d))))
        linear.append(abs(float(drift)) * d)
        exponent = Fraction(12, 10 * max(d, 6) - 24)
        gain = Enclosure(exponent, exponent) + (one * 2).sqrt().log()
        drift = gain + certified.log_mean(fm.Gain("relu", d))
        bound = (Fraction(1, 20) + Fraction(22, 10 * d)) / d
        facts.append((f"ReLU, width {d}", bool(abs(drift) < bound)))
        relu.append(abs(float(drift)) * d)
        x.append(d)
    plot = Plot(
        "Drift that the random walk formulas leave", "width d", "d times |drift|",
        [Series("linear", x, linear), Series("ReLU", x, relu)], log_x=True, log_y=True,
    )  # fmt: skip
    shown = f"d |drift| at most {max(linear):.3g} for linear and {max(relu):.3g} for ReLU layers"
    return Outcome([proved("the drift under the formulas, as enclosures", facts, shown)], [plot])
