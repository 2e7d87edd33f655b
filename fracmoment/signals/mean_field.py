"""Mean field: signals in the limit of infinite width, its fixed points and their stability."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _validation
from fracmoment._results import plain
from fracmoment.signals._layers import gram_matrix, layer_of, layers_of
from fracmoment.signals.gram import correlations
from fracmoment.signals.kernels import (
    nonlinearity,
    pair_kernels,
    sine_less_cosine,
    square_moments,
)

if TYPE_CHECKING:
    from fracmoment._typing import FloatArray, Result
    from fracmoment.gains import Gain

__all__ = ["MeanField", "mean_field_gram"]


class MeanField:
    """The maps of variance and correlation that layers follow as the width grows.

    Parameters
    ----------
    gain : Gain
        Activation, width and dropout of every layer; scalar parameters, Gaussian weights.
    sigma : float
        Standard deviation of the weights, > 0. Only ``sigma^2 width`` counts: the limit of infinite
        width is taken with it fixed.
    bias : float, optional
        Standard deviation of the biases, >= 0.

    Notes
    -----
    Pre-activations of variance q and correlation c are mapped to

        q' = chi q + bias^2,   chi = sigma^2 E R^2,
        c' = (chi q k(c) + bias^2)/(chi q + bias^2),   k(c) = c + (g/pi)(sin t - t cos t),

    with ``c = cos t`` and ``g = E(1-a)^2/E(1+a^2)`` for slopes a: 1 for ReLU, 0 for linear units
    [CS09]. For positively homogeneous units ``chi = sigma^2 width E phi'(z)^2`` as well, the growth
    of gradients; ``chi = 1`` is the edge of chaos. ``k(c) >= c``, so signals align: ``c = 1`` is
    the only fixed point of units that are not linear, and never unstable. Dropout masks are shared
    by the inputs. `norm_moments` and `gram_moments` are the exact moments beside these maps.

    Examples
    --------
    >>> import fracmoment as fm
    >>> gain = fm.Gain("relu", 100)
    >>> field = MeanField(gain, 0.9 * gain.scale(2), bias=0.1)
    >>> round(field.chi, 12), round(field.fixed_variance(), 12)
    (0.81, 0.052631578947)
    >>> round(field.depth_scale(), 4)
    4.7456
    """

    def __init__(self, gain: Gain, sigma: Any, *, bias: Any = 0.0) -> None:
        self._layer = layer_of(gain, sigma, bias)
        self._chi = self._layer.sigma**2 * square_moments(gain)[0]
        self._nonlinearity = nonlinearity(gain)

    @property
    def chi(self) -> float:
        """Growth of a small difference, and of gradients, in a layer; 1 at the edge of chaos."""
        return self._chi

    @property
    def critical_sigma(self) -> float:
        """The scale at the edge of chaos, that of order 2."""
        return float(self._layer.gain.scale(2.0))

    def __repr__(self) -> str:
        """Return an expression that evaluates to this object."""
        gain, sigma, bias = self._layer
        return f"MeanField({gain!r}, {sigma!r}, bias={bias!r})"

    def variance_map(self, variance: Any) -> Result:
        """Return the variance q' of the next layer's pre-activations.

        Parameters
        ----------
        variance : array_like of float
            Variance q of a layer's pre-activations, >= 0.

        Examples
        --------
        >>> import fracmoment as fm
        >>> MeanField(fm.Gain("relu", 8), 0.5, bias=0.5).variance_map([0.0, 1.0])
        array([0.25, 1.25])
        """
        q = _validation.floats("variance", variance)
        _validation.require("variance", q, np.asarray(q) >= 0.0, ">= 0")
        return self._chi * q + self._layer.bias**2

    def fixed_variance(self) -> float:
        """Return the fixed point ``q = bias^2/(1 - chi)`` that variances converge to.

        It is 0 or inf where they vanish or diverge.

        Raises
        ------
        ValueError
            Without biases and with ``chi = 1``, where every variance is a fixed point.
        """
        noise = self._layer.bias**2
        if self._chi < 1.0:
            return noise / (1.0 - self._chi)
        if noise == 0.0 and self._chi == 1.0:
            message = f"every variance is a fixed point of {self!r}: chi is 1 without biases"
            raise ValueError(message)
        return math.inf

    def bias_share(self) -> float:
        """Return the share of the biases in the variance at the fixed point, ``max(1 - chi, 0)``.

        It is 0 without biases.
        """
        return max(1.0 - self._chi, 0.0) if self._layer.bias > 0.0 else 0.0

    def correlation_map(self, cosine: Any, *, variance: Any = None) -> Result:
        """Return the correlation c' of the next layer's pre-activations.

        Parameters
        ----------
        cosine : array_like of float
            Correlation c of a layer's pre-activations for two inputs, in [-1, 1].
        variance : float or array_like, optional
            Their variance q > 0, the same for both inputs; the fixed point by default.

        Examples
        --------
        >>> import fracmoment as fm
        >>> field = MeanField(fm.Gain("relu", 8), 0.5)
        >>> bool(abs(field.correlation_map(0.0) - 1 / math.pi) < 1e-15)
        True
        """
        c = _validation.floats("cosine", cosine)
        _validation.require("cosine", c, np.abs(c) <= 1.0, "in [-1, 1]")
        return plain(1.0 - self._gap(1.0 - np.asarray(c), self._share(variance)))

    def gap_map(self, gap: Any, *, variance: Any = None) -> Result:
        """Return ``1 - c'`` as a function of ``1 - c``, accurate where inputs are nearly parallel.

        Parameters
        ----------
        gap : array_like of float
            ``1 - c`` in [0, 2].
        variance : float or array_like, optional
            As for `correlation_map`.

        Examples
        --------
        >>> import fracmoment as fm
        >>> MeanField(fm.Gain("linear", 8), 0.5).gap_map(1e-30)
        1e-30
        """
        e = _validation.floats("gap", gap)
        _validation.require("gap", e, (np.asarray(e) >= 0.0) & (np.asarray(e) <= 2.0), "in [0, 2]")
        return plain(self._gap(np.asarray(e), self._share(variance)))

    def _share(self, variance: Any) -> FloatArray:
        """Return the share of the biases in the next layer's variance."""
        if variance is None:
            return np.asarray(self.bias_share())
        q = np.asarray(_validation.positive("variance", variance))
        return self._layer.bias**2 / np.asarray(self.variance_map(q))

    def _gap(self, gap: FloatArray, share: FloatArray) -> FloatArray:
        angle = 2 * np.arcsin(np.sqrt(0.5 * gap))
        aligned = (self._nonlinearity / math.pi) * sine_less_cosine(angle)
        return (1.0 - share) * np.maximum(gap - aligned, 0.0)

    def fixed_cosine(self) -> float:
        """Return the correlation that all inputs converge to: 1.

        Raises
        ------
        ValueError
            For linear units whose correlations converge to what the input makes them: without
            biases, and with ``chi > 1``, where biases become negligible.
        """
        negligible = self._layer.bias == 0.0 or self._chi > 1.0
        if self._nonlinearity == 0.0 and negligible:
            message = f"correlations of {self!r} depend on the input at any depth"
            raise ValueError(message)
        return 1.0

    def depth_scale(self) -> float:
        """Return the depth over which ``1 - c`` falls by e near its fixed point, -1/log(slope).

        With biases and ``chi < 1`` the slope of the correlation map at 1 is chi. Otherwise it tends
        to 1 and this is inf: without biases ``1 - c`` falls like ``9 pi^2/(2 g^2 k^2)`` at depth k.
        """
        share = self.bias_share()
        return -1.0 / math.log1p(-share) if 0.0 < share < 1.0 else math.inf

    def relative_variance(self) -> float:
        """Return Var q/(E q)^2 of the stationary law at this width: 0 in mean field.

        It is inf where the variance is infinite, ``sigma^4 E R^4 >= 1``.

        Raises
        ------
        ValueError
            Where no stationary law has a finite positive mean: without biases, and for chi >= 1.
        """
        if self.bias_share() == 0.0:
            message = f"no stationary law of {self!r} has a finite positive mean"
            raise ValueError(message)
        spread = square_moments(self._layer.gain)[1]
        noise = self._layer.sigma**4 * spread  # q' = sigma^2 q R^2 + bias^2
        left = (1.0 - self._chi) * (1.0 + self._chi) - noise
        return noise / left if left > 0.0 else math.inf


