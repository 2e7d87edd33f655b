"""Bias-free ReLU networks, many at once: NumPy arrays whose first axis counts networks.

Weights are a list with one array a layer, of shape (networks, fan_out, fan_in). Signals have
images as columns: shape (networks, units, images). The last layer is linear.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]
    IntArray = NDArray[np.int64]


def forward(weights: list[FloatArray], inputs: FloatArray) -> list[FloatArray]:
    """Return the signals of all layers, the inputs first and the outputs last."""
    signals = [inputs]
    for matrices in weights[:-1]:
        pre_activations = matrices @ signals[-1]
        signals.append(np.maximum(pre_activations, 0.0, out=pre_activations))
    signals.append(weights[-1] @ signals[-1])
    return signals


def cross_entropy(outputs: FloatArray, labels: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return the loss of softmax and its gradient with respect to the outputs.

    Parameters
    ----------
    outputs : ndarray, shape (networks, classes, images)
    labels : ndarray of int, shape (networks, images)

    Returns
    -------
    loss : ndarray, shape (networks,)
        Mean over the images, in nats.
    gradient : ndarray, shape of `outputs`
    """
    wanted = labels[:, np.newaxis, :]
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    chosen = np.take_along_axis(shifted, wanted, axis=1)
    probabilities = np.exp(shifted)
    totals = probabilities.sum(axis=1, keepdims=True)
    loss = (np.log(totals) - chosen).mean(axis=(1, 2))
    probabilities /= totals
    gradient = probabilities
    np.put_along_axis(gradient, wanted, np.take_along_axis(gradient, wanted, axis=1) - 1.0, axis=1)
    gradient /= labels.shape[1]
    return loss, gradient


def gradients(
    weights: list[FloatArray], inputs: FloatArray, labels: IntArray
) -> tuple[FloatArray, list[FloatArray]]:
    """Return the loss of every network, shape (networks,), and its gradient by all weights."""
    signals = forward(weights, inputs)
    loss, delta = cross_entropy(signals.pop(), labels)
    slopes = []
    for matrices, signal in zip(reversed(weights), reversed(signals), strict=True):
        slopes.append(delta @ signal.swapaxes(1, 2))
        if signal is not inputs:
            delta = matrices.swapaxes(1, 2) @ delta
            delta *= signal > 0.0
    return loss, slopes[::-1]
