"""``fracmoment simulate``: random networks simulated, beside their exact law."""

from __future__ import annotations

import argparse
import math
import secrets
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from fracmoment import _validation
from fracmoment.cli.common import (
    activation_json,
    add_activation_options,
    add_json_option,
    add_last_option,
    add_preserve_option,
    add_weights_options,
    add_widths_option,
    describe_activation,
    make_console,
    make_table,
    number,
    print_json,
    print_table,
    read_activation,
    read_keep_prob,
    read_last,
)
from fracmoment.depth import DepthLaw
from fracmoment.gains import Gain
from fracmoment.networks.plan import chain_laws, parse_widths
from fracmoment.simulation import Interrupted, summarize_log_norms
from fracmoment.simulation.chains import METHODS
from fracmoment.simulation.streams import stream_format

if TYPE_CHECKING:
    from fracmoment.simulation import Estimate, LogNormSummary

_DESCRIPTION = """\
Simulate the norm at the output of random networks, and print what was measured
beside the exact values. The numbers are a function of the seed: the same for
any number of threads or processes, and after an interruption.

Widths run from input to output; 64x20 stands for twenty layers of width 64.
The scale of every layer preserves the moment of --order, as in fracmoment plan;
--sigma sets one scale for all instead.
"""
_EXAMPLES = """\
examples:
  fracmoment simulate --widths 64x101 --order 1 --samples 1e6 --seed 1
  fracmoment simulate --widths 784,64x20,10 --samples 1e9 --checkpoint run.ckpt
  fracmoment simulate --widths 16x101 --sigma 0.35 --moments 0.5,1,2 --json
"""
_LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_INTERRUPTED = 130


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "simulate",
        help="simulate random networks beside their exact law",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_widths_option(parser)
    add_activation_options(parser)
    add_last_option(parser)
    scale = parser.add_mutually_exclusive_group()
    scale.add_argument(
        "--order", metavar="S", default="1", help="order of the preserved moment (default 1)"
    )
    scale.add_argument("--sigma", metavar="SIGMA", help="one scale for all layers instead")
    add_preserve_option(parser)
    add_weights_options(parser)
    run = parser.add_argument_group("run")
    run.add_argument(
        "--samples", metavar="N", default="1e5", help="number of networks (default 1e5)"
    )
    run.add_argument("--seed", metavar="N", help="seed (default: from the system, printed)")
    run.add_argument(
        "--method",
        choices=METHODS,
        default="norm",
        help="one number a layer (norm, default), a unit (vector) or a weight (matrix)",
    )
    run.add_argument(
        "--moments", metavar="S,S,...", help="orders of moments to estimate (default: --order)"
    )
    run.add_argument("--threads", metavar="N", help="number of threads (default: every core)")
    run.add_argument("--processes", metavar="N", help="number of processes instead")
    run.add_argument(
        "--checkpoint",
        metavar="FILE",
        help="keep what is done in FILE, and go on from there if it exists",
    )
    run.add_argument("--quiet", action="store_true", help="no progress bar")
    add_json_option(parser)
    parser.set_defaults(run=run_command)


def _count(name: str, text: str | None, least: int) -> int | None:
    """Return a whole number, also written as 1e6."""
    if text is None:
        return None
    value = _validation.rational(name, text)
    if value.denominator != 1 or value < least:
        message = f"{name} must be an integer, at least {least}, got {text!r}"
        raise ValueError(message)
    return int(value)


