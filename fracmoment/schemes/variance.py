"""Schemes about the mean square: LeCun's, Glorot's and He's, with three laws of entries."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _validation
from fracmoment._results import plain
from fracmoment.activations import Activation, Linear, ReLU
from fracmoment.expansions import unit_moments
from fracmoment.gains import Gain
from fracmoment.scales import init_scale
from fracmoment.schemes.entries import ENTRIES
from fracmoment.schemes.scaled import (
    Model,
    ScaledScheme,
    broadcast_fans,
    set_fields,
    single_activation,
)

if TYPE_CHECKING:
    from fracmoment._typing import Result
    from fracmoment.schemes.base import Quantity, Site, Statement

__all__ = ["Glorot", "He", "LeCun"]

_WHY_FAN_OUT = (
    " The root mean square of gradients is preserved at order 2 as well: they pass the transposed"
    " layer [HN20]."
)
_SUFFIX = {"normal": "normal", "uniform": "uniform", "truncated": "truncated_normal"}


@dataclass(frozen=True)
class _Variance(ScaledScheme):
    """Schemes whose scale comes from the fans alone.

    `activation` is the activation of the layer, which the statement is about; He's scale depends
    on it, the others' does not.
    """

    activation: Activation | str = field(default_factory=Linear)
    entries: str = "normal"

    def __post_init__(self) -> None:
        set_fields(
            self,
            activation=single_activation(self.activation),
            entries=_validation.choice("entries", self.entries, ENTRIES),
        )

    def _model(self) -> Model:
        return Model(single_activation(self.activation), entries=self.entries)


@dataclass(frozen=True)
class LeCun(_Variance):
    """Variance ``1/fan_in``: order 2 for linear layers.

    Parameters
    ----------
    activation : Activation or str, optional
        Activation of the layer that the statement is about; the scale does not depend on it.
    entries : {"normal", "uniform", "truncated"}, optional
        Law of the entries. ``"truncated"`` is the normal law cut at two standard deviations and
        stretched to the variance asked for, as Keras' and JAX's "normal" schemes draw it.

    Examples
    --------
    >>> LeCun().scale(100, 30)
    0.1
    >>> print(LeCun("relu").statement(64, 64))  # what it does with ReLU
    LeCun(activation=ReLU(), entries='normal')
    layer         64 -> 64
    preserves     E rms^63.612, dead layers included; E rms^2 is multiplied by 0.5.
    order         63.612
    drift         -0.366628
    log variance  0.0207493
    P(dead)       5.42101e-20
    defect        0.761719
    evidence      exact
    reason        Rows of independent normal entries turn any input into independent
                  normal pre-activations, so |phi(W x)| is sigma R |x| with R
                  independent of x [GH21].
    """

    @property
    def name(self) -> str:
        """The name under which `get` knows the scheme."""
        return f"lecun_{_SUFFIX[self.entries]}"

    def scale(self, fan_in: Any, fan_out: Any) -> Result:
        """Return ``1/sqrt(fan_in)``."""
        n_in, _ = broadcast_fans(fan_in, fan_out)
        return plain(1.0 / np.sqrt(n_in))


@dataclass(frozen=True)
class Glorot(_Variance):
    """Variance ``2/(fan_in + fan_out)``: order 2 for square linear layers.

    Between the scales that preserve mean squares forwards, ``1/fan_in``, and backwards,
    ``1/fan_out``.

    Parameters
    ----------
    activation, entries
        As for `LeCun`.

    Examples
    --------
    >>> Glorot().scale(100, 28)
    0.125
    >>> Glorot(entries="uniform").statement(32, 32).preserves
    'E rms^2.'
    """

    @property
    def name(self) -> str:
        """The name under which `get` knows the scheme."""
        return f"glorot_{_SUFFIX[self.entries]}"

    def scale(self, fan_in: Any, fan_out: Any) -> Result:
        """Return ``sqrt(2/(fan_in + fan_out))``."""
        n_in, n_out = broadcast_fans(fan_in, fan_out)
        return plain(np.sqrt(2.0 / (n_in + n_out)))


@dataclass(frozen=True)
class He(_Variance):
    """Variance ``1/(n E phi(z)^2)``: order 2 for every activation; ``2/n`` for ReLU.

    Parameters
    ----------
    activation : Activation or str, optional
        After the matrix product.
    entries : {"normal", "uniform", "truncated"}, optional
        As for `LeCun`.
    mode : {"fan_in", "fan_out", "fan_avg"}, optional
        What n is: with ``"fan_in"`` the root mean square of the units is preserved, with
        ``"fan_out"`` the norm (of dense layers), and the root mean square of gradients;
        ``"fan_avg"``, the mean of both, preserves neither unless they are equal.

    Examples
    --------
    >>> He().scale(128, 64), He(mode="fan_out").scale(128, 32)
    (0.125, 0.25)
    >>> He("leaky_relu", "truncated").statement(128, 64).evidence
    'exact'
    """

    activation: Activation | str = field(default_factory=ReLU)
    mode: str = "fan_in"

    def __post_init__(self) -> None:
        """Check the parameters."""
        super().__post_init__()
        _validation.choice("mode", self.mode, ("fan_in", "fan_out", "fan_avg"))

    @property
    def name(self) -> str:
        """The name under which `get` knows the scheme."""
        return f"he_{_SUFFIX[self.entries]}"

    def scale(self, fan_in: Any, fan_out: Any) -> Result:
        """Return ``1/sqrt(n E phi(z)^2)``."""
        if self.mode != "fan_avg":
            preserve = "rms" if self.mode == "fan_in" else "norm"
            return init_scale(self.activation, fan_in, fan_out, 2.0, preserve=preserve)
        n_in, n_out = broadcast_fans(fan_in, fan_out)
        second, _ = unit_moments(Gain(single_activation(self.activation), 1))
        return plain(np.sqrt(2.0 / second / (n_in + n_out)))

    def _model(self) -> Model:
        quantity: Quantity = "norm" if self.mode == "fan_out" else "rms"
        return super()._model()._replace(quantity=quantity)

    def _state(self, site: Site) -> Statement:
        statement = super()._state(site)
        if self.mode != "fan_out":
            return statement
        return replace(statement, reason=statement.reason + _WHY_FAN_OUT)
