"""Lyapunov initialization that knows its depth: of several networks the steadiest is kept."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fracmoment import _validation
from fracmoment.activations import Activation, ReLU
from fracmoment.depth import DepthLaw
from fracmoment.gains import Gain
from fracmoment.schemes.base import Numbers, Scheme
from fracmoment.schemes.fractional import Lyapunov
from fracmoment.schemes.scaled import set_fields, single_activation

if TYPE_CHECKING:
    from fracmoment._typing import FloatArray, Result
    from fracmoment.schemes.base import Kernel, Site, Statement

__all__ = ["SelectedLyapunov"]

MAX_CANDIDATES = 100_000

_WHY = (
    "The log-norm of one input is the sum of independent log-gains, and of m of them the nearest to"
    " the target is kept: P(|Y - t| > r) is the m-th power of that of the exact law at this depth,"
    " from which the numbers follow. They are about the input that the choice was made with: how"
    " much of it other inputs share depends on their angle. The weights that are kept are no longer"
    " independent."
)


class _Candidate(NamedTuple):
    """Pre-activations of every layer at scale 1 for a network's input, and its log-norm."""

    pre_activations: list[FloatArray]
    log_norm: float


@dataclass(frozen=True)
class SelectedLyapunov(Scheme):
    """Lyapunov's scale; of several random networks the one whose log-norm is nearest its target.

    The drift is zero under Lyapunov's scale, but the log-norm still spreads with the depth. This
    variant [KSK26] draws the whole network several times and keeps the one for which ``log |x_k| -
    log |x_0|`` (of root mean squares) is nearest to `target`, for one input.

    Parameters
    ----------
    candidates : int, optional
        How many networks, 1 to 100,000.
    target : float, optional
        The log-norm aimed at.
    activation : Activation or str, optional
        After every matrix product; of fixed slope, so that a network has one log-norm.

    Notes
    -----
    Only pre-activations, width many normal numbers a layer, are drawn for every candidate; the
    weights of the one that is kept are drawn given ``W x``. That is exactly the law of choosing
    among full networks.

    Examples
    --------
    >>> scheme = SelectedLyapunov(candidates=20, activation="leaky_relu")
    >>> weights = scheme.sample_network([16] * 51, rng=0)
    >>> round(scheme.log_norm(weights), 2)
    -0.38
    >>> plain, chosen = (
    ...     SelectedLyapunov(m, activation="leaky_relu").statement(16, 16, 50) for m in (1, 20)
    ... )
    >>> round(plain.log_variance * 50, 3), round(chosen.log_variance * 50, 3)
    (5.248, 0.036)
    """

    candidates: int = 16
    target: float = 0.0
    activation: Activation | str = field(default_factory=ReLU)

    def __post_init__(self) -> None:
        """Check the parameters."""
        activation = single_activation(self.activation)
        lower, upper = activation.slopes
        if lower != upper:
            message = (
                f"activation must have a fixed slope for a choice of networks, got {activation!r}"
            )
            raise ValueError(message)
        set_fields(
            self,
            candidates=_validation.integer("candidates", self.candidates, 1, MAX_CANDIDATES),
            target=_validation.as_float("target", self.target),
            activation=activation,
        )

    @property
    def name(self) -> str:
        """The name under which `get` knows the scheme."""
        return "lyapunov_selected"

    def scale(self, fan_in: Any, fan_out: Any) -> Result:
        """Return Lyapunov's scale, with which the candidates are drawn."""
        return Lyapunov(self.activation).scale(fan_in, fan_out)

    # ------------------------------------------------------------ weights

    def sample_network(self, widths: Any, *, rng: Any = None, x0: Any = None) -> list[FloatArray]:
        """Draw the weights of a dense network.

        Parameters
        ----------
        widths : sequence of int
            Numbers of units from input to output, two or more.
        rng : optional
            What `numpy.random.default_rng` takes.
        x0 : array_like, shape (widths[0],), optional
            The input that the choice is made with, not 0; all ones by default.

        Returns
        -------
        list of ndarray
            One matrix ``(fan_out, fan_in)`` a layer.
        """
        sizes = _validation.width(widths, "widths")
        if not isinstance(sizes, np.ndarray) or sizes.ndim != 1 or sizes.size < 2:
            message = f"widths must be two counts or more, got {widths!r}"
            raise ValueError(message)
        counts: list[int] = sizes.tolist()
        return self._draw_network(counts, _direction(x0, counts[0]), _validation.generator(rng))

    def _draw_network(
        self, counts: list[int], direction: FloatArray, generator: np.random.Generator
    ) -> list[FloatArray]:
        scales = [float(self.scale(n, d)) for n, d in pairwise(counts)]
        best = min(
            (self._candidate(counts, scales, generator) for _ in range(self.candidates)),
            key=lambda one: abs(one.log_norm - self.target),
        )
        weights = []
        for z, n, scale in zip(best.pre_activations, counts, scales, strict=False):
            # W u = z given, the rest of W as it was: normal and independent of W u
            matrix = generator.standard_normal((z.size, n))
            matrix += np.outer(z - matrix @ direction, direction)
            weights.append(scale * matrix)
            direction = _unit(self._phi(z))
        return weights

    def _candidate(
        self, widths: list[int], scales: list[float], rng: np.random.Generator
    ) -> _Candidate:
        pre_activations = [rng.standard_normal(width) for width in widths[1:]]
        norms = np.array([np.linalg.norm(self._phi(z)) for z in pre_activations])
        with np.errstate(divide="ignore"):
            log_norm = float(np.sum(np.log(norms * np.array(scales))))
        return _Candidate(pre_activations, log_norm + 0.5 * math.log(widths[0] / widths[-1]))

    def log_norm(self, weights: Any, x0: Any = None) -> float:
        """Return the logarithm of the factor of the root mean square through a network.

        Parameters
        ----------
        weights : sequence of array_like
            One matrix a layer.
        x0 : array_like, optional
            The input; all ones by default.
        """
        matrices = [np.asarray(matrix, dtype=np.float64) for matrix in weights]
        direction = _direction(x0, matrices[0].shape[1])
        total = 0.5 * math.log(matrices[0].shape[1] / matrices[-1].shape[0])
        for matrix in matrices:
            signal = self._phi(matrix @ direction)
            norm = float(np.linalg.norm(signal))
            if norm == 0.0:
                return -math.inf
            total, direction = total + math.log(norm), signal / norm
        return total

    def _phi(self, z: FloatArray) -> FloatArray:
        slope = single_activation(self.activation).slopes[0]
        return np.where(z > 0.0, z, slope * z)

    def _draw(self, kernel: Kernel, rng: np.random.Generator) -> FloatArray:
        """Draw one layer alone, chosen for an input of equal entries."""
        if len(kernel.shape) != 2:
            message = f"shape must be that of a dense layer, got {kernel.shape}"
            raise ValueError(message)
        counts = [kernel.site.fan_in, kernel.site.width]
        (matrix,) = self._draw_network(counts, _direction(None, counts[0]), rng)
        return kernel.assemble([matrix])

    # ------------------------------------------------------------ statement

    def _state(self, site: Site) -> Statement:
        if site.taps > 1:
            message = f"shape must be that of a dense layer, got a kernel of {site.taps} taps"
            raise ValueError(message)
        gain = Gain(single_activation(self.activation), site.width)
        first = self._scale_at(site) * math.sqrt(site.fan_in / site.width)
        behind = float(self.scale(site.width, site.width))
        law = DepthLaw([gain] * site.depth, [first] + [behind] * (site.depth - 1))
        chosen = Chosen(law, self.candidates, self.target)
        mean, variance = chosen.moments()
        within = chosen.probability_within(1.0)
        return self._statement(
            site,
            f"log rms of the chosen input, aimed at {self.target:g}: within 1 of it with"
            f" probability {within:.6g}.",
            Numbers(
                drift=mean / site.depth,
                log_variance=variance / site.depth,
                prob_dead=law.prob_dead() ** self.candidates,
            ),
            _WHY,
        )


