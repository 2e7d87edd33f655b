"""Dynamical isometry: exact spectral moments of input-output Jacobians at finite width."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fracmoment import _validation
from fracmoment.gains import WEIGHTS, Gain
from fracmoment.signals._layers import require_single
from fracmoment.signals.kernels import dropout_factors, slope_nodes

if TYPE_CHECKING:
    from collections.abc import Callable

    from fracmoment._typing import FloatArray

__all__ = ["JacobianMoments", "SymmetricEntries", "fuss_catalan", "jacobian_moments"]


@dataclass(frozen=True)
class SymmetricEntries:
    """Weights of independent rows whose entries have a law that their signs do not change.

    Parameters
    ----------
    kurtosis : float
        ``E w^4/(E w^2)^2`` of an entry that is not zero, >= 1: 3 for normal entries, 9/5 for
        uniform ones.
    nonzero : int, optional
        How many entries of a row, uniformly chosen, are not zero; all by default.

    Examples
    --------
    >>> SymmetricEntries(1.8)
    SymmetricEntries(kurtosis=1.8, nonzero=None)
    """

    kurtosis: float
    nonzero: int | None = None

    def __post_init__(self) -> None:
        """Check the parameters."""
        value = _validation.as_float("kurtosis", self.kurtosis)
        _validation.require("kurtosis", value, value >= 1.0, ">= 1")
        object.__setattr__(self, "kurtosis", value)
        if self.nonzero is not None:
            _validation.integer("nonzero", self.nonzero, 1, _validation.MAX_WIDTH)

    def moments(self, fan_in: int) -> tuple[float, float, float]:
        """Return ``E w_a^2``, ``E w_a^2 w_b^2`` and ``E w_a^4``, E w^2 = 1 where not zero."""
        if self.nonzero is None:
            return 1.0, 1.0, self.kurtosis
        _validation.require("nonzero", self.nonzero, self.nonzero <= fan_in, f"<= {fan_in} inputs")
        share = self.nonzero / fan_in
        pairs = share * (self.nonzero - 1) / (fan_in - 1) if fan_in > 1 else 0.0
        return share, pairs, share * self.kurtosis


@dataclass(frozen=True)
class JacobianMoments:
    """Moments of the squared singular values of J, the eigenvalues of S = J J^T, after every layer.

    Entry k of the arrays belongs to the Jacobian of the first k layers, entry 0 to the identity.

    Attributes
    ----------
    trace : ndarray, shape (depth + 1,)
        E tr S = E |J|^2.
    trace_of_square : ndarray, shape (depth + 1,)
        E tr S^2.
    square_of_trace : ndarray, shape (depth + 1,)
        E (tr S)^2.
    inputs : int
        Number of inputs, the number of columns of J.
    """

    trace: FloatArray
    trace_of_square: FloatArray
    square_of_trace: FloatArray
    inputs: int

    @property
    def defect(self) -> FloatArray:
        """E |J^T J - 1|^2 over the number of inputs: 0 for an isometry."""
        n = self.inputs
        return self.trace_of_square / n - 2.0 * self.trace / n + 1.0

    @property
    def spread(self) -> FloatArray:
        """E tr S^2/n over the square of E tr S/n, less 1: the defect that no scale can mend."""
        return self.trace_of_square / self.inputs / (self.trace / self.inputs) ** 2 - 1.0


class _Traces(NamedTuple):
    trace: float
    trace_of_square: float
    square_of_trace: float
    diagonal: float = math.nan  # E sum of squares of the diagonal of S, for entries' laws only


def jacobian_moments(
    width: Any,
    sigma: Any,
    depth: Any = None,
    *,
    activation: Any = "relu",
    weights: str | SymmetricEntries = "gaussian",
    looks_linear: bool = False,
    keep_prob: Any = 1.0,
    inverted_dropout: bool = True,
) -> JacobianMoments:
    """Return exact first and second spectral moments of the input-output Jacobian of a network.

    Parameters
    ----------
    width : int or sequence of int
        Number of units of the input and of every layer: one for all, or ``depth + 1`` of them.
    sigma : float or sequence of float
        Scale of the weights of every layer, or one for each, > 0: the standard deviation of
        Gaussian weights, the factor of orthogonal ones.
    depth : int, optional
        Number of layers; not needed with a sequence of widths.
    activation : Activation or str, optional
        Activation of every layer, the last one included.
    weights : {"gaussian", "orthogonal"} or SymmetricEntries, optional
        Law of the weights: independent normal entries, Haar's law of orthonormal columns (rows,
        where a layer is narrower than the one before), or other entries of symmetric law, for an
        input without zeros.
    looks_linear : bool, optional
        Whether the weights are ``[[W, -W], [-W, W]]``, ``[W; -W]`` in the first layer, with W of
        the law given: Gaussian submatrix [BD19] or looks-linear initialization. Layers have even
        widths then, the activation a fixed slope, and there is no dropout.
    keep_prob : float, optional
        Probability, in (0, 1], that dropout keeps a unit.
    inverted_dropout : bool, optional
        Whether the units that are kept are divided by ``keep_prob``.

    Returns
    -------
    JacobianMoments

    Raises
    ------
    ValueError, TypeError
        For arguments outside these ranges.
    OverflowError
        If a moment is beyond the range of doubles.

    Notes
    -----
    The signs of the pre-activations are fair coins independent of the weights but for signs of rows
    [HN20], with biases too. With ``D = diag(r)``, ``m2 = E r^2``, ``m4 = E r^4`` and d units a
    Gaussian layer takes ``S`` to ``S' = D W S W^T D`` with

        E tr S'^2   = sigma^4 (d m4 (E (tr S)^2 + 2 E tr S^2) + d(d-1) m2^2 E tr S^2),
        E (tr S')^2 = sigma^4 (d m4 (E (tr S)^2 + 2 E tr S^2) + d(d-1) m2^2 E (tr S)^2);

    orthogonal weights follow from the fourth moments of Haar's law, other entries from the same
    recursion with the sum of squares of the diagonal of S beside the traces. All terms of the
    Gaussian recursion are positive: relative error a few 1e-16 times the depth.

    Examples
    --------
    A linear network of orthogonal weights is an isometry, a Gaussian one spreads with its depth:

    >>> jacobian_moments(64, 1.0, 50, activation="linear", weights="orthogonal").defect[-1] < 1e-12
    np.True_
    >>> jacobian_moments(64, 1 / 8, 50, activation="linear").spread[[1, 50]].round(4)
    array([ 1.0156, 91.9203])
    """
    widths = _widths(width, depth)
    scales = _scales(sigma, len(widths) - 1)
    unit = Gain(activation, 1, keep_prob=keep_prob, inverted_dropout=inverted_dropout)
    require_single(unit)
    step = _step(weights)
    if _validation.flag("looks_linear", looks_linear):
        slope = _fixed_slope(unit)
        widths = [widths[0], *_halves(widths[1:])]
        unit, inner, last = Gain("linear", 1), abs(1.0 + slope), math.hypot(1.0, slope)
    else:
        inner = last = 1.0
    second, fourth = _unit_moments(unit)
    n = float(widths[0])
    path, factor = [_Traces(n, n, n * n, n)], 1.0
    rows = [path[0]]
    for fan_in, fan_out, scale in zip(widths[:-1], widths[1:], scales, strict=True):
        path.append(step(path[-1], fan_in, fan_out, scale * scale * factor, second, fourth))
        factor = inner * inner
        rows.append(_scaled(path[-1], last * last))
    columns = np.array(rows).T[:3]
    if not np.isfinite(columns).all():
        message = f"moments of {len(widths) - 1} layers exceed the range of doubles"
        raise OverflowError(message)
    return JacobianMoments(columns[0], columns[1], columns[2], widths[0])


def fuss_catalan(order: int, depth: int) -> int:
    """Return the Fuss-Catalan number ``binomial((k+1) p, p)/(k p + 1)`` of order p and depth k.

    It is the limit of ``E tr S^p/d`` for products of k Gaussian d x d matrices of variance 1/d, as
    d grows.

    Parameters
    ----------
    order : int
        Order p of the moment, 0 to 10,000.
    depth : int
        Number k of factors, 1 to 10,000.

    Examples
    --------
    >>> [fuss_catalan(p, 1) for p in range(6)]  # Catalan numbers
    [1, 1, 2, 5, 14, 42]
    >>> fuss_catalan(2, 7)
    8
    """
    p = _validation.integer("order", order, 0, 10_000)
    k = _validation.integer("depth", depth, 1, 10_000)
    return math.comb((k + 1) * p, p) // (k * p + 1)


def _unit_moments(unit: Gain) -> tuple[float, float]:
    """Return E r^2 and E r^4 of a unit's derivative r: 1 or the slope, times the dropout mask."""
    slopes, shares = slope_nodes(unit)
    second, fourth, _ = dropout_factors(unit)
    squares = slopes * slopes
    of_square = 0.5 * float(shares @ (1.0 + squares))
    return second * of_square, fourth * 0.5 * float(shares @ (1.0 + squares * squares))


def _scaled(traces: _Traces, factor: float) -> _Traces:
    squared = factor * factor
    first, second, third, fourth = traces
    return _Traces(factor * first, squared * second, squared * third, squared * fourth)


def _step(weights: str | SymmetricEntries) -> Callable[..., _Traces]:
    """Return what takes the moments of S through a layer: inputs, units, scale, unit moments."""
    if isinstance(weights, SymmetricEntries):
        return partial(_entries, weights)
    kind = _validation.choice("weights", weights, WEIGHTS)
    return _orthogonal if kind == "orthogonal" else _gaussian


def _entries(
    law: SymmetricEntries, s: _Traces, n: int, d: int, variance: float, m2: float, m4: float
) -> _Traces:
    """Return the moments of ``D W S W^T D`` for independent rows w of symmetric entries.

    ``E (w^T S w)^2`` sums ``E w_a w_b w_c w_e S_ab S_ce`` over equal pairs of indices, of which the
    three pairings share the diagonal.
    """
    second, pairs, fourth = law.moments(n)
    quadratic = pairs * (s.square_of_trace + 2.0 * s.trace_of_square - 3.0 * s.diagonal)
    same = d * m4 * (quadratic + fourth * s.diagonal)
    other = d * (d - 1) * (m2 * second) ** 2
    result = _Traces(
        d * m2 * second * s.trace,
        same + other * s.trace_of_square,
        same + other * s.square_of_trace,
        same,
    )
    return _scaled(result, variance)


def _gaussian(s: _Traces, _: int, d: int, variance: float, m2: float, m4: float) -> _Traces:
    same = d * m4 * (s.square_of_trace + 2.0 * s.trace_of_square)
    other = d * (d - 1) * m2 * m2
    result = _Traces(
        d * m2 * s.trace,
        same + other * s.trace_of_square,
        same + other * s.square_of_trace,
    )
    return _scaled(result, variance)


def _orthogonal(s: _Traces, n: int, d: int, square: float, m2: float, m4: float) -> _Traces:
    """Return the moments of ``A O S O^T`` for a Haar matrix O of the larger of the two widths.

    A is the diagonal of squared derivatives, with zeros below or S with zeros around it. The fourth
    moments of O are sums over pairings with Weingarten's weights ``(N+1) w`` and ``-w``,
    ``w = 1/(N (N-1) (N+2))`` (B. Collins, P. Sniady, Communications in Mathematical Physics
    264:773-795, 2006).
    """
    size = float(max(n, d))
    a2 = d * m4
    a11 = a2 + d * (d - 1) * m2 * m2  # E (tr A)^2
    _, b2, b11, _ = s
    trace = d * m2 * s.trace / size
    if size == 1.0:
        return _scaled(_Traces(trace, a2 * b2, a2 * b2), square)
    equal = size + 1.0
    trace_of_square = equal * (a11 * b2 + a2 * b11 + a2 * b2) - (
        a11 * (b11 + b2) + a2 * (3.0 * b2 + b11)
    )
    square_of_trace = equal * (a11 * b11 + 2.0 * a2 * b2) - (
        2.0 * a11 * b2 + 2.0 * a2 * b11 + 2.0 * a2 * b2
    )
    weight = 1.0 / (size * (size - 1.0) * (size + 2.0))
    return _scaled(_Traces(trace, weight * trace_of_square, weight * square_of_trace), square)


# ------------------------------------------------------------ arguments


def _widths(width: Any, depth: Any) -> list[int]:
    """Return the widths of the input and of every layer."""
    values = _validation.width(width)
    if isinstance(values, int):
        return [values] * (_validation.depth(1 if depth is None else depth) + 1)
    if values.ndim != 1 or len(values) < 2:
        message = f"width must hold the width of the input and of every layer, got {width!r}"
        raise ValueError(message)
    if depth is not None and _validation.depth(depth) != len(values) - 1:
        message = f"depth must be None or {len(values) - 1}, the layers of width, got {depth}"
        raise ValueError(message)
    widths: list[int] = values.tolist()
    return widths


def _scales(sigma: Any, depth: int) -> list[float]:
    values = _validation.positive("sigma", sigma)
    if isinstance(values, np.ndarray) and values.shape != (depth,):
        message = f"sigma must be a number or one for each of {depth} layers, got {values.shape}"
        raise ValueError(message)
    scales: list[float] = np.broadcast_to(values, (depth,)).tolist()
    return scales


def _halves(widths: list[int]) -> list[int]:
    _validation.require("width", widths, np.mod(widths, 2) == 0, "even for looks-linear weights")
    return [d // 2 for d in widths]


def _fixed_slope(unit: Gain) -> float:
    lower, upper = unit.activation.slopes
    if lower != upper or float(unit.keep_prob) != 1.0:
        message = (
            "looks-linear weights need an activation with a fixed slope and no dropout, got "
            f"{unit.activation!r} and keep_prob={float(unit.keep_prob):g}"
        )
        raise ValueError(message)
    return float(lower)
