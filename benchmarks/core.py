"""Moments and scales beside SciPy, mpmath, python-flint and NumPy.

The truth has 40 digits, from the route of any precision; in the cases of 50 digits it comes from a
sum in python-flint with 20 more.
"""

from __future__ import annotations

import functools
import itertools
import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

import fracmoment as fm

from . import peers
from .case import OURS, Case, Check, Method

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .timing import Effort

TRUTH_DIGITS = 40
ULPS = 1.0  # the largest error of ours that is accepted
COUNT = 2000  # values of one call

LAWS: dict[str, fm.Activation] = {
    "relu": fm.ReLU(),
    "leaky": fm.LeakyReLU(0.01),
    "randomized": fm.RandomizedLeakyReLU(1 / 8, 1 / 3),
}


def gaps(values: Any, truth: list[Fraction]) -> Iterator[tuple[Fraction, Fraction]]:
    """Return errors beside true values; infinite ones of doubles are an error of 10^400."""
    for value, exact in zip(np.ravel(np.asarray(values, dtype=object)), truth, strict=False):
        finite = not isinstance(value, float) or math.isfinite(value)
        yield abs(peers.as_fraction(value) - exact) if finite else Fraction(10) ** 400, exact


def ulps(truth: Callable[[], list[Fraction]]) -> Check:
    """Largest error in units in the last place."""
    exact = functools.cache(truth)

    def error(values: Any) -> float:
        largest = max(gap / Fraction(math.ulp(float(x))) for gap, x in gaps(values, exact()))
        return float(largest) if largest < 10**300 else math.inf

    return Check("ulp", error, ULPS)


def digits(truth: Callable[[], list[Fraction]], wanted: int) -> Check:
    """Return the smallest number of correct digits, counted to 20 more than are wanted."""
    exact = functools.cache(truth)

    def error(values: Any) -> float:
        worst = max(gap / abs(x) for gap, x in gaps(values, exact()))
        if worst < Fraction(1, 10 ** (wanted + 20)):
            return wanted + 20.0
        return math.log10(worst.denominator) - math.log10(worst.numerator)

    return Check("digits", error, wanted)


def by_digits(function: Callable[..., Any], *columns: Any) -> Callable[[], list[Fraction]]:
    """Truth by the route of any precision, element by element."""

    def truth() -> list[Fraction]:
        rows = zip(*np.broadcast_arrays(*columns), strict=True)
        return [
            peers.as_fraction(function(*[x.item() for x in row], digits=TRUTH_DIGITS))
            for row in rows
        ]

    return truth


# ---------------------------------------------------------------- arrays


def chi_case(count: int, effort: Effort) -> Case:
    rng = np.random.default_rng(1)
    width = np.floor(10 ** rng.uniform(0, 9, count))
    order = rng.uniform(0.05, 8.0, count)
    some, few = slice(0, effort.checked(400)), slice(0, 1000)
    return Case(
        "chi moments, widths 1..10^9",
        "value",
        ulps(by_digits(fm.chi_moment, width[some], order[some])),
        {OURS: Method(lambda: fm.chi_moment(width, order), count)},
        lambda: {
            "scipy.special.poch": Method(lambda: peers.chi_poch(width, order), count),
            "exp of gammaln difference": Method(lambda: peers.chi_gammaln(width, order), count),
            "mpmath, 30 digits": Method(
                lambda: peers.chi_mpmath(width[few], order[few]), min(count, 1000)
            ),
        },
    )


def moments_case(
    name: str, law: fm.Gain, count: int, effort: Effort, highest: float = 1.95, checked: int = 200
) -> Case:
    """One law, an array of orders."""
    orders = np.random.default_rng(2).uniform(0.05, highest, count)
    some = orders[: effort.checked(checked)]
    return Case(
        name,
        "value",
        ulps(by_digits(law.moment, some)),
        {OURS: Method(lambda: law.moment(orders), count)},
    )


def law_cases(effort: Effort) -> Iterator[Case]:
    """Laws without an alternative but the route of any precision."""
    for name, activation in LAWS.items():
        law = fm.Gain(activation, 64)
        orders = np.random.default_rng(2).uniform(0.05, 64.0, COUNT)
        yield Case(
            f"{name} scales, width 64, orders to 64",
            "value",
            ulps(by_digits(law.scale, orders[: effort.checked(100)])),
            {OURS: Method(lambda law=law, s=orders: law.scale(s), COUNT)},
        )
    variants = {
        "relu, dropout 0.5": fm.Gain("relu", 300, keep_prob=0.5),
        "randomized, dropout 0.9": fm.Gain("rrelu", 300, keep_prob=0.9),
        "relu, orthogonal": fm.Gain("relu", 300, weights="orthogonal"),
        "leaky, orthogonal": fm.Gain("leaky_relu", 300, weights="orthogonal"),
    }
    for name, law in variants.items():
        title = f"{name} moments, width 300, array of orders"
        yield moments_case(title, law, COUNT, effort, checked=100)


