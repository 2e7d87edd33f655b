"""Paired comparisons of schemes: who wins on how many seeds, by how much, and is it chance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

LEVEL = 0.05


@dataclass(frozen=True)
class Comparison:
    """One sample against another, seed by seed.

    Attributes
    ----------
    won, lost, pairs : int
        Seeds on which the first is larger, on which it is smaller, and all.
    difference : float
        Median of the first minus the second.
    direction : int
        1 where the signed ranks favour the first, -1 where the second, 0 where neither.
    p : float
        Two-sided p-value of Wilcoxon's signed-rank test; after `adjust` that of the family.
    """

    won: int
    lost: int
    pairs: int
    difference: float
    direction: int
    p: float

    @property
    def verdict(self) -> int:
        """1: the first is better, -1: the second, 0: not told apart at the level `LEVEL`."""
        return self.direction if self.p < LEVEL else 0


def compare(first: FloatArray, second: FloatArray) -> Comparison:
    """Compare two samples of the same seeds, shape (seeds,); not adjusted."""
    differences = first - second
    signs = np.sign(differences)
    ranks = stats.rankdata(np.abs(differences))
    return Comparison(
        won=int(np.sum(signs > 0)),
        lost=int(np.sum(signs < 0)),
        pairs=differences.size,
        difference=float(np.median(differences)),
        direction=int(np.sign(np.sum(signs * ranks))),
        p=_signed_rank_p(signs, ranks),
    )


def _signed_rank_p(signs: FloatArray, ranks: FloatArray) -> float:
    """Return the exact p-value: all signs of the differences that are not 0 equally likely.

    SciPy's exact test is for data without ties, and accuracies have many. Differences of 0 keep
    their ranks and drop out (Pratt).
    """
    moved = signs != 0.0
    doubled = np.rint(2.0 * ranks[moved]).astype(np.int64)  # whole numbers: ties have mean ranks
    law = np.ones(1)  # of the sum of the doubled ranks with a positive sign
    for rank in doubled:
        law = 0.5 * (np.pad(law, (0, rank)) + np.pad(law, (rank, 0)))
    total = int(doubled.sum())
    distance = np.abs(2 * np.arange(law.size) - total)
    observed = abs(2 * int(doubled[signs[moved] > 0.0].sum()) - total)
    return min(1.0, float(law[distance >= observed].sum()))


def adjust(family: Sequence[Comparison]) -> list[Comparison]:
    """Return a family with Holm's p-values: any false finding has probability `LEVEL`."""
    order = sorted(range(len(family)), key=lambda i: family[i].p)
    adjusted = list(family)
    largest = 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(family) - rank) * family[i].p))
        adjusted[i] = replace(family[i], p=largest)
    return adjusted