def mean_field_gram(gain: Any, sigma: Any, depth: Any, gram: Any, *, bias: Any = 0.0) -> FloatArray:
    """Return the Gram matrices of signals after every layer, in mean field.

    Parameters
    ----------
    gain : Gain or sequence of Gain
        Width, activation and dropout of every layer, or of each, as the law of its gain.
    sigma : float or sequence of float
        Standard deviation of the weights of every layer, or one for each, > 0.
    depth : int or None
        Number of layers; None takes it from the sequences.
    gram : array_like, shape (m, m)
        Gram matrix of the inputs.
    bias : float or sequence of float, optional
        Standard deviation of the biases of every layer, or one for each, >= 0.

    Returns
    -------
    ndarray, shape (depth + 1, m, m)
        Each is the exact mean of the next Gram matrix given the one before. Norms on the diagonal
        are exact means at any depth and width; products of two inputs from the second layer on have
        an error of order 1/width.

    Examples
    --------
    >>> import fracmoment as fm
    >>> gain = fm.Gain("relu", 100)
    >>> path = mean_field_gram(gain, gain.scale(2), 3, [[1.0, 0.0], [0.0, 1.0]])
    >>> path[:, 0, 1].round(4)
    array([0.    , 0.3183, 0.4937, 0.6048])
    """
    layers = layers_of(gain, sigma, depth, bias)
    result = [gram_matrix("gram", gram)]
    for layer in layers:
        covariance = layer.sigma**2 * result[-1] + layer.bias**2
        scale = np.sqrt(np.diagonal(covariance))
        kernel = pair_kernels(layer.gain, correlations(covariance)).mean
        result.append(layer.gain.width * np.outer(scale, scale) * kernel)
    return np.array(result)
