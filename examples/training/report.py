"""The report of a run: as text, and as data for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .sizes import PARTS
from .tables import accuracy_table, size_table, tuned_table, wrapped
from .verdicts import verdicts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .analysis import Analysis
    from .comparisons import Comparison
    from .data import Dataset
    from .experiment import Results
    from .sizes import SizeLaw


def text(results: Results, dataset: Dataset, analysis: Analysis, sizes: Sequence[SizeLaw]) -> str:
    """Return the report, 80 columns wide."""
    findings = [wrapped(sentence, "- ", "  ") for sentence in verdicts(results, analysis)]
    parts = [
        _heading(results, dataset),
        size_table(sizes),
        accuracy_table(results, analysis),
        tuned_table(results, analysis),
        "\n".join(["What these numbers say", "", *findings]),
    ]
    return "\n\n".join(parts)


def as_data(
    results: Results, dataset: Dataset, analysis: Analysis, sizes: Sequence[SizeLaw]
) -> dict[str, Any]:
    """Return everything as JSON takes it, the outcome of every network included."""
    settings = results.settings
    return {
        "dataset": dataset.name,
        "widths": results.widths,
        "depth_over_width": settings.depth / settings.width,
        "seeds": list(settings.seeds),
        "epochs": settings.epochs,
        "batch_size": settings.batch_size,
        "sizes": [
            {
                "scheme": one.scheme.key,
                "parts": list(PARTS),
                "exact": list(one.exact),
                **{
                    name: {
                        "counts": list(counts.counts),
                        "total": counts.total,
                        "z": counts.z_scores(one.exact),
                    }
                    for name, counts in (("simulated", one.simulated), ("drawn", one.drawn))
                },
            }
            for one in sizes
        ],
        "outcomes": [
            {
                "scheme": key,
                "rate": rate,
                "test_accuracy": outcome.test.tolist(),
                "validation_accuracy": outcome.validation.tolist(),
                "training_loss": outcome.losses[-1].tolist(),
                "against_kaiming": _as_data(analysis.kaiming.get((key, rate))),
                "against_fractional": _as_data(analysis.fractional.get((key, rate))),
            }
            for (key, rate), outcome in results.outcomes.items()
        ],
        "tuned": [
            {
                "scheme": key,
                "rate": rate,
                "against_kaiming": _as_data(analysis.tuned_kaiming.get(key)),
                "against_fractional": _as_data(analysis.tuned_fractional.get(key)),
            }
            for key, rate in analysis.best.items()
        ],
        "correlation_of_start_and_accuracy": [
            {"rate": rate, "spearman": value} for rate, value in analysis.correlation.items()
        ],
        "verdicts": verdicts(results, analysis),
    }


def _as_data(comparison: Comparison | None) -> dict[str, Any] | None:
    return None if comparison is None else asdict(comparison) | {"verdict": comparison.verdict}


def _heading(results: Results, dataset: Dataset) -> str:
    """Return what was run."""
    settings, widths = results.settings, results.widths
    return wrapped(
        f"{len(settings.seeds)} bias-free ReLU networks {_shape(widths)} from each scheme, on"
        f" {dataset.name}: {len(dataset.train.labels)} images to train with,"
        f" {len(dataset.validation.labels)} to choose the rate by, {len(dataset.test.labels)} to"
        f" judge by. Plain SGD: {settings.epochs} passes, {settings.batch_size} images in a step."
        f" Depth over width is {settings.depth / settings.width:.3g}."
    )


def _shape(widths: Sequence[int]) -> str:
    return f"{widths[0]}-{widths[1]}x{len(widths) - 2}-{widths[-1]}"
