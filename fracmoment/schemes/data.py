"""LSUV: orthonormal weights, scaled layer by layer until outputs on a batch have unit variance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _validation
from fracmoment._core import ConvergenceError
from fracmoment.schemes.base import Numbers, Scheme
from fracmoment.schemes.orthogonal import Orthogonal

if TYPE_CHECKING:
    from collections.abc import Callable

    from fracmoment._typing import FloatArray
    from fracmoment.schemes.base import Kernel, Site, Statement

__all__ = ["LSUV", "LSUVLayer", "lsuv"]

MAX_ROUNDS = 1000

_WHY = (
    "Scales are measured, not derived: each layer is divided by the standard deviation of its"
    " outputs on one batch, given the weights before it. Exact is only that on this batch the"
    " variance is within the tolerance; one round suffices where outputs are linear in the weights,"
    " without biases. Another batch, or a layer after training began, has another variance."
)


@dataclass(frozen=True)
class LSUVLayer:
    """What happened to one layer.

    Attributes
    ----------
    factor : float
        What its weights were multiplied by in all.
    variance : float
        Variance of its outputs on the batch in the end.
    rounds : int
        How often it was scaled.
    """

    factor: float
    variance: float
    rounds: int


def lsuv(
    layers: int,
    outputs: Callable[[int], Any],
    rescale: Callable[[int, float], None],
    *,
    tolerance: float = 0.1,
    max_rounds: int = 10,
) -> list[LSUVLayer]:
    """Scale layers, from the first on, until their outputs have unit variance [MM16].

    An algorithm over callables, so that it serves any framework: it only asks for outputs and
    for weights to be multiplied. The layers should have orthonormal weights before, as `LSUV` draws
    them.

    Parameters
    ----------
    layers : int
        Number of layers.
    outputs : callable
        ``outputs(i)`` returns the outputs of layer ``i`` (0 the first) on the batch, as an array of
        any shape, with the weights as they are now.
    rescale : callable
        ``rescale(i, factor)`` multiplies the weights of layer ``i``.
    tolerance : float, optional
        The variance shall be within that of 1; in (0, 1).
    max_rounds : int, optional
        How often a layer may be scaled.

    Returns
    -------
    list of LSUVLayer

    Raises
    ------
    ValueError
        The outputs of a layer are not finite, or all equal, so that no factor helps.
    ConvergenceError
        The variance is not within the tolerance after `max_rounds`.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> batch = rng.standard_normal((200, 30))
    >>> weights = [LSUV().sample((20, 30), rng=rng), LSUV().sample((20, 20), rng=rng)]
    >>> def outputs(i):
    ...     x = batch
    ...     for w in weights[:i]:
    ...         x = np.maximum(x @ w.T, 0.0)
    ...     return x @ weights[i].T
    >>> def rescale(i, factor):
    ...     weights[i] *= factor
    >>> report = lsuv(2, outputs, rescale, tolerance=1e-6)
    >>> [layer.rounds for layer in report], bool(abs(outputs(1).var() - 1.0) < 1e-14)
    ([1, 1], True)
    """
    count = _validation.integer("layers", layers, 1, _validation.MAX_WIDTH)
    allowed = _validation.as_float("tolerance", tolerance)
    _validation.require("tolerance", allowed, 0.0 < allowed < 1.0, "in (0, 1)")
    most = _validation.integer("max_rounds", max_rounds, 1, MAX_ROUNDS)
    return [_scaled(index, outputs, rescale, allowed, most) for index in range(count)]


def _scaled(
    index: int,
    outputs: Callable[[int], Any],
    rescale: Callable[[int, float], None],
    tolerance: float,
    max_rounds: int,
) -> LSUVLayer:
    total = 1.0
    variance = _variance(outputs(index), index)
    for rounds in range(max_rounds + 1):
        if abs(variance - 1.0) < tolerance:
            return LSUVLayer(total, variance, rounds)
        if rounds == max_rounds:
            break
        factor = 1.0 / math.sqrt(variance)
        rescale(index, factor)
        total *= factor
        variance = _variance(outputs(index), index)
    message = (
        f"layer {index} has outputs of variance {variance:.6g} after {max_rounds} rounds, farther"
        f" from 1 than the tolerance {tolerance:g}: scaling its weights does not scale its outputs"
        " (biases, or a normalization behind it); allow more rounds or a larger tolerance"
    )
    raise ConvergenceError(message)


def _variance(values: Any, index: int) -> float:
    array = np.asarray(values, dtype=np.float64)
    variance = float(np.var(array)) if array.size else 0.0
    if not 0.0 < variance < math.inf:
        what = "no spread" if variance == 0.0 else "values that are not finite"
        message = f"outputs of layer {index} must vary on the batch, got {what}"
        raise ValueError(message)
    return variance


@dataclass(frozen=True)
class LSUV(Scheme):
    """Layer-sequential unit-variance initialization, the part before data: orthonormal weights.

    The scales come from `lsuv` and a batch.

    Examples
    --------
    >>> LSUV().statement(30, 20).evidence
    'empirical'
    """

    @property
    def name(self) -> str:
        """The name under which `get` knows the scheme."""
        return "lsuv"

    def scale(self, fan_in: Any, fan_out: Any) -> Any:
        """Raise TypeError: the scale comes from data."""
        del fan_in, fan_out
        message = "LSUV() has no scale: it comes from data, see fracmoment.schemes.lsuv"
        raise TypeError(message)

    def _draw(self, kernel: Kernel, rng: np.random.Generator) -> FloatArray:
        return Orthogonal()._draw(kernel, rng)

    def _state(self, site: Site) -> Statement:
        return self._statement(
            site,
            "Unit variance of the outputs before the activation, on one batch.",
            Numbers(),
            _WHY,
            evidence="empirical",
        )
