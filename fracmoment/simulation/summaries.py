"""Summaries of runs too long to be stored: constant memory, merged without rounding."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fracmoment import _core

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fracmoment._typing import FloatArray, IntArray, Result

_UNIT = Fraction(1, 2**1074)  # of the exact sums
_POWERS = 4
_BINS_PER_UNIT, _REACH = 256, 64


class Estimate(NamedTuple):
    """A number estimated from samples.

    Attributes
    ----------
    value, standard_error : float
        The estimate, and the standard deviation of its error, itself estimated.
    """

    value: float
    standard_error: float

    def z(self, exact: float) -> float:
        """Return the distance from an exact value in standard errors."""
        difference = self.value - exact
        if self.standard_error == 0.0:
            return math.copysign(math.inf, difference) if difference else 0.0
        return difference / self.standard_error


@dataclass(frozen=True)
class SummaryPlan:
    """What is summed: log-norms y as t = (y - center)/scale, and exp(order y - log_moment).

    Attributes
    ----------
    center, scale : float
        The mean and standard deviation of y given survival.
    orders : tuple of float
        Orders of the moments.
    log_moments : tuple of float
        The logarithms of the moments given survival.
    exact : bool
        Whether these four are the exact values. For weights that are not normal, and with biases,
        they are rough ones, of a few networks: units of measurement, which no estimate depends on.
    """

    center: float
    scale: float
    orders: tuple[float, ...]
    log_moments: tuple[float, ...]
    exact: bool = True


@dataclass
class LogNormSummary:
    """What is left of samples of log(|x_k|/|x_0|): sums, counts and extremes.

    Sums are kept exactly, so that merging is associative: however a run was cut into pieces, and
    wherever these were computed, the summary is the same to the bit. All but `prob_dead` is given
    survival.

    Examples
    --------
    >>> import fracmoment as fm
    >>> gain = fm.Gain("relu", 16)
    >>> s = fm.summarize_log_norms(gain, gain.scale(1), 20, 50_000, orders=[1.0], rng=1)
    >>> abs(s.moment(1.0).z(1.0)) < 4, abs(s.mean.z(20 * fm.drift(gain, gain.scale(1)))) < 4
    (True, True)
    """

    plan: SummaryPlan
    n_samples: int = 0
    dead: int = 0
    least: float = math.inf
    most: float = -math.inf
    sums: list[int] = field(default_factory=list)
    counts: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def __post_init__(self) -> None:
        """Start from nothing where nothing is given."""
        if not self.sums:
            self.sums = [0] * (_POWERS + 2 * len(self.plan.orders))
        if self.counts.size == 0:
            self.counts = np.zeros(2 * _REACH * _BINS_PER_UNIT + 2, dtype=np.int64)

    @classmethod
    def of(cls, plan: SummaryPlan, y: FloatArray) -> LogNormSummary:
        """Return the summary of an array of log-norms, -inf for dead signals."""
        values = np.ascontiguousarray(y, dtype=np.float64)
        digits, counts, dead, least, most = _core.summarize(
            values, plan.center, plan.scale, list(plan.orders), list(plan.log_moments)
        )
        sums = [
            sum(int(digit) << (32 * i) for i, digit in enumerate(row) if digit) for row in digits
        ]
        return cls(plan, values.size, dead, least, most, sums, counts)

    def merge(self, other: LogNormSummary) -> None:
        """Add the samples of another summary of the same plan to this one."""
        if other.plan != self.plan:
            raise ValueError("summaries of different plans cannot be merged")
        self.n_samples += other.n_samples
        self.dead += other.dead
        self.least = min(self.least, other.least)
        self.most = max(self.most, other.most)
        self.sums = [a + b for a, b in zip(self.sums, other.sums, strict=True)]
        self.counts = self.counts + other.counts

    def __eq__(self, other: object) -> bool:
        """Whether the two are the same to the bit."""
        return isinstance(other, LogNormSummary) and self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment] # it changes

    # ------------------------------------------------------------ files

    def to_json(self) -> str:
        """Return the summary as JSON, exactly."""
        bins = np.flatnonzero(self.counts)
        return json.dumps(
            {
                "center": self.plan.center.hex(),
                "scale": self.plan.scale.hex(),
                "orders": [order.hex() for order in self.plan.orders],
                "log_moments": [value.hex() for value in self.plan.log_moments],
                "exact": self.plan.exact,
                "n_samples": self.n_samples,
                "dead": self.dead,
                "least": self.least.hex(),
                "most": self.most.hex(),
                "sums": [hex(total) for total in self.sums],
                "bins": bins.tolist(),
                "counts": self.counts[bins].tolist(),
            }
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> LogNormSummary:
        """Return the summary that `to_json` wrote."""
        data = json.loads(text)
        plan = SummaryPlan(
            float.fromhex(data["center"]),
            float.fromhex(data["scale"]),
            tuple(float.fromhex(order) for order in data["orders"]),
            tuple(float.fromhex(value) for value in data["log_moments"]),
            data["exact"],
        )
        result = cls(plan, data["n_samples"], data["dead"])
        result.least, result.most = float.fromhex(data["least"]), float.fromhex(data["most"])
        result.sums = [int(total, 16) for total in data["sums"]]
        result.counts[data["bins"]] = data["counts"]
        return result

    # ------------------------------------------------------------ estimates

    @property
    def alive(self) -> int:
        """The number of samples that did not die."""
        return self.n_samples - self.dead

    @property
    def prob_dead(self) -> Estimate:
        """The fraction of dead signals."""
        n = max(self.n_samples, 1)
        p = self.dead / n
        return Estimate(p, math.sqrt(p * (1.0 - p) / n))

    def _central(self) -> tuple[float, list[float]]:
        """Return the mean of t and its central moments of order 2, 3 and 4."""
        n = self.alive
        if n == 0:
            return math.nan, [math.nan] * 3
        m1, m2, m3, m4 = (Fraction(total) * _UNIT / n for total in self.sums[:_POWERS])
        second = m2 - m1**2
        third = m3 - 3 * m1 * m2 + 2 * m1**3
        fourth = m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4
        return float(m1), [float(second), float(third), float(fourth)]

    @property
    def mean(self) -> Estimate:
        """The mean of the log-norm."""
        mean, (second, _, _) = self._central()
        scale = self.plan.scale
        return Estimate(
            self.plan.center + scale * mean, scale * math.sqrt(second / max(self.alive, 1))
        )

    @property
    def variance(self) -> Estimate:
        """The variance of the log-norm."""
        _, (second, _, fourth) = self._central()
        square, n = self.plan.scale**2, max(self.alive, 1)
        error = math.sqrt(max(fourth - second**2, 0.0) / n)
        return Estimate(square * second * n / max(n - 1, 1), square * error)

    @property
    def skewness(self) -> float:
        """The third central moment over the cube of the standard deviation."""
        _, (second, third, _) = self._central()
        return third / second**1.5 if second > 0.0 else math.nan

    @property
    def excess_kurtosis(self) -> float:
        """The fourth central moment over the square of the variance, less 3."""
        _, (second, _, fourth) = self._central()
        return fourth / second**2 - 3.0 if second > 0.0 else math.nan

    def moment(self, order: float) -> Estimate:
        """Return E (|x_k|/|x_0|)^order, as a multiple of the value whose logarithm the plan holds.

        Where that is the exact one (`plan.exact`) the multiple has mean 1, whatever the size of the
        moment itself.

        Parameters
        ----------
        order : float
            One of the orders of the plan.
        """
        if order not in self.plan.orders:
            message = f"order must be one of {list(self.plan.orders)}, got {order!r}"
            raise ValueError(message)
        at = _POWERS + 2 * self.plan.orders.index(order)
        n = max(self.alive, 1)
        mean, square = (Fraction(total) * _UNIT / n for total in self.sums[at : at + 2])
        return Estimate(float(mean), math.sqrt(float(square - mean**2) / n))

    def quantile(self, q: float | Sequence[float] | FloatArray) -> Result:
        """Return quantiles of the log-norm, to the width of a bin: 1/256 standard deviation.

        Parameters
        ----------
        q : array_like of float
            Probabilities in [0, 1].

        Returns
        -------
        float or ndarray
            NaN where no signal survived.
        """
        levels = np.asarray(q, dtype=np.float64)
        if not np.all((levels >= 0.0) & (levels <= 1.0)):
            message = f"q must be in [0, 1], got {q!r}"
            raise ValueError(message)
        if self.alive == 0:
            return math.nan if levels.ndim == 0 else np.full(levels.shape, np.nan)
        edges = np.arange(-_REACH, _REACH + 0.5 / _BINS_PER_UNIT, 1.0 / _BINS_PER_UNIT)
        values = np.concatenate(
            [[self.least], self.plan.center + self.plan.scale * edges, [self.most]]
        )
        values = np.clip(values, self.least, self.most)
        below = np.concatenate([[0], np.cumsum(self.counts)]) / self.alive
        result = np.interp(levels, below, values)
        return float(result) if levels.ndim == 0 else result

    def histogram(self) -> tuple[IntArray, FloatArray]:
        """Return counts and edges of the bins between the least and the most sample."""
        inner = self.counts[1:-1]
        used = np.flatnonzero(inner)
        if used.size == 0:
            return np.zeros(0, dtype=np.int64), np.zeros(1)
        first, last = int(used[0]), int(used[-1]) + 1
        edges = np.arange(first, last + 1) / _BINS_PER_UNIT - _REACH
        return inner[first:last], self.plan.center + self.plan.scale * edges

    def add(self, _start: int, part: Any) -> None:
        """Take the summary of a piece of a run."""
        self.merge(part)

    def state(self) -> bytes:
        """Return the state for a checkpoint."""
        return self.to_json().encode()

    def restore(self, state: bytes) -> None:
        """Take a state; this summary is empty."""
        self.merge(LogNormSummary.from_json(state))
