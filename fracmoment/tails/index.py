"""The tail index of a scale: the order of the moment that a network preserves exactly."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from fracmoment import _layers
from fracmoment.gains import Gain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fracmoment._typing import Result
    from fracmoment.projection import ProjectedGain

__all__ = ["tail_index"]

# Beyond this order a root is not looked for: no moment of such order is of any use.
_LARGEST_ORDER = 2.0**30
# And below this one it counts as 0.
_SMALLEST_ORDER = 2.0**-30


def tail_index(gain: Gain | ProjectedGain | Sequence[Gain | ProjectedGain], sigma: Any) -> Result:
    """Return the alpha > 0 for which the layers together preserve E|x|^alpha.

    Parameters
    ----------
    gain : Gain, ProjectedGain or sequence of them
        The gain of every layer, or a sequence of gains, one entry a layer.
    sigma : array_like of float
        Scale of the weights, > 0; for a sequence of gains one number, or one a layer.

    Returns
    -------
    float or ndarray
        The root of ``sum_i log E (sigma_i R_i)^alpha = 0``; 0.0 where there is none because the
        drift is not negative and no layer can die, or where it is below 1e-9; inf where the product
        of all ``sigma_i R_i`` is at most 1 almost surely. For one gain an array if ``sigma`` is
        one, see `Gain.tail_index`. The inverse of `Gain.scale`: a network whose layers have the
        scales of order s has tail index s.

    Examples
    --------
    >>> import fracmoment as fm
    >>> g = fm.Gain("relu", 64)
    >>> round(tail_index(g, g.scale(0.7)), 12)
    0.7
    >>> layers = [fm.Gain("relu", 32), fm.Gain("linear", 8)]
    >>> round(tail_index(layers, [layer.scale(1.5) for layer in layers]), 12)
    1.5
    """
    if isinstance(gain, Gain):
        return gain.tail_index(sigma)
    layers = _layers.of(gain, sigma, None, projected=True)
    counts = Counter(layers.pairs())
    if len(counts) == 1 and isinstance(layers.gains[0], Gain):
        return layers.gains[0].tail_index(layers.sigmas[0])
    if math.fsum(n * _log_top(g, s) for (g, s), n in counts.items()) <= 0.0:
        return math.inf

    def slope(order: float) -> float:
        # Lambda(order)/order for the product of the layers; increases with the order.
        scales = {g: math.log(g.scale(order)) for g, _ in counts}
        return math.fsum(n * (math.log(s) - scales[g]) for (g, s), n in counts.items())

    if all(g.prob_zero() == 0.0 for g, _ in counts):
        rounding = 4e-16 * math.fsum(n * (1.0 + abs(math.log(s))) for (_, s), n in counts.items())
        if slope(0.0) >= -rounding:
            return 0.0
    return _root(slope)


def _log_top(gain: Gain | ProjectedGain, sigma: float) -> float:
    """Return the logarithm of the largest value of sigma R."""
    top = gain.support()[1]
    return math.inf if math.isinf(top) else math.log(sigma * top)


def _root(increasing: Callable[[float], float]) -> float:
    """Return the positive root of an increasing function, by bisection and secants."""
    low, high = 0.5, 1.0
    while increasing(high) < 0.0:
        low, high = high, 2.0 * high
        if high > _LARGEST_ORDER:
            return math.inf
    while increasing(low) > 0.0:
        low, high = low / 2.0, low
        if low < _SMALLEST_ORDER:
            return 0.0
    f_low, f_high = increasing(low), increasing(high)
    for _ in range(200):
        if high - low <= 2e-16 * high or f_low == f_high:
            break
        middle = high - f_high * (high - low) / (f_high - f_low)
        if not low < middle < high:
            middle = 0.5 * (low + high)
        f_middle = increasing(middle)
        if f_middle == 0.0:
            return middle
        # Illinois: halve the ordinate of the end that stays, lest it stays for ever.
        if f_middle < 0.0:
            low, f_low, f_high = middle, f_middle, 0.5 * f_high
        else:
            high, f_high, f_low = middle, f_middle, 0.5 * f_low
    return 0.5 * (low + high)
