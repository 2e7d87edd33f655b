"""Products of random matrices D_k W_k ... D_1 W_1, simulated a row of numbers a replica."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fracmoment import _core, _validation
from fracmoment.activations import as_activation
from fracmoment.simulation.streams import Purpose, stream_format

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fracmoment._typing import FloatArray, IntArray

METHODS = ("chi", "qr")
WIDEST = 1024
_DEEPEST = 10**8
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
    keep_prob: float = 1.0
    orthogonal: bool = False

    @classmethod
    def of(
        cls,
        widths: IntArray,
        activation: Any,
        masks: str = "independent",
        method: str | None = None,
        *,
        keep_prob: float = 1.0,
        orthogonal: bool = False,
    ) -> MatrixProduct:
        """Return the product with the method given, or the fastest one for its law."""
        lower, upper = scalar_slopes(activation)
        linear = lower == upper and abs(lower) == 1.0
        by_law = masks == "independent" and (linear or lower == upper == 0.0) and not orthogonal
        if method is not None:
            _validation.choice("method", method, METHODS)
        if method == "chi" and not by_law:
            message = (
                "method 'chi' needs Gaussian weights and linear or ReLU units with independent "
                f"masks, got {activation!r} with {masks} masks: use 'qr'"
            )
            raise ValueError(message)
        if by_law and method != "qr":
            factors = Factors.BARTLETT
        elif masks == "forward":
            factors = Factors.FORWARD
        else:
            factors = Factors.INDEPENDENT
        if linear and masks == "independent":
            lower = upper = 1.0  # signs of rows change no singular value
        return cls(widths, lower, upper, factors, keep_prob, orthogonal)

    @property
    def rank(self) -> int:
        """The number of singular values of the product as a matrix."""
        return int(min(self.widths[0], self.widths[-1]))

    @property
    def isometric(self) -> bool:
        """Whether it is a product of isometries, or of transposes of such ones: all values 1."""
        steps = np.diff(self.widths)
        monotonic = bool(np.all(steps >= 0) or np.all(steps <= 0))
        linear = self.lower == self.upper and abs(self.lower) == 1.0
        return self.orthogonal and linear and self.keep_prob == 1.0 and monotonic

    def nanoseconds(self) -> float:
        """Return the work for one replica, roughly."""
        sizes = self.widths.astype(float)
        entries = sizes[1:] * sizes[:-1]
        squares = np.maximum(sizes[1:], sizes[:-1]) * sizes[:-1] * (0.2 * self.orthogonal)
        steps = entries * (2.0 + 0.1 * sizes[1:]) + squares * sizes[:-1]
        return float(steps.sum() + 1.0 * sizes.min() ** 3)

    def description(self) -> dict[str, Any]:
        """Return what determines the law of the product, in JSON."""
        return {
            "widths": self.widths.tolist(),
            "slopes": [self.lower.hex(), self.upper.hex()],
            "factors": self.factors.name.lower(),
            "keep_prob": self.keep_prob.hex(),
            "orthogonal": self.orthogonal,
        }


@dataclass(frozen=True)
class ProductRun:
    """A row of numbers for each replica of a product; a run.

    Attributes
    ----------
    kernel : str
        The function of the core.
    """

    product: MatrixProduct
    kernel: str
    purpose: Purpose
    seed: int

    def work(self, first: int, count: int) -> FloatArray:
        """Return the rows of ``count`` replicas from ``first`` on."""
        rows: FloatArray = getattr(_core, self.kernel)(
            *self.product, self.seed, self.purpose, first, count
        )
        return rows

    def piece(self) -> int:
        """Return how many replicas make a piece of work."""
        return group_size(self.product.nanoseconds())

    def description(self) -> Mapping[str, Any]:
        """Return what determines the results, in JSON."""
        return {
            **self.product.description(),
            "result": self.kernel,
            "seed": self.seed,
            "stream_format": stream_format,
        }


def group_size(nanoseconds: float) -> int:
    """Return how many replicas make a piece of work, in whole groups of lanes."""
    return _LANES * max(1, min(1 << 13, int(_PIECE_COST / nanoseconds / _LANES)))


def scalar_slopes(activation: Any) -> tuple[float, float]:
    """Return the ends of the slope of an activation with scalar slopes."""
    lower, upper = as_activation(activation).slopes
    if np.ndim(lower) or np.ndim(upper):
        message = f"activation must have scalar slopes, got {activation!r}"
        raise ValueError(message)
    return float(lower), float(upper)


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
