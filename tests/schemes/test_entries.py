"""Laws of the weights that schemes draw, their scales, and what frameworks draw by default."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

import fracmoment as fm
from fracmoment import schemes
from fracmoment.schemes import entries

SHAPE = (400, 250)

LAWS = {
    "normal": lambda std: stats.norm(scale=std),
    "uniform": lambda std: stats.uniform(-math.sqrt(3) * std, 2 * math.sqrt(3) * std),
    "truncated": lambda std: stats.truncnorm(-2, 2, scale=std / stats.truncnorm(-2, 2).std()),
}


def published_scale(name, n_in, n_out):
    """The formulas of the papers and of the frameworks' documentation."""
    return {
        "lecun": math.sqrt(1 / n_in),
        "glorot": math.sqrt(2 / (n_in + n_out)),
        "he": math.sqrt(2 / n_in),
        "torch_default": 1 / math.sqrt(3 * n_in),
        "keras_default": math.sqrt(6 / (n_in + n_out)) / math.sqrt(3),
        "flax_default": math.sqrt(1 / n_in),
        "haiku_default": 0.87962566103423978 / math.sqrt(n_in),
        "equinox_default": 1 / math.sqrt(3 * n_in),
    }[name]


CASES = [
    ("lecun_normal", "normal", "lecun"),
    ("lecun_uniform", "uniform", "lecun"),
    ("lecun_truncated_normal", "truncated", "lecun"),
    ("glorot_normal", "normal", "glorot"),
    ("glorot_uniform", "uniform", "glorot"),
    ("glorot_truncated_normal", "truncated", "glorot"),
    ("he_normal", "normal", "he"),
    ("he_uniform", "uniform", "he"),
    ("he_truncated_normal", "truncated", "he"),
    ("torch_default", "uniform", "torch_default"),
    ("keras_default", "uniform", "keras_default"),
    ("flax_default", "truncated", "flax_default"),
    ("haiku_default", "truncated", "haiku_default"),
    ("equinox_default", "uniform", "equinox_default"),
]


@pytest.mark.parametrize(("name", "law", "formula"), CASES)
def test_laws_and_scales_of_the_weights(name, law, formula):
    """Kolmogorov and Smirnov at 1e-5, z-score of the variance below 5: once in 6,000 seeds."""
    scheme = schemes.get(name)
    std = published_scale(formula, SHAPE[1], SHAPE[0])
    assert scheme.scale(SHAPE[1], SHAPE[0]) == pytest.approx(std, rel=1e-14)
    w = scheme.sample(SHAPE, rng=17).reshape(-1)
    assert w.dtype == np.float64
    assert stats.kstest(w, LAWS[law](std).cdf).pvalue > 1e-5
    squares = (w / std) ** 2
    assert abs(squares.mean() - 1) < 5 * squares.std() / math.sqrt(w.size)
    if law != "normal":
        assert np.abs(w).max() <= LAWS[law](std).support()[1] * (1 + 1e-15)


def test_constants_of_the_truncated_law():
    moments = [
        integrate.quad(lambda z, k=k: z**k * stats.norm.pdf(z), -2, 2, epsabs=1e-15)[0]
        for k in (0, 2, 4)
    ]
    variance, fourth = moments[1] / moments[0], moments[2] / moments[0]
    std = entries.TRUNCATED_STD
    assert std == pytest.approx(math.sqrt(variance), rel=1e-13)
    assert std == pytest.approx(0.87962566103423978, rel=1e-15)
    law = entries.symmetric_entries("truncated")
    assert law.kurtosis == pytest.approx(fourth / variance**2, rel=1e-13)
    assert entries.symmetric_entries("uniform").kurtosis == 1.8


def test_modes_and_activations_of_he():
    leaky = fm.LeakyReLU(0.5)
    n_in, n_out = 30, 70
    second = 0.5 * (1 + 0.25)
    for mode, fan in [("fan_in", 30), ("fan_out", 70), ("fan_avg", 50)]:
        expected = 1 / math.sqrt(fan * second)
        assert schemes.He(leaky, mode=mode).scale(n_in, n_out) == pytest.approx(expected, rel=1e-15)
    rrelu = schemes.He("rrelu", mode="fan_avg").scale(8, 8)
    assert rrelu == pytest.approx(schemes.He("rrelu").scale(8, 8), rel=1e-15)