def widths_case(name: str, count: int, effort: Effort) -> Case:
    """Every element its own law: widths from 1 to 10^6, none of them twice."""
    activation = LAWS[name]
    lower, upper = activation.slopes
    widths = np.floor(np.geomspace(1, 10**6, count)).astype(np.int64) + np.arange(count)
    np.random.default_rng(3).shuffle(widths)
    few = widths[: count if lower == upper else 100]

    def one(d: int, **more: Any) -> Any:
        return fm.Gain(activation, d).scale(1.0, **more)

    def by_trapezoid() -> Any:
        return [peers.laplace_trapezoid(int(d), lower, upper)(1.0)[0] ** -1 for d in few]

    return Case(
        f"{name} scales, array of widths",
        "value",
        ulps(by_digits(one, widths[: effort.checked(200)])),
        {OURS: Method(lambda: fm.Gain(activation, widths).scale(1.0), count)},
        lambda: {"NumPy trapezoid": Method(by_trapezoid, len(few))},
    )


def narrow_cases(effort: Effort) -> Iterator[Case]:
    widths = np.random.default_rng(3).integers(2, 17, COUNT)
    around = fm.RandomizedLeakyReLU(-0.3, 0.4)
    hard: dict[str, tuple[fm.Activation, float]] = {
        "leaky, dropout 0.5": (LAWS["leaky"], 0.5),
        "randomized": (LAWS["randomized"], 1.0),
        "randomized, dropout 0.5": (LAWS["randomized"], 0.5),
        "slopes around 0": (around, 1.0),
        "slopes around 0, dropout 0.5": (around, 0.5),
    }
    for name, (activation, keep) in hard.items():

        def one(d: int, activation: Any = activation, keep: float = keep, **more: Any) -> Any:
            return fm.Gain(activation, d, keep_prob=keep).scale(1.0, **more)

        def scales(activation: Any = activation, keep: float = keep) -> Any:
            return fm.Gain(activation, widths, keep_prob=keep).scale(1.0)

        yield Case(
            f"{name} scales, array of widths 2 to 16",
            "value",
            ulps(by_digits(one, widths[: effort.checked(50)])),
            {OURS: Method(scales, COUNT)},
        )


def slopes_case(count: int, effort: Effort) -> Case:
    slopes = 10 ** np.random.default_rng(3).uniform(-3, 0.5, count)

    def one(slope: float, **more: Any) -> Any:
        return fm.Gain(fm.LeakyReLU(slope), 64).scale(1.0, **more)

    def by_trapezoid() -> Any:
        return [peers.laplace_trapezoid(64, a, a)(1.0)[0] ** -1 for a in slopes]

    return Case(
        "leaky scales, width 64, array of slopes",
        "value",
        ulps(by_digits(one, slopes[: effort.checked(200)])),
        {OURS: Method(lambda: fm.Gain(fm.LeakyReLU(slopes), 64).scale(1.0), count)},
        lambda: {"NumPy trapezoid": Method(by_trapezoid, count)},
    )


# ---------------------------------------------------------------- single values


def scalar_cases() -> Iterator[Case]:
    """Python calls with one number."""
    fresh = itertools.count(1000)
    for name, activation in LAWS.items():
        law = fm.Gain(activation, 64)

        def next_call(law: fm.Gain = law) -> Any:
            return law.moment(1.3)

        # A width that no earlier call has seen: whatever a law remembers is not there yet.
        def first_call(activation: fm.Activation = activation) -> Any:
            return fm.Gain(activation, next(fresh)).moment(1.3)

        check = ulps(by_digits(law.moment, np.array([1.3])))
        yield Case(f"{name} moment, next scalar call", "call", check, {OURS: Method(next_call)})
        yield Case(
            f"{name} moment, first call on a new law",
            "call",
            check,
            {OURS: Method(first_call, answer=next_call)},
        )


def relu_digits_case(width: int, wanted: int, *, slow: bool) -> Case:
    """One moment to many digits; exact text as input. The slow ones of the others on request."""
    law = fm.Gain("relu", width)

    def others() -> dict[str, Method]:
        methods = {
            "python-flint recurrence": Method(lambda: peers.relu_flint(width, "1.3", wanted))
        }
        if slow:
            methods["mpmath recurrence"] = Method(lambda: peers.relu_mpmath(width, "1.3", wanted))
        if slow and wanted <= 50:
            methods["python-flint rigorous integral"] = Method(
                lambda: peers.relu_quad_flint(width, "1.3", wanted)
            )
        return methods

    return Case(
        f"relu moment, width {width:,}, {wanted} digits",
        "value",
        digits(lambda: [peers.as_fraction(peers.relu_flint(width, "1.3", wanted + 20))], wanted),
        {OURS: Method(lambda: law.moment("1.3", digits=wanted))},
        others,
    )


def leaky_digits_case() -> Case:
    law = fm.Gain(fm.LeakyReLU("0.01"), 64)
    return Case(
        "leaky moment, width 64, 50 digits",
        "value",
        digits(lambda: [peers.as_fraction(peers.leaky_flint(64, "0.01", "1.3", 70))], 50),
        {OURS: Method(lambda: law.moment("1.3", digits=50))},
        lambda: {
            "python-flint 2F1 sum": Method(lambda: peers.leaky_flint(64, "0.01", "1.3", 50)),
            "mpmath 2F1 sum": Method(lambda: peers.leaky_mpmath(64, "0.01", "1.3", 50)),
        },
    )


def cases(effort: Effort) -> Iterator[Case]:
    yield chi_case(20_000, effort)
    yield from law_cases(effort)
    yield from (widths_case(name, COUNT, effort) for name in LAWS)
    yield from narrow_cases(effort)
    yield slopes_case(COUNT, effort)
    yield from scalar_cases()
    yield relu_digits_case(10**6, 50, slow=False)
    yield leaky_digits_case()
