"""Schemes for residual networks without normalization: Fixup and T-Fixup."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _validation
from fracmoment._results import plain
from fracmoment.activations import Activation, ReLU
from fracmoment.schemes.base import Numbers, Scheme
from fracmoment.schemes.entries import draw_entries
from fracmoment.schemes.scaled import broadcast_fans, set_fields, single_activation
from fracmoment.schemes.structured import Zero
from fracmoment.schemes.variance import Glorot, He

if TYPE_CHECKING:
    from fracmoment._typing import FloatArray, Result
    from fracmoment.schemes.base import Kernel, Site, Statement

__all__ = ["Fixup", "TFixup"]

FIXUP_ROLES = ("inner", "last", "classifier", "outside")
TFIXUP_ROLES = ("value", "output", "feed_forward", "query", "key", "embedding")

MAX_BLOCKS = 1_000_000

_WHY_FIXUP = (
    "The last layer of every residual branch is 0, so each block is its skip connection, the"
    " identity where its shape does not change: the numbers are those of such blocks, however many."
    " That updates stay of order 1 at any number of blocks is an asymptotic result [ZDM19]."
)
_WHY_TFIXUP = (
    "Exact are the standard deviation of the weights and what the matrix alone does to mean"
    " squares. That one step of training changes the output by an amount that does not grow with"
    " the number of layers is a first-order, asymptotic argument [HPBV20]; attention, which"
    " averages values with weights from the signal itself, has no gain."
)


@dataclass(frozen=True)
class Fixup(Scheme):
    """Residual networks that are the identity at initialization [ZDM19].

    With L blocks whose branches have m layers each: the first m - 1 layers of a branch have He's
    scale times ``L^(-1/(2m - 2))``, the last is 0, so is the classifier, and layers outside
    branches have He's scale. Every branch ends with a scalar multiplier of 1, and every layer and
    activation is preceded by a scalar bias of 0.

    Parameters
    ----------
    blocks : int
        Number L of residual blocks.
    layers : int, optional
        Number m of layers in a branch.
    role : {"inner", "last", "classifier", "outside"}, optional
        Which layer it is.
    activation : Activation or str, optional
        After the matrix product.
    mode : {"fan_in", "fan_out"}, optional
        As for `He`.

    Examples
    --------
    >>> inner = Fixup(16)
    >>> inner.multiplier, inner.scale(128, 128)
    (0.25, 0.03125)
    >>> Fixup(16, 3).multiplier
    0.5
    >>> Fixup(16, role="last").sample((2, 2), rng=0)
    array([[0., 0.],
           [0., 0.]])
    """

    blocks: int
    layers: int = 2
    role: str = "inner"
    activation: Activation | str = field(default_factory=ReLU)
    mode: str = "fan_in"

    def __post_init__(self) -> None:
        """Check the parameters."""
        set_fields(
            self,
            blocks=_validation.integer("blocks", self.blocks, 1, MAX_BLOCKS),
            layers=_validation.integer("layers", self.layers, 1, MAX_BLOCKS),
            role=_validation.choice("role", self.role, FIXUP_ROLES),
            activation=single_activation(self.activation),
            mode=_validation.choice("mode", self.mode, ("fan_in", "fan_out")),
        )
        if self.role == "inner" and self.layers == 1:
            message = "layers must be 2 or more for an inner layer: the only layer is the last one"
            raise ValueError(message)

    @property
    def name(self) -> str:
        """The name under which `get` knows the scheme."""
        return "fixup"

    @property
    def multiplier(self) -> float:
        """The factor of He's scale."""
        if self.role in ("last", "classifier"):
            return 0.0
        if self.role == "outside":
            return 1.0
        return float(self.blocks ** (-1.0 / (2.0 * self.layers - 2.0)))

    @property
    def _he(self) -> He:
        return He(self.activation, mode=self.mode)

    def scale(self, fan_in: Any, fan_out: Any) -> Result:
        """Return the multiplier times He's scale."""
        return plain(self.multiplier * np.asarray(self._he.scale(fan_in, fan_out)))

    def _draw(self, kernel: Kernel, rng: np.random.Generator) -> FloatArray:
        if self.multiplier == 0.0:
            return np.zeros(kernel.shape)
        return draw_entries("normal", kernel.shape, self._scale_at(kernel.site), rng)

    def _state(self, site: Site) -> Statement:
        if self.role == "outside":
            return replace(self._he._state(site), scheme=repr(self))
        if self.role == "classifier":
            return replace(Zero()._state(site), scheme=repr(self))
        return self._statement(
            site,
            "|x| itself, of every input, through residual blocks: each is the identity.",
            Numbers(drift=0.0, log_variance=0.0, prob_dead=0.0, isometry_defect=0.0),
            _WHY_FIXUP,
            quantity="norm",
        )


