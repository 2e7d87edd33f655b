"""Schemes that preserve a moment exactly at the real width: order s, zero drift, random slopes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fracmoment import _validation
from fracmoment.activations import Activation, LeakyReLU, RandomizedLeakyReLU, ReLU
from fracmoment.gains import WEIGHTS
from fracmoment.scales import init_scale
from fracmoment.schemes.scaled import (
    QUANTITIES,
    Model,
    ScaledScheme,
    set_fields,
    single_activation,
)

if TYPE_CHECKING:
    from fracmoment._typing import Result
    from fracmoment.schemes.base import Quantity, Site

__all__ = ["Fractional", "Lyapunov", "RandomizedSlope"]

MODES = ("training", "evaluation")


@dataclass(frozen=True)
class Fractional(ScaledScheme):
    """The scale that preserves the moment of order s exactly [GH21].

    Parameters
    ----------
    order : float, optional
        Order s; 2 gives He's scheme (LeCun's for linear layers), 0 zero drift, as `Lyapunov`.
    activation : Activation or str, optional
        After the matrix product.
    preserve : {"rms", "norm"}, optional
        What to preserve: the root mean square of the units or the norm.
    weights : {"gaussian", "orthogonal"}, optional
        Independent normal entries, or a Haar orthogonal matrix times the scale. For submatrix
        weights see `GaussianSubmatrix`.
    keep_prob : float, optional
        Probability with which inverted dropout keeps a unit.

    Examples
    --------
    >>> scheme = Fractional(1.0, "relu")
    >>> scheme.scale(64, 64)
    0.17852802866437037
    >>> scheme.sample((64, 64), rng=1).std().round(2)
    np.float64(0.18)
    >>> statement = scheme.statement(64, 64, depth=20)
    >>> statement.order, round(statement.drift, 5), statement.evidence
    (1.0, -0.0102, 'exact')
    """

    order: float = 1.0
    activation: Activation | str = field(default_factory=ReLU)
    preserve: str = "rms"
    weights: str = "gaussian"
    keep_prob: float = 1.0

    def __post_init__(self) -> None:
        """Check the parameters."""
        keep = _validation.as_float("keep_prob", self.keep_prob)
        _validation.keep_prob(keep)
        set_fields(
            self,
            order=_validation.as_float("order", self.order),
            activation=single_activation(self.activation),
            preserve=_validation.choice("preserve", self.preserve, QUANTITIES),
            weights=_validation.choice("weights", self.weights, WEIGHTS),
            keep_prob=keep,
        )

    @property
    def name(self) -> str:
        """The name under which `get` knows the scheme."""
        return "fractional_orthogonal" if self.weights == "orthogonal" else "fractional"

    def scale(self, fan_in: Any, fan_out: Any) -> Result:
        """Return the scale: `fracmoment.init_scale`."""
        return init_scale(
            self.activation,
            fan_in,
            fan_out,
            self.order,
            preserve=self.preserve,
            keep_prob=self.keep_prob,
            weights=self.weights,
        )

    def _scale_at(self, site: Site) -> float:
        return float(self.scale(site.fan_in, site.width))

    def _model(self) -> Model:
        quantity: Quantity = "rms" if self.preserve == "rms" else "norm"
        return Model(
            single_activation(self.activation),
            quantity,
            self.weights,
            keep_prob=self.keep_prob,
            order=self.order,
        )


@dataclass(frozen=True)
class Lyapunov(Fractional):
    """The scale of zero drift, ``exp(-E log R)``, given that the layer is alive [KSK26].

    Parameters
    ----------
    activation, preserve, weights, keep_prob
        As for `Fractional`.

    Examples
    --------
    >>> Lyapunov("relu").scale(16, 16)
    0.3861528093790811
    >>> round(Lyapunov("relu").statement(16, 16).drift, 15) + 0.0
    0.0
    """

    order: float = field(default=0.0, init=False, repr=False)

    @property
    def name(self) -> str:
        """The name under which `get` knows the scheme."""
        return "lyapunov_orthogonal" if self.weights == "orthogonal" else "lyapunov"


@dataclass(frozen=True)
class RandomizedSlope(ScaledScheme):
    """Scale for randomized leaky ReLU, whose two modes have two gain laws.

    In training the slope of every unit is uniform on ``[lower, upper]``, in evaluation it is the
    mean ``(lower + upper)/2``. A scale can preserve a moment in one of the modes; the statement
    says what it does in the mode asked for.

    Parameters
    ----------
    order : float, optional
        Order s of the moment that is preserved.
    lower, upper : float, optional
        Ends of the interval of slopes.
    preserve : {"rms", "norm"}, optional
        As for `Fractional`.
    preserved_in : {"training", "evaluation"}, optional
        The mode in which the moment is preserved.
    mode : {"training", "evaluation"}, optional
        The mode that `gain` and `statement` are about.

    Examples
    --------
    >>> from dataclasses import replace
    >>> training = RandomizedSlope(order=2.0, lower=0.0, upper=1.0)
    >>> evaluation = replace(training, mode="evaluation")
    >>> training.gain(8), evaluation.gain(8)
    (Gain(RandomizedLeakyReLU(lower=0.0, upper=1.0), 8), Gain(LeakyReLU(negative_slope=0.5), 8))
    >>> [round(s.statement(8, 8).order, 3) for s in (training, evaluation)]
    [2.0, 2.756]
    """

    order: float = 2.0
    lower: float = 1 / 8
    upper: float = 1 / 3
    preserve: str = "rms"
    preserved_in: str = "training"
    mode: str = "training"

    def __post_init__(self) -> None:
        """Check the parameters."""
        set_fields(
            self,
            order=_validation.as_float("order", self.order),
            lower=_validation.as_float("lower", self.lower),
            upper=_validation.as_float("upper", self.upper),
            preserve=_validation.choice("preserve", self.preserve, QUANTITIES),
            preserved_in=_validation.choice("preserved_in", self.preserved_in, MODES),
            mode=_validation.choice("mode", self.mode, MODES),
        )
        self.activation_in("training")

    @property
    def name(self) -> str:
        """The name under which `get` knows the scheme."""
        return "randomized_slope"

    def activation_in(self, mode: str) -> Activation:
        """Return the activation that a unit has in a mode, ``"training"`` or ``"evaluation"``."""
        if _validation.choice("mode", mode, MODES) == "training":
            return RandomizedLeakyReLU(self.lower, self.upper)
        return LeakyReLU(0.5 * (self.lower + self.upper))

    def scale(self, fan_in: Any, fan_out: Any) -> Result:
        """Return the scale that preserves the moment in the mode `preserved_in`."""
        activation = self.activation_in(self.preserved_in)
        return init_scale(activation, fan_in, fan_out, self.order, preserve=self.preserve)

    def _scale_at(self, site: Site) -> float:
        return float(self.scale(site.fan_in, site.width))

    def _model(self) -> Model:
        order = self.order if self.mode == self.preserved_in else None
        quantity: Quantity = "rms" if self.preserve == "rms" else "norm"
        return Model(self.activation_in(self.mode), quantity, order=order)