class _Network:
    """The network asked for: gains and scales of the layers, and the exact law of the output."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        widths = parse_widths(arguments.widths)
        options: dict[str, Any] = {
            "last": read_last(arguments),
            "keep_prob": float(read_keep_prob(arguments)),
            "weights": arguments.weights,
        }
        activation = read_activation(arguments)
        self.laws = chain_laws(widths, activation, **options)
        for law in self.laws:
            if law.weights == "orthogonal" and law.fan_in > law.fan_out:
                message = (
                    "orthogonal layers that narrow are not simulated; --widths has"
                    f" {law.fan_in} before {law.fan_out}"
                )
                raise ValueError(message)
        if arguments.sigma is None:
            order = _validation.as_float("order", arguments.order)
            scale = {law: law.init_scale(order, arguments.preserve) for law in set(self.laws)}
            self.scales = [scale[law] for law in self.laws]
        else:
            sigma = float(_validation.positive("--sigma", float(arguments.sigma)))
            self.scales = [sigma] * len(self.laws)
        gains = {
            law: Gain(law.activation, law.fan_out, keep_prob=law.keep_prob, weights=law.weights)
            for law in set(self.laws)
        }
        self.gains = [gains[law] for law in self.laws]
        # from the ratio of norms to that of the quantity
        self.shift = 0.5 * math.log(widths[0] / widths[-1]) if arguments.preserve == "rms" else 0.0
        self.name = f"log-{arguments.preserve}"
        self.law = DepthLaw(self.gains, self.scales)

    @property
    def log_mean(self) -> float:
        """The exact mean."""
        return self.shift + self.law.mean()

    def quantile(self, level: float) -> float:
        """Return an exact quantile."""
        return self.shift + float(self.law.ppf(level))


def _orders(arguments: argparse.Namespace) -> list[float]:
    if arguments.moments is None:
        order = 0.0 if arguments.sigma else _validation.as_float("order", arguments.order)
        return [order] if order else []
    return [_validation.as_float("--moments", text) for text in arguments.moments.split(",")]


def run_command(arguments: argparse.Namespace) -> int:
    """Simulate and print."""
    network = _Network(arguments)
    samples = _count("--samples", arguments.samples, 0)
    processes = _count("--processes", arguments.processes, 1)
    seed = _count("--seed", arguments.seed, 0)
    if seed is None and arguments.checkpoint is None:
        seed = secrets.randbits(63)
    pool = ProcessPoolExecutor(processes) if processes else nullcontext()
    status = 0
    with pool as executor:
        try:
            summary = summarize_log_norms(
                network.gains,
                network.scales,
                None,
                samples,
                orders=_orders(arguments),
                rng=seed,
                method=arguments.method,
                threads=_count("--threads", arguments.threads, 1),
                executor=executor,
                progress=sys.stderr.isatty() and not arguments.quiet,
                checkpoint=arguments.checkpoint,
            )
        except Interrupted as stop:
            summary, status = stop.partial, _INTERRUPTED
    if arguments.json:
        print_json(_as_data(arguments, network, summary, seed))
    else:
        _show(arguments, network, summary, seed)
    return status


# ---------------------------------------------------------------- for programs


def _as_data(
    arguments: argparse.Namespace, network: _Network, summary: LogNormSummary, seed: int | None
) -> dict[str, Any]:
    mean = summary.mean.value + network.shift
    return {
        "command": "simulate",
        "activation": activation_json(network.laws[0].activation),
        "preserve": arguments.preserve,
        "depth": len(network.laws),
        "scales": network.scales,
        "method": arguments.method,
        "seed": seed,
        "stream_format": stream_format,
        "n_samples": summary.n_samples,
        "n_samples_asked": _count("--samples", arguments.samples, 0),
        "log_mean": _estimate(summary.mean._replace(value=mean), network.log_mean),
        "log_var": _estimate(summary.variance, network.law.var()),
        "skewness": summary.skewness,
        "excess_kurtosis": summary.excess_kurtosis,
        "prob_dead": _estimate(summary.prob_dead, network.law.prob_dead()),
        "moments": [
            {
                "order": order,
                "log_exact": log_moment + order * network.shift,
                "ratio": _estimate(summary.moment(order), 1.0),
            }
            for order, log_moment in zip(summary.plan.orders, summary.plan.log_moments, strict=True)
        ],
        "quantiles": [
            {
                "level": level,
                "measured": summary.quantile(level) + network.shift,
                "exact": network.quantile(level),
            }
            for level in _LEVELS
        ],
    }


def _estimate(estimate: Estimate, exact: float) -> dict[str, float]:
    return {
        "measured": estimate.value,
        "standard_error": estimate.standard_error,
        "exact": exact,
        "z": estimate.z(exact),
    }


# ---------------------------------------------------------------- for people


def _show(
    arguments: argparse.Namespace, network: _Network, summary: LogNormSummary, seed: int | None
) -> None:
    console = make_console()
    first = network.laws[0]
    console.print(
        f"{len(network.laws)} layers, {describe_activation(first.activation)},"
        f" {first.weights} weights: {summary.n_samples} networks",
        style="bold",
    )
    origin = "the checkpoint's seed" if seed is None else f"seed {seed}"
    console.print(f"Method {arguments.method}, {origin}, stream format {stream_format}.")
    console.print()
    data = _as_data(arguments, network, summary, seed)
    table = make_table(
        f"{network.name} at the output over that of the input",
        ("", "measured", "std error", "exact", "z"),
    )
    rows = {
        "mean": data["log_mean"],
        "variance": data["log_var"],
        "death probability": data["prob_dead"],
        **{
            f"E |.|^{number(moment['order'])} over its exact value": moment["ratio"]
            for moment in data["moments"]
        },
    }
    for name, row in rows.items():
        table.add_row(
            name,
            *(number(row[key], 6) for key in ("measured", "standard_error", "exact")),
            f"{row['z']:+.2f}" if math.isfinite(row["z"]) else "-",
        )
    print_table(console, table)
    console.print()
    quantiles = make_table(
        f"Quantiles of the {network.name}, given survival", ("level", "measured", "exact")
    )
    for row in data["quantiles"]:
        quantiles.add_row(f"{row['level']:g}", number(row["measured"], 5), number(row["exact"], 5))
    print_table(console, quantiles)
    if summary.n_samples < data["n_samples_asked"]:
        console.print(f"\nInterrupted: {data['n_samples_asked']} networks were asked for.")
