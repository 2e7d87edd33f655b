"""Exact moments of one layer's Gram matrix, and of norms at any depth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment.signals._layers import gram_matrix, layer_of, layers_of, nonnegative
from fracmoment.signals.kernels import pair_kernels, square_moments

if TYPE_CHECKING:
    from fracmoment._typing import FloatArray
    from fracmoment.gains import Gain

__all__ = ["GramMoments", "NormMoments", "gram_moments", "norm_moments"]


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
    every moment is the width times a kernel of `pair_kernels`.

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