@pytest.mark.parametrize(
    ("scheme", "activation", "order", "options"),
    [
        (schemes.Fractional(0.8, "relu"), "relu", 0.8, {}),
        (schemes.Fractional(1.3, "linear", "norm"), "linear", 1.3, {"preserve": "norm"}),
        (schemes.Fractional(1.0, weights="orthogonal"), "relu", 1.0, {"weights": "orthogonal"}),
        (schemes.Fractional(1.0, keep_prob=0.8), "relu", 1.0, {"keep_prob": 0.8}),
        (schemes.Lyapunov("leaky_relu"), "leaky_relu", 0.0, {}),
        (schemes.RandomizedSlope(1.0), fm.RandomizedLeakyReLU(1 / 8, 1 / 3), 1.0, {}),
        (
            schemes.RandomizedSlope(1.0, 0.0, 0.5, preserved_in="evaluation"),
            fm.LeakyReLU(0.25),
            1.0,
            {},
        ),
    ],
    ids=str,
)
def test_exact_scales_are_those_of_init_scale(scheme, activation, order, options):
    fan_in, fan_out = np.array([[9], [40]]), np.array([5, 40, 100])
    expected = fm.init_scale(activation, fan_in, fan_out, order, **options)
    np.testing.assert_array_equal(scheme.scale(fan_in, fan_out), expected)
    assert scheme.scale(9, 5) == expected[0, 0]


def test_random_walk_formulas():
    """exp(1/(2d)) and sqrt(2) exp(1.2/(max(d, 6) - 2.4)), over the root of the fan."""
    linear = schemes.RandomWalk("linear")
    assert linear.scale(100, 20) == pytest.approx(math.exp(1 / 40) / 10, rel=1e-15)
    relu = math.sqrt(2) * math.exp(1.2 / (20 - 2.4)) / 10
    assert schemes.RandomWalk().scale(100, 20) == pytest.approx(relu, rel=1e-15)
    narrow = math.sqrt(2) * math.exp(1.2 / 3.6) / 10
    assert schemes.RandomWalk().scale(100, 3) == pytest.approx(narrow, rel=1e-15)
    assert schemes.RandomWalk(direction="backward").scale(20, 100) == pytest.approx(relu, rel=1e-15)


@pytest.mark.parametrize("name", schemes.names())
def test_weights_repeat_and_have_the_shape_asked_for(name):
    extra = {"constant": {"value": 0.5}, "fixup": {"blocks": 4}, "t_fixup": {"layers": 4}}
    scheme = schemes.get(name, **extra.get(name, {}))
    dense = "delta" not in name
    shapes = [(24, 16)] if dense else []
    if name not in ("lyapunov_selected", "unitary"):
        shapes += [(24, 16, 3), (24, 16, 2, 3)]
    for shape in shapes:
        w = scheme.sample(shape, rng=5)
        assert w.shape == shape
        assert w.dtype == np.float64
        assert np.isfinite(w).all()
        np.testing.assert_array_equal(w, scheme.sample(shape, rng=5))
        np.testing.assert_array_equal(w, scheme.sample(list(shape), rng=np.random.default_rng(5)))
    np.testing.assert_array_equal(scheme.sample_bias(16, 24, rng=5).shape, (24,))


@pytest.mark.parametrize(
    "scheme",
    [
        schemes.He(),
        schemes.Fractional(1.0, weights="orthogonal"),
        schemes.Sparse(4),
        schemes.Identity(),
        schemes.DeltaOrthogonal(),
    ],
    ids=str,
)
def test_groups_and_transposed_layouts(scheme):
    grouped = scheme.sample((8, 2, 3, 3), rng=1, groups=4)
    assert grouped.shape == (8, 2, 3, 3)
    transposed = scheme.sample((8, 2, 3, 3), rng=1, groups=4, transposed=True)
    assert transposed.shape == (8, 2, 3, 3)
    with pytest.raises(ValueError, match="groups must divide"):
        scheme.sample((8, 2, 3, 3), rng=1, groups=3)


