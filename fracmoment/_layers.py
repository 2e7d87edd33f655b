"""Networks as sequences of layers: one entry a layer, single entries repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fracmoment import _validation
from fracmoment.gains import Gain
from fracmoment.projection import ProjectedGain

if TYPE_CHECKING:
    from collections.abc import Iterator


class Layers(NamedTuple):
    """Gains and scales of the layers; both of length 1 if all layers are alike."""

    gains: list[Any]  # of Gain, or also ProjectedGain where that was allowed
    sigmas: list[float]
    depth: int

    @property
    def alike(self) -> bool:
        """Whether every layer has the same gain and scale."""
        return len(self.gains) == len(self.sigmas) == 1

    def pairs(self) -> Iterator[tuple[Any, float]]:
        """Yield gain and scale of each layer, once if all are alike."""
        count = max(len(self.gains), len(self.sigmas))
        for i in range(count):
            yield self.gains[i % len(self.gains)], self.sigmas[i % len(self.sigmas)]


def of(gain: Any, sigma: Any, depth: Any, *, projected: bool = False) -> Layers:
    """Return the layers described by a gain or gains, a scale or scales, and a depth.

    ``depth=None`` takes the depth from the sequences; it is 1 if there is none. `projected` says
    whether gains of layers that narrow are allowed, which are no `Gain`.
    """
    entries = gains(gain, projected=projected)
    values = _validation.positive("sigma", sigma)
    if isinstance(values, np.ndarray) and values.ndim != 1:
        message = f"sigma must be a number or a sequence of numbers, got shape {values.shape}"
        raise ValueError(message)
    sigmas = values.tolist() if isinstance(values, np.ndarray) else [values]
    lengths = {}
    if isinstance(gain, (list, tuple)) or (isinstance(gain, Gain) and gain.shape):
        lengths["gain"] = len(entries)
    if isinstance(values, np.ndarray):
        lengths["sigma"] = len(sigmas)
    if depth is not None:
        lengths["depth"] = _validation.depth(depth)
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name}: {length}" for name, length in lengths.items())
        message = f"gain, sigma and depth must agree on the number of layers, got {listed}"
        raise ValueError(message)
    count = next(iter(lengths.values()), 1)
    if count == 0:
        message = "gain and sigma must describe at least one layer, got an empty sequence"
        raise ValueError(message)
    return Layers(entries, sigmas, count)


def gains(gain: Any, *, projected: bool = False) -> list[Any]:
    """Return a gain or gains as a list."""
    if projected and isinstance(gain, ProjectedGain):
        return [gain]
    if isinstance(gain, Gain):
        if gain.shape == ():
            return [gain]
        if len(gain.shape) == 1:
            return list(gain)
        message = f"gain must hold one entry a layer, got a gain of shape {gain.shape}"
        raise ValueError(message)
    if not isinstance(gain, (list, tuple)):
        message = f"gain must be a Gain or a sequence of them, got {_validation.shown(gain)}"
        raise TypeError(message)
    for entry in gain:
        if projected and isinstance(entry, ProjectedGain):
            continue
        if not isinstance(entry, Gain) or entry.shape:
            value = _validation.shown(entry)
            message = f"gain must hold gains of scalar parameters, one a layer, got {value}"
            raise TypeError(message)
    return list(gain)
