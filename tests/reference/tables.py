"""Reading the reference tables, and the size of an error in exact arithmetic."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
LAWS = (
    "linear", "relu", "leaky", "randomized", "dropout", "ratio_distributions", "high_orders",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One value of one law."""

    lower: float
    upper: float
    width: int
    keep_prob: float
    inverted: bool
    weights: str
    given_alive: bool
    quantity: str
    argument: str
    value: str

    @property
    def law(self) -> tuple[float, float, int, float, bool, str]:
        return self.lower, self.upper, self.width, self.keep_prob, self.inverted, self.weights

    @property
    def numbers(self) -> list[float]:
        """The numbers in the argument, exactly."""
        parts = self.argument.split()
        return [float.fromhex(text) if "x" in text else float(text) for text in parts]

    @property
    def is_complex(self) -> bool:
        return " " in self.value

    @property
    def parts(self) -> list[Fraction]:
        """The value, or its real and imaginary part."""
        return [Fraction(text) for text in self.value.split()]

    def __str__(self) -> str:
        lower, upper, width, keep, inverted, weights = self.law
        text = f"slopes ({lower!r}, {upper!r}) width {width} {weights}"
        if keep < 1:
            text += f" keep {keep!r} {'inverted' if inverted else 'plain'}"
        arguments = ", ".join(repr(number) for number in self.numbers) if self.argument else ""
        alive = " given alive" if self.given_alive else ""
        return f"{self.quantity}({arguments}){alive}: {text}"


@cache
def rows(name: str) -> tuple[Row, ...]:
    """Every row of the table of one family of laws."""
    with (FOLDER / f"{name}.csv").open(newline="") as stream:
        return tuple(
            Row(
                float.fromhex(line["lower"]),
                float.fromhex(line["upper"]),
                int(line["width"]),
                float.fromhex(line["keep_prob"]),
                line["inverted"] == "1",
                line["weights"],
                line["given_alive"] == "1",
                line["quantity"],
                line["argument"],
                line["value"],
            )
            for line in csv.DictReader(stream)
        )


def by_network(name: str) -> dict[str, list[dict[str, str]]]:
    """The lines of a table of laws of whole networks, network by network."""
    table: dict[str, list[dict[str, str]]] = {}
    with (FOLDER / f"{name}.csv").open(newline="") as stream:
        for line in csv.DictReader(stream):
            table.setdefault(line["network"], []).append(line)
    return table


def error_in_ulp(computed: float, reference: Fraction, unit: float = 0.0) -> float:
    """|computed - reference| in ulp of the reference, or of ``unit`` if that is larger."""
    if not math.isfinite(computed):
        return math.inf
    ulp = math.ulp(max(abs(float(reference)), unit))
    return float(abs(Fraction(computed) - reference) / Fraction(ulp))


def relative_error(computed: float | Fraction, reference: Fraction) -> float:
    """|computed - reference| / |reference|."""
    if isinstance(computed, float) and not math.isfinite(computed):
        return math.inf
    difference = abs(Fraction(computed) - reference)
    if difference == 0:
        return 0.0
    return float(difference / abs(reference)) if reference else math.inf
