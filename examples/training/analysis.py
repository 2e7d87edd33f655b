"""What is compared with what, and the rate that suits each scheme best."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import stats

from .comparisons import Comparison, adjust, compare
from .schemes import FRACTIONAL, KAIMING, SCHEMES

if TYPE_CHECKING:
    from .experiment import Results


class Analysis(NamedTuple):
    """Comparisons of accuracies on the test images; each dict is one family of tests.

    Attributes
    ----------
    kaiming, fractional : dict
        Every other scheme against that one at the same rate, by key and rate.
    best : dict
        From key of a scheme to the rate with the highest median accuracy on the images to
        validate with; the lowest of equals.
    tuned_kaiming, tuned_fractional : dict
        Every other scheme against that one, each at its best rate, by key.
    correlation : dict
        From rate to Spearman's rank correlation, over the seeds, of the size of Kaiming's outputs
        before training with the accuracy after it; None where either are all equal.
    """

    kaiming: dict[tuple[str, float], Comparison]
    fractional: dict[tuple[str, float], Comparison]
    best: dict[str, float]
    tuned_kaiming: dict[str, Comparison]
    tuned_fractional: dict[str, Comparison]
    correlation: dict[float, float | None]


def analyse(results: Results) -> Analysis:
    """Return everything that the report says in numbers."""
    rates = results.settings.rates
    best = {scheme.key: _best_rate(results, scheme.key) for scheme in SCHEMES}
    return Analysis(
        kaiming=_at_each_rate(results, KAIMING.key),
        fractional=_at_each_rate(results, FRACTIONAL.key),
        best=best,
        tuned_kaiming=_tuned(results, best, KAIMING.key),
        tuned_fractional=_tuned(results, best, FRACTIONAL.key),
        correlation={rate: _correlation(results, rate) for rate in rates},
    )


def _at_each_rate(results: Results, base: str) -> dict[tuple[str, float], Comparison]:
    pairs = {
        (scheme.key, rate): compare(
            results.outcomes[scheme.key, rate].test, results.outcomes[base, rate].test
        )
        for rate in results.settings.rates
        for scheme in SCHEMES
        if scheme.key != base
    }
    return dict(zip(pairs, adjust(list(pairs.values())), strict=True))


def _tuned(results: Results, best: dict[str, float], base: str) -> dict[str, Comparison]:
    accuracy = {key: results.outcomes[key, rate].test for key, rate in best.items()}
    pairs = {key: compare(accuracy[key], accuracy[base]) for key in best if key != base}
    return dict(zip(pairs, adjust(list(pairs.values())), strict=True))


def _best_rate(results: Results, key: str) -> float:
    medians = [np.median(results.outcomes[key, rate].validation) for rate in results.settings.rates]
    return results.settings.rates[int(np.argmax(medians))]


def _correlation(results: Results, rate: float) -> float | None:
    start, accuracy = results.start[KAIMING.key], results.outcomes[KAIMING.key, rate].test
    if np.ptp(start) == 0.0 or np.ptp(accuracy) == 0.0:
        return None
    return float(stats.spearmanr(start, accuracy).statistic)
