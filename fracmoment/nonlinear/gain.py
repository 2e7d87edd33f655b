"""The gain of one layer of nonlinear units: the law of the norm of its output, given the input's.

With i.i.d. normal weights of standard deviation sigma a layer of d units maps x to x' with
``|x'| = R_q = |phi(sqrt(q) g)|``, where ``q = sigma^2 |x|^2`` is the variance of its
pre-activations and g a standard normal vector of d entries.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import optimize

from fracmoment import _validation
from fracmoment._results import plain
from fracmoment.gains import Gain
from fracmoment.nonlinear.activations import NonlinearActivation, as_nonlinear
from fracmoment.nonlinear.transform import LEAST_POWER, Gaps, PowerSums, UnitLaw

if TYPE_CHECKING:
    from collections.abc import Callable

    from fracmoment._typing import FloatArray, Result

__all__ = ["NonlinearGain", "init_scale"]

# Orders beyond would need power series longer than doubles can hold.
_MOST_ORDER = 200.0
# Variances outside leave the range of doubles when squared.
_SMALLEST, _LARGEST = 1e-200, 1e200
# How many normal variates `NonlinearGain.rvs` holds at a time.
_CHUNK = 1 << 20
# The search for a scale ends at this variance; its steps, in the logarithm.
_WIDEST_SEARCH, _SEARCH_STEP = 1e12, math.log(4.0)


class NonlinearGain:
    """Law of ``R_q = |phi(sqrt(q) g)|``, the norm of a layer's output given its input.

    Parameters
    ----------
    activation : NonlinearActivation or str
        `Tanh`, `GELU` and the others, or a name: ``"tanh"``, ``"sigmoid"``, ``"selu"``,
        ``"gelu"``, ``"gelu_tanh"``, ``"silu"``, ``"elu"``, ``"celu"``, ``"softplus"``, ``"mish"``,
        ``"erf"``, ``"sin"``, ``"lecun_tanh"``.
    width : int
        Number of units d of the layer.
    variance : float, str, Fraction or mpmath.mpf
        Variance ``q = sigma^2 |x|^2`` of the pre-activations, 1e-200 to 1e200. Text and fractions
        are exact in the certified route.

    Notes
    -----
    Unlike the gain of a homogeneous layer this one depends on the size of the input, through q, and
    has no atom at 0. The time does not depend on the width. Relative errors are below 4e-15 for
    orders up to 9 and 3e-14 up to 64 (measured; see docs/algorithms/nonlinear.md);
    `fracmoment.certified.nonlinear` encloses moments to any number of digits.

    Examples
    --------
    >>> layer = NonlinearGain("tanh", 64, 1.0)
    >>> layer.moment([1.0, 2.0]).round(6)
    array([ 5.017231, 25.234847])
    >>> round(layer.scale(2.0) * 8, 9)  # the mean field gain
    1.59253742
    """

    __slots__ = ("_activation", "_gaps", "_outer", "_sums", "_unit", "_variance", "_width")

    def __init__(self, activation: NonlinearActivation | str, width: Any, variance: Any) -> None:
        self._activation = as_nonlinear(activation)
        self._width = _validation.integer("width", width, 1, _validation.MAX_WIDTH)
        self._variance = check_variance(variance)
        outer, inner, base = self._activation.scaling
        self._outer = outer
        self._unit = UnitLaw(base, inner * inner * float(self._variance))
        self._gaps: dict[int, Gaps] = {}
        self._sums: dict[int, PowerSums] = {}

    @property
    def activation(self) -> NonlinearActivation:
        """The activation."""
        return self._activation

    @property
    def width(self) -> int:
        """The number of units."""
        return self._width

    @property
    def variance(self) -> Any:
        """The variance q of the pre-activations: a float, or a Fraction."""
        return self._variance

    @property
    def order_edge(self) -> float:
        """The open lower end of the orders that have a finite moment.

        Examples
        --------
        >>> NonlinearGain("tanh", 8, 1.0).order_edge, NonlinearGain("gelu", 8, 2.0).order_edge
        (-8.0, -4.0)
        """
        return self._activation.order_edge(float(self._variance)) * self._width

    def _key(self) -> tuple[Any, ...]:
        return (self._activation, self._width, self._variance)

    def __eq__(self, other: object) -> bool:
        """Return whether ``other`` is the same law written with the same parameters."""
        return self._key() == other._key() if isinstance(other, NonlinearGain) else NotImplemented

    def __hash__(self) -> int:
        """Return a hash."""
        return hash(self._key())

    def __repr__(self) -> str:
        """Return an expression that evaluates to this gain."""
        return f"NonlinearGain({self._activation!r}, {self._width!r}, {self._variance!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what pickle and copy rebuild the gain from."""
        return (NonlinearGain, self._key())

    # ------------------------------------------------------------ moments

    def moment(self, order: Any) -> Result:
        """Return the moment ``E R_q^order``.

        Parameters
        ----------
        order : float or array_like
            Real orders above `order_edge`, of absolute value up to 200.

        Returns
        -------
        float or ndarray
            Of the shape of the order; the relative error is about ``4e-15 max(1, |order|/9)``,
            measured up to order 64.

        Raises
        ------
        ValueError
            For an order outside the domain.
        ConvergenceError
            For orders next to the edge, where the Laplace transform decays too slowly: narrow
            layers of units that vanish to the left, with a large variance.

        Examples
        --------
        >>> bool(abs(NonlinearGain("sin", 10, 2.0).moment(2.0) - 5 * (1 - math.exp(-4))) < 1e-13)
        True
        """
        s = np.asarray(_validation.floats("order", order))
        _validation.order_domain(s, self.order_edge, allow_zero=True)
        _validation.require("order", s, np.abs(s) <= _MOST_ORDER, f"in [-{_MOST_ORDER:g}, 200]")
        p = 0.5 * s.ravel()
        result = self._mean_square() ** p * self._relative(p)
        return plain(result.reshape(s.shape))

    def _mean_square(self) -> float:
        """Return ``mu = E R_q^2``."""
        return self._outer**2 * self._width * self._unit.mean

    def _relative(self, p: FloatArray) -> FloatArray:
        """Return ``E (X/mu)^p``."""
        result = np.empty_like(p)
        low = p < LEAST_POWER
        result[low] = 1.0 + p[low] * self._slopes(p[low])
        powers = np.ceil(p[~low]) + 1.0
        above = np.empty_like(powers)
        for power in np.unique(powers):
            rule = self._sums.get(int(power))
            if rule is None:
                rule = self._sums[int(power)] = PowerSums(self._unit, self._width, int(power))
            chosen = powers == power
            above[chosen] = rule.moments(p[~low][chosen])
        result[~low] = above
        return result

    def _slopes(self, p: FloatArray) -> FloatArray:
        """Return ``(E (X/mu)^p - 1)/p`` for ``p < 3/4``, the mean of log(X/mu) for p = 0."""
        result = np.empty_like(p)
        levels = np.ceil(np.log2(np.maximum(-p, 2.0)))
        for level in np.unique(levels):
            chosen = levels == level
            result[chosen] = self._rule(int(level)).relative(p[chosen], 0.5 * self.order_edge)
        return result

    def _rule(self, level: int) -> Gaps:
        """Return the rule for orders p down to ``-2^level``."""
        rule = self._gaps.get(level)
        if rule is None:
            rule = self._gaps[level] = Gaps(self._unit, self._width, -(2.0**level))
        return rule

    def mean(self) -> float:
        """Return ``E R_q``.

        Examples
        --------
        >>> round(NonlinearGain("erf", 1, 0.5).mean(), 6)
        0.5
        """
        return float(self.moment(1.0))

    def var(self) -> float:
        """Return ``Var R_q``, without cancellation for wide layers.

        Examples
        --------
        >>> round(NonlinearGain("tanh", 10**6, 1.0).var(), 9)
        0.061834353
        """
        gap = -0.5 * float(self._slopes(np.array([0.5]))[0])
        return self._mean_square() * gap * (2.0 - gap)

    def std(self) -> float:
        """Return the standard deviation of ``R_q``."""
        return math.sqrt(self.var())

    def log_mean(self) -> float:
        """Return ``E log R_q``.

        Examples
        --------
        >>> round(NonlinearGain("sigmoid", 4, 1e-12).log_mean(), 9)
        0.0
        """
        gap = float(self._slopes(np.zeros(1))[0])
        return 0.5 * (math.log(self._mean_square()) + gap)

    def log_var(self) -> float:
        """Return ``Var log R_q``.

        Examples
        --------
        >>> linear = Gain("linear", 4).log_var()
        >>> round(NonlinearGain("tanh", 4, 1e-12).log_var() / linear, 6)
        1.0
        """
        gap = float(self._slopes(np.zeros(1))[0])
        return 0.25 * (self._rule(1).log_square() - gap * gap)

    def scale(self, order: Any) -> Result:
        """Return the scale of the next layer's weights that preserves a moment of q.

        With weights of standard deviation sigma the variance of the next layer's pre-activations
        is ``q' = sigma^2 R_q^2``, and ``sigma = sqrt(q) (E R_q^s)^(-1/s)`` makes ``E q'^(s/2)`` the
        old ``q^(s/2)``.
        At order 2 and variance 1 this is the mean field gain divided by the root of the width.

        Parameters
        ----------
        order : float or array_like
            Orders as for `moment`; order 0 preserves ``E log q'``.

        Returns
        -------
        float or ndarray

        Examples
        --------
        >>> (NonlinearGain("selu", 100, 1.0).scale([0.0, 1.0, 2.0]) * 10).round(6)
        array([1.003754, 1.001873, 1.      ])
        """
        s = np.asarray(_validation.floats("order", order))
        _validation.order_domain(s, self.order_edge, allow_zero=True)
        _validation.require("order", s, np.abs(s) <= _MOST_ORDER, f"in [-{_MOST_ORDER:g}, 200]")
        logs = self._log_means(s.ravel())
        return plain(math.sqrt(float(self._variance)) * np.exp(-logs).reshape(s.shape))

    def _log_means(self, s: FloatArray) -> FloatArray:
        """Return ``log (E R_q^s)^(1/s)``, at order 0 its limit."""
        p = 0.5 * s
        result = np.empty_like(p)
        zero = p == 0.0
        if zero.any():
            result[zero] = self._slopes(p[zero])
        low = (p < LEAST_POWER) & ~zero
        result[low] = np.log1p(p[low] * self._slopes(p[low])) / p[low]
        high = p >= LEAST_POWER
        result[high] = np.log(self._relative(p[high])) / p[high]
        return 0.5 * (math.log(self._mean_square()) + result)

    def rvs(self, size: Any = (), *, rng: Any = None) -> Result:
        """Return random variates of ``R_q``.

        Parameters
        ----------
        size : int or tuple of int, optional
            Shape of the result.
        rng : None, int or numpy.random.Generator, optional
            What `numpy.random.default_rng` takes.

        Returns
        -------
        float or ndarray

        Examples
        --------
        >>> NonlinearGain("gelu", 8, 1.0).rvs(3, rng=1).shape
        (3,)
        """
        shape = _validation.sample_shape(size)
        generator = _validation.generator(rng)
        result = np.empty(math.prod(shape))
        rows = max(1, _CHUNK // self._width)
        root = math.sqrt(float(self._variance))
        for start in range(0, result.size, rows):
            some = result[start : start + rows]
            some[:] = self._norms(generator, some.size, root)
        return plain(result.reshape(shape))

    def _norms(self, generator: np.random.Generator, count: int, root: float) -> FloatArray:
        """Return norms of outputs, a piece of the width at a time."""
        total = np.zeros(count)
        for start in range(0, self._width, _CHUNK):
            normals = generator.standard_normal((count, min(_CHUNK, self._width - start)))
            total += np.square(self._activation(root * normals)).sum(axis=1)
        norms: FloatArray = np.sqrt(total)
        return norms


def check_variance(value: Any) -> Any:
    """Return a variance exactly, checked."""
    if _validation.is_array_like(value):
        message = f"variance must be one number, got {value!r}"
        raise TypeError(message)
    exact = _validation.canonical("variance", value)
    good = _SMALLEST <= exact <= _LARGEST
    _validation.require("variance", exact, good, f"in [{_SMALLEST:g}, {_LARGEST:g}]")
    return exact


def init_scale(
    activation: NonlinearActivation | str,
    fan_in: int,
    fan_out: int,
    order: float,
    *,
    rms: float,
    preserve: str = "rms",
) -> float:
    """Return the standard deviation of a layer's weights that preserves a moment of its signal.

    Parameters
    ----------
    activation : NonlinearActivation or str
        As for `NonlinearGain`.
    fan_in, fan_out : int
        Widths of the layer's input and output.
    order : float
        Order s of the moment; 0 preserves the mean of the logarithm.
    rms : float
        Root mean square ``|x|/sqrt(fan_in)`` of the input's entries, > 0.
    preserve : {"rms", "norm"}, optional
        ``"rms"``: ``E (|x'|/sqrt(fan_out))^s = (|x|/sqrt(fan_in))^s``. ``"norm"``: ``E|x'|^s =
        |x|^s``.

    Returns
    -------
    float
        The smallest such sigma: the square root of the smallest root q of ``(E R_q^s)^(1/s) = r``,
        over ``|x|``. An error of the moment is multiplied by the root's condition, which is large
        where phi saturates.

    Raises
    ------
    ValueError
        If no scale does: bounded activations bound the norm, and sigmoid and softplus do not let it
        go to 0.

    Notes
    -----
    Unlike `fracmoment.init_scale` the result depends on the size of the input.

    Examples
    --------
    >>> sigma = init_scale("tanh", 100, 64, 1, rms=0.5)
    >>> layer = NonlinearGain("tanh", 64, sigma**2 * 100 * 0.25)
    >>> bool(abs(layer.moment(1.0) / 8 - 0.5) < 1e-13)
    True
    """
    phi = as_nonlinear(activation)
    n_in = _validation.integer("fan_in", fan_in, 1, _validation.MAX_WIDTH)
    n_out = _validation.integer("fan_out", fan_out, 1, _validation.MAX_WIDTH)
    s = _validation.as_float("order", order)
    size = _validation.as_float("rms", rms)
    _validation.require("rms", size, 1e-90 <= size <= 1e90, "in [1e-90, 1e90]")
    convention = _validation.choice("preserve", preserve, ("rms", "norm"))
    norm = size * math.sqrt(n_in)
    target = math.log(size * math.sqrt(n_out) if convention == "rms" else norm)
    _validation.order_domain(s, phi.order_edge(_SMALLEST) * n_out, allow_zero=True)

    def excess(log_q: float) -> float:
        layer = NonlinearGain(phi, n_out, math.exp(log_q))
        return float(layer._log_means(np.array([s]))[0]) - target

    ends = _bracket(excess, _lowest(phi, n_out, s, target), _highest(phi, n_out, s))
    if ends is None:
        reached = f"no scale of {phi} keeps the moment of order {s:g} of an input"
        message = f"rms must be a size that outputs of the layer reach, got {size!r}: {reached}"
        raise ValueError(message)
    root = optimize.brentq(excess, *ends, xtol=1e-15, rtol=1e-15)
    return math.exp(0.5 * root) / norm


def _bracket(
    function: Callable[[float], float], low: float, high: float
) -> tuple[float, float] | None:
    """Return the first interval from the left in which a function changes its sign."""
    left, sign = low, function(low) > 0.0
    while left < high:
        right = min(left + _SEARCH_STEP, high)
        if (function(right) > 0.0) is not sign:
            return left, right
        left = right
    return None


def _highest(phi: NonlinearActivation, width: int, order: float) -> float:
    """Return the logarithm of the variance at which the search ends: moments are finite before."""
    high = _WIDEST_SEARCH
    while order < 0.0 and not order > phi.order_edge(high) * width:
        high *= 0.95
    return math.log(high)


def _lowest(phi: NonlinearActivation, width: int, order: float, target: float) -> float:
    """Return the logarithm of a variance below all roots.

    Where ``phi(0) = 0``, ``|phi(x)| <= K |x|`` and the norm is at most that of a linear layer.
    """
    if phi.at_zero != 0.0:
        return math.log(1e-12)
    largest = max(1.0, *(abs(slope) for slope in phi.slopes))
    return 2.0 * (target + math.log(Gain("linear", width).scale(order) / largest)) - 1e-9
