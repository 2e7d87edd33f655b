"""``fracmoment export``: constants in a file, as a table or with a certificate."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fracmoment import _validation
from fracmoment._files import write_text
from fracmoment.cli.common import (
    add_activation_options,
    add_preserve_option,
    add_weights_options,
    note,
    print_json,
    read_activation,
    read_activations,
    read_keep_prob,
)
from fracmoment.cli.layers import read_layers, read_numbers

if TYPE_CHECKING:
    from collections.abc import Callable

    from fracmoment.export import ConstantTable

_DESCRIPTION = """\
Write constants for use without fracmoment: a table (--format), or one constant
with what is needed to derive it again (--certificate).

A table has a row for every combination of activations, layers and orders: the
standard deviation of Gaussian weights, the same number as torch's gain
(std sqrt(fan_in)) and as Keras' and JAX's scale (std^2 fan_in); for orthogonal
weights the factor of the matrix. All digits are proved. The C header and the
Python module need nothing else.

A certificate is an interval with exact hexadecimal end points, JSON.
'fracmoment check FILE' derives it again, and so does, without fracmoment,
examples/check_certificate.py. Its scale preserves the norm.

Numbers may be written as 0.1 or 1/3 and are exact. Order 0 is the Lyapunov
scale: zero drift, given that the layer is alive.
"""
_EXAMPLES = """\
examples:
  fracmoment export --format c --widths 16:1024:x2 --order 0,0.5,1 -o scales.h
  fracmoment export --format latex --activation relu,linear --layers 784,64,10
  fracmoment export --format python --fan-in 784 --fan-out 64,128 --order 0.8
  fracmoment export --certificate --width 64 --order 1/2 -o scale.json
  fracmoment export --certificate --quantity tail_index --width 64 --sigma 0.2
