"""What is measured: a case is one task, our way and others, each verified and then timed.

Every suite yields cases, and every case gives one shape of result, a dictionary for JSON.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .timing import Effort, times

OURS = "fracmoment"  # the first of our ways; the names of the others begin with it
Run = Callable[[], Any]


@dataclass(frozen=True)
class Check:
    """What an answer is held against."""

    # "ulp", "digits" (correct ones), "relative", "absolute", "z" (standard errors), "differing"
    measure: str
    error: Callable[[Any], float]
    allowed: float

    def right(self, error: float) -> bool:
        return error >= self.allowed if self.measure == "digits" else error <= self.allowed


@dataclass(frozen=True)
class Method:
    """One way to do it."""

    run: Run
    # The units that one call does; a small share of one where a whole unit would take days.
    count: float = 1.0
    # What is verified, if not what the timed call returns.
    answer: Run | None = None
    check: Check | None = None  # if not that of the case


@dataclass(frozen=True)
class Point:
    """The place of a case on a curve."""

    series: str
    axis: str
    at: float


@dataclass(frozen=True)
class Case:
    """One task."""

    name: str
    unit: str  # what the time is of
    check: Check
    ours: dict[str, Method]
    # Made when they are needed: they may have to import and to compile.
    peers: Callable[[], dict[str, Method]] = dict
    point: Point | None = None
    wall: bool = False  # measured on the wall clock also with one thread
    suite: str = ""

    def of(self, suite: str) -> Case:
        return replace(self, suite=suite)


def judged(check: Check, run: Run) -> tuple[Any, float, bool]:
    """Return an answer, its error, and whether that is small enough."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # a peer that overflows says so by its error
        answer = run()
        error = check.error(answer)
    return answer, error, check.right(error) and not math.isnan(error)


def measure_method(method: Method, check: Check, effort: Effort, wall: bool) -> dict[str, Any]:
    check = method.check or check
    _, error, right = judged(check, method.answer or method.run)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        spent = min(times(method.run, effort, wall=wall)) / method.count
    return {
        "seconds": spent,
        "times ours": None,
        "measure": check.measure,
        "error": error if math.isfinite(error) else None,
        "right": right,
    }


def measure(case: Case, effort: Effort) -> dict[str, Any]:
    """Verify and time every method of a case."""
    wall = case.wall or effort.threads > 1
    methods = {
        name: measure_method(method, case.check, effort, wall)
        for name, method in {**case.ours, **case.peers()}.items()
    }
    for entry in methods.values():
        entry["times ours"] = entry["seconds"] / methods[OURS]["seconds"]
    return {
        "case": case.name,
        "suite": case.suite,
        "unit": case.unit,
        "clock": "wall" if wall else "processor",
        "point": vars(case.point) if case.point else None,
        "methods": methods,
        "verified": all(methods[name]["right"] for name in case.ours),
    }


def is_ours(name: str) -> bool:
    return name.startswith(OURS)
