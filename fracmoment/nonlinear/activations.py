"""Activations that are not positively homogeneous, as frameworks name them.

For these ``|phi(c z)|`` is not ``c |phi(z)|``: a layer's gain depends on the size of its input.
What the laws need of an activation beside its values are logarithms that do not underflow,
differences that do not cancel, and what it does near 0 and far to the left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy import special

from fracmoment import _validation, activations
from fracmoment._results import plain

if TYPE_CHECKING:
    from fracmoment._typing import FloatArray, Real, Result

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "SELU",
    "SELU_ALPHA",
    "SELU_LAMBDA",
    "Erf",
    "LeCunTanh",
    "Mish",
    "NonlinearActivation",
    "SiLU",
    "Sigmoid",
    "Sin",
    "Softplus",
    "Tanh",
    "as_nonlinear",
]

# The doubles nearest to the constants that `fracmoment.certified.nonlinear.selu_constants` proves.
SELU_LAMBDA = 1.0507009873554805
SELU_ALPHA = 1.6732632423543772

# The constants of GELU's tanh form.
_GELU_SLOPE = math.sqrt(2.0 / math.pi)
_GELU_CUBIC = 0.044715
# Beyond it the logistic function of the tanh form is 0 or 1, and powers would overflow.
_GELU_FAR = 100.0


@dataclass(frozen=True)
class NonlinearActivation:
    """Base class of the activations that are not homogeneous; use one of its subclasses.

    An activation is called on numbers or arrays.

    Attributes
    ----------
    at_zero : float
        ``phi(0)``.
    odd : bool
        Whether ``phi(-x) = -phi(x)``.
    vanishes : bool
        Whether ``phi`` tends to 0 to the left.
    """

    at_zero: ClassVar[float] = 0.0
    odd: ClassVar[bool] = False
    vanishes: ClassVar[bool] = False

    def __call__(self, x: Any) -> Result:
        """Return ``phi(x)``.

        Parameters
        ----------
        x : array_like of float

        Returns
        -------
        float or ndarray
            Of the shape of ``x``; error a few ulp.
        """
        return plain(self._value(_points(x)))

    def derivative(self, x: Any) -> Result:
        """Return ``phi'(x)``; parameters and result as for the activation itself.

        At 0, where the derivative of ELU and SELU jumps, it is the one to the left.
        """
        return plain(self._derivative(_points(x)))

    @property
    def scaling(self) -> tuple[float, float, NonlinearActivation]:
        """``(outer, inner, base)`` with ``phi(x) = outer base(inner x)``.

        Laws are computed for the base, which is the activation itself unless it says otherwise.
        """
        return (1.0, 1.0, self)

    @property
    def slopes(self) -> tuple[float, float]:
        """The derivative to the left and to the right of 0."""
        outer, inner, base = self.scaling
        left, right = base._slopes()
        return (outer * inner * left, outer * inner * right)

    def _slopes(self) -> tuple[float, float]:
        """Return the slopes of a base."""
        slope = float(self._derivative(np.zeros(())))
        return (slope, slope)

    def order_edge(self, _variance: float, /) -> float:
        """Return the open lower end of the orders s with a finite ``E|phi(x)|^s``.

        x has mean 0 and the variance given. The end is at most 0; of a layer of d
        units d times that. A simple zero of phi gives -1. Where phi vanishes to the left like
        ``exp(x)`` no order is lost by that.

        Examples
        --------
        >>> Sigmoid().order_edge(1.0), SiLU().order_edge(9.0), GELU().order_edge(4.0)
        (-inf, -1.0, -0.25)
        """
        return -1.0 if self.at_zero == 0.0 else -math.inf

    def _value(self, x: FloatArray, /) -> FloatArray:
        outer, inner, base = self._scaled()
        return outer * base._value(inner * x)

    def _derivative(self, x: FloatArray, /) -> FloatArray:
        outer, inner, base = self._scaled()
        return outer * inner * base._derivative(inner * x)

    def _scaled(self) -> tuple[float, float, NonlinearActivation]:
        """Return `scaling` to another activation, which bases do not need."""
        if self.scaling[2] is self:
            message = f"{type(self).__name__} is only a base class: use Tanh, GELU or another"
            raise TypeError(message)
        return self.scaling

    # ------------------------------------------------------------ for the laws

    def log_size(self, x: FloatArray) -> FloatArray:
        """Return ``log|phi(x)|`` for x other than 0, accurate where phi underflows."""
        result: FloatArray = np.log(np.abs(self._value(x)))
        return result

    def from_zero(self, x: FloatArray) -> FloatArray:
        """Return ``phi(x) - phi(0)`` without cancellation."""
        return self._value(x)

    def left_reach(self, need: float, /) -> float:
        """Return an r with ``log|phi(-x)| <= -need`` for x >= r, where phi vanishes to the left.

        Here for what vanishes like ``exp(x)``, times x where ``phi(0) = 0``.
        """
        return need + (math.log(need + 2.0) + 2.0 if self.at_zero == 0.0 else 0.0)

    def left_rate(self, _r: float, /) -> float:
        """Return about how fast ``-log|phi(-r)|`` grows at an r > 1, where phi vanishes."""
        return 1.0


def _points(x: Any) -> FloatArray:
    """Return arguments as a float64 array; infinities are limits, NaN stays."""
    try:
        return np.asarray(x, dtype=np.float64)
    except (TypeError, ValueError):
        message = f"x must be a number or an array of numbers, got {x!r}"
        raise TypeError(message) from None


@dataclass(frozen=True)
class Tanh(NonlinearActivation):
    """The hyperbolic tangent.

    Examples
    --------
    >>> Tanh()(0.0), Tanh().derivative(0.0)
    (0.0, 1.0)
    """

    odd: ClassVar[bool] = True

    def _value(self, x: FloatArray) -> FloatArray:
        return np.tanh(x)

    def _derivative(self, x: FloatArray) -> FloatArray:
        decay = np.exp(-2.0 * np.abs(x))
        return 4.0 * decay / (1.0 + decay) ** 2


@dataclass(frozen=True)
class LeCunTanh(NonlinearActivation):
    """LeCun's ``1.7159 tanh(2x/3)``, which maps about 1 to 1 and -1 to -1.

    Examples
    --------
    >>> round(LeCunTanh()(1.0), 4)
    1.0
    """

    odd: ClassVar[bool] = True

    @property
    def scaling(self) -> tuple[float, float, NonlinearActivation]:
        """``1.7159 tanh(2x/3)``."""
        return (1.7159, 2.0 / 3.0, Tanh())


@dataclass(frozen=True)
class Erf(NonlinearActivation):
    """The error function ``2/sqrt(pi) int_0^x exp(-t^2) dt``.

    Examples
    --------
    >>> round(Erf()(1.0), 12)
    0.84270079295
    """

    odd: ClassVar[bool] = True

    def _value(self, x: FloatArray) -> FloatArray:
        result: FloatArray = special.erf(x)
        return result

    def _derivative(self, x: FloatArray) -> FloatArray:
        return 2.0 / math.sqrt(math.pi) * np.exp(-x * x)


@dataclass(frozen=True)
class Sin(NonlinearActivation):
    """The sine.

    Examples
    --------
    >>> Sin()([0.0, 0.5]).round(6)
    array([0.      , 0.479426])
    """

    odd: ClassVar[bool] = True

    def _value(self, x: FloatArray) -> FloatArray:
        return np.sin(x)

    def _derivative(self, x: FloatArray) -> FloatArray:
        return np.cos(x)


@dataclass(frozen=True)
class Sigmoid(NonlinearActivation):
    """The logistic function ``1/(1 + exp(-x))``.

    Examples
    --------
    >>> Sigmoid()(0.0), Sigmoid().derivative(0.0)
    (0.5, 0.25)
    """

    at_zero: ClassVar[float] = 0.5
    vanishes: ClassVar[bool] = True

    def _value(self, x: FloatArray) -> FloatArray:
        result: FloatArray = special.expit(x)
        return result

    def _derivative(self, x: FloatArray) -> FloatArray:
        return self._value(x) * self._value(-x)

    def log_size(self, x: FloatArray) -> FloatArray:
        """Return the logarithm of the value."""
        result: FloatArray = special.log_expit(x)
        return result

    def from_zero(self, x: FloatArray) -> FloatArray:
        """Return the value less 1/2."""
        return 0.5 * np.tanh(0.5 * x)


@dataclass(frozen=True)
class Softplus(NonlinearActivation):
    """Softplus ``log(1 + exp(beta x))/beta``, a smooth ReLU.

    Parameters
    ----------
    beta : float, str, Fraction or mpmath.mpf
        Sharpness, 1e-50 to 1e50; ReLU is the limit of large ``beta``. Text and fractions are exact
        in the certified route.

    Examples
    --------
    >>> round(Softplus()(0.0), 6) == round(math.log(2), 6)
    True
    >>> Softplus(beta="1/2")
    Softplus(beta=0.5)
    """

    beta: Real = 1.0

    at_zero: ClassVar[float] = math.log(2.0)
    vanishes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Keep the parameter in its exact form."""
        object.__setattr__(self, "beta", _parameter("beta", self.beta))

    @property
    def scaling(self) -> tuple[float, float, NonlinearActivation]:
        """``Softplus(1)(beta x)/beta``."""
        beta = _validation.as_float("beta", self.beta)
        return (1.0, 1.0, self) if beta == 1.0 else (1.0 / beta, beta, Softplus())

    def _value(self, x: FloatArray) -> FloatArray:
        outer, inner, _ = self.scaling
        return outer * np.logaddexp(0.0, inner * x)

    def _derivative(self, x: FloatArray) -> FloatArray:
        result: FloatArray = special.expit(self.scaling[1] * x)
        return result

    def log_size(self, x: FloatArray) -> FloatArray:
        """Return the logarithm of the value, for ``beta = 1``."""
        with np.errstate(divide="ignore"):  # where the value underflows, to be replaced
            near = np.log(np.logaddexp(0.0, x))
        return np.where(x < -37.0, x, near)

    def from_zero(self, x: FloatArray) -> FloatArray:
        """Return the value less log 2, for ``beta = 1``."""
        return np.maximum(x, 0.0) + np.log1p(0.5 * np.expm1(-np.abs(x)))


