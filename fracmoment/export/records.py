"""The rows of a table as flat records, the same fields in every format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fracmoment.activations import name_of
from fracmoment.export.labels import exact_text, label, slopes_of

if TYPE_CHECKING:
    from fracmoment.export.table import ConstantTable

__all__ = ["parameters", "records"]


def records(table: ConstantTable) -> list[dict[str, Any]]:
    """Return the rows: what identifies a constant, then every number as double and as decimal."""
    return [
        {
            "activation": constant.activation,
            "fan_in": constant.fan_in,
            "fan_out": constant.fan_out,
            "order": float(constant.order),
            "order_exact": exact_text(constant.order),
            **{name: number.double for name, number in constant.numbers.items()},
            **{f"{name}_decimal": number.decimal for name, number in constant.numbers.items()},
        }
        for constant in table.constants
    ]


def parameters(table: ConstantTable) -> dict[str, Any]:
    """Return what all rows have in common, exact numbers as text."""
    return {
        "weights": table.weights,
        "preserve": table.preserve,
        "keep_prob": exact_text(table.keep_prob),
        "inverted_dropout": table.inverted_dropout,
        "given_alive": table.given_alive,
        "digits": table.digits,
        "activations": [
            {
                "label": label(activation),
                "name": name_of(activation),
                **{name: exact_text(slope) for name, slope in slopes_of(activation).items()},
            }
            for activation in table.activations
        ],
    }
