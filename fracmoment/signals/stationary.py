"""The stationary law of signals with biases: the fixed point of a layer, with its power tail."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _validation
from fracmoment._core import ConvergenceError
from fracmoment.signals._layers import layer_of
from fracmoment.signals.kernels import square_moments
from fracmoment.signals.law import NormLaw
from fracmoment.signals.mean_field import MeanField
from fracmoment.signals.piecewise import LogLaw
from fracmoment.signals.transport import Kernel, Mixture, gain_law, lattice_step, narrowed, through

if TYPE_CHECKING:
    from fracmoment._typing import FloatArray, IntArray
    from fracmoment.gains import Gain
    from fracmoment.signals._layers import Layer

__all__ = ["StationarySignals"]

_TAIL = 1e-15  # probability beyond the lattice
_MOST_NODES = 20_000
_DENSE = 2500  # most nodes for which the linear system is solved as a dense one
_MOST_RESIDUAL = 1e-9
_SWEEPS = 3
_FELT = 23.0  # over the index of |x|^2: how far the end of the lattice is felt, to 1e-10


class StationarySignals(NormLaw):
    """The law of |x| that a layer with Gaussian weights and biases leaves unchanged.

    Signals of deep networks converge to it if the drift is negative, whatever the input.

    Parameters
    ----------
    gain : Gain
        Width, activation and dropout of every layer; scalar parameters, Gaussian weights.
    sigma : float
        Standard deviation of the weights, > 0, with a positive tail index.
    bias : float
        Standard deviation of the biases, > 0.

    Raises
    ------
    ValueError, TypeError
        For arguments outside these ranges.
    ConvergenceError
        For tail indices so small that the law spreads over too many orders of magnitude.

    Notes
    -----
    The fixed point of the layer's action on a lattice of logarithms, see `Signals`, from a linear
    system. Its tail is ``P(|x| > t) ~ C t^-alpha`` [Gol91], C from `power_tail`: the lattice ends
    where that is known to hold, and the law goes on with the exact index beyond.

    Examples
    --------
    >>> import fracmoment as fm
    >>> gain = fm.Gain("relu", 16)
    >>> x = StationarySignals(gain, gain.scale(2), 0.1)
    >>> constant = fm.power_tail(gain, gain.scale(2), 0.1).constant
    >>> round(x.tail_index, 9), round(constant, 9)
    (2.0, 0.527155197)
    >>> round(x.sf(1e6) * 1e12 / constant, 5)
    1.0
    """

    def __init__(self, gain: Gain, sigma: Any, bias: Any) -> None:
        layer = layer_of(gain, sigma, bias)
        _validation.positive("bias", layer.bias)
        self.tail_index = float(gain.tail_index(layer.sigma))
        if self.tail_index == 0.0:
            message = f"sigma must have a positive tail index (a negative drift), got {sigma!r}"
            raise ValueError(message)
        self._layer, self._gain, self._bounded = layer, gain, True
        self._dead = gain.prob_zero()
        self._signal, self._residual = _fixed_point(layer, 0.5 * self.tail_index)
        self._mixture = through(self._signal, layer, self._dead)

    def __repr__(self) -> str:
        """Return an expression that evaluates to this law."""
        gain, sigma, bias = self._layer
        return f"StationarySignals({gain!r}, {sigma!r}, {bias!r})"

    @property
    def _end(self) -> float:
        """The end of what cannot feel the end of the lattice, in log |x|^2."""
        width = 2.0 * math.sqrt(self._gain.log_var())
        return float(self._signal.logs[-1]) - max(2.0 * _FELT / self.tail_index, 6.0 * width)

    def _sum(self, parts: FloatArray, rate: float) -> float:
        """Sum over the lattice, going on as exp(-rate log |x|^2) where its end is felt."""
        logs = self._signal.logs
        count = int(np.searchsorted(logs, self._end))
        ratio = math.exp(-rate * float(logs[1] - logs[0]))
        return math.fsum(parts[:count]) + float(parts[count - 1]) * ratio / (1.0 - ratio)

    def _tabulated(self) -> LogLaw:
        """Tabulate the law, with its power tail beyond the lattice."""
        kappa, high = 0.5 * self.tail_index, self._end
        density = self._mixture.log_density(self._gain)
        low = float(self._mixture.logs[0]) + gain_law(self._gain).edges[0]
        return LogLaw.of(density, (narrowed(density, low, high)[0], high), fall=-kappa)

    def moment(self, order: float, *, given_alive: bool = False) -> float:
        """Return E |x|^order: inf from the tail index on.

        Parameters
        ----------
        order : float
            Greater than 0 where |x| = 0 has positive probability and not given that it is not.
        given_alive : bool, optional
            Return E[|x|^order | |x| > 0].
        """
        s = _validation.as_float("order", order)
        if s >= self.tail_index:
            return math.inf
        share = self._share_alive(given_alive)
        _validation.require("order", s, s > 0.0 or share == 1.0, "> 0, or given_alive=True")
        self._gain.moment(s, given_alive=True)  # checks its domain
        parts = np.exp(np.log(self._signal.weights) + 0.5 * s * self._signal.logs)
        return share * self._sum(parts, 0.5 * (self.tail_index - s)) / (1.0 - self._dead)

    def square_mean(self) -> float:
        """Return E |x|^2 in closed form; inf for tail indices up to 2."""
        _, sigma, bias = self._layer
        square = square_moments(self._gain)[0]
        left = 1.0 - sigma**2 * square
        return bias**2 * square / left if left > 0.0 else math.inf

    def _scale_moments(self) -> tuple[float, float]:
        gain, sigma, bias = self._layer
        mean = sigma**2 * self.square_mean() + bias**2
        if math.isinf(mean):
            return mean, math.inf
        return mean, mean**2 * MeanField(gain, sigma, bias=bias).relative_variance()

    def error_estimate(self) -> float:
        """Return an estimate of the largest absolute error of the distribution function.

        The largest difference, at 200 quantiles, to the law on a lattice of 5/8 of the step, and
        the residuals of the two linear systems.
        """
        levels = (np.arange(200) + 0.5) / 200
        signal, residual = _fixed_point(self._layer, 0.5 * self.tail_index, refine=0.625)
        finer = through(signal, self._layer, self._dead)
        points = self._law.quantile(np.log(levels), np.log1p(-levels))
        difference = np.exp(finer.law(self._gain).log_cdf(points)) - levels
        return float(np.abs(difference).max()) + self._residual + residual


def _fixed_point(layer: Layer, kappa: float, refine: float = 1.0) -> tuple[Mixture, float]:
    """Return the stationary law of log |x|^2, on a lattice, and its residual."""
    gain, sigma, bias = layer
    noise, step = gain_law(gain), refine * lattice_step(gain)
    low = 2.0 * math.log(bias) + noise.edges[0]
    # enough probability, and for light tails enough orders of magnitude to reach the power law
    tail = max((36.0 + _FELT) / kappa, min(24.0, 400.0 / kappa))
    high = 2.0 * (math.log(bias) + max(-math.log(sigma), 0.0)) + noise.edges[-1] + tail
    for _ in range(8):
        indices = np.arange(math.ceil(low / step) + 1, math.ceil(high / step) + 1)
        if len(indices) > _MOST_NODES:
            message = f"the tail index {2 * kappa:g} is too small at this width: too many points"
            raise ConvergenceError(message)
        weights, residual = _solved(layer, indices, step)
        beyond = weights[-1] / (kappa * step)
        if beyond < _TAIL * math.exp(-_FELT):
            break
        high += (math.log(beyond / _TAIL) + _FELT + 2.0) / kappa
    if not residual < _MOST_RESIDUAL:
        message = f"the stationary law of {layer!r} has a residual of {residual:.1e}"
        raise ConvergenceError(message)
    first = int(np.searchsorted(np.cumsum(weights), 0.01 * _TAIL**2))  # below, all but unreachable
    return Mixture(step * indices[first:], weights[first:]), residual


def _solved(layer: Layer, indices: IntArray, step: float) -> tuple[FloatArray, float]:
    """Return the probabilities of the lattice's points, and the residual of the fixed point.

    With K the action of a live layer and s its result for a dead signal, the fixed point is a
    multiple of ``(1 - K)^-1 s``: if layers are never dead this is a step of inverse iteration.
    """
    from scipy import sparse

    action, source = _action(layer, indices, step)
    system = sparse.identity(len(indices), format="csc") - action
    if len(indices) <= _DENSE:
        solution = np.linalg.solve(system.toarray(), source)
    else:
        solution = sparse.linalg.splu(system).solve(source)
    alive, dead = layer.gain._prob_alive(), layer.gain.prob_zero()
    weights = np.abs(solution) * (alive / float(np.abs(solution).sum()))
    for _ in range(_SWEEPS):  # positive terms only: what is small gets small relative errors
        new = action @ weights + dead * source
        residual = float(np.abs(new - weights).sum())
        weights = new
    return weights, residual


def _action(layer: Layer, indices: IntArray, step: float) -> tuple[Any, FloatArray]:
    """Return a live layer's action on probabilities of lattice points, and on a dead signal."""
    from scipy import sparse

    floor = 2.0 * math.log(layer.bias)
    logs = step * indices + 2.0 * math.log(layer.sigma)
    kernel = Kernel.of(np.append(np.logaddexp(logs, floor), floor), layer.gain, step)
    alive = layer.gain._prob_alive()
    data, rows, counts = [], [], []
    for block, values in kernel.blocks():
        for row, at in zip(values, kernel.starts[block], strict=True):
            first = kernel.first + at - indices[0]
            start, end = max(-first, 0), min(len(indices) - first, len(row))
            data.append(alive * step * row[start : max(end, start)])
            rows.append(np.arange(first + start, max(first + end, first + start)))
            counts.append(len(rows[-1]))
    pointers = np.concatenate([[0], np.cumsum(counts)])
    parts = (np.concatenate(data), np.concatenate(rows), pointers)
    matrix = sparse.csc_matrix(parts, shape=(len(indices), len(indices) + 1))
    return matrix[:, :-1], matrix[:, -1].toarray()[:, 0]