@dataclass(frozen=True)
class ELU(NonlinearActivation):
    """ELU: ``x`` for ``x > 0`` and ``alpha (exp(x) - 1)`` for ``x < 0``.

    Parameters
    ----------
    alpha : float, str, Fraction or mpmath.mpf
        Minus the limit to the left, 1e-50 to 1e50; ReLU is the limit of small ``alpha``.

    Examples
    --------
    >>> ELU()([-1.0, 2.0]).round(6)
    array([-0.632121,  2.      ])
    """

    alpha: Real = 1.0

    def __post_init__(self) -> None:
        """Keep the parameter in its exact form."""
        object.__setattr__(self, "alpha", _parameter("alpha", self.alpha))

    def _slopes(self) -> tuple[float, float]:
        return (self._alpha, 1.0)

    @property
    def _alpha(self) -> float:
        return _validation.as_float("alpha", self.alpha)

    def _value(self, x: FloatArray) -> FloatArray:
        return np.where(x > 0.0, x, self._alpha * np.expm1(np.minimum(x, 0.0)))

    def _derivative(self, x: FloatArray) -> FloatArray:
        return np.where(x > 0.0, 1.0, self._alpha * np.exp(np.minimum(x, 0.0)))


@dataclass(frozen=True)
class CELU(NonlinearActivation):
    """CELU: ``x`` for ``x > 0`` and ``alpha (exp(x/alpha) - 1)`` for ``x < 0``.

    Parameters
    ----------
    alpha : float, str, Fraction or mpmath.mpf
        Minus the limit to the left, 1e-50 to 1e50; ReLU is the limit of small ``alpha``.

    Examples
    --------
    >>> CELU(2.0)(-1.0) == 2 * ELU()(-0.5)
    True
    """

    alpha: Real = 1.0

    def __post_init__(self) -> None:
        """Keep the parameter in its exact form."""
        object.__setattr__(self, "alpha", _parameter("alpha", self.alpha))

    @property
    def scaling(self) -> tuple[float, float, NonlinearActivation]:
        """``alpha ELU(1)(x/alpha)``."""
        alpha = _validation.as_float("alpha", self.alpha)
        return (alpha, 1.0 / alpha, ELU())


