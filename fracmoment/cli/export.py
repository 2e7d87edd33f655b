"""``fracmoment export``: a constant in a file, with its certificate."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fracmoment import _validation
from fracmoment.cli.common import (
    add_activation_options,
    add_weights_options,
    note,
    read_activation,
    read_keep_prob,
    write_text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_DESCRIPTION = """\
Write a certificate: a constant of one layer as an interval with exact
hexadecimal end points, and everything that is needed to derive it again.
'fracmoment check FILE' does that, and so does examples/check_certificate.py
without fracmoment.

Numbers may be written as 0.1 or 1/3 and are then exact. The scale is the one
that preserves the norm at the width, the number of outputs of the layer.
"""
_EXAMPLES = """\
examples:
  fracmoment export --certificate --width 64 --order 1/2 -o scale.json
  fracmoment export --certificate --quantity log_var --activation linear --width 9
  fracmoment export --certificate --quantity tail_index --width 64 --sigma 0.2
"""


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "export",
        help="write a constant with a certificate",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--certificate", action="store_true", required=True, help="write a certificate, JSON"
    )
    parser.add_argument(
        "--quantity",
        metavar="NAME",
        default="scale",
        help="scale (default), moment, log_mean, log_var, cumulant or tail_index of the gain",
    )
    add_activation_options(parser)
    parser.add_argument(
        "--width", metavar="N", type=int, required=True, help="number of outputs of the layer"
    )
    parser.add_argument(
        "--order",
        metavar="S",
        help="order of the moment (default 1), or of the cumulant: 3 to 8; others have none",
    )
    parser.add_argument(
        "--sigma", metavar="SIGMA", help="scale of the weights, for the tail index only"
    )
    parser.add_argument(
        "--given-alive", action="store_true", help="moment or scale given that the layer is alive"
    )
    add_weights_options(parser)
    parser.add_argument(
        "--plain-dropout",
        action="store_true",
        help="dropout does not divide the units that it keeps by the keep probability",
    )
    parser.add_argument(
        "--digits", metavar="N", type=int, default=30, help="decimal digits to certify (default 30)"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="where to write (default: standard output)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Derive, and write."""
    data = make(arguments)
    text = json.dumps(data, indent=2) + "\n"
    if arguments.output is None:
        print(text, end="")
        return 0
    write_text(Path(arguments.output), text)
    note(f"{data['quantity']} {data['decimal']} written to {arguments.output}")
    return 0


def make(arguments: argparse.Namespace) -> Mapping[str, Any]:
    """Return the certificate that the options ask for."""
    from fracmoment.certified import make_certificate
    from fracmoment.gains import Gain

    order = arguments.order
    if order is None:
        order = 1 if arguments.quantity in ("scale", "moment") else 0
    gain = Gain(
        read_activation(arguments),
        _validation.width(arguments.width, "--width"),
        keep_prob=read_keep_prob(arguments),
        inverted_dropout=not arguments.plain_dropout,
        weights=arguments.weights,
    )
    return make_certificate(
        gain,
        order,
        quantity=arguments.quantity,
        digits=arguments.digits,
        given_alive=arguments.given_alive,
        sigma=arguments.sigma,
    )
