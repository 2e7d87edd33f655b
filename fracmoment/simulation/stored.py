"""Runs whose results are all kept, in arrays with a row for every replica."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from fracmoment import _validation
from fracmoment.simulation.runs import Interrupted, Run, execute

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fracmoment._typing import FloatArray

    Result = TypeVar("Result")

_MOST_SAMPLES = 2**56  # replicas that an address can hold


class Stored:
    """All results, in their places."""

    def __init__(self, count: int, shapes: Sequence[tuple[int, ...]]) -> None:
        self.arrays = [np.empty((count, *shape)) for shape in shapes]
        self.done = 0

    def add(self, start: int, part: Any) -> None:
        """Take the rows of the replicas from ``start`` on: an array, or one for each shape."""
        parts = part if isinstance(part, tuple) else (part,)
        self.done = start + len(parts[0])
        for array, rows in zip(self.arrays, parts, strict=True):
            array[start : self.done] = rows

    def first(self, count: int) -> list[FloatArray]:
        """Return copies of the first rows."""
        return [array[:count].copy() for array in self.arrays]

    def state(self) -> bytes:
        """Return what is done: the numbers of the arrays, one after the other."""
        return b"".join(array[: self.done].astype("<f8").tobytes() for array in self.arrays)

    def restore(self, state: bytes) -> None:
        """Go back to a state."""
        values = np.frombuffer(state, dtype="<f8")
        sizes = [int(np.prod(array.shape[1:])) for array in self.arrays]
        rows = values.size // max(sum(sizes), 1)
        parts = np.split(values, np.cumsum([rows * size for size in sizes[:-1]]))
        self.add(
            0, tuple(p.reshape(rows, *a.shape[1:]) for p, a in zip(parts, self.arrays, strict=True))
        )


def sample_count(n_samples: Any) -> int:
    """Return the number of replicas asked for."""
    return _validation.integer("n_samples", n_samples, 0, _MOST_SAMPLES)


def simulate(
    run: Run,
    count: int,
    shapes: Sequence[tuple[int, ...]],
    result: Callable[..., Result],
    **options: Any,
) -> Result:
    """Do a whole run and return its result.

    Parameters
    ----------
    run : Run
        The work; a piece gives an array for each shape, with a row for every replica.
    count : int
        The number of replicas.
    shapes : sequence of tuple of int
        Shapes of one row of each array.
    result : callable
        Makes the result from the arrays.
    **options
        Those of `execute`.

    Raises
    ------
    Interrupted
        After Ctrl-C; its ``partial`` is the result of the first replicas.
    """
    stored = Stored(count, shapes)
    done = execute(run, count, stored, **options)
    if done < count:
        raise Interrupted(result(*stored.first(done)), done)
    return result(*stored.arrays)
