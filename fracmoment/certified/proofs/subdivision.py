"""Proofs by adaptive subdivision: boxes are halved until balls decide the inequality on each.

The order of work depends on nothing but the arguments, so that a proof is reproducible box by box.
"""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from fracmoment.certified.proofs.inequality import Box, Inequality

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from concurrent.futures import Executor
    from fractions import Fraction

__all__ = ["Progress", "Result", "Witness", "prove_inequality"]

_TIME_IS_UP = "the time limit was reached"
_INTERRUPTED = "interrupted from the keyboard"
_ENDINGS = (_TIME_IS_UP, _INTERRUPTED)

# A ball whose centre is undecided may need precision rather than subdivision.
_FIRST_PRECISION = 80
_MOST_PRECISION = 640
_REPORT_EVERY = 100


@dataclass(frozen=True)
class Witness:
    """Where an inequality is false: at every point of ``box`` the margin is in ``margin``."""

    box: Box
    margin: str

    def __str__(self) -> str:
        """Return the witness as text."""
        return f"{self.box}: margin {self.margin}"


@dataclass(frozen=True)
class Progress:
    """How far a proof has come."""

    width: int | None
    widths_done: int
    boxes: int
    boxes_waiting: int
    seconds: float


@dataclass
class Result:
    """Outcome of a proof.

    Attributes
    ----------
    status : {"proved", "refuted", "undecided"}
        Proved: the inequality holds at every point. Refuted: it fails at every point of the
        witness's box. Undecided: neither, for the ``reason`` given.
    witness : Witness or None
        Where it is refuted.
    remaining : list of Box
        What is left where it is undecided; it holds at all other points.
    reason : str
        Why it is undecided.
    boxes : int
        Number of boxes on which the inequality was proved.
    depth, precision : int
        The largest number of bisections, and of bits, that a box needed.
    seconds : float
        Time.
    """

    status: str = "proved"
    witness: Witness | None = None
    remaining: list[Box] = field(default_factory=list)
    reason: str = ""
    boxes: int = 0
    depth: int = 0
    precision: int = 0
    seconds: float = 0.0

    @property
    def proved(self) -> bool:
        """Whether the inequality is proved everywhere."""
        return self.status == "proved"

    @property
    def refuted(self) -> bool:
        """Whether a counterexample is proved."""
        return self.status == "refuted"

    def __str__(self) -> str:
        """Return one line."""
        text = f"{self.status}: {self.boxes} boxes, depth {self.depth}, {self.precision} bits"
        if self.witness is not None:
            text += f"; {self.witness}"
        if self.remaining:
            more = f" and {len(self.remaining) - 1} more" if len(self.remaining) > 1 else ""
            text += f"; {self.reason}; left: {self.remaining[0]}{more}"
        return f"{text}; {self.seconds:.1f} s"

    def add(self, part: Result) -> None:
        """Join the result for another width."""
        self.boxes += part.boxes
        self.depth = max(self.depth, part.depth)
        self.precision = max(self.precision, part.precision)
        self.remaining += part.remaining
        if part.refuted or (part.status == "undecided" and self.proved):
            self.status, self.witness, self.reason = part.status, part.witness, part.reason


def prove_inequality(
    inequality: Inequality,
    over: Mapping[str, tuple[Fraction, Fraction]],
    widths: Iterable[int] | None,
    *,
    time_limit: float = math.inf,
    max_depth: int = 60,
    progress: Callable[[Progress], object] | None = None,
    executor: Executor | None = None,
) -> Result:
    """Prove an inequality over a box for every width; `prove` explains."""
    start = time.monotonic()
    boxes = [Box(width, dict(over)) for width in ([None] if widths is None else widths)]
    total, done = Result(), 0

    def report(part: Result, waiting: int) -> None:
        if progress is not None:
            width = boxes[min(done, len(boxes) - 1)].width
            seconds = time.monotonic() - start
            progress(Progress(width, done, total.boxes + part.boxes, waiting, seconds))

    search = partial(_search, inequality, start + time_limit, max_depth)
    try:
        for part in _results(search, boxes, report, executor):
            total.add(part)
            done += 1
            report(Result(), 0)
            if total.refuted or part.reason in _ENDINGS:
                break
    except KeyboardInterrupt:
        total.add(Result("undecided", reason=_INTERRUPTED))
    if total.reason in _ENDINGS:
        total.remaining += boxes[done:]
    total.seconds = time.monotonic() - start
    return total


