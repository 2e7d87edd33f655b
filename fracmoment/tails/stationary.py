"""The power tail of stationary norms in networks with Gaussian biases: constant and next term.

``X = |x|^2`` of a network with biases follows ``X' = A (X + c)``, ``A = (sigma R)^2``,
``c = bias_sigma^2/sigma^2``. With alpha the tail index and ``kappa = alpha/2`` its stationary law
has [Gol91]

    ``P(|x| > t) ~ C t^-alpha``,
    ``C = c^kappa E[(Y + 1)^kappa - Y^kappa]/(kappa E[A^kappa log A])``,  ``Y = X/c``.

 docs/algorithms/tails.md derives how the two means are computed.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fracmoment import _validation
from fracmoment._core import ConvergenceError
from fracmoment.gains import Gain
from fracmoment.simulation.chains import law_of
from fracmoment.simulation.rare_events import log_density

if TYPE_CHECKING:
    from fracmoment._typing import FloatArray

__all__ = ["PowerTail", "next_tail_index", "power_tail"]

_DIGITS = 50
_STEP = Fraction(1, 10**15)  # of the difference quotient in 50 digits: error 1e-30
_ROUNDINGS = 64 * 2.0**-53  # how far from an even index a rounded sigma may be
_REACH = 40.0  # exp(-40) is below the roundoff
_MOST_NODES = 60_000
_CLOSED_ERROR = 1e-13
_HIGHEST = 64.0


class PowerTail(NamedTuple):
    """The tail P(|x| > t) ~ constant t^-tail_index of a stationary norm.

    Attributes
    ----------
    tail_index : float
        Tail index alpha.
    constant : float
        Goldie's constant C; inf or 0.0 where it leaves the range of doubles.
    relative_error : float
        Estimated relative error of the constant: the change when the resolution is doubled, or the
        difference from the value that the tail of the computed law itself shows, if larger. Where
        the constant is a closed form (alpha = 2, 4, 6, ...), 1e-13.
    next_index : float
        Exponent q of what follows: P(|x| > t) = constant t^-tail_index + O(t^-r) for every r < q.
        See `next_tail_index`.
    """

    tail_index: float
    constant: float
    relative_error: float
    next_index: float

    def sf(self, t: Any) -> Any:
        """Return the leading term of P(|x| > t), constant t^-tail_index."""
        values = _validation.positive("t", t)
        result = self.constant * np.power(values, -self.tail_index)
        return float(result) if np.ndim(result) == 0 else result


def power_tail(gain: Gain, sigma: Any, bias_sigma: Any) -> PowerTail:
    """Return index and constant of the power tail of the stationary norm.

    Parameters
    ----------
    gain : Gain
        Gain of every layer; scalar parameters, Gaussian weights.
    sigma : float
        Scale of the weights, > 0, with a positive tail index.
    bias_sigma : float
        Standard deviation of the biases, > 0.

    Returns
    -------
    PowerTail

    Raises
    ------
    ValueError, TypeError
        For arguments outside these ranges, or a tail index of 0 or above 64.
    ConvergenceError
        If the stationary law needs more than 60,000 nodes: widths above about 10^5, or tail indices
        so small that the law spreads over too many scales.

    Notes
    -----
    For alpha = 2, 4, 6, ... the constant is a closed form in the moments of A; at 2 (He's scale) it
    is ``c/E[A log A]``. Elsewhere the stationary law is found from its integral equation.

    Examples
    --------
    >>> import fracmoment as fm
    >>> gain = fm.Gain("relu", 16)
    >>> tail = power_tail(gain, gain.scale(2), 0.1)
    >>> round(tail.tail_index, 9), round(tail.constant, 6)
    (2.0, 0.527155)
    >>> tail = power_tail(gain, gain.scale(1.5), 0.1)
    >>> round(tail.constant, 6), tail.relative_error < 1e-9
    (0.630464, True)
    """
    scale, alpha = checked_network(gain, sigma)
    bias = _validation.as_float("bias_sigma", _validation.positive("bias_sigma", bias_sigma))
    even = 2 * round(alpha / 2)
    if even > 0 and abs(alpha - even) <= max(1e-12, _ROUNDINGS / gain.log_var()):
        alpha = float(even)
        beyond = _next_index(gain, scale, alpha)
        increment, error = _even_increment(gain, scale, even // 2), _CLOSED_ERROR
    else:
        beyond = _next_index(gain, scale, alpha)
        increment, error = _increment(gain, scale, alpha, (beyond - alpha) / 2)
    kappa = alpha / 2
    log_constant = (
        alpha * (math.log(bias) - math.log(scale))
        + math.log(increment)
        - math.log(kappa * _tilted_log_mean(gain, scale, alpha))
    )
    with np.errstate(over="ignore", under="ignore"):
        return PowerTail(alpha, float(np.exp(log_constant)), error, beyond)


def next_tail_index(gain: Gain, sigma: Any) -> float:
    """Return the exponent of the term after the leading one of the stationary tail.

    Parameters
    ----------
    gain : Gain
        Gain of every layer; scalar parameters, Gaussian weights.
    sigma : float
        Scale of the weights, > 0, of a tail index alpha in (0, 64].

    Returns
    -------
    float
        The least real part above alpha of a complex root s of ``E (sigma R)^s = 1``, or
        ``alpha + 2`` if there is none below: then the biases give the next term.

    Notes
    -----
    E|x|^s has its poles at those roots and at ``alpha + 2, ...``. A complex root makes the next
    term oscillate in log t. The roots are counted by the argument principle. Error below 1e-8.

    Examples
    --------
    >>> import fracmoment as fm
    >>> gain = fm.Gain("relu", 64)
    >>> round(next_tail_index(gain, gain.scale(2)), 9)
    4.0
    >>> gain = fm.Gain("relu", 1)  # half of the layers are dead, the others have a large scale
    >>> round(next_tail_index(gain, gain.scale(0.5)), 4)
    1.1573
    """
    return _next_index(gain, *checked_network(gain, sigma))


def checked_network(gain: Any, sigma: Any, highest: float = _HIGHEST) -> tuple[float, float]:
    """Return the scale of a network with biases and its tail index, > 0 and at most ``highest``."""
    if not isinstance(gain, Gain) or gain.shape:
        message = f"gain must be a Gain of scalar parameters, got {gain!r}"
        raise TypeError(message)
    _validation.choice("weights of gain", gain.weights, ("gaussian",))
    scale = _validation.as_float("sigma", _validation.positive("sigma", sigma))
    alpha = float(gain.tail_index(scale))
    allowed = f"of a tail index in (0, {highest:g}] (0: the drift is not negative)"
    _validation.require("sigma", scale, 0.0 < alpha <= highest, allowed)
    return scale, alpha


def _next_index(gain: Gain, sigma: float, alpha: float) -> float:
    """Return the least real part of a root beyond alpha, by bisection of the number of roots."""
    if _roots_below(gain, sigma, alpha + 2.0) == 0:
        return alpha + 2.0
    low, high = alpha, alpha + 2.0
    while high - low > 1e-9:
        middle = 0.5 * (low + high)
        if _roots_below(gain, sigma, middle) > 0:
            high = middle
        else:
            low = middle
    return high


def _roots_below(gain: Gain, sigma: float, order: float) -> int:
    """Return how many roots s of M(s) = E (sigma R)^s = 1 have alpha < Re s < order, Im s > 0.

    On Re s = alpha abs(M) < 1, so that M - 1 stays in the left half-plane; at the top M is small.
    What is left of the argument principle is the phase of M - 1 on Re s = order, which is pi at the
    top if there are no roots, and 2 pi more for each.
    """

    def ratios(imaginary: FloatArray) -> Any:  # M(order + i y)
        moments = gain.moment(order + 1j * imaginary)
        return np.exp((order + 1j * imaginary) * math.log(sigma)) * moments

    top = 2.0 / math.sqrt(gain.log_var())
    while np.abs(ratios(np.linspace(top, 1.25 * top, 6))).max() > 0.25:
        top *= 1.5
    # log(sigma R) is this large where it counts: the phase turns at most so fast
    variance = gain.log_var()
    rate = abs(math.log(sigma) + gain.log_mean()) + (2.0 + order) * variance
    rate += 4.0 * math.sqrt(variance)
    points = ratios(np.linspace(0.0, top, max(128, int(8.0 * top * rate) + 1))) - 1.0
    phase = float(np.unwrap(np.angle(points))[-1])
    return round((phase - math.pi) / (2.0 * math.pi))


def _tilted_log_mean(gain: Gain, sigma: float, alpha: float) -> float:
    """Return E[A^kappa log A] at E A^kappa = 1: twice d/ds log E (sigma R)^s at alpha."""
    import mpmath  # slow to import

    with mpmath.workdps(_DIGITS):
        low, high = (
            mpmath.log(gain.moment(Fraction(alpha) + sign * _STEP, digits=_DIGITS))
            for sign in (-1, 1)
        )
        slope = (high - low) * (_STEP.denominator / mpmath.mpf(2))
        return float(2 * (mpmath.log(mpmath.mpf(sigma)) + slope))


def _even_increment(gain: Gain, sigma: float, kappa: int) -> float:
    """Return E[(Y + 1)^kappa - Y^kappa] for an integer kappa, from E Y^j = m_j E (Y + 1)^j."""
    import mpmath  # slow to import

    with mpmath.workdps(_DIGITS):
        moments = [mpmath.mpf(1)]
        for j in range(1, kappa):
            m = mpmath.mpf(sigma) ** (2 * j) * gain.moment(2 * j, digits=_DIGITS)
            moments.append(m / (1 - m) * _binomial_sum(moments, j))
        return float(_binomial_sum(moments, kappa))


def _binomial_sum(moments: list[Any], n: int) -> Any:
    """Return the sum of C(n, i) E Y^i over i < n."""
    return sum(math.comb(n, i) * moments[i] for i in range(n))


# ---------------------------------------------------------------- the stationary law


def _increment(gain: Gain, sigma: float, alpha: float, rate: float) -> tuple[float, float]:
    """Return E[(Y + 1)^kappa - Y^kappa] and its estimated relative error.

    The density of log Y is exponential up to a relative exp(-rate log y).
    """
    factor = _Factor(gain, sigma, alpha / 2, rate)
    coarse = _StationaryLaw(factor, factor.step)
    fine = _StationaryLaw(factor, factor.step / 2)
    value = fine.increment()
    # Goldie's formula and the limit of the law itself are two routes to the constant.
    limit = fine.limit() / (value / _tilted_log_mean(gain, sigma, alpha))
    error = max(abs(coarse.increment() / value - 1), abs(limit - 1), 1e-13)
    if not error < 1e-4:
        message = (
            f"the stationary law of tail index {alpha:g} could not be resolved "
            f"(error {error:.1g}): take a scale of higher order"
        )
        raise ConvergenceError(message)
    return value, error


class _Factor:
    """The law of log A, and what it says about a grid for log Y."""

    def __init__(self, gain: Gain, sigma: float, kappa: float, rate: float) -> None:
        self.kappa, self.rate = kappa, rate
        self.dead = float(gain.prob_zero())
        self._density = log_density(law_of(gain))
        self._log_half = math.log(gain._prob_alive()) - math.log(2)
        self._centre = 2 * (math.log(sigma) + gain.log_mean())
        std = 2 * math.sqrt(gain.log_var())
        self.step = min(0.25, 0.5 * std)
        self.low, self.high = self._support(std)

    def log_pdf(self, x: FloatArray) -> FloatArray:
        """Return the logarithm of the density of log A; its mass is P(A > 0)."""
        y = ((x - self._centre) / 2).ravel().tolist()
        density, lowest, highest = self._density, self._density.lowest(), self._density.highest()
        slope = self._density.lower_slope()
        start = density(lowest)
        values = [
            -math.inf
            if v > highest
            else density(v)
            if v >= lowest
            else start + slope * (v - lowest)
            for v in y
        ]
        return np.array(values).reshape(x.shape) + self._log_half

    def _support(self, std: float) -> tuple[float, float]:
        """Return where the density of log A and that tilted by A^kappa are not negligible."""
        width = 2.0 * std
        ends = []
        for direction, tilt in ((-1, 0.0), (1, self.kappa)):
            x = self._centre + direction * width * np.arange(400)
            values = self.log_pdf(x) + tilt * x
            small = np.flatnonzero(values[values.argmax() :] < values.max() - _REACH)
            if small.size == 0:
                raise ConvergenceError("the law of the gain is too wide for the stationary law")
            ends.append(float(x[values.argmax() + small[0]]))
        return ends[0], ends[1]


class _StationaryLaw:
    """g(l) = (1 + e^l)^kappa f(l), f the density of l = log Y, at the nodes of a uniform grid.

    f is unchanged by ``l -> log A + log(1 + e^l)``. In terms of g the kernel is
    ``exp(kappa x) f_A(x) (1 + e^-l')^kappa`` with ``x = l' - log(1 + e^l)``, and g tends to a
    constant to the right.
    """

    def __init__(self, factor: _Factor, step: float) -> None:
        self.factor, self.step = factor, step
        top = _REACH / factor.rate + max(0.0, factor.high)
        count = int((top - factor.low) / step) + 1
        if count > _MOST_NODES:
            message = f"the stationary law needs {count} nodes, more than {_MOST_NODES}"
            raise ConvergenceError(message)
        self.log_y = factor.low + step * np.arange(count, dtype=np.float64)
        self.g = self._solve()

    def _kernel(self) -> Any:
        """Return the matrix of the integral equation, the nodes beyond the last one added to it."""
        f, h, n = self.factor, self.step, self.log_y.size
        beyond = int(max(-f.low, 0.0) / h) + 1
        start = self.log_y[0] + h * np.arange(n + beyond)
        image = np.logaddexp(0.0, start)  # log(1 + e^l)
        first = np.ceil((image + f.low - self.log_y[0]) / h).astype(np.int64).clip(0, n)
        last = (np.floor((image + f.high - self.log_y[0]) / h).astype(np.int64) + 1).clip(0, n)
        counts = np.maximum(last - first, 0)
        column = np.repeat(np.arange(n + beyond), counts)
        row = np.arange(column.size) - np.repeat(np.cumsum(counts) - counts - first, counts)
        x = self.log_y[row] - image[column]
        growth = f.kappa * (x + np.logaddexp(0.0, -self.log_y[row]))
        entries = h * np.exp(f.log_pdf(x) + growth)
        from scipy import sparse  # slow to import

        return sparse.csc_matrix((entries, (row, column.clip(0, n - 1))), shape=(n, n))

    def _solve(self) -> FloatArray:
        """Return g, with f and the atom at 0 normalized to total mass 1.

        The homogeneous equation is solved with f = 1 at one node in the bulk of the law, whose
        own equation is left out; the atom adds a multiple of the solution it drives.
        """
        f, n = self.factor, self.log_y.size
        kernel = self._kernel()
        # From g to masses of f; the last weight is that of the whole tail, where g is constant.
        weight = np.exp(-f.kappa * np.logaddexp(0.0, self.log_y)) * self.step
        weight[-1] /= -math.expm1(-f.kappa * self.step)
        pinned = int(np.clip(np.searchsorted(self.log_y, 0.5 * f.high), 0, n - 1))
        keep = np.flatnonzero(np.arange(n) != pinned)
        from scipy import sparse
        from scipy.sparse.linalg import splu

        matrix = (sparse.identity(n, format="csc") - kernel)[keep][:, keep]
        solver = splu(matrix.tocsc(), permc_spec="COLAMD", diag_pivot_thresh=0.0)
        g = np.ones(n)
        g[keep] = solver.solve(kernel[:, [pinned]].toarray()[keep, 0])
        if f.dead > 0.0:
            driven = np.zeros(n)
            source = np.exp(f.log_pdf(self.log_y) + f.kappa * np.logaddexp(0.0, self.log_y))
            driven[keep] = solver.solve(source[keep])
            # P(Y = 0) = dead: atom = dead/(1 - dead) times the mass of g + atom * driven
            odds = f.dead / (1.0 - f.dead)
            atom = odds * (weight @ g) / (1.0 - odds * (weight @ driven))
            g = g + atom * driven
        normalized: FloatArray = g * ((1.0 - f.dead) / float(weight @ g))
        return normalized

    def increment(self) -> float:
        """Return E[(Y + 1)^kappa - Y^kappa]."""
        shrunk = -np.expm1(-self.factor.kappa * np.logaddexp(0.0, -self.log_y))
        return float(self.step * (self.g @ shrunk)) + self.factor.dead

    def limit(self) -> float:
        """Return the limit of g, which is kappa C for c = 1."""
        return float(self.g[-1])
