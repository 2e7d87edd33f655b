"""Constants of the limit laws in depth: drift, spread, death.

``log|x_k| - log|x_0|`` is a sum of independent steps ``log(sigma R)``. Its law of large numbers and
its central limit theorem need the mean and the variance of one step; with layers of different
width, activation or scale, the sums over the layers. Natural logarithms throughout, given that no
layer is dead.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fracmoment import _layers, _validation
from fracmoment._results import plain
from fracmoment.gains import Gain
from fracmoment.projection import ProjectedGain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fracmoment._typing import Result

    #: One gain, or one entry a layer.
    Gains = Gain | ProjectedGain | Sequence[Gain | ProjectedGain]

__all__ = ["DepthLimit", "depth_limit", "drift", "log_variance", "prob_dead"]


def drift(gain: Gains, sigma: Any) -> Result:
    """Return the drift of each layer, ``mu = log sigma + E[log R | R > 0]``.

    Parameters
    ----------
    gain : Gain, ProjectedGain or sequence of them
        The gain; a sequence, or array parameters, for several layers.
    sigma : array_like of float
        Scale of the weights, > 0. Broadcasts with the gain.

    Returns
    -------
    float or ndarray
        Per layer, not the sum. Negative drift means that the norm vanishes almost surely in depth.

    Examples
    --------
    He's scale preserves the second moment, yet the norm itself shrinks:

    >>> import fracmoment as fm
    >>> g = fm.Gain("relu", 16)
    >>> round(drift(g, g.scale(2)), 4)
    -0.0882
    >>> abs(drift(g, g.scale(0))) < 1e-15
    True
    """
    values = _validation.positive("sigma", sigma)
    return plain(np.log(values) + _of_each(gain, lambda one: one.log_mean()))


def log_variance(gain: Gains) -> Result:
    """Return the variance ``v = Var[log R | R > 0]`` of each layer, whatever its scale.

    Parameters
    ----------
    gain : Gain, ProjectedGain or sequence of them
        The gain; a sequence, or array parameters, for several layers.

    Returns
    -------
    float or ndarray

    Examples
    --------
    >>> import fracmoment as fm
    >>> round(log_variance(fm.Gain("relu", 16)), 4)
    0.1049
    """
    return plain(_of_each(gain, lambda one: one.log_var()))


def prob_dead(gain: Gains, depth: int | None = None) -> float:
    """Return the probability that some layer is dead, ``1 - prod (1 - P(R_i = 0))``.

    Parameters
    ----------
    gain : Gain, ProjectedGain or sequence of them
        One gain for all layers, or one entry a layer.
    depth : int, optional
        Number of layers; not needed with a sequence.

    Examples
    --------
    >>> import fracmoment as fm
    >>> prob_dead(fm.Gain("relu", 2), 2)
    0.4375
    """
    return _prob_dead(_layers.of(gain, 1.0, depth, projected=True))


def _prob_dead(layers: _layers.Layers) -> float:
    dead = [gain.prob_zero() for gain in layers.gains]
    if any(p >= 1.0 for p in dead):  # only by rounding: the complement is not 0 exactly
        alive = math.prod(gain._prob_alive() for gain in layers.gains)
        return 1.0 - float(alive ** (1 if len(dead) > 1 else layers.depth))
    repeats = 1 if len(dead) > 1 else layers.depth
    return -math.expm1(repeats * math.fsum(math.log1p(-p) for p in dead))


class DepthLimit(NamedTuple):
    """Normal approximation of log(|x_k|/|x_0|) at one depth, given that no layer is dead.

    Attributes
    ----------
    mean, std : float
        Exact mean and standard deviation of log(|x_k|/|x_0|).
    prob_dead : float
        Exact probability that x_k = 0.
    """

    mean: float
    std: float
    prob_dead: float

    @property
    def median(self) -> float:
        """Median of |x_k|/|x_0| in the normal approximation."""
        return math.exp(self.mean)


def depth_limit(gain: Gains, sigma: Any, depth: int | None = None) -> DepthLimit:
    """Return what the central limit theorem says about the norm at the output.

    Parameters
    ----------
    gain : Gain, ProjectedGain or sequence of them
        One gain for all layers, or one entry a layer.
    sigma : float or sequence of float
        One scale for all layers, or one entry a layer.
    depth : int, optional
        Number of layers; not needed with a sequence.

    Returns
    -------
    DepthLimit
        Mean and standard deviation of log(|x_k|/|x_0|) and the probability of death. All three are
        exact; that the law is normal between them is the approximation.

    Examples
    --------
    A hundred ReLU layers of width 16 with He's scale:

    >>> import fracmoment as fm
    >>> g = fm.Gain("relu", 16)
    >>> limit = depth_limit(g, g.scale(2), 100)
    >>> round(limit.mean, 2), round(limit.std, 2)
    (-8.82, 3.24)
    """
    layers = _layers.of(gain, sigma, depth, projected=True)
    repeats = layers.depth if layers.alike else 1
    mean = repeats * math.fsum(math.log(s) + g.log_mean() for g, s in layers.pairs())
    variance = repeats * math.fsum(g.log_var() for g, _ in layers.pairs())
    return DepthLimit(mean, math.sqrt(variance), _prob_dead(layers))


def _of_each(gain: Any, function: Any) -> Any:
    """Return a number of a gain, or the array of those of a sequence of gains."""
    if isinstance(gain, (Gain, ProjectedGain)):
        return function(gain)
    return np.array([function(one) for one in _layers.gains(gain, projected=True)])
