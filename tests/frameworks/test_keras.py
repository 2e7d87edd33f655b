"""Initializers for Keras: laws, configurations, seeds, and moments through Keras' layers."""

from __future__ import annotations

import json

import numpy as np
import pytest

import fracmoment as fm
from fracmoment import schemes
from tests.frameworks.statistics import score_of_moment, scores_of_normal


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_law_of_ten_million_weights(keras, fk, dtype):
    values = fk.FractionalNormal(0.5, "relu", seed=1)((4000, 2500), dtype=dtype)
    assert keras.backend.standardize_dtype(values.dtype) == dtype
    std = fm.init_scale("relu", 4000, 2500, 0.5)
    wide = np.asarray(keras.ops.cast(values, "float32"), np.float64)
    assert np.all(scores_of_normal(wide, std, dtype) < 5.0)


@pytest.mark.parametrize("order", [0.0, 1.0])
@pytest.mark.parametrize("sizes", [(40, 12), (12, 40)])
@pytest.mark.parametrize("kind", ["FractionalNormal", "FractionalOrthogonal"])
def test_moments_through_dense_layers(jax, keras, fk, order, sizes, kind):
    fan_in, fan_out = sizes
    init = getattr(fk, kind)(order, fm.LeakyReLU(0.2), seed=2, batch_axis=0)
    kernels = init((4000, fan_in, fan_out))
    layer = keras.layers.Dense(fan_out, use_bias=False, activation=leaky_relu(keras))
    layer.build((None, fan_in))
    x = np.linspace(-1.0, 2.0, fan_in, dtype=np.float32)[None]
    outputs = jax.vmap(lambda kernel: layer.stateless_call([kernel], [], x)[0][0])(kernels)
    assert abs(score_of_moment(outputs, x[0], order)) < 5.0


def leaky_relu(keras):
    """Return leaky ReLU of slope 0.2."""
    return lambda x: keras.ops.leaky_relu(x, negative_slope=0.2)


def test_transposed_and_depthwise_kernels(keras, fk):
    wide = fk.FractionalNormal(1.0, "relu", seed=3, in_axis=-1, out_axis=-2)
    layer = keras.layers.Conv2DTranspose(8, 3, kernel_initializer=wide)
    layer.build((None, 9, 9, 200))
    std = float(np.std(layer.kernel)) / fm.init_scale("relu", 9 * 200, 8, 1.0)
    assert abs(std - 1.0) < 5.0 / np.sqrt(2 * 9 * 200 * 8)
    deep = fk.FractionalNormal(1.0, "relu", seed=3, groups=500, transposed=True)
    layer = keras.layers.DepthwiseConv2D(3, depth_multiplier=4, depthwise_initializer=deep)
    layer.build((None, 9, 9, 500))
    std = float(np.std(layer.kernel)) / fm.init_scale("relu", 9, 4, 1.0)
    assert abs(std - 1.0) < 5.0 / np.sqrt(2 * 9 * 500 * 4)


def test_submatrix_networks_are_their_linear_twins(keras, fk):
    for kind in (fk.GaussianSubmatrix, fk.LooksLinear):
        x = np.linspace(-1.0, 1.0, 10, dtype=np.float32)[None]
        layers = [
            keras.layers.Dense(size, kernel_initializer=kind(position, seed=index))
            for index, (size, position) in enumerate([(16, "first"), (16, "hidden"), (6, "last")])
        ]
        out, twin = x, x
        for index, layer in enumerate(layers):
            out = layer(out) if index == 2 else keras.ops.relu(layer(out))
            w = np.asarray(layer.kernel)
            rows, columns = w.shape[0] // (1 + (index > 0)), w.shape[1] // (1 + (index < 2))
            twin = twin @ w[:rows, :columns]
        np.testing.assert_allclose(out, twin, rtol=1e-4, atol=1e-6)


INITIALIZERS = [
    ("FractionalNormal", {"order": 0.8, "keep_prob": 0.9, "seed": 3}),
    ("FractionalNormal", {"activation": fm.LeakyReLU(0.2), "seed": 3, "groups": 2}),
    ("FractionalOrthogonal", {"activation": fm.RandomizedLeakyReLU(0.1, 0.4), "seed": 3}),
    ("LyapunovNormal", {"preserve": "norm", "seed": 3, "in_axis": [0, 1], "out_axis": 2}),
    ("LyapunovOrthogonal", {"activation": "linear", "seed": 3}),
    ("GaussianSubmatrix", {"order": 1.0, "seed": 3}),
    ("LooksLinear", {"factor": 1.5, "seed": 3}),
    ("SchemeInitializer", {"scheme": "he_uniform", "seed": 3}),
    ("SchemeInitializer", {"scheme": "lyapunov", "parameters": {"activation": "rrelu"}, "seed": 3}),
]


