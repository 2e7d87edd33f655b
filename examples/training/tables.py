"""Tables of 80 columns."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from .schemes import FRACTIONAL, KAIMING, SCHEMES
from .sizes import FEWEST, PARTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .analysis import Analysis
    from .comparisons import Comparison
    from .experiment import Results
    from .sizes import SizeLaw
    from .training import Outcome

COLUMNS = 80


def wrapped(text: str, first: str = "", rest: str = "") -> str:
    """Return text in lines of 80 columns that keep "s = 0.8" together."""
    glued = text.replace(FRACTIONAL.label, FRACTIONAL.label.replace(" ", "\N{NO-BREAK SPACE}"))
    lines = textwrap.fill(glued, COLUMNS, initial_indent=first, subsequent_indent=rest)
    return lines.replace("\N{NO-BREAK SPACE}", " ")


def accuracy_table(results: Results, analysis: Analysis) -> str:
    """Return accuracies at every rate, and the comparison with Kaiming."""
    lines = [
        "Test accuracy in %, median [quartiles], and median training loss of the last",
        f"epoch. Against {KAIMING.label}: pairs won and lost, median difference, p of the family",
        "",
        f"{'rate':8}{'scheme':17}{'accuracy':>18}{'loss':>7}{'won-lost':>11}{'points':>8}{'p':>9}",
    ]
    for rate in results.settings.rates:
        for scheme in SCHEMES:
            outcome = results.outcomes[scheme.key, rate]
            name = f"{rate:<8g}" if scheme is KAIMING else " " * 8
            row = f"{name}{scheme.label:17}{_quartiles(outcome):>18}{_loss(outcome):7.3f}"
            if scheme is not KAIMING:
                row += _comparison_columns(analysis.kaiming[scheme.key, rate])
            lines.append(row.rstrip())
    return "\n".join([*lines, *_diverged(results)])


def tuned_table(results: Results, analysis: Analysis) -> str:
    """Return accuracies with the rate chosen for each scheme by the validation images."""
    lines = [
        "The same with the rate that suits each scheme best, by the validation images",
        "",
        f"{'scheme':17}{'rate':>8}{'accuracy':>18}{'loss':>7}{'won-lost':>11}{'points':>8}{'p':>9}",
    ]
    for scheme in SCHEMES:
        rate = analysis.best[scheme.key]
        outcome = results.outcomes[scheme.key, rate]
        row = f"{scheme.label:17}{rate:8g}{_quartiles(outcome):>18}{_loss(outcome):7.3f}"
        if scheme is not KAIMING:
            row += _comparison_columns(analysis.tuned_kaiming[scheme.key])
        lines.append(row.rstrip())
    return "\n".join([*lines, *_at_the_edge(results, analysis)])


def size_table(sizes: Sequence[SizeLaw]) -> str:
    """Return the law of the size of the output before training beside simulations."""
    first = sizes[0]
    caption = (
        "Size of the output before training, rms of outputs over rms of inputs: exact probability;"
        f" z-scores of {first.simulated.total:,} simulated networks (sim) and of"
        f" {first.drawn.total:,} drawn like those to train (drawn), where at least {FEWEST:g} are"
        " expected"
    )
    lines = [
        wrapped(caption),
        "",
        f"{'scheme':9}" + "".join(f"{part:>11}{'sim':>6}{'drawn':>6}" for part in PARTS),
    ]
    for one in sizes:
        columns = zip(
            one.exact,
            one.simulated.z_scores(one.exact),
            one.drawn.z_scores(one.exact),
            strict=True,
        )
        row = "".join(f"{_probability(p):>11}{_z(z)}{_z(drawn)}" for p, z, drawn in columns)
        lines.append(f"{one.scheme.label:9}{row}")
    return "\n".join(lines)


def _probability(p: float) -> str:
    return f"{p:.5f}" if p >= 1e-4 else f"{p:.1e}"


def _z(score: float | None) -> str:
    return "     -" if score is None else f"{score:+6.1f}"


def _quartiles(outcome: Outcome) -> str:
    low, middle, high = np.quantile(100.0 * outcome.test, [0.25, 0.5, 0.75])
    return f"{middle:.1f} [{low:4.1f}, {high:4.1f}]"


def _loss(outcome: Outcome) -> float:
    last = outcome.losses[-1]
    return float(np.median(np.where(np.isfinite(last), last, np.inf)))


def _comparison_columns(comparison: Comparison) -> str:
    score = f"{comparison.won}-{comparison.lost}"
    p = f"{comparison.p:.4f}" if comparison.p >= 0.001 else f"{comparison.p:.0e}"
    mark = "*" if comparison.verdict else " "
    return f"{score:>11}{100.0 * comparison.difference:>+8.1f}{p:>8}{mark}"


def _at_the_edge(results: Results, analysis: Analysis) -> list[str]:
    rates = results.settings.rates
    found = [s.label for s in SCHEMES if analysis.best[s.key] in (rates[0], rates[-1])]
    if not found or len(rates) == 1:
        return []
    return ["", wrapped(f"Best at the edge of the rates tried, so not tuned: {', '.join(found)}.")]


def _diverged(results: Results) -> list[str]:
    labels = {scheme.key: scheme.label for scheme in SCHEMES}
    found = []
    for (key, rate), outcome in results.outcomes.items():
        count = int(np.sum(~np.isfinite(outcome.losses[-1])))
        if count:
            found.append(f"{labels[key]} {count} at {rate:g}")
    return ["", wrapped(f"Networks that diverged: {', '.join(found)}.")] if found else []
