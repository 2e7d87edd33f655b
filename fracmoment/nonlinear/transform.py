"""The layer's Laplace transform, and integrals over it that give moments.

With Y = phi^2 of one unit, m = E Y, X = Y_1 + ... + Y_d and L(t) = E exp(-t Y), compare X with its
mean mu = d m: for tau = t mu

    D(tau) = L(t)^d - exp(-tau) = exp(-tau) ((1 + B)^d - 1) >= 0,   B = E psi(t (Y - m)),

``psi(u) = exp(-u) - 1 + u >= 0``, without cancellation, and

    E (X/mu)^p = 1 - p/Gamma(1-p) int_0^inf D(tau) tau^(-p-1) dtau          p < 2.

For larger p the transform of ``X^k exp(-t X)``, k > p, is positive itself:

    E (X/mu)^p = k!/Gamma(k-p) int_0^inf P_k(tau) tau^(-p-1) dtau,

    P_k = [e^k] (E exp((e-1) t Y))^d.

In ``v = log tau`` the trapezoidal rule converges exponentially for every law of X, and the orders
enter only through ``exp(-p v)``. See docs/algorithms/nonlinear.md.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from fracmoment._core import ConvergenceError
from fracmoment.nonlinear.panels import Nodes, nodes

if TYPE_CHECKING:
    from collections.abc import Callable

    from fracmoment._typing import FloatArray
    from fracmoment.nonlinear.activations import NonlinearActivation

__all__ = ["LEAST_POWER", "Gaps", "PowerSums", "UnitLaw"]

# Orders p from here on are served by power sums, orders below by gaps.
LEAST_POWER = 0.75

# Points of the rule that are evaluated together; a rule of more than _MOST is given up.
_BLOCK, _MOST = 16, 1 << 12
# Relative size of what a rule leaves out, as a logarithm.
_NEGLIGIBLE = -40.0
# Values of phi below this are taken by their logarithm.
_TINY = 1e-140
# Larger exponents are of no account and would overflow.
_LARGE = 600.0
# Above it exp(t m) could overflow.
_CENTERED = 300.0
# Orders p that share a window lie between multiples of 1/_PER_UNIT.
_PER_UNIT = 4
# From here to the right a transform that ends in a power of t is that power.
_POWER_LAW = 76.0


class UnitLaw:
    """Y = phi(x)^2 for x ~ N(0, q): its mean and Laplace transform.

    Parameters
    ----------
    phi : NonlinearActivation
        The activation, its own base.
    q : float
        Variance of x.
    """

    def __init__(self, phi: NonlinearActivation, q: float) -> None:
        self.phi, self.q = phi, q
        at = nodes(phi, q, power=1)
        excess = self._excess(at.x)
        shift = at.mean(excess) - math.exp(at.log_rest) * phi.at_zero**2
        self.mean = phi.at_zero**2 + shift
        self._shift = shift

    def _excess(self, x: FloatArray) -> FloatArray:
        """Return ``phi(x)^2 - phi(0)^2``."""
        change = self.phi.from_zero(x)
        return change * (change + 2.0 * self.phi.at_zero)

    def block(self, log_t: FloatArray, power: int = 0) -> tuple[Nodes, FloatArray, FloatArray]:
        """Return nodes for some ``log(t m)``, and Y/m and Y/m - 1 there."""
        at = nodes(self.phi, self.q, float(log_t.max()) - math.log(self.mean), power)
        value = np.abs(self.phi(at.x))
        ratio = (value / math.sqrt(self.mean)) ** 2
        tiny = value < _TINY
        ratio[tiny] = np.exp(2.0 * self.phi.log_size(at.x[tiny]) - math.log(self.mean))
        return at, ratio, (self._excess(at.x) - self._shift) / self.mean

    def log_transform(
        self, log_t: FloatArray, at: Nodes, ratio: FloatArray, centered: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return ``log L`` and ``log L + t m`` >= 0, each accurate, at some ``log(t m)``."""
        t = np.exp(np.minimum(log_t, _LARGE))
        gap = np.full_like(t, np.inf)
        near = t < _CENTERED
        gap[near] = psi(t[near, None] * centered) @ np.exp(at.log_weight)
        gap[near] += math.exp(at.log_rest) * psi(-t[near])
        gap = np.log1p(gap)
        logarithm = gap - t
        far = gap > 1.0  # exp(-t m) is small against L: nothing cancels in L itself
        if far.any():
            terms = special.logsumexp(at.log_weight - self.scaled(log_t[far], at, ratio), axis=1)
            logarithm[far] = np.logaddexp(terms, at.log_rest)
            gap[far] = logarithm[far] + t[far]
        return logarithm, gap

    def scaled(self, log_t: FloatArray, at: Nodes, ratio: FloatArray) -> FloatArray:
        """Return ``t Y`` for some ``log(t m)`` and the nodes."""
        if log_t[-1] < _LARGE:
            return np.exp(log_t)[:, None] * ratio
        log_ratio = 2.0 * self.phi.log_size(at.x) - math.log(self.mean)
        return np.exp(np.minimum(log_t[:, None] + log_ratio, _LARGE))


