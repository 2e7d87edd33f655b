"""Lyapunov exponents of products of random matrices, simulated by the QR chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _core, _validation
from fracmoment.gains import Gain
from fracmoment.simulation.chains import gain_table, law_of
from fracmoment.simulation.matrix_products import (
    WIDEST,
    Factors,
    MatrixProduct,
    log_scale,
    rows,
    widths_of,
)
from fracmoment.simulation.streams import Purpose, seed_of

if TYPE_CHECKING:
    from fracmoment._typing import FloatArray


def simulate_lyapunov_spectrum(
    width: Any,
    sigma: Any,
    depth: Any,
    n_samples: Any,
    *,
    rng: Any = None,
    activation: Any = "linear",
    method: str | None = None,
    threads: Any = None,
) -> FloatArray:
    """Draw the estimates of the Lyapunov exponents that the QR chain gives at finite depth.

    Parameters
    ----------
    width : int
        Number d of units of every layer, 1 to 1,024.
    sigma : float or sequence of float
        Standard deviation of the weights of every layer, or one for each, > 0.
    depth : int
        Number k of layers.
    n_samples : int
        Number of independent products, >= 0.
    rng : None, int, SeedSequence, BitGenerator or Generator, optional
        Source of the 64-bit seed. Row i is a function of the seed, the method and i alone.
    activation : Activation or str, optional
        The product is that of D_i W_i, W_i the weights and D_i the slopes of the units, half of
        them on the negative side by fair coins. This is the law of the Jacobian of the network.
    method : {"chi", "qr"}, optional
        "qr" draws the weights and factors D W Q = Q' R. "chi", for linear and ReLU units, draws the
        diagonal of R by its law, independent chi variates. By default "chi" where it exists.
    threads : int, optional
        Number of threads, every core by default. The result does not depend on it.

    Returns
    -------
    ndarray of float, shape (n_samples, width)
        ``(1/k) sum log R_ii`` in the order of i = 1, ..., d; -inf from the rank of the product on,
        which is the smallest number of live units of a layer. For linear units the columns are
        independent, unbiased for `lyapunov_spectrum`, of variance `lyapunov_variances` over k.

    Raises
    ------
    ValueError, TypeError
        For arguments outside these ranges.

    Notes
    -----
    W Q has the law of W, whatever the orthogonal Q, and n Gaussian rows have QR factors with
    independent chi_n, chi_(n-1), ... on the diagonal. With linear units "chi" inverts one 64-bit
    uniform number for each; the first call for a width builds its tables.

    Examples
    --------
    >>> import fracmoment as fm
    >>> x = simulate_lyapunov_spectrum(4, 0.5, 10, 1000, rng=1, method="qr")
    >>> spread = np.sqrt(fm.lyapunov_variances(4) / 10 / 1000)
    >>> bool(np.all(abs(x.mean(axis=0) - fm.lyapunov_spectrum(4, 0.5)) < 4 * spread))
    True
    """
    widths = widths_of("width", _validation.integer("width", width, 1, WIDEST), depth)
    layers = len(widths) - 1
    log_sigma = log_scale(sigma, layers)
    product = MatrixProduct.of(widths, activation, "independent", method)
    seed = seed_of(rng)
    if product.factors is Factors.BARTLETT and product.lower == 1.0:
        gain = Gain("linear", np.arange(widths[0], 0, -1))
        tables = [gain_table(law_of(one)) for one in gain]
        means = layers * gain.log_mean()

        def work(first: int, count: int) -> FloatArray:
            sums = [
                _core.variate_sums(
                    table, layers, block, seed, Purpose.LYAPUNOV_SPECTRUM, first, count
                )
                for block, table in enumerate(tables)
            ]
            total: FloatArray = means + np.stack(sums, axis=1)
            return total

        cost = 3.0 * layers * len(tables)
    else:

        def work(first: int, count: int) -> FloatArray:
            return _core.product_exponents(*product, seed, Purpose.LYAPUNOV_SPECTRUM, first, count)

        cost = product.nanoseconds()
    return (log_sigma + rows(work, int(widths[0]), n_samples, cost, threads)) / layers
