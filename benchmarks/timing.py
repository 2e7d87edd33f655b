"""Timers, of processor time, and the description of the machine."""

from __future__ import annotations

import os
import platform
import re
import sys
import time
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


def seconds(function: Callable[[], Any], budget: float = 0.15) -> float:
    """Time of one call: the best of batches that together take about ``budget`` seconds."""
    start = time.process_time()
    function()
    once = time.process_time() - start
    if once > budget:
        return once
    calls = max(1, int(budget / 5 / max(once, 1e-7)))
    best = once
    for _ in range(5):
        start = time.process_time()
        for _ in range(calls):
            function()
        best = min(best, (time.process_time() - start) / calls)
    return best


def first_calls(make: Callable[[], Callable[[], Any]], count: int = 30) -> float:
    """Median time of the first call on a new object; making it is not timed apart from it."""
    times = []
    for _ in range(count):
        start = time.process_time()
        make()()
        times.append(time.process_time() - start)
    return sorted(times)[count // 2]


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


def machine() -> dict[str, str]:
    """Everything a time depends on."""
    return {
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "threads used": "1",
        "compiler": compiler(),
        "python": sys.version.split()[0],
        "fracmoment": fm.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "mpmath": mpmath.__version__,
        "python-flint": flint.__version__,
    }


SIMULATION = "\n## Simulation\n"  # the last part of the page of measured speeds


def write_page(path: str, page: str | None = None, simulation: str | None = None) -> None:
    """Replace the page of measured speeds, or its part on simulation, and keep the other."""
    file = Path(path)
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    first, _, last = before.partition(SIMULATION)
    first = first if page is None else page
    last = last if simulation is None else simulation
    text = first.rstrip() + "\n" + (SIMULATION + last.rstrip() + "\n" if last else "")
    file.write_text(text, encoding="utf-8")