def psi(u: FloatArray) -> FloatArray:
    """Return ``exp(-u) - 1 + u`` to a few ulp.

    Examples
    --------
    >>> psi(np.array([0.0, 2.0**-30])) * 2.0**61
    array([0., 1.])
    """
    result: FloatArray = np.expm1(-u) + u
    near = np.abs(u) < 0.7
    x = u[near]
    total = np.full_like(x, 1.0 / math.factorial(18))
    for n in range(17, 1, -1):
        total = 1.0 / math.factorial(n) - x * total
    result[near] = x * x * total
    return result


class _Rule:
    """Values of ``log F`` at ``v = h i``, as far as sums over them need it.

    Which values a sum takes depends on its orders alone, not on what was computed before.

    Parameters
    ----------
    step : float
        The step h.
    start : float
        Where the values begin, near the peak of what is summed.
    evaluate : callable
        Returns ``log F`` at an array of v.
    what : str
        The law and its width, for messages.
    """

    def __init__(
        self, step: float, start: float, evaluate: Callable[[FloatArray], FloatArray], what: str
    ) -> None:
        self.step, self._evaluate, self._what = step, evaluate, what
        self._first = round(start / step) - _BLOCK // 2
        self._blocks: dict[int, FloatArray] = {}
        self._windows: dict[tuple[float, float], tuple[FloatArray, FloatArray]] = {}

    def _block(self, number: int) -> FloatArray:
        """Return the values of one block, remembered."""
        block = self._blocks.get(number)
        if block is None:
            block = self._blocks[number] = self._evaluate(self._lattice(number, number + 1))
        return block

    def _lattice(self, low: int, high: int) -> FloatArray:
        """Return the points of the blocks from ``low`` to ``high`` (excluded)."""
        first, last = (self._first + _BLOCK * number for number in (low, high))
        points: FloatArray = self.step * np.arange(first, last, dtype=np.float64)
        return points

    def window(
        self, high: float, low: float, horizon: float = -math.inf, room: float = math.inf
    ) -> tuple[FloatArray, FloatArray]:
        """Return points v and ``log F`` there, enough for sums of orders from ``low`` to ``high``.

        Parameters
        ----------
        high, low : float
            Orders; the highest decays least to the left and the lowest least to the right.
        horizon : float
            The v from which on F decays as it will for ever; before, it decreases.
        room : float
            The v from which on F is a power, so that sums beyond it are known.
        """
        found = self._windows.get((high, low))
        if found is None:
            found = self._windows[high, low] = self._make_window(high, low, horizon, room)
        return found

    def _make_window(
        self, high: float, low: float, horizon: float, room: float
    ) -> tuple[FloatArray, FloatArray]:
        first, last = 0, 1
        values = self._block(0)
        while not self._negligible((values - high * self._lattice(first, last))[::-1], 0.0):
            first -= 1
            values = np.concatenate((self._block(first), values))
        while True:
            points = self._lattice(first, last)
            ahead = -min(low, 0.0) * max(horizon - float(points[-1]), 0.0)
            end = float(points[-1]) >= max(horizon, room)
            if end or self._negligible(values - low * points, ahead):
                return points, values
            values = np.concatenate((values, self._block(last)))
            last += 1

    def _negligible(self, terms: FloatArray, ahead: float) -> bool:
        """Return whether what follows the last term is negligible.

        It may grow by ``exp(ahead)`` before it decays for good.
        """
        if terms.size > _MOST:
            message = (
                f"the moments of {self._what} need more than {_MOST} values of the Laplace "
                "transform: take an order further from the edge, or a greater width"
            )
            raise ConvergenceError(message)
        if terms[-1] == -math.inf:
            return True
        slope = float(terms[-1] - terms[-_BLOCK]) / (_BLOCK - 1)
        if not slope < 0.0:
            return False
        total = float(special.logsumexp(terms))
        rest = float(terms[-1]) - math.log(-math.expm1(slope))
        return max(rest, float(terms[-1]) + ahead) < total + _NEGLIGIBLE


