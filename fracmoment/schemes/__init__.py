"""Initialization schemes: how they draw weights, and exactly what they preserve at finite width.

Every scheme is a small immutable object: `sample` draws weights, `scale` is the standard deviation
of an entry, `gain` the exact law of what a layer does to the norm, `statement` says what is
preserved, how exactly, and why.
"""

from fracmoment.schemes.base import Scheme, Statement
from fracmoment.schemes.biases import constant_bias, lstm_bias, prob_inactive
from fracmoment.schemes.data import LSUV, LSUVLayer, lsuv
from fracmoment.schemes.defaults import FrameworkDefault
from fracmoment.schemes.fans import Fans, fans
from fracmoment.schemes.fractional import Fractional, Lyapunov, RandomizedSlope
from fracmoment.schemes.nonhomogeneous import LeCunTanh, SelfNormalizing
from fracmoment.schemes.orthogonal import DeltaOrthogonal, Orthogonal, Unitary
from fracmoment.schemes.random_walk import RandomWalk
from fracmoment.schemes.registry import get, names
from fracmoment.schemes.residual import Fixup, TFixup
from fracmoment.schemes.selection import SelectedLyapunov
from fracmoment.schemes.structured import Constant, Identity, Sparse, Zero
from fracmoment.schemes.submatrix import GaussianSubmatrix, LooksLinear
from fracmoment.schemes.variance import Glorot, He, LeCun

__all__ = [
    "LSUV",
    "Constant",
    "DeltaOrthogonal",
    "Fans",
    "Fixup",
    "Fractional",
    "FrameworkDefault",
    "GaussianSubmatrix",
    "Glorot",
    "He",
    "Identity",
    "LSUVLayer",
    "LeCun",
    "LeCunTanh",
    "LooksLinear",
    "Lyapunov",
    "Orthogonal",
    "RandomWalk",
    "RandomizedSlope",
    "Scheme",
    "SelectedLyapunov",
    "SelfNormalizing",
    "Sparse",
    "Statement",
    "TFixup",
    "Unitary",
    "Zero",
    "constant_bias",
    "fans",
    "get",
    "lstm_bias",
    "lsuv",
    "names",
    "prob_inactive",
]
