"""Standard deviations to initialize a layer with."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _core, _digits, _validation
from fracmoment._laws import Laws, check_order
from fracmoment.activations import as_activation
from fracmoment.gains import WEIGHTS

if TYPE_CHECKING:
    from fracmoment._typing import Result

__all__ = ["init_scale"]

PRESERVE = ("rms", "norm")


def init_scale(
    activation: Any,
    fan_in: Any,
    fan_out: Any,
    order: Any,
    *,
    preserve: Any = "rms",
    keep_prob: Any = 1.0,
    weights: Any = "gaussian",
    inverted_dropout: bool = True,
    given_alive: bool = False,
    digits: int | None = None,
) -> Result:
    """Return the standard deviation of weights that preserves a moment of the signal exactly.

    Parameters
    ----------
    activation : Activation, str, or sequence of them
        As for `Gain`.
    fan_in, fan_out : int or array_like of int
        Number of inputs and of outputs of the layer; the width of the gain is ``fan_out``.
    order : float, str, Fraction, mpmath.mpf or array_like
        Order of the moment: 2 gives the classical schemes, 0 the Lyapunov scale, at which the
        norm neither grows nor shrinks typically. Domain as for `Gain.scale`.
    preserve : {"rms", "norm"} or array_like of them, optional
        What to preserve: the root mean square ``|x|/sqrt(n)`` of the units (at order 2 the usual
        fan-in scale, He's for ReLU) or the norm ``|x|`` (at order 2 the fan-out scale). They agree
        for square layers.
    keep_prob : float or array_like, optional
        Probability in (0, 1] that dropout keeps a unit of the output.
    weights : {"gaussian", "orthogonal"} or array_like of them, optional
        I.i.d. normal weights, or a Haar orthogonal matrix (its first rows or columns where the
        layer is rectangular) times the scale.
    inverted_dropout : bool, optional
        Whether the units that are kept are divided by ``keep_prob``.
    given_alive : bool, optional
        Preserve the moment given that the layer is not dead.
    digits : int, optional
        Return an `mpmath.mpf` correct to so many decimal digits.

    Returns
    -------
    float, mpmath.mpf or ndarray
        Everything but ``digits`` and the two flags broadcasts. The error of a float is at most
        1 ulp.

    Notes
    -----
    ``sqrt(fan_out/fan_in) M(s)^(-1/s)`` for the root mean square, ``M(s)^(-1/s)`` for the norm,
    with M(s) the moment of the gain at width ``fan_out``. Orthogonal weights with more inputs than
    outputs are no isometry: they keep ``fan_out`` coordinates of a random rotation of ``fan_in``,
    so the ratio law there divides by a chi variable of ``fan_in`` degrees of freedom.

    Examples
    --------
    >>> init_scale("relu", 128, 32, 2.0)
    0.125
    >>> init_scale("relu", 784, 32, 2.0, preserve="norm")
    0.25
    >>> init_scale("linear", [16, 64], 64, 2.0)
    array([0.25 , 0.125])
    >>> init_scale("linear", 64, 64, 0.5, weights="orthogonal")
    1.0
    """
    exact_slopes, slopes = _slopes(activation)
    n_in = _validation.width(fan_in, "fan_in")
    n_out = _validation.width(fan_out, "fan_out")
    rms = _equal("preserve", preserve, PRESERVE, "rms")
    orthogonal = _equal("weights", weights, WEIGHTS, "orthogonal")
    exact_keep = _validation.keep_prob(keep_prob)
    keep = _validation.floats("keep_prob", exact_keep)
    inverted = _validation.flag("inverted_dropout", inverted_dropout)
    alive = _validation.flag("given_alive", given_alive)
    laws = Laws(n_out, *slopes, keep, inverted, orthogonal)
    domain = _domain(laws, n_in)
    if digits is not None:
        count = _validation.digits(digits)
        s = _validation.canonical("order", order)
        check_order(domain, s, alive, allow_zero=True)

        def one(*row: Any) -> Any:
            return _exact(row, inverted, alive, count)

        return _digits.broadcast(one, n_in, n_out, *exact_slopes, exact_keep, orthogonal, rms, s)
    orders = _validation.floats("order", order)
    check_order(domain, orders, alive, allow_zero=True)
    if laws.scalar and isinstance(orders, float) and type(n_in) is int and type(rms) is bool:
        return _core.init_scale(orders, alive, n_in, rms, *laws)
    shapes = [np.shape(argument) for argument in (orders, n_in, rms)]
    laws.require_shape(*shapes, names="order, fan_in and preserve")
    shape, (flat_orders, inputs, in_rms, *columns) = laws.flat(orders, n_in, rms)
    scales = _core.init_scales(flat_orders, alive, inputs, in_rms, *columns)
    return float(scales[0]) if shape == () else scales.reshape(shape)


def _domain(laws: Laws, fan_in: Any) -> Laws:
    """Return laws with the orders of the layers: one that narrows is no isometry."""
    if laws.orthogonal is False:
        return laws
    laws.require_shape(np.shape(fan_in))
    return laws._replace(orthogonal=laws.orthogonal & (fan_in <= laws.width))


def _exact(row: tuple[Any, ...], inverted: bool, given_alive: bool, digits: int) -> Any:
    """Return one scale to the digits asked for."""
    fan_in, fan_out, lower, upper, keep, orthogonal, rms, order = row
    more = digits + 5
    wide = orthogonal and fan_in > fan_out
    square = orthogonal and not wide
    law = _digits.ExactLaw(fan_out, lower, upper, keep, inverted, square, given_alive)
    scale = law.evaluate("scale", order, more)
    if wide:
        linear = _digits.ExactLaw(fan_in, 1.0, 1.0, 1.0, False, False)
        scale = _digits.quotient(scale, linear.evaluate("scale", order, more), more)
    if rms and fan_in != fan_out:
        scale = _digits.times_root(scale, Fraction(int(fan_out), int(fan_in)), more)
    return scale


def _slopes(activation: Any) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """Return the exact and the rounded slopes of an activation, or arrays of them."""
    if not isinstance(activation, (list, tuple, np.ndarray)):
        one = as_activation(activation)
        return one.exact_slopes, one.slopes
    names = np.asarray(activation, dtype=object)
    entries = [as_activation(entry) for entry in names.flat]
    exact = np.empty((2, names.size), dtype=object)
    for index, entry in enumerate(entries):
        exact[:, index] = entry.exact_slopes
    both = exact.reshape(2, *names.shape)
    rounded = np.asarray(_validation.floats("slopes", both))
    return (both[0], both[1]), (rounded[0], rounded[1])


def _equal(name: str, value: Any, known: tuple[str, ...], wanted: str) -> Any:
    """Return whether a name, or each of an array of names, is the wanted one of those known."""
    if isinstance(value, str) or not _validation.is_array_like(value):
        return _validation.choice(name, value, known) == wanted
    names = np.asarray(value, dtype=object)
    flags = [_validation.choice(name, entry, known) == wanted for entry in names.flat]
    return np.array(flags, dtype=bool).reshape(names.shape)
