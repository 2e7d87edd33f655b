"""Bands around simulated curves: what they are, and at which confidence.

All are pointwise: each point of a curve is covered with the stated probability by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _validation

if TYPE_CHECKING:
    from fracmoment._typing import FloatArray

__all__ = ["LEVEL", "binomial_band", "mean_band", "quantile_band"]

#: Confidence of every band unless another is asked for.
LEVEL = 0.99


def binomial_band(
    successes: Any, trials: Any, level: float = LEVEL
) -> tuple[FloatArray, FloatArray]:
    """Return the exact confidence interval of Clopper and Pearson for a probability.

    Parameters
    ----------
    successes : array_like of int
        How often the event happened.
    trials : array_like of int
        In how many independent trials, >= 1.
    level : float, optional
        Confidence, in (0, 1): the interval covers with this probability or more.

    Returns
    -------
    low, high : ndarray

    Examples
    --------
    Never in 100 trials: the probability is below 5.2 %.

    >>> low, high = binomial_band(0, 100)
    >>> float(low), round(float(high), 4)
    (0.0, 0.0516)
    """
    from scipy.special import betaincinv

    tail = _tail(level)
    count = np.asarray(successes, dtype=np.float64)
    total = np.asarray(trials, dtype=np.float64)
    _validation.require("trials", total, total >= 1, ">= 1")
    _validation.require("successes", count, (count >= 0) & (count <= total), "in [0, trials]")
    # The ends that the incomplete beta function does not have are 0 and 1.
    low = np.where(count > 0, betaincinv(np.maximum(count, 0.5), total - count + 1, tail), 0.0)
    high = np.where(
        count < total, betaincinv(count + 1, np.maximum(total - count, 0.5), 1.0 - tail), 1.0
    )
    return low, high


def quantile_band(
    samples: Any, probability: float, level: float = LEVEL
) -> tuple[FloatArray, FloatArray]:
    """Return a confidence interval for a quantile, whatever the distribution.

    Parameters
    ----------
    samples : array_like of float, shape (n, ...)
        Independent samples along the first axis; infinities are allowed.
    probability : float
        Which quantile, in (0, 1).
    level : float, optional
        Confidence, in (0, 1).

    Returns
    -------
    low, high : ndarray, shape (...)
        Two order statistics; -inf or inf where there are too few samples for one.

    Examples
    --------
    >>> low, high = quantile_band(np.arange(1000.0), 0.5)
    >>> float(low), float(high)
    (458.0, 541.0)
    """
    from scipy.stats import binom

    values = np.sort(np.asarray(samples, dtype=np.float64), axis=0)
    _validation.require("probability", probability, 0.0 < probability < 1.0, "in (0, 1)")
    size, tail = len(values), _tail(level)
    # The number of samples below the quantile is binomial: below `first` of them, or above `last`,
    # each with a probability of at most `tail`.
    first = int(binom.ppf(tail, size, probability))
    last = int(binom.isf(tail, size, probability))
    shape = values.shape[1:]
    low = values[first - 1] if first >= 1 else np.full(shape, -np.inf)
    high = values[last] if last < size else np.full(shape, np.inf)
    return np.asarray(low), np.asarray(high)


def mean_band(samples: Any, level: float = LEVEL) -> tuple[FloatArray, FloatArray]:
    """Return a confidence interval for a mean, from the central limit theorem.

    Parameters
    ----------
    samples : array_like of float, shape (n, ...)
        Many independent samples of finite variance along the first axis.
    level : float, optional
        Confidence, in (0, 1).

    Returns
    -------
    low, high : ndarray, shape (...)

    Examples
    --------
    >>> low, high = mean_band(np.tile([-1.0, 1.0], 5000))
    >>> round(float(high), 4), bool(low == -high)
    (0.0258, True)
    """
    from scipy.special import ndtri

    values = np.asarray(samples, dtype=np.float64)
    mean = values.mean(axis=0)
    half = -ndtri(_tail(level)) * values.std(axis=0, ddof=1) / np.sqrt(len(values))
    return mean - half, mean + half


def _tail(level: float) -> float:
    _validation.require("level", level, 0.0 < level < 1.0, "in (0, 1)")
    return 0.5 * (1.0 - level)
