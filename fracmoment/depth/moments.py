"""Moments and cumulants of the log-norm at the output of a network of finite depth."""

from __future__ import annotations

import math
from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _layers, _validation
from fracmoment._results import plain
from fracmoment.limits import _prob_dead
from fracmoment.projection import ProjectedGain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fracmoment._typing import Result
    from fracmoment.gains import Gain
    from fracmoment.projection import Projection

__all__ = ["DepthMoments"]


class DepthMoments:
    """Moments of ``log(|x_k|/|x_0|)``: what needs no distribution function.

    Parameters
    ----------
    gain, sigma, depth
        As for `fracmoment.DepthLaw`.
    """

    def __init__(
        self,
        gain: Gain | ProjectedGain | Sequence[Gain | ProjectedGain],
        sigma: Any,
        depth: int | None = None,
    ) -> None:
        self._layers = _layers.of(gain, sigma, depth, projected=True)
        self._counts: Counter[Gain] = Counter()
        self._projections: Counter[Projection] = Counter()
        self._scales: Counter[float] = Counter()
        repeats = self._layers.depth if self._layers.alike else 1
        for one, scale in self._layers.pairs():
            if isinstance(one, ProjectedGain):
                self._projections[one.projection] += repeats
            self._counts[one.gain if isinstance(one, ProjectedGain) else one] += repeats
            self._scales[scale] += repeats

    @property
    def depth(self) -> int:
        """The number of layers."""
        return self._layers.depth

    @property
    def layers(self) -> list[tuple[Gain | ProjectedGain, float]]:
        """Gain and scale of every layer."""
        pairs = list(self._layers.pairs())
        return pairs * self.depth if self._layers.alike else pairs

    def __repr__(self) -> str:
        """Return an expression that makes an equal law."""
        gains, sigmas = self._layers.gains, self._layers.sigmas
        gain = repr(gains[0]) if len(gains) == 1 else repr(gains)
        sigma = repr(sigmas[0]) if len(sigmas) == 1 else repr(sigmas)
        return f"{type(self).__name__}({gain}, {sigma}, {self.depth})"

    @cached_property
    def _log_scale(self) -> float:
        return math.fsum(n * math.log(sigma) for sigma, n in self._scales.items())

    def _factors(self) -> Iterator[tuple[Gain | Projection, int]]:
        """Yield independent factors of the output's norm with their numbers."""
        yield from self._counts.items()
        yield from self._projections.items()

    def mean(self) -> float:
        """Return the mean, given that the network is alive."""
        return self._log_scale + math.fsum(n * float(g.log_mean()) for g, n in self._factors())

    def var(self) -> float:
        """Return the variance, given that the network is alive."""
        return self.cumulant(2)

    def std(self) -> float:
        """Return the standard deviation, given that the network is alive."""
        return math.sqrt(max(self.var(), 0.0))

    def cumulant(self, n: int) -> float:
        """Return the cumulant of order ``n``, 1 to 12, given that the network is alive."""
        if n == 1:
            return self.mean()
        return math.fsum(count * float(g.log_cumulant(n)) for g, count in self._factors())

    def skewness(self) -> float:
        """Return the third cumulant over the cube of the standard deviation."""
        return self.cumulant(3) / self._spread() ** 3

    def kurtosis(self) -> float:
        """Return the excess kurtosis, the fourth cumulant over the squared variance."""
        return self.cumulant(4) / self._spread() ** 4

    def _spread(self) -> float:
        std = self.std()
        if std == 0.0:
            message = "the law is a single point: every layer is an isometry times its scale"
            raise ValueError(message)
        return std

    def prob_dead(self) -> float:
        """Return the probability that some layer is dead, so that the output is 0."""
        return _prob_dead(self._layers)

    def log_moment(self, order: Any, *, given_alive: bool = False) -> Result:
        """Return ``log E (|x_k|/|x_0|)^order``.

        Parameters
        ----------
        order : array_like of float
            Real orders in the common domain of the layers' moments.
        given_alive : bool, optional
            Whether to condition on a network that is alive. Needed for orders <= 0 where layers
            can die.

        Returns
        -------
        float or ndarray

        Notes
        -----
        The error is depth times that of a logarithm of one layer's moment.

        Examples
        --------
        >>> import fracmoment as fm
        >>> g = fm.Gain("relu", 16)
        >>> round(fm.DepthLaw(g, g.scale(1), 1000).log_moment(2), 4)
        81.2016
        """
        orders = np.asarray(_validation.floats("order", order))
        zero = orders == 0.0
        safe = np.where(zero, 1.0, orders)
        total = orders * self._log_scale
        # a scale is a moment to the power -1/order, which cannot overflow
        for g, n in self._counts.items():
            scale = np.asarray(g.scale(safe, given_alive=given_alive))
            total = total - n * np.where(zero, 0.0, orders * np.log(scale))
            if np.any(zero):
                g.moment(0.0, given_alive=given_alive)  # refuses where it is not meant
        for projection, n in self._projections.items():
            total = total - n * np.where(zero, 0.0, orders * np.log(projection.scale(safe)))
        return plain(total)

    def moment(self, order: Any, *, given_alive: bool = False) -> Any:
        """Return ``E (|x_k|/|x_0|)^order``, death included unless `given_alive`.

        Parameters
        ----------
        order : array_like of float or complex
            Orders in the common domain of the layers' moments.
        given_alive : bool, optional
            Whether to condition on a network that is alive.

        Returns
        -------
        float, complex or ndarray
        """
        if not np.iscomplexobj(order):
            return plain(np.exp(self.log_moment(order, given_alive=given_alive)))
        orders = np.asarray(order, dtype=np.complex128)
        value = np.exp(orders * self._log_scale)
        for g, n in self._counts.items():
            value = value * np.asarray(g.moment(orders, given_alive=given_alive)) ** n
        for projection, n in self._projections.items():
            value = value * projection.moment(orders) ** n
        return complex(value) if value.ndim == 0 else value

    def _edge(self) -> float:
        """Return the lower end of the orders with a finite moment, given that all are alive."""
        edges = [float(g._laws.order_edge(given_alive=True)) for g in self._counts]
        return max(edges + [projection.order_edge() for projection in self._projections])
