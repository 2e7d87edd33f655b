"""The prior predictive law: one pre-activation after the layers of a network."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _validation
from fracmoment._results import plain
from fracmoment.gains import Gain

if TYPE_CHECKING:
    from fracmoment._typing import FloatArray, Result
    from fracmoment.depth.law import DepthLaw

__all__ = ["PriorPredictive"]


class PriorPredictive:
    """The law of ``h = sigma |x_k| z``, z ~ N(0, 1) independent of the layers before.

    That is one entry of ``W x_k`` for W with independent normal entries. It is symmetric, with an
    atom at 0 where the network can die [N21]_. For linear networks its density is a Meijer
    G-function.

    Parameters
    ----------
    law : DepthLaw
        The law of ``log(|x_k|/|x_0|)``.
    sigma : float
        Standard deviation of the output layer's weights, > 0.
    input_norm : float, optional
        ``|x_0|``, > 0.

    Notes
    -----
    ``|z|`` is the gain of one linear unit, so that ``log |h|`` is the log-norm of a network with
    one layer more: accuracy and cost are those of `DepthLaw`.

    References
    ----------
    .. [N21] L. Noci et al., Precise characterization of the prior predictive distribution of deep
       ReLU networks, arXiv:2106.06615.

    Examples
    --------
    >>> import fracmoment as fm
    >>> g = fm.Gain("relu", 16)
    >>> law = fm.DepthLaw(g, g.scale(2), 20).output(1.0)
    >>> round(law.cdf(1.0) - law.cdf(-1.0), 6), round(law.var(), 12)
    (0.919202, 1.0)
    """

    def __init__(self, law: DepthLaw, sigma: Any, input_norm: Any = 1.0) -> None:
        scale = _scalar("sigma", sigma) * _scalar("input_norm", input_norm)
        self._log_norm = law
        self._log_scale = math.log(scale)
        self._scale = scale

    @cached_property
    def _size(self) -> DepthLaw:
        """The law of log |h| given that the network is alive."""
        layers = self._log_norm.layers
        gains = [gain for gain, _ in layers] + [Gain("linear", 1)]
        return type(self._log_norm)(gains, [sigma for _, sigma in layers] + [self._scale])

    @cached_property
    def _alive(self) -> float:
        return 1.0 - self.prob_zero()

    def prob_zero(self) -> float:
        """Return ``P(h = 0)``: the probability that the network is dead."""
        return self._log_norm.prob_dead()

    def moment(self, order: Any) -> Any:
        """Return ``E |h|^order``, the atom included: for orders > 0 where there is one."""
        return self._size.moment(order)

    def mean(self) -> float:
        """Return 0: the law is symmetric."""
        return 0.0

    def var(self) -> float:
        """Return the variance."""
        return float(self.moment(2.0))

    def pdf(self, h: Any) -> Result:
        """Return the density of the part without the atom; its integral is ``P(h != 0)``.

        Parameters
        ----------
        h : array_like of float
            Finite values. The density at 0 is infinite where ``E 1/|x_k|`` is.
        """
        points = np.abs(np.asarray(_validation.floats("h", h)))
        inside = points > 0
        safe = np.where(inside, points, 1.0)
        values = 0.5 * self._alive * np.asarray(self._size.pdf(np.log(safe))) / safe
        return plain(np.where(inside, values, self._density_at_zero if not inside.all() else 0.0))

    @cached_property
    def _density_at_zero(self) -> float:
        if self._log_norm._edge() >= -1.0:
            return math.inf
        inverse = float(self._log_norm.moment(-1.0, given_alive=True))
        return self._alive * inverse / (self._scale * math.sqrt(2.0 * math.pi))

    def cdf(self, h: Any) -> Result:
        """Return ``P(output <= h)``; the atom at 0 is included from 0 on.

        Parameters
        ----------
        h : array_like of float
            Finite values.
        """
        points = np.asarray(_validation.floats("h", h))
        half = self._half_tail(points)
        return plain(np.where(points < 0, half, 1.0 - half))

    def sf(self, h: Any) -> Result:
        """Return ``P(output > h)``, accurate where it is small."""
        points = np.asarray(_validation.floats("h", h))
        half = self._half_tail(points)
        return plain(np.where(points < 0, 1.0 - half, half))

    def _half_tail(self, points: FloatArray) -> FloatArray:
        """Return ``P(output > |points|)``."""
        with np.errstate(divide="ignore"):
            logs = np.log(np.abs(points))
        return np.asarray(0.5 * self._alive * np.asarray(self._size.sf(logs)))

    def ppf(self, q: Any) -> Result:
        """Return the quantile: the smallest h with ``cdf(h) >= q``.

        Parameters
        ----------
        q : array_like of float
            Probabilities in [0, 1]; 0 and 1 give infinities.
        """
        levels = np.asarray(_validation.probability("q", q))
        small = np.minimum(levels, 1.0 - levels)
        tail = np.minimum(2.0 * small / self._alive, 1.0)
        sizes = np.where(tail < 1.0, np.exp(self._size.isf(tail)), 0.0)
        return plain(np.copysign(sizes, levels - 0.5) + 0.0)

    def rvs(self, size: Any = None, rng: Any = None) -> Any:
        """Return samples.

        Parameters
        ----------
        size : int or tuple of int, optional
            Shape of the result; a single number without it.
        rng : optional
            What `numpy.random.default_rng` takes.
        """
        generator = _validation.generator(rng)
        logs = self._log_norm.rvs(size, generator)
        return plain(self._scale * np.exp(logs) * generator.standard_normal(np.shape(logs)))

    def __repr__(self) -> str:
        """Return an expression that makes an equal law."""
        return f"PriorPredictive({self._log_norm!r}, {self._scale!r})"


def _scalar(name: str, value: Any) -> float:
    number = _validation.positive(name, value)
    if isinstance(number, np.ndarray):
        message = f"{name} must be one number, got shape {number.shape}"
        raise ValueError(message)
    return number
