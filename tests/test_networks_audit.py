"""From a file to a chain of layers, its audit, and inputs pushed through it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

import fracmoment as fm
from fracmoment.networks import (
    Layer,
    Network,
    NetworkFileError,
    audit_network,
    measure,
    read_network,
)
from fracmoment.networks.description import natural_key


def save(path, **arrays):
    np.savez(path, **arrays)
    return path


def weights(fan_out, fan_in, seed=0, scale=1.0):
    return np.random.default_rng(seed).normal(0, scale, (fan_out, fan_in))


def network(widths, scale, seed=0, biases=False):
    rng = np.random.default_rng(seed)
    layers = []
    for index in range(len(widths) - 1):
        shape = (widths[index + 1], widths[index])
        bias = rng.normal(0, 0.1, shape[0]) if biases else None
        layers.append(Layer(f"layer{index}", rng.normal(0, scale, shape), bias, "float64"))
    return Network("test", tuple(layers), "torch", ())


# ---------------------------------------------------------------- reading a chain


def test_torch_layout_with_biases(tmp_path):
    first, second = weights(5, 3), weights(2, 5)
    path = tmp_path / "w.npz"
    save(path, **{"0.weight": first, "0.bias": np.ones(5), "2.weight": second})
    chain = read_network(path)
    assert [layer.name for layer in chain.layers] == ["0.weight", "2.weight"]
    assert np.array_equal(chain.layers[0].weights, first)
    assert np.array_equal(chain.layers[0].bias, np.ones(5))
    assert chain.layers[1].bias is None
    assert chain.layout == "torch"
    assert chain.notes == ()


def test_keras_layout_by_shapes_and_by_names(tmp_path):
    path = save(tmp_path / "w.npz", a=weights(3, 5), b=weights(5, 2))
    chain = read_network(path)
    assert chain.layout == "keras"
    assert (chain.layers[0].fan_in, chain.layers[0].fan_out) == (3, 5)
    assert any("keras" in note for note in chain.notes)
    path = tmp_path / "v.npz"
    save(path, **{"dense/kernel": weights(4, 4), "dense/bias": np.ones(4)})
    chain = read_network(path)
    assert chain.layout == "keras"
    assert np.array_equal(chain.layers[0].weights, weights(4, 4).T)
    assert chain.layers[0].bias is not None
    assert read_network(path, layout="torch").layout == "torch"


@pytest.mark.parametrize(
    ("matrix", "bias"),
    [
        ("fc1.weight", "fc1.bias"),
        ("dense/kernel:0", "dense/bias:0"),
        ("W1", "b1"),
        ("w", "b"),
        ("coefs_0", "intercepts_0"),
        ("layers.0.weights", "layers.0.biases"),
        ("layer_w_1", "layer_b_1"),
    ],
)
def test_biases_are_found_by_name(tmp_path, matrix, bias):
    path = save(tmp_path / "w.npz", **{matrix: weights(3, 3), bias: np.arange(3.0)})
    assert np.array_equal(read_network(path).layers[0].bias, np.arange(3.0))


def test_files_sorted_by_the_alphabet_are_taken_by_number(tmp_path):
    names = sorted(f"fc{index}.weight" for index in range(1, 13))
    path = save(tmp_path / "w.npz", **{name: weights(4, 4) for name in names})
    chain = read_network(path)
    assert [layer.name for layer in chain.layers] == [f"fc{i}.weight" for i in range(1, 13)]
    assert any("alphabet" in note for note in chain.notes)
    # Any other order is somebody's intention.
    stored = ["fc2.weight", "fc10.weight", "fc1.weight"]
    path = save(tmp_path / "v.npz", **{name: weights(4, 4) for name in stored})
    assert [layer.name for layer in read_network(path).layers] == stored


def test_natural_order():
    names = ["a10", "a9", "b", "a", "a9x", "1"]
    assert sorted(names, key=natural_key) == ["1", "a", "a9", "a9x", "a10", "b"]


def test_layers_by_name(tmp_path):
    arrays = {"x.weight": weights(3, 2), "y.weight": weights(2, 3), "z": np.ones(4)}
    path = save(tmp_path / "w.npz", **arrays)
    chain = read_network(path, names=["y", "x.weight"])
    assert [layer.name for layer in chain.layers] == ["y.weight", "x.weight"]
    with pytest.raises(NetworkFileError, match=r"'xx'; the closest is 'x\.weight'"):
        read_network(path, names=["xx"])
    with pytest.raises(NetworkFileError, match="not a matrix"):
        read_network(path, names=["z"])
    with pytest.raises(NetworkFileError, match="do not chain"):
        read_network(path, names=["x", "x"])


def test_what_is_left_out_is_said(tmp_path):
    path = save(tmp_path / "w.npz", conv=np.ones((3, 3, 3, 3)), fc=weights(4, 4), scale=np.ones(3))
    (note,) = read_network(path).notes
    assert "'conv'" in note
    assert "'scale'" in note


def test_chains_that_are_none(tmp_path):
    with pytest.raises(NetworkFileError, match="do not chain"):
        read_network(save(tmp_path / "w.npz", a=weights(3, 5), b=weights(4, 7)))
    with pytest.raises(NetworkFileError, match="no weight matrix"):
        read_network(save(tmp_path / "w.npz", a=np.ones(3)))
    with pytest.raises(NetworkFileError, match="bias"):
        read_network(save(tmp_path / "w.npz", W=weights(3, 5), b=np.ones(4)))
    path = save(tmp_path / "w.npz", a=weights(3, 5), b=weights(2, 3))
    with pytest.raises(NetworkFileError, match="keras layout"):
        read_network(path, layout="keras")


# ---------------------------------------------------------------- auditing


def test_audit_of_gaussian_weights():
    scale = fm.init_scale("relu", 100, 100, 2)
    chain = network([100] * 5, scale, seed=1)
    audit = audit_network(chain)
    for index, layer in enumerate(audit.layers):
        activation = "relu" if index < 3 else "linear"
        matrix = chain.layers[index].weights
        assert layer.entries.kind == "gaussian"
        assert layer.exact
        assert layer.scale == pytest.approx(np.sqrt(np.mean(matrix**2)))
        gain = fm.Gain(activation, 100)
        assert layer.order == pytest.approx(gain.tail_index(layer.scale), rel=1e-9, abs=1e-9)
        assert layer.drift == pytest.approx(gain.log_mean() + math.log(layer.scale))
        low, high = layer.order_interval
        assert low <= layer.order <= high
    assert audit.outcome.log_mean == pytest.approx(sum(x.drift for x in audit.layers))
    var = sum(x.law.log_var for x in audit.layers)
    assert audit.outcome.log_std == pytest.approx(math.sqrt(var))


def test_orders_follow_the_convention():
    chain = network([400, 64], fm.init_scale("linear", 400, 64, 2), seed=2)
    rms, norm = (audit_network(chain, preserve=p).layers[0] for p in ("rms", "norm"))
    assert rms.order_interval[0] < 3.5
    assert rms.order_interval[1] > 0.5
    # The same scale as the norm's: sqrt(64/400) of it, so every moment shrinks.
    assert norm.order > 50
    assert rms.drift - norm.drift == pytest.approx(0.5 * math.log(400 / 64))


def test_orthogonal_weights_get_their_own_law():
    matrix = 1.3 * stats.ortho_group.rvs(32, random_state=3)
    layer = audit_network(Network("t", (Layer("w", matrix, None, "float64"),), "torch", ()), "relu")
    (audit,) = layer.layers
    assert audit.law.weights == "orthogonal"
    assert audit.exact
    assert audit.scale == pytest.approx(1.3)
    assert audit.standard_error == 0.0
    assert audit.drift == pytest.approx(math.log(1.3))


def test_weights_that_are_not_iid_are_not_modelled():
    matrix = weights(64, 64) * np.linspace(0.2, 1.8, 64)[:, None]
    audit = audit_network(Network("t", (Layer("w", matrix, None, "float64"),), "torch", ()))
    assert not audit.layers[0].modelled
    assert not audit.layers[0].exact


def test_zero_weights_have_no_outcome():
    chain = Network("t", (Layer("w", np.zeros((4, 4)), None, "float64"),), "torch", ())
    audit = audit_network(chain)
    assert audit.outcome is None
    assert audit.prob_dead == 1.0
    assert audit.layers[0].order is None
    with pytest.raises(NetworkFileError, match="all zero"):
        measure(chain, audit, np.ones((2, 4)))


@pytest.mark.parametrize("level", [0.0, 1.0, math.nan])
def test_significance_is_a_probability(level):
    with pytest.raises(ValueError, match="significance"):
        audit_network(network([4, 4], 1.0), significance=level)


# ---------------------------------------------------------------- measuring


def forward(chain, x, slope, biases):
    signals = []
    for index, layer in enumerate(chain.layers):
        x = x @ layer.weights.T + (layer.bias if biases else 0.0)
        if index < len(chain.layers) - 1:
            x = np.where(x > 0, x, slope * x)
        signals.append(x)
    return signals


def test_measured_log_norms_are_those_of_the_network():
    chain = network([6, 9, 7, 4], 0.4, seed=5, biases=True)
    x = np.random.default_rng(6).normal(size=(50, 6))
    x[7] = 0.0
    alive = np.delete(x, 7, axis=0)
    audit = audit_network(chain, fm.LeakyReLU(0.1), preserve="norm")
    result = measure(chain, audit, x)
    assert (result.n_inputs, result.n_zero) == (49, 1)
    start = np.log(np.linalg.norm(alive, axis=1))
    for biases in (False, True):
        signals = forward(chain, alive, 0.1, biases)
        for layer, signal in zip(result.layers, signals, strict=True):
            logs = np.log(np.linalg.norm(signal, axis=1)) - start
            measured = layer.mean_with_biases if biases else layer.mean
            assert measured == pytest.approx(logs.mean(), rel=1e-10)
            if not biases:
                assert layer.low == pytest.approx(np.quantile(logs, 0.05))
    outputs = forward(chain, alive, 0.1, True)[-1]
    deviation = outputs - outputs.mean(axis=0)
    spread = np.sqrt(np.mean(np.sum(deviation**2, axis=1))) / np.linalg.norm(outputs.mean(axis=0))
    assert result.spread_with_biases == pytest.approx(spread)


def test_neither_depth_nor_scale_overflows():
    for scale in (1e-150, 1e150):
        chain = network([8] * 12, scale, seed=7, biases=True)
        x = np.random.default_rng(8).normal(size=(5, 8)) * scale
        result = measure(chain, audit_network(chain, "linear"), x)
        assert all(math.isfinite(layer.mean) for layer in result.layers)
        assert all(math.isfinite(layer.mean_with_biases) for layer in result.layers)


def test_dead_inputs_are_counted():
    matrix = -np.abs(weights(5, 5))
    layers = (Layer("a", matrix, None, "float64"), Layer("b", weights(5, 5), None, "float64"))
    chain = Network("t", layers, "torch", ())
    x = np.vstack([np.ones(5), np.ones(5), -np.ones(5)])
    result = measure(chain, audit_network(chain), x)
    assert [layer.n_dead for layer in result.layers] == [2, 2]
    all_dead = measure(chain, audit_network(chain), x[:2])
    assert math.isnan(all_dead.layers[-1].mean)
    assert math.isnan(all_dead.p_value)


def test_scores_of_single_inputs_are_standard_normal():
    # One input has no averaging, so its scores are those of the law: over 400 networks their mean
    # and variance miss 0 and 1 by 4.5 standard errors with probability below 1e-4.
    steps, totals = [], []
    scale = fm.init_scale("relu", 20, 20, 1)
    x = np.random.default_rng(9).normal(size=(1, 20))
    for seed in range(400):
        chain = network([20] * 4, scale, seed=seed)
        audit = audit_network(chain, last=None)
        # The law of the true scale: the empirical one takes up a part of the randomness.
        result = measure(chain, audit, x)
        shift = sum(math.log(layer.scale / scale) for layer in audit.layers)
        last = result.layers[-1]
        totals.append(last.total_z + shift / last.law_std)
        steps.append(result.layers[0].step_z)
    totals = np.array(totals)
    assert abs(totals.mean()) < 4.5 / 20
    assert abs(totals.var() - 1) < 4.5 * np.sqrt(np.var((totals - totals.mean()) ** 2) / 400)
    assert np.var(steps) < 1.3


def test_scores_of_many_inputs_are_conservative():
    # Independent inputs share the weights: the variance of the mean step is at most the law's.
    scores = []
    x = np.random.default_rng(10).normal(size=(200, 20))
    for seed in range(150):
        chain = network([20] * 3, 0.3, seed=seed)
        scores.append(measure(chain, audit_network(chain), x).layers[0].step_z)
    assert np.mean(np.square(scores)) < 0.5


def test_inputs_must_fit():
    chain = network([4, 4], 1.0)
    audit = audit_network(chain)
    with pytest.raises(NetworkFileError, match="5 features"):
        measure(chain, audit, np.ones((2, 5)))
    with pytest.raises(NetworkFileError, match="all inputs are zero"):
        measure(chain, audit, np.zeros((2, 4)))


def test_randomized_slopes_are_drawn_per_unit():
    chain = network([50, 50, 50], 0.2, seed=11)
    x = np.random.default_rng(12).normal(size=(30, 50))
    audit = audit_network(chain, "rrelu")
    first, again = measure(chain, audit, x), measure(chain, audit, x)
    assert first == again
    assert measure(chain, audit, x, seed=1) != first
