"""Layers of a table: square ones, rectangular ones, those of a network."""

from __future__ import annotations

import re
from itertools import pairwise, product
from typing import TYPE_CHECKING

from fracmoment.networks.plan import parse_widths

if TYPE_CHECKING:
    import argparse

_RANGE = re.compile(r"(\d{1,16})(?::(\d{1,16})(?::(x?)(\d{1,16}))?)?", re.ASCII)


def read_layers(arguments: argparse.Namespace) -> list[tuple[int, int]]:
    """Return the layers that the options ask for, as pairs of inputs and outputs."""
    if (arguments.fan_in is None) != (arguments.fan_out is None):
        raise ValueError("give --fan-in and --fan-out together; --widths is for square layers")
    layers = [(width, width) for width in read_numbers("--widths", arguments.widths)]
    for text in arguments.layers or []:
        layers += pairwise(parse_widths(text))
    inputs = read_numbers("--fan-in", arguments.fan_in)
    outputs = read_numbers("--fan-out", arguments.fan_out)
    _require_few("--fan-in and --fan-out", len(inputs) * len(outputs))
    layers += product(inputs, outputs)
    if not layers:
        raise ValueError("give --widths, --layers, or --fan-in and --fan-out")
    return layers


def read_numbers(option: str, text: str | None) -> list[int]:
    """Return the numbers that a text such as ``10,16:20,16:1024:x2`` stands for.

    Examples
    --------
    >>> read_numbers("--widths", "10,16:18,64:128:32,16:100:x2")
    [10, 16, 17, 18, 64, 96, 128, 16, 32, 64]
    """
    numbers: list[int] = []
    for part in [] if text is None else text.split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is None:
            message = (
                f"{option} must be numbers such as 64, or ranges such as 8:16, 64:256:32 and"
                f" 16:1024:x2, separated by commas; {part.strip()[:40]!r} is neither"
            )
            raise ValueError(message)
        first, last, step = (int(match[group] or match[1]) for group in (1, 2, 4))
        if not 1 <= first <= last or (match[4] and step < (2 if match[3] else 1)):
            message = f"{option} must count from 1 upwards, got {part.strip()!r}"
            raise ValueError(message)
        if match[3]:
            while first <= last:
                numbers.append(first)
                first *= step
        else:
            values = range(first, last + 1, step if match[4] else 1)
            _require_few(option, len(numbers) + len(values))
            numbers += values
    return numbers


def _require_few(option: str, count: int) -> None:
    from fracmoment.export import MAX_CONSTANTS

    if count > MAX_CONSTANTS:
        message = f"{option}: more than {MAX_CONSTANTS} constants"
        raise ValueError(message)
