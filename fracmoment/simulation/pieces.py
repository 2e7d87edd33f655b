"""Work on ranges of replicas, shared between threads or processes: results never depend on how."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TYPE_CHECKING, Any

from fracmoment import _validation

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from concurrent.futures import Executor

    Work = Callable[[int, int], Any]
    Stop = Callable[[], bool]

_MOST_THREADS = 4096
_SECONDS_BETWEEN_LOOKS = 0.2
_PIECE_COST = 4e7  # work of one piece for one thread, in nanoseconds, roughly


def thread_count(threads: Any) -> int:
    """Return the number of threads to use; None means every core this process may use."""
    if threads is not None:
        return _validation.integer("threads", threads, 1, _MOST_THREADS)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def piece_size(cost: float) -> int:
    """Return how many replicas make a piece, from the cost of one in nanoseconds."""
    return max(8, min(1 << 16, int(_PIECE_COST / cost) // 32 * 32))


def _ranges(first: int, count: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield (start, count) of consecutive pieces of at most ``size``."""
    for start in range(first, first + count, size):
        yield start, min(size, first + count - start)


def never() -> bool:
    """Return False: nobody asks to stop."""
    return False


def each_piece(
    work: Work, first: int, count: int, size: int, threads: int, stop: Stop = never
) -> Generator[tuple[int, Any], None, None]:
    """Yield (start, work(start, count)) for the pieces of a range, in order.

    Not more pieces are under way than keep the threads busy, so that memory stays small and a
    request to stop is answered after one piece.
    """
    if threads == 1:
        for start, length in _ranges(first, count, size):
            if stop():
                return
            yield start, work(start, length)
        return
    with ThreadPoolExecutor(threads) as pool:
        yield from each_submitted(pool, work, first, count, size, 2 * threads, stop)


def each_submitted(
    executor: Executor,
    work: Work,
    first: int,
    count: int,
    size: int,
    window: int,
    stop: Stop = never,
) -> Generator[tuple[int, Any], None, None]:
    """Do the same on an executor, with at most ``window`` pieces under way."""
    pieces = _ranges(first, count, size)
    under_way: deque[tuple[int, Future[Any]]] = deque()
    try:
        while not stop():  # also where results are ready before they are asked for
            for start, length in islice(pieces, window - len(under_way)):
                under_way.append((start, executor.submit(work, start, length)))
            if not under_way:
                return
            start, future = under_way[0]
            while not future.done():
                if stop():
                    return
                wait([future], timeout=_SECONDS_BETWEEN_LOOKS)
            under_way.popleft()
            yield start, future.result()
    finally:
        for _, future in under_way:
            future.cancel()
