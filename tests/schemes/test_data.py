"""LSUV: scaling by data, over callables."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import fracmoment as fm
from fracmoment import schemes
from fracmoment.schemes import LSUVLayer, lsuv


class Network:
    """A dense network whose layers' outputs are measured before or after the activation."""

    def __init__(self, widths, batch, *, bias=0.0, after=False):
        rng = np.random.default_rng(1)
        self.weights = [schemes.LSUV().sample((d, n), rng=rng) for n, d in pairwise(widths)]
        self.batch, self.bias, self.after = batch, bias, after
        self.calls = []

    def outputs(self, index):
        x = self.batch
        for w in self.weights[:index]:
            x = np.maximum(x @ w.T + self.bias, 0.0)
        z = x @ self.weights[index].T + self.bias
        return np.maximum(z, 0.0) if self.after else z

    def rescale(self, index, factor):
        self.calls.append(index)
        self.weights[index] = self.weights[index] * factor


BATCH = 3.0 * np.random.default_rng(2).standard_normal((100, 20))


@pytest.mark.parametrize("options", [{}, {"after": True}])
def test_one_round_suffices_without_biases(options):
    network = Network([20, 30, 10, 10], BATCH, **options)
    before = [w.copy() for w in network.weights]
    report = lsuv(3, network.outputs, network.rescale, tolerance=1e-9)
    for index, layer in enumerate(report):
        assert layer.rounds == 1
        assert network.outputs(index).var() == pytest.approx(1.0, abs=1e-12)
        assert layer.variance == network.outputs(index).var()
        np.testing.assert_allclose(network.weights[index], layer.factor * before[index])
    assert network.calls == [0, 1, 2]


def test_biases_need_rounds():
    bias = np.array([0.5, -0.5])
    network = Network([20, 2], BATCH, bias=bias)
    (layer,) = lsuv(1, network.outputs, network.rescale, tolerance=1e-3, max_rounds=100)
    assert layer.rounds > 1
    assert abs(network.outputs(0).var() - 1.0) < 1e-3


def test_layers_that_are_right_are_left_alone():
    network = Network([20, 20], BATCH / BATCH.std())
    report = lsuv(1, network.outputs, network.rescale)
    assert report == [LSUVLayer(1.0, network.outputs(0).var(), 0)]
    assert network.calls == []


def test_failures_say_what_to_do():
    far = Network([20, 2], BATCH, bias=np.array([2.0, -2.0]))
    with pytest.raises(fm.ConvergenceError, match="biases"):
        lsuv(1, far.outputs, far.rescale)
    with pytest.raises(ValueError, match="layer 0 must vary"):
        lsuv(1, lambda _: np.ones(5), lambda *_: None)
    with pytest.raises(ValueError, match="not finite"):
        lsuv(1, lambda _: np.array([1.0, np.nan]), lambda *_: None)
    with pytest.raises(ValueError, match="vary"):
        lsuv(1, lambda _: np.empty(0), lambda *_: None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tolerance": 0.0}, "tolerance"),
        ({"tolerance": 1.0}, "tolerance"),
        ({"max_rounds": 0}, "max_rounds"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        lsuv(1, lambda _: BATCH, lambda *_: None, **options)
    with pytest.raises(ValueError, match="layers"):
        lsuv(0, lambda _: BATCH, lambda *_: None)
