"""Long runs: threads or an executor, progress, interrupts, checkpoints."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from fracmoment.simulation.checkpoints import Checkpoint, CheckpointError
from fracmoment.simulation.pieces import each_piece, each_submitted, thread_count
from fracmoment.simulation.streams import seed_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Progress = Callable[[int, int], object]

_PIECES_OF_A_TASK = 16  # sent to another process
_PIECES_OF_A_THREAD = 4  # at least
_LEAST_SHARE = 32  # of a piece that is worth a thread: one in so many
_WINDOW = 64  # pieces under way on an executor, whose size is not known
_SECONDS_BETWEEN_SAVES = 10.0
_SHARE_OF_SAVING = 0.05  # of the time, at most


class Run(Protocol):
    """Work on replicas that can be cut anywhere. For executors of processes it can be pickled."""

    def work(self, first: int, count: int) -> Any:
        """Return the result of ``count`` replicas from ``first`` on."""

    def piece(self) -> int:
        """Return how many replicas take a few hundredths of a second on one thread."""

    def description(self) -> Mapping[str, Any]:
        """Return what determines the results, in JSON."""


class Collector(Protocol):
    """What becomes of the results of the pieces."""

    def add(self, start: int, part: Any) -> None:
        """Take the result of the piece that begins at ``start``."""

    def state(self) -> bytes:
        """Return what has been taken."""

    def restore(self, state: bytes) -> None:
        """Go back to a state."""


class Interrupted(KeyboardInterrupt):
    """A run was stopped from the keyboard.

    Attributes
    ----------
    partial : object
        The result of the replicas that were done: an array of samples, or a summary.
    done : int
        How many these are, the first ones.
    """

    def __init__(self, partial: Any, done: int) -> None:
        super().__init__(f"interrupted after {done} samples; they are in .partial")
        self.partial = partial
        self.done = done


class _Saver:
    """Saves from time to time, such that saving takes a small share of the time."""

    def __init__(self, checkpoint: Checkpoint | None, collector: Collector) -> None:
        self._checkpoint, self._collector = checkpoint, collector
        self._saved_at, self._pause = time.monotonic(), _SECONDS_BETWEEN_SAVES
        self._saved = -1

    def save(self, done: int) -> None:
        if self._checkpoint is None or done == self._saved:
            return
        before = time.monotonic()
        self._checkpoint.save(done, self._collector.state())
        self._saved, self._saved_at = done, time.monotonic()
        taken = self._saved_at - before
        self._pause = max(_SECONDS_BETWEEN_SAVES, taken / _SHARE_OF_SAVING)

    def offer(self, done: int) -> None:
        if time.monotonic() - self._saved_at >= self._pause:
            self.save(done)


class _Interrupts:
    """Ctrl-C as a request to stop after the pieces under way; a second one stops at once."""

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> _Interrupts:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.getsignal(signal.SIGINT)
            if self._before is signal.default_int_handler:
                signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _ask(self, *_: object) -> None:
        self.asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)


def run_seed(rng: Any, checkpoint: Any) -> int:
    """Return the seed of ``rng``; without one, that of a checkpoint which is there already."""
    if rng is None and checkpoint is not None:
        found = Checkpoint.seed_in(checkpoint)
        if found is not None:
            return found
    return seed_of(rng)


def execute(
    run: Run,
    count: int,
    collector: Collector,
    *,
    threads: Any = None,
    executor: Any = None,
    progress: Any = None,
    checkpoint: Any = None,
) -> int:
    """Do all replicas of a run that a checkpoint does not hold yet, in pieces.

    Parameters
    ----------
    run : Run
        The work.
    count : int
        The number of replicas.
    collector : Collector
        Takes the results in order.
    threads : int, optional
        Number of threads, every core by default. Not with an executor.
    executor : concurrent.futures.Executor, optional
        Where pieces are computed instead.
    progress : bool or callable, optional
        True shows a bar with the time left on stderr; a callable gets (done, total).
    checkpoint : path, optional
        File that keeps what is done.

    Returns
    -------
    int
        How many replicas are done: fewer than ``count`` after Ctrl-C.

    Raises
    ------
    CheckpointError
        The file is damaged or belongs to another run.
    """
    workers = thread_count(threads)
    if executor is not None and not callable(getattr(executor, "submit", None)):
        message = f"executor must be a concurrent.futures.Executor, got {executor!r}"
        raise TypeError(message)
    file = None
    if checkpoint is not None:
        file = Checkpoint(checkpoint, {**run.description(), "n_samples": count})
    done = _resume(file, collector, count)
    saver = _Saver(file, collector)
    with _reporter(progress, count) as report, _Interrupts() as interrupts:

        def stop() -> bool:
            return interrupts.asked

        size, left = run.piece(), count - done
        if executor is None:
            # short runs too are shared between the threads, in whole groups of lanes
            lanes = 32 if size % 32 == 0 else 8
            share = -(-left // (_PIECES_OF_A_THREAD * workers * lanes)) * lanes
            size = min(size, max(share, size // _LEAST_SHARE // lanes * lanes))
            parts = each_piece(run.work, done, left, size, workers, stop)
        else:
            size *= _PIECES_OF_A_TASK
            parts = each_submitted(executor, run.work, done, left, size, _WINDOW, stop)
        report(done, count)
        try:
            with closing(parts):
                for start, part in parts:
                    collector.add(start, part)
                    done = min(start + size, count)
                    report(done, count)
                    saver.offer(done)
        finally:
            saver.save(done)
    return done


def _resume(file: Checkpoint | None, collector: Collector, count: int) -> int:
    if file is None:
        return 0
    found = file.load()
    if found is None:
        return 0
    done, state = found
    try:
        collector.restore(state)
    except (ValueError, TypeError, KeyError, IndexError):
        raise CheckpointError(file.path, "is damaged: its state cannot be read") from None
    if done > count:
        raise CheckpointError(file.path, "is damaged: it is ahead of the run")
    return done


@contextmanager
def _reporter(progress: Any, count: int) -> Iterator[Progress]:
    """Give a function of (done, total)."""
    if callable(progress):
        yield progress
    elif progress is None or progress is False:
        yield lambda _done, _total: None
    elif progress is True:
        with _bar(count) as report:
            yield report
    else:
        message = f"progress must be True, False or a function of (done, total), got {progress!r}"
        raise TypeError(message)


@contextmanager
def _bar(count: int) -> Iterator[Progress]:
    # Imported here: a library that shows no bar does not load a terminal library.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("simulating"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("time left"),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("simulating", total=count)
        yield lambda done, _total: bar.update(task, completed=done)