@dataclass(frozen=True)
class SELU(NonlinearActivation):
    """SELU: ``lambda ELU(alpha)``, with the constants that keep mean 0 and variance 1.

    ``E phi(z) = 0`` and ``E phi(z)^2 = 1`` for a standard normal z determine ``lambda`` =
    1.0507009873... and ``alpha`` = 1.6732632423..., which `SELU_LAMBDA` and `SELU_ALPHA` are to
    double precision and `fracmoment.certified.nonlinear.selu_constants` to any number of digits.

    Examples
    --------
    >>> SELU()(1.0) == SELU_LAMBDA
    True
    """

    @property
    def scaling(self) -> tuple[float, float, NonlinearActivation]:
        """``lambda ELU(alpha)``."""
        return (SELU_LAMBDA, 1.0, ELU(SELU_ALPHA))


@dataclass(frozen=True)
class SiLU(NonlinearActivation):
    """SiLU or swish, ``x/(1 + exp(-x))``.

    Examples
    --------
    >>> round(SiLU()(1.0), 6)
    0.731059
    """

    vanishes: ClassVar[bool] = True

    def _value(self, x: FloatArray) -> FloatArray:
        # At -inf the product is of 0 and infinity.
        return np.where(x == -np.inf, 0.0, np.maximum(x, -1e300) * special.expit(x))

    def _derivative(self, x: FloatArray) -> FloatArray:
        x = np.clip(x, -1e3, 1e3)
        result: FloatArray = special.expit(x) * (1.0 + x * special.expit(-x))
        return result

    def log_size(self, x: FloatArray) -> FloatArray:
        """Return the logarithm of the size."""
        result: FloatArray = np.log(np.abs(x)) + special.log_expit(x)
        return result


