"""The exact law of the norm of a signal at any depth of a network with biases [BD19]."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _validation
from fracmoment._core import ConvergenceError
from fracmoment._results import plain
from fracmoment.signals._layers import BiasedLayers, layers_of, nonnegative
from fracmoment.signals.gram import NormMoments, norm_moments
from fracmoment.signals.outputs import OutputLaw, PreactivationScale
from fracmoment.signals.transport import Mixture, lattice_step, through

if TYPE_CHECKING:
    from fracmoment._typing import FloatArray, Result
    from fracmoment.gains import Gain
    from fracmoment.signals.piecewise import LogLaw

__all__ = ["NormLaw", "Signals"]

_MOST_DEFECT = 1e-9  # of a probability that is known exactly
_MOST_MISSED = 1e-9  # of a moment, beyond the ends of the lattice


class NormLaw(ABC):
    """The law of a norm |x| = sqrt(q) R with an atom at 0: what all its forms can be asked.

    Made by `Signals` and `StationarySignals`.
    """

    _gain: Gain  # of the last layer
    _mixture: Mixture  # of the variance q of its pre-activations
    _dead: float
    _bounded: bool  # whether biases keep q away from 0

    @cached_property
    def _law(self) -> LogLaw:
        """The law of log |x|^2 given |x| > 0."""
        return self._tabulated()

    def _tabulated(self) -> LogLaw:
        return self._mixture.law(self._gain)

    def prob_dead(self) -> float:
        """Return P(|x| = 0), exact."""
        return self._dead

    def pdf(self, r: Any, *, given_alive: bool = False) -> Result:
        """Return the density of the norm at r.

        Parameters
        ----------
        r : array_like of float
            Finite points.
        given_alive : bool, optional
            The density given |x| > 0. Without it the density integrates to P(|x| > 0).
        """
        points, logs = _log_squares(r)
        inner = np.where(points > 0, np.exp(self._law.log_pdf(logs)) * 2.0, 0.0)
        share = self._share_alive(given_alive)
        return plain(np.divide(share * inner, points, out=np.zeros_like(inner), where=points > 0))

    def cdf(self, r: Any, *, given_alive: bool = False) -> Result:
        """Return P(|x| <= r), with the atom at 0.

        Parameters
        ----------
        r : array_like of float
            Finite points.
        given_alive : bool, optional
            Return P(|x| <= r | |x| > 0).
        """
        points, logs = _log_squares(r)
        share = self._share_alive(given_alive)
        below, above = np.exp(self._law.log_cdf(logs)), np.exp(self._law.log_sf(logs))
        inner = np.where(below < 0.5, 1.0 - share + share * below, 1.0 - share * above)
        at_zero = np.where(points == 0, 1.0 - share, 0.0)
        return plain(np.where(points > 0, inner, at_zero))

    def sf(self, r: Any, *, given_alive: bool = False) -> Result:
        """Return P(|x| > r), accurate where it is small.

        Parameters
        ----------
        r : array_like of float
            Finite points.
        given_alive : bool, optional
            Return P(|x| > r | |x| > 0).
        """
        points, logs = _log_squares(r)
        share = self._share_alive(given_alive)
        inner = share * np.exp(self._law.log_sf(logs))
        at_zero = np.where(points == 0, share, 1.0)
        return plain(np.where(points > 0, inner, at_zero))

    def ppf(self, q: Any, *, given_alive: bool = False) -> Result:
        """Return the quantile: the smallest r >= 0 with P(|x| <= r) >= q.

        Parameters
        ----------
        q : array_like of float
            Probabilities in [0, 1].
        given_alive : bool, optional
            Quantiles given |x| > 0.
        """
        levels = np.asarray(_validation.probability("q", q))
        share = self._share_alive(given_alive)
        below = np.clip((levels - (1.0 - share)) / share, 0.0, 1.0)
        above = np.clip((1.0 - levels) / share, 0.0, 1.0)
        inner = (below > 0.0) & (above > 0.0)
        logs = self._law.quantile(
            np.log(np.where(inner, below, 0.5)), np.log(np.where(inner, above, 0.5))
        )
        top = np.where(below > 0.0, math.inf, 0.0)
        with np.errstate(over="ignore"):  # quantiles beyond the range of doubles are infinite
            return plain(np.where(inner, np.exp(0.5 * logs), top))

    def moment(self, order: float, *, given_alive: bool = False) -> float:
        """Return E |x|^order, of the mixture that stands for the law.

        Parameters
        ----------
        order : float
            Greater than 0 where |x| = 0 has positive probability and not given that it is not.
        given_alive : bool, optional
            Return E[|x|^order | |x| > 0].

        Raises
        ------
        ConvergenceError
            If the moment depends on probabilities below 1e-30, or does not exist.
        """
        s = _validation.as_float("order", order)
        share = self._share_alive(given_alive)
        good = s > 0.0 or share == 1.0
        _validation.require("order", s, good, "> 0 where the signal may be dead, or given_alive")
        conditional: float = self._gain.moment(s, given_alive=True)  # checks its domain
        mixture = self._mixture
        terms = np.log(mixture.weights / mixture.total()) + 0.5 * s * mixture.logs
        top = float(terms.max())
        parts = np.exp(terms - top)
        total = math.fsum(parts)
        beyond = _beyond(parts) + (0.0 if self._bounded else _beyond(parts[::-1]))
        if len(parts) > 1 and not beyond <= _MOST_MISSED * total:
            message = f"the moment of order {s:g} depends on tails that are too remote"
            raise ConvergenceError(message)
        return share * conditional * math.exp(top + math.log(total))

    def mean(self) -> float:
        """Return E |x|."""
        return self.moment(1.0)

    def outputs(self) -> OutputLaw:
        """Return the joint law of the units of the last layer, see `OutputLaw`."""
        mean, variance = self._scale_moments()
        scale = PreactivationScale(self._mixture, mean, variance, self._bounded)
        return OutputLaw(self._gain, scale)

    @abstractmethod
    def _scale_moments(self) -> tuple[float, float]:
        """Return E q and Var q of the variance q of the last layer's pre-activations."""

    def _share_alive(self, given_alive: bool) -> float:
        return 1.0 if _validation.flag("given_alive", given_alive) else 1.0 - self._dead


