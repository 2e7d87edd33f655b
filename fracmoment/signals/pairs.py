"""The angle between two signals after one layer, exactly at finite width.

Given the correlation c of two inputs' pre-activations, the cosine between the layer's outputs is
``sum y_i z_i/(|y| |z|)`` over d independent units: its law depends on neither norm. Mean field has
the ratio of the means in its place.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fracmoment import _validation
from fracmoment.signals._layers import require_gaussian, require_single

if TYPE_CHECKING:
    from fracmoment._typing import FloatArray, Result
    from fracmoment.gains import Gain

__all__ = ["CosineMoments", "cosine_moments"]

_STEP = 0.3
_REACH = 69.0  # of log s beyond the peak: integrands fall at least like exp(-|log s|/2)
_NEGLIGIBLE = 1e-20
_WIDEST = 10**7


class CosineMoments(NamedTuple):
    """Mean and variance of the cosine between two signals; 0 stands where one of them is dead.

    Attributes
    ----------
    mean : float or ndarray
        E cos.
    variance : float or ndarray
        Var cos.
    """

    mean: Result
    variance: Result


def cosine_moments(gain: Gain, cosine: Any) -> CosineMoments:
    """Return the exact mean and variance of the cosine between two signals after a layer.

    Parameters
    ----------
    gain : Gain
        Width, activation and dropout of the layer; scalar parameters, Gaussian weights, a fixed
        slope, width at most 10^7.
    cosine : array_like of float
        Correlation of the pre-activations of the two inputs, in [-1, 1]: without biases the cosine
        of the angle between the inputs.

    Returns
    -------
    CosineMoments
        Of the cosine that `simulate_signals` draws, 0 where one of the signals is dead.

    Raises
    ------
    ValueError, TypeError
        For arguments outside these ranges.

    Notes
    -----
    With ``1/sqrt(X) = pi^(-1/2) int s^(-1/2) exp(-s X) ds`` for both norms,

        E cos   = d/pi int int A L^(d-1) (s t)^(-1/2) ds dt,
        E cos^2 = int int (d B L^(d-1) + d(d-1) A^2 L^(d-2)) ds dt,

    L, A and B the means of 1, yz and (yz)^2 times ``exp(-s y^2 - t z^2)``, in closed form. The
    trapezoidal rule in log s and log t converges exponentially; absolute error of the mean about
    1e-14 + 1e-15 width, of the variance twice that. Without biases cosines are a Markov chain, of
    which these are the moments of a step.

    Examples
    --------
    Mean field has 1/pi, whatever the width:

    >>> import fracmoment as fm
    >>> orthogonal = [cosine_moments(fm.Gain("relu", d), 0.0) for d in (4, 64, 1024)]
    >>> [round(m.mean, 6) for m in orthogonal]
    [0.365159, 0.322082, 0.318543]
    """
    require_single(gain)
    require_gaussian(gain)
    lower, upper = gain.activation.slopes
    if lower != upper:
        message = f"the activation must have a fixed slope, got {gain.activation!r}"
        raise ValueError(message)
    width = _validation.integer("the width of gain", gain.width, 1, _WIDEST)
    c = np.asarray(_validation.floats("cosine", cosine))
    _validation.require("cosine", cosine, np.abs(c) <= 1.0, "in [-1, 1]")
    keep = float(gain.keep_prob)
    pairs = [_moments(width, float(lower), keep, float(value)) for value in c.reshape(-1)]
    mean, variance = np.array(pairs).reshape(*c.shape, 2).transpose(-1, *range(c.ndim))
    if c.ndim == 0:
        return CosineMoments(float(mean), float(variance))
    return CosineMoments(mean, variance)


def _moments(width: int, slope: float, keep: float, c: float) -> tuple[float, float]:
    centre = -math.log(width * max(1.0, slope * slope))
    # towards small s the mean falls like s^(1/2), towards large s like s^(-1/2) or faster
    half = int(_REACH / _STEP)
    s = np.exp(centre + _STEP * np.arange(-half, half + 1))
    alone = 0.5 * ((1.0 + 2.0 * s) ** -0.5 + (1.0 + 2.0 * slope * slope * s) ** -0.5)
    s = s[(1.0 - keep + keep * alone) ** (width - 1) > _NEGLIGIBLE]
    one, product, square = _transforms(slope, c, s[:, np.newaxis], s)
    one, product, square = 1.0 - keep + keep * one, keep * product, keep * square
    log_one = np.log(one)
    st = s[:, np.newaxis] * s
    cell = _STEP * _STEP
    mean = width / math.pi * cell * np.sum(product * np.sqrt(st) * np.exp((width - 1) * log_one))
    second = square * np.exp((width - 1) * log_one)
    if width > 1:
        second = second + (width - 1) * product**2 * np.exp((width - 2) * log_one)
    return float(mean), float(width * cell * np.sum(second * st) - mean * mean)


def _transforms(
    slope: float, c: float, s: FloatArray, t: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the means of 1, yz and (yz)^2 times exp(-s y^2 - t z^2) of one unit.

    On a quadrant of (u, v) the exponential makes the normal law another one, of covariance
    ``(C^-1 + diag(2 s a^2, 2 t b^2))^-1``, a and b the slopes there.
    """
    rest = (1.0 - c) * (1.0 + c)
    shape = np.broadcast_shapes(s.shape, t.shape)
    one, product, square = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    quadrants = ((1.0, 1.0, 1), (slope, slope, 1), (1.0, slope, -1), (slope, 1.0, -1))
    for a, b, sign in quadrants:
        alpha, beta = 2.0 * a * a * s, 2.0 * b * b * t
        determinant = 1.0 + alpha + beta + rest * alpha * beta
        u, v = (1.0 + rest * beta) / determinant, (1.0 + rest * alpha) / determinant
        tilted = sign * c / np.sqrt((1.0 + rest * beta) * (1.0 + rest * alpha))
        angle = np.arccos(-tilted)  # pi - t of the kernels of the rectifier
        weight = 1.0 / (2.0 * math.pi * np.sqrt(determinant))
        one += weight * angle
        if a * b == 0.0:
            continue
        sine = np.sqrt((1.0 - tilted) * (1.0 + tilted))
        k1 = sine + angle * tilted
        k2 = 3.0 * sine * tilted + angle * (1.0 + 2.0 * tilted * tilted)
        product += (sign * a * b) * weight * np.sqrt(u * v) * k1
        square += (a * b) ** 2 * weight * u * v * k2
    return one, product, square
