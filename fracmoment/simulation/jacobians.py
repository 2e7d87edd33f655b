"""Singular values of the input-output Jacobian of random networks, simulated."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _validation
from fracmoment.simulation.matrix_products import (
    MatrixProduct,
    ProductRun,
    log_scale,
    scalar_slopes,
    widths_of,
)
from fracmoment.simulation.runs import run_seed
from fracmoment.simulation.stored import sample_count, simulate
from fracmoment.simulation.streams import Purpose

if TYPE_CHECKING:
    from fracmoment._typing import FloatArray, IntArray

MASKS = ("independent", "forward")
WEIGHTS = ("gaussian", "orthogonal")


def simulate_jacobian(
    width: Any,
    sigma: Any,
    depth: Any,
    n_samples: Any,
    *,
    activation: Any = "relu",
    masks: str = "independent",
    method: str | None = None,
    weights: str = "gaussian",
    looks_linear: bool = False,
    keep_prob: Any = 1.0,
    inverted_dropout: bool = True,
    rng: Any = None,
    threads: Any = None,
    executor: Any = None,
    progress: Any = None,
    checkpoint: Any = None,
) -> FloatArray:
    """Draw the logarithms of the singular values of input-output Jacobians of random networks.

    Parameters
    ----------
    width : int or sequence of int
        Number of units of the input and of every layer, 1 to 1,024: one for all, or a sequence of
        ``depth + 1``.
    sigma : float or sequence of float
        Scale of the weights of every layer, or one for each, > 0: the standard deviation of
        Gaussian weights, the factor of orthogonal ones.
    depth : int or None
        Number of layers; None takes it from the sequence.
    n_samples : int
        Number of independent networks, >= 0.
    activation : Activation or str, optional
        Activation of every layer, the last one included.
    masks : {"independent", "forward"}, optional
        Which units are on their negative side: fair coins independent of the weights, or the signs
        of the pre-activations of a random input that is pushed through the network. The two are
        equal in law [HN20].
    method : {"chi", "qr"}, optional
        "qr" draws the weights and factors D W Q = Q' R. "chi", for Gaussian weights and linear or
        ReLU units with independent masks, draws the triangular R by its law (Bartlett): normals
        above the diagonal, chi variates on it. By default "chi" where it exists.
    weights : {"gaussian", "orthogonal"}, optional
        Law of W: independent normal entries, or uniform (Haar) among the matrices of orthonormal
        columns, of orthonormal rows where a layer is narrower than the one before.
    looks_linear : bool, optional
        Whether the weights are ``[[W, -W], [-W, W]]``, ``[W; -W]`` in the first layer, with W of
        the law given (Gaussian submatrix, or looks-linear, initialization). All layers have even
        widths then, and the activation a fixed slope.
    keep_prob : float, optional
        Probability, in (0, 1], that dropout keeps a unit.
    inverted_dropout : bool, optional
        Whether the units that are kept are divided by ``keep_prob``.
    rng : None, int, SeedSequence, BitGenerator or Generator, optional
        Source of the 64-bit seed. Row i is a function of the seed, the options and i alone.
    threads : int, optional
        Number of threads, every core by default. The result does not depend on it.
    executor, progress, checkpoint : optional
        As for `simulate_log_norms`.

    Returns
    -------
    ndarray of float, shape (n_samples, min(width of the input, width of the output))
        Natural logarithms of the singular values of ``D_k W_k ... D_1 W_1``, decreasing, D_i the
        slopes of the units of layer i. -inf where the singular value is 0: there are as many others
        as the smallest number of live units of a layer, or the smallest width, half of it for
        looks-linear weights.

    Raises
    ------
    ValueError, TypeError
        For arguments outside these ranges.
    ConvergenceError
        If the Jacobi iteration of some replica did not end.
    Interrupted, CheckpointError
        As for `simulate_log_norms`.

    Notes
    -----
    Every singular value that is not 0 has a small relative error, even if it is smaller than the
    largest by more than the range of doubles: of the order of 1e-15 times the condition number of
    the worst factor D W (with its slopes taken out), typically below 1e-12. The product of the
    triangular factors is kept as rows with exponents of their own and diagonalized by one-sided
    Jacobi rotations, see docs/algorithms/spectra.md.

    Examples
    --------
    >>> x = simulate_jacobian(8, 0.5, 20, 100, rng=1)
    >>> x.shape, bool(np.all(np.diff(x[0][np.isfinite(x[0])]) < 0))
    ((100, 8), True)
    >>> y = simulate_jacobian([3, 8, 5], [1.0, 0.5], None, 2, activation="leaky_relu", rng=1)
    >>> y.shape, bool(np.isfinite(y).all())
    ((2, 3), True)
    """
    widths = widths_of("width", width, depth)
    layers = len(widths) - 1
    _validation.choice("masks", masks, MASKS)
    kept = _validation.as_float("keep_prob", _validation.keep_prob(keep_prob))
    options: dict[str, Any] = {
        "keep_prob": kept,
        "orthogonal": _validation.choice("weights", weights, WEIGHTS) == "orthogonal",
    }
    log_sigma = log_scale(sigma, layers)
    if _validation.flag("inverted_dropout", inverted_dropout):
        log_sigma -= layers * math.log(kept)
    if _validation.flag("looks_linear", looks_linear):
        slope = _shared_slope(activation, kept)
        log_sigma += (layers - 1) * _log(1.0 + slope) + 0.5 * math.log1p(slope**2)
        product = MatrixProduct.of(_halves(widths), "linear", "independent", method, **options)
    else:
        product = MatrixProduct.of(widths, activation, masks, method, **options)
    count = sample_count(n_samples)
    columns = int(min(widths[0], widths[-1]))
    if product.isometric:
        return _isometries(count, columns, product, log_sigma)

    def decreasing(values: FloatArray) -> FloatArray:
        rows = np.full((len(values), columns), -np.inf)
        rows[:, : values.shape[1]] = -np.sort(-(log_sigma + values), axis=1)
        return rows

    run = ProductRun(
        product, "product_singular_values", Purpose.JACOBIAN, run_seed(rng, checkpoint)
    )
    return simulate(
        run,
        count,
        [(product.rank,)],
        decreasing,
        threads=threads,
        executor=executor,
        progress=progress,
        checkpoint=checkpoint,
    )


def _isometries(count: int, columns: int, product: MatrixProduct, log_sigma: float) -> FloatArray:
    """Return the result where nothing is random."""
    rows = np.full((count, columns), -np.inf)
    rows[:, : product.rank] = log_sigma
    return rows


def _log(x: float) -> float:
    return math.log(abs(x)) if x else -math.inf


def _shared_slope(activation: Any, keep_prob: float) -> float:
    """Return the slope a of the units whose pairs add up to (1 + a) W x."""
    lower, upper = scalar_slopes(activation)
    if lower != upper:
        message = f"looks_linear needs an activation with a fixed slope, got {activation!r}"
        raise ValueError(message)
    if keep_prob < 1.0 and lower != 0.0:
        message = (
            "looks_linear with dropout needs ReLU, where one unit of a pair is 0 already, "
            f"got {activation!r} with keep_prob={keep_prob}"
        )
        raise ValueError(message)
    return lower


def _halves(widths: IntArray) -> IntArray:
    """Return the widths of the input and of half of every layer."""
    if np.any(widths[1:] % 2):
        message = f"looks_linear needs layers of even widths, got {widths[1:].tolist()}"
        raise ValueError(message)
    return np.concatenate([widths[:1], widths[1:] // 2])
