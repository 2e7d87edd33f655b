"""Random walk initialization: zero drift by a fitted formula, forwards or backwards."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _validation
from fracmoment._results import plain
from fracmoment.activations import Activation, Linear, ReLU
from fracmoment.schemes.base import Site
from fracmoment.schemes.scaled import (
    Model,
    ScaledScheme,
    broadcast_fans,
    set_fields,
    single_activation,
)

if TYPE_CHECKING:
    from fracmoment._typing import Result
    from fracmoment.schemes.base import Statement

__all__ = ["RandomWalk"]

_WHY_BACKWARD = (
    "Order, drift and variance are those of back-propagated gradients: the sides of the units are"
    " independent of normal weights [HN20], so gradients follow the gain law of the transposed"
    " layer, whose width is fan_in."
)


@dataclass(frozen=True)
class RandomWalk(ScaledScheme):
    """Normal weights of standard deviation ``g/sqrt(n)`` with a gain g fitted to zero drift [SA14].

    ``g = exp(1/(2 d))`` for linear and ``sqrt(2) exp(1.2/(max(d, 6) - 2.4))`` for ReLU layers: an
    approximation of the Lyapunov scale, whose remaining drift the statement tells.

    Parameters
    ----------
    activation : {"linear", "relu"}, optional
        The activations for which there is a formula.
    direction : {"forward", "backward"}, optional
        Whether the norm of signals (n = fan_in, d = fan_out) or of gradients (n = fan_out,
        d = fan_in) shall not drift. The statement of the latter is about gradients.

    Examples
    --------
    >>> walk = RandomWalk("relu")
    >>> walk.scale(64, 64)
    0.18025415857728758
    >>> round(walk.statement(64, 64).drift, 6), round(walk.statement(8, 8).drift, 4)
    (-0.000574, 0.0149)
    """

    activation: Activation | str = field(default_factory=ReLU)
    direction: str = "forward"

    def __post_init__(self) -> None:
        """Check the parameters."""
        activation = single_activation(self.activation)
        if activation not in (Linear(), ReLU()):
            message = f"activation must be linear or ReLU for a random walk, got {activation!r}"
            raise ValueError(message)
        directions = ("forward", "backward")
        direction = _validation.choice("direction", self.direction, directions)
        set_fields(self, activation=activation, direction=direction)

    @property
    def name(self) -> str:
        """The name under which `get` knows the scheme."""
        return "random_walk" if self.direction == "forward" else "random_walk_backward"

    def scale(self, fan_in: Any, fan_out: Any) -> Result:
        """Return ``g(d)/sqrt(n)``."""
        inputs, units = broadcast_fans(fan_in, fan_out)
        if self.direction == "backward":
            inputs, units = units, inputs
        if self.activation == Linear():
            gain = np.exp(0.5 / units)
        else:
            gain = math.sqrt(2.0) * np.exp(1.2 / (np.maximum(units, 6.0) - 2.4))
        return plain(gain / np.sqrt(inputs))

    def _scale_at(self, site: Site) -> float:
        if self.direction == "backward":
            return float(self.scale(site.channels, site.fan_out))
        return float(self.scale(site.fan_in, site.width))

    def _model(self) -> Model:
        return Model(single_activation(self.activation))

    def _state(self, site: Site) -> Statement:
        forward = super()._state(site)
        if self.direction == "forward":
            return forward
        # Gradients pass the transposed weights: the same layer with its sizes swapped.
        swapped = Site(site.fan_out, site.fan_in, site.channels, 1, site.taps)
        backward = self._described(swapped, self._model(), [self._scale_at(site)])
        return replace(
            forward,
            preserves=backward.preserves.replace("rms", "rms(gradient)"),
            order=backward.order,
            drift=backward.drift,
            log_variance=backward.log_variance,
            reason=_WHY_BACKWARD,
        )