@pytest.mark.parametrize(("name", "options"), INITIALIZERS)
def test_configurations_round_trip(keras, fk, name, options):
    init = getattr(fk, name)(**options)
    text = json.dumps(keras.initializers.serialize(init))
    again = keras.initializers.deserialize(json.loads(text))
    assert type(again) is type(init)
    assert again.get_config() == init.get_config()
    shape = (2, 4, 6) if "in_axis" in options else (4, 6)
    assert np.array_equal(init(shape), again(shape))
    assert again.get_config()["seed"] == 3
    assert type(init).from_config(init.get_config()).get_config() == init.get_config()


def test_saved_models_restore_their_initializers(keras, fk, tmp_path):
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(4, kernel_initializer=fk.FractionalNormal(0.8, seed=1)),
        ]
    )
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    init = loaded.layers[0].kernel_initializer
    assert init.get_config() == fk.FractionalNormal(0.8, seed=1).get_config()


def test_seeds(keras, fk):
    init = fk.FractionalNormal(seed=1)
    assert np.array_equal(init((4, 6)), init((4, 6)))  # Keras' convention
    other = fk.FractionalNormal()
    assert np.array_equal(other((4, 6)), other((4, 6)))
    assert not np.array_equal(other((4, 6)), fk.FractionalNormal()((4, 6)))
    moving = fk.FractionalNormal(seed=keras.random.SeedGenerator(1))
    assert not np.array_equal(moving((4, 6)), moving((4, 6)))
    restored = keras.initializers.deserialize(keras.initializers.serialize(moving))
    fresh = fk.FractionalNormal(seed=keras.random.SeedGenerator(1))
    assert np.array_equal(restored((4, 6)), fresh((4, 6)))
    keras.utils.set_random_seed(5)
    one = fk.LyapunovOrthogonal()((4, 6))
    keras.utils.set_random_seed(5)
    assert np.array_equal(one, fk.LyapunovOrthogonal()((4, 6)))


def test_policies_and_empty_shapes(keras, fk):
    layer = keras.layers.Dense(8, dtype="bfloat16", kernel_initializer=fk.LyapunovNormal())
    layer.build((None, 4))
    assert keras.backend.standardize_dtype(layer.kernel.dtype) == "bfloat16"
    assert fk.LyapunovNormal()((0, 4)).shape == (0, 4)


def test_standard_deviations_of_other_laws(keras, fk):
    for name in ("he_uniform", "glorot_truncated_normal", "torch_default"):
        values = np.asarray(fk.SchemeInitializer(name, seed=1)((1000, 1000)), np.float64)
        std = schemes.get(name).scale(1000, 1000)
        assert abs(np.mean(values**2) - std**2) < 5.0 * np.std(values**2) / 1000.0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda fk: fk.FractionalNormal(1.0, "gelu"), ValueError, "activation must be one of"),
        (lambda fk: fk.FractionalNormal(activation={"name": "x"}), ValueError, "must name one of"),
        (lambda fk: fk.FractionalNormal(seed="a"), TypeError, "seed must be None"),
        (lambda fk: fk.FractionalNormal(axis=1), TypeError, "takes no argument 'axis'"),
        (
            lambda fk: fk.FractionalNormal(distribution="uniform"),
            TypeError,
            "takes no argument 'distribution': moments of another order than 2",
        ),
        (lambda fk: fk.FractionalNormal()((4,)), ValueError, "two"),
        (lambda fk: fk.FractionalNormal()((4, 4), "int32"), TypeError, "floating-point"),
        (lambda fk: fk.FractionalNormal(groups=3)((4, 4)), ValueError, "groups must divide"),
        (lambda fk: fk.GaussianSubmatrix()((5, 4)), ValueError, "fan_in must be even"),
        (lambda fk: fk.SchemeInitializer("identity"), ValueError, "draw its weights with sample"),
    ],
)
def test_bad_input(fk, call, error, message):
    with pytest.raises(error, match=message):
        call(fk)
