"""What a check of a statement returns: evidence of a declared kind, and data to draw."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "COMPUTATION",
    "IDENTITY",
    "KINDS",
    "PROOF",
    "STATISTICS",
    "Evidence",
    "Outcome",
    "Plot",
    "Series",
]

PROOF, IDENTITY, COMPUTATION, STATISTICS = "proof", "identity", "computation", "statistics"

#: The kinds of evidence, from the strongest on, and what each of them means.
KINDS: dict[str, str] = {
    PROOF: "Proof by enclosure: ball arithmetic encloses the numbers, rounding included, and the"
    " enclosures decide the claim.",
    IDENTITY: "Exact identity: two independent formulas agree in rational arithmetic, or to all of"
    " the decimal digits stated.",
    COMPUTATION: "Computation: floating-point numbers, of the accuracy that the library documents,"
    " on a finite set of points. No proof.",
    STATISTICS: "Statistics: simulated networks held against the exact law. A true claim fails with"
    " the probability stated, a false one may pass if the sample is too small to see it.",
}


@dataclass(frozen=True)
class Series:
    """One line of a plot.

    Attributes
    ----------
    label : str
        What it is.
    x, y : sequence of float
        The points.
    style : {"exact", "measured", "limit", "other"}
        Exact values are a line, measured ones are markers, limits and bounds are dashed.
    error : sequence of float, optional
        Half the length of the error bars.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    style: str = "exact"
    error: Sequence[float] | None = None


@dataclass(frozen=True)
class Plot:
    """A picture, as data: several series in one pair of axes."""

    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    log_x: bool = False
    log_y: bool = False


@dataclass(frozen=True)
class Evidence:
    """One thing that was checked.

    Attributes
    ----------
    kind : str
        A key of `KINDS`.
    text : str
        What was compared with what.
    holds : bool
        Whether it supports the claim; the refutation, where the claim is expected to be false.
    measured : str
        The outcome in numbers.
    failure_probability : float
        Probability that a true claim fails this check; 0 for all but statistics.
    sample_size : int or None
        Number of independent samples.
    numbers : mapping
        The numbers behind `measured`, for programs.
    """

    kind: str
    text: str
    holds: bool
    measured: str
    failure_probability: float = 0.0
    sample_size: int | None = None
    numbers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What a check found.

    Attributes
    ----------
    evidence : sequence of Evidence
        All that was checked.
    plots : sequence of Plot
        Pictures for the report.
    witness : str
        For claims that are expected to be false: where they are, and by how much.
    """

    evidence: Sequence[Evidence]
    plots: Sequence[Plot] = ()
    witness: str = ""
