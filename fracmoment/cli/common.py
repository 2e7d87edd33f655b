"""What the commands share: options, notes, tables and JSON."""

from __future__ import annotations

import argparse
import difflib
import json
import math
import sys
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from rich import box
from rich.console import Console
from rich.table import Table

from fracmoment import _validation
from fracmoment.activations import (
    Activation,
    LeakyReLU,
    RandomizedLeakyReLU,
    as_activation,
    name_of,
)
from fracmoment.networks.laws import CERTAIN_ORDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

WIDTH = 80

_SYNONYMS = {
    "identity": "linear",
    "none": "linear",
    "rectifier": "relu",
    "leaky": "leaky_relu",
    "leakyrelu": "leaky_relu",
    "lrelu": "leaky_relu",
    "randomizedleakyrelu": "rrelu",
    "randomized_leaky_relu": "rrelu",
}
ACTIVATIONS = ("linear", "relu", "leaky_relu", "rrelu")
# Slopes are exact: 0.01 is 1/100 whether it is typed or not.
_SLOPE, _LOWER, _UPPER = "0.01", "1/8", "1/3"


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Print the message and end with status 2."""
        print_error(self.prog, f"{message} ('{self.prog} --help' explains)")
        self.exit(2)


def print_error(program: str, message: str) -> None:
    """Print one line on stderr."""
    line = " ".join(message.split())
    text = f"{program}: error: {line}"
    print(text.encode(_encoding(sys.stderr), "backslashreplace").decode(), file=sys.stderr)


def _encoding(stream: TextIO) -> str:
    return "utf-8" if (stream.encoding or "").lower().replace("-", "") == "utf8" else "ascii"


def note(message: str) -> None:
    """Print a remark on stderr, where a person sees it: on a terminal only."""
    if sys.stderr.isatty():
        print(message, file=sys.stderr)


def progress(message: str) -> None:
    """Replace the last line of progress on stderr, on a terminal only; `note` ends it."""
    if sys.stderr.isatty():
        print(f"\r{message:<{WIDTH - 1}}", end="", file=sys.stderr, flush=True)


# ---------------------------------------------------------------- options


def add_widths_option(parser: argparse.ArgumentParser) -> None:
    """Add the widths of a network."""
    parser.add_argument(
        "--widths", metavar="W,W,...", required=True, help="widths, for example 784,64x20,10"
    )


def add_activation_options(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Add the choice of an activation, or of several, and its slopes."""
    group = parser.add_argument_group("activation")
    more = "; several, separated by commas, in tables" if several else ""
    group.add_argument(
        "--activation",
        *(("--activations",) if several else ()),
        metavar="NAME",
        default="relu",
        help=f"relu (default), leaky_relu, rrelu or linear{more}",
    )
    group.add_argument(
        "--slope",
        "--negative-slope",
        metavar="A",
        help=f"slope of leaky_relu's negative side (default {_SLOPE}){more}",
    )
    group.add_argument(
        "--lower",
        metavar="L",
        help=f"rrelu: lower end of the random slope (default {_LOWER})",
    )
    group.add_argument(
        "--upper",
        metavar="U",
        help=f"rrelu: upper end of the random slope (default {_UPPER})",
    )


def add_last_option(parser: argparse.ArgumentParser) -> None:
    """Add the choice of what follows the last layer."""
    parser.add_argument(
        "--last",
        metavar="NAME",
        default="linear",
        help="activation of the last layer: linear (default: the output of a network has none)"
        " or same, which treats the last layer like every other, dropout included",
    )


def add_preserve_option(parser: argparse.ArgumentParser) -> None:
    """Add the convention for layers that are not square."""
    parser.add_argument(
        "--preserve",
        choices=("rms", "norm"),
        default="rms",
        help="what keeps its moment: the root mean square |x|/sqrt(n) (default; at order 2 this"
        " is He's fan_in mode) or the norm |x| (fan_out mode)",
    )


