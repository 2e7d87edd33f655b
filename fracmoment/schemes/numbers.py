"""The numbers of statements, from the exact laws of layers and of Jacobians."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from fracmoment.limits import prob_dead
from fracmoment.schemes.base import Numbers
from fracmoment.signals.isometry import SymmetricEntries, jacobian_moments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fracmoment.activations import Activation
    from fracmoment.networks.laws import LayerLaw
    from fracmoment.schemes.base import Quantity


class Layers(NamedTuple):
    """Layers of one kind, with weights of one scale times a matrix of a known law.

    Attributes
    ----------
    activation : Activation
        After the matrix product.
    widths : sequence of int
        Widths of the input and of every layer.
    scales : sequence of float
        Scale of every layer.
    weights : {"gaussian", "orthogonal"} or SymmetricEntries
        Law of the weights.
    keep_prob : float
        Probability with which inverted dropout keeps a unit.
    """

    activation: Activation
    widths: Sequence[int]
    scales: Sequence[float]
    weights: str | SymmetricEntries = "gaussian"
    keep_prob: float = 1.0


def numbers_of(layers: Layers, quantity: Quantity, *, isometry: bool = True) -> Numbers:
    """Return the numbers of a statement about layers, entries of other laws taken for normal.

    Parameters
    ----------
    layers : Layers
        The layers; order, drift and variance are those of the first.
    quantity : {"rms", "norm"}
        What order and drift are about.
    isometry : bool, optional
        Whether the Jacobian is that of dense layers, so that its defect is meant.
    """
    from fracmoment.networks.laws import LayerLaw  # needs SciPy's optimizers

    orthogonal = layers.weights == "orthogonal"
    first = LayerLaw(
        layers.activation,
        layers.widths[0],
        layers.widths[1],
        layers.keep_prob,
        "orthogonal" if orthogonal else "gaussian",
    )
    scale = layers.scales[0] / first.to_norm(quantity)
    return Numbers(
        order=_tail_index(first, scale),
        drift=first.log_mean + math.log(scale),
        log_variance=max(first.log_var, 0.0),
        prob_dead=prob_dead(first.gain, len(layers.scales)) + 0.0,  # no -0
        isometry_defect=defect(layers) if isometry else None,
    )


def _tail_index(law: LayerLaw, scale: float) -> float | None:
    """Return the order that a scale preserves; None above 64, where moments may be out of reach."""
    from fracmoment.networks.laws import CERTAIN_ORDER

    if scale * law.gain.support()[1] <= 1.0:
        return math.inf
    return None if scale < law.scale(CERTAIN_ORDER) else law.tail_index(scale)


def defect(layers: Layers) -> float | None:
    """Return the defect of isometry; None where it is beyond the range of doubles."""
    try:
        moments = jacobian_moments(
            layers.widths,
            layers.scales,
            activation=layers.activation,
            weights=layers.weights,
            keep_prob=layers.keep_prob,
        )
    except OverflowError:
        return None
    return max(float(moments.defect[-1]), 0.0)
