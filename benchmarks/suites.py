"""The suites of cases by name, in the order in which they run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import core, depth, series, signals, simulation, spectra, tails

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from .case import Case
    from .timing import Effort

SUITES: dict[str, Callable[[Effort], Iterator[Case]]] = {
    "core": core.cases,
    "simulation": simulation.cases,
    "spectra": spectra.cases,
    "depth": depth.cases,
    "signals": signals.cases,
    "tails": tails.cases,
    "series": series.cases,
}


def chosen(suites: Sequence[str], words: Sequence[str], effort: Effort) -> Iterator[Case]:
    """Yield the cases of the suites whose name contains one of the words, if there are words."""
    lowered = [word.lower() for word in words]
    for suite in suites:
        for case in SUITES[suite](effort):
            if not lowered or any(word in case.name.lower() for word in lowered):
                yield case.of(suite)