class Chosen(NamedTuple):
    """The law of the nearest to a target of several log-norms.

    Attributes
    ----------
    law : DepthLaw
        The law of each, dead networks having probability ``law.prob_dead()``.
    candidates : int
        How many.
    target : float
        The target.
    """

    law: DepthLaw
    candidates: int
    target: float

    def probability_within(self, radius: float) -> float:
        """Return the probability that the one kept is within a distance of the target."""
        return -math.expm1(self.candidates * self._log_outside(radius))

    def _log_outside(self, radius: float) -> float:
        """Return the log of the probability that one is farther than ``radius``, or dead."""
        alive = 1.0 - self.law.prob_dead()
        inside = self.law.cdf(self.target + radius) - self.law.cdf(self.target - radius)
        outside = 1.0 - alive * inside
        if outside > 0.5:
            return math.log1p(-alive * inside)
        tails = self.law.sf(self.target + radius) + self.law.cdf(self.target - radius)
        return math.log(max((1.0 - alive) + alive * tails, 5e-324))

    def moments(self) -> tuple[float, float]:
        """Return mean and variance of the log-norm that is kept, given that it is alive.

        Integrals over the distance r from the target, whose density is ``m S^(m-1)`` times that of
        one candidate, S being the probability of a larger distance.
        """
        from scipy import integrate  # heavy, and needed for statements only

        dead = self.law.prob_dead()

        def moment(radius: float, power: int, side: float) -> float:
            log_farther = (self.candidates - 1) * self._log_outside(radius)
            density = (1.0 - dead) * self.law.pdf(self.target + side * radius)
            return radius**power * self.candidates * math.exp(log_farther) * float(density)

        def integral(power: int, side: float) -> float:
            return math.fsum(
                integrate.quad(moment, *edges, args=(power, side), epsabs=0.0, epsrel=1e-9)[0]
                for edges in pairwise(self._edges())
            )

        kept = -math.expm1(self.candidates * math.log(dead)) if dead > 0.0 else 1.0
        mean = (integral(1, 1.0) - integral(1, -1.0)) / kept
        square = (integral(2, 1.0) + integral(2, -1.0)) / kept
        return self.target + mean, square - mean * mean

    def _edges(self) -> list[float]:
        """Return distances that split the integrals: where quantiles of the distance are."""
        far = max(abs(self.law.ppf(q) - self.target) for q in (1e-18, 1.0 - 1e-16))
        edges, radius = [far], far
        while self.probability_within(radius) > 1e-4 and radius > 1e-12 * far:
            radius /= 4.0
            edges.append(radius)
        return [0.0, *reversed(edges)]


def _unit(vector: FloatArray) -> FloatArray:
    norm = float(np.linalg.norm(vector))
    return vector / norm if norm > 0.0 else vector


def _direction(x0: Any, size: int) -> FloatArray:
    if x0 is None:
        return np.full(size, 1.0 / math.sqrt(size))
    values = np.asarray(_validation.floats("x0", x0))
    if values.shape != (size,) or not np.any(values):
        message = f"x0 must be a vector of {size} numbers, not all 0, got {x0!r}"
        raise ValueError(message)
    return _unit(values)