class Signals(NormLaw):
    """The law of the norm |x_k| of one signal after k layers with Gaussian weights and biases.

    Parameters
    ----------
    gain : Gain or sequence of Gain
        Width, activation and dropout of every layer, or of each, as the law of its gain.
    sigma : float or sequence of float
        Standard deviation of the weights of every layer, or one for each, > 0.
    depth : int, optional
        Number of layers; not needed with a sequence.
    bias : float or sequence of float, optional
        Standard deviation of the biases of every layer, or one for each, >= 0.
    input_norm : float, optional
        |x_0| >= 0, and > 0 if the first layer has no biases.

    Raises
    ------
    ValueError, TypeError
        For arguments outside these ranges.
    ConvergenceError
        If the law cannot be followed: neighbouring layers whose widths differ by many powers of
        ten, gains with an atom too close to their bulk.

    Notes
    -----
    ``|x_k|^2 = (sigma^2 |x_{k-1}|^2 + bias^2) R^2`` with the gain R independent of the past: in
    logarithms a smooth map followed by independent noise of analytic density. The law is followed
    on a lattice of logarithms by the trapezoidal rule, which converges exponentially there; a dead
    layer leaves an atom, which is kept exactly. Distribution functions have an absolute error far
    below 1e-8 (see `error_estimate`), and far tails a small relative one: all terms are positive.
    docs/algorithms/signal_laws.md has the derivation.

    Examples
    --------
    >>> import fracmoment as fm
    >>> gain = fm.Gain("relu", 16)
    >>> x = Signals(gain, gain.scale(2), 20, bias=0.1)
    >>> round(x.cdf(1.0), 9), round(x.sf(10.0), 12)
    (0.622544333, 0.00199946127)
    >>> bool(abs(x.cdf(x.ppf(0.9)) - 0.9) < 1e-13)
    True

    One layer is its gain:

    >>> bool(abs(Signals(gain, 1.0, 1).cdf(3.0) - gain.cdf(3.0)) < 1e-11)
    True
    """

    def __init__(
        self, gain: Any, sigma: Any, depth: Any = None, *, bias: Any = 0.0, input_norm: Any = 1.0
    ) -> None:
        self._arguments = (gain, sigma, depth, bias)
        self._layers = layers_of(gain, sigma, depth, bias)
        self._input_norm = nonnegative("input_norm", input_norm)
        if self._input_norm == 0.0 and self._layers.distinct[0].bias == 0.0:
            message = "input_norm must be > 0 where the first layer has no biases, got 0.0"
            raise ValueError(message)
        last = self._layers.last
        self._gain, self._bounded = last.gain, last.bias > 0.0
        self._mixture, self._dead, self._defect = _followed(self._layers, self._input_norm)

    @property
    def depth(self) -> int:
        """The number of layers."""
        return self._layers.depth

    def __repr__(self) -> str:
        """Return an expression that evaluates to this law."""
        gain, sigma, depth, bias = self._arguments
        options = f"bias={bias!r}, input_norm={self._input_norm!r}"
        return f"Signals({gain!r}, {sigma!r}, {depth!r}, {options})"

    def moment(self, order: float, *, given_alive: bool = False) -> float:
        """Return E |x_k|^order; orders 2 and 4 by their exact recursion.

        Parameters
        ----------
        order : float
            Greater than 0 where |x| = 0 has positive probability and not given that it is not.
        given_alive : bool, optional
            Return E[|x_k|^order | |x_k| > 0].

        Raises
        ------
        ConvergenceError
            If the moment depends on probabilities below 1e-30, or does not exist.
        """
        if order not in (2, 4):
            return super().moment(order, given_alive=given_alive)
        moments = self.moments()
        value = float((moments.mean if order == 2 else moments.fourth)[-1])
        return value * self._share_alive(given_alive) / (1.0 - self._dead)

    def moments(self) -> NormMoments:
        """Return the exact mean and variance of |x|^2 at every depth, see `norm_moments`."""
        gain, sigma, depth, bias = self._arguments
        return norm_moments(gain, sigma, depth, bias=bias, input_norm=self._input_norm)

    def _scale_moments(self) -> tuple[float, float]:
        moments, last = self.moments(), self._layers.last
        mean = last.sigma**2 * float(moments.mean[-2]) + last.bias**2
        return mean, last.sigma**4 * float(moments.variance[-2])

    def error_estimate(self) -> float:
        """Return an estimate of the largest absolute error of the distribution function.

        It is the largest difference to the law on lattices of 5/8 of the step, at 200 quantiles and
        the same again for what the lattices miss of the total probability. The trapezoidal rule
        converges exponentially, so that the finer lattice is much better than this one.
        """
        layers, levels = self._layers, (np.arange(200) + 0.5) / 200
        finer, _, defect = _followed(layers, self._input_norm, refine=0.625)
        points = self._law.quantile(np.log(levels), np.log1p(-levels))
        difference = np.exp(finer.law(self._gain).log_cdf(points)) - levels
        return float(np.abs(difference).max()) + max(self._defect, defect)

    def rvs(self, size: Any = None, rng: Any = None) -> Result:
        """Draw norms, exact in law: a gain a layer.

        Parameters
        ----------
        size : int or tuple of int, optional
            Shape of the sample.
        rng : None, int or numpy.random.Generator, optional
            Generator, or a seed for a new one.
        """
        generator = _validation.generator(rng)
        shape = () if size is None else _validation.sample_shape(size)
        square = np.full(shape, self._input_norm**2)
        for layer in self._layers:
            gains = np.asarray(layer.gain.rvs(shape, generator))
            square = (layer.sigma**2 * square + layer.bias**2) * gains**2
        return plain(np.sqrt(square))


