"""What the tables of constants must hold, from values made elsewhere."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import cache
from pathlib import Path

import fracmoment as fm

TABLE = Path(__file__).parents[1] / "reference" / "init_scales.csv"
ACTIVATIONS = {
    "linear": "linear",
    "relu": "relu",
    "leaky_relu": fm.LeakyReLU("1/4"),
    "rrelu": fm.RandomizedLeakyReLU("1/8", "3/8"),
}
#: Digits to compute with from references.
CONTEXT = Context(prec=1100)


@dataclass(frozen=True)
class Row:
    """One row of the reference table; the value has 42 digits."""

    activation: str
    fan_in: int
    fan_out: int
    order: float
    preserve: str
    keep_prob: float
    inverted_dropout: bool
    given_alive: bool
    weights: str
    value: str

    @property
    def options(self) -> dict[str, object]:
        names = ("preserve", "keep_prob", "inverted_dropout", "given_alive", "weights")
        return {name: getattr(self, name) for name in names}


@cache
def rows() -> tuple[Row, ...]:
    with TABLE.open(newline="") as stream:
        return tuple(
            Row(
                line["activation"],
                int(line["fan_in"]),
                int(line["fan_out"]),
                float.fromhex(line["order"]),
                line["preserve"],
                float.fromhex(line["keep_prob"]),
                line["inverted"] == "1",
                line["given_alive"] == "1",
                line["weights"],
                line["value"],
            )
            for line in csv.DictReader(stream)
        )


def rounded(value: Decimal, digits: int) -> str:
    """A number of more digits rounded to fewer, with the zeros at the end."""
    short = Context(prec=digits, rounding=ROUND_HALF_EVEN).plus(value)
    return f"{short:.{digits - 1}e}"


def numbers(scale: Decimal, fan_in: int, weights: str) -> dict[str, Decimal]:
    """The numbers of a row, from the scale."""
    if weights == "orthogonal":
        return {"factor": scale}
    return {
        "std": scale,
        "torch_gain": CONTEXT.multiply(scale, CONTEXT.sqrt(Decimal(fan_in))),
        "variance_scaling": CONTEXT.multiply(CONTEXT.multiply(scale, scale), Decimal(fan_in)),
    }


def same_decimal(text: str, value: Decimal, digits: int) -> bool:
    """Whether a text has so many digits and is the rounded value."""
    mantissa = text.partition("e")[0].replace(".", "").lstrip("0")
    return len(mantissa) == digits and f"{Decimal(text):.{digits - 1}e}" == rounded(value, digits)


def exact_scale(activation: object, fan_in: int, fan_out: int, order: object, **options) -> Decimal:
    """The scale by the compiled core, which shares no code with the enclosures: 60 digits."""
    digits = options.pop("digits", 60)
    value = fm.init_scale(activation, fan_in, fan_out, order, digits=digits, **options)
    _, mantissa, exponent, _ = value._mpf_
    factor = CONTEXT.power(Decimal(2), int(exponent))
    return CONTEXT.multiply(Decimal(int(mantissa)), factor)
