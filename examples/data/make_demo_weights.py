"""Write the weights that the demonstration audits, as PyTorch's own default makes them.

A network for images of 8 by 8 digits: 64 inputs, 20 hidden layers of width 64, 10 outputs. Every
layer is a plain ``torch.nn.Linear`` that nobody initialized by hand; what is stored, biases
included, is what a user who relies on the defaults trains from.

Run ``python make_demo_weights.py`` with torch 2.13.0 and safetensors installed. The file is written
beside this script; the seed is fixed, so that it comes out the same.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import save_file

SEED = 2021
WIDTHS = [64] + [64] * 20 + [10]


def make_network() -> torch.nn.Sequential:
    """Return the network, with the parameters PyTorch gives it."""
    torch.manual_seed(SEED)
    layers: OrderedDict[str, torch.nn.Module] = OrderedDict()
    depth = len(WIDTHS) - 1
    for index in range(depth):
        layers[f"fc{index + 1}"] = torch.nn.Linear(WIDTHS[index], WIDTHS[index + 1])
        if index < depth - 1:
            layers[f"relu{index + 1}"] = torch.nn.ReLU()
    return torch.nn.Sequential(layers)


def main() -> None:
    """Write the file."""
    target = Path(__file__).with_name("digits_64-64x20-10.safetensors")
    temporary = target.with_suffix(".tmp")
    metadata = {"made_by": f"torch {torch.__version__}, nn.Linear defaults, seed {SEED}"}
    save_file(make_network().state_dict(), temporary, metadata=metadata)
    temporary.replace(target)
    print(f"wrote {target}", file=sys.stderr)


if __name__ == "__main__":
    main()
