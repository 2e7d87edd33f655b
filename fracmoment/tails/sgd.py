"""Heavy tails of stochastic gradient descent on least squares with Gaussian data [GSZ21].

One step on a batch of b data points ``a_i ~ N(0, s^2 I_d)`` with targets ``y_i`` is

    ``x' = x - (step/b) sum_i a_i (a_i . x - y_i)``.

Its linear part multiplies the norm by ``C = |e_1 - (step/b) sum_i a_i (a_i . e_1)|``, whatever the
direction of ``x`` and independently of it. The iterates have a stationary law where
``E log C < 0``, and that law has a power tail of index alpha with ``E C^alpha = 1``.
docs/algorithms/sgd.md derives the method.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fracmoment import _core, _validation
from fracmoment._results import plain
from fracmoment.simulation.pieces import each_piece, thread_count

if TYPE_CHECKING:
    from collections.abc import Callable

    from fracmoment._typing import FloatArray, IntArray, Result

__all__ = ["LeastSquaresSGD", "SGDPhaseDiagram", "sgd_phase_diagram"]

_LARGEST = 10**6
_STEP_RANGE = 1e-100, 1e100
_PIECE = 32  # points for one thread
_HIGHEST_POLYNOMIAL = 64


class LeastSquaresSGD:
    """Law of the contraction C of one step of SGD on least squares with Gaussian data.

    Parameters
    ----------
    batch_size : int or array_like of int
        Number b of data points of a step, 1 to 1,000,000.
    dimension : int or array_like of int
        Dimension d of the parameters, 1 to 1,000,000.
    data_sigma : float or array_like, optional
        Standard deviation s of the entries of the data, > 0.

    Notes
    -----
    The step size counts as in ``x - step * (gradient of the mean over the batch of half the squared
    residual)``. Only ``step * data_sigma**2`` matters. With ``X ~ chi^2_b`` and
    ``Z ~ chi^2_(d-1)`` independent (Z = 0 for d = 1) and ``t = step data_sigma^2/b``,

        ``C^2 = (1 - t X)^2 + t^2 X Z``.

    Parameters broadcast with each other and with the arguments of the methods; scalars give floats.

    Examples
    --------
    >>> sgd = LeastSquaresSGD(batch_size=10, dimension=100)
    >>> round(sgd.critical_step(2.0) * 111, 12)  # 2 b/(b + d + 1)
    20.0
    >>> round(sgd.tail_index(0.18), 4)
    2.5059
    """

    __slots__ = ("_batch_size", "_data_sigma", "_dimension")

    def __init__(self, batch_size: Any, dimension: Any, *, data_sigma: Any = 1.0) -> None:
        self._batch_size = _validation.integers("batch_size", batch_size, 1, _LARGEST)
        self._dimension = _validation.integers("dimension", dimension, 1, _LARGEST)
        self._data_sigma = _validation.positive("data_sigma", data_sigma)
        self._shape()

    @property
    def batch_size(self) -> Result:
        """The number of data points of a step."""
        return self._batch_size

    @property
    def dimension(self) -> Result:
        """The dimension of the parameters."""
        return self._dimension

    @property
    def data_sigma(self) -> Result:
        """The standard deviation of the entries of the data."""
        return self._data_sigma

    def __repr__(self) -> str:
        """Return an expression that evaluates to this law."""
        sigma = "" if np.all(self._data_sigma == 1.0) else f", data_sigma={self._data_sigma!r}"
        return f"LeastSquaresSGD({self._batch_size!r}, {self._dimension!r}{sigma})"

    # ------------------------------------------------------------ moments

    def log_moment(self, step: Any, order: Any) -> Result:
        """Return log E C^order.

        Parameters
        ----------
        step : array_like of float
            Step size, > 0.
        order : array_like of float
            Order, greater than ``-dimension``; the moment of a lower one is infinite.

        Returns
        -------
        float or ndarray
            Error below 1e-13 + 4e-16 abs(result) for orders from -1/2 to 64, below 1e-12 for lower
            ones (or order times the rounding of log C, if more); for orders up to 1 in magnitude
            also below 1e-12 abs(order) times the root of E log^2 C, so that small steps and orders
            keep their digits.

        Raises
        ------
        ConvergenceError
            For a few orders within 0.01 of ``-dimension`` at dimensions above 10,000.

        Examples
        --------
        >>> sgd = LeastSquaresSGD(4, 3)
        >>> round(sgd.log_moment(1.0, 2.0), 12)  # closed form: C^2 has the mean 1
        0.0
        """
        return self._evaluate(self._log_moments, step=step, order=order)

    def moment(self, step: Any, order: Any) -> Result:
        """Return the moment h(order) = E C^order.

        Parameters
        ----------
        step, order
            As for `log_moment`.

        Returns
        -------
        float or ndarray
            Relative error below 2e-13 for orders from -1/2 to 64, 1e-12 for lower ones and next to
            the ends of the range of doubles; inf beyond that range.

        Examples
        --------
        >>> round(LeastSquaresSGD(1, 1).moment(0.5, 4.0), 12)  # E(1 - Z^2/2)^4
        2.5625
        """
        with np.errstate(over="ignore", under="ignore"):
            return plain(np.exp(self.log_moment(step, order)))

    def moment_polynomial(self, order: int) -> list[Fraction]:
        """Return the coefficients of E C^order as a polynomial in the step, exactly.

        Parameters
        ----------
        order : int
            Even order, 2 to 64.

        Returns
        -------
        list of Fraction
            Coefficient k is the one of ``(step * data_sigma**2)**k``, k = 0, ..., order. Only for
            scalar ``batch_size`` and ``dimension``.

        Notes
        -----
        With S = X + Z ~ chi^2_(b+d-1) and B = X/S ~ Beta(b/2, (d-1)/2), which are independent,
        ``C^2 = 1 - 2 t S B + t^2 S^2 B``: a finite sum of products of their moments.

        Examples
        --------
        >>> LeastSquaresSGD(4, 3).moment_polynomial(2)  # 1 - 2 step + step^2 (b + d + 1)/b
        [Fraction(1, 1), Fraction(-2, 1), Fraction(2, 1)]
        """
        batch, dimension = self._batch_size, self._dimension
        if isinstance(batch, np.ndarray) or isinstance(dimension, np.ndarray):
            message = "moment_polynomial needs a scalar batch_size and dimension"
            raise TypeError(message)
        half = _validation.integer("order", order, 2, _HIGHEST_POLYNOMIAL) // 2
        _validation.require("order", order, order % 2 == 0, "even")
        b, n = Fraction(batch, 2), Fraction(batch + dimension - 1, 2)
        coefficients = [Fraction(0)] * (2 * half + 1)
        for i in range(half + 1):
            for j in range(half - i + 1):
                ways = math.factorial(half) // (
                    math.factorial(i) * math.factorial(j) * math.factorial(half - i - j)
                )
                of_sum = 2 ** (i + 2 * j) * _rising(n, i + 2 * j)
                of_share = _rising(b, i + j) / _rising(n, i + j)
                scale = Fraction(1, batch ** (i + 2 * j))
                coefficients[i + 2 * j] += ways * (-2) ** i * of_sum * of_share * scale
        return coefficients

    # ------------------------------------------------------------ logarithms

    def log_mean(self, step: Any) -> Result:
        """Return the Lyapunov exponent E log C, the limit of ``log h(s)/s`` as s tends to 0.

        Parameters
        ----------
        step : array_like of float
            Step size, > 0.

        Returns
        -------
        float or ndarray
            Negative where the iterates converge in law. Error below 1e-13 of E abs(log C).

        Examples
        --------
        >>> sgd = LeastSquaresSGD(1, 1)
        >>> sgd.log_mean(2.0) < 0 < sgd.log_mean(2.5)
        True
        """
        return self._evaluate(
            lambda t, b, d: _core.sgd_growth(t, b, d, 0.0 * t)[: len(t)], step=step
        )

    def log_var(self, step: Any) -> Result:
        """Return Var log C.

        Parameters
        ----------
        step : array_like of float
            Step size, > 0.

        Examples
        --------
        >>> round(LeastSquaresSGD(100, 1).log_var(1e-6) * 1e12 * 50, 4)  # about 2 step^2/b
        1.0
        """
        return self._evaluate(
            lambda t, b, d: _core.sgd_growth(t, b, d, 0.0 * t)[2 * len(t) :], step=step
        )

    # ------------------------------------------------------------ tails

    def tail_index(self, step: Any) -> Result:
        """Return the tail index of the iterates: the alpha > 0 with E C^alpha = 1.

        Parameters
        ----------
        step : array_like of float
            Step size, > 0.

        Returns
        -------
        float or ndarray
            0.0 where E log C >= 0: there is no stationary law. The inverse of `critical_step`.

        Raises
        ------
        ConvergenceError
            For an index above 2^40 (step sizes below about 1e-12).

        Notes
        -----
        By [GSZ21] the index falls with the step size and rises with the batch size, where it is
        at least 1. Its error is that of ``log h`` over ``h'(alpha)``, which is about
        ``alpha Var(log C)/2`` for small alpha: 1e-12 relative or better but next to the boundary.

        Examples
        --------
        >>> sgd = LeastSquaresSGD(batch_size=[1, 10, 100], dimension=10)
        >>> sgd.tail_index(0.15).round(3)
        array([   4.541,   99.401, 1014.983])
        """
        return self._evaluate(_core.sgd_tail_indices, step=step)

    def critical_step(self, order: Any = 0.0) -> Result:
        """Return the step size that preserves the moment of an order: E C^order = 1.

        Parameters
        ----------
        order : array_like of float, optional
            Order, >= 0. 0 is the stability boundary: the step size with E log C = 0, above which
            the iterates diverge almost surely.

        Returns
        -------
        float or ndarray
            The step sizes at which the tail index is ``order``; at order 2 the closed form
            ``2 b/((b + d + 1) data_sigma^2)``. Decreases in the order.

        Notes
        -----
        For orders >= 1 the moment is a convex function of the step that falls from 1 at 0, so that
        the root is the only one. Below 1 it is the first one above the step of order 2.

        Examples
        --------
        >>> sgd = LeastSquaresSGD(1, 1)
        >>> round(sgd.critical_step(2.0) * 3, 12)
        2.0
        >>> round(sgd.critical_step(0.0), 8)
        2.42124952
        """

        def steps(b: FloatArray, d: FloatArray, s: FloatArray, unit: FloatArray) -> FloatArray:
            return _core.sgd_critical_steps(b, d, s) * unit

        orders = _validation.floats("order", order)
        _validation.require("order", orders, np.asarray(orders) >= 0.0, ">= 0")
        shape, (b, d, s, sigma) = self._broadcast(
            batch_size=self._batch_size, dimension=self._dimension, order=orders,
            data_sigma=self._data_sigma,
        )  # fmt: skip
        return _in_pieces(steps, shape, b, d, s, b / sigma**2)

    # ------------------------------------------------------------ broadcasting

    def _shape(self) -> tuple[int, ...]:
        shape, _ = self._broadcast(
            batch_size=self._batch_size, dimension=self._dimension, data_sigma=self._data_sigma
        )
        return shape

    @staticmethod
    def _broadcast(**columns: Any) -> tuple[tuple[int, ...], list[FloatArray]]:
        try:
            arrays = np.broadcast_arrays(*columns.values())
        except ValueError:
            shapes = ", ".join(f"{name} {np.shape(value)}" for name, value in columns.items())
            message = f"{', '.join(columns)} must broadcast together, got shapes {shapes}"
            raise ValueError(message) from None
        flat = [np.ascontiguousarray(array, dtype=np.float64).reshape(-1) for array in arrays]
        return arrays[0].shape, flat

    def _evaluate(self, function: Callable[..., FloatArray], **arguments: Any) -> Result:
        """Call ``function(step per sample, batch, dimension, ...)`` on flat arrays."""
        checked = {name: _validation.floats(name, value) for name, value in arguments.items()}
        steps = np.asarray(checked["step"])
        _validation.require("step", checked["step"], steps > 0, "> 0")
        shape, (t, *rest, b, d, sigma) = self._broadcast(
            **checked, batch_size=self._batch_size, dimension=self._dimension,
            data_sigma=self._data_sigma,
        )  # fmt: skip
        for order in rest:
            _validation.require("order", order, order > -d, "> -dimension")
        per_sample = t * sigma**2 / b
        low, high = _STEP_RANGE
        good = (per_sample >= low) & (per_sample <= high)
        _validation.require(
            "step", t, good, f"such that step data_sigma^2/b is {low:g} to {high:g}"
        )
        return _in_pieces(function, shape, per_sample, b, d, *rest)

    @staticmethod
    def _log_moments(t: FloatArray, b: FloatArray, d: FloatArray, s: FloatArray) -> FloatArray:
        return s * _core.sgd_growth(t, b, d, s)[: len(t)]


class SGDPhaseDiagram(NamedTuple):
    """Tail indices over step sizes and batch sizes, and the lines that matter among them.

    Attributes
    ----------
    steps, batch_sizes : ndarray
        The axes.
    dimension : int
        Dimension of the parameters.
    tail_index : ndarray, shape (len(batch_sizes), len(steps))
        0.0 where SGD diverges.
    stability : ndarray, shape (len(batch_sizes),)
        Step size of the stability boundary: the index is 0 from there on.
    finite_mean, finite_variance : ndarray, shape (len(batch_sizes),)
        Step sizes of index 1 and 2.
    """

    steps: FloatArray
    batch_sizes: IntArray
    dimension: int
    tail_index: FloatArray
    stability: FloatArray
    finite_mean: FloatArray
    finite_variance: FloatArray


def sgd_phase_diagram(
    steps: Any, batch_sizes: Any, dimension: int, *, data_sigma: Any = 1.0
) -> SGDPhaseDiagram:
    """Return the tail index of SGD on least squares over a grid of step and batch sizes.

    Parameters
    ----------
    steps : sequence of float
        Step sizes, > 0.
    batch_sizes : sequence of int
        Batch sizes, 1 to 1,000,000.
    dimension : int
        Dimension of the parameters.
    data_sigma : float, optional
        Standard deviation of the entries of the data.

    Returns
    -------
    SGDPhaseDiagram
        See `LeastSquaresSGD` for conventions, `fracmoment.plotting.plot_sgd_tail_index` for the
        picture.

    Notes
    -----
    Every index is the root of its own equation, most often found in one step from where the steps
    before it in the row point to: as accurate as `LeastSquaresSGD.tail_index`, and equal to it but
    for the last digits. Steps above the stability boundary have the index 0.

    Examples
    --------
    >>> diagram = sgd_phase_diagram([0.05, 0.5, 1.0], [1, 20], dimension=10)
    >>> diagram.tail_index.round(2)
    array([[ 31.46,   0.  ,   0.  ],
           [672.53,  41.06,   8.97]])
    >>> bool(diagram.stability[1] > 1.0)
    True
    """
    grid = np.atleast_1d(_validation.floats("steps", steps))
    batches = np.atleast_1d(_validation.integers("batch_sizes", batch_sizes, 1, _LARGEST))
    for name, axis in (("steps", grid), ("batch_sizes", batches)):
        if axis.ndim != 1 or axis.size == 0:
            message = f"{name} must be a sequence of at least one number, got shape {axis.shape}"
            raise ValueError(message)
    width = _validation.integer("dimension", dimension, 1, _LARGEST)
    sigma = _validation.as_float("data_sigma", _validation.positive("data_sigma", data_sigma))
    law = LeastSquaresSGD(batches, width, data_sigma=sigma)
    lines = [np.asarray(law.critical_step(order)) for order in (0.0, 1.0, 2.0)]
    return SGDPhaseDiagram(grid, batches, width, _index_table(law, grid, lines[0]), *lines)


def _index_table(law: LeastSquaresSGD, steps: FloatArray, stability: FloatArray) -> FloatArray:
    """Tail indices of a column of laws over a row of steps, one row on one core."""
    order = np.argsort(steps)
    batches = np.asarray(law.batch_size)
    table = np.zeros((batches.size, steps.size))

    def work(row: int, _: int) -> None:
        below = order[: np.searchsorted(steps[order], stability[row])]
        unit = law.data_sigma**2 / batches[row]
        table[row, below] = _core.sgd_tail_index_row(
            steps[below] * unit, float(batches[row]), float(law.dimension), stability[row] * unit
        )

    for _ in each_piece(work, 0, batches.size, 1, thread_count(None)):
        pass
    return table


def _in_pieces(
    function: Callable[..., FloatArray], shape: tuple[int, ...], *columns: FloatArray
) -> Result:
    """Evaluate a function of flat arrays, many points on every core."""
    count = columns[0].size

    def work(start: int, length: int) -> FloatArray:
        return function(*[column[start : start + length] for column in columns])

    threads = thread_count(None) if count > _PIECE else 1
    pieces = [values for _, values in each_piece(work, 0, count, _PIECE, threads)]
    return plain(np.concatenate([np.empty(0), *pieces]).reshape(shape))


def _rising(a: Fraction, k: int) -> Fraction:
    """Return a (a + 1) ... (a + k - 1)."""
    return math.prod((a + i for i in range(k)), start=Fraction(1))
