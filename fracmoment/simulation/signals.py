"""Several inputs together through random networks, simulated exactly at finite width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import _layers, _validation
from fracmoment.simulation.networks import SignalNetwork, input_rows
from fracmoment.simulation.pieces import piece_size
from fracmoment.simulation.runs import run_seed
from fracmoment.simulation.stored import sample_count, simulate
from fracmoment.simulation.streams import Purpose, stream_format
from fracmoment.simulation.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fracmoment._typing import FloatArray

METHODS = ("gram", "matrix")


@dataclass(frozen=True)
class SignalSamples:
    """Signals of m inputs at the output of n random networks, or after each of their layers.

    Norms are kept as logarithms, so that no depth overflows.

    Attributes
    ----------
    log_norms : ndarray of float, shape (n, m) or (n, depth, m)
        log|x|, -inf where the signal is dead.
    cosines : ndarray of float, shape (n, m, m) or (n, depth, m, m)
        Cosines of the angles between signals: exactly 1 on the diagonal, 0 where one of the two is
        dead.
    """

    log_norms: FloatArray
    cosines: FloatArray

    def gram(self) -> FloatArray:
        """Return the Gram matrices of the signals, of the shape of ``cosines``.

        Entries beyond the range of doubles are infinite or 0.

        Examples
        --------
        >>> cosines = np.array([[[1.0, 0.5], [0.5, 1.0]]])
        >>> SignalSamples(np.log([[2.0, 3.0]]), cosines).gram().round(9)
        array([[[4., 3.],
                [3., 9.]]])
        """
        logs = self.log_norms
        with np.errstate(over="ignore"):
            products = np.exp(logs[..., :, np.newaxis] + logs[..., np.newaxis, :])
        return np.where(self.cosines == 0.0, 0.0, products * self.cosines)


@dataclass(frozen=True)
class _Signals:
    """The signals of the replicas of a network, by Gram matrices if there are no weights; a run."""

    network: SignalNetwork
    weights: Weights | None
    every_layer: bool
    seed: int

    def work(self, first: int, count: int) -> tuple[FloatArray, FloatArray]:
        """Return log-norms and cosines of ``count`` replicas from ``first`` on."""
        signals = self.network.core(every_layer=self.every_layer, cosines=True)
        if self.weights is None:
            return signals.gram(self.seed, Purpose.GRAM_CHAIN, first, count)
        law, parameter, single = self.weights.law, self.weights.parameter, self.weights.single
        return signals.matrix(
            law, parameter, single, self.seed, Purpose.MATRIX_SIGNALS, first, count
        )

    def piece(self) -> int:
        """Return how many replicas make a piece of work."""
        m = len(self.network.inputs)
        if self.weights is None:
            return piece_size(self.network.unit_count() * m * (2.0 + 0.5 * m))
        return piece_size(self.network.weight_count() * (1.5 + 0.2 * m))

    def description(self) -> Mapping[str, Any]:
        """Return what determines the results, in JSON."""
        return {
            **self.network.description(),
            "result": "signals",
            "weights": repr(self.weights),
            "every_layer": self.every_layer,
            "seed": self.seed,
            "stream_format": stream_format,
        }


def simulate_signals(
    gain: Any,
    sigma: Any,
    depth: Any,
    inputs: Any,
    n_samples: Any,
    *,
    bias: Any = 0.0,
    rng: Any = None,
    method: str = "gram",
    weights: Any = "gaussian",
    dtype: Any = "float64",
    every_layer: bool = False,
    threads: Any = None,
    executor: Any = None,
    progress: Any = None,
    checkpoint: Any = None,
) -> SignalSamples:
    """Take several inputs together through random networks, exact in law.

    Parameters
    ----------
    gain : Gain or sequence of Gain
        Width, activation and dropout of every layer, or of each, as the law of its gain.
    sigma : float or sequence of float
        Scale of the weights of every layer, or one for each, > 0.
    depth : int or None
        Number of layers; None takes it from the sequences.
    inputs : array_like, shape (m, fan_in)
        The inputs, one a row. Equal, opposite, dependent and zero ones are allowed.
    n_samples : int
        Number of independent networks, >= 0.
    bias : float or sequence of float, optional
        Standard deviation of the normal biases of every layer, or one for each, >= 0.
    rng : None, int, SeedSequence, BitGenerator or Generator, optional
        Source of the 64-bit seed. Sample i is a function of the seed and i alone.
    method : {"gram", "matrix"}, optional
        What is drawn: m normal numbers a unit, given the Gram matrix of the layer's inputs; or
        every weight. The two agree in law.
    weights, dtype : optional
        Law of the entries and precision for method "matrix", as for `simulate_log_norms`.
    every_layer : bool, optional
        Whether to return the signals after every layer instead of the last.
    threads : int, optional
        Number of threads, every core by default. The result does not depend on it.
    executor, progress, checkpoint : optional
        As for `simulate_log_norms`.

    Returns
    -------
    SignalSamples
        Logarithms of the norms, and cosines of the angles.

    Raises
    ------
    ValueError, TypeError
        For arguments outside these ranges.
    Interrupted, CheckpointError
        As for `simulate_log_norms`.

    Notes
    -----
    For Gaussian weights and biases the pre-activations of the units are independent vectors of m
    normal numbers with covariance sigma^2 G + bias^2, G the Gram matrix of the inputs [BD19], so
    that a layer costs its width times m^2 instead of its number of weights times m.

    Random slopes and dropout masks belong to the network: all inputs meet the same ones.

    Examples
    --------
    >>> import fracmoment as fm
    >>> gain = fm.Gain("relu", 100)
    >>> inputs = [[1.0, 0.0], [0.0, 1.0]]
    >>> signals = simulate_signals(gain, gain.scale(2), 50, inputs, 1000, rng=1)
    >>> signals.log_norms.shape, signals.cosines.shape
    ((1000, 2), (1000, 2, 2))
    >>> bool(signals.cosines[:, 0, 1].mean() > 0.9)  # orthogonal inputs come out almost parallel
    True
    """
    rows = input_rows("inputs", inputs, 2)
    network = SignalNetwork(_layers.of(gain, sigma, depth), bias, rows)
    count = sample_count(n_samples)
    _validation.choice("method", method, METHODS)
    explicit = Weights.of(weights, dtype)
    if method == "gram" and explicit != Weights():
        message = f"weights={weights!r}, dtype={dtype!r} need method='matrix', got method='gram'"
        raise ValueError(message)
    law = explicit if method == "matrix" else None
    network.require_addresses(law)
    every = _validation.flag("every_layer", every_layer)
    steps, m = network.depth if every else 1, len(rows)

    def samples(log_norms: FloatArray, cosines: FloatArray) -> SignalSamples:
        if every:
            return SignalSamples(log_norms, cosines)
        return SignalSamples(log_norms[:, 0], cosines[:, 0])

    return simulate(
        _Signals(network, law, every, run_seed(rng, checkpoint)),
        count,
        [(steps, m), (steps, m, m)],
        samples,
        threads=threads,
        executor=executor,
        progress=progress,
        checkpoint=checkpoint,
    )
