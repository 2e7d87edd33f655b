"""Sentences that say no more than the numbers of the run, whichever way they fall."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .comparisons import LEVEL
from .schemes import CONTROL, FRACTIONAL, GSM, KAIMING, LYAPUNOV, ORTHOGONAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .analysis import Analysis
    from .comparisons import Comparison
    from .experiment import Results
    from .schemes import Scheme


def verdicts(results: Results, analysis: Analysis) -> list[str]:
    """Return what follows from the numbers, whichever way they fall."""
    others = (LYAPUNOV, ORTHOGONAL, GSM)
    return [
        _gain(results, analysis),
        _tuning(results, analysis),
        _output_scale(results, analysis),
        *(_against_fractional(scheme, results, analysis) for scheme in others),
        _start(results, analysis),
        (
            f"Better and worse: p < {LEVEL:g} in Wilcoxon's signed-rank test on the pairs,"
            " two-sided, with Holm's correction over the comparisons of one kind. Behind a rate:"
            " pairs won and lost, median difference. What is not told apart need not be equal."
        ),
    ]


def _gain(results: Results, analysis: Analysis) -> str:
    found = _over_rates(FRACTIONAL, analysis.kaiming, results)
    best = analysis.best[KAIMING.key]
    gains = [rate for rate, comparison in found.items() if comparison.verdict > 0]
    low = [rate for rate in found if rate <= best]
    high = [rate for rate in found if rate > best]
    return (
        f"{FRACTIONAL.label} against {KAIMING.label} at the same rate: {_described(found)}."
        f" {KAIMING.label}'s best rate is {best:g}: {FRACTIONAL.label} gains at"
        f" {len(set(gains) & set(low))} of {len(low)} rates up to it, and at"
        f" {len(set(gains) & set(high))} of {len(high)} above."
    )


def _tuning(results: Results, analysis: Analysis) -> str:
    tuned, best = analysis.tuned_kaiming[FRACTIONAL.key], analysis.best
    found = _over_rates(FRACTIONAL, analysis.kaiming, results)
    surest = max(found, key=lambda rate: found[rate].won - found[rate].lost)
    return (
        f"With the rate chosen for each ({best[FRACTIONAL.key]:g} for {FRACTIONAL.label},"
        f" {best[KAIMING.key]:g} for {KAIMING.label}) {FRACTIONAL.label} is"
        f" {_judged(tuned, KAIMING.label)}. Its best score at one rate for both is at {surest:g}:"
        f" {_score(found[surest])}."
    )


def _output_scale(results: Results, analysis: Analysis) -> str:
    gain = _over_rates(FRACTIONAL, analysis.kaiming, results)
    control = _over_rates(CONTROL, analysis.kaiming, results)
    against = _over_rates(CONTROL, analysis.fractional, results)
    return (
        f"The control is {KAIMING.label} with a last layer so large that before training it"
        f" computes what {FRACTIONAL.label} computes. Against {KAIMING.label}:"
        f" {_described(control)}. Against {FRACTIONAL.label}: {_described(against)}."
        f" {_explanation(gain, control, against)}"
    )


def _explanation(
    gain: dict[float, Comparison],
    control: dict[float, Comparison],
    against: dict[float, Comparison],
) -> str:
    """Return whether the scale of the output accounts for the gain, rate by rate."""
    gains = [rate for rate, comparison in gain.items() if comparison.verdict > 0]
    if not gains:
        return f"{FRACTIONAL.label} has no gain that it could explain."
    less = [rate for rate in gains if against[rate].verdict < 0]
    same = [rate for rate in gains if rate not in less and control[rate].verdict > 0]
    open_ = [rate for rate in gains if rate not in less and rate not in same]
    parts = []
    if same:
        parts.append(
            f"at {_list(same)} scaling the output alone gains too, and {FRACTIONAL.label} is not"
            " shown to gain more"
        )
    if less:
        parts.append(f"at {_list(less)} {FRACTIONAL.label} has more than the scale of its output")
    if open_:
        parts.append(f"at {_list(open_)} the pairs do not decide")
    return _sentence_case("; ".join(parts)) + "."


def _against_fractional(scheme: Scheme, results: Results, analysis: Analysis) -> str:
    tuned = analysis.tuned_fractional[scheme.key]
    return (
        f"{_sentence_case(scheme.label)} against {FRACTIONAL.label} at the same rate:"
        f" {_described(_over_rates(scheme, analysis.fractional, results))}. Each at its best rate"
        f" ({analysis.best[scheme.key]:g} and {analysis.best[FRACTIONAL.key]:g}): "
        f"{_judged(tuned, FRACTIONAL.label)}."
    )


def _start(results: Results, analysis: Analysis) -> str:
    seeds = len(results.settings.seeds)
    values = ", ".join(
        f"{'none' if value is None else f'{value:+.2f}'} at {rate:g}"
        for rate, value in analysis.correlation.items()
    )
    return (
        f"Rank correlation, over {KAIMING.label}'s {seeds} networks, of the size of the outputs"
        f" before training with the accuracy after it: {values}."
    )


def _over_rates(
    scheme: Scheme, family: dict[tuple[str, float], Comparison], results: Results
) -> dict[float, Comparison]:
    return {rate: family[scheme.key, rate] for rate in results.settings.rates}


def _described(comparisons: dict[float, Comparison]) -> str:
    words = {1: "better at", -1: "worse at", 0: "not told apart at"}
    groups = []
    for verdict, word in words.items():
        members = [
            f"{rate:g} ({_score(comparison)})"
            for rate, comparison in comparisons.items()
            if comparison.verdict == verdict
        ]
        if members:
            groups.append(f"{word} {', '.join(members)}")
    return "; ".join(groups)


def _judged(comparison: Comparison, other: str) -> str:
    words = {1: "better than", -1: "worse than", 0: "not told apart from"}
    return f"{words[comparison.verdict]} {other} ({_score(comparison)})"


def _score(comparison: Comparison) -> str:
    return f"{comparison.won}-{comparison.lost}, {_points(comparison.difference)}"


def _points(difference: float) -> str:
    return f"{100.0 * difference:+.1f} points"


def _list(rates: Sequence[float]) -> str:
    return ", ".join(f"{rate:g}" for rate in rates)


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]
