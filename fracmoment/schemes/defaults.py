"""What frameworks do to a dense or convolutional layer when nothing is asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fracmoment import _validation
from fracmoment._results import plain
from fracmoment.activations import Activation, ReLU
from fracmoment.schemes.entries import TRUNCATED_STD, draw_entries
from fracmoment.schemes.scaled import (
    Model,
    ScaledScheme,
    broadcast_fans,
    set_fields,
    single_activation,
)

if TYPE_CHECKING:
    from fracmoment._typing import FloatArray, Result
    from fracmoment.schemes.base import Site

__all__ = ["FrameworkDefault"]


class _Rule(NamedTuple):
    """Law of the entries, variance times n, whether n is the mean fan, whether biases are drawn."""

    entries: str
    numerator: float
    mean_fan: bool
    biases: bool


_RULES = {
    "torch": _Rule("uniform", 1.0 / 3.0, mean_fan=False, biases=True),
    "keras": _Rule("uniform", 1.0, mean_fan=True, biases=False),
    "flax": _Rule("truncated", 1.0, mean_fan=False, biases=False),
    "haiku": _Rule("truncated", TRUNCATED_STD**2, mean_fan=False, biases=False),
    "equinox": _Rule("uniform", 1.0 / 3.0, mean_fan=False, biases=True),
}


@dataclass(frozen=True)
class FrameworkDefault(ScaledScheme):
    """The default of a framework's dense and convolutional layers.

    ========= ========================================= ================== =====================
    framework weights                                   variance           biases
    ========= ========================================= ================== =====================
    torch     uniform (Kaiming's with a = sqrt(5))      1/(3 fan_in)       uniform, 1/(3 fan_in)
    keras     uniform (Glorot's)                        2/(fan_in+fan_out) 0
    flax      truncated normal (LeCun's)                1/fan_in           0
    haiku     truncated normal, not made up for the cut 0.7737/fan_in      0
    equinox   uniform                                   1/(3 fan_in)       uniform, 1/(3 fan_in)
    ========= ========================================= ================== =====================

    Parameters
    ----------
    framework : {"torch", "keras", "flax", "haiku", "equinox"}
        The framework.
    activation : Activation or str, optional
        Activation of the layer that the statement is about; the scale does not depend on it.

    Notes
    -----
    Fans are those of `fans`. The frameworks' own differ in two cases: Keras counts the outputs of
    all groups, and torch takes for the ``fan_in`` of a transposed convolution its output channels
    of one group, times the kernel. Biases are not in the statement.

    Examples
    --------
    ReLU layers with torch's default shrink the mean square sixfold:

    >>> FrameworkDefault("torch").statement(256, 256).preserves
    'No moment of low order: all of those shrink; E rms^2 is multiplied by 0.166667.'
    """

    framework: str = "torch"
    activation: Activation | str = field(default_factory=ReLU)

    def __post_init__(self) -> None:
        """Check the parameters."""
        set_fields(
            self,
            framework=_validation.choice("framework", self.framework, _RULES),
            activation=single_activation(self.activation),
        )

    @property
    def _rule(self) -> _Rule:
        return _RULES[self.framework]

    @property
    def name(self) -> str:
        """The name under which `get` knows the scheme."""
        return f"{self.framework}_default"

    def scale(self, fan_in: Any, fan_out: Any) -> Result:
        """Return the standard deviation of the weights."""
        inputs, outputs = broadcast_fans(fan_in, fan_out)
        fan = 0.5 * (inputs + outputs) if self._rule.mean_fan else inputs
        return plain(np.sqrt(self._rule.numerator / fan))

    def _model(self) -> Model:
        return Model(single_activation(self.activation), entries=self._rule.entries)

    def _draw_bias(self, site: Site, rng: np.random.Generator) -> FloatArray:
        if not self._rule.biases:
            return super()._draw_bias(site, rng)
        std = 1.0 / math.sqrt(3.0 * site.fan_in)
        return draw_entries("uniform", (site.fan_out,), std, rng)
