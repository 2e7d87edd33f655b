"""Probabilities of rare events in depth, by exponential tilting with the exact moments.

``S = log(|x_k|/|x_0|)`` is a sum of independent steps. Every step is drawn from its law tilted by
one order s, of density ``r^s f(r)/M(s)``, so that the event is no longer rare; a draw counts with
the weight ``exp(-s S + Lambda(s))``, and one of the layers is integrated out exactly.
docs/algorithms/rare_events.md derives the estimators.
"""

from __future__ import annotations

import math
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fracmoment import _core, _layers, _validation
from fracmoment.simulation.chains import Chain
from fracmoment.simulation.pieces import each_piece, thread_count
from fracmoment.simulation.streams import Purpose, seed_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from fracmoment._typing import FloatArray, IntArray

__all__ = ["RareEvent", "rare_event_probability"]

SIDES = ("above", "below")
_PIECE = 8192  # samples of one piece of work for one thread
_FEW_JUMPS = 5.0  # expected: more are drawn well by the tilted law itself
_SMALLEST_RATE = 0.01  # distance of an order from the edge of the moments, so that a table exists
_TABLE_REACH = 80.0  # log of the range of a tilted density: the tables end at 2^-65
_TAIL_REACH = 650.0  # the same of a density whose tail is wanted, down to the smallest doubles
_FEWEST_JUMPS = 64  # samples for each layer that may jump


class RareEvent(NamedTuple):
    """The estimated probability of an event in depth.

    Attributes
    ----------
    log_probability : float
        Natural logarithm of the probability of the event, dead signals included: for "below"
        ``log(P(dead) + P(alive) P(S <= level | alive))``, for "above" ``log(P(alive)
        P(S >= level | alive))``.
    log_probability_given_alive : float
        The same of the event given that no layer is dead, which is what is estimated.
    relative_error : float
        Standard error of the probability over the probability; 0 where the result is exact.
    relative_error_given_alive : float
        The same of the probability given that no layer is dead.
    prob_dead : float
        Exact probability that the signal dies.
    tilt : float
        Order by which the layers were tilted.
    method : {"exact", "tilted", "tilted with jumps"}
        How it was estimated.
    n_samples : int
        Number of networks drawn.
    """

    log_probability: float
    log_probability_given_alive: float
    relative_error: float
    relative_error_given_alive: float
    prob_dead: float
    tilt: float
    method: str
    n_samples: int

    @property
    def probability(self) -> float:
        """The probability; 0.0 where it is below the range of doubles."""
        return math.exp(self.log_probability)


class LogEstimate(NamedTuple):
    """Mean of exp(log weight): its logarithm, and its variance over its square."""

    log_mean: float
    variance: float

    @classmethod
    def of(cls, log_weights: FloatArray) -> LogEstimate:
        """Return the mean of the exponentials of these logarithms, and its error."""
        most = float(log_weights.max())
        if most == -math.inf:
            return cls(-math.inf, 0.0)
        weights = np.exp(log_weights - most)
        mean = float(weights.mean())
        variance = float(((weights - mean) ** 2).mean()) / max(weights.size - 1, 1)
        return cls(most + math.log(mean), variance / mean**2)

    @classmethod
    def total(cls, parts: list[LogEstimate]) -> LogEstimate:
        """Return the sum of independent estimates."""
        log_mean = float(np.logaddexp.reduce([part.log_mean for part in parts]))
        if log_mean == -math.inf:
            return cls(log_mean, 0.0)
        shares = [math.exp(part.log_mean - log_mean) for part in parts]
        return cls(
            log_mean, math.fsum(w * w * p.variance for w, p in zip(shares, parts, strict=True))
        )


@lru_cache(maxsize=256)
def log_density(law: tuple[Any, ...]) -> _core.LogDensity:
    """Return the density of log R - E[log R | R > 0] of a law as the core tabulates it."""
    return _core.LogDensity(_core.GainLaw(*law))


class Tilted:
    """Every kind of layer of a network, tilted by one order and cut from below.

    All is in terms of y = log R - E[log R | R > 0], given that the layer is alive.
    """

    def __init__(self, order: float, laws: list[_core.TiltedGain]) -> None:
        self.order = order
        self.laws = laws
        self.means = np.array([law.mean() for law in laws])
        self.log_masses = np.array([law.log_mass() for law in laws])

    @cached_property
    def tables(self) -> list[_core.QuantileTable]:
        """The tables that the variates come from."""
        return [law.table() for law in self.laws]

    def draw(
        self, layers: IntArray, seed: int, purpose: Purpose, first: int, count: int
    ) -> tuple[FloatArray, FloatArray]:
        """Return sums of y over layers of these kinds, and the logarithms of their weights."""
        rest = _core.norm_chain(self.tables, layers, seed, first, count, purpose)
        sums = rest + math.fsum(self.means[layers])
        return sums, math.fsum(self.log_masses[layers]) - self.order * sums


