"""Laws of independent entries of a tensor of weights: how they are drawn, and their kurtosis."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from fracmoment.signals.isometry import SymmetricEntries

if TYPE_CHECKING:
    from fracmoment._typing import FloatArray

#: Names of the laws.
ENTRIES = ("normal", "uniform", "truncated")

#: Where the frameworks cut the normal law, in units of its standard deviation before the cut.
CUT = 2.0
_INSIDE = math.erf(CUT / math.sqrt(2.0))
_TAIL = 2.0 * CUT * math.exp(-0.5 * CUT * CUT) / math.sqrt(2.0 * math.pi) / _INSIDE
#: Variance and standard deviation of a standard normal variate given that it is inside the cut.
TRUNCATED_VARIANCE = 1.0 - _TAIL
TRUNCATED_STD = math.sqrt(TRUNCATED_VARIANCE)
_TRUNCATED_FOURTH = 3.0 * TRUNCATED_VARIANCE - CUT * CUT * _TAIL

_KURTOSIS = {
    "normal": 3.0,
    "uniform": 9.0 / 5.0,
    "truncated": _TRUNCATED_FOURTH / TRUNCATED_VARIANCE**2,
}


def draw_entries(
    entries: str, shape: tuple[int, ...], std: float, rng: np.random.Generator
) -> FloatArray:
    """Draw independent entries of mean 0 and standard deviation ``std``."""
    if entries == "uniform":
        bound = math.sqrt(3.0) * std
        return rng.uniform(-bound, bound, shape)
    values: FloatArray = rng.standard_normal(shape)
    if entries == "truncated":
        _redraw_outside(values, rng)
        std = std / TRUNCATED_STD
    values *= std
    return values


def symmetric_entries(entries: str) -> SymmetricEntries:
    """Return what the moments of Jacobians need of a law of entries."""
    return SymmetricEntries(_KURTOSIS[entries])


def _redraw_outside(values: FloatArray, rng: np.random.Generator) -> None:
    flat = values.reshape(-1)
    outside = np.flatnonzero(np.abs(flat) > CUT)
    while outside.size:
        flat[outside] = rng.standard_normal(outside.size)
        outside = outside[np.abs(flat[outside]) > CUT]
