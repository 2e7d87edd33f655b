"""Initializers for JAX: laws, transformations, sharding, and moments through Flax's layers."""

from __future__ import annotations

import numpy as np
import pytest

import fracmoment as fm
from fracmoment import schemes
from tests.frameworks.statistics import score_of_moment, scores_of_normal


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_the_law_of_ten_million_weights(jax, jnp, fj, dtype):
    init = fj.fractional_normal(0.5, "relu")
    values = init(jax.random.key(1), (4000, 2500), dtype)
    assert values.dtype == dtype
    std = fm.init_scale("relu", 4000, 2500, 0.5)
    assert np.all(scores_of_normal(np.asarray(values, np.float64), std, dtype) < 5.0)


def test_narrow_types_of_the_framework_itself_are_truncated(jax, jnp):
    """The reason why variates are drawn in single precision."""
    values = np.asarray(jax.random.normal(jax.random.key(1), (10**6,), jnp.bfloat16), np.float64)
    assert scores_of_normal(values, 1.0, "bfloat16").max() > 5.0


def test_double_precision(jax, jnp, fj):
    with jax.enable_x64(True):
        values = fj.lyapunov_orthogonal("linear")(jax.random.key(0), (30, 30), jnp.float64)
        assert values.dtype == jnp.float64
        factor = fm.init_scale("linear", 30, 30, 0.0, weights="orthogonal")
        assert jnp.abs(values @ values.T - factor**2 * jnp.eye(30)).max() < 1e-13


@pytest.mark.parametrize(
    ("order", "sizes", "weights"),
    [
        (0.0, (40, 12), "normal"),
        (1.0, (12, 40), "normal"),
        (1.0, (40, 12), "orthogonal"),
        (0.0, (12, 40), "orthogonal"),
    ],
)
def test_moments_through_flax_dense(jax, jnp, linen, fj, order, sizes, weights):
    fan_in, fan_out = sizes
    init = getattr(fj, f"fractional_{weights}")(order, fm.LeakyReLU(0.2))
    layer = linen.Dense(fan_out, kernel_init=init, use_bias=False)
    x = jnp.linspace(-1.0, 2.0, fan_in)

    @jax.jit
    @jax.vmap
    def output(key):
        return linen.leaky_relu(layer.init_with_output(key, x)[0], 0.2)

    outputs = output(jax.random.split(jax.random.key(2), 4000))
    assert abs(score_of_moment(outputs, x, order)) < 5.0


