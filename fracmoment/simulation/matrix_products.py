"""Products of random matrices D_k W_k ... D_1 W_1, simulated a row of numbers a replica."""

from __future__ import annotations

import math
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fracmoment import _validation
from fracmoment.activations import as_activation
from fracmoment.simulation.pieces import each_piece, thread_count

if TYPE_CHECKING:
    from collections.abc import Callable

    from fracmoment._typing import FloatArray, IntArray

METHODS = ("chi", "qr")
WIDEST = 1024
_DEEPEST = 10**8
_MOST_SAMPLES = 2**56  # replicas that an address can hold
_PIECE_COST = 1e8  # nanoseconds of one piece, roughly
_LANES = 8  # replicas that the widest instruction set works on together


class Factors(IntEnum):
    """How the triangular factors of a product are drawn (csrc: products/spectrum.hpp)."""

    BARTLETT = 0
    INDEPENDENT = 1
    FORWARD = 2


class MatrixProduct(NamedTuple):
    """A product for the core: widths of the input and every layer, slopes, how it is drawn."""

    widths: IntArray
    lower: float
    upper: float
    factors: Factors

    @classmethod
    def of(cls, widths: IntArray, activation: Any, masks: str, method: str | None) -> MatrixProduct:
        """Return the product with the method given, or the fastest one for its law."""
        lower, upper = as_activation(activation).slopes
        if np.ndim(lower) or np.ndim(upper):
            message = f"activation must have scalar slopes, got {activation!r}"
            raise ValueError(message)
        by_law = masks == "independent" and lower == upper and abs(lower) in (0.0, 1.0)
        if method is not None:
            _validation.choice("method", method, METHODS)
        if method == "chi" and not by_law:
            message = (
                "method 'chi' needs linear or ReLU units with independent masks, "
                f"got {activation!r} with {masks} masks: use 'qr'"
            )
            raise ValueError(message)
        if by_law and method != "qr":
            factors = Factors.BARTLETT
        elif masks == "forward":
            factors = Factors.FORWARD
        else:
            factors = Factors.INDEPENDENT
        if abs(float(lower)) == 1.0 and lower == upper and masks == "independent":
            lower = upper = 1.0  # signs of rows change no singular value
        return cls(widths, float(lower), float(upper), factors)

    def nanoseconds(self) -> float:
        """Return the work for one replica, roughly."""
        sizes = self.widths.astype(float)
        entries = sizes[1:] * sizes[:-1]
        return float((entries * (2.0 + 0.1 * sizes[1:])).sum() + 1.0 * sizes.min() ** 3)


def widths_of(name: str, widths: Any, depth: Any) -> IntArray:
    """Return the widths of the input and of every layer: one repeated, or a sequence of all."""
    if not _validation.is_array_like(widths):
        width = _validation.integer(name, widths, 1, WIDEST)
        count = _validation.integer("depth", 1 if depth is None else depth, 1, _DEEPEST)
        return np.full(count + 1, width, dtype=np.int64)
    entries = [_validation.integer(name, entry, 1, WIDEST) for entry in widths]
    layers = len(entries) - 1
    if layers < 1:
        message = f"{name} must hold the width of the input and of every layer, got {entries}"
        raise ValueError(message)
    if depth is not None and _validation.integer("depth", depth, 1, _DEEPEST) != layers:
        message = f"depth must be None or {layers}, the layers of {name}, got {depth}"
        raise ValueError(message)
    return np.array(entries, dtype=np.int64)


def log_scale(sigma: Any, depth: int) -> float:
    """Return the sum of log sigma over the layers, for one scale or one a layer."""
    values = _validation.positive("sigma", sigma)
    if not isinstance(values, np.ndarray):
        return depth * math.log(values)
    if values.shape != (depth,):
        message = f"sigma must be a number or one for each of {depth} layers, got {values.shape}"
        raise ValueError(message)
    return math.fsum(np.log(values))


def rows(
    work: Callable[[int, int], Any],
    columns: int,
    n_samples: Any,
    nanoseconds: float,
    threads: Any,
) -> FloatArray:
    """Return the rows work(first, count) of all replicas."""
    count = _validation.integer("n_samples", n_samples, 0, _MOST_SAMPLES)
    workers = thread_count(threads)
    groups = int(_PIECE_COST / nanoseconds / _LANES)
    piece = _LANES * max(1, min(1 << 13, groups, -(-count // (_LANES * workers))))
    out = np.empty((count, columns))
    for start, values in each_piece(work, 0, count, piece, workers):
        out[start : start + len(values)] = values
    return out
