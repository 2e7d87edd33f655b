"""The main job on real input: plan a deep network, audit a real one, measure both.

The plan is for the network of the paper on fractional-moment-preserving initialization, 20 layers
of width 64. The audit is of the same network as PyTorch's own defaults initialize it (see
data/make_demo_weights.py), with scikit-learn's images of digits pushed through its weights. Run by
``make demo``; the picture goes to the folder ``out``, or to the one given as argument.
"""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

from fracmoment.cli import main as command_line
from fracmoment.networks import (
    Layer,
    Measurement,
    Network,
    NetworkPlan,
    audit_network,
    measure,
    plan_network,
    read_network,
)
from fracmoment.plotting import plot_log_norms

if TYPE_CHECKING:
    from collections.abc import Callable

WEIGHTS = Path(__file__).parent / "data" / "digits_64-64x20-10.safetensors"
WIDTHS = [64] + [64] * 20 + [10]
ORDER = 1.0


def run(*arguments: str) -> None:
    """Run a command of ``fracmoment`` and show what was typed."""
    shown = " ".join(shlex.quote(os.path.relpath(a) if os.sep in a else a) for a in arguments)
    print(f"\n$ fracmoment {shown}\n", flush=True)
    status = command_line(arguments)
    if status != 0:
        raise SystemExit(status)


def draw_network(plan: NetworkPlan, seed: int) -> Network:
    """Return a network with Gaussian weights of the planned scales and no biases."""
    rng = np.random.default_rng(seed)
    layers = tuple(
        Layer(
            f"layer {index}",
            rng.normal(0.0, layer.scale, (layer.law.fan_out, layer.law.fan_in)),
            None,
            "float64",
        )
        for index, layer in enumerate(plan.layers, 1)
    )
    return Network("planned network", layers, "torch", ())


def draw_picture(default: Measurement, planned: Measurement) -> Figure:
    """Return the picture of both networks, each against its law."""
    figure = Figure(figsize=(11.0, 4.8), layout="constrained", dpi=150)
    left, right = figure.subplots(1, 2)
    plot_log_norms(default, left).set_title("PyTorch's default nn.Linear initialization")
    plot_log_norms(planned, right).set_title(f"exact scale of order {ORDER:g} (fracmoment plan)")
    # The first panel's legend stands for both.
    right.get_legend().remove()
    left.legend(loc="lower left", fontsize="small", frameon=False)
    figure.suptitle(
        f"{default.n_inputs} images of digits through a ReLU network 64-64x20-10: one draw of the"
        " weights each",
        fontsize="large",
    )
    return figure


def write_atomically(path: Path, save: Callable[[Path], object]) -> None:
    """Call ``save`` with a temporary file beside ``path``, then rename it."""
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        save(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def main() -> None:
    """Plan, audit, measure, draw."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "out"
    out.mkdir(parents=True, exist_ok=True)
    images = load_digits().data / 16.0  # grey levels from 0 to 1
    data = out / "digits.npy"
    write_atomically(data, lambda path: np.save(path, images))

    run("plan", "--widths", "64,64x20,10", "--activation", "relu", "--order", f"{ORDER:g}")
    run("audit", str(WEIGHTS), "--data", str(data))

    network = read_network(WEIGHTS)
    default = measure(network, audit_network(network), images)
    plan = plan_network(WIDTHS, "relu", ORDER)
    drawn = draw_network(plan, seed=2021)
    planned = measure(drawn, audit_network(drawn), images)
    before, after = default.layers[-1], planned.layers[-1]
    print(
        "\nThe same images through a network drawn with the planned scales:\n"
        f"  log-rms at the output {after.mean:6.2f}  (law {after.law_mean:6.2f} +-"
        f" {after.law_std:.2f})\nthrough PyTorch's default, without its biases:\n"
        f"  log-rms at the output {before.mean:6.2f}  (law {before.law_mean:6.2f} +-"
        f" {before.law_std:.2f})\nWith its biases the default keeps its size but forgets its input:"
        f" the outputs of\ndifferent images differ by {default.spread_with_biases:.0e} of their"
        " size."
    )
    picture = out / "log_norms.png"
    write_atomically(picture, draw_picture(default, planned).savefig)
    print(f"\nPicture of measured log-norms against the law: {os.path.relpath(picture)}")


if __name__ == "__main__":
    main()
