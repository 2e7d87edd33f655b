"""How the networks are initialized: six ways, from the same random numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

import fracmoment as fm
from fracmoment.schemes import Fractional, GaussianSubmatrix

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from fracmoment.schemes import Scheme as LayerScheme

    FloatArray = NDArray[np.float64]
    Layers = Sequence[LayerScheme]

ORDER = 0.8  # of the fractional scheme, the one that the paper trains ReLU networks with


@dataclass(frozen=True)
class Scheme:
    """A way to initialize networks of given widths, from pixels to classes.

    Attributes
    ----------
    key, label : str
        Name for programs, and the one for tables and pictures.
    layers : callable
        From the number of layers to the scheme of each.
    outputs_of : callable or None
        From the number of layers to schemes whose outputs the network shall have before training,
        by a factor on its last layer.
    """

    key: str
    label: str
    layers: Callable[[int], Layers]
    outputs_of: Callable[[int], Layers] | None = None

    def weights(self, seeds: Sequence[int], widths: Sequence[int]) -> list[FloatArray]:
        """Return weights, one array of shape (seeds, fan_out, fan_in) a layer.

        What a seed gets does not depend on the other seeds. A layer of a seed is drawn from the
        same stream of normal numbers in every scheme.
        """
        depth = len(widths) - 1
        weights = [
            np.stack([layer.sample(shape, rng=_generator(seed, place)) for seed in seeds])
            for place, (layer, shape) in enumerate(
                zip(self.layers(depth), zip(widths[1:], widths[:-1], strict=True), strict=True)
            )
        ]
        if self.outputs_of is not None:
            wanted, own = (
                math.prod(_scales(layers(depth), widths))
                for layers in (self.outputs_of, self.layers)
            )
            weights[-1] *= wanted / own
        return weights

    def law(self, widths: Sequence[int]) -> fm.DepthLaw | None:
        """Return the exact law of ``log(|output|/|input|)``, None without one of its own."""
        layers = self.layers(len(widths) - 1)
        gains = [
            layer.gain(fan_out, fan_in)
            for layer, fan_in, fan_out in zip(layers, widths[:-1], widths[1:], strict=True)
        ]
        known = [gain for gain in gains if gain is not None]
        if self.outputs_of is not None or len(known) < len(gains):
            return None
        return fm.DepthLaw(known, _scales(layers, widths))


def _generator(seed: int, layer: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, layer)))


def _scales(layers: Layers, widths: Sequence[int]) -> list[float]:
    return [
        layer.scale(fan_in, fan_out)
        for layer, fan_in, fan_out in zip(layers, widths[:-1], widths[1:], strict=True)
    ]


def _fractional(order: float, weights: str = "gaussian") -> Callable[[int], Layers]:
    """Return ReLU layers, the last linear, that preserve the moment of an order."""
    hidden, last = (Fractional(order, name, weights=weights) for name in ("relu", "linear"))
    return lambda depth: [hidden] * (depth - 1) + [last]


def _submatrix(depth: int) -> Layers:
    """Return mirrored layers [BD19]: at first the network is a linear one of half the width."""
    places = ["first", *["hidden"] * (depth - 2), "last"]
    return [GaussianSubmatrix(place) for place in places]


KAIMING = Scheme("kaiming", "Kaiming", _fractional(2.0))
FRACTIONAL = Scheme("fractional", f"s = {ORDER:g}", _fractional(ORDER))
LYAPUNOV = Scheme("lyapunov", "Lyapunov", _fractional(0.0))
CONTROL = Scheme("control", "last layer only", _fractional(2.0), outputs_of=_fractional(ORDER))
ORTHOGONAL = Scheme("orthogonal", "orthogonal", _fractional(2.0, "orthogonal"))
GSM = Scheme("gsm", "GSM", _submatrix)

SCHEMES = (KAIMING, FRACTIONAL, LYAPUNOV, CONTROL, ORTHOGONAL, GSM)
