"""The size of the output at initialization: its exact law against two simulations.

The size is the root mean square of the outputs over that of the inputs. It has one law for every
input, so each network is shown one image.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import fracmoment as fm

from . import networks, schemes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

LOW, HIGH = 0.1, 10.0
PARTS = (f"below {LOW:g}", "between", f"above {HIGH:g}")
SIMULATIONS = 1_000_000
NETWORKS = 1_000
FEWEST = 5.0
_BLOCK = 50  # networks drawn at a time


class Counts(NamedTuple):
    """How many of `total` sizes are below, between and above the bounds."""

    counts: tuple[int, ...]
    total: int

    def z_scores(self, exact: Sequence[float]) -> list[float | None]:
        """Return how far the counts are from the exact law, in binomial standard deviations.

        None where fewer than `FEWEST` are expected in the part or outside: far from normal.
        """
        return [
            (count - self.total * p) / math.sqrt(self.total * p * (1.0 - p))
            if self.total * min(p, 1.0 - p) >= FEWEST
            else None
            for count, p in zip(self.counts, exact, strict=True)
        ]


class SizeLaw(NamedTuple):
    """What is known of the size of the output under one scheme.

    Attributes
    ----------
    scheme : Scheme
    law : DepthLaw
        Of the logarithm of output norm over input norm.
    shift : float
        What turns that logarithm into the one of the size.
    exact : tuple of float
        Probabilities of the three parts, dead networks counted as below.
    simulated, drawn : Counts
        Of `fracmoment.simulate_log_norms`, and of networks drawn as those that are trained.
    sizes : ndarray, shape (NETWORKS,)
        Of the networks drawn.
    """

    scheme: schemes.Scheme
    law: fm.DepthLaw
    shift: float
    exact: tuple[float, float, float]
    simulated: Counts
    drawn: Counts
    sizes: FloatArray

    def probability_below(self, size: FloatArray) -> FloatArray:
        """Return the probability of a size of at most so much."""
        dead = self.law.prob_dead()
        return dead + (1.0 - dead) * np.asarray(self.law.cdf(np.log(size) - self.shift))


def measure_all(widths: Sequence[int], inputs: FloatArray, first_seed: int) -> list[SizeLaw]:
    """Return what `measure` has of all schemes."""
    found = [measure(scheme, widths, inputs, first_seed) for scheme in schemes.SCHEMES]
    return [one for one in found if one is not None]


def measure(
    scheme: schemes.Scheme, widths: Sequence[int], inputs: FloatArray, first_seed: int
) -> SizeLaw | None:
    """Compare the law of a scheme with simulations; None where it has no law of its own.

    Parameters
    ----------
    scheme : Scheme
        The scheme.
    widths : sequence of int
        From pixels to classes.
    inputs : ndarray, shape (images, pixels)
        Network i sees image i, and the first again after the last.
    first_seed : int
        Of the networks drawn.
    """
    law = scheme.law(widths)
    if law is None:
        return None
    shift = 0.5 * math.log(widths[0] / widths[-1])
    alive = 1.0 - law.prob_dead()
    below, above = law.cdf(math.log(LOW) - shift), law.sf(math.log(HIGH) - shift)
    exact = (1.0 - alive + alive * below, alive * max(0.0, 1.0 - below - above), alive * above)
    gains, scales = zip(*law.layers, strict=True)
    logs = fm.simulate_log_norms(list(gains), list(scales), law.depth, SIMULATIONS, rng=first_seed)
    sizes = _sizes(scheme, widths, inputs, range(first_seed, first_seed + NETWORKS))
    return SizeLaw(scheme, law, shift, exact, _count(np.exp(logs + shift)), _count(sizes), sizes)


def _sizes(
    scheme: schemes.Scheme, widths: Sequence[int], inputs: FloatArray, seeds: range
) -> FloatArray:
    sizes = []
    for start in range(0, len(seeds), _BLOCK):
        block = seeds[start : start + _BLOCK]
        shown = inputs[np.arange(start, start + len(block)) % len(inputs), :, np.newaxis]
        outputs = networks.forward(scheme.weights(block, widths), shown)[-1]
        squares = [(signal**2).mean(axis=(1, 2)) for signal in (outputs, shown)]
        sizes.append(np.sqrt(squares[0] / squares[1]))
    return np.concatenate(sizes)


def _count(sizes: FloatArray) -> Counts:
    below, above = int(np.sum(sizes <= LOW)), int(np.sum(sizes > HIGH))
    return Counts((below, sizes.size - below - above, above), sizes.size)