def add_weights_options(parser: argparse.ArgumentParser) -> None:
    """Add the law of the weights and dropout."""
    parser.add_argument(
        "--weights",
        choices=("gaussian", "orthogonal"),
        default="gaussian",
        help="Gaussian entries (the scale is their standard deviation; default) or an orthogonal"
        " matrix (the scale multiplies it)",
    )
    dropout = parser.add_mutually_exclusive_group()
    dropout.add_argument(
        "--dropout", metavar="P", help="probability that (inverted) dropout drops a unit"
    )
    dropout.add_argument("--keep-prob", metavar="Q", help="the same as its complement")


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Add the choice of output for programs."""
    parser.add_argument("--json", action="store_true", help="print JSON for programs")


def activation_name(
    text: str, known: Sequence[str] = ACTIVATIONS, option: str = "activation"
) -> str:
    """Return the canonical name of an activation, forgiving in case and hyphens."""
    name = text.strip().lower().replace("-", "_")
    name = _SYNONYMS.get(name, name)
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        msg = f"--{option} must be one of {', '.join(known)}, got {text[:40]!r}{hint}"
        raise ValueError(msg)
    return name


def read_activation(arguments: argparse.Namespace) -> Activation:
    """Return the activation that the options ask for."""
    name = activation_name(arguments.activation)
    _check_slopes(arguments, [name])
    return _activation(name, arguments.slope, arguments)


def read_activations(arguments: argparse.Namespace) -> list[Activation]:
    """Return the activations that the options ask for; leaky_relu stands for every slope."""
    names = [activation_name(part) for part in arguments.activation.split(",")]
    _check_slopes(arguments, names)
    slopes = [None] if arguments.slope is None else arguments.slope.split(",")
    return [
        _activation(name, slope, arguments)
        for name in names
        for slope in (slopes if name == "leaky_relu" else [None])
    ]


def _check_slopes(arguments: argparse.Namespace, names: Sequence[str]) -> None:
    for option, owner in (("slope", "leaky_relu"), ("lower", "rrelu"), ("upper", "rrelu")):
        if getattr(arguments, option) is not None and owner not in names:
            msg = f"--{option} belongs to {owner}, not to {', '.join(names)}"
            raise ValueError(msg)


def _activation(name: str, slope: str | None, arguments: argparse.Namespace) -> Activation:
    if name == "leaky_relu":
        return LeakyReLU(_SLOPE if slope is None else slope)
    if name == "rrelu":
        lower = _LOWER if arguments.lower is None else arguments.lower
        upper = _UPPER if arguments.upper is None else arguments.upper
        return RandomizedLeakyReLU(lower, upper)
    return as_activation(name)


def read_last(arguments: argparse.Namespace) -> str | None:
    """Return the activation of the last layer, None for the same as everywhere."""
    name = activation_name(arguments.last, ("linear", "same"), "last")
    return None if name == "same" else name


def read_keep_prob(arguments: argparse.Namespace) -> Fraction:
    """Return the keep probability exactly."""
    if arguments.keep_prob is not None:
        return _validation.rational("--keep-prob", arguments.keep_prob)
    if arguments.dropout is None:
        return Fraction(1)
    drop = _validation.rational("--dropout", arguments.dropout)
    if not 0 <= drop < 1:
        msg = f"--dropout must be in [0, 1), got {arguments.dropout}"
        raise ValueError(msg)
    return 1 - drop


def describe_activation(activation: Activation) -> str:
    """Return an activation as a short text.

    Examples
    --------
    >>> from fracmoment import LeakyReLU
    >>> describe_activation(LeakyReLU(0.25))
    'leaky_relu(0.25)'
    """
    name = name_of(activation)
    if isinstance(activation, LeakyReLU):
        return f"{name}({float(activation.slopes[0]):g})"
    if isinstance(activation, RandomizedLeakyReLU):
        lower, upper = activation.slopes
        return f"{name}({float(lower):.3g}, {float(upper):.3g})"
    return name


def activation_json(activation: Activation) -> dict[str, Any]:
    """Return an activation as data."""
    result: dict[str, Any] = {"name": name_of(activation)}
    lower, upper = (float(slope) for slope in activation.slopes)
    if isinstance(activation, LeakyReLU):
        result["negative_slope"] = lower
    if isinstance(activation, RandomizedLeakyReLU):
        result |= {"lower": lower, "upper": upper}
    return result


# ---------------------------------------------------------------- output


def make_console() -> Console:
    """Return a console on stdout, 80 columns wide whatever the terminal."""
    return Console(width=WIDTH, highlight=False, soft_wrap=False, markup=False)


def make_table(title: str, columns: Iterable[str], *, left: int = 1) -> Table:
    """Return an empty table; columns after the first `left` are numbers, aligned right."""
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 0, 0, 1),
        show_edge=False,
    )
    for index, column in enumerate(columns):
        table.add_column(
            column,
            justify="left" if index < left else "right",
            no_wrap=True,
            overflow="fold",
        )
    return table


def fits(console: Console, table: Table) -> bool:
    """Return whether a table has room, with two spaces between columns or else with one."""
    roomy = console.options.update(width=10 * WIDTH)
    if console.measure(table, options=roomy).maximum > WIDTH:
        table.padding = (0, 0)
    return console.measure(table, options=roomy).maximum <= WIDTH


def print_table(console: Console, table: Table) -> None:
    """Print a table; numbers for which there is no room are continued on a second line."""
    if not fits(console, table):
        for column in table.columns:
            column.no_wrap = False
    console.print(table)


def print_json(data: Mapping[str, Any]) -> None:
    """Print data as JSON, numbers in full precision; what is not finite becomes null."""
    print(json.dumps(_finite(data), indent=2, allow_nan=False))


def _finite(data: Any) -> Any:
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_finite(value) for value in data]
    return data


def number(value: float, digits: int = 4) -> str:
    """Return a number in a few characters: `digits` significant ones at most.

    Examples
    --------
    >>> [number(x) for x in (0.1785280, 12345.6, 3.2e-12, 1e-17, 0.0)]
    ['0.1785', '12346', '3.2e-12', '1e-17', '0']
    """
    if value == 0.0:
        return "0"
    if math.isnan(value):
        return "-"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if not 1e-4 <= abs(value) < 1e6:
        return f"{value:.{digits}g}"
    if abs(value) >= 10.0**digits:
        return f"{value:.0f}"
    return f"{value:#.{digits}g}".removesuffix(".")


def order_number(value: float, digits: int = 3) -> str:
    """Return an order that a scale preserves; NaN stands for one too large to be found."""
    if math.isnan(value):
        return f">{CERTAIN_ORDER:g}"
    return "<.001" if 0.0 < value < 0.001 else number(value, digits)


def log_number(value: float) -> str:
    """Return a logarithm with three decimals; rounding noise around zero is zero."""
    if not math.isfinite(value):
        return number(value)
    return f"{value:.3f}" if abs(value) >= 5e-4 else "0.000"
