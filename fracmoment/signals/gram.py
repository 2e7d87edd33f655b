"""Exact moments of one layer's Gram matrix, and of norms at any depth."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import combinations_with_replacement, permutations
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _validation
from fracmoment.signals._layers import gram_matrix, layer_of, layers_of, nonnegative
from fracmoment.signals.kernels import pair_kernels, square_moments
from fracmoment.signals.quadruples import product_means

if TYPE_CHECKING:
    from fracmoment._typing import FloatArray, IntArray
    from fracmoment.gains import Gain

__all__ = ["GramMoments", "NormMoments", "gram_moments", "norm_moments"]

_MOST_INPUTS = 64


@dataclass(frozen=True)
class GramMoments:
    """Moments of the Gram matrix G' of the outputs x_1', ..., x_m' of one layer.

    Attributes
    ----------
    mean : ndarray, shape (m, m)
        E <x_i', x_j'>.
    variance : ndarray, shape (m, m)
        Var <x_i', x_j'>; Var |x_i'|^2 on the diagonal.
    square_covariance : ndarray, shape (m, m)
        Cov(|x_i'|^2, |x_j'|^2).
    mixed_covariance : ndarray, shape (m, m)
        Cov(|x_i'|^2, <x_i', x_j'>), of the norm of the row's input.
    """

    mean: FloatArray
    variance: FloatArray
    square_covariance: FloatArray
    mixed_covariance: FloatArray
    _gain: Gain = field(repr=False)
    _covariance: FloatArray = field(repr=False)  # of the pre-activations

    def covariance(self, inputs: Any = None) -> FloatArray:
        """Return the covariances of all entries of the Gram matrix.

        Parameters
        ----------
        inputs : sequence of int, optional
            Which inputs, at most 64; all by default.

        Returns
        -------
        ndarray, shape (n, n, n, n)
            Entry ``[i, j, k, l]`` is ``Cov(<x_i', x_j'>, <x_k', x_l'>)``. Entries of one or two
            different inputs are those of the other attributes. The others have an absolute error
            below 2e-13 of the width times the four standard deviations of the pre-activations (four
            inputs of which two are almost parallel, at an angle near 1e-4: 2e-12).

        Raises
        ------
        ValueError, TypeError
            For more than 64 inputs, or numbers that are no inputs.

        Notes
        -----
        ``width (E y_i y_j y_k y_l - E y_i y_j E y_k y_l)`` for the outputs y of one unit:
        Isserlis' theorem for linear units, arcsines where two of the inputs are the same, one
        integral of arcsines for four different ones. Linearly dependent inputs are exact limits.

        Examples
        --------
        >>> import fracmoment as fm
        >>> moments = gram_moments(fm.Gain("relu", 100), 0.1, [[2, 1, 0], [1, 2, 1], [0, 1, 2]])
        >>> tensor = moments.covariance()
        >>> tensor.shape, bool(tensor[0, 1, 0, 1] == moments.variance[0, 1])
        ((3, 3, 3, 3), True)
        >>> round(float(tensor[0, 1, 1, 2]), 6)
        0.010746
        """
        chosen = self._chosen(inputs)
        count = len(chosen)
        part = np.ix_(chosen, chosen)
        scale = np.sqrt(np.diagonal(self._covariance)[chosen])
        quadruples = np.array(list(combinations_with_replacement(range(count), 4)))
        means = product_means(self._gain, correlations(self._covariance[part]), quadruples)
        table = np.empty((count,) * 4)
        for order in permutations(range(4)):
            table[tuple(quadruples[:, order].T)] = means
        size = scale[:, np.newaxis] * scale
        mean = self.mean[part]
        width = self._gain.width
        table *= width * np.multiply.outer(size, size)
        table -= np.multiply.outer(mean, mean) / width
        self._pairs_into(table, part)
        return table

    def _pairs_into(self, table: FloatArray, part: tuple[Any, ...]) -> None:
        """Put the closed forms of at most two different inputs into a table."""
        i, j = np.indices(table.shape[:2])
        square, mixed = self.square_covariance[part], self.mixed_covariance[part]
        table[i, i, j, j] = square
        for place in ((i, i, i, j), (i, i, j, i), (i, j, i, i), (j, i, i, i)):
            table[place] = mixed
        for place in ((i, j, i, j), (i, j, j, i)):
            table[place] = self.variance[part]

    def _chosen(self, inputs: Any) -> IntArray:
        """Return the numbers of the inputs whose covariances are asked for."""
        count = len(self.mean)
        numbers = np.arange(count) if inputs is None else np.atleast_1d(np.asarray(inputs))
        if numbers.ndim != 1 or (numbers.size and numbers.dtype.kind not in "iu"):
            message = f"inputs must be a sequence of integers, got {inputs!r}"
            raise TypeError(message)
        good = (numbers >= 0) & (numbers < count)
        _validation.require("inputs", numbers, good, f"numbers of the {count} inputs")
        size = numbers.size
        _validation.require("inputs", size, 0 < size <= _MOST_INPUTS, "1 to 64 of them")
        return numbers


def gram_moments(gain: Gain, sigma: Any, gram: Any, *, bias: Any = 0.0) -> GramMoments:
    """Return exact means, variances and covariances of the Gram matrix after one layer.

    Parameters
    ----------
    gain : Gain
        Activation, width and dropout of the layer; scalar parameters, Gaussian weights.
    sigma : float
        Standard deviation of the weights, > 0.
    gram : array_like, shape (m, m)
        Gram matrix <x_i, x_j> of the inputs of the layer, positive semidefinite.
    bias : float, optional
        Standard deviation of the biases, >= 0.

    Returns
    -------
    GramMoments

    Raises
    ------
    ValueError, TypeError
        For arguments outside these ranges.

    Notes
    -----
    Units are independent and see pre-activations of covariance ``sigma^2 G + bias^2`` [BD19], so
    every moment is the width times a kernel of `pair_kernels`; `GramMoments.covariance` has the
    covariances between all entries, of three and four different inputs too.

    Examples
    --------
    >>> import fracmoment as fm
    >>> gain = fm.Gain("relu", 100)
    >>> moments = gram_moments(gain, gain.scale(2), [[1.0, 0.0], [0.0, 1.0]])
    >>> moments.mean.round(4)
    array([[1.    , 0.3183],
           [0.3183, 1.    ]])
    >>> moments.variance.round(4)
    array([[0.05 , 0.009],
           [0.009, 0.05 ]])
    """
    layer = layer_of(gain, sigma, bias)
    covariance = layer.sigma**2 * gram_matrix("gram", gram) + layer.bias**2
    variances = np.diagonal(covariance)
    k = pair_kernels(gain, correlations(covariance))
    products = np.sqrt(np.outer(variances, variances))
    return GramMoments(
        gain.width * products * k.mean,
        gain.width * products**2 * k.variance,
        gain.width * products**2 * k.square_covariance,
        gain.width * products * variances[:, np.newaxis] * k.mixed_covariance,
        gain,
        covariance,
    )


def correlations(covariance: FloatArray) -> FloatArray:
    """Return the correlations of a covariance matrix: 1 on the diagonal, 0 where a variance is."""
    scale = np.sqrt(np.diagonal(covariance))
    safe = np.where(scale > 0.0, scale, 1.0)
    result: FloatArray = np.clip(covariance / np.outer(safe, safe), -1.0, 1.0)
    np.fill_diagonal(result, 1.0)
    return result


@dataclass(frozen=True)
class NormMoments:
    """Exact mean and variance of |x|^2 at the input and after every layer.

    Attributes
    ----------
    mean : ndarray, shape (depth + 1,)
        E |x_k|^2, the same in mean field.
    variance : ndarray, shape (depth + 1,)
        Var |x_k|^2, 0 in mean field.
    """

    mean: FloatArray
    variance: FloatArray

    @property
    def fourth(self) -> FloatArray:
        """E |x_k|^4."""
        return self.variance + self.mean**2

    @property
    def relative_variance(self) -> FloatArray:
        """Var |x_k|^2/(E |x_k|^2)^2: what mean field misses. 0 where the mean is."""
        mean: FloatArray = np.where(self.mean > 0.0, self.mean, 1.0)
        return self.variance / mean / mean


def norm_moments(
    gain: Any, sigma: Any, depth: Any = None, *, bias: Any = 0.0, input_norm: Any = 1.0
) -> NormMoments:
    """Return E |x_k|^2 and Var |x_k|^2 for k = 0, ..., depth by their exact recursion.

    Parameters
    ----------
    gain : Gain or sequence of Gain
        Width, activation and dropout of every layer, or of each, as the law of its gain.
    sigma : float or sequence of float
        Standard deviation of the weights of every layer, or one for each, > 0.
    depth : int, optional
        Number of layers; not needed with a sequence.
    bias : float or sequence of float, optional
        Standard deviation of the biases of every layer, or one for each, >= 0.
    input_norm : float, optional
        |x_0| >= 0.

    Returns
    -------
    NormMoments

    Raises
    ------
    ValueError, TypeError
        For arguments outside these ranges.
    OverflowError
        If a moment is beyond the range of doubles.

    Notes
    -----
    ``|x_k|^2 = q R^2`` with ``q = sigma^2 |x_{k-1}|^2 + bias^2`` independent of R, so

        E |x_k|^2 = E q E R^2,   Var |x_k|^2 = Var q E R^4 + (E q)^2 Var R^2.

    Every term is positive: relative error a few 1e-16 times the depth. Without biases and under
    the scales of order 2, ``relative_variance = (1 + v/(m^2 d))^k - 1`` with m and v the mean and
    the variance of a unit's square: depth over width decides [HN20].

    Examples
    --------
    >>> import fracmoment as fm
    >>> gain = fm.Gain("relu", 50)
    >>> moments = norm_moments(gain, gain.scale(2), 10)
    >>> moments.relative_variance[[1, 10]].round(6)
    array([0.1     , 1.593742])
    """
    layers = layers_of(gain, sigma, depth, bias)
    norm = nonnegative("input_norm", input_norm)
    known = {layer.gain: square_moments(layer.gain) for layer in layers.distinct}
    means, variances = [norm * norm], [0.0]
    for layer in layers:
        square, spread = known[layer.gain]
        weight = layer.sigma * layer.sigma
        q_mean = weight * means[-1] + layer.bias * layer.bias
        means.append(q_mean * square)
        fourth = weight * weight * (square * square + spread)
        variances.append(fourth * variances[-1] + q_mean * q_mean * spread)
    if not math.isfinite(sum(means) + sum(variances)):
        message = f"moments of {layers.depth} layers exceed the range of doubles"
        raise OverflowError(message)
    return NormMoments(np.array(means), np.array(variances))
