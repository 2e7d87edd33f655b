"""Lyapunov exponents of products of random matrices, simulated by the QR chain."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _core, _validation
from fracmoment.gains import Gain
from fracmoment.simulation.matrix_products import (
    WIDEST,
    Factors,
    MatrixProduct,
    ProductRun,
    group_size,
    log_scale,
    widths_of,
)
from fracmoment.simulation.pieces import thread_count
from fracmoment.simulation.runs import Run, run_seed
from fracmoment.simulation.stored import sample_count, simulate
from fracmoment.simulation.streams import Purpose, stream_format

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    executor: Any = None,
    progress: Any = None,
    checkpoint: Any = None,
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
    executor, progress, checkpoint : optional
        As for `simulate_log_norms`.

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
    Interrupted, CheckpointError
        As for `simulate_log_norms`.

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
    seed = run_seed(rng, checkpoint)
    run: Run
    if product.factors is Factors.BARTLETT and product.lower == 1.0:
        run = _ChiSums(int(widths[0]), layers, seed)
        spectrum_tables(int(widths[0]))
    else:
        run = ProductRun(product, "product_exponents", Purpose.LYAPUNOV_SPECTRUM, seed)
    return simulate(
        run,
        sample_count(n_samples),
        [(int(widths[0]),)],
        lambda values: (log_sigma + values) / layers,
        threads=threads,
        executor=executor,
        progress=progress,
        checkpoint=checkpoint,
    )


@lru_cache(maxsize=4)
def spectrum_tables(width: int) -> tuple[_core.QuantileTable, ...]:
    """Return the tables of log chi_width, ..., log chi_1, less their means."""
    with ThreadPoolExecutor(thread_count(None)) as pool:
        return tuple(pool.map(_core.QuantileTable.chi, range(width, 0, -1)))


@dataclass(frozen=True)
class _ChiSums:
    """Sums of log chi variates over the layers, a column for each exponent; a run."""

    width: int
    layers: int
    seed: int

    def work(self, first: int, count: int) -> FloatArray:
        """Return the rows of ``count`` replicas from ``first`` on."""
        sums = [
            _core.variate_sums(
                table, self.layers, block, self.seed, Purpose.LYAPUNOV_SPECTRUM, first, count
            )
            for block, table in enumerate(spectrum_tables(self.width))
        ]
        means = self.layers * Gain("linear", np.arange(self.width, 0, -1)).log_mean()
        total: FloatArray = means + np.stack(sums, axis=1)
        return total

    def piece(self) -> int:
        """Return how many replicas make a piece of work."""
        return group_size(3.0 * self.layers * self.width)

    def description(self) -> Mapping[str, Any]:
        """Return what determines the results, in JSON."""
        return {
            "result": "chi_sums",
            "width": self.width,
            "layers": self.layers,
            "seed": self.seed,
            "stream_format": stream_format,
        }