def _followed(
    layers: BiasedLayers, input_norm: float, refine: float = 1.0
) -> tuple[Mixture, float, float]:
    """Return the law of the last layer's q, P(|x_k| = 0), and the largest defect of a mass."""
    steps = {layer.gain: refine * lattice_step(layer.gain) for layer in layers.distinct}
    start = 2.0 * math.log(input_norm) if input_norm > 0.0 else -math.inf
    upwards = iter(layers)
    before = next(upwards)
    variance = through(Mixture(np.array([start]), np.ones(1)), before, 0.0)
    dead, defect = before.gain.prob_zero(), 0.0
    for layer in upwards:
        signal = variance.advance(before.gain, min(steps[before.gain], steps[layer.gain]))
        defect = max(defect, abs(signal.total() / variance.total() - 1.0))
        signal = Mixture(signal.logs, signal.weights * ((1.0 - dead) / signal.total()))
        variance = through(signal, layer, dead)
        lost = layer.gain.prob_zero()
        dead = lost if layer.bias > 0.0 else dead + (1.0 - dead) * lost
        before = layer
    if defect > _MOST_DEFECT:
        message = f"the lattice of logarithms misses {defect:.1e} of the probability"
        raise ConvergenceError(message)
    return variance, dead, defect


def _beyond(parts: FloatArray) -> float:
    """Return the sum of a sequence beyond its end, if it goes on as it ends."""
    ratio = float(parts[-1] / parts[-2]) if len(parts) > 1 and parts[-2] > 0.0 else 0.0
    return float(parts[-1]) * ratio / (1.0 - ratio) if ratio < 1.0 else math.inf


def _log_squares(r: Any) -> tuple[FloatArray, FloatArray]:
    points = np.asarray(_validation.floats("r", r))
    return points, 2.0 * np.log(np.where(points > 0, points, 1.0))
