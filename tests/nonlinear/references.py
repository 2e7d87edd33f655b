"""The reference table of nonlinear layers, and activations written anew for mpmath."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import mpmath
from mpmath import mpf

from fracmoment import nonlinear

TABLE = Path(__file__).parent.parent / "reference" / "nonlinear.csv"

FUNCTIONS: dict[str, Callable[[mpf], mpf]] = {
    "tanh": mpmath.tanh,
    "lecun_tanh": lambda x: mpf("1.7159") * mpmath.tanh(2 * x / 3),
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "gelu": lambda x: x * mpmath.ncdf(x),
    # x (1 + tanh u)/2 by exponentials, for far to the left nothing remains of 1 + tanh u.
    "gelu_tanh": lambda x: (
        x / (1 + mpmath.exp(-2 * mpmath.sqrt(2 / mpmath.pi) * (x + mpf("0.044715") * x**3)))
    ),
    "silu": lambda x: x / (1 + mpmath.exp(-x)),
    "elu": lambda x: x if x > 0 else mpmath.expm1(x),
    "celu": lambda x: x if x > 0 else mpmath.expm1(x),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "mish": lambda x: x * mpmath.tanh(mpmath.log1p(mpmath.exp(x))),
    "erf": mpmath.erf,
    "sin": mpmath.sin,
}


@dataclass(frozen=True)
class Row:
    """One moment of one layer, to 40 digits."""

    activation: str
    variance: str
    width: int
    order: str
    value: str

    @property
    def layer(self) -> nonlinear.NonlinearGain:
        unit = eval(self.activation, vars(nonlinear))
        return nonlinear.NonlinearGain(unit, self.width, self.variance)

    @property
    def exact(self) -> Fraction:
        return Fraction(self.value)

    def __str__(self) -> str:
        return f"{self.activation}-{self.variance}-{self.width}-{self.order}"


@cache
def rows() -> tuple[Row, ...]:
    with TABLE.open(newline="") as stream:
        return tuple(
            Row(x["activation"], x["variance"], int(x["width"]), x["order"], x["value"])
            for x in csv.DictReader(stream)
        )


def mean(function: Callable[[mpf], mpf], variance: float = 1.0, breaks: Sequence[mpf] = ()) -> mpf:
    """E f(x), x ~ N(0, variance), by tanh-sinh quadrature; ``breaks`` in z = x/sqrt(variance)."""
    root = mpmath.sqrt(mpf(variance))

    def weighed(z: mpf) -> mpf:
        return function(root * z) * mpmath.npdf(z)

    points = {mpf(x) for x in (1, 2, 4, 8, 14)} | {b for b in breaks if b < 14}
    return mpmath.quad(weighed, [*sorted(-x for x in points), 0, *sorted(points)])
