"""What is measured: for each case our call, the peers' calls, and the exact values."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import fracmoment as fm

from . import peers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

TRUTH_DIGITS = 40
OURS = "fracmoment"
Run = Callable[[], Any]


@dataclass
class Case:
    """One comparison. Every method returns the values whose truth is ``truth``."""

    name: str
    methods: dict[str, Run]
    truth: Callable[[], list[Fraction]]
    # How many values one call gives, and the largest error of ours that is accepted.
    values: int = 1
    allowed: float = 1.0
    # "ulp" for doubles; "digits" counts the correct decimal digits.
    unit: str = "ulp"
    # Time a first call on a new object instead of repeated calls on one.
    first: Callable[[], Run] | None = None


def fractions(values: Any) -> list[Fraction]:
    return [peers.as_fraction(value) for value in np.ravel(np.asarray(values, dtype=object))]


def by_digits(function: Callable[..., Any], *columns: Any) -> Callable[[], list[Fraction]]:
    """Truth by the route of any precision, element by element."""

    def truth() -> list[Fraction]:
        rows = zip(*np.broadcast_arrays(*columns), strict=True)
        return [
            peers.as_fraction(function(*[x.item() for x in row], digits=TRUTH_DIGITS))
            for row in rows
        ]

    return truth


def chi_cases() -> Iterator[Case]:
    rng = np.random.default_rng(1)
    count = 20_000
    width = np.floor(10 ** rng.uniform(0, 9, count))
    order = rng.uniform(0.05, 8.0, count)
    part = slice(0, 400)

    def truth() -> list[Fraction]:
        return by_digits(fm.chi_moment, width[part], order[part])()

    yield Case(
        "chi moments, widths 1..10^9",
        {
            OURS: lambda: fm.chi_moment(width, order),
            "scipy.special.poch": lambda: peers.chi_poch(width, order),
            "exp of gammaln difference": lambda: peers.chi_gammaln(width, order),
            "mpmath, 30 digits": lambda: peers.chi_mpmath(width, order),
        },
        truth,
        values=count,
    )


LAWS: dict[str, fm.Activation] = {
    "relu": fm.ReLU(),
    "leaky": fm.LeakyReLU(0.01),
    "randomized": fm.RandomizedLeakyReLU(1 / 8, 1 / 3),
}


def order_cases() -> Iterator[Case]:
    """One law, an array of orders; the widths show whether the cost is flat."""
    rng = np.random.default_rng(2)
    for (name, activation), width in itertools.product(LAWS.items(), (64, 10**6)):
        orders = rng.uniform(0.05, 1.95, 2000)
        few = orders[: 2 if name == "randomized" else 20]
        lower, upper = activation.slopes
        law = fm.Gain(activation, width)
        methods: dict[str, Run] = {OURS: lambda law=law, s=orders: law.moment(s)}

        def trapezoid(d: int = width, a: float = lower, b: float = upper, s: Any = orders) -> Any:
            return peers.laplace_trapezoid(d, a, b)(s)

        methods["NumPy trapezoid"] = trapezoid
        methods["scipy.integrate.quad"] = lambda d=width, a=lower, b=upper, s=few: (
            peers.laplace_quad(d, a, b, s)
        )
        if name == "relu":
            methods["SciPy gammaln sum"] = lambda d=width, s=few: peers.relu_gammaln_sum(d, s)
        if name == "leaky" and width == 64:
            methods["SciPy hyp2f1 sum"] = lambda d=width, a=lower, s=few: peers.leaky_hyp2f1_sum(
                d, a, s
            )
        yield Case(
            f"{name} moments, width {width:,}, array of orders",
            methods,
            by_digits(law.moment, orders[:200]),
            values=len(orders),
        )
    orders = rng.uniform(0.05, 64.0, 2000)
    for name, activation in LAWS.items():
        law = fm.Gain(activation, 64)
        yield Case(
            f"{name} scales, width 64, orders to 64",
            {OURS: lambda law=law, s=orders: law.scale(s)},
            by_digits(law.scale, orders[:200]),
            values=len(orders),
        )
    variants = {
        "relu, dropout 0.5": fm.Gain("relu", 300, keep_prob=0.5),
        "randomized, dropout 0.9": fm.Gain("rrelu", 300, keep_prob=0.9),
        "relu, orthogonal": fm.Gain("relu", 300, weights="orthogonal"),
        "leaky, orthogonal": fm.Gain("leaky_relu", 300, weights="orthogonal"),
    }
    for name, law in variants.items():
        yield Case(
            f"{name} moments, width 300, array of orders",
            {OURS: lambda law=law, s=orders: law.moment(s)},
            by_digits(law.moment, orders[:200]),
            values=len(orders),
        )


def array_cases() -> Iterator[Case]:
    """Every element its own law."""
    rng = np.random.default_rng(3)
    count = 2000
    widths = np.unique(np.floor(10 ** rng.uniform(0, 6, count)).astype(np.int64))
    slopes = 10 ** rng.uniform(-3, 0.5, count)
    for name, activation in LAWS.items():
        lower, upper = activation.slopes

        def one(d: int, activation: fm.Activation = activation, **more: Any) -> Any:
            return fm.Gain(activation, d).scale(1.0, **more)

        def by_trapezoid(lower: float = lower, upper: float = upper) -> Any:
            return [peers.laplace_trapezoid(int(d), lower, upper)(1.0)[0] ** -1 for d in widths]

        yield Case(
            f"{name} scales, array of widths",
            {
                OURS: lambda activation=activation: fm.Gain(activation, widths).scale(1.0),
                "NumPy trapezoid": by_trapezoid,
            },
            by_digits(one, widths[:200]),
            values=len(widths),
        )

    small = rng.integers(2, 17, count)
    hard = {
        "leaky, dropout 0.5": (LAWS["leaky"], 0.5),
        "randomized": (LAWS["randomized"], 1.0),
        "randomized, dropout 0.5": (LAWS["randomized"], 0.5),
        "slopes around 0": (fm.RandomizedLeakyReLU(-0.3, 0.4), 1.0),
        "slopes around 0, dropout 0.5": (fm.RandomizedLeakyReLU(-0.3, 0.4), 0.5),
    }
    for name, (activation, keep) in hard.items():

        def narrow(d: int, activation: Any = activation, keep: float = keep, **more: Any) -> Any:
            return fm.Gain(activation, d, keep_prob=keep).scale(1.0, **more)

        def scales(activation: Any = activation, keep: float = keep) -> Any:
            return fm.Gain(activation, small, keep_prob=keep).scale(1.0)

        yield Case(
            f"{name} scales, array of widths 2 to 16",
            {OURS: scales},
            by_digits(narrow, small[:50]),
            values=count,
        )

    def leaky(slope: float, **more: Any) -> Any:
        return fm.Gain(fm.LeakyReLU(slope), 64).scale(1.0, **more)

    yield Case(
        "leaky scales, width 64, array of slopes",
        {
            OURS: lambda: fm.Gain(fm.LeakyReLU(slopes), 64).scale(1.0),
            "NumPy trapezoid": lambda: [
                peers.laplace_trapezoid(64, a, a)(1.0)[0] ** -1 for a in slopes
            ],
        },
        by_digits(leaky, slopes[:200]),
        values=count,
    )


def scalar_cases() -> Iterator[Case]:
    """Python calls with one number."""
    fresh = itertools.count(1)
    for name, activation in LAWS.items():
        law = fm.Gain(activation, 64)
        yield Case(
            f"{name} moment, next scalar call",
            {OURS: lambda law=law: law.moment(1.3)},
            by_digits(law.moment, np.array([1.3])),
        )

        # A width that no earlier call has seen: whatever a law remembers is not there yet.
        def new_law(activation: fm.Activation = activation) -> Run:
            width = 1000 + next(fresh)
            return lambda: fm.Gain(activation, width).moment(1.3)

        yield Case(
            f"{name} moment, first call on a new law",
            {OURS: lambda law=law: law.moment(1.3)},
            by_digits(law.moment, np.array([1.3])),
            first=new_law,
        )


def digits_cases() -> Iterator[Case]:
    """Fifty digits, exact text as input."""
    for width in (1024, 10**6):
        law = fm.Gain("relu", width)
        methods: dict[str, Run] = {
            OURS: lambda law=law: law.moment("1.3", digits=50),
            "python-flint recurrence": lambda d=width: peers.relu_flint(d, "1.3", 50),
        }
        if width == 1024:
            methods["python-flint rigorous integral"] = lambda d=width: peers.relu_quad_flint(
                d, "1.3", 50
            )
            methods["mpmath recurrence"] = lambda d=width: peers.relu_mpmath(d, "1.3", 50)
        yield Case(
            f"relu moment, width {width:,}, 50 digits",
            methods,
            # By another route: python-flint's sum at 70 digits.
            lambda d=width: [peers.as_fraction(peers.relu_flint(d, "1.3", 70))],
            allowed=50.0,
            unit="digits",
        )
    leaky = fm.Gain(fm.LeakyReLU("0.01"), 64)
    yield Case(
        "leaky moment, width 64, 50 digits",
        {
            OURS: lambda: leaky.moment("1.3", digits=50),
            "python-flint 2F1 sum": lambda: peers.leaky_flint(64, "0.01", "1.3", 50),
            "mpmath 2F1 sum": lambda: peers.leaky_mpmath(64, "0.01", "1.3", 50),
        },
        lambda: [peers.as_fraction(peers.leaky_flint(64, "0.01", "1.3", 70))],
        allowed=50.0,
        unit="digits",
    )


def every_case() -> Iterator[Case]:
    yield from chi_cases()
    yield from order_cases()
    yield from array_cases()
    yield from scalar_cases()
    yield from digits_cases()