@dataclass(frozen=True)
class TFixup(Scheme):
    """Transformers without warm-up and layer normalization [HPBV20].

    Glorot's uniform weights; those of values, outputs and feed-forward layers are scaled by ``0.67
    N^(-1/4)`` in the encoder and ``(9 N)^(-1/4)`` in the decoder, N being the number of layers.
    Embeddings are normal of standard deviation ``d^(-1/2)``, scaled by ``(9 N)^(-1/4)``. Queries
    and keys are not scaled.

    Parameters
    ----------
    layers : int
        Number N of layers of the encoder or decoder that the weights belong to; for embeddings
        that of the decoder.
    part : {"encoder", "decoder"}, optional
        Where the weights are. It does not matter for embeddings.
    role : {"value", "output", "feed_forward", "query", "key", "embedding"}, optional
        What they are.

    Notes
    -----
    The paper's code multiplies values by another sqrt(2). It undoes the factor 1/sqrt(2) that the
    attention of its framework has in Glorot's scale; here Glorot's scale has no such factor.

    An embedding of shape ``(tokens, d)`` has ``fan_in = d`` in the layout of this package.

    Examples
    --------
    >>> TFixup(16).multiplier, TFixup(9, "decoder").multiplier
    (0.335, 0.3333333333333333)
    >>> TFixup(9, role="embedding").scale(64, 1000) == 0.125 / 3
    True
    """

    layers: int
    part: str = "encoder"
    role: str = "value"

    def __post_init__(self) -> None:
        """Check the parameters."""
        set_fields(
            self,
            layers=_validation.integer("layers", self.layers, 1, MAX_BLOCKS),
            part=_validation.choice("part", self.part, ("encoder", "decoder")),
            role=_validation.choice("role", self.role, TFIXUP_ROLES),
        )

    @property
    def name(self) -> str:
        """The name under which `get` knows the scheme."""
        return "t_fixup"

    @property
    def multiplier(self) -> float:
        """The factor of Glorot's scale, or of an embedding's ``d^(-1/2)``."""
        if self.role in ("query", "key"):
            return 1.0
        if self.part == "encoder" and self.role != "embedding":
            return float(0.67 * self.layers**-0.25)
        return float((9.0 * self.layers) ** -0.25)

    def scale(self, fan_in: Any, fan_out: Any) -> Result:
        """Return the multiplier times Glorot's scale, or ``fan_in^(-1/2)`` for embeddings."""
        if self.role == "embedding":
            width, _ = broadcast_fans(fan_in, fan_out)
            return plain(self.multiplier / np.sqrt(width))
        return plain(self.multiplier * np.asarray(Glorot().scale(fan_in, fan_out)))

    def _draw(self, kernel: Kernel, rng: np.random.Generator) -> FloatArray:
        entries = "normal" if self.role == "embedding" else "uniform"
        return draw_entries(entries, kernel.shape, self._scale_at(kernel.site), rng)

    def _state(self, site: Site) -> Statement:
        scale = self._scale_at(site)
        if self.role == "embedding":
            preserves = (
                f"Nothing: the vector of a token has mean square norm {self.multiplier**2:.6g}."
            )
        else:
            square = scale * scale * site.fan_in
            preserves = f"Nothing by itself: the matrix multiplies E rms^2 by {square:.6g}."
        return self._statement(site, preserves, Numbers(), _WHY_TFIXUP, evidence="asymptotic")
