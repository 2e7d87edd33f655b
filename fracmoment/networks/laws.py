"""From the gain laws of single layers to the law of the log-norm at the output of a network.

A layer maps ``x`` to ``phi(W x)``. With random weights of one scale sigma the ratio
``|phi(W x)| / |x| = sigma R`` has a law that does not depend on ``x``, and the layers of a network
are independent: the log-norm at the output is a sum of independent terms. Everything here is that
sum; the laws of the terms are `fracmoment.Gain`.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import optimize, special

from fracmoment._core import ConvergenceError
from fracmoment.depth.factors import core_law, gaussian_factors
from fracmoment.gains import Gain
from fracmoment.scales import init_scale

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fracmoment._core import DepthLaw
    from fracmoment._typing import ComplexArray, FloatArray
    from fracmoment.activations import Activation

Convention = Literal["rms", "norm"]
Weights = Literal["gaussian", "orthogonal"]

#: Up to this order every moment can be computed; above it there are laws whose cannot.
CERTAIN_ORDER = 64.0

# Orders at which the search for a tail index begins and ends.
_SMALLEST_ORDER = 1e-6
_LARGEST_ORDER = 1e5
# Where the characteristic function has fallen to this, the rest of its integral is rounding.
_NEGLIGIBLE = 1e-14
_MAX_NODES = 1 << 17


@dataclass(frozen=True)
class LayerLaw:
    """Law of ``R = |phi(W x)| / |x|`` for one layer whose weights have scale 1.

    For Gaussian weights the entries have standard deviation 1. Orthogonal weights are Haar
    distributed with orthonormal columns, or orthonormal rows where the layer narrows. Orthonormal
    rows first shorten ``x`` as a projection on fan_out random directions does, by the square root
    of a Beta(fan_out/2, (fan_in - fan_out)/2) variate, and what is left has a uniform direction,
    independent of the length: there the gain is the product of that root and of the ratio law.

    Attributes
    ----------
    activation : fracmoment.Activation
        The activation after the matrix product.
    fan_in, fan_out : int
        Numbers of columns and rows.
    keep_prob : float
        Probability with which inverted dropout keeps a unit.
    weights : {"gaussian", "orthogonal"}
        Law of the weights.
    """

    activation: Activation
    fan_in: int
    fan_out: int
    keep_prob: float = 1.0
    weights: Weights = "gaussian"

    @cached_property
    def _gain(self) -> Gain:
        return Gain(self.activation, self.fan_out, keep_prob=self.keep_prob, weights=self.weights)

    @cached_property
    def _projection(self) -> tuple[Gain, Gain] | None:
        """Norms of fan_out and of fan_in normal variates, whose quotient the projection is."""
        narrowing = self.weights == "orthogonal" and self.fan_in > self.fan_out
        return (Gain("linear", self.fan_out), Gain("linear", self.fan_in)) if narrowing else None

    @cached_property
    def log_mean(self) -> float:
        """E[log R | R > 0]."""
        value = float(self._gain.log_mean())
        if self._projection is not None:
            part, whole = self._projection
            value += float(part.log_mean()) - float(whole.log_mean())
        return value

    @cached_property
    def log_var(self) -> float:
        """Var[log R | R > 0]."""
        value = float(self._gain.log_var())
        if self._projection is not None:
            # The length of the whole is independent of the quotient: variances subtract.
            part, whole = self._projection
            value += float(part.log_var()) - float(whole.log_var())
        return value

    def log_cumulant(self, n: int) -> float:
        """Return the cumulant of order n of log R given R > 0, n from 1 to 8."""
        value = float(self._gain.log_cumulant(n))
        if self._projection is not None:
            part, whole = self._projection
            value += float(part.log_cumulant(n)) - float(whole.log_cumulant(n))
        return value

    @cached_property
    def prob_zero(self) -> float:
        """P(R = 0), the probability that the layer dies."""
        return float(self._gain.prob_zero())

    def scale(self, order: float) -> float:
        """Return the scale that preserves the norm's moment of an order >= 0, 0 for zero drift."""
        return self.init_scale(order, "norm")

    def init_scale(self, order: float, preserve: Convention) -> float:
        """Return the scale that preserves the moment of the norm or of the root mean square."""
        return float(
            init_scale(
                self.activation,
                self.fan_in,
                self.fan_out,
                order,
                preserve=preserve,
                keep_prob=self.keep_prob,
                weights=self.weights,
            )
        )

    def tail_index(self, scale: float) -> float:
        """Return the order whose moment of the norm a scale preserves.

        As `fracmoment.Gain.tail_index`: 0.0 where the drift is not negative, infinity where
        every moment shrinks; NaN where the order is above `CERTAIN_ORDER` and cannot be found.
        """
        if self._projection is not None:
            return NetworkLaw([self]).tail_index(math.log(scale))
        try:
            return float(self._gain.tail_index(scale))
        except ConvergenceError:
            if scale < self.scale(CERTAIN_ORDER):
                return math.nan
            raise

    def characteristic_function(self, t: FloatArray) -> ComplexArray:
        """Return E[exp(i t log R) | R > 0]."""
        value = np.asarray(self._gain.moment(1j * t, given_alive=True), dtype=np.complex128)
        if self._projection is not None:
            # By logarithms: the moments of both norms underflow where their quotient does not.
            half = 0.5 * np.array([self.fan_out, self.fan_in])
            logs = special.loggamma(half[:, np.newaxis] + 0.5j * t)
            constant = special.gammaln(half[1]) - special.gammaln(half[0])
            value = value * np.exp(logs[0] - logs[1] + constant)
        return value

    def factors(self, count: int) -> Counter[Gain]:
        """Return gains with Gaussian weights whose powers multiply to `count` such layers."""
        return gaussian_factors(self._gain, self.fan_in, count)

    def to_norm(self, preserve: Convention) -> float:
        """Return the factor between a scale of the norm convention and one of `preserve`."""
        return math.sqrt(self.fan_out / self.fan_in) if preserve == "rms" else 1.0


