"""Signals of networks with biases, at finite width: exact moments and laws, and mean field."""

from fracmoment.signals.gram import GramMoments, NormMoments, gram_moments, norm_moments
from fracmoment.signals.isometry import (
    JacobianMoments,
    SymmetricEntries,
    fuss_catalan,
    jacobian_moments,
)
from fracmoment.signals.kernels import PairKernels, pair_kernels
from fracmoment.signals.law import NormLaw, Signals
from fracmoment.signals.mean_field import MeanField, mean_field_gram
from fracmoment.signals.outputs import OutputLaw
from fracmoment.signals.pairs import CosineMoments, cosine_moments
from fracmoment.signals.stationary import StationarySignals

__all__ = [
    "CosineMoments",
    "GramMoments",
    "JacobianMoments",
    "MeanField",
    "NormLaw",
    "NormMoments",
    "OutputLaw",
    "PairKernels",
    "Signals",
    "StationarySignals",
    "SymmetricEntries",
    "cosine_moments",
    "fuss_catalan",
    "gram_moments",
    "jacobian_moments",
    "mean_field_gram",
    "norm_moments",
    "pair_kernels",
]
