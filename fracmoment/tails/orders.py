"""Which moments of the output exist, and the scales at which a moment stops to."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fracmoment import _layers, _validation
from fracmoment.gains import Gain
from fracmoment.simulation.weights import StableWeights, StudentWeights
from fracmoment.tails.stationary import checked_network

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["FiniteOrders", "critical_scale", "finite_orders", "stationary_orders"]


class FiniteOrders(NamedTuple):
    """The open interval of the real orders s for which E|x|^s is finite.

    At the ends themselves the moment is infinite (where they are finite and not 0).

    Attributes
    ----------
    lower, upper : float
        The ends; 0.0 as lower end where x = 0 has positive probability: negative moments are
        then infinite, and order 0 says nothing.
    """

    lower: float
    upper: float

    def __contains__(self, order: Any) -> bool:
        """Return whether the moment of an order is finite."""
        value = _validation.as_float("order", order)
        return self.lower < value < self.upper


def finite_orders(
    gain: Gain | Sequence[Gain],
    *,
    biases: bool = False,
    weights: Any = "gaussian",
    inputs: Any = None,
    input_width: int | None = None,
    given_alive: bool = False,
) -> FiniteOrders:
    """Return the orders s for which E|x_k|^s is finite at the output of finitely many layers.

    Parameters
    ----------
    gain : Gain or sequence of Gain
        Gain of every layer, or one entry a layer.
    biases : bool, optional
        Whether the layers have Gaussian biases.
    weights : {"gaussian"}, StudentWeights or StableWeights, optional
        Law of independent weights. Layers with orthogonal weights take "gaussian".
    inputs : None, {"gaussian"}, StudentWeights or StableWeights, optional
        Law of the independent entries of the input; None is a fixed input, not 0.
    input_width : int, optional
        Number of entries of a random input.
    given_alive : bool, optional
        Moments given that no layer is dead.

    Returns
    -------
    FiniteOrders

    Notes
    -----
    Above, a Student law of f degrees of freedom leaves the orders below f, a stable law those below
    its index (all for the normal law, index 2), at any depth; scales do not matter. Below, a layer
    of width d has a bounded, positive density next to 0 in each of its d pre-activations, which
    leaves the orders above -d; given that a ReLU layer or one with dropout is alive, those above
    -1. Without biases the input and every layer count, with biases the last layer alone.

    Examples
    --------
    >>> import fracmoment as fm
    >>> finite_orders([fm.Gain("linear", 5), fm.Gain("linear", 3)])
    FiniteOrders(lower=-3.0, upper=inf)
    >>> finite_orders(fm.Gain("relu", 64), weights=fm.StudentWeights(3))
    FiniteOrders(lower=0.0, upper=3.0)
    >>> -1.5 in finite_orders(fm.Gain("linear", 2), biases=True)
    True
    """
    entries = _layers.gains(gain)
    if not entries:
        message = "gain must hold at least one layer, got an empty sequence"
        raise ValueError(message)
    has_biases = _validation.flag("biases", biases)
    alive = _validation.flag("given_alive", given_alive)
    upper = _tail_of("weights", weights)
    if upper < math.inf and any(entry.weights != "gaussian" for entry in entries):
        message = f"weights must be 'gaussian' for layers of orthogonal weights, got {weights!r}"
        raise ValueError(message)
    counted = entries[-1:] if has_biases else entries
    lower = max(_edge(entry, alive, has_biases) for entry in counted)
    if not alive and not has_biases and any(entry._laws.has_atom() for entry in entries):
        lower = 0.0
    if inputs is not None:
        upper = min(upper, _tail_of("inputs", inputs))
        width = _validation.integer("input_width", input_width, 1, _validation.MAX_WIDTH)
        if not has_biases:
            lower = max(lower, -float(width))
    elif input_width is not None:
        message = f"input_width must be left out for a fixed input, got {input_width}"
        raise ValueError(message)
    return FiniteOrders(lower, upper)


def stationary_orders(gain: Gain, sigma: Any, *, given_alive: bool = False) -> FiniteOrders:
    """Return the orders s for which E|x|^s is finite in the stationary law with Gaussian biases.

    Parameters
    ----------
    gain : Gain
        Gain of every layer; scalar parameters, Gaussian weights.
    sigma : float
        Scale of the weights, > 0, with a positive tail index.
    given_alive : bool, optional
        Moments given that the last layer is alive.

    Returns
    -------
    FiniteOrders
        The upper end is the tail index [Gol91].

    Examples
    --------
    He's scale preserves the second moment; with biases the stationary one is infinite:

    >>> import fracmoment as fm
    >>> gain = fm.Gain("leaky_relu", 16)
    >>> orders = stationary_orders(gain, gain.scale(2))
    >>> round(orders.lower, 9), round(orders.upper, 9)
    (-16.0, 2.0)
    """
    _, alpha = checked_network(gain, sigma, math.inf)
    return FiniteOrders(_edge(gain, _validation.flag("given_alive", given_alive), True), alpha)


def critical_scale(gain: Gain | Sequence[Gain], order: Any = 0.0) -> Any:
    """Return the one scale of all layers that preserves the moment of an order through them.

    Parameters
    ----------
    gain : Gain or sequence of Gain
        Gain of every layer, or one entry a layer.
    order : array_like of float, optional
        Order, >= 0; 0 is the Lyapunov scale, of drift 0 given that no layer is dead.

    Returns
    -------
    float or ndarray
        The geometric mean of the layers' `Gain.scale`: above it the moment grows without bound in
        depth, below it the moment vanishes. With biases the stationary moment is finite below it
        only. The inverse of `tail_index`.

    Examples
    --------
    >>> import fracmoment as fm
    >>> layers = [fm.Gain("linear", 4), fm.Gain("linear", 16)]
    >>> round(critical_scale(layers, 2.0), 12) == round(64**-0.25, 12)
    True
    """
    entries = _layers.gains(gain)
    if not entries:
        message = "gain must hold at least one layer, got an empty sequence"
        raise ValueError(message)
    orders = _validation.floats("order", order)
    _validation.require("order", orders, np.asarray(orders) >= 0.0, ">= 0")
    if len(entries) == 1:
        return entries[0].scale(orders)
    logs = [np.log(entry.scale(orders)) for entry in entries]
    mean = np.exp(np.sum(logs, axis=0) / len(logs))
    return float(mean) if np.ndim(mean) == 0 else mean


def _edge(gain: Gain, alive: bool, biases: bool) -> float:
    """Return the lower end of the finite orders of one layer."""
    if biases and gain.weights == "orthogonal":
        # a Gaussian bias gives every pre-activation a density next to 0
        gain = Gain(gain.activation, gain.width, keep_prob=gain.keep_prob)
    return float(gain._laws.order_edge(given_alive=alive))


def _tail_of(name: str, law: Any) -> float:
    """Return the tail index of the entries' law."""
    if isinstance(law, StudentWeights):
        return law.freedom
    if isinstance(law, StableWeights):
        return law.alpha if law.alpha < 2.0 else math.inf
    if not isinstance(law, str):
        message = f"{name} must be 'gaussian', StudentWeights or StableWeights, got {law!r}"
        raise TypeError(message)
    _validation.choice(name, law, ("gaussian",))
    return math.inf
