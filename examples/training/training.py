"""Stochastic gradient descent, all seeds of one scheme and one rate as one batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from . import data, networks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]


class Outcome(NamedTuple):
    """What became of the networks of all seeds; accuracies are fractions, shape (seeds,)."""

    losses: FloatArray  # of shape (epochs, seeds): mean over the batches of the epoch
    validation: FloatArray
    test: FloatArray


def train(
    weights: list[FloatArray],
    dataset: data.Dataset,
    seeds: Sequence[int],
    *,
    rate: float,
    epochs: int,
    batch_size: int,
) -> Outcome:
    """Train networks by plain SGD on the cross-entropy of softmax.

    Parameters
    ----------
    weights : list of ndarray, shapes (seeds, fan_out, fan_in)
        Where to start; left alone.
    dataset : Dataset
        The images.
    seeds : sequence of int
        Give the order of the images, one a network.
    rate : float
        Learning rate, constant.
    epochs, batch_size : int
        Passes over the images, and images in one step.

    Returns
    -------
    Outcome
        Of the networks after the last epoch. One that diverged has a loss that is not finite.
    """
    weights = [matrices.copy() for matrices in weights]
    images, labels = dataset.train
    losses = np.zeros((epochs, len(seeds)))
    # A network that diverges becomes NaN and hurts no other.
    with np.errstate(over="ignore", invalid="ignore"):
        for epoch in range(epochs):
            steps = data.batches(seeds, epoch, len(labels), batch_size)
            for chosen in steps:
                inputs = images[chosen].swapaxes(1, 2)
                loss, slopes = networks.gradients(weights, inputs, labels[chosen])
                losses[epoch] += loss / len(steps)
                for matrices, slope in zip(weights, slopes, strict=True):
                    slope *= rate
                    matrices -= slope
        return Outcome(
            losses, accuracy(weights, dataset.validation), accuracy(weights, dataset.test)
        )


def accuracy(weights: list[FloatArray], images: data.Images) -> FloatArray:
    """Return the fraction of images that every network names rightly; NaN outputs are wrong."""
    outputs = networks.forward(weights, images.inputs.T[np.newaxis])[-1]
    right = (outputs.argmax(axis=1) == images.labels) & np.isfinite(outputs).all(axis=1)
    return right.mean(axis=1)