def _results(
    search: Callable[..., Result],
    boxes: list[Box],
    report: Callable[[Result, int], None],
    executor: Executor | None,
) -> Iterator[Result]:
    """Yield the result for every box, in their order."""
    if executor is None:
        yield from (search(box, report) for box in boxes)
        return
    futures = deque(executor.submit(search, box) for box in boxes)
    try:
        while futures:
            yield futures.popleft().result()
    finally:
        for future in futures:
            future.cancel()


def _search(
    inequality: Inequality,
    deadline: float,
    max_depth: int,
    start: Box,
    report: Callable[[Result, int], None] | None = None,
) -> Result:
    """Halve boxes, depth first, until each is decided."""
    result = Result()
    stack = [(start, 0, _FIRST_PRECISION)]
    try:
        while stack and not result.refuted:
            if time.monotonic() > deadline:
                result.status, result.reason = "undecided", _TIME_IS_UP
                break
            # The box stays on the stack until it is decided, lest an interruption lose it.
            stack[-1:] = _step(inequality, result, max_depth, *stack[-1])
            if report is not None and result.boxes % _REPORT_EVERY == 0:
                report(result, len(stack))
    except KeyboardInterrupt:
        result.status, result.reason = "undecided", _INTERRUPTED
    if not result.refuted:
        result.remaining += [box for box, _, _ in reversed(stack)]
    return result


_Task = tuple[Box, int, int]


def _step(
    inequality: Inequality, result: Result, max_depth: int, box: Box, depth: int, precision: int
) -> list[_Task]:
    """Decide one box, noting the outcome, or return what to do instead."""
    margin = inequality.margin(box, precision)
    if inequality.holds(margin):
        result.boxes += 1
        result.depth = max(result.depth, depth)
        result.precision = max(result.precision, precision)
        return []
    wide = box.wide()
    for candidate in [box, box.centre()] if wide else [box]:
        middle = margin if candidate is box else inequality.margin(candidate, precision)
        if inequality.fails(middle):
            result.status, result.witness = "refuted", Witness(candidate, middle.str(10))
            return []
    if not inequality.holds(middle):  # not even at a point: the precision is what is missing
        if precision < _MOST_PRECISION:
            return [(box, depth, 2 * precision)]
        reason = f"neither side is larger at {box.centre()} with {precision} bits"
    elif depth < max_depth:
        name = wide[0] if len(wide) == 1 else _widest(inequality, box, wide, precision)
        low, high = box.halves(name)
        return [(high, depth + 1, precision), (low, depth + 1, precision)]
    else:
        reason = f"a box was halved {max_depth} times"
    result.status, result.reason = "undecided", result.reason or reason
    result.remaining.append(box)
    return []


def _widest(inequality: Inequality, box: Box, wide: list[str], precision: int) -> str:
    """Return the variable without whose width the lower end of the margin is highest."""
    centre = box.centre()

    def lower(name: str) -> float:
        collapsed = Box(box.width, {**box.ranges, name: centre.ranges[name]})
        margin = inequality.margin(collapsed, precision)
        return float(margin.lower()) if margin.is_finite() else -math.inf

    ends = {name: lower(name) for name in wide}
    best = max(wide, key=ends.__getitem__)
    if math.isfinite(ends[best]):
        return best
    return max(wide, key=lambda name: box.ranges[name][1] - box.ranges[name][0])
