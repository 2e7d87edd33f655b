"""Schemes that are one scale times a random matrix of a known law."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fracmoment import _validation
from fracmoment._results import plain
from fracmoment.activations import Activation, as_activation
from fracmoment.expansions import unit_moments
from fracmoment.gains import Gain
from fracmoment.schemes.base import Numbers, Quantity, Scheme, Site, Statement
from fracmoment.schemes.entries import draw_entries, symmetric_entries
from fracmoment.schemes.haar import haar_orthogonal
from fracmoment.schemes.numbers import Layers, numbers_of

if TYPE_CHECKING:
    from fracmoment._typing import FloatArray, Result
    from fracmoment.schemes.base import Kernel

QUANTITIES: tuple[Quantity, ...] = ("rms", "norm")

_WHY_GAUSSIAN = (
    "Rows of independent normal entries turn any input into independent normal pre-activations, so"
    " |phi(W x)| is sigma R |x| with R independent of x [GH21]."
)
_WHY_ORTHOGONAL = (
    "A Haar orthogonal matrix turns any input into a uniform direction, so |phi(W x)| is eta R |x|"
    " with R the ratio |phi(g)|/|g|"
)
_WHY_NARROW = ", times a chi ratio for the coordinates that a layer with fewer units leaves out"
_WHY_ENTRIES = (
    "Entries of symmetric law and equal variance: means of squares, the death of layers and the"
    " defect are those of independent rows. The law of W x depends on x and is normal only in the"
    " limit of many inputs of like size (central limit theorem), so what is approximate is the"
    " normal law's."
)
_POSITION = (
    " A kernel: true at one output position, whose units share one patch of inputs. Positions share"
    " the weights, so their joint law, and deeper layers, are covered at order 2 only, in mean."
)


class Model(NamedTuple):
    """The layer that a scheme of one scale is for.

    Attributes
    ----------
    activation : Activation
        After the matrix product.
    quantity : {"rms", "norm"}
        What the scheme means to preserve.
    weights : {"gaussian", "orthogonal"}
        Law of the matrix at scale 1.
    entries : {"normal", "uniform", "truncated"}
        Law of the entries of a matrix that is not orthogonal.
    keep_prob : float
        Probability with which inverted dropout keeps a unit.
    order : float or None
        The order that the scale preserves by its definition, where there is one.
    """

    activation: Activation
    quantity: Quantity = "rms"
    weights: str = "gaussian"
    entries: str = "normal"
    keep_prob: float = 1.0
    order: float | None = None


@dataclass(frozen=True)
class ScaledScheme(Scheme):
    """Base of the schemes that are one scale times a random matrix of a known law."""

    @abstractmethod
    def _model(self) -> Model: ...

    def _draw(self, kernel: Kernel, rng: np.random.Generator) -> FloatArray:
        model, scale = self._model(), self._scale_at(kernel.site)
        if model.weights == "gaussian":
            return draw_entries(model.entries, kernel.shape, scale, rng)
        rows, columns = kernel.site.width, kernel.site.fan_in
        matrices = scale * haar_orthogonal(kernel.groups, rows, columns, rng)
        return kernel.assemble([matrix.reshape(kernel.block) for matrix in matrices])

    def gain(self, width: Any, fan_in: Any = None) -> Gain | None:
        """Return the exact law of the gain of a layer at scale 1, or None where it has none."""
        model = self._model()
        if model.entries != "normal":
            return None
        if model.weights == "orthogonal" and fan_in is not None:
            inputs = _validation.width(fan_in, "fan_in")
            if np.any(np.asarray(inputs) > np.asarray(_validation.width(width))):
                return None
        return Gain(model.activation, width, keep_prob=model.keep_prob, weights=model.weights)

    def _state(self, site: Site) -> Statement:
        model = self._model()
        return self._described(site, model, self._scales(site))

    def _scales(self, site: Site) -> list[float]:
        """Return the scales of the layer and of those that follow it."""
        first = self._scale_at(site)
        if site.depth == 1:
            return [first]
        return [first, *[self._scale_at(Site(*[site.fan_out] * 3))] * (site.depth - 1)]

    def _described(self, site: Site, model: Model, scales: list[float]) -> Statement:
        normal = model.entries == "normal"
        law = model.weights if normal else symmetric_entries(model.entries)
        widths = [site.fan_in, *[site.width] * site.depth]
        layers = Layers(model.activation, widths, scales, law, model.keep_prob)
        numbers = numbers_of(layers, model.quantity, isometry=site.taps == 1)
        square = _square_factor(model, site, scales[0])
        numbers = numbers._replace(order=_order(model, numbers, square))
        if normal:
            sentence = preserved(numbers, model.quantity, square)
            return self._statement(
                site, sentence, numbers, _reason(model, site), quantity=model.quantity
            )
        return in_the_limit(
            self, site, site.fan_in, numbers, square, model.quantity, _reason(model, site)
        )


def in_the_limit(
    scheme: Scheme,
    site: Site,
    inputs: int,
    numbers: Numbers,
    square: float,
    quantity: Quantity,
    reason: str,
) -> Statement:
    """Return the statement about entries whose sums are normal in the limit only.

    That the mean square is preserved is exact, whatever the entries. Moments of order s of a sum
    of n terms are near those of the limit while s^2 is small beside n, `inputs` here.
    """
    roughly = not is_one(square)
    if roughly and numbers.order is not None and numbers.order**2 > inputs:
        numbers = numbers._replace(order=None)
    return scheme._statement(
        site,
        preserved(numbers, quantity, square, roughly=roughly),
        numbers,
        reason,
        evidence="asymptotic" if roughly and numbers.order is not None else "exact",
        quantity=quantity,
        approximate=(*(("order",) if roughly else ()), "drift", "log_variance"),
    )


def _square_factor(model: Model, site: Site, scale: float) -> float:
    """Return what the mean square of the quantity is multiplied by, for every law of entries."""
    factor = scale * scale * unit_moments(Gain(model.activation, 1))[0] / model.keep_prob
    factor *= site.fan_in if model.quantity == "rms" else site.width
    if model.weights == "orthogonal":
        factor /= max(site.fan_in, site.width)
    return float(factor)


def _order(model: Model, numbers: Numbers, square: float) -> float | None:
    if numbers.log_variance == 0.0 and not numbers.prob_dead:
        return None  # a constant factor preserves all moments, or none
    if model.order is not None:
        return model.order
    return 2.0 if is_one(square) else numbers.order


def preserved(numbers: Numbers, quantity: str, square: float, *, roughly: bool = False) -> str:
    """Return the sentence about a scale: the order that it preserves, what it does to squares.

    Parameters
    ----------
    numbers : Numbers
        Order and drift; an order of None is one too large to be found.
    quantity : {"rms", "norm"}
        What they are about.
    square : float
        The factor of the mean square.
    roughly : bool, optional
        Whether the order is that of a limit.
    """
    symbol = "rms" if quantity == "rms" else "|x|"
    order, drift = numbers.order, numbers.drift
    if numbers.log_variance == 0.0 and not numbers.prob_dead:
        exactly = f"{symbol} itself is multiplied by {math.exp(drift or 0.0):.6g}, for every input."
        return f"{symbol} itself, of every input." if is_one(square) else exactly
    dead = ", dead layers included" if numbers.prob_dead else ""
    if is_one(square):
        return f"E {symbol}^2{dead}."
    squares = f"E {symbol}^2 is multiplied by {square:.6g}."
    if order is None:
        return f"No moment of low order: all of those shrink; {squares}"
    if order == 0.0 and drift is not None and abs(drift) < 1e-12:
        return f"E log {symbol}{', given that the layer is alive' if dead else ''}; {squares}"
    if order == 0.0:
        return f"No moment: the signal grows; {squares}"
    if math.isinf(order):
        return f"No moment: all shrink; {squares}"
    exponent = f"^s for s about {order:.3g}" if roughly else f"^{order:.6g}"
    return f"E {symbol}{exponent}{dead}; {squares}"


def is_one(factor: float) -> bool:
    """Return whether a factor is 1 up to rounding."""
    return abs(factor - 1.0) < 1e-13


def _reason(model: Model, site: Site) -> str:
    if model.weights == "orthogonal":
        reason = _WHY_ORTHOGONAL + (_WHY_NARROW if site.fan_in > site.width else "") + "."
    else:
        reason = _WHY_GAUSSIAN if model.entries == "normal" else _WHY_ENTRIES
    return reason + (_POSITION if site.taps > 1 else "")


# ------------------------------------------------------------ parameters


def set_fields(scheme: Scheme, **values: Any) -> None:
    """Set checked fields of a frozen scheme."""
    for name, value in values.items():
        object.__setattr__(scheme, name, value)


def single_activation(value: Any) -> Activation:
    """Return an activation whose parameters are single numbers."""
    activation = as_activation(value)
    if Gain(activation, 1).shape:
        message = f"activation must have parameters that are single numbers, got {activation!r}"
        raise ValueError(message)
    return activation


def broadcast_fans(fan_in: Any, fan_out: Any) -> tuple[Any, Any]:
    """Return checked fans, broadcast together, as floats."""
    n_in, n_out = _validation.width(fan_in, "fan_in"), _validation.width(fan_out, "fan_out")
    try:
        inputs, outputs = np.broadcast_arrays(np.asarray(n_in), np.asarray(n_out))
    except ValueError:
        message = (
            f"fan_in and fan_out must broadcast together, got shapes {np.shape(n_in)} and "
            f"{np.shape(n_out)}"
        )
        raise ValueError(message) from None
    return inputs.astype(np.float64), outputs.astype(np.float64)


def constant_scale(factor: float, fan_in: Any, fan_out: Any) -> Result:
    """Return a factor, in the shape of the fans broadcast together."""
    inputs, _ = broadcast_fans(fan_in, fan_out)
    return plain(np.full(inputs.shape, factor))


def positive_number(name: str, value: Any) -> float:
    """Return one positive number."""
    number = _validation.as_float(name, value)
    _validation.require(name, number, number > 0.0, "> 0")
    return number
