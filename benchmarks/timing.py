"""Timers, and the description of the machine."""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flint
import mpmath
import numpy as np
import scipy

import fracmoment as fm
from fracmoment import _core

if TYPE_CHECKING:
    from collections.abc import Callable

BATCHES = 5


@dataclass(frozen=True)
class Effort:
    """How thoroughly things are measured."""

    threads: int = 1  # of our engines
    quick: bool = False  # coarse times; every answer is verified, at fewer places
    patience: int = 1  # how many times the usual time may be spent

    @property
    def budget(self) -> float:
        """Seconds for one method."""
        return 0.005 if self.quick else 0.15 * self.patience

    @property
    def least(self) -> int:
        """Calls of a method that takes longer than that."""
        return 1 if self.quick else 3

    def checked(self, most: int) -> int:
        """Return how many values are verified, of the most that are."""
        return max(5, most // 10) if self.quick else most


def times(function: Callable[[], Any], effort: Effort, *, wall: bool = False) -> list[float]:
    """Return the times of one call in seconds, by the call or as the mean of a batch.

    Processor time, which other work on the machine hardly changes, or that of the clock on the
    wall, for several threads. A call of more than half a second is made once.
    """
    clock = time.perf_counter if wall else time.process_time

    def spent(calls: int) -> float:
        start = clock()
        for _ in range(calls):
            function()
        return (clock() - start) / calls

    taken = [spent(1)]
    calls = max(1, int(effort.budget / BATCHES / max(taken[0], 1e-7)))
    if calls > 1:
        return [spent(calls) for _ in range(BATCHES)]
    least = 1 if taken[0] > 0.5 else effort.least
    while len(taken) < least or (sum(taken) < effort.budget and len(taken) < BATCHES):
        taken.append(spent(1))
    return taken


def processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"model name\s*: (.*)", text)
    return found[1] if found else platform.machine()


def compiler() -> str:
    """The compiler's own note in the compiled core."""
    data = Path(_core.__file__).read_bytes()
    found = re.search(rb"(GCC: \([^\0]*|[^\0]*clang version[^\0]*)\0", data)
    return found[1].decode(errors="replace") if found else "unknown"


def load() -> float | None:
    """How many processes wanted a core during the last minute, where the system counts them."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def machine() -> dict[str, str]:
    """Everything a time depends on."""
    return {
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "instruction set": _core.active_isa(),
        "system": platform.system(),
        "compiler": compiler(),
        "python": sys.version.split()[0],
        "fracmoment": fm.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "mpmath": mpmath.__version__,
        "python-flint": flint.__version__,
    }
