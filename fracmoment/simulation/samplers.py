"""Samplers: uniform, normal, gamma, chi-square and binomial numbers, and gains of layers.

They are called like those of `numpy.random.Generator`. Number i of a sample is a function of the
seed, the parameters of number i and i alone: threads, and the length of the sample, change nothing.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _core, _validation
from fracmoment.simulation.chains import gain_table, law_of
from fracmoment.simulation.pieces import each_piece, thread_count
from fracmoment.simulation.streams import Purpose, seed_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from fracmoment._typing import Result
    from fracmoment.gains import Gain

MOST_TRIALS = 2**50
_PIECE = 2**16  # numbers of one replica where a sample is cut into rows; part of the stream format
_DTYPES = ("float64", "float32")


def random_normal(
    size: Any = None, *, dtype: npt.DTypeLike = np.float64, rng: Any = None, threads: Any = None
) -> Result:
    """Draw standard normal numbers.

    Parameters
    ----------
    size : int or tuple of int, optional
        Shape of the sample; one number by default.
    dtype : {float64, float32}, optional
        Precision. Normal numbers of either precision are exact in law to their rounding; the
        largest magnitude is 9.49 (float64) or 6.77 (float32).
    rng : None, int, SeedSequence, BitGenerator or Generator, optional
        Source of the 64-bit seed.
    threads : int, optional
        Number of threads, every core by default. The result does not depend on it.

    Returns
    -------
    float or ndarray

    Raises
    ------
    ValueError, TypeError
        For arguments outside these ranges.

    Examples
    --------
    >>> random_normal((2, 3), rng=1).shape
    (2, 3)
    """
    single, seed = _dtype_name(dtype) == "float32", seed_of(rng)

    def draw(row: int, out: Any) -> None:
        if single:
            _core.random_float_normals(seed, Purpose.NORMAL, row, out.size, out)
        else:
            _core.random_normals(seed, Purpose.NORMAL, row, out.size, out)

    return _rows(draw, _shape(size), dtype, size is None, threads)


def random_uniform(
    low: Any = 0.0,
    high: Any = 1.0,
    size: Any = None,
    *,
    dtype: npt.DTypeLike = np.float64,
    rng: Any = None,
    threads: Any = None,
) -> Result:
    """Draw uniform numbers on [low, high).

    Parameters
    ----------
    low, high : array_like of float, optional
        Ends of the interval, [0, 1) by default.
    size : int or tuple of int, optional
        Shape of the sample, which the ends broadcast to; their common shape by default.
    dtype : {float64, float32}, optional
        Precision. On [0, 1) the numbers are the multiples of 2^-53 or 2^-24.
    rng : None, int, SeedSequence, BitGenerator or Generator, optional
        Source of the 64-bit seed.
    threads : int, optional
        Number of threads, every core by default. The result does not depend on it.

    Returns
    -------
    float or ndarray

    Raises
    ------
    ValueError, TypeError
        For arguments outside these ranges.

    Notes
    -----
    Other ends give low + (high - low) u, rounded, which may be ``high`` itself.

    Examples
    --------
    >>> u = random_uniform(size=1000, rng=1)
    >>> bool((u >= 0).all() and (u < 1).all())
    True
    """
    left, right = _validation.floats("low", low), _validation.floats("high", high)
    single, seed = _dtype_name(dtype) == "float32", seed_of(rng)

    def draw(row: int, out: Any) -> None:
        if single:
            _core.random_float_uniforms(seed, row, out.size, out)
        else:
            _core.random_uniforms(seed, row, out.size, out)

    unit = _rows(draw, _shape(size, left, right), dtype, False, threads)
    if not (np.all(np.equal(left, 0.0)) and np.all(np.equal(right, 1.0))):
        with np.errstate(over="ignore"):
            width = np.subtract(right, left)
        _validation.require("high - low", width, np.isfinite(width), "finite")
        unit = (left + width * unit).astype(unit.dtype, copy=False)
    return _result(unit, size is None)


def random_gamma(
    shape: Any,
    scale: Any = 1.0,
    size: Any = None,
    *,
    rng: Any = None,
    threads: Any = None,
) -> Result:
    """Draw gamma variates, of the density proportional to x^(shape-1) exp(-x/scale).

    Parameters
    ----------
    shape : array_like of float
        Shape, > 0. Any size serves; of shapes below 0.01 many variates are 0, being smaller than
        the smallest double.
    scale : array_like of float, optional
        Scale, > 0.
    size : int or tuple of int, optional
        Shape of the sample, which the parameters broadcast to; their common shape by default.
    rng : None, int, SeedSequence, BitGenerator or Generator, optional
        Source of the 64-bit seed.
    threads : int, optional
        Number of threads, every core by default. The result does not depend on it.

    Returns
    -------
    float or ndarray

    Raises
    ------
    ValueError, TypeError
        For arguments outside these ranges.

    Notes
    -----
    Marsaglia and Tsang's method [MT00] with the acceptance computed to 1e-11; see
    docs/algorithms/samplers.md.

    Examples
    --------
    >>> random_gamma([0.001, 1.0, 1e9], rng=1).shape
    (3,)
    """
    a, factor = _validation.positive("shape", shape), _validation.positive("scale", scale)
    out = _gammas(a, _shape(size, a, factor), seed_of(rng), threads)
    if not np.all(np.equal(factor, 1.0)):
        out *= factor
    return _result(out, size is None)


def random_chisquare(df: Any, size: Any = None, *, rng: Any = None, threads: Any = None) -> Result:
    """Draw chi-square variates.

    Parameters
    ----------
    df : array_like of float
        Degrees of freedom, > 0, integers or not.
    size : int or tuple of int, optional
        Shape of the sample, which ``df`` broadcasts to; its shape by default.
    rng : None, int, SeedSequence, BitGenerator or Generator, optional
        Source of the 64-bit seed.
    threads : int, optional
        Number of threads, every core by default. The result does not depend on it.

    Returns
    -------
    float or ndarray
        Twice the gamma variates of shape df/2.

    Raises
    ------
    ValueError, TypeError
        For arguments outside these ranges.

    Examples
    --------
    >>> random_chisquare(64, 3, rng=1).shape
    (3,)
    """
    degrees = _validation.positive("df", df)
    half = np.multiply(degrees, 0.5)
    _validation.require("df", degrees, half > 0, "at least 1e-323")
    out = 2.0 * _gammas(half, _shape(size, half), seed_of(rng), threads)
    return _result(out, size is None)


def random_binomial(
    n: Any, p: Any, size: Any = None, *, rng: Any = None, threads: Any = None
) -> Result:
    """Draw binomial variates: the number of successes in n trials of probability p.

    Parameters
    ----------
    n : array_like of int
        Number of trials, 0 to 2**50.
    p : array_like of float
        Probability, in [0, 1].
    size : int or tuple of int, optional
        Shape of the sample, which the parameters broadcast to; their common shape by default.
    rng : None, int, SeedSequence, BitGenerator or Generator, optional
        Source of the 64-bit seed.
    threads : int, optional
        Number of threads, every core by default. The result does not depend on it.

    Returns
    -------
    int or ndarray of int64

    Raises
    ------
    ValueError, TypeError
        For arguments outside these ranges.

    Notes
    -----
    One n and p of moderate size have an alias table. Otherwise every element is the quantile of its
    own 64-bit uniform number, whose probability is met to 1e-12 in both tails; see
    docs/algorithms/samplers.md. Two ways of drawing one law give different numbers: arrays of equal
    parameters are not the scalars' sample.

    Examples
    --------
    >>> random_binomial(10**12, 0.5, 3, rng=1).dtype
    dtype('int64')
    """
    trials = _validation.integers("n", n, 0, MOST_TRIALS, copy=False)
    chance = _validation.probability("p", p)
    shape, seed = _shape(size, trials, chance), seed_of(rng)
    if (
        isinstance(trials, int)
        and isinstance(chance, float)
        and _core.AliasTable.fits(trials, chance)
    ):
        table = _alias_table(trials, chance)
        result = _rows(
            lambda row, out: table.variates(seed, row, out.size, out),
            shape,
            np.int64,
            False,
            threads,
        )
    else:
        trial_column = _column(trials, shape, np.int64)
        chance_column = _column(chance, shape, np.float64)
        result = _filled(
            lambda start, out: _core.random_binomials(
                trial_column(start, out.size),
                chance_column(start, out.size),
                seed,
                start // _PIECE,
                out.size,
                out,
            ),
            shape,
            np.int64,
            threads,
        )
    return _result(result, size is None)


def random_gain(gain: Gain, size: Any = None, *, rng: Any = None, threads: Any = None) -> Result:
    """Draw the gain R of a layer by inversion: one uniform number, one gain.

    Parameters
    ----------
    gain : Gain
        Law of the gain, one (not an array of laws: see `Gain.rvs`).
    size : int or tuple of int, optional
        Shape of the sample; one number by default.
    rng : None, int, SeedSequence, BitGenerator or Generator, optional
        Source of the 64-bit seed.
    threads : int, optional
        Number of threads, every core by default. The result does not depend on it.

    Returns
    -------
    float or ndarray
        0 where the signal dies.

    Raises
    ------
    ValueError, TypeError
        For arguments outside these ranges.

    Notes
    -----
    The quantiles of 64-bit uniform numbers. The relative error of the tail probability is below
    1e-11, down to 2^-65 in either tail. The first call for a law builds its table, in about a tenth
    of a second.

    Examples
    --------
    >>> from fracmoment import Gain
    >>> r = random_gain(Gain("relu", 64), 10_000, rng=1)
    >>> bool(abs((r**2).mean() - 32) < 0.5)
    True
    """
    if gain.shape != ():
        message = f"gain must be one law, got an array of shape {gain.shape}: use Gain.rvs"
        raise ValueError(message)
    law, seed = law_of(gain), seed_of(rng)
    table, log_mean = gain_table(law), _core.GainLaw(*law).log_mean()
    return _rows(
        lambda row, out: _core.random_gains(table, log_mean, seed, row, out.size, out),
        _shape(size),
        np.float64,
        size is None,
        threads,
    )


# ---------------------------------------------------------------- shapes and pieces


@lru_cache(maxsize=256)
def _alias_table(n: int, p: float) -> _core.AliasTable:
    return _core.AliasTable(n, p)


def _dtype_name(dtype: npt.DTypeLike) -> str:
    try:
        name = np.dtype(dtype).name
    except TypeError:
        name = str(dtype)
    return _validation.choice("dtype", name, _DTYPES)


def _shape(size: Any, *parameters: Any) -> tuple[int, ...]:
    """Return the shape of a sample: that of the parameters, or one that they broadcast to."""
    try:
        common = np.broadcast_shapes(*(np.shape(value) for value in parameters))
    except ValueError:
        shapes = ", ".join(str(np.shape(value)) for value in parameters)
        message = f"parameters must broadcast with one another, got shapes {shapes}"
        raise ValueError(message) from None
    if size is None:
        return common
    shape = _validation.sample_shape(size)
    try:
        fits = np.broadcast_shapes(shape, common) == shape
    except ValueError:
        fits = False
    if not fits:
        message = f"size must be a shape that the parameters' {common} broadcasts to, got {size!r}"
        raise ValueError(message)
    return shape


def _filled(
    draw: Callable[[int, Any], object], shape: tuple[int, ...], dtype: npt.DTypeLike, threads: Any
) -> Any:
    """Return a sample as one array, whose pieces draw(start, out) writes."""
    result = np.empty(math.prod(shape), dtype=dtype)

    def write(first: int, length: int) -> None:
        draw(first, result[first : first + length])

    workers = min(thread_count(threads), max(1, -(-result.size // _PIECE)))
    for _ in each_piece(write, 0, result.size, _PIECE, workers):
        pass
    return result.reshape(shape)


def _rows(
    draw: Callable[[int, Any], object],
    shape: tuple[int, ...],
    dtype: npt.DTypeLike,
    scalar: bool,
    threads: Any,
) -> Any:
    """Return a sample of which piece i is the row of replica i."""
    return _result(
        _filled(lambda start, out: draw(start // _PIECE, out), shape, dtype, threads), scalar
    )


def _result(values: Any, scalar: bool) -> Result:
    """Return a Python number for a sample of no shape that was not asked for as an array."""
    return values.item() if scalar and values.ndim == 0 else values


def _column(value: Any, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Callable[[int, int], Any]:
    """Return a parameter's values for a piece of the sample: one for all, or as many."""
    if np.ndim(value) == 0:
        single = np.array([value], dtype=dtype)
        return lambda _start, _count: single
    flat = np.ascontiguousarray(np.broadcast_to(value, shape)).reshape(-1)
    return lambda start, count: flat[start : start + count]


def _gammas(shape_parameter: Any, shape: tuple[int, ...], seed: int, threads: Any) -> Any:
    column = _column(shape_parameter, shape, np.float64)
    return _filled(
        lambda start, out: _core.random_gammas(column(start, out.size), seed, start, out.size, out),
        shape,
        np.float64,
        threads,
    )
