"""Singular values of the input-output Jacobian of random networks, simulated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _core, _validation
from fracmoment.simulation.matrix_products import MatrixProduct, log_scale, rows, widths_of
from fracmoment.simulation.streams import Purpose, seed_of

if TYPE_CHECKING:
    from fracmoment._typing import FloatArray

MASKS = ("independent", "forward")


def simulate_jacobian(
    width: Any,
    sigma: Any,
    depth: Any,
    n_samples: Any,
    *,
    activation: Any = "relu",
    masks: str = "independent",
    method: str | None = None,
    rng: Any = None,
    threads: Any = None,
) -> FloatArray:
    """Draw the logarithms of the singular values of input-output Jacobians of random networks.

    Parameters
    ----------
    width : int or sequence of int
        Number of units of the input and of every layer, 1 to 1,024: one for all, or a sequence of
        ``depth + 1``.
    sigma : float or sequence of float
        Standard deviation of the Gaussian weights of every layer, or one for each, > 0.
    depth : int or None
        Number of layers; None takes it from the sequence.
    n_samples : int
        Number of independent networks, >= 0.
    activation : Activation or str, optional
        Activation of every layer, the last one included.
    masks : {"independent", "forward"}, optional
        Which units are on their negative side: fair coins independent of the weights, or the signs
        of the pre-activations of a random input that is pushed through the network. For Gaussian
        weights the two are equal in law [HN20].
    method : {"chi", "qr"}, optional
        "qr" draws the weights and factors D W Q = Q' R. "chi", for linear and ReLU units with
        independent masks, draws the triangular R by its law (Bartlett): normals above the diagonal,
        chi variates on it. By default "chi" where it exists.
    rng : None, int, SeedSequence, BitGenerator or Generator, optional
        Source of the 64-bit seed. Row i is a function of the seed, the options and i alone.
    threads : int, optional
        Number of threads, every core by default. The result does not depend on it.

    Returns
    -------
    ndarray of float, shape (n_samples, min(width of the input, width of the output))
        Natural logarithms of the singular values of ``D_k W_k ... D_1 W_1``, decreasing, D_i the
        slopes of the units of layer i. -inf where the singular value is 0: there are as many others
        as the smallest number of live units of a layer, or the smallest width.

    Raises
    ------
    ValueError, TypeError
        For arguments outside these ranges.
    ConvergenceError
        If the Jacobi iteration of some replica did not end.

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
    log_sigma = log_scale(sigma, layers)
    _validation.choice("masks", masks, MASKS)
    product = MatrixProduct.of(widths, activation, masks, method)
    seed = seed_of(rng)

    def work(first: int, count: int) -> FloatArray:
        return _core.product_singular_values(*product, seed, Purpose.JACOBIAN, first, count)

    values = rows(work, int(min(widths[0], widths[-1])), n_samples, product.nanoseconds(), threads)
    return -np.sort(-(log_sigma + values), axis=1)
