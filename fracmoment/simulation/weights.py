"""Laws of the entries of explicit weight matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fracmoment import _validation

__all__ = ["StableWeights", "StudentWeights", "Weights"]

_NAMES = ("gaussian", "uniform", "truncated", "rademacher")
_STUDENT, _STABLE = 4, 5  # csrc: products/signal_kernels.hpp, after the four above
_TRUNCATED = _NAMES.index("truncated")


@dataclass(frozen=True)
class StudentWeights:
    """Weights of Student's t law: sigma times a t variate, heavy tails of index ``freedom``.

    The variate is not rescaled: its variance is freedom/(freedom - 2) for freedom > 2 and infinite
    below.

    Parameters
    ----------
    freedom : float
        Degrees of freedom, in [0.25, 1e9].

    Examples
    --------
    >>> StudentWeights(3)
    StudentWeights(freedom=3.0)
    """

    freedom: float

    def __post_init__(self) -> None:
        """Check the degrees of freedom."""
        value = _validation.as_float("freedom", self.freedom)
        _validation.require("freedom", value, 0.25 <= value <= 1e9, "in [0.25, 1e9]")
        object.__setattr__(self, "freedom", value)


@dataclass(frozen=True)
class StableWeights:
    """Symmetric alpha-stable weights: characteristic function exp(-|sigma t|^alpha).

    ``alpha = 2`` is the normal law of variance 2 sigma^2, ``alpha = 1`` Cauchy's.

    Parameters
    ----------
    alpha : float
        Stability index, in [0.25, 2].

    Examples
    --------
    >>> StableWeights(1.5)
    StableWeights(alpha=1.5)
    """

    alpha: float

    def __post_init__(self) -> None:
        """Check the index."""
        value = _validation.as_float("alpha", self.alpha)
        _validation.require("alpha", value, 0.25 <= value <= 2.0, "in [0.25, 2]")
        object.__setattr__(self, "alpha", value)


@dataclass(frozen=True)
class Weights:
    """A law as the core takes it."""

    law: int = 0
    parameter: float = 0.0
    single: bool = False

    @classmethod
    def of(cls, weights: Any, dtype: Any = "float64") -> Weights:
        """Return the law that the arguments ``weights`` and ``dtype`` of the engines describe."""
        single = _dtype_name(dtype) == "float32"
        if isinstance(weights, (StudentWeights, StableWeights)):
            if single:
                message = f"dtype must be 'float64' for {weights!r}: its tails leave the floats"
                raise ValueError(message)
            if isinstance(weights, StudentWeights):
                return cls(_STUDENT, weights.freedom)
            return cls(_STABLE, weights.alpha)
        if not isinstance(weights, str):
            listed = ", ".join(repr(name) for name in _NAMES)
            message = f"weights must be {listed}, StudentWeights or StableWeights, got {weights!r}"
            raise TypeError(message)
        return cls(_NAMES.index(_validation.choice("weights", weights, _NAMES)), 0.0, single)

    @property
    def columns(self) -> int:
        """How many entries of a row one address holds."""
        return 4 if self.single else 2

    @property
    def most_addresses(self) -> int:
        """How many addresses the weights of one layer may have."""
        if self.law == _TRUNCATED:
            return 2**25
        return 2**29 if self.law in {_STUDENT, _STABLE} else 2**30


def _dtype_name(dtype: Any) -> str:
    try:
        name = np.dtype(dtype).name
    except TypeError:
        name = dtype
    return _validation.choice("dtype", name, ("float64", "float32"))