class NetworkLaw:
    """Law of the log-norm gained from the input to the output of a chain of layers, at scale 1.

    Scales of the layers shift it by the sum of their logarithms, nothing else; hence the methods
    take that sum as `shift` where it matters.

    Parameters
    ----------
    layers : sequence of LayerLaw
        The layers; equal ones are grouped.
    """

    def __init__(self, layers: Sequence[LayerLaw]) -> None:
        self.counts = Counter(layers)
        self.depth = len(layers)

    @cached_property
    def log_mean(self) -> float:
        """Mean, given that the signal is alive."""
        return math.fsum(count * law.log_mean for law, count in self.counts.items())

    @cached_property
    def log_var(self) -> float:
        """Variance, given that the signal is alive."""
        return math.fsum(count * law.log_var for law, count in self.counts.items())

    @cached_property
    def prob_dead(self) -> float:
        """Probability that the output is zero."""
        terms = []
        for law, count in self.counts.items():
            if law.prob_zero >= 1.0:
                return 1.0
            terms.append(count * math.log1p(-law.prob_zero))
        return -math.expm1(math.fsum(terms)) + 0.0

    def quantile(self, probability: float) -> float:
        """Return a quantile given that the signal is alive.

        As `fracmoment.DepthLaw.ppf`, and exact like it, but for narrow orthogonal layers, where
        that route ends. There the characteristic function is the product of the layers' moments of
        imaginary order, inverted by the midpoint rule to 1e-10 for probabilities in [0.01, 0.99];
        and where it does not decay, because of atoms where the gain is at its bound, the expansion
        of Cornish and Fisher is used, whose error can reach a few tenths of a standard deviation
        (four ReLU layers of width 8: 0.2 at 5 %).
        """
        try:
            core = self._core
        except ConvergenceError:
            return self.log_mean + self._centred_quantile(probability)
        if core is None:
            return self.log_mean
        return float(core.quantile(np.array([probability]), False)[0])

    def _centred_quantile(self, probability: float) -> float:
        std = math.sqrt(self.log_var)
        if self._inversion is None:
            return std * self._expansion(float(special.ndtri(probability)))
        t, weights = self._inversion

        def excess(y: float) -> float:
            integral = float(np.sum((weights * np.exp(-1j * t * y)).imag))
            return 0.5 - integral - probability

        return float(optimize.brentq(excess, -12.0 * std, 12.0 * std, xtol=1e-13 + 1e-12 * std))

    @cached_property
    def _core(self) -> DepthLaw | None:
        counts: Counter[Gain] = Counter()
        for law, count in self.counts.items():
            counts.update(law.factors(count))
        return core_law(counts, {})

    def _expansion(self, z: float) -> float:
        """Return the standardized quantile for the quantile z of the normal law.

        Cornish and Fisher (1938), with the terms up to the order -3/2 in the number of summands.
        """
        std = math.sqrt(self.log_var)
        third, fourth, fifth = (
            math.fsum(count * law.log_cumulant(n) for law, count in self.counts.items()) / std**n
            for n in (3, 4, 5)
        )
        return (
            z
            + third * (z**2 - 1) / 6
            + fourth * (z**3 - 3 * z) / 24
            - third**2 * (2 * z**3 - 5 * z) / 36
            + fifth * (z**4 - 6 * z**2 + 3) / 120
            - third * fourth * (z**4 - 5 * z**2 + 2) / 24
            + third**3 * (12 * z**4 - 53 * z**2 + 17) / 324
        )

    @cached_property
    def _inversion(self) -> tuple[FloatArray, ComplexArray] | None:
        """Nodes t and values phi(t) h / (pi t) for the law centred at its mean.

        None where the moments of imaginary order cannot be computed as far as they are needed:
        the integral behind those of the leaky laws loses its digits there, and a characteristic
        function that exceeds 1 is the sign of it.
        """
        std = math.sqrt(self.log_var)
        # Left tails are exponential in narrow layers, with a rate of at least one.
        narrowest = min(law.fan_out for law in self.counts)
        half_period = 16.0 * std + 60.0 / narrowest
        step = math.pi / half_period
        nodes: list[FloatArray] = []
        values = []
        # A normal law of this spread is through at t = 8.1/std; narrow layers take longer. Blocks
        # are small against that, because moments far beyond may be out of reach.
        expected = max(8.1 / std / step, 1.0)
        block = max(8, math.ceil(expected / 16.0))
        while sum(map(len, nodes)) < _MAX_NODES:
            start = sum(map(len, nodes))
            t: FloatArray = (np.arange(start, start + block, dtype=np.float64) + 0.5) * step
            # Centred layer by layer, so that no phase has to be found from a large angle.
            phi = np.ones(t.shape, dtype=np.complex128)
            for law, count in self.counts.items():
                try:
                    values_of_law = law.characteristic_function(t)
                except ConvergenceError:
                    return None
                if not np.all(np.abs(values_of_law) < 1.0 + 1e-6):  # NaN included
                    return None
                phi *= (values_of_law * np.exp(-1j * t * law.log_mean)) ** count
            nodes.append(t)
            values.append(phi * (step / math.pi) / t)
            if abs(phi[-1]) < _NEGLIGIBLE:
                break
            if sum(map(len, nodes)) > 2.0 * expected:
                block = min(2 * block, 8192)
        return np.concatenate(nodes), np.concatenate(values)

    def tail_index(self, shift: float) -> float:
        """Return the order whose moment the whole network preserves.

        Parameters
        ----------
        shift : float
            Sum of the logarithms of the scales.

        Returns
        -------
        float
            The root alpha > 0 of E exp(alpha (shift + sum log R)) = 1, death included; 0.0 where
            there is none because the drift is not negative, infinity where every order up to
            1e5 shrinks, NaN where it is above `CERTAIN_ORDER` and cannot be found.
        """
        drift = shift + self.log_mean
        rounding = 1e-13 * (abs(shift) + abs(self.log_mean) + 1.0)
        if drift >= -rounding and self.prob_dead < 1e-12:
            return 0.0
        if self.log_var <= 0.0 and self.prob_dead == 0.0:
            return math.inf

        def excess(order: float) -> float:
            # log E (...)^order / order, increasing in the order; a scale is a moment to the power
            # -1/order, which cannot overflow.
            terms = [count * math.log(law.scale(order)) for law, count in self.counts.items()]
            return shift - math.fsum(terms)

        low = _SMALLEST_ORDER
        if excess(low) >= 0.0:
            return 0.0
        # Where layers can die, scales of small orders may overflow: the root is above those.
        while not math.isfinite(excess(low)):
            low *= 2.0
        high = 2.0 * low
        try:
            while excess(high) < 0.0:
                low, high = high, 2.0 * high
                if high > _LARGEST_ORDER:
                    return math.inf
            return float(optimize.brentq(excess, low, high, xtol=1e-14, rtol=1e-14))
        except ConvergenceError:
            if excess(CERTAIN_ORDER) < 0.0:
                return math.nan
            raise