def test_scales_of_kernels():
    """He's scale takes the fans, exact scales the units at one position: channels of a group."""
    shape = (12, 4, 3, 3)
    assert schemes.He().scale_for(shape) == pytest.approx(math.sqrt(2 / 36))
    assert schemes.He(mode="fan_out").scale_for(shape) == pytest.approx(math.sqrt(2 / 108))
    exact = fm.init_scale("relu", 36, 12, 1.0)
    assert schemes.Fractional(1.0).scale_for(shape) == exact
    assert schemes.Fractional(1.0).scale_for(shape, groups=2) == fm.init_scale("relu", 36, 6, 1.0)
    moved = schemes.Fractional(1.0).scale_for((3, 3, 4, 12), in_axis=-2, out_axis=-1)
    assert moved == exact
    transposed = schemes.Fractional(1.0).scale_for((4, 12, 3, 3), transposed=True)
    assert transposed == exact
    walk = schemes.RandomWalk(direction="backward")
    assert walk.scale_for(shape) == walk.scale(4, 108)
    # the drawn weights have those scales; z-scores below 5, once in 600,000 seeds
    w = schemes.Fractional(1.0).sample((120, 40, 3, 3), rng=8)
    z = ((w / schemes.Fractional(1.0).scale_for(w.shape)) ** 2 - 1).mean() * math.sqrt(w.size / 2)
    assert abs(z) < 5


def test_biases_of_defaults():
    for name in ("torch_default", "equinox_default"):
        biases = schemes.get(name).sample_bias(64, 5000, rng=2)
        assert stats.kstest(biases, stats.uniform(-1 / 8, 1 / 4).cdf).pvalue > 1e-5
    for name in ("keras_default", "flax_default", "haiku_default"):
        assert not schemes.get(name).sample_bias(64, 5).any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: schemes.He(entries="cauchy"), "entries"),
        (lambda: schemes.He(entries="trunkated"), "did you mean 'truncated'"),
        (lambda: schemes.He(mode="fan"), "mode"),
        (lambda: schemes.He(fm.LeakyReLU([0.1, 0.2])), "single numbers"),
        (lambda: schemes.LeCun("gelu"), "activation"),
        (lambda: schemes.FrameworkDefault("caffe"), "framework"),
        (lambda: schemes.Fractional(float("nan")), "order"),
        (lambda: schemes.Fractional(-1.0).scale(4, 4), "order"),
        (lambda: schemes.Fractional(weights="gsm"), "weights"),
        (lambda: schemes.Fractional(preserve="var"), "preserve"),
        (lambda: schemes.Fractional(keep_prob=0.0), "keep_prob"),
        (lambda: schemes.RandomWalk("leaky_relu"), "linear or ReLU"),
        (lambda: schemes.RandomWalk(direction="up"), "direction"),
        (lambda: schemes.RandomizedSlope(lower=0.5, upper=0.1), "lower"),
        (lambda: schemes.RandomizedSlope(mode="test"), "mode"),
        (lambda: schemes.He().scale(0, 4), "fan_in"),
        (lambda: schemes.Glorot().scale([2, 3], [1, 2, 3]), "broadcast"),
        (lambda: schemes.He().statement(4, 4, 0), "depth"),
        (lambda: schemes.He().statement(4, 4, 10**6), "depth"),
        (lambda: schemes.He().statement(4, -1), "fan_out"),
        (lambda: schemes.He().sample((0, 3)), "size 0"),
        (lambda: schemes.He().sample((3,)), "two axes"),
        (lambda: schemes.He().sample_bias(3, 0), "fan_out"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_bad_types():
    with pytest.raises(TypeError, match="shape"):
        schemes.He().sample(3)
    with pytest.raises(TypeError, match="activation"):
        schemes.He(np.tanh)
    with pytest.raises(TypeError, match="fan_in"):
        schemes.He().statement(4.0, 4)
    with pytest.raises(TypeError, match="rng"):
        schemes.He().sample((3, 3), rng=np.random.RandomState(0))