class Walk:
    """The event that the sum of y over the layers is beyond a level."""

    def __init__(self, chain: Chain, log_level: float, upper: bool) -> None:
        self.layers = chain.indices
        self.upper = upper
        self.densities = [log_density(law) for law in chain.laws]
        self.uncut = [-math.inf] * len(chain.laws)
        self.counts = np.bincount(self.layers, minlength=len(chain.laws))
        log_means = np.array([_core.GainLaw(*law).log_mean() for law in chain.laws])
        self.level = log_level - chain.log_sigma - math.fsum(log_means[self.layers])

    def tilted(self, order: float, cuts: list[float]) -> Tilted | None:
        """Return the layers tilted; None where there is no such law, or no table of it."""
        for density, cut in zip(self.densities, cuts, strict=True):
            near_edge = order + density.lower_slope() < _SMALLEST_RATE
            if cut == -math.inf and density.power_below() and near_edge:
                return None
        try:
            laws = [
                _core.TiltedGain(density, order, cut, _TABLE_REACH)
                for density, cut in zip(self.densities, cuts, strict=True)
            ]
        except ValueError:
            return None
        return Tilted(order, laws)

    def no_cuts(self, _order: float) -> list[float]:
        """Return that no kind of layer is cut, whatever the order."""
        return self.uncut

    def valleys(self, order: float) -> list[float]:
        """Return for every kind of layer where the tilted density rises again, farther down."""
        return [density.valley(order) for density in self.densities]

    def best(self, cuts_of: Callable[[float], list[float]]) -> tuple[Tilted, list[float]]:
        """Return the layers tilted so that the mean reaches the level, or as near as it goes."""
        sign = 1.0 if self.upper else -1.0
        untilted = _existing(self.tilted(0.0, self.uncut))
        spread = float(self.counts @ [law.variance() for law in untilted.laws])
        reach = sign * self.level

        def within(size: float) -> bool:
            tilted = self.tilted(sign * size, cuts_of(sign * size))
            return tilted is not None and bool(sign * (self.counts @ tilted.means) <= reach)

        low, high = 0.0, max(reach, 0.0) / spread
        while high > 0.0 and within(high):
            low, high = high, 2.0 * high
        while high - low > 1e-3 * high:
            middle = 0.5 * (low + high)
            low, high = (middle, high) if within(middle) else (low, middle)
        cuts = cuts_of(sign * low)
        return _existing(self.tilted(float(sign * low), cuts)), cuts

    def is_split(self, tilted: Tilted) -> bool:
        """Return whether the best tilt within the domain draws the smallness event badly.

        It does where it falls short of the level, and where few layers make all of the way.
        """
        if self.counts @ tilted.means > 0.99 * self.level:
            return True
        rises = self.valleys(tilted.order)
        jumps = [
            0.0 if rise == -math.inf else math.exp(law.log_tails(np.array([rise]), False)[0])
            for law, rise in zip(tilted.laws, rises, strict=True)
        ]
        return max(rises) > -math.inf and bool(self.counts @ jumps < _FEW_JUMPS)

    def piece(self) -> int:
        """Return how many samples make a piece of work of a few hundredths of a second."""
        return max(32, min(1 << 13, int(4e7 / (3.0 * self.layers.size + 1e3)) // 32 * 32))


def _existing(tilted: Tilted | None) -> Tilted:
    if tilted is None:
        message = "the laws of the layers are too wide to be tabulated"
        raise _core.ConvergenceError(message)
    return tilted


def _whole(
    walk: Walk, tilted: Tilted, cuts: list[float], seed: int, n_samples: int, threads: int
) -> LogEstimate:
    """Estimate the probability that the event happens with every layer above its cut.

    The layer with the widest tilted law is integrated out given the others.
    """
    kind = int(np.argmax([law.variance() for law in tilted.laws]))
    others = np.delete(walk.layers, np.flatnonzero(walk.layers == kind)[0])
    last = _core.TiltedGain(walk.densities[kind], 0.0, cuts[kind], _TAIL_REACH)

    def log_weights(first: int, count: int) -> FloatArray:
        sums, weights = tilted.draw(others, seed, Purpose.RARE_EVENT, first, count)
        return weights + last.log_mass() + last.log_tails(walk.level - sums, walk.upper)

    pieces = each_piece(log_weights, 0, n_samples, walk.piece(), threads)
    return LogEstimate.of(np.concatenate([values for _, values in pieces]))


def _jumps(
    walk: Walk, tilted: Tilted, cuts: list[float], seed: int, each: int, threads: int
) -> LogEstimate:
    """Estimate the probability that the event happens with some layer below its cut.

    It is the sum over the first layer that jumps below. That layer is integrated out; those before
    it are cut, those after it are not. ``each`` samples for every layer.
    """
    order, kinds = tilted.order, len(cuts)
    both = Tilted(order, _existing(walk.tilted(order, cuts)).laws + tilted.laws)
    free = [_core.TiltedGain(f, 0.0, -math.inf, _TAIL_REACH) for f in walk.densities]

    def log_weights(first: int, count: int) -> FloatArray:
        place = first // each
        kind = int(walk.layers[place])
        others = np.concatenate([walk.layers[:place], walk.layers[place + 1 :] + kinds])
        sums, weights = both.draw(others, seed, Purpose.RARE_JUMP, first, count)
        rest = np.minimum(walk.level - sums, cuts[kind])
        return weights + free[kind].log_tails(rest, False)

    pieces = each_piece(log_weights, 0, each * walk.layers.size, each, threads)
    return LogEstimate.total([LogEstimate.of(values) for _, values in pieces])


def _estimate(
    walk: Walk, seed: int, n_samples: int, threads: int
) -> tuple[LogEstimate, float, str, int]:
    """Return the estimate of the event given that no layer is dead, tilt, method, samples."""
    tilted, _ = walk.best(walk.no_cuts)
    if not walk.upper:
        steeper, cuts = walk.best(walk.valleys)
        if max(cuts) > -math.inf and walk.is_split(tilted):
            half, each = n_samples // 2, max(_FEWEST_JUMPS, n_samples // 2 // walk.layers.size)
            main = _whole(walk, steeper, cuts, seed, n_samples - half, threads)
            rest = _jumps(walk, tilted, cuts, seed, each, threads)
            drawn = n_samples - half + each * walk.layers.size
            return LogEstimate.total([main, rest]), steeper.order, "tilted with jumps", drawn
    main = _whole(walk, tilted, walk.uncut, seed, n_samples, threads)
    return main, tilted.order, "tilted", n_samples


def _log_alive(chain: Chain) -> float:
    """Return the log of the probability that no layer is dead."""
    logs = []
    for law in chain.laws:
        dead = _core.GainLaw(*law).prob_zero()
        logs.append(math.log1p(-dead) if dead < 0.5 else math.log(_core.GainLaw(*law).prob_alive()))
    return math.fsum(np.array(logs)[chain.indices])


def rare_event_probability(
    gain: Any,
    sigma: Any,
    depth: Any,
    log_level: Any,
    *,
    side: str = "above",
    n_samples: Any = 1_000_000,
    rng: Any = None,
    threads: Any = None,
) -> RareEvent:
    """Estimate the probability that the norm at the output is beyond a level, however small it is.

    Parameters
    ----------
    gain : Gain or sequence of Gain
        Gain law of every layer, or one for each; Gaussian weights.
    sigma : float or sequence of float
        Scale of the weights of every layer, or one for each, > 0.
    depth : int or None
        Number of layers; None takes it from the sequences.
    log_level : float
        Logarithm of the level: the event is ``log(|x_depth|/|x_0|) >= log_level``.
    side : {"above", "below"}, optional
        "below" is the event that the norm is at most the level, which includes dead signals.
    n_samples : int, optional
        Number of networks to draw, >= 2.
    rng : None, int, SeedSequence, BitGenerator or Generator, optional
        Source of the 64-bit seed; the result is a function of it and of the other arguments.
    threads : int, optional
        Number of threads, every core by default. The result does not depend on it.

    Returns
    -------
    RareEvent
        The logarithm of the probability with its relative standard error, given survival too. A
        single layer is computed, not drawn.

    Raises
    ------
    ValueError, TypeError
        For arguments outside these ranges, and for orthogonal weights.
    ConvergenceError
        If a single layer would need a tail probability below about 1e-280.

    Notes
    -----
    Unbiased for every tilt; tables of the tilted laws have a relative error of 1e-11 in
    probability.

    Examples
    --------
    A hundred ReLU layers that preserve the mean of the norm, whose output exceeds exp(25):

    >>> import fracmoment as fm
    >>> gain = fm.Gain("relu", 64)
    >>> event = rare_event_probability(gain, gain.scale(1.0), 100, 25.0, rng=1)
    >>> round(event.log_probability), event.relative_error < 0.01
    (-208, True)
    """
    network = _layers.of(gain, sigma, depth)
    for entry in network.gains:
        _validation.choice("weights of gain", entry.weights, ("gaussian",))
    level = _validation.as_float("log_level", log_level)
    _validation.choice("side", side, SIDES)
    count = _validation.integer("n_samples", n_samples, 2, 2**40)
    workers, seed = thread_count(threads), seed_of(rng)
    chain = Chain.of(network)
    walk = Walk(chain, level, side == "above")
    if chain.depth == 1:
        law = _core.TiltedGain(walk.densities[0], 0.0, -math.inf, _TAIL_REACH)
        exact = float(law.log_tails(np.array([walk.level]), walk.upper)[0])
        estimate, tilt, method, drawn = LogEstimate(exact, 0.0), 0.0, "exact", 0
    else:
        estimate, tilt, method, drawn = _estimate(walk, seed, count, workers)
    if estimate.log_mean == -math.inf:
        message = f"log_level {level} is out of reach: a layer would need a tail below 1e-280"
        raise _core.ConvergenceError(message)
    log_alive, error = _log_alive(chain), math.sqrt(estimate.variance)
    event, share = log_alive + estimate.log_mean, 1.0
    if side == "below" and log_alive < 0.0:
        event = float(np.logaddexp(math.log(-math.expm1(log_alive)), event))
        share = math.exp(log_alive + estimate.log_mean - event)
    return RareEvent(
        event, estimate.log_mean, share * error, error, -math.expm1(log_alive), tilt, method, drawn
    )