@dataclass(frozen=True)
class Mish(NonlinearActivation):
    """Mish, ``x tanh(log(1 + exp(x)))``.

    Examples
    --------
    >>> round(Mish()(1.0), 6)
    0.865098
    """

    vanishes: ClassVar[bool] = True

    def _value(self, x: FloatArray) -> FloatArray:
        return np.where(x == -np.inf, 0.0, np.maximum(x, -1e300) * self._factor(x))

    def _factor(self, x: FloatArray) -> FloatArray:
        """Return ``tanh(log(1 + e))`` for ``e = exp(x)``, ``((1+e)^2 - 1)/((1+e)^2 + 1)``."""
        e = np.exp(-np.abs(x))
        above = (1.0 + 2.0 * e) / (1.0 + 2.0 * e + 2.0 * e * e)
        below = e * (e + 2.0) / (e * (e + 2.0) + 2.0)
        return np.where(x > 0.0, above, below)

    def _slope(self, x: FloatArray) -> FloatArray:
        """Return the derivative of the factor, ``(1 - T^2) sigmoid(x)``."""
        e = np.exp(-np.abs(x))
        above = 4.0 * e * e * (1.0 + e) ** 2 / (1.0 + 2.0 * e + 2.0 * e * e) ** 2
        below = 4.0 * (1.0 + e) ** 2 / (e * (e + 2.0) + 2.0) ** 2
        result: FloatArray = np.where(x > 0.0, above, below) * special.expit(x)
        return result

    def _derivative(self, x: FloatArray) -> FloatArray:
        x = np.clip(x, -1e3, 1e3)
        return self._factor(x) + x * self._slope(x)

    def log_size(self, x: FloatArray) -> FloatArray:
        """Return the logarithm of the size."""
        e = np.exp(-np.abs(x))
        below = x + np.log((e + 2.0) / (e * (e + 2.0) + 2.0))
        return np.log(np.abs(x)) + np.where(x > 0.0, np.log(self._factor(np.abs(x))), below)


