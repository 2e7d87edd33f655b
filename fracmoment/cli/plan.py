"""``fracmoment plan``: the scales of a whole network, and what follows at its output."""

from __future__ import annotations

import argparse
import math
import textwrap
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from fracmoment import _validation
from fracmoment.cli.common import (
    WIDTH,
    activation_json,
    add_activation_options,
    add_json_option,
    add_last_option,
    add_preserve_option,
    add_weights_options,
    add_widths_option,
    describe_activation,
    fits,
    log_number,
    make_console,
    make_table,
    number,
    order_number,
    print_json,
    print_table,
    read_activation,
    read_keep_prob,
    read_last,
)
from fracmoment.network import Network
from fracmoment.networks.plan import (
    NetworkPlan,
    Outcome,
    PlannedLayer,
    advice,
    parse_widths,
)

if TYPE_CHECKING:
    from fracmoment.activations import Activation

_DESCRIPTION = """\
Plan the initialization of a dense network: for every layer the scale that
preserves the moment of the given order exactly, beside He's, LeCun's, Glorot's
and the Lyapunov scale; for the network what each of them does to the signal
between input and output.

Widths run from input to output; 64x20 stands for twenty layers of width 64.
"""
_EXAMPLES = """\
examples:
  fracmoment plan --widths 784,64x20,10 --activation relu --order 1
  fracmoment plan --widths 64x101 --activation relu --order 2 --last same
  fracmoment plan --widths 64x21 --activation linear --weights orthogonal --json
"""
_SCHEMES = {"he": "He", "lecun": "LeCun", "glorot": "Glorot", "lyapunov": "Lyapunov"}


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "plan",
        help="the scales of a whole network, and what follows at its output",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_widths_option(parser)
    add_activation_options(parser)
    add_last_option(parser)
    parser.add_argument(
        "--order", metavar="S", default="1", help="order of the moment (default 1; 0 is Lyapunov)"
    )
    add_preserve_option(parser)
    add_weights_options(parser)
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Compute and print the plan."""
    widths = parse_widths(arguments.widths)
    activation = read_activation(arguments)
    last = read_last(arguments)
    order = _validation.as_float("order", arguments.order)
    keep_prob = float(read_keep_prob(arguments))
    options: dict[str, Any] = {
        "preserve": arguments.preserve,
        "keep_prob": keep_prob,
        "weights": arguments.weights,
    }
    network = Network(widths, activation, order, last=last, **options)
    plan = network.plan()
    # The other reading of the same request, so that nobody has to guess which one is shown.
    other = replace(network, last=None).plan() if last else None
    if other is not None and other.layers == plan.layers:
        other = None
    if arguments.json:
        print_json(_as_data(plan, other, activation, last, keep_prob))
    else:
        _show(plan, other, activation, keep_prob)
    return 0


# ---------------------------------------------------------------- for programs


def _as_data(
    plan: NetworkPlan,
    other: NetworkPlan | None,
    activation: Activation,
    last: str | None,
    keep_prob: float,
) -> dict[str, Any]:
    data: dict[str, Any] = {
        "command": "plan",
        "activation": activation_json(activation),
        "last": last or "same",
        "order": plan.order,
        "preserve": plan.preserve,
        "keep_prob": keep_prob,
        "dropout": 1.0 - keep_prob,
        "weights": plan.layers[0].law.weights,
        "widths": [plan.layers[0].law.fan_in] + [layer.law.fan_out for layer in plan.layers],
        "layers": [_layer_data(index, layer) for index, layer in enumerate(plan.layers, 1)],
        "network": _network_data(plan),
        "schemes": {name: _outcome_data(plan.outcomes[name]) for name in ("plan", *_SCHEMES)},
        "advice": advice(plan),
    }
    if other is not None:
        data["if_last_same"] = {
            "layer": _layer_data(len(other.layers), other.layers[-1]),
            "network": _network_data(other),
        }
    return data


def _layer_data(index: int, layer: PlannedLayer) -> dict[str, Any]:
    return {
        "index": index,
        "fan_in": layer.law.fan_in,
        "fan_out": layer.law.fan_out,
        "activation": activation_json(layer.law.activation)["name"],
        "scale": layer.scale,
        **layer.others,
        "drift": layer.drift,
        "log_var": layer.law.log_var,
        "prob_dead": layer.law.prob_zero,
    }


def _network_data(plan: NetworkPlan) -> dict[str, Any]:
    low, high = plan.log_interval
    return {
        "depth": len(plan.layers),
        "depth_over_width": plan.depth_over_width,
        **_outcome_data(plan.outcome),
        "log_q05": low,
        "log_q95": high,
        "prob_dead": plan.prob_dead,
        "log_std_if_orthogonal": plan.orthogonal_log_std,
    }


def _outcome_data(outcome: Outcome) -> dict[str, Any]:
    return {
        "drift": outcome.drift,
        "log_mean": outcome.log_mean,
        "log_std": outcome.log_std,
        "log_median": outcome.log_median,
        "median": math.exp(min(outcome.log_median, 709.0)),
        "tail_index": outcome.tail_index,
    }


# ---------------------------------------------------------------- for people


def _show(
    plan: NetworkPlan, other: NetworkPlan | None, activation: Activation, keep_prob: float
) -> None:
    console = make_console()
    first, depth = plan.layers[0].law, len(plan.layers)
    final = plan.layers[-1].law.activation
    heading = f"{depth} layers, {describe_activation(activation)}"
    if final != activation:
        heading += f" (last layer {describe_activation(final)})"
    heading += f", {first.weights} weights"
    if keep_prob < 1.0:
        heading += f", dropout {1.0 - keep_prob:g}"
    console.print(heading, style="bold")
    quantity = "root mean square" if plan.preserve == "rms" else "norm"
    meaning = (
        "standard deviation of the weights"
        if first.weights == "gaussian"
        else "factor of the orthogonal matrix"
    )
    goal = f"moment of order {plan.order:g}" if plan.order else "mean logarithm (order 0)"
    console.print(_wrap(f"Scale: {meaning} that preserves the {goal} of the {quantity}."))
    console.print()
    # Very wide layers need room for their widths.
    tables = [_layer_table(plan, digits) for digits in (5, 4, 3)]
    print_table(console, next((t for t in tables if fits(console, t)), tables[-1]))
    console.print()
    print_table(console, _network_table(plan))
    console.print()
    low, high = plan.log_interval
    facts = [
        _wrap(
            f"90 % of networks: log-{plan.preserve} at the output in"
            f" [{low:.2f}, {high:.2f}]; death probability {number(plan.prob_dead, 3)}."
        ),
        _wrap(advice(plan)),
    ]
    if other is not None:
        facts.append(
            _wrap(
                f"The last layer is {describe_activation(final)}, as outputs are. Treated like the"
                f" others (--last same) its scale would be {number(other.layers[-1].scale)} and"
                f" the median of the log-{plan.preserve} {other.outcome.log_median:.3f}."
            )
        )
    console.print("\n\n".join(facts))


def _layer_table(plan: NetworkPlan, digits: int) -> Any:
    mode = "fan_in" if plan.preserve == "rms" else "fan_out"
    table = make_table(
        f"Scale of every layer (He and LeCun: {mode} mode)",
        ("layer", "fan_in", "fan_out", f"order {plan.order:g}", *_SCHEMES.values(), "drift"),
    )
    index = 1
    for layer, group in groupby(plan.layers):
        count = sum(1 for _ in group)
        label = str(index) if count == 1 else f"{index}-{index + count - 1} (x{count})"
        table.add_row(
            label,
            str(layer.law.fan_in),
            str(layer.law.fan_out),
            number(layer.scale, digits),
            *(number(layer.others[name], digits) for name in _SCHEMES),
            log_number(layer.drift),
        )
        index += count
    return table


def _network_table(plan: NetworkPlan) -> Any:
    table = make_table(
        f"Log of the {plan.preserve} at the output over the {plan.preserve} of the input",
        ("scheme", "drift/layer", "mean", "std", "median", "exp(median)", "tail index"),
    )
    names = {"plan": f"this plan, order {plan.order:g}", **_SCHEMES}
    for name, label in names.items():
        outcome = plan.outcomes[name]
        table.add_row(
            label,
            f"{outcome.drift:.4f}" if abs(outcome.drift) >= 5e-5 else "0.0000",
            log_number(outcome.log_mean),
            log_number(outcome.log_std),
            log_number(outcome.log_median),
            number(math.exp(min(outcome.log_median, 709.0)), 3),
            order_number(outcome.tail_index, 4),
        )
    return table


def _wrap(text: str) -> str:
    return textwrap.fill(text, WIDTH)
