"""What a figure consists of: a name, words, sizes, and a function that draws it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from matplotlib.figure import Figure

__all__ = ["Run", "Specification"]


@dataclass(frozen=True)
class Run:
    """How a figure is made.

    Parameters
    ----------
    quick : bool, optional
        Whether to take the small sizes of samples and grids.
    seed : int, optional
        Seed of everything simulated, >= 0.
    threads : int, optional
        Threads of the simulations, every core by default. The pictures do not depend on it.
    sizes : mapping of str to int
        Sizes of the figure at hand, set by `draw`.
    """

    quick: bool = False
    seed: int = 1
    threads: int | None = None
    sizes: Mapping[str, int] = field(default_factory=dict)

    def __getitem__(self, size: str) -> int:
        """Return a size by its name."""
        return self.sizes[size]

    def rng(self, part: int) -> np.random.SeedSequence:
        """Return the source of random numbers for a part of a figure, the same at every call."""
        return np.random.SeedSequence((self.seed, part))


@dataclass(frozen=True)
class Specification:
    """A figure that can be drawn.

    Parameters
    ----------
    name : str
        Its name, and that of its file.
    title : str
        What it is about, in a few words.
    source : str
        Where it comes from: a figure of a paper, or a section of the documentation.
    caption : str
        What is seen, with all parameters; ``{size}`` stands for one of the sizes.
    figure : callable
        Takes a `Run`, returns the matplotlib Figure.
    corrections : tuple of str, optional
        What the paper's figure or its program has wrong, and what is drawn instead.
    sizes : mapping of str to (int, int), optional
        Sizes of samples and grids, usual and quick.
    """

    name: str
    title: str
    source: str
    caption: str
    figure: Callable[[Run], Figure]
    corrections: tuple[str, ...] = ()
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def sizes_of(self, quick: bool) -> dict[str, int]:
        """Return the sizes, quick ones or not."""
        return {name: pair[quick] for name, pair in self.sizes.items()}

    def words(self, quick: bool = False) -> str:
        """Return the caption with its sizes, and the corrections."""
        sizes = {name: f"{size:,}" for name, size in self.sizes_of(quick).items()}
        corrections = (f"Corrected: {text}" for text in self.corrections)
        return " ".join([self.caption.format(**sizes), *corrections])
