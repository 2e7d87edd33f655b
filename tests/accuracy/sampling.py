"""Random points of the whole domain of every law, and the error of the double route there.

The truth is the route of any precision at 30 digits, which shares no kernel with the double route;
the tables in tests/reference judge both.
"""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np

import fracmoment as fm
from tests.reference.tables import error_in_ulp

DIGITS = 30
SEED = 20200511
LAWS = ("linear", "relu", "leaky", "randomized", "dropout", "orthogonal")
QUANTITIES = ("moment", "scale", "log_mean", "log_var", "log_cumulant 3", "log_cumulant 4")
RATIOS = ("chi", "chi_ratio", "beta", "f")


@dataclass(frozen=True)
class Point:
    """One law and one order."""

    lower: float
    upper: float
    width: int
    keep_prob: float = 1.0
    inverted: bool = True
    weights: str = "gaussian"
    order: float = 1.0
    given_alive: bool = False

    @property
    def activation(self) -> fm.Activation:
        return fm.RandomizedLeakyReLU(self.lower, self.upper)

    @property
    def has_atom(self) -> bool:
        return self.keep_prob < 1.0 or self.lower == self.upper == 0.0

    def gain(self) -> fm.Gain:
        return fm.Gain(
            self.activation,
            self.width,
            keep_prob=self.keep_prob,
            inverted_dropout=self.inverted,
            weights=self.weights,
        )


@dataclass
class Errors:
    """Errors of one quantity of one law, in ulp."""

    sizes: list[float] = field(default_factory=list)
    maximum: float = -math.inf
    worst: str = ""
    seconds: float = 0.0

    def add(self, size: float, what: object) -> None:
        if size > self.maximum:
            self.maximum, self.worst = size, str(what)
        self.sizes.append(size)

    def summary(self) -> dict[str, Any]:
        sizes = np.sort(self.sizes)
        return {
            "points": len(sizes),
            "maximum": round(float(sizes.max()), 4),
            "99.9 %": round(float(sizes[math.ceil(0.999 * len(sizes)) - 1]), 4),
            "mean": round(float(sizes.mean()), 4),
            "worst": self.worst,
        }


def exact(value: mpmath.mpf) -> Fraction:
    """The binary number that an mpf is."""
    sign, mantissa, exponent, _ = value._mpf_
    return (-1) ** sign * Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(math.exp(rng.uniform(math.log(low), math.log(high))))


def draw(law: str, rng: np.random.Generator) -> Point:
    """Draw one law of the family, with an order of its domain."""
    family = law
    keep, inverted, weights = 1.0, True, "gaussian"
    if law in ("dropout", "orthogonal"):
        family = str(rng.choice(["linear", "relu", "leaky", "randomized"]))
    if law == "orthogonal":
        weights = "orthogonal"
        if rng.random() < 0.25:
            keep = float(rng.uniform(0.05, 1.0))
        elif family == "linear":
            family = "leaky"  # |phi(u)| is 1 for linear layers
    if law == "dropout":
        keep = log_uniform(rng, 1e-6, 1.0) if rng.random() < 0.5 else float(rng.uniform(0.05, 1.0))
        inverted = bool(rng.random() < 0.5)
    if family == "leaky":
        lower = upper = log_uniform(rng, 1e-8, 10.0)
        if rng.random() < 0.1:
            lower = upper = 1.0 + log_uniform(rng, 1e-12, 1e-2) * rng.choice([-1.0, 1.0])
    elif family == "randomized":
        lower = log_uniform(rng, 1e-8, 5.0) * rng.choice([-1.0, 0.0, 1.0])
        upper = lower + log_uniform(rng, 1e-8, 8.0)
    else:
        lower = upper = 1.0 if family == "linear" else 0.0
    width = max(1, int(log_uniform(rng, 1.0, 1.000001e9)))
    point = Point(lower, upper, width, keep, inverted, weights)
    alive = bool(point.has_atom and rng.random() < 0.5)
    lowest = -1.0 if alive else 0.0
    edge = lowest if point.has_atom else -float(min(width, 64))
    kind = rng.random()
    if kind < 0.2:
        order = log_uniform(rng, 1e-6, 1.0) * (rng.choice([-1.0, 1.0]) if edge < 0 else 1.0)
    elif kind < 0.35:
        order = edge + log_uniform(rng, 1e-10, 1.0)
    elif kind < 0.4:
        order = float(rng.integers(1, 65))
    else:
        order = float(rng.uniform(edge, 64.0))
    if not order > edge or order == 0.0:
        order = 1.0
    return Point(lower, upper, width, keep, inverted, weights, float(order), alive)


