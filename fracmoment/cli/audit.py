"""``fracmoment audit``: what the weights of a real network are, and what follows."""

from __future__ import annotations

import argparse
import math
import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fracmoment import _validation
from fracmoment.cli.common import (
    WIDTH,
    activation_json,
    add_activation_options,
    add_json_option,
    add_last_option,
    add_preserve_option,
    describe_activation,
    log_number,
    make_console,
    make_table,
    number,
    order_number,
    print_json,
    print_table,
    read_activation,
    read_last,
)
from fracmoment.networks.audit import (
    LayerAudit,
    Measurement,
    NetworkAudit,
    audit_network,
    measure,
)
from fracmoment.networks.description import read_network
from fracmoment.networks.entries import MAX_COLUMNS, MAX_ROWS
from fracmoment.networks.files import NetworkFileError
from fracmoment.networks.laws import CERTAIN_ORDER
from fracmoment.networks.npz import read_inputs

if TYPE_CHECKING:
    from rich.console import Console

    from fracmoment.activations import Activation

_DESCRIPTION = """\
Audit the weight matrices of a network in a .safetensors or .npz file: their
empirical scale, the law their entries look like and whether they are i.i.d.
(with the tests), the order of the moment that the scale preserves at the
layer's width, and what follows at the output.

With --data the inputs are pushed through the actual weights, and the measured
log-norms stand beside the law. Biases are left out there, because the law has
none; a column shows what they change.
"""
_EXAMPLES = """\
examples:
  fracmoment audit weights.safetensors
  fracmoment audit weights.npz --layers fc1,fc2,out --layout keras
  fracmoment audit weights.safetensors --data inputs.npy --json
"""
_KINDS = {
    "semi_orthogonal": "semi-orthogonal",
    "truncated_normal": "truncated",
}


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "audit",
        help="what the weights of a real network are, and what follows",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", help="weights: .safetensors or .npz")
    add_activation_options(parser)
    add_last_option(parser)
    parser.add_argument(
        "--data",
        metavar="FILE",
        help="inputs to push through: .npy, first axis counts the inputs",
    )
    parser.add_argument(
        "--layers",
        metavar="NAME",
        action="append",
        nargs="+",
        help="weight matrices in the order of the layers, separated by commas or spaces"
        " (default: all, as stored)",
    )
    parser.add_argument(
        "--layout",
        choices=("auto", "torch", "keras"),
        default="auto",
        help="matrices are stored as (out, in) like torch's or (in, out) like Keras'"
        " (default: the one in which the shapes chain, else by the names)",
    )
    add_preserve_option(parser)
    parser.add_argument(
        "--significance",
        metavar="P",
        default="0.01",
        help="level of all tests together (default 0.01); each has its share",
    )
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Read, audit, measure and print."""
    activation = read_activation(arguments)
    last = read_last(arguments)
    significance = _validation.as_float("--significance", arguments.significance)
    names = _layer_names(arguments.layers)
    inputs = None if arguments.data is None else read_inputs(Path(arguments.data))
    network = read_network(Path(arguments.file), names=names, layout=arguments.layout)
    audit = audit_network(
        network,
        activation,
        last=last,
        preserve=arguments.preserve,
        significance=significance,
    )
    measurement = None
    if inputs is not None:
        try:
            measurement = measure(network, audit, inputs)
        except NetworkFileError as error:
            msg = f"{arguments.data}: {error}"
            raise NetworkFileError(msg) from None
    if arguments.json:
        print_json(_as_data(audit, measurement, activation, last))
    else:
        show_audit(make_console(), audit)
        if measurement is not None:
            show_measurement(make_console(), measurement)
    return 0


def _layer_names(groups: list[list[str]] | None) -> list[str] | None:
    if groups is None:
        return None
    names = [name.strip() for group in groups for text in group for name in text.split(",")]
    names = [name for name in names if name]
    if not names:
        raise ValueError("--layers names no layer")
    return names


# ---------------------------------------------------------------- for programs


def _as_data(
    audit: NetworkAudit,
    measurement: Measurement | None,
    activation: Activation,
    last: str | None,
) -> dict[str, Any]:
    data: dict[str, Any] = {
        "command": "audit",
        "file": audit.source,
        "activation": activation_json(activation),
        "last": last or "same",
        "layout": audit.layout,
        "preserve": audit.preserve,
        "significance": audit.significance,
        "layers": [_layer_data(index, layer) for index, layer in enumerate(audit.layers, 1)],
        "network": None,
        "notes": list(audit.notes),
    }
    if audit.outcome is not None and audit.log_interval is not None:
        outcome = audit.outcome
        data["network"] = {
            "depth": len(audit.layers),
            "drift": outcome.drift,
            "log_mean": outcome.log_mean,
            "log_std": outcome.log_std,
            "log_median": outcome.log_median,
            "median": math.exp(min(outcome.log_median, 709.0)),
            "log_q05": audit.log_interval[0],
            "log_q95": audit.log_interval[1],
            "tail_index": outcome.tail_index,
            "prob_dead": audit.prob_dead,
            "modelled": all(layer.modelled for layer in audit.layers),
        }
    if measurement is not None:
        data["measurement"] = _measurement_data(measurement)
    return data


def _layer_data(index: int, layer: LayerAudit) -> dict[str, Any]:
    entries = layer.entries
    low, high = layer.order_interval or (None, None)
    return {
        "index": index,
        "name": layer.name,
        "dtype": layer.dtype,
        "fan_in": layer.law.fan_in,
        "fan_out": layer.law.fan_out,
        "activation": activation_json(layer.law.activation)["name"],
        "scale": layer.scale,
        "standard_error": layer.standard_error,
        "he": layer.he,
        "scale_over_he": layer.scale / layer.he,
        "law": layer.law.weights,
        "law_exact": layer.exact,
        "order": layer.order,
        "order_low": low,
        "order_high": high,
        "drift": layer.drift,
        "log_var": layer.law.log_var,
        "prob_dead": layer.law.prob_zero,
        "bias_rms": layer.bias_rms,
        "entries": {
            "kind": entries.kind,
            "candidates": list(entries.candidates),
            "cut": entries.cut,
            "mean": entries.mean,
            "rms": entries.scale,
            "excess_kurtosis": entries.excess_kurtosis,
            "zero_fraction": entries.zero_fraction,
            "iid": entries.iid,
            "significance_each": entries.significance,
            "tested_rows": entries.tested[0],
            "tested_columns": entries.tested[1],
            "tests": {
                key: {"test": t.name, "statistic": t.statistic, "p_value": t.p_value}
                for key, t in {**entries.law_tests, **entries.iid_tests}.items()
            },
        },
    }


def _measurement_data(measurement: Measurement) -> dict[str, Any]:
    return {
        "n_inputs": measurement.n_inputs,
        "n_zero": measurement.n_zero,
        "chi_squared": measurement.chi_squared,
        "p_value": measurement.p_value,
        "spread_with_biases": measurement.spread_with_biases,
        "layers": [
            {
                "name": layer.name,
                "law_mean": layer.law_mean,
                "law_std": layer.law_std,
                "measured_mean": layer.mean,
                "measured_q05": layer.low,
                "measured_q95": layer.high,
                "z_step": layer.step_z,
                "z": layer.total_z,
                "n_dead": layer.n_dead,
                "measured_mean_with_biases": layer.mean_with_biases,
            }
            for layer in measurement.layers
        ],
    }


# ---------------------------------------------------------------- for people


def show_audit(console: Console, audit: NetworkAudit) -> None:
    """Print the audit as tables."""
    hidden, final = audit.layers[0].law.activation, audit.layers[-1].law.activation
    heading = f"{Path(audit.source).name}: {len(audit.layers)} layers"
    if len(audit.layers) > 1:
        heading += f", {describe_activation(hidden)}"
    if final != hidden or len(audit.layers) == 1:
        heading += f" (last layer {describe_activation(final)})"
    heading += "" if audit.layout == "torch" else f", {audit.layout} layout"
    console.print(heading, style="bold", overflow="fold")
    console.print()
    print_table(console, _weights_table(audit))
    console.print()
    console.print("\n".join(_wrap(line) for line in _remarks(audit)))
    console.print()
    console.print("\n".join(_wrap(line) for line in _consequences(audit)))


def audit_text(audit: NetworkAudit) -> str:
    """Return the tables as plain text of 80 columns."""
    console = make_console()
    with console.capture() as capture:
        show_audit(console, audit)
    return re.sub(r"\x1b\[[0-9;]*m", "", capture.get()).rstrip("\n")


def _weights_table(audit: NetworkAudit) -> Any:
    table = make_table(
        "Weights",
        ("layer", "in", "out", "scale", "+- s.e.", "entries", "iid", "/He", "order", "drift"),
    )
    table.columns[5].justify = "left"
    table.columns[6].justify = "left"
    for layer in audit.layers:
        kind = _KINDS.get(layer.entries.kind, layer.entries.kind)
        iid = {True: "yes", False: "NO", None: "-"}[layer.entries.iid]
        if layer.entries.orthogonal_factor is not None:
            iid = "Haar" if layer.entries.iid else "NO"
        table.add_row(
            _short(layer.name, 15),
            str(layer.law.fan_in),
            str(layer.law.fan_out),
            number(layer.scale, 4),
            number(layer.standard_error, 2),
            kind,
            iid,
            number(layer.scale / layer.he, 3),
            "-" if layer.order is None else order_number(layer.order) + _mark(layer),
            log_number(layer.drift),
        )
    return table


def _mark(layer: LayerAudit) -> str:
    """Return the mark of an order by how far the law behind it holds."""
    if layer.exact:
        return " "
    return "~" if layer.modelled else "*"


def _short(name: str, length: int) -> str:
    """Shorten a name in the middle; characters that a terminal may act on are shown as codes."""
    plain = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in name)
    if len(plain) <= length:
        return plain
    head = (length - 2) // 2
    return f"{plain[:head]}..{plain[-(length - 2 - head) :]}"


def _remarks(audit: NetworkAudit) -> list[str]:
    count = sum(len(x.entries.law_tests) + len(x.entries.iid_tests) for x in audit.layers)
    tests = (
        f"Entries: Kolmogorov-Smirnov tests with the scale fitted, then the likelihood. iid: mean"
        f" 0, Kruskal-Wallis on moduli by rows and by columns, correlation of rows. Together"
        f" {count} tests at level {audit.significance:g}"
        f" ({audit.layers[0].entries.significance:.2g} each)."
    )
    if any(x.entries.tested != (x.law.fan_out, x.law.fan_in) for x in audit.layers):
        tests += f" Of large matrices they take {MAX_ROWS} rows and {MAX_COLUMNS} columns."
    lines = [tests]
    kinds = {layer.entries.kind for layer in audit.layers}
    if "truncated_normal" in kinds:
        cuts = [layer.entries.cut for layer in audit.layers if layer.entries.cut is not None]
        low, high = min(cuts), max(cuts)
        text = f"{low:.2f}" if high - low < 0.005 else f"{low:.2f} to {high:.2f}"
        lines.append(f"Truncated: normal, cut at {text} standard deviations.")
    if any(_mark(layer) == "~" for layer in audit.layers):
        lines.append(
            "~ The law is exact for Gaussian entries only; for other i.i.d. entries it is exact at"
            " order 2 and an approximation elsewhere."
        )
    refused = [layer for layer in audit.layers if not layer.modelled]
    if refused:
        lines.append(
            "* These weights are not i.i.d.: order, drift and what follows from them are what"
            " i.i.d. weights of this scale would do, a comparison and not a model of this network:"
        )
    lines += [f"  {_short(layer.name, 30)}: {_reason(layer)}" for layer in refused[:12]]
    if len(refused) > 12:
        lines.append(f"  and {len(refused) - 12} more (--json lists all)")
    biased = [layer for layer in audit.layers if layer.bias_rms]
    if biased:
        low, high = (pick(layer.bias_rms or 0.0 for layer in biased) for pick in (min, max))
        lines.append(
            f"{len(biased)} of {len(audit.layers)} layers have biases (root mean square"
            f" {number(low, 3)} to {number(high, 3)}); the law leaves them out."
        )
    return lines + [f"Note: {text}." for text in audit.notes]


def _reason(layer: LayerAudit) -> str:
    entries = layer.entries
    failed = entries.failed_iid_tests
    if failed:
        return "; ".join(f"{t.name} {number(t.statistic, 3)}, p = {t.p_value:.1g}" for t in failed)
    if entries.kind == "sparse":
        return f"{100 * entries.zero_fraction:.3g} % of the entries are zero"
    if entries.orthogonal_factor is not None:
        test = entries.law_tests["haar"]
        return (
            f"orthogonal, but not like a random rotation ({test.name}: {number(test.statistic, 3)},"
            f" p = {test.p_value:.1g}; {100 * entries.zero_fraction:.3g} % zeros)"
        )
    return "all entries are " + ("zero" if entries.kind == "zero" else "equal")


def _consequences(audit: NetworkAudit) -> list[str]:
    if audit.outcome is None or audit.log_interval is None:
        return ["At the output: nothing, since a matrix is all zero."]
    outcome, (low, high) = audit.outcome, audit.log_interval
    quantity = "root mean square" if audit.preserve == "rms" else "norm"
    modelled = all(layer.modelled for layer in audit.layers)
    condition = "" if modelled else "were the weights i.i.d., and "
    law = (
        f"At the output, {condition}without biases: the log of the ratio of the {quantity} to the"
        f" input's has mean {outcome.log_mean:.3f}, standard deviation {outcome.log_std:.3f},"
        f" median {outcome.log_median:.3f}; 90 % of such networks lie in [{low:.2f}, {high:.2f}]."
        f" Death probability {number(audit.prob_dead, 3)}."
    )
    alpha, drift = outcome.tail_index, outcome.drift
    if alpha == 0.0 and abs(drift) < 1e-9:
        meaning = "The drift is zero: typical signals keep their size."
    elif alpha == 0.0:
        meaning = f"Typical signals grow by exp({drift:.3f}) a layer; no moment is preserved."
    elif math.isnan(alpha):
        meaning = (
            f"Signals shrink by exp({drift:.3f}) a layer, moments of order up to"
            f" {CERTAIN_ORDER:g} too."
        )
    elif math.isinf(alpha):
        meaning = f"Signals shrink by exp({drift:.3f}) a layer, moments of every order too."
    else:
        meaning = (
            f"That preserves the moment of order {number(alpha, 3)}, the tail index of the network,"
            f" and multiplies typical signals by exp({drift:.3f}) a layer."
            " He's scale preserves order 2."
        )
    return [law, meaning]


def show_measurement(console: Console, measurement: Measurement) -> None:
    """Print measured log-norms beside the law."""
    biased = any(layer.mean_with_biases is not None for layer in measurement.layers)
    columns = ["after layer", "law mean", "law std", "measured", "5 %", "95 %", "z step", "z"]
    if biased:
        columns.append("biased")
    table = make_table(
        f"Measured log-{measurement.preserve} over {measurement.n_inputs} inputs, as ratio to the"
        " input's",
        columns,
    )
    for layer in measurement.layers:
        cells = [
            _short(layer.name, 15),
            log_number(layer.law_mean),
            log_number(layer.law_std),
            log_number(layer.mean),
            *("-" if math.isnan(x) else f"{x:.2f}" for x in (layer.low, layer.high)),
            *("-" if math.isnan(z) else f"{z:+.2f}" for z in (layer.step_z, layer.total_z)),
        ]
        if biased and layer.mean_with_biases is not None:
            cells.append(log_number(layer.mean_with_biases))
        table.add_row(*cells)
    console.print()
    print_table(console, table)
    console.print()
    explanation = (
        "One network is one draw of its weights, which all inputs share. z compares the mean over"
        " the inputs with the law of one draw (z step: this layer alone). It is conservative: the"
        " variance of the mean is at most the law's."
        + (" biased: the mean with the file's biases in place." if biased else "")
    )
    squares = (
        f"Sum of squared z steps: {measurement.chi_squared:.1f} for {len(measurement.layers)}"
        f" layers, p = {measurement.p_value:.2g}."
    )
    lines = [explanation, squares]
    if measurement.spread_with_biases is not None:
        lines.append(
            "With the biases, the outputs of different inputs differ by"
            f" {number(measurement.spread_with_biases, 2)} times the norm of their mean."
        )
    dead = measurement.layers[-1].n_dead
    if dead:
        lines.append(f"{dead} of {measurement.n_inputs} inputs are dead at the output.")
    if measurement.n_zero:
        lines.append(f"{measurement.n_zero} inputs are all zero and left out.")
    console.print("\n".join(_wrap(line) for line in lines))


def _wrap(text: str) -> str:
    indent = "    " if text.startswith("  ") else ""
    return textwrap.fill(text, WIDTH, subsequent_indent=indent)
