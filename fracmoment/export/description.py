"""What the head of a table says: version, formula, and what the numbers are good for."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from fracmoment.activations import LeakyReLU, Linear, RandomizedLeakyReLU, ReLU
from fracmoment.export.labels import exact_text

if TYPE_CHECKING:
    from fracmoment.export.table import ConstantTable

__all__ = ["TITLE", "describe", "head", "meanings"]

TITLE = "Scales of random initial weights, exact at the width of the layer."

_ACTIVATIONS = {
    Linear: "linear is z",
    ReLU: "relu is max(z, 0)",
    LeakyReLU: "leaky_relu(a) is z for z > 0 and a z for z < 0",
    RandomizedLeakyReLU: "rrelu(l, u) is leaky_relu with a drawn from [l, u] for every unit",
}
_MEANINGS = {
    "std": "standard deviation of the weights",
    "torch_gain": "std sqrt(fan_in), what torch calls gain: torch.nn.init.normal_(weight, 0,"
    " gain / sqrt(fan_in))",
    "variance_scaling": "std^2 fan_in, the scale of VarianceScaling in Keras and of"
    ' variance_scaling in JAX, with mode "fan_in" and a normal distribution that is not truncated'
    ' ("untruncated_normal" in Keras, "normal" in JAX)',
    "factor": "what multiplies the orthogonal matrix: the gain of torch.nn.init.orthogonal_ and"
    " of Orthogonal in Keras, the scale of orthogonal in JAX",
}
_ALIVE = "that phi(g) is not 0"
_WIDTH = 78


def describe(table: ConstantTable) -> dict[str, str]:
    """Return what a reader of a table has to know, by subject; plain ASCII."""
    return {
        "generator": f"fracmoment {table.version}",
        "layer": _layer(table),
        "formula": _formula(table),
        **({"lyapunov": _lyapunov(table)} if 0 in table.orders else {}),
        "preserved": _preserved(table),
        "proof": "every number is the exact value correctly rounded, decimals to"
        f" {table.digits} significant digits, as proved by ball arithmetic",
    }


def meanings(table: ConstantTable) -> dict[str, str]:
    """Return what the numbers of a row are, by name."""
    return {name: _MEANINGS[name] for name in table.quantities}


def head(table: ConstantTable, width: int = _WIDTH) -> list[str]:
    """Return the head of a table as lines of text, the first of them its title."""
    lines = [TITLE]
    for subject, text in (describe(table) | meanings(table)).items():
        lines += textwrap.wrap(
            f"{subject}: {text}.", width, subsequent_indent="  ", break_long_words=False
        )
    return lines


def _layer(table: ConstantTable) -> str:
    kinds = {type(activation) for activation in table.activations}
    phi = "; ".join(text for kind, text in _ACTIVATIONS.items() if kind in kinds)
    if table.weights == "gaussian":
        matrix = (
            "the entries of the fan_out x fan_in matrix W are independent normal numbers (not"
            " truncated) of mean 0 and standard deviation std"
        )
    else:
        matrix = (
            "W is factor times a random orthogonal matrix (Haar), of orthonormal columns, or rows"
            " where fan_out < fan_in"
        )
    return f"x' = phi(W x) without bias; {matrix}; {phi}{_dropout(table)}"


def _dropout(table: ConstantTable) -> str:
    if table.keep_prob == 1:
        return ""
    keep = exact_text(table.keep_prob)
    divided = f" and divided by {keep}" if table.inverted_dropout else ""
    return f"; dropout follows, part of phi: units are kept with probability {keep}{divided}"


def _formula(table: ConstantTable) -> str:
    scale = "std" if table.weights == "gaussian" else "factor"
    root = "sqrt(fan_out / fan_in) " if table.preserve == "rms" else ""
    if table.weights == "gaussian":
        moment = "E |phi(g)|^s, g of fan_out independent standard normal numbers"
    else:
        moment = (
            "E (|phi(g)| / |h|)^s, h of max(fan_in, fan_out) independent standard normal numbers,"
            " g the first fan_out of them"
        )
    given = f", given {_ALIVE}" if table.given_alive else ""
    return f"{scale} = {root}M(s)^(-1/s), s the order, M(s) = {moment}{given}"


def _lyapunov(table: ConstantTable) -> str:
    ratio = "|phi(g)|" if table.weights == "gaussian" else "(|phi(g)| / |h|)"
    return (
        f"order 0 has exp(-E log {ratio}), given {_ALIVE}, in the place of M(s)^(-1/s); it"
        " preserves the mean of the logarithm"
    )


def _preserved(table: ConstantTable) -> str:
    if table.preserve == "rms":
        moments = "E (|x'| / sqrt(fan_out))^s = E (|x| / sqrt(fan_in))^s"
    else:
        moments = "E |x'|^s = E |x|^s"
    given = ", given that x' is not 0" if table.given_alive else ""
    return f"{moments} in Euclidean norm{given}, for every input x"