def _step(largest: float) -> float:
    """Return the step at which the rule's error is below 1e-17 for ``Gamma(c)``, c <= largest.

    The relative error is twice ``|Gamma(c + iw)|/Gamma(c)`` at ``w = 2 pi/h``.
    """
    c, step = max(largest, 2.0), 0.2
    while True:
        w = 2.0 * math.pi / step
        bound = 0.5 * (c - 0.5) * math.log1p((w / c) ** 2) - w * math.atan(w / c)
        if bound < _NEGLIGIBLE:
            return step
        step *= 0.8


class Gaps:
    """The rule for D: moments of order ``p < 1``, and the logarithm's mean and variance.

    Parameters
    ----------
    unit : UnitLaw
    width : int
    lowest : float
        The order that the step must serve.
    """

    def __init__(self, unit: UnitLaw, width: int, lowest: float) -> None:
        self._unit, self._width = unit, width
        self._end = _RightEnd(unit, width)
        what = f"{unit.phi} of variance {unit.q:g} and width {width}"
        self._rule = _Rule(_step(-lowest), math.log1p(max(-lowest, 0.0)), self._log_gap, what)

    def _log_gap(self, v: FloatArray) -> FloatArray:
        """Return ``log D``."""
        log_t = v - math.log(self._width)
        logarithm, gap = self._unit.log_transform(log_t, *self._unit.block(log_t))
        # L^d (1 - exp(-d gap))
        return self._width * logarithm + np.log(-np.expm1(-self._width * gap))

    def relative(self, orders: FloatArray, edge: float) -> FloatArray:
        """Return ``(E (X/mu)^p - 1)/p`` for orders p, at 0 its limit ``E log(X/mu)``.

        Parameters
        ----------
        orders : ndarray
            Orders p.
        edge : float
            The open lower end of orders with a finite moment.
        """
        result = np.empty_like(orders)
        # Orders share a window, except next to the edge.
        lows = np.floor(orders * _PER_UNIT) / _PER_UNIT
        lows = np.where(lows > edge + 0.25 / _PER_UNIT, lows, orders)
        for low in np.unique(lows):
            chosen = lows == low
            p = orders[chosen]
            points, values = self._window(float(low))
            with np.errstate(over="ignore"):
                total = np.exp(values - p[:, None] * points).sum(axis=1)
                total += self._beyond(points, values, p)
            result[chosen] = -self.step * total * special.rgamma(1.0 - p)
        return result

    @property
    def step(self) -> float:
        """The step of the rule."""
        return self._rule.step

    def log_square(self) -> float:
        """Return ``E log(X/mu)^2``."""
        points, values = self._window(0.0)
        total = float(np.exp(values) @ (points + np.euler_gamma))
        # The mean of v over a geometric tail of ratio exp(-width h/2).
        mean = float(points[-1]) - self.step / math.expm1(-0.5 * self._width * self.step)
        beyond = float(self._beyond(points, values, np.zeros(1))[0])
        return 2.0 * self.step * (total + beyond * (mean + np.euler_gamma))

    def _window(self, low: float) -> tuple[FloatArray, FloatArray]:
        """Return points and values for orders from ``low`` on."""
        end = self._end
        return self._rule.window(low + 1.0 / _PER_UNIT, low, end.horizon(low), end.power_law)

    def _beyond(self, points: FloatArray, values: FloatArray, p: FloatArray) -> FloatArray:
        """Return the sums beyond the last point where D is a power of tau there, otherwise 0."""
        if points[-1] < self._end.power_law:
            return np.zeros_like(p)
        ratio = np.exp(-(0.5 * self._width + p) * self.step)
        result: FloatArray = np.exp(values[-1] - p * points[-1]) * ratio / (1.0 - ratio)
        return result