@pytest.mark.parametrize("groups", [1, 2])
def test_moments_at_one_position_of_flax_convolutions(jax, jnp, linen, fj, groups):
    init = fj.fractional_normal(1.0, "relu", groups=groups)
    layer = linen.Conv(
        12, (3, 3), feature_group_count=groups, padding="VALID", use_bias=False, kernel_init=init
    )
    x = jax.random.normal(jax.random.key(3), (3, 3, 4))

    @jax.jit
    @jax.vmap
    def output(key):
        return linen.relu(layer.init_with_output(key, x)[0][0, 0, : 12 // groups])

    outputs = output(jax.random.split(jax.random.key(4), 4000))
    assert abs(score_of_moment(outputs, x[..., : 4 // groups].ravel(), 1.0)) < 5.0


def test_nnx(jax, jnp, fj):
    from flax import nnx

    layer = nnx.Linear(400, 300, kernel_init=fj.fractional_normal(1.0), rngs=nnx.Rngs(0))
    std = float(jnp.std(layer.kernel[...])) / fm.init_scale("relu", 400, 300, 1.0)
    assert abs(std - 1.0) < 5.0 / np.sqrt(2 * 400 * 300)


def test_jit_vmap_and_abstract_evaluation(jax, jnp, fj):
    for init in (fj.fractional_normal(1.0), fj.fractional_orthogonal(1.0), fj.looks_linear()):
        key = jax.random.key(5)
        plain = init(key, (8, 6))
        traced = jax.jit(lambda key, init=init: init(key, (8, 6)))(key)
        assert jnp.allclose(plain, traced, rtol=1e-5, atol=1e-6)
        keys = jax.random.split(key, 3)
        mapped = jax.vmap(lambda key, init=init: init(key, (8, 6)))(keys)
        assert jnp.allclose(mapped[1], init(keys[1], (8, 6)), rtol=1e-5, atol=1e-6)
        shape = jax.eval_shape(lambda key, init=init: init(key, (8, 6), jnp.bfloat16), key)
        assert (shape.shape, shape.dtype) == ((8, 6), jnp.bfloat16)


def test_sharding(jax, jnp, fj):
    sharding = jax.sharding
    mesh = jax.make_mesh((2,), ("x",), axis_types=(sharding.AxisType.Explicit,))
    wanted = sharding.NamedSharding(mesh, sharding.PartitionSpec("x", None))
    key = jax.random.key(6)
    with jax.set_mesh(mesh):
        for dtype in (jnp.float32, jnp.bfloat16):
            values = fj.fractional_normal(1.0)(key, (8, 6), dtype, out_sharding=wanted)
            assert values.sharding.is_equivalent_to(wanted, 2)
            uniform = fj.from_scheme("he_uniform")(key, (8, 6), dtype, wanted)
            assert uniform.sharding.is_equivalent_to(wanted, 2)
        with pytest.raises(NotImplementedError, match="out_sharding must be None"):
            fj.looks_linear()(key, (8, 6), jnp.float32, wanted)


def test_layouts_agree_with_torch_s(jax, jnp, fj):
    """The same matrix in several layouts, groups, stacks and transposed kernels."""
    key = jax.random.key(7)
    plain = fj.fractional_orthogonal(1.0, "linear")(key, (4, 6))
    torch_like = fj.fractional_orthogonal(1.0, "linear", in_axis=1, out_axis=0)(key, (6, 4))
    assert jnp.array_equal(plain, torch_like.T)
    factor = fm.init_scale("linear", 2, 3, 1.0, weights="orthogonal")
    grouped = fj.fractional_orthogonal(1.0, "linear", groups=2)(key, (2, 6))
    for block in (grouped[:, :3], grouped[:, 3:]):
        assert jnp.allclose(block @ block.T, factor**2 * jnp.eye(2), atol=1e-5)
    stacked = fj.fractional_orthogonal(1.0, "linear", batch_axis=0)(key, (5, 2, 3))
    for block in stacked:
        assert jnp.allclose(block @ block.T, factor**2 * jnp.eye(2), atol=1e-5)
    crossed = fj.fractional_orthogonal(
        1.0, "linear", in_axis=-2, out_axis=-1, groups=2, transposed=True
    )(key, (4, 3))
    for block in (crossed[:2], crossed[2:]):
        assert jnp.allclose(block @ block.T, factor**2 * jnp.eye(2), atol=1e-5)
    attention = fj.lecun_normal(in_axis=0, out_axis=(1, 2))(key, (400, 30, 40))
    assert abs(float(attention.std()) * 20.0 - 1.0) < 5.0 / np.sqrt(2 * attention.size)


def test_delta_orthogonal_kernels(jax, jnp, linen, fj):
    kernel = fj.delta_orthogonal(groups=2)(jax.random.key(8), (3, 4, 3, 8))
    assert jnp.count_nonzero(kernel) == 3 * 8
    for block in (kernel[1, 1, :, :4], kernel[1, 1, :, 4:]):
        assert jnp.allclose(block @ block.T, jnp.eye(3), atol=1e-5)


def test_orthogonal_matrices_are_haar(jax, jnp, fj):
    """Mean square of the trace is 1 and its fourth moment 3; without signs of R it is not."""
    init = fj.from_scheme("orthogonal")
    matrices = jax.vmap(lambda key: init(key, (6, 6)))(jax.random.split(jax.random.key(9), 10_000))
    traces = np.asarray(jnp.trace(matrices, axis1=1, axis2=2), np.float64)
    for power, moment in ((1, 0.0), (2, 1.0), (4, 3.0)):
        terms = traces**power
        assert abs(terms.mean() - moment) < 5.0 * terms.std() / np.sqrt(terms.size)


def test_submatrix_networks_are_their_linear_twins(jax, jnp, fj):
    sizes = [10, 16, 16, 6]
    keys = jax.random.split(jax.random.key(10), 3)
    for factory in (fj.gaussian_submatrix, fj.looks_linear):
        out = twin = jnp.linspace(-1.0, 1.0, 10)
        for index, position in enumerate(("first", "hidden", "last")):
            w = factory(position)(keys[index], (sizes[index], sizes[index + 1]))
            out = out @ w if position == "last" else jnp.maximum(out @ w, 0.0)
            rows = w.shape[0] // (1 if position == "first" else 2)
            columns = w.shape[1] // (1 if position == "last" else 2)
            twin = twin @ w[:rows, :columns]
        assert jnp.allclose(out, twin, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "name", ["he_uniform", "glorot_truncated_normal", "haiku_default", "t_fixup", "selu"]
)
def test_standard_deviations_of_other_laws(jax, jnp, fj, name):
    scheme = schemes.get(name, **({"layers": 4} if name == "t_fixup" else {}))
    values = np.asarray(fj.from_scheme(scheme)(jax.random.key(11), (1000, 1000)), np.float64)
    std = scheme.scale(1000, 1000)
    z = (np.mean(values**2) - std**2) / (np.std(values**2) / 1000.0)
    assert abs(z) < 5.0


def test_arrays_without_elements(jax, jnp, fj):
    assert fj.fractional_normal()(jax.random.key(0), (0, 4)).shape == (0, 4)


def test_haiku(jax, jnp, fj):
    import haiku

    init = fj.for_haiku(fj.fractional_normal(1.0))
    layer = haiku.transform(lambda x: haiku.Linear(300, w_init=init)(x))
    weights = layer.init(jax.random.key(12), jnp.ones((1, 400)))["linear"]["w"]
    std = float(weights.std()) / fm.init_scale("relu", 400, 300, 1.0)
    assert abs(std - 1.0) < 5.0 / np.sqrt(2 * 400 * 300)


def test_equinox(jax, jnp, fj):
    import equinox

    key = jax.random.key(13)
    model = equinox.nn.Sequential(
        [
            equinox.nn.Conv2d(4, 8, 3, groups=2, key=key),
            equinox.nn.Lambda(jax.nn.relu),
            equinox.nn.MLP(6, 5, 7, 1, key=key),
        ]
    )
    new = fj.init_equinox(model, schemes.Orthogonal(2.0), key)
    rows = new.layers[0].weight.reshape(2, 4, 18)
    assert jnp.allclose(rows @ rows.transpose(0, 2, 1), 4.0 * jnp.eye(4), atol=1e-4)
    first = new.layers[2].layers[0]
    assert jnp.allclose(first.weight.T @ first.weight, 4.0 * jnp.eye(6), atol=1e-4)
    assert not first.bias.any()
    assert not jnp.array_equal(model.layers[0].weight, new.layers[0].weight)
    with pytest.raises(ValueError, match="layers of Equinox"):
        fj.init_equinox({}, "he_normal", key)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda fj, key: fj.fractional_normal(1.0, "gelu"), ValueError, "activation must be one"),
        (lambda fj, key: fj.from_scheme("sparse"), ValueError, "draw its weights with sample"),
        (lambda fj, key: fj.from_scheme("he"), ValueError, "name must be one of"),
        (lambda fj, key: fj.from_scheme(1), TypeError, "scheme must be"),
        (lambda fj, key: fj.fractional_normal()(key, (4,)), ValueError, "two"),
        (lambda fj, key: fj.fractional_normal()(key, (4, 4), "int32"), TypeError, "floating-point"),
        (lambda fj, key: fj.fractional_normal()(key, (4, 4), complex), TypeError, "real floating"),
        (lambda fj, key: fj.fractional_normal(groups=3)(key, (4, 4)), ValueError, "groups must"),
        (lambda fj, key: fj.fractional_normal(in_axis=-1)(key, (4, 4)), ValueError, "different"),
        (
            lambda fj, key: fj.fractional_normal(distribution="truncated_normal"),
            TypeError,
            "fractional_normal takes no argument 'distribution': moments of another order than 2",
        ),
        (lambda fj, key: fj.lyapunov_normal(seed=1), TypeError, "takes no argument 'seed'$"),
        (lambda fj, key: fj.looks_linear()(key, (5, 4)), ValueError, "fan_in must be even"),
        (lambda fj, key: fj.looks_linear(groups=2)(key, (4, 4)), ValueError, "groups must be 1"),
        (lambda fj, key: fj.delta_orthogonal()(key, (4, 4)), ValueError, "convolution"),
    ],
)
def test_bad_input(jax, fj, call, error, message):
    with pytest.raises(error, match=message):
        call(fj, jax.random.key(0))
