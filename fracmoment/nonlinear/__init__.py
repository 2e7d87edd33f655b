"""Layers of activations that are not positively homogeneous: tanh, GELU, SELU and the others."""

from fracmoment.nonlinear.activations import (
    CELU,
    ELU,
    GELU,
    SELU,
    SELU_ALPHA,
    SELU_LAMBDA,
    Erf,
    LeCunTanh,
    Mish,
    NonlinearActivation,
    Sigmoid,
    SiLU,
    Sin,
    Softplus,
    Tanh,
)
from fracmoment.nonlinear.gain import NonlinearGain, init_scale
from fracmoment.nonlinear.mean_field import FixedPoint, NonlinearMeanField, mean_field_gain
from fracmoment.nonlinear.table import GainRow, gain_table

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "SELU",
    "SELU_ALPHA",
    "SELU_LAMBDA",
    "Erf",
    "FixedPoint",
    "GainRow",
    "LeCunTanh",
    "Mish",
    "NonlinearActivation",
    "NonlinearGain",
    "NonlinearMeanField",
    "SiLU",
    "Sigmoid",
    "Sin",
    "Softplus",
    "Tanh",
    "gain_table",
    "init_scale",
    "mean_field_gain",
]
