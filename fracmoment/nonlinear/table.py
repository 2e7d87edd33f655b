"""torch's recommended gains beside the exact ones, with the difference explained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from fracmoment import _validation
from fracmoment.activations import Activation, LeakyReLU, Linear, ReLU
from fracmoment.gains import Gain
from fracmoment.nonlinear.activations import (
    CELU,
    ELU,
    GELU,
    SELU,
    Erf,
    Mish,
    NonlinearActivation,
    Sigmoid,
    SiLU,
    Sin,
    Softplus,
    Tanh,
)
from fracmoment.nonlinear.gain import NonlinearGain
from fracmoment.nonlinear.mean_field import FixedPoint, NonlinearMeanField, mean_field_gain

__all__ = ["GainRow", "gain_table"]


@dataclass(frozen=True)
class GainRow:
    """One activation's gains: ``gain = sigma sqrt(fan_in)``.

    Attributes
    ----------
    activation : Activation or NonlinearActivation
        The activation.
    torch : float or None
        What ``torch.nn.init.calculate_gain`` returns; None where it knows no gain.
    mean_field : float
        The gain that keeps the variance 1 of pre-activations, ``1/sqrt(E phi(z)^2)``.
    at_width : float
        The gain that keeps ``E q^(s/2)`` from q = 1, at the width and order s of the table.
    slope : float
        Derivative of the variance map at 1 under the exact gain: above 1 the variance 1 is not
        stable. 1 for homogeneous activations, whose every variance is kept.
    torch_point : FixedPoint or None
        Where variances converge under torch's gain; None without one, and for homogeneous
        activations.
    reason : str
        Why the two gains agree or differ.
    """

    activation: Activation | NonlinearActivation
    torch: float | None
    mean_field: float
    at_width: float
    slope: float
    torch_point: FixedPoint | None
    reason: str


_SAME = "torch's gain is the exact one: for homogeneous units E phi(z)^2 decides at any variance."
_NONE = "torch knows no gain."
_UNSTABLE = (
    "torch knows no gain. The exact one keeps the variance 1, but not stably: phi is closer to "
    "linear for larger inputs, so larger variances grow and smaller ones die out."
)
_TANH = (
    "torch gives no derivation of 5/3. It is 5 % above the exact gain, so variances settle above "
    "1, at 1.178; outputs then have the root mean square 0.651 that users report."
)
_SIGMOID = (
    "torch's 1 keeps no signal in particular: pre-activations shrink to the variance 0.265, most "
    "of it the mean 1/2 of the outputs. The exact gain keeps E q, the mean included."
)
_SELU = (
    "3/4 was found empirically, as a gain that keeps gradients over 100 layers: it puts the "
    "network next to the edge of chaos, chi = 1.0037, at a variance of 0.023 where SELU does not "
    "normalize. SELU's constants are made for the gain 1, where chi is 1.07."
)
_ROWS: tuple[tuple[Activation | NonlinearActivation, float | None, str], ...] = (
    (Linear(), 1.0, _SAME),
    (ReLU(), math.sqrt(2.0), _SAME),
    (LeakyReLU(0.01), math.sqrt(2.0 / (1.0 + 0.01**2)), _SAME),
    (Tanh(), 5.0 / 3.0, _TANH),
    (Sigmoid(), 1.0, _SIGMOID),
    (SELU(), 0.75, _SELU),
    (ELU(), None, _NONE),
    (CELU(), None, _NONE),
    (GELU(), None, _UNSTABLE),
    (GELU("tanh"), None, _UNSTABLE),
    (SiLU(), None, _UNSTABLE),
    (Mish(), None, _UNSTABLE),
    (Softplus(), None, _NONE),
    (Erf(), None, _NONE),
    (Sin(), None, _NONE),
)


def gain_table(*, width: int = 64, order: float = 1.0) -> list[GainRow]:
    """Return torch's gains beside the exact ones.

    Parameters
    ----------
    width : int, optional
        Width d of the layers for the gains at finite width.
    order : float, optional
        Order s of the moment that those keep, above 0.

    Returns
    -------
    list of GainRow
        One row an activation: those that torch has a gain for, then others.

    Notes
    -----
    Torch's values are those of ``torch.nn.init.calculate_gain`` in torch 2.14. At order 2 the gain
    at finite width is the mean field one, at any width.

    Examples
    --------
    >>> for row in gain_table()[3:6]:
    ...     print(row.activation, round(row.torch, 4), round(row.mean_field, 4))
    Tanh() 1.6667 1.5925
    Sigmoid() 1.0 1.8462
    SELU() 0.75 1.0
    """
    d = _validation.integer("width", width, 1, _validation.MAX_WIDTH)
    s = _validation.as_float("order", order)
    _validation.require("order", s, 0.0 < s <= 200.0, "in (0, 200]")
    return [_row(phi, torch, reason, d, s) for phi, torch, reason in _ROWS]


def _row(phi: Any, torch: float | None, reason: str, width: int, order: float) -> GainRow:
    root = math.sqrt(width)
    if isinstance(phi, Activation):
        layer = Gain(phi, width)
        exact, finite = (root * float(layer.scale(s)) for s in (2.0, order))
        return GainRow(phi, torch, exact, finite, 1.0, None, reason)
    exact = float(mean_field_gain(phi))
    finite = root * float(NonlinearGain(phi, width, 1.0).scale(order))
    slope = float(NonlinearMeanField(phi, exact).slope(1.0))
    point = None
    if torch is not None:
        point = next(p for p in NonlinearMeanField(phi, torch).fixed_points() if p.stable)
    return GainRow(phi, torch, exact, finite, slope, point, reason)