def gains(points: list[Point]) -> fm.Gain:
    """One gain with the parameters of all points as arrays."""
    first = points[0]
    return fm.Gain(
        fm.RandomizedLeakyReLU(
            np.array([p.lower for p in points]), np.array([p.upper for p in points])
        ),
        np.array([p.width for p in points]),
        keep_prob=np.array([p.keep_prob for p in points]),
        inverted_dropout=first.inverted,
        weights=first.weights,
    )


def is_normal(value: mpmath.mpf) -> bool:
    """Whether a double can hold a number; asked before `exact` writes out 10^(10^9)."""
    return bool(mpmath.mpf(2) ** -1022 <= abs(value) < mpmath.mpf(2) ** 1023)


def evaluate(
    law_array: fm.Gain, quantity: str, points: list[Point], orders: Any, alive: bool
) -> Any:
    """All values at once; one by one where some point raises, with NaN for that point."""
    try:
        return getattr(law_array, quantity)(orders, given_alive=alive)
    except fm.ConvergenceError:
        values = np.full(len(points), math.nan)
        for k, point in enumerate(points):
            with contextlib.suppress(fm.ConvergenceError):
                values[k] = getattr(point.gain(), quantity)(point.order, given_alive=alive)
        return values


def arguments(quantity: str, point: Point) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """The method of a quantity, and what it is called with at a point."""
    name, *index = quantity.split()
    if name in ("moment", "scale"):
        return name, (point.order,), {"given_alive": point.given_alive}
    return name, tuple(int(n) for n in index), {}


def unit_of(quantity: str, gain: fm.Gain) -> float:
    """The natural unit of a quantity that can vanish."""
    if quantity == "log_mean":
        return 1.0
    if quantity.startswith("log_cumulant"):
        return float(gain.log_var() ** (int(quantity.split()[1]) / 2))
    return 0.0


def measure(law: str, quantity: str, count: int, seed: int = SEED) -> Errors:
    """Errors at ``count`` random points of one quantity of one law."""
    rng = np.random.default_rng([seed, LAWS.index(law), QUANTITIES.index(quantity)])
    groups: dict[tuple[bool, bool], list[Point]] = {}
    for _ in range(count):
        point = draw(law, rng)
        groups.setdefault((point.inverted, point.given_alive), []).append(point)
    errors = Errors()
    start = time.perf_counter()
    for (_, alive), points in groups.items():
        law_array = gains(points)
        if quantity in ("moment", "scale"):
            orders = np.array([p.order for p in points])
            with np.errstate(all="ignore"):
                values = evaluate(law_array, quantity, points, orders, alive)
        else:
            name, given, _ = arguments(quantity, points[0])
            values = getattr(law_array, name)(*given)
        for point, value in zip(points, np.ravel(values), strict=True):
            gain = point.gain()
            name, given, more = arguments(quantity, point)
            truth = getattr(gain, name)(*given, **more, digits=DIGITS)
            if truth == 0 or is_normal(truth):
                errors.add(error_in_ulp(float(value), exact(truth), unit_of(quantity, gain)), point)
    errors.seconds = time.perf_counter() - start
    return errors


def measure_ratio(kind: str, count: int, seed: int = SEED) -> Errors:
    """Errors of a ratio moment with real degrees of freedom."""
    rng = np.random.default_rng([seed, 100 + RATIOS.index(kind)])
    errors = Errors()
    start = time.perf_counter()
    m, n = (np.exp(rng.uniform(math.log(0.05), math.log(1e9), count)) for _ in range(2))
    low = np.maximum(-64.0, {"f": -m / 2}.get(kind, -m))
    high = np.minimum(64.0, {"chi_ratio": n, "f": n / 2}.get(kind, np.full(count, 64.0)))
    near = rng.random(count) < 0.2
    share = np.where(
        near, np.exp(rng.uniform(math.log(1e-10), 0.0, count)), rng.uniform(0.0, 1.0, count)
    )
    order = low + share * (high - low)
    order = np.clip(order, np.nextafter(low, high), np.nextafter(high, low))
    # Which function, and whether it takes the second parameter.
    function = {
        "chi": fm.chi_moment,
        "chi_ratio": fm.chi_ratio_moment,
        "beta": fm.beta_moment,
        "f": fm.f_moment,
    }[kind]
    columns = (m, order) if kind == "chi" else (m, n, order)
    values = function(*columns)
    for value, *row in zip(values, *columns, strict=True):
        arguments = [float(x) for x in row]
        truth = function(*arguments, digits=DIGITS)
        if is_normal(truth):
            errors.add(error_in_ulp(float(value), exact(truth)), tuple(arguments))
    errors.seconds = time.perf_counter() - start
    return errors