class _RightEnd:
    """How ``L(t)^d`` behaves for large t.

    Next to 0 phi is linear with a slope k: L is a power ``t^(-1/2)`` once ``t k^2 min(q, 1)`` is
    large. Where phi vanishes to the left, ``|phi| < t^(-1/2)`` for x < -r, with a probability
    ``Phi(-r/sqrt q)`` whose logarithm is concave in log t, up to factors that vary slowly.

    Attributes
    ----------
    power_law : float
        The v from which on L is a power of t, to rounding; inf where it never is.
    """

    def __init__(self, unit: UnitLaw, width: int) -> None:
        phi, q = unit.phi, unit.q
        # log tau - log t
        shift = math.log(width) + math.log(unit.mean)
        slope = min(abs(k) for k in phi.slopes)
        zero = phi.at_zero == 0.0
        self._width = width
        self._start = shift + (-2.0 * math.log(slope) - min(math.log(q), 0.0) if zero else 0.0)
        self._far: tuple[FloatArray, FloatArray] | None = None
        self.power_law = self._start + _POWER_LAW if zero else math.inf
        if phi.vanishes:
            needs = np.geomspace(1.0, 1e5, 400)
            reach = np.array([phi.left_reach(float(need)) for need in needs])
            log_left = special.log_ndtr(-reach / math.sqrt(q))
            self._far = shift + 2.0 * needs, log_left
            # Against t^(-1/2)
            counts = log_left + needs > -0.5 * _POWER_LAW - 4.0
            if counts[-1]:
                self.power_law = math.inf
            elif counts.any():
                self.power_law = max(self.power_law, float(self._far[0][counts][-1]))

    def horizon(self, order: float) -> float:
        """Return the v from which on ``L^d exp(-order v)`` only decays."""
        if self._far is None:
            return self._start + 4.0
        v, log_left = self._far
        peak = float(v[np.argmax(self._width * log_left - order * v)])
        return max(self._start, peak) + 4.0


class PowerSums:
    """The rule for ``P_k``: moments of order ``k - 2 < p <= k - 1``, not below `LEAST_POWER`.

    Parameters
    ----------
    unit : UnitLaw
    width : int
    power : int
        The number k.
    """

    def __init__(self, unit: UnitLaw, width: int, power: int) -> None:
        self._unit, self._width, self._power = unit, width, power
        what = f"{unit.phi} of variance {unit.q:g} and width {width}"
        self._rule = _Rule(_step(2.0), 0.0, self._log_sum, what)

    def _log_sum(self, v: FloatArray) -> FloatArray:
        """Return ``log P_k``."""
        log_t = v - math.log(self._width)
        at, ratio, centered = self._unit.block(log_t, self._power)
        logarithm, _ = self._unit.log_transform(log_t, at, ratio, centered)
        terms = np.exp(at.log_weight - self._unit.scaled(log_t, at, ratio) - logarithm[:, None])
        scaled = ratio / self._width  # tau^k is taken out
        series = np.empty((self._power, v.size))
        for j in range(self._power):
            terms *= scaled / (j + 1)
            series[j] = terms.sum(axis=1)
        with np.errstate(divide="ignore"):  # far to the right, where it underflows
            log_power = np.log(power_coefficient(series, self._width))
        return self._width * logarithm + log_power + self._power * v

    def moments(self, orders: FloatArray) -> FloatArray:
        """Return ``E (X/mu)^p``."""
        k = self._power
        points, values = self._rule.window(k - 1.0, max(k - 2.0, LEAST_POWER))
        logs = special.logsumexp(values - orders[:, None] * points, axis=1)
        front = self._rule.step * math.factorial(k) / special.gamma(k - orders)
        result: FloatArray = front * np.exp(logs)
        return result


def power_coefficient(series: FloatArray, width: int) -> FloatArray:
    """Return the coefficient of ``e^k`` in ``(1 + r_1 e + ... + r_k e^k)^width``.

    Parameters
    ----------
    series : ndarray, shape (k, ...)
        The coefficients r, not negative.
    width : int

    Notes
    -----
    By squarings and products of positive series; nothing cancels.

    Examples
    --------
    >>> power_coefficient(np.array([1.0, 0.0, 0.0]), 5)
    array(10.)
    """
    k = len(series)
    base = np.concatenate((np.ones((1, *series.shape[1:])), series))
    result = np.zeros_like(base)
    result[0] = 1.0
    while width:
        if width & 1:
            result = _product(result, base, k)
        width >>= 1
        if width:
            base = _product(base, base, k)
    return np.asarray(result[k])


def _product(a: FloatArray, b: FloatArray, k: int) -> FloatArray:
    """Return the product of two series up to the power k."""
    result = np.zeros_like(a)
    for j in range(k + 1):
        result[j:] += a[j] * b[: k + 1 - j]
    return result
