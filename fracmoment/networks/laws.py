"""The law of one layer of a network: its activation, fans, dropout and weights.

A layer maps ``x`` to ``phi(W x)``. With random weights of one scale sigma the ratio
``|phi(W x)| / |x| = sigma R`` has a law that does not depend on ``x``, and the layers of a network
are independent: the log-norm at the output is a sum of independent terms, a `fracmoment.DepthLaw`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from fracmoment._core import ConvergenceError
from fracmoment.gains import Gain
from fracmoment.projection import ProjectedGain
from fracmoment.scales import init_scale
from fracmoment.tails import tail_index

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fracmoment.activations import Activation

Convention = Literal["rms", "norm"]
Weights = Literal["gaussian", "orthogonal"]

#: Up to this order every moment can be computed; above it there are laws whose cannot.
CERTAIN_ORDER = 64.0


@dataclass(frozen=True)
class LayerLaw:
    """Law of ``R = |phi(W x)| / |x|`` for one layer whose weights have scale 1.

    For Gaussian weights the entries have standard deviation 1. Orthogonal weights are Haar
    distributed with orthonormal columns, or orthonormal rows where the layer narrows: see
    `fracmoment.ProjectedGain`.

    Attributes
    ----------
    activation : fracmoment.Activation
        The activation after the matrix product.
    fan_in, fan_out : int
        Numbers of columns and rows.
    keep_prob : float
        Probability with which inverted dropout keeps a unit.
    weights : {"gaussian", "orthogonal"}
        Law of the weights.
    """

    activation: Activation
    fan_in: int
    fan_out: int
    keep_prob: float = 1.0
    weights: Weights = "gaussian"

    @cached_property
    def gain(self) -> Gain | ProjectedGain:
        """The gain at scale 1."""
        gain = Gain(self.activation, self.fan_out, keep_prob=self.keep_prob, weights=self.weights)
        narrowing = self.weights == "orthogonal" and self.fan_in > self.fan_out
        return ProjectedGain(gain, self.fan_in) if narrowing else gain

    @cached_property
    def log_mean(self) -> float:
        """E[log R | R > 0]."""
        return float(self.gain.log_mean())

    @cached_property
    def log_var(self) -> float:
        """Var[log R | R > 0]."""
        return float(self.gain.log_var())

    @cached_property
    def prob_zero(self) -> float:
        """P(R = 0), the probability that the layer dies."""
        return float(self.gain.prob_zero())

    def scale(self, order: float) -> float:
        """Return the scale that preserves the norm's moment of an order >= 0, 0 for zero drift."""
        return self.init_scale(order, "norm")

    def init_scale(self, order: float, preserve: Convention) -> float:
        """Return the scale that preserves the moment of the norm or of the root mean square."""
        return float(
            init_scale(
                self.activation,
                self.fan_in,
                self.fan_out,
                order,
                preserve=preserve,
                keep_prob=self.keep_prob,
                weights=self.weights,
            )
        )

    def tail_index(self, scale: float) -> float:
        """Return the order whose moment of the norm a scale preserves.

        As `fracmoment.Gain.tail_index`: 0.0 where the drift is not negative, infinity where
        every moment shrinks; NaN where the order is above `CERTAIN_ORDER` and cannot be found.
        """
        return known_tail_index([self.gain], [scale])

    def to_norm(self, preserve: Convention) -> float:
        """Return the factor between a scale of the norm convention and one of `preserve`."""
        return math.sqrt(self.fan_out / self.fan_in) if preserve == "rms" else 1.0


def gains_of(laws: Sequence[LayerLaw]) -> list[Gain | ProjectedGain]:
    """Return the gains of layers at scale 1, one object for equal layers."""
    known: dict[LayerLaw, Gain | ProjectedGain] = {}
    for law in laws:
        if law not in known:
            known[law] = law.gain
    return [known[law] for law in laws]


def known_tail_index(
    gains: Sequence[Gain | ProjectedGain], scales: Sequence[float], factor: float = 1.0
) -> float:
    """Return the order whose moment layers preserve together, times a factor of the output.

    As `fracmoment.tail_index`; NaN where the order is above `CERTAIN_ORDER` and cannot be found.
    """
    sigmas = [scales[0] * factor, *scales[1:]]
    try:
        return float(tail_index(list(gains), sigmas))
    except ConvergenceError:
        shrunk = math.log(factor) + math.fsum(
            math.log(s / float(g.scale(CERTAIN_ORDER))) for g, s in zip(gains, scales, strict=True)
        )
        if shrunk < 0.0:
            return math.nan
        raise
