"""Work on ranges of replicas, shared between threads: results never depend on how."""

from __future__ import annotations

import os
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

from fracmoment import _validation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_MOST_THREADS = 4096


def thread_count(threads: Any) -> int:
    """Return the number of threads to use; None means every core this process may use."""
    if threads is not None:
        return _validation.integer("threads", threads, 1, _MOST_THREADS)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _ranges(first: int, count: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield (start, count) of consecutive pieces of at most ``size``."""
    for start in range(first, first + count, size):
        yield start, min(size, first + count - start)


def each_piece(
    work: Callable[[int, int], Any],
    first: int,
    count: int,
    size: int,
    threads: int,
) -> Iterator[tuple[int, Any]]:
    """Yield (start, work(start, count)) for the pieces of a range, in order.

    Not more pieces are under way than keep the threads busy, so that an interrupt is answered
    after one piece and memory stays small.
    """
    pieces = _ranges(first, count, size)
    if threads == 1:
        for start, length in pieces:
            yield start, work(start, length)
        return
    with ThreadPoolExecutor(threads) as pool:
        under_way: dict[int, Future[Any]] = {}
        expected = first
        try:
            for start, length in pieces:
                under_way[start] = pool.submit(work, start, length)
                while len(under_way) >= 2 * threads:
                    wait([under_way[expected]], return_when=FIRST_COMPLETED)
                    yield expected, under_way.pop(expected).result()
                    expected += size
            while expected in under_way:
                yield expected, under_way.pop(expected).result()
                expected += size
        finally:
            for future in under_way.values():
                future.cancel()
