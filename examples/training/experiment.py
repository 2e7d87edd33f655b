"""The experiment: every scheme at every rate, from the same seeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from . import networks, schemes, training

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .data import Dataset

    FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Settings:
    """What is trained, and how. Networks are pixels - width x depth - classes."""

    width: int = 16
    depth: int = 20
    rates: tuple[float, ...] = (0.001, 0.003, 0.01, 0.03)
    seeds: range = range(50)
    epochs: int = 30
    batch_size: int = 32


class Results(NamedTuple):
    """Everything that was measured.

    Attributes
    ----------
    settings : Settings
    widths : list of int
        From pixels to classes.
    outcomes : dict
        From key of a scheme and rate to the outcome of all seeds.
    start : dict
        From key of a scheme to the root mean square of the outputs before training, over all
        images to train with, shape (seeds,).
    """

    settings: Settings
    widths: list[int]
    outcomes: dict[tuple[str, float], training.Outcome]
    start: dict[str, FloatArray]


def run(
    settings: Settings, dataset: Dataset, progress: Callable[[str], None] = lambda _: None
) -> Results:
    """Train every scheme at every rate; `progress` is told what comes next."""
    widths = [dataset.pixels, *[settings.width] * settings.depth, dataset.classes]
    results = Results(settings, widths, {}, {})
    total = len(schemes.SCHEMES) * len(settings.rates)
    for scheme in schemes.SCHEMES:
        weights = scheme.weights(settings.seeds, widths)
        outputs = networks.forward(weights, dataset.train.inputs.T[np.newaxis])[-1]
        results.start[scheme.key] = np.sqrt((outputs**2).mean(axis=(1, 2)))
        for rate in settings.rates:
            progress(f"{len(results.outcomes) + 1}/{total}: {scheme.label}, rate {rate:g}")
            results.outcomes[scheme.key, rate] = training.train(
                weights,
                dataset,
                settings.seeds,
                rate=rate,
                epochs=settings.epochs,
                batch_size=settings.batch_size,
            )
    return results
