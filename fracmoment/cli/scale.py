"""``fracmoment scale``: one constant."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any

import mpmath

from fracmoment import _validation
from fracmoment.cli.common import (
    activation_json,
    add_activation_options,
    add_json_option,
    add_preserve_option,
    add_weights_options,
    describe_activation,
    note,
    print_json,
    read_activation,
    read_keep_prob,
)
from fracmoment.networks.laws import LayerLaw
from fracmoment.networks.plan import known_scales
from fracmoment.scales import init_scale

if TYPE_CHECKING:
    from fractions import Fraction

    from fracmoment.activations import Activation

_DESCRIPTION = """\
Print the scale of one layer's weights that preserves the moment of the given
order exactly at the layer's real width.

For Gaussian weights the scale is their standard deviation, for orthogonal
weights the factor of the matrix. Orders, slopes and probabilities may be
written as 0.1 or 1/3 and are then exact when --digits asks for more digits
than a double has. Order 0 is the Lyapunov scale: zero drift, given that the
layer is alive.
"""
_EXAMPLES = """\
examples:
  fracmoment scale --activation relu --width 64 --order 1
  fracmoment scale --activation leaky_relu --slope 0.1 --fan-in 400 --fan-out 64
  fracmoment scale --width 1024 --order 1/2 --digits 50
"""


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "scale",
        help="one constant: the scale that preserves a moment",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_activation_options(parser)
    parser.add_argument("--fan-in", metavar="N", type=int, help="number of inputs of the layer")
    parser.add_argument("--fan-out", metavar="N", type=int, help="number of outputs, its width")
    parser.add_argument("--width", metavar="N", type=int, help="both, for a square layer")
    parser.add_argument(
        "--order", metavar="S", default="1", help="order of the moment (default 1; 0 is Lyapunov)"
    )
    parser.add_argument(
        "--given-alive",
        action="store_true",
        help="preserve the moment given that the layer is alive (allows negative orders)",
    )
    add_preserve_option(parser)
    add_weights_options(parser)
    parser.add_argument(
        "--digits", metavar="N", type=int, help="so many correct decimal digits, at most 1000"
    )
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compute and print the scale."""
    activation = read_activation(arguments)
    keep = read_keep_prob(arguments)
    fan_in, fan_out = _read_fans(arguments)
    exact_order = _validation.canonical("order", arguments.order)
    order = _validation.as_float("order", arguments.order)
    scale = _scale(activation, fan_in, fan_out, exact_order, keep, arguments, None)
    text = repr(scale)
    if arguments.digits is not None:
        exact = _scale(activation, fan_in, fan_out, exact_order, keep, arguments, arguments.digits)
        text = mpmath.nstr(exact, arguments.digits, strip_zeros=False)
    law = LayerLaw(activation, fan_in, fan_out, float(keep), arguments.weights)
    others = known_scales(law, arguments.preserve)
    if arguments.json:
        data: dict[str, Any] = {
            "command": "scale",
            "scale": scale,
            "activation": activation_json(activation),
            "fan_in": fan_in,
            "fan_out": fan_out,
            "order": order,
            "given_alive": arguments.given_alive or order == 0.0,
            "preserve": arguments.preserve,
            "keep_prob": float(keep),
            "weights": arguments.weights,
        }
        if arguments.digits is not None:
            data |= {"digits": arguments.digits, "decimal": text}
        if arguments.weights == "gaussian":
            # The same number in the dialects of the frameworks.
            data |= {
                "torch_gain": scale * math.sqrt(fan_in),
                "variance_scaling": scale * scale * fan_in,
            }
        print_json(data | others)
        return 0
    print(text)
    meaning = "factor of an orthogonal matrix"
    if arguments.weights == "gaussian":
        meaning = "standard deviation of Gaussian weights"
    note(
        f"{meaning}, {describe_activation(activation)} layer {fan_in} -> {fan_out};"
        f" preserves the {'root mean square' if arguments.preserve == 'rms' else 'norm'} at order"
        f" {order:g} (He {others['he']:.6g}, Lyapunov {others['lyapunov']:.6g})"
    )
    return 0


def _read_fans(arguments: argparse.Namespace) -> tuple[int, int]:
    fan_in, fan_out = arguments.fan_in, arguments.fan_out
    if arguments.width is not None:
        if fan_in is not None or fan_out is not None:
            raise ValueError("give --width, or --fan-in and --fan-out, not both")
        fan_in = fan_out = arguments.width
    if fan_out is None:
        raise ValueError("give --width, or --fan-in and --fan-out")
    if fan_in is None:
        if arguments.preserve == "rms":
            raise ValueError("--preserve rms needs --fan-in besides --fan-out (or --width)")
        fan_in = fan_out
    _validation.width(fan_in, "--fan-in")
    _validation.width(fan_out, "--fan-out")
    return fan_in, fan_out


def _scale(
    activation: Activation,
    fan_in: int,
    fan_out: int,
    order: Any,
    keep: Fraction,
    arguments: argparse.Namespace,
    digits: int | None,
) -> Any:
    return init_scale(
        activation,
        fan_in,
        fan_out,
        order,
        preserve=arguments.preserve,
        keep_prob=float(keep) if digits is None else keep,
        weights=arguments.weights,
        digits=digits,
        given_alive=arguments.given_alive,
    )