@dataclass(frozen=True)
class GELU(NonlinearActivation):
    """GELU, ``x Phi(x)`` with the normal distribution function Phi, or its tanh form.

    Parameters
    ----------
    approximate : {"none", "tanh"}
        ``"tanh"`` is ``x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))``. To the left of 0 the two
        forms differ: ``x Phi(x)`` falls like ``exp(-x^2/2)``, the tanh form like a cubic
        exponential.

    Examples
    --------
    >>> round(GELU()(1.0), 6), round(GELU("tanh")(1.0), 6)
    (0.841345, 0.841192)
    """

    approximate: str = "none"

    vanishes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check the name of the form."""
        _validation.choice("approximate", self.approximate, ("none", "tanh"))

    def order_edge(self, variance: float, /) -> float:
        """Return the open lower end of the orders.

        ``|x Phi(x)|`` falls like the normal density, ``E|phi|^s`` to the left is that of
        ``exp(-s x^2/2 - x^2/(2 variance))``: finite for ``s > -1/variance``. The tanh form falls
        like ``exp(-0.071 |x|^3)``, and no negative order has a finite moment.
        """
        return -min(1.0, 1.0 / variance) if self.exact else 0.0

    @property
    def exact(self) -> bool:
        """Whether this is the form with the normal distribution function."""
        return self.approximate == "none"

    def _value(self, x: FloatArray) -> FloatArray:
        factor = special.ndtr(x) if self.exact else special.expit(self._inner(x))
        return np.where(x == -np.inf, 0.0, np.maximum(x, -1e300) * factor)

    def _inner(self, x: FloatArray) -> FloatArray:
        """Return twice the argument of tanh."""
        with np.errstate(over="ignore"):
            return 2.0 * _GELU_SLOPE * (x + _GELU_CUBIC * x**3)

    def _derivative(self, x: FloatArray) -> FloatArray:
        x = np.clip(x, -_GELU_FAR, _GELU_FAR)
        result: FloatArray
        if self.exact:
            result = special.ndtr(x) + x * _normal_density(x)
        else:
            result = special.expit(self._inner(x)) + x * self._slope(x)
        return result

    def _slope(self, x: FloatArray) -> FloatArray:
        """Return the derivative of the logistic factor of the tanh form."""
        first = 2.0 * _GELU_SLOPE * (1.0 + 3.0 * _GELU_CUBIC * x * x)
        return Sigmoid()._derivative(self._inner(x)) * first

    def log_size(self, x: FloatArray) -> FloatArray:
        """Return the logarithm of the size."""
        factor = special.log_ndtr(x) if self.exact else special.log_expit(self._inner(x))
        result: FloatArray = np.log(np.abs(x)) + factor
        return result

    def left_reach(self, need: float, /) -> float:
        """Return where ``exp(-x^2/2)``, or the cubic exponential, is small enough."""
        if self.exact:
            return math.sqrt(2.0 * need)
        return 1.0 + float((need / (2.0 * _GELU_SLOPE * _GELU_CUBIC)) ** (1 / 3))

    def left_rate(self, r: float, /) -> float:
        """Return the derivative of the exponent."""
        return r if self.exact else 2.0 * _GELU_SLOPE * (1.0 + 3.0 * _GELU_CUBIC * r * r)


def _normal_density(x: FloatArray) -> FloatArray:
    result: FloatArray = np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)
    return result


def _parameter(name: str, value: Any) -> Any:
    """Return a positive parameter of moderate size, exactly: a float or a Fraction."""
    if _validation.is_array_like(value):
        message = f"{name} must be one number, got {value!r}"
        raise TypeError(message)
    exact = _validation.canonical(name, value)
    _validation.require(name, exact, 1e-50 <= exact <= 1e50, "in [1e-50, 1e50]")
    return exact


# The names accepted wherever such an activation is taken; they stand for the defaults.
_BY_NAME: dict[str, NonlinearActivation] = {
    "tanh": Tanh(),
    "lecun_tanh": LeCunTanh(),
    "sigmoid": Sigmoid(),
    "selu": SELU(),
    "gelu": GELU(),
    "gelu_tanh": GELU("tanh"),
    "silu": SiLU(),
    "swish": SiLU(),
    "elu": ELU(),
    "celu": CELU(),
    "softplus": Softplus(),
    "mish": Mish(),
    "erf": Erf(),
    "sin": Sin(),
}
_HOMOGENEOUS = ("linear", "relu", "leaky_relu", "rrelu")


def as_nonlinear(value: object, name: str = "activation") -> NonlinearActivation:
    """Return an activation from an instance or one of the known names.

    Examples
    --------
    >>> as_nonlinear("swish")
    SiLU()
    """
    if isinstance(value, NonlinearActivation) and type(value) is not NonlinearActivation:
        return value
    if isinstance(value, activations.Activation) or value in _HOMOGENEOUS:
        message = (
            f"{name} must not be homogeneous, got {value!r}: its gain does not depend on the "
            "input, use fracmoment.Gain and fracmoment.init_scale"
        )
        raise ValueError(message)
    if isinstance(value, str):
        known = _BY_NAME.get(value)
        return _BY_NAME[_validation.choice(name, value, _BY_NAME)] if known is None else known
    listed = ", ".join(repr(key) for key in _BY_NAME)
    message = f"{name} must be a nonlinear activation or one of {listed}, got {value!r}"
    if isinstance(value, type) and issubclass(value, NonlinearActivation):
        message += f"; did you mean {value.__name__}()?"
    raise TypeError(message)