"""
_FORMATS = ("json", "csv", "toml", "latex", "markdown", "c", "python")
# Documents are for people: fewer digits.
_DOCUMENTS = ("latex", "markdown")
_DIGITS, _DIGITS_OF_DOCUMENTS = 30, 6
# Options of the one use that the other does not have, with what they are when not given.
_OF_CERTIFICATES = {"quantity": "scale", "sigma": None}
_OF_TABLES = {
    "fan_in": None,
    "fan_out": None,
    "layers": None,
    "preserve": "rms",
    "prefix": "fracmoment",
}


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "export",
        help="write constants: tables for other programs, or certificates",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    use = parser.add_mutually_exclusive_group()
    use.add_argument(
        "--format", metavar="NAME", help=f"write a table: {', '.join(_FORMATS[:-1])} or python"
    )
    use.add_argument("--certificate", action="store_true", help="write a certificate")
    parser.add_argument(
        "--widths",
        "--width",
        metavar="N,N,...",
        help="widths of square layers; tables take ranges too: 8:16 (both included), 64:256:32 (in"
        " steps), 16:1024:x2 (in factors). Of a certificate one, the number of outputs",
    )
    parser.add_argument(
        "--order",
        "--orders",
        metavar="S",
        help="order of the moment (default 1), several, separated by commas, in tables. Of a"
        " cumulant 3 to 8; other quantities of certificates have none",
    )
    parser.add_argument(
        "--given-alive", action="store_true", help="moments given that the layer is alive"
    )
    parser.add_argument(
        "--digits",
        metavar="N",
        type=int,
        help="so many proved decimal digits, at most 1000 (default"
        f" {_DIGITS}; for latex and markdown {_DIGITS_OF_DOCUMENTS})",
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="where to write (default: standard output)"
    )
    add_activation_options(parser, several=True)
    add_weights_options(parser)
    parser.add_argument(
        "--plain-dropout",
        action="store_true",
        help="dropout does not divide the units that it keeps by the keep probability",
    )
    tables = parser.add_argument_group("tables only")
    tables.add_argument(
        "--layers",
        metavar="W,W,...",
        action="append",
        help="layers of a network, given by its widths as for 'plan': 784,64x20,10 (may be given"
        " several times)",
    )
    tables.add_argument(
        "--fan-in", metavar="N,N,...", help="numbers of inputs, each with every --fan-out"
    )
    tables.add_argument("--fan-out", metavar="N,N,...", help="numbers of outputs")
    add_preserve_option(tables)
    tables.add_argument(
        "--prefix", metavar="NAME", help="c: beginning of every name (default fracmoment)"
    )
    certificates = parser.add_argument_group("certificates only")
    certificates.add_argument(
        "--quantity",
        metavar="NAME",
        help="scale (default), moment, log_mean, log_var, cumulant or tail_index of the gain",
    )
    certificates.add_argument(
        "--sigma", metavar="SIGMA", help="scale of the weights, for the tail index only"
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print JSON for programs: the table, or with --output what was written",
    )
    # Only what is given can be refused.
    parser.set_defaults(run=run, preserve=None)


def run(arguments: argparse.Namespace) -> int:
    """Derive, and write."""
    if not arguments.certificate and arguments.format is None:
        if not arguments.json:
            raise ValueError("give --format, for a table, or --certificate")
        arguments.format = "json"
    _refuse_foreign(arguments)
    path = None if arguments.output is None else Path(arguments.output)
    if path is not None and not path.parent.is_dir():
        message = f"{path}: there is no folder {path.parent}"
        raise FileNotFoundError(message)
    write = _certificate if arguments.certificate else _table
    text, report, remark = write(arguments)
    if path is None:
        if arguments.json and not arguments.certificate:
            print_json({"command": "export", **json.loads(text)})
        else:
            print(text, end="")
        return 0
    write_text(path, text)
    if arguments.json:
        print_json({"command": "export", **report, "file": str(path)})
    note(f"{remark} written to {path}")
    return 0


def _refuse_foreign(arguments: argparse.Namespace) -> None:
    """Refuse options of the other use, and complete those of this one."""
    pairs = [(_OF_CERTIFICATES, "--certificate"), (_OF_TABLES, "--format")]
    own, foreign = pairs if arguments.certificate else pairs[::-1]
    for name in foreign[0]:
        if getattr(arguments, name) is not None:
            message = f"--{name.replace('_', '-')} belongs to {foreign[1]}, not to {own[1]}"
            raise ValueError(message)
    for name, default in own[0].items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, default)
    if arguments.digits is None:
        short = arguments.format in _DOCUMENTS
        arguments.digits = _DIGITS_OF_DOCUMENTS if short else _DIGITS


# ---------------------------------------------------------------- certificates


def _certificate(arguments: argparse.Namespace) -> tuple[str, dict[str, Any], str]:
    """Return the text of a certificate, and what to say about it to programs and people."""
    from fracmoment.certified import make_certificate
    from fracmoment.gains import Gain

    order = arguments.order
    if order is None:
        order = 1 if arguments.quantity in ("scale", "moment") else 0
    widths = read_numbers("--width", arguments.widths)
    if len(widths) != 1:
        message = f"a certificate needs one --width, got {arguments.widths!r}"
        raise ValueError(message)
    gain = Gain(
        read_activation(arguments),
        widths[0],
        keep_prob=read_keep_prob(arguments),
        inverted_dropout=not arguments.plain_dropout,
        weights=arguments.weights,
    )
    data = make_certificate(
        gain,
        order,
        quantity=arguments.quantity,
        digits=arguments.digits,
        given_alive=arguments.given_alive,
        sigma=arguments.sigma,
    )
    report = {key: data[key] for key in ("quantity", "decimal")}
    remark = f"{data['quantity']} {data['decimal']}"
    return json.dumps(data, indent=2) + "\n", {"format": "certificate", **report}, remark


# ---------------------------------------------------------------- tables


def _table(arguments: argparse.Namespace) -> tuple[str, dict[str, Any], str]:
    """Return the text of a table, and what to say about it to programs and people."""
    from fracmoment.export import render
    from fracmoment.export.c_format import check_prefix

    format_name = _validation.choice("--format", arguments.format, _FORMATS)
    if arguments.json and arguments.output is None and format_name != "json":
        message = f"--json needs --output with --format {format_name}: both want standard output"
        raise ValueError(message)
    options = {}
    if format_name == "c":
        options = {"prefix": check_prefix(arguments.prefix)}
    elif arguments.prefix != _OF_TABLES["prefix"]:
        message = f"--prefix belongs to --format c, not to {format_name}"
        raise ValueError(message)
    table = _tabulate(arguments)
    count = len(table.constants)
    report = {"format": format_name, "constants": count, "digits": table.digits}
    return render(table, format_name, **options), report, f"{count} constants"


def _tabulate(arguments: argparse.Namespace) -> ConstantTable:
    from fracmoment.export import tabulate

    return tabulate(
        read_activations(arguments),
        read_layers(arguments),
        (arguments.order or "1").split(","),
        preserve=arguments.preserve,
        keep_prob=read_keep_prob(arguments),
        inverted_dropout=not arguments.plain_dropout,
        weights=arguments.weights,
        given_alive=arguments.given_alive,
        digits=arguments.digits,
        progress=_reporter(),
    )


def _reporter() -> Callable[[int, int], None] | None:
    """Return what shows progress to a person."""
    if not sys.stderr.isatty():
        return None

    def report(done: int, count: int) -> None:
        end = "\r" if done < count else "\r\x1b[K"
        print(f"{done} of {count} constants", end=end, file=sys.stderr, flush=True)

    return report
