"""Tables of constants: scales of initial weights over activations, layers and orders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from fracmoment import _validation
from fracmoment._core import __version__
from fracmoment.activations import Activation, as_activation
from fracmoment.certified.scales import LayerScale
from fracmoment.export.derivation import QUANTITIES, derive
from fracmoment.export.labels import exact_text, label

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fracmoment.export.rounding import Number

__all__ = ["MAX_CONSTANTS", "Constant", "ConstantTable", "tabulate"]

#: A table of more constants than this is taken for a slip of the pen.
MAX_CONSTANTS = 100_000

_T = TypeVar("_T")


@dataclass(frozen=True)
class Constant:
    """One row of a table.

    Attributes
    ----------
    activation : str
        The activation with its slopes, such as ``"relu"`` or ``"leaky_relu(0.01)"``.
    fan_in, fan_out : int
        Number of inputs and of outputs of the layer.
    order : Fraction
        Order of the moment, exactly; 0 is the Lyapunov scale.
    numbers : dict of str to Number
        For Gaussian weights ``"std"``, ``"torch_gain"`` and ``"variance_scaling"``, for orthogonal
        weights ``"factor"``.
    """

    activation: str
    fan_in: int
    fan_out: int
    order: Fraction
    numbers: Mapping[str, Number]


@dataclass(frozen=True)
class ConstantTable:
    """A constant for every combination of some activations, layers and orders.

    Attributes
    ----------
    activations : tuple of Activation
        The activations.
    layers : tuple of (int, int)
        Numbers of inputs and outputs.
    orders : tuple of Fraction
        The orders, exactly.
    preserve, keep_prob, inverted_dropout, weights, given_alive
        What all rows have in common, as for `fracmoment.certified.init_scale`.
    digits : int
        Number of significant decimal digits.
    constants : tuple of Constant
        The rows: all layers of the first activation, all orders of the first layer.
    version : str
        Version of fracmoment that made the table.
    """

    activations: tuple[Activation, ...]
    layers: tuple[tuple[int, int], ...]
    orders: tuple[Fraction, ...]
    preserve: str
    keep_prob: Fraction
    inverted_dropout: bool
    weights: str
    given_alive: bool
    digits: int
    constants: tuple[Constant, ...]
    version: str = __version__

    @property
    def quantities(self) -> tuple[str, ...]:
        """Names of the numbers of a row."""
        return QUANTITIES[self.weights]

    @property
    def labels(self) -> tuple[str, ...]:
        """The activations as the rows name them."""
        return tuple(label(activation) for activation in self.activations)


def tabulate(
    activations: Any,
    layers: Any,
    orders: Any = 1,
    *,
    preserve: str = "rms",
    keep_prob: Any = 1,
    inverted_dropout: bool = True,
    weights: str = "gaussian",
    given_alive: bool = False,
    digits: int = 30,
    progress: Callable[[int, int], None] | None = None,
) -> ConstantTable:
    """Return a table of scales, each rounded with a proof.

    Parameters
    ----------
    activations : Activation, str, or sequence of them
        Activations of scalar slopes, which are taken exactly.
    layers : int, or sequence of int and (int, int)
        Widths of square layers, and pairs ``(fan_in, fan_out)``.
    orders : float, str, int, Fraction, mpmath.mpf, or sequence of them, optional
        Orders of the moments, exactly. No two may be the same double.
    preserve : {"rms", "norm"}, optional
        What keeps its moment: the root mean square of the units, or the norm.
    keep_prob, inverted_dropout, weights, given_alive : optional
        As for `fracmoment.certified.init_scale`.
    digits : int, optional
        Number of significant decimal digits, 1 to 1,000.
    progress : callable, optional
        Called with the number of constants that are done, and of all.

    Returns
    -------
    ConstantTable
        What is given twice is in it once.

    Raises
    ------
    ValueError
        For an argument outside of its range, and for a constant outside the range of a double.
    CertificationError
        If a rounding could not be proved; the message names the constant.

    Notes
    -----
    The scale ``sigma`` comes from an enclosure (`fracmoment.certified.init_scale`), or as the root
    of a rational number where it is one (order 2). Rounding both ends to the same decimal, and to
    the same double, proves the rounding. ``torch_gain`` is ``sigma sqrt(fan_in)`` and
    ``variance_scaling`` is ``sigma^2 fan_in``, each rounded once.

    Examples
    --------
    >>> table = tabulate(["relu", "linear"], [64, (784, 256)], ["1/2", 2], digits=20)
    >>> len(table.constants), table.quantities
    (8, ('std', 'torch_gain', 'variance_scaling'))
    >>> table.constants[0].numbers["std"]
    Number(double=0.1794325913052346, decimal='0.17943259130523458494')
    >>> table.constants[1].numbers["variance_scaling"].decimal
    '2.0000000000000000000'
    """
    chosen = _distinct("activations", activations, _activation)
    shapes = _distinct("layers", layers, _layer)
    exact = _distinct("orders", orders, partial(_validation.rational, "orders"))
    _require_different_doubles(exact)
    count = len(chosen) * len(shapes) * len(exact)
    if count > MAX_CONSTANTS:
        message = f"the table would have {count} constants, more than {MAX_CONSTANTS}"
        raise ValueError(message)
    keep = _validation.rational("keep_prob", keep_prob)
    common: dict[str, Any] = {
        "preserve": preserve,
        "keep_prob": keep,
        "inverted_dropout": inverted_dropout or keep == 1,
        "weights": weights,
        "given_alive": given_alive,
    }
    many = _validation.digits(digits)
    # All arguments are checked before the first constant is derived.
    keys = list(product(chosen, shapes, exact))
    scales = [LayerScale.of(phi, *layer, order, **common) for phi, layer, order in keys]
    constants = []
    for done, ((phi, layer, order), scale) in enumerate(zip(keys, scales, strict=True)):
        if progress is not None:
            progress(done, count)
        row = f"{label(phi)}, layer {layer[0]} -> {layer[1]}, order {exact_text(order)}"
        numbers = derive(scale, layer[0], weights, many, row)
        constants.append(Constant(label(phi), *layer, order, numbers))
    if progress is not None:
        progress(count, count)
    return ConstantTable(chosen, shapes, exact, digits=many, constants=tuple(constants), **common)


# ---------------------------------------------------------------- arguments


def _distinct(name: str, value: Any, convert: Callable[[Any], _T]) -> tuple[_T, ...]:
    """Return one or several arguments, each once, in the order in which they are given."""
    single = isinstance(value, (Activation, str)) or not isinstance(value, Iterable)
    entries = tuple(dict.fromkeys(map(convert, [value] if single else value)))
    if not entries:
        message = f"{name} must not be empty"
        raise ValueError(message)
    return entries


def _activation(value: Any) -> Activation:
    activation = as_activation(value)
    if any(np.ndim(slope) for slope in activation.exact_slopes):
        message = f"activations must have one slope each, got {activation!r}"
        raise ValueError(message)
    return activation


def _layer(value: Any) -> tuple[int, int]:
    pair = value if isinstance(value, (tuple, list)) else (value, value)
    if len(pair) != 2:
        message = f"layers must be widths or pairs (fan_in, fan_out), got {value!r}"
        raise ValueError(message)
    fan_in, fan_out = (
        _validation.integer(name, fan, 1, _validation.MAX_WIDTH)
        for name, fan in zip(("fan_in", "fan_out"), pair, strict=True)
    )
    return fan_in, fan_out


def _require_different_doubles(orders: tuple[Fraction, ...]) -> None:
    """Refuse orders that one could not look up by a double."""
    known: dict[float, Fraction] = {0.0: Fraction(0)}
    for order in orders:
        if known.setdefault(_validation.as_float("orders", order), order) != order:
            message = f"orders must differ as doubles, and from 0: {float(order)!r} is two of them"
            raise ValueError(message)
