"""LaTeX: the head as comments, and a tabular in the style of the package booktabs."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from fracmoment.activations import LeakyReLU, RandomizedLeakyReLU, ReLU
from fracmoment.export.description import head
from fracmoment.export.labels import exact_text, label

if TYPE_CHECKING:
    from fracmoment.activations import Activation
    from fracmoment.export.table import Constant, ConstantTable

__all__ = ["render"]

_TITLES = {
    "std": r"$\sigma$",
    "torch_gain": r"$\sigma \sqrt{n_{\mathrm{in}}}$",
    "variance_scaling": r"$\sigma^2 n_{\mathrm{in}}$",
    "factor": r"$\sigma$",
}


def render(table: ConstantTable) -> str:
    """Return a table as LaTeX, a group of rows for each activation.

    Layers have one column if all of them are square and two otherwise.
    """
    square = all(fan_in == fan_out for fan_in, fan_out in table.layers)
    layer = [r"$n$"] if square else [r"$n_{\mathrm{in}}$", r"$n_{\mathrm{out}}$"]
    titles = ["activation", *layer, "$s$", *(_TITLES[name] for name in table.quantities)]
    lines = [f"% {line}" for line in head(table)]
    symbols = "n: width" if square else "n_in: fan_in, n_out: fan_out"
    lines += [
        rf"% Needs \usepackage{{booktabs}}. sigma: {table.quantities[0]}, s: order, {symbols}.",
        rf"\begin{{tabular}}{{l{'r' * (len(titles) - 1)}}}",
        r"\toprule",
        rf"{' & '.join(titles)} \\",
    ]
    names = {label(activation): _name(activation) for activation in table.activations}
    for text, rows in groupby(table.constants, key=lambda constant: constant.activation):
        lines.append(r"\midrule")
        for index, constant in enumerate(rows):
            cells = [names[text] if index == 0 else "", *_cells(constant, square)]
            lines.append(rf"{' & '.join(cells)} \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _name(activation: Activation) -> str:
    if isinstance(activation, LeakyReLU):
        return f"leaky ReLU, $a = {exact_text(activation.exact_slopes[0])}$"
    if isinstance(activation, RandomizedLeakyReLU):
        lower, upper = map(exact_text, activation.exact_slopes)
        return f"randomized leaky ReLU, $[{lower}, {upper}]$"
    return "ReLU" if isinstance(activation, ReLU) else "linear"


def _cells(constant: Constant, square: bool) -> list[str]:
    fans = [constant.fan_out] if square else [constant.fan_in, constant.fan_out]
    cells = [*map(str, fans), f"${exact_text(constant.order)}$"]
    return cells + [_number(number.decimal) for number in constant.numbers.values()]


def _number(text: str) -> str:
    """Return a decimal; its exponent, if it has one, as a power of ten."""
    mantissa, _, exponent = text.partition("e")
    return rf"${mantissa} \times 10^{{{int(exponent)}}}$" if exponent else f"${mantissa}$"
