"""``fm.audit`` of what users of the frameworks have at hand."""

from __future__ import annotations

import numpy as np
import pytest

import fracmoment as fm


def widths(report):
    return [(layer.law.fan_in, layer.law.fan_out) for layer in report.layers]


SIZES = [(30, 40), (40, 50), (50, 10)]


def test_torch_modules_and_state_dicts(torch, ft):
    nn = torch.nn
    model = nn.Sequential(
        nn.Linear(30, 40), nn.ReLU(), nn.Linear(40, 50), nn.BatchNorm1d(50), nn.Linear(50, 10)
    )
    torch.manual_seed(1)
    ft.init_module_(model, 1.0, preserve="norm")
    for source, kind in ((model, "Sequential"), (model.state_dict(), "OrderedDict")):
        report = fm.audit(source, preserve="norm")
        assert (widths(report), report.layout, report.source) == (SIZES, "torch", kind)
        for layer, planned in zip(report.layers, ("relu", "linear", "linear"), strict=True):
            sigma = fm.init_scale(
                planned, layer.law.fan_in, layer.law.fan_out, 1.0, preserve="norm"
            )
            assert abs(layer.scale - sigma) < 5.0 * layer.standard_error
            assert layer.entries.kind in ("gaussian", "undecided")
            assert layer.bias_rms == 0.0
        assert any("'3.weight'" in note for note in report.notes)
    narrow = fm.audit(model.to(torch.bfloat16))
    assert {layer.dtype for layer in narrow.layers} == {"bfloat16"}


def test_keras_models(keras):
    model = keras.Sequential([keras.Input((30,)), *map(keras.layers.Dense, (40, 50, 10))])
    report = fm.audit(model, "linear")
    assert (widths(report), report.layout) == (SIZES, "keras")
    assert report.layers[0].name.endswith("/kernel")
    assert {layer.entries.kind for layer in report.layers} <= {"uniform", "undecided"}
    assert "Weights" in str(report)


def test_flax_modules_and_trees(jax, jnp, linen):
    from flax import nnx

    class Network(nnx.Module):
        def __init__(self, rngs):
            self.layers = nnx.List([nnx.Linear(*size, rngs=rngs) for size in SIZES])

    model = Network(nnx.Rngs(0))
    for source in (model, nnx.state(model, nnx.Param)):
        assert widths(fm.audit(source)) == SIZES
    layers = linen.Sequential([linen.Dense(size, param_dtype=jnp.bfloat16) for _, size in SIZES])
    tree = layers.init(jax.random.key(0), jnp.ones((1, 30)))
    report = fm.audit(tree)
    assert (widths(report), report.layout) == (SIZES, "keras")
    assert report.layers[0].name == "params/layers_0/kernel"
    assert report.layers[0].dtype == "bfloat16"
    weights = np.asarray(tree["params"]["layers_0"]["kernel"], np.float64)
    assert report.layers[0].scale == pytest.approx(np.sqrt(np.mean(weights**2)), rel=1e-12)


def test_models_without_values_or_matrices(torch):
    with pytest.raises(ValueError, match="meta device"):
        fm.audit(torch.nn.Linear(3, 4, device="meta"))
    with pytest.raises(ValueError, match="no weight matrix"):
        fm.audit(torch.nn.Conv2d(3, 3, 3))
    broken = torch.nn.Linear(30, 40)
    with torch.no_grad():
        broken.weight[0, 0] = torch.nan
    with pytest.raises(ValueError, match="1 of 1200 values NaN"):
        fm.audit(broken)
