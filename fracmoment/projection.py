"""Orthogonal layers that narrow: a projection of the input before the activation."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _validation
from fracmoment._results import plain
from fracmoment.gains import Gain

if TYPE_CHECKING:
    from fracmoment._typing import Result

__all__ = ["ProjectedGain", "Projection"]

_DIGITS = 30  # of cumulants, which are differences of near numbers where little is left out


@dataclass(frozen=True)
class Projection:
    """The share ``|P x|/|x|`` that a random projection leaves of a norm.

    Its square is Beta(width/2, (fan_in - width)/2): the norm of ``width`` standard normal variates
    over that of ``fan_in``, the first among them, to which the quotient is independent.

    Parameters
    ----------
    width, fan_in : int
        Numbers of dimensions after and before, ``width < fan_in``.
    """

    width: int
    fan_in: int

    @cached_property
    def _norms(self) -> tuple[Gain, Gain]:
        return Gain("linear", self.width), Gain("linear", self.fan_in)

    def order_edge(self) -> float:
        """Return the lower end of the orders with a finite moment."""
        return -float(self.width)

    def log_cumulant(self, n: int) -> float:
        """Return the cumulant of order n of the logarithm: the norms' differ by it."""
        part, whole = (norm.log_cumulant(n, digits=_DIGITS) for norm in self._norms)
        return float(part - whole)

    def log_mean(self) -> float:
        """Return the mean of the logarithm."""
        return self.log_cumulant(1)

    def log_var(self) -> float:
        """Return the variance of the logarithm."""
        return self.log_cumulant(2)

    def log_abs_third(self) -> float:
        """Return ``E |log share - E log share|^3``, to 1e-10."""
        from scipy import integrate, special  # slow to import

        a, b, mean = self.width / 2.0, (self.fan_in - self.width) / 2.0, self.log_mean()
        std = self.log_var() ** 0.5

        def tails(u: float) -> float:
            above, below = np.exp(2.0 * (mean + np.array([u, -u]) * std))
            upper = special.betaincc(a, b, above) if above < 1.0 else 0.0
            return 3.0 * u**2 * float(upper + special.betainc(a, b, below))

        end = max(-mean / std, 0.0)  # where the logarithm is 0
        inside = integrate.quad(tails, 0.0, end, epsrel=1e-11, limit=200)[0]
        beyond = integrate.quad(tails, end, end + 60.0 + 300.0 / self.width, epsrel=1e-11)[0]
        return float((inside + beyond) * std**3)

    def scale(self, order: Any) -> Any:
        """Return ``(E share^order)^(-1/order)``."""
        part, whole = self._norms
        return part.scale(order) / whole.scale(order)

    def moment(self, order: Any) -> Any:
        """Return ``E share^order``, for complex orders too."""
        from scipy import special  # slow to import

        if not np.iscomplexobj(order):
            orders = np.asarray(order, dtype=np.float64)
            scale = np.asarray(self.scale(np.where(orders == 0.0, 1.0, orders)))
            return np.where(orders == 0.0, 1.0, scale**-orders)
        half = 0.5 * np.asarray(order)
        a, total = self.width / 2.0, self.fan_in / 2.0
        logs = special.loggamma(a + half) - special.loggamma(total + half)
        return np.exp(logs + (special.gammaln(total) - special.gammaln(a)))


class ProjectedGain:
    """The gain of an orthogonal layer with fewer units than inputs.

    A matrix of ``width`` orthonormal rows keeps of x as much as a projection on ``width`` random
    dimensions out of ``fan_in``, and what is left has a uniform direction, independent of its
    length. So ``R`` is the product of a `Gain` with orthogonal weights and the root of a
    Beta(width/2, (fan_in - width)/2) variate. `DepthLaw` takes it like a `Gain`.

    Parameters
    ----------
    gain : Gain
        Of scalar parameters, with orthogonal weights.
    fan_in : int
        Number of inputs, more than the width of the gain.

    Examples
    --------
    >>> import fracmoment as fm
    >>> gain = fm.ProjectedGain(fm.Gain("relu", 64, weights="orthogonal"), 784)
    >>> round(gain.moment(2), 12), 64 / 784 / 2
    (0.040816326531, 0.04081632653061224)
    """

    def __init__(self, gain: Gain, fan_in: Any) -> None:
        if gain.shape != () or gain.weights != "orthogonal":
            message = f"gain must be one Gain with orthogonal weights, got {gain!r}"
            raise ValueError(message)
        count = _validation.width(fan_in, "fan_in")
        _validation.require("fan_in", fan_in, np.asarray(count) > gain.width, f"> {gain.width}")
        self._gain, self._projection = gain, Projection(gain.width, int(count))

    @property
    def gain(self) -> Gain:
        """The gain after the projection."""
        return self._gain

    @property
    def width(self) -> int:
        """Number of outputs."""
        return self._projection.width

    @property
    def fan_in(self) -> int:
        """Number of inputs."""
        return self._projection.fan_in

    @property
    def projection(self) -> Projection:
        """The share of the norm that is kept before the activation."""
        return self._projection

    def moment(self, order: Any, *, given_alive: bool = False) -> Any:
        """Return ``E R^order``; domain as for `Gain.moment`."""
        gain = np.asarray(self._gain.moment(order, given_alive=given_alive))
        value = gain * self._projection.moment(order)
        return complex(value) if np.iscomplexobj(value) and value.ndim == 0 else plain(value)

    def log_mean(self) -> float:
        """Return ``E[log R | R > 0]``."""
        return self.log_cumulant(1)

    def log_var(self) -> float:
        """Return ``Var[log R | R > 0]``."""
        return self.log_cumulant(2)

    def log_cumulant(self, n: int) -> float:
        """Return the cumulant of order n of log R given R > 0, n from 1 to 12."""
        return float(self._gain.log_cumulant(n)) + self._projection.log_cumulant(n)

    def prob_zero(self) -> float:
        """Return ``P(R = 0)``."""
        return float(self._gain.prob_zero())

    def support(self) -> tuple[float, float]:
        """Return the infimum and the supremum of R."""
        return 0.0, float(self._gain.support()[1])

    def scale(self, order: Any, *, given_alive: bool = False) -> Result:
        """Return the scale that preserves ``E |x|^order``, at order 0 the mean logarithm."""
        gain = np.asarray(self._gain.scale(order, given_alive=given_alive))
        return plain(gain * np.asarray(self._projection.scale(order)))

    def _prob_alive(self) -> float:
        return float(self._gain._prob_alive())

    def __eq__(self, other: object) -> bool:
        """Return whether both are the gain of the same layer."""
        if not isinstance(other, ProjectedGain):
            return NotImplemented
        return self._gain == other._gain and self._projection == other._projection

    def __hash__(self) -> int:
        """Return a hash of the gain and the number of inputs."""
        return hash((self._gain, self._projection))

    def __repr__(self) -> str:
        """Return an expression that makes an equal gain."""
        return f"ProjectedGain({self._gain!r}, {self.fan_in})"
