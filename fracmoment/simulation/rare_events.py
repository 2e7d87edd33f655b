"""Probabilities of rare events in depth, by exponential tilting with the exact moments.

``S = log(|x_k|/|x_0|)`` is a sum of independent steps. Every step is drawn from its law tilted by
one order s, of density ``r^s f(r)/M(s)``, so that the event is no longer rare; a draw counts with
the weight ``exp(-s S + Lambda(s))``, and one of the layers is integrated out exactly.
docs/algorithms/rare_events.md derives the estimators.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fracmoment import _core, _layers, _validation
from fracmoment.simulation.chains import Chain
from fracmoment.simulation.pieces import piece_size
from fracmoment.simulation.runs import run_seed
from fracmoment.simulation.stored import simulate
from fracmoment.simulation.streams import Purpose, stream_format

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fracmoment._typing import FloatArray, IntArray

__all__ = ["RareEvent", "rare_event_probability"]

SIDES = ("above", "below")
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


def _existing(tilted: Tilted | None) -> Tilted:
    if tilted is None:
        message = "the laws of the layers are too wide to be tabulated"
        raise _core.ConvergenceError(message)
    return tilted


class Plan(NamedTuple):
    """What is drawn: for executors of processes it can be pickled.

    ``jumps`` samples for every layer that may be the first below its cut, layer by layer, then
    ``whole`` samples of networks with no layer below its cut.
    """

    chain: Chain
    log_level: float
    upper: bool
    order: float
    cuts: tuple[float, ...]
    whole: int
    jump_order: float = 0.0
    jumps: int = 0

    @classmethod
    def best(cls, chain: Chain, log_level: float, upper: bool, n_samples: int) -> Plan:
        """Return what estimates the event given that no layer is dead."""
        walk = Walk(chain, log_level, upper)
        tilted, cuts = walk.best(walk.no_cuts)
        event = (chain, log_level, upper)
        if not upper:
            steeper, valleys = walk.best(walk.valleys)
            if max(valleys) > -math.inf and walk.is_split(tilted):
                half = n_samples // 2
                each = max(_FEWEST_JUMPS, half // chain.depth)
                split = (steeper.order, tuple(valleys), n_samples - half)
                return cls(*event, *split, jump_order=tilted.order, jumps=each)
        return cls(*event, tilted.order, tuple(cuts), n_samples)

    @property
    def first_whole(self) -> int:
        """The number of samples before those of whole networks."""
        return self.jumps * self.chain.depth

    @property
    def method(self) -> str:
        """How the event is estimated."""
        return "tilted with jumps" if self.jumps else "tilted"

    def estimate(self, log_weights: FloatArray) -> LogEstimate | None:
        """Return the estimate from the first samples; None from too few."""
        whole = log_weights[self.first_whole :]
        if whole.size < 2:
            return None
        parts = [LogEstimate.of(whole)]
        if self.jumps:
            layers = log_weights[: self.first_whole].reshape(-1, self.jumps)
            parts.append(LogEstimate.total([LogEstimate.of(values) for values in layers]))
        return LogEstimate.total(parts) if self.jumps else parts[0]


class _Whole:
    """The event with every layer above its cut.

    The layer with the widest tilted law is integrated out given the others.
    """

    def __init__(self, walk: Walk, plan: Plan) -> None:
        cuts = list(plan.cuts)
        self.walk = walk
        self.tilted = _existing(walk.tilted(plan.order, cuts))
        kind = int(np.argmax([law.variance() for law in self.tilted.laws]))
        self.others = np.delete(walk.layers, np.flatnonzero(walk.layers == kind)[0])
        self.last = _core.TiltedGain(walk.densities[kind], 0.0, cuts[kind], _TAIL_REACH)

    def log_weights(self, seed: int, first: int, count: int) -> FloatArray:
        """Return the logarithms of the weights of samples first, first + 1, ..."""
        sums, weights = self.tilted.draw(self.others, seed, Purpose.RARE_EVENT, first, count)
        tails = self.last.log_tails(self.walk.level - sums, self.walk.upper)
        return weights + self.last.log_mass() + tails


class _Jumps:
    """The event with some layer below its cut, as the sum over the first such layer.

    That layer is integrated out; those before it are cut, those after it are not.
    """

    def __init__(self, walk: Walk, plan: Plan) -> None:
        self.walk, self.cuts, self.each = walk, list(plan.cuts), plan.jumps
        order = plan.jump_order
        cut = _existing(walk.tilted(order, self.cuts))
        self.both = Tilted(order, cut.laws + _existing(walk.tilted(order, walk.uncut)).laws)
        self.free = [_core.TiltedGain(f, 0.0, -math.inf, _TAIL_REACH) for f in walk.densities]

    def log_weights(self, seed: int, first: int, count: int) -> list[FloatArray]:
        """Return the logarithms of the weights of samples first, first + 1, ..., in parts."""
        parts = []
        while count > 0:
            place = first // self.each
            here = min(count, (place + 1) * self.each - first)
            parts.append(self._of_layer(place, seed, first, here))
            first, count = first + here, count - here
        return parts

    def _of_layer(self, place: int, seed: int, first: int, count: int) -> FloatArray:
        layers, kinds = self.walk.layers, len(self.cuts)
        kind = int(layers[place])
        others = np.concatenate([layers[:place], layers[place + 1 :] + kinds])
        sums, weights = self.both.draw(others, seed, Purpose.RARE_JUMP, first, count)
        rest = np.minimum(self.walk.level - sums, self.cuts[kind])
        return weights + self.free[kind].log_tails(rest, False)


@lru_cache(maxsize=4)
def _samplers(plan: Plan) -> tuple[_Whole, _Jumps | None]:
    walk = Walk(plan.chain, plan.log_level, plan.upper)
    return _Whole(walk, plan), _Jumps(walk, plan) if plan.jumps else None


@dataclass(frozen=True)
class _LogWeights:
    """The logarithms of the weights of the samples of a plan; a run."""

    plan: Plan
    seed: int

    def work(self, first: int, count: int) -> Any:
        whole, jumps = _samplers(self.plan)
        start = self.plan.first_whole
        before = min(count, max(start - first, 0))
        parts = jumps.log_weights(self.seed, first, before) if jumps and before else []
        if count > before:
            parts.append(whole.log_weights(self.seed, first + before - start, count - before))
        return np.concatenate(parts)

    def piece(self) -> int:
        return min(1 << 13, piece_size(3.0 * self.plan.chain.depth + 1e3))

    def description(self) -> Mapping[str, Any]:
        plan = self.plan
        return {
            **plan.chain.description(),
            "result": "rare event",
            "log_level": plan.log_level.hex(),
            "side": "above" if plan.upper else "below",
            "samples": [plan.jumps, plan.whole],
            "seed": self.seed,
            "stream_format": stream_format,
        }


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
    executor: Any = None,
    progress: Any = None,
    checkpoint: Any = None,
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
    executor, progress, checkpoint : optional
        As for `simulate_log_norms`.

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
    Interrupted
        On Ctrl-C (a KeyboardInterrupt); its ``partial`` is the estimate from the samples that were
        drawn, None where they are too few for one.
    CheckpointError
        If the file is damaged or belongs to another run.

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
    seed = run_seed(rng, checkpoint)
    chain = Chain.of(network)
    if chain.depth == 1:
        walk = Walk(chain, level, side == "above")
        law = _core.TiltedGain(walk.densities[0], 0.0, -math.inf, _TAIL_REACH)
        exact = float(law.log_tails(np.array([walk.level]), walk.upper)[0])
        return _event(chain, level, side, LogEstimate(exact, 0.0), (0.0, "exact", 0))
    plan = Plan.best(chain, level, side == "above", count)
    drawn = plan.first_whole + plan.whole
    if executor is None:
        _samplers(plan)

    def result(log_weights: FloatArray) -> Any:
        estimate = plan.estimate(log_weights)
        if estimate is None:
            return None
        return _event(chain, level, side, estimate, (plan.order, plan.method, log_weights.size))

    event: RareEvent = simulate(
        _LogWeights(plan, seed),
        drawn,
        [()],
        result,
        threads=threads,
        executor=executor,
        progress=progress,
        checkpoint=checkpoint,
    )
    return event


def _event(
    chain: Chain, level: float, side: str, estimate: LogEstimate, drawn: tuple[float, str, int]
) -> RareEvent:
    """Return the result from the estimate given that no layer is dead; drawn: tilt, method, n."""
    if estimate.log_mean == -math.inf:
        message = f"log_level {level} is out of reach: a layer would need a tail below 1e-280"
        raise _core.ConvergenceError(message)
    log_alive, error = _log_alive(chain), math.sqrt(estimate.variance)
    event, share = log_alive + estimate.log_mean, 1.0
    if side == "below" and log_alive < 0.0:
        event = float(np.logaddexp(math.log(-math.expm1(log_alive)), event))
        share = math.exp(log_alive + estimate.log_mean - event)
    return RareEvent(event, estimate.log_mean, share * error, error, -math.expm1(log_alive), *drawn)
