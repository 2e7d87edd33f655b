"""Activations: positively homogeneous functions, told apart by the slope of their negative side.

``phi(z) = z`` for ``z > 0`` and ``phi(z) = a z`` for ``z < 0``. The slope ``a`` is 1 for the linear
activation, 0 for ReLU, a fixed real number for leaky ReLU, and drawn uniformly from ``[lower,
upper]`` for every unit by the randomized leaky ReLU.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _validation

if TYPE_CHECKING:
    from fracmoment._typing import FloatArray, Real

__all__ = ["Activation", "LeakyReLU", "Linear", "RandomizedLeakyReLU", "ReLU"]


@dataclass(frozen=True, eq=False)
class Activation:
    """Base class of the activations; use one of its subclasses."""

    @property
    def slopes(self) -> tuple[float | FloatArray, float | FloatArray]:
        """Lower and upper end of the slope of the negative side, rounded to double."""
        raise TypeError("Activation is only a base class: use Linear, ReLU, LeakyReLU or another")

    @property
    def exact_slopes(self) -> tuple[Any, Any]:
        """The slopes as given: floats, Fractions, or arrays of them."""
        return self.slopes

    def __eq__(self, other: object) -> bool:
        """Return whether ``other`` is the same activation with the same exact slopes."""
        if not isinstance(other, Activation) or type(self) is not type(other):
            return NotImplemented
        return all(
            np.array_equal(a, b) for a, b in zip(self._values(), other._values(), strict=True)
        )

    def __hash__(self) -> int:
        """Return a hash; an activation whose slopes are arrays has none."""
        return hash((type(self).__name__, self._values()))

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, field.name) for field in fields(self))


@dataclass(frozen=True, eq=False)
class Linear(Activation):
    """The identity.

    Examples
    --------
    >>> Linear().slopes
    (1.0, 1.0)
    """

    @property
    def slopes(self) -> tuple[float, float]:
        """Lower and upper end of the slope of the negative side."""
        return (1.0, 1.0)


@dataclass(frozen=True, eq=False)
class ReLU(Activation):
    """The rectifier ``max(z, 0)``.

    Examples
    --------
    >>> ReLU()
    ReLU()
    >>> ReLU().slopes
    (0.0, 0.0)
    """

    @property
    def slopes(self) -> tuple[float, float]:
        """Lower and upper end of the slope of the negative side."""
        return (0.0, 0.0)


@dataclass(frozen=True, eq=False)
class LeakyReLU(Activation):
    """Leaky ReLU: ``z`` for positive and ``negative_slope * z`` for negative ``z``.

    Parameters
    ----------
    negative_slope : float, str, Fraction, mpmath.mpf or array_like
        Zero, or any real number of magnitude 1e-100 to 1e100. Text and fractions are kept exactly:
        ``LeakyReLU("0.01")`` is the
        slope 1/100 when digits are asked for, ``LeakyReLU(0.01)`` the double nearest to it.

    Examples
    --------
    >>> LeakyReLU(0.25) == LeakyReLU("1/4")
    True
    >>> LeakyReLU("0.01")
    LeakyReLU(negative_slope=Fraction(1, 100))
    >>> LeakyReLU("0.01").slopes
    (0.01, 0.01)
    """

    negative_slope: Real = 0.01

    def __post_init__(self) -> None:
        """Keep the slope in its exact form."""
        slope = _validation.slope("negative_slope", self.negative_slope)
        object.__setattr__(self, "negative_slope", slope)

    @property
    def slopes(self) -> tuple[float | FloatArray, float | FloatArray]:
        """Lower and upper end of the slope of the negative side, rounded to double."""
        slope = _validation.floats("negative_slope", self.negative_slope)
        return (slope, slope)

    @property
    def exact_slopes(self) -> tuple[Any, Any]:
        """The slope twice, as given."""
        return (self.negative_slope, self.negative_slope)


@dataclass(frozen=True, eq=False)
class RandomizedLeakyReLU(Activation):
    """Leaky ReLU whose slope is drawn for every unit, uniformly from ``[lower, upper]``.

    Parameters
    ----------
    lower, upper : float, str, Fraction, mpmath.mpf or array_like
        Ends of the interval, ``lower <= upper``; exact forms as for `LeakyReLU`.

    Examples
    --------
    >>> RandomizedLeakyReLU("1/8", "1/4").slopes
    (0.125, 0.25)
    """

    lower: Real = 1 / 8
    upper: Real = 1 / 3

    def __post_init__(self) -> None:
        """Keep the slopes in their exact form and check their order."""
        lower: Any = _validation.canonical("lower", self.lower)
        upper: Any = _validation.canonical("upper", self.upper)
        object.__setattr__(self, "lower", lower)
        object.__setattr__(self, "upper", upper)
        try:
            good = lower <= upper
        except ValueError:
            message = (
                f"lower and upper must broadcast together, got shapes {np.shape(lower)} and "
                f"{np.shape(upper)}"
            )
            raise ValueError(message) from None
        _validation.require("lower", np.broadcast_to(lower, np.shape(good)), good, "<= upper")

    @property
    def slopes(self) -> tuple[float | FloatArray, float | FloatArray]:
        """Lower and upper end of the slope of the negative side, rounded to double."""
        lower = _validation.floats("lower", self.lower)
        return (lower, _validation.floats("upper", self.upper))

    @property
    def exact_slopes(self) -> tuple[Any, Any]:
        """The ends of the interval, as given."""
        return (self.lower, self.upper)


# The names accepted wherever an activation is taken; they stand for the defaults.
_BY_NAME: dict[str, Activation] = {
    "linear": Linear(),
    "relu": ReLU(),
    "leaky_relu": LeakyReLU(),
    "rrelu": RandomizedLeakyReLU(),
}


_NAMES = {type(activation): name for name, activation in _BY_NAME.items()}


def name_of(activation: Activation) -> str:
    """Return the name of an activation, without its slopes.

    Examples
    --------
    >>> name_of(LeakyReLU(0.2))
    'leaky_relu'
    """
    return _NAMES[type(activation)]


def as_activation(value: object, name: str = "activation") -> Activation:
    """Return an activation from an instance or one of the known names."""
    if isinstance(value, Activation) and type(value) is not Activation:
        return value
    if isinstance(value, str):
        known = _BY_NAME.get(value)
        return _BY_NAME[_validation.choice(name, value, _BY_NAME)] if known is None else known
    listed = ", ".join(repr(key) for key in _BY_NAME)
    message = f"{name} must be an activation or one of {listed}, got {_validation.shown(value)}"
    if isinstance(value, type) and issubclass(value, Activation):
        message += f"; did you mean {value.__name__}()?"
    raise TypeError(message)
