"""Networks as products of gains with Gaussian weights: what the core takes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from fracmoment import _core
from fracmoment.gains import Gain

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["core_law", "gaussian_factors"]


def gaussian_factors(gain: Gain, fan_in: int, count: int) -> Counter[Gain]:
    """Return gains with Gaussian weights whose powers multiply to some layers.

    Parameters
    ----------
    gain : Gain
        The gain of one layer, of scalar parameters.
    fan_in : int
        Number of inputs. Orthonormal rows, fan_in > width, keep of a vector the norm of width of
        the fan_in normal variates that point in its direction.
    count : int
        Number of such layers.

    Returns
    -------
    Counter
        Powers by gain. For orthogonal weights ``|phi(u)|``, u a uniform direction, is the gain
        over the norm of its normal vector, to which it is independent: a negative power.
    """
    if gain.weights == "gaussian":
        return Counter({gain: count})
    plain = Gain(
        gain.activation,
        gain.width,
        keep_prob=gain.keep_prob,
        inverted_dropout=gain.inverted_dropout,
    )
    counts = Counter({plain: count})
    counts[Gain("linear", max(gain.width, fan_in))] -= count
    return counts


def core_law(counts: Mapping[Gain, int], scales: Mapping[float, int]) -> _core.DepthLaw | None:
    """Return the law of ``sum log(sigma R)``; None where it is a single point.

    Parameters
    ----------
    counts : mapping of Gain to int
        Numbers of layers by gain with Gaussian weights, negative ones for quotients.
    scales : mapping of float to int
        Numbers of layers by scale.
    """
    factors = [(gain._law, float(n)) for gain, n in counts.items() if n != 0]
    laws = [law for law, _ in factors if law is not None]  # all: their parameters are scalars
    if not laws:
        return None
    repeats = [(sigma, float(n)) for sigma, n in scales.items()]
    return _core.DepthLaw(laws, [n for _, n in factors], repeats)
