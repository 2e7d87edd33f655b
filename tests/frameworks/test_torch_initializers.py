"""Initializers for torch: laws of the weights, and moments through torch's own layers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

import fracmoment as fm
from fracmoment import schemes
from tests.frameworks.statistics import score_of_moment, scores_of_normal

DTYPES = ("float64", "float32", "float16", "bfloat16")
PARAMETERS = {"constant": {"value": 0.5}, "fixup": {"blocks": 4}, "t_fixup": {"layers": 4}}


def seeded(torch, seed):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_law_of_ten_million_weights(torch, ft, dtype):
    tensor = torch.empty(2500, 4000, dtype=getattr(torch, dtype))
    assert ft.fractional_normal_(tensor, 0.5, "relu", generator=seeded(torch, 1)) is tensor
    std = fm.init_scale("relu", 4000, 2500, 0.5)
    assert np.all(scores_of_normal(tensor.double().numpy(), std, dtype) < 5.0)


@pytest.mark.parametrize("order", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("sizes", [(40, 12), (12, 40)])
@pytest.mark.parametrize("weights", ["normal", "orthogonal"])
def test_moments_through_linear_layers(torch, ft, order, sizes, weights):
    fan_in, fan_out = sizes
    layer = torch.nn.Linear(fan_in, fan_out, bias=False)
    x = torch.linspace(-1.0, 2.0, fan_in)
    generator = seeded(torch, 2)
    initialize = getattr(ft, f"fractional_{weights}_")
    outputs = []
    with torch.no_grad():
        for _ in range(3000):
            initialize(layer.weight, order, fm.LeakyReLU(0.2), generator=generator)
            outputs.append(torch.nn.functional.leaky_relu(layer(x), 0.2))
        assert abs(score_of_moment(torch.stack(outputs), x, order)) < 5.0


def test_the_width_is_that_of_the_output(torch, ft):
    """The scale with the width of the input instead, as in released code, is found out."""
    wrong = fm.Gain("relu", 64).scale(1.0)
    layer = torch.nn.Linear(64, 10, bias=False)
    x, generator = torch.ones(64), seeded(torch, 3)
    scores = []
    with torch.no_grad():
        for std in (wrong, fm.init_scale("relu", 64, 10, 1.0)):
            outputs = []
            for _ in range(3000):
                ft.fractional_normal_(layer.weight, 1.0, generator=generator)
                factor = std / fm.init_scale("relu", 64, 10, 1.0)
                outputs.append(torch.relu(factor * layer(x)))
            scores.append(abs(score_of_moment(torch.stack(outputs), x, 1.0)))
    assert scores[0] > 8.0
    assert scores[1] < 5.0


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("transposed", [False, True])
def test_moments_at_one_position_of_convolutions(torch, ft, groups, transposed):
    nn = torch.nn
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    layer = kind(4, 12, 3, groups=groups, bias=False)
    rng = np.random.default_rng(4)
    x = torch.from_numpy(rng.standard_normal((1, 4, 7, 7)).astype(np.float32))
    generator = seeded(torch, 5)
    # the position (3, 3) of the output takes three rows and columns of the input, of group 0
    low = slice(1, 4) if transposed else slice(3, 6)
    patch = x[0, : 4 // groups, low, low].flatten()
    outputs = []
    with torch.no_grad():
        for _ in range(3000):
            ft.fractional_normal_(
                layer.weight,
                1.0,
                "relu",
                groups=groups,
                transposed=transposed,
                generator=generator,
            )
            outputs.append(torch.relu(layer(x))[0, : 12 // groups, 3, 3])
        assert abs(score_of_moment(torch.stack(outputs), patch, 1.0)) < 5.0


def test_submatrix_networks_are_their_linear_twins(torch, ft):
    nn = torch.nn
    sizes = [10, 16, 16, 16, 6]
    for fill in (ft.gaussian_submatrix_, ft.looks_linear_):
        layers = [nn.Linear(a, b, dtype=torch.float64) for a, b in pairwise(sizes)]
        with torch.no_grad():
            for index, layer in enumerate(layers):
                position = "first" if index == 0 else "last" if index == 3 else "hidden"
                fill(layer.weight, position, generator=seeded(torch, index))
                nn.init.zeros_(layer.bias)
            x = torch.linspace(-1, 1, 10, dtype=torch.float64)
            out, twin = x, x
            for index, layer in enumerate(layers):
                out = layer(out) if index == 3 else torch.relu(layer(out))
                rows = layer.weight.shape[0] // (1 if index == 3 else 2)
                columns = layer.weight.shape[1] // (1 if index == 0 else 2)
                twin = layer.weight[:rows, :columns] @ twin
            assert torch.allclose(out, twin, rtol=1e-12, atol=1e-14)


def test_every_scheme_fills_a_tensor(torch, ft):
    for name in schemes.names():
        scheme = schemes.get(name, **PARAMETERS.get(name, {}))
        shape = (32, 16, 3) if isinstance(scheme, schemes.DeltaOrthogonal) else (32, 16)
        tensor = torch.full(shape, torch.nan, dtype=torch.bfloat16)
        again = torch.full(shape, torch.nan, dtype=torch.bfloat16)
        ft.scheme_(tensor, scheme, generator=seeded(torch, 7))
        ft.scheme_(again, scheme, generator=seeded(torch, 7))
        assert torch.equal(tensor, again), name
        assert torch.isfinite(tensor).all()
        reference = scheme.sample(shape, rng=8)
        assert bool((tensor == 0).all()) == (not reference.any())


@pytest.mark.parametrize("name", ["he_uniform", "glorot_truncated_normal", "sparse", "selu"])
def test_standard_deviations_of_other_laws(torch, ft, name):
    scheme = schemes.get(name)
    tensor = ft.scheme_(torch.empty(1000, 1000), scheme, generator=seeded(torch, 9)).double()
    values = tensor[tensor != 0.0].numpy()
    std = scheme.scale(1000, 1000)
    z = (np.mean(values**2) - std**2) / (np.std(values**2) / np.sqrt(values.size))
    assert abs(z) < 5.0


def test_seeds(torch, ft):
    first = ft.lyapunov_normal_(torch.empty(5, 6), generator=seeded(torch, 1))
    assert torch.equal(first, ft.lyapunov_normal_(torch.empty(5, 6), generator=seeded(torch, 1)))
    assert not torch.equal(
        first, ft.lyapunov_normal_(torch.empty(5, 6), generator=seeded(torch, 2))
    )
    for fill in (ft.lecun_normal_, ft.fractional_orthogonal_):  # torch's default generator
        torch.manual_seed(3)
        one = fill(torch.empty(5, 6))
        torch.manual_seed(3)
        assert torch.equal(one, fill(torch.empty(5, 6)))
        assert not torch.equal(one, fill(torch.empty(5, 6)))


def test_parameters_keep_their_graph_and_layout(torch, ft):
    parameter = torch.nn.Parameter(torch.empty(8, 4, 3, 3, dtype=torch.float16))
    with torch.no_grad():
        parameter.copy_(torch.zeros(()))
    parameter.data = parameter.data.to(memory_format=torch.channels_last)
    assert ft.fractional_orthogonal_(parameter) is parameter
    assert parameter.requires_grad
    assert parameter.grad_fn is None
    assert parameter.dtype == torch.float16
    assert parameter.is_contiguous(memory_format=torch.channels_last)
    rows = parameter.detach().double().reshape(8, 36)
    factor = fm.init_scale("relu", 36, 8, 1.0, weights="orthogonal")
    assert torch.allclose(rows @ rows.T, factor**2 * torch.eye(8, dtype=torch.float64), atol=2e-3)


@pytest.mark.parametrize(
    "fill",
    [
        lambda ft, tensor: ft.fractional_normal_(tensor),
        lambda ft, tensor: ft.lyapunov_orthogonal_(tensor),
        lambda ft, tensor: ft.gaussian_submatrix_(tensor),
        lambda ft, tensor: ft.random_walk_normal_(tensor),
        lambda ft, tensor: ft.scheme_(tensor, "sparse"),
    ],
)
def test_tensors_without_values_are_left_alone(torch, ft, fill):
    meta = torch.empty(64, 64, device="meta")
    assert fill(ft, meta) is meta
    for shape in ((0, 4), (4, 0), (4, 4, 0)):
        empty = torch.empty(shape)
        assert fill(ft, empty) is empty


def test_meta_tensors_are_checked_all_the_same(torch, ft):
    with pytest.raises(ValueError, match="groups must divide"):
        ft.fractional_normal_(torch.empty(5, 4, 3, device="meta"), groups=2)


def test_unitary_matrices(torch, ft):
    u = ft.unitary_(torch.empty(6, 4, dtype=torch.complex128), generator=seeded(torch, 1))
    assert torch.allclose(u.mH @ u, torch.eye(4, dtype=torch.complex128), atol=1e-14)
    real = ft.unitary_(torch.empty(12, 8, dtype=torch.float64), generator=seeded(torch, 1))
    assert torch.allclose(real[:6, :4] + 1j * real[6:, :4], u)


def test_biases(torch, ft):
    scheme = schemes.GaussianSubmatrix(bias=0.5)
    bias = ft.scheme_bias_(torch.empty(2000), scheme, 10, generator=seeded(torch, 1))
    assert torch.equal(bias[:1000], -bias[1000:])
    assert abs(float(bias[:1000].square().mean()) / 0.25 - 1.0) < 5 * (2 / 1000) ** 0.5
    lstm = torch.nn.LSTM(3, 5)
    with torch.no_grad():
        ft.lstm_bias_(lstm.bias_ih_l0)
        torch.nn.init.zeros_(lstm.bias_hh_l0)
    assert lstm.bias_ih_l0.tolist() == [0.0] * 5 + [1.0] * 5 + [0.0] * 10
    assert ft.lstm_bias_(torch.empty(0)).numel() == 0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda t, ft: ft.fractional_normal_(t.empty(4)), ValueError, "two"),
        (lambda t, ft: ft.fractional_normal_(t.empty(4, 4, dtype=t.int64)), TypeError, "dtype"),
        (lambda t, ft: ft.fractional_normal_(t.empty(4, 4) + 0j), TypeError, "real floating"),
        (lambda t, ft: ft.fractional_normal_([[1.0]]), TypeError, "torch.Tensor, got list"),
        (lambda t, ft: ft.fractional_normal_(t.empty(4, 4), -1.0), ValueError, "order must"),
        (lambda t, ft: ft.fractional_normal_(t.empty(4, 4), 1.0, "gelu"), ValueError, "activation"),
        (lambda t, ft: ft.fractional_normal_(t.empty(4, 4), keep_prob=0.0), ValueError, "keep_pro"),
        (lambda t, ft: ft.gaussian_submatrix_(t.empty(5, 4)), ValueError, "fan_out must be even"),
        (lambda t, ft: ft.gaussian_submatrix_(t.empty(4, 4), "middle"), ValueError, "position"),
        (lambda t, ft: ft.delta_orthogonal_(t.empty(4, 4)), ValueError, "convolution"),
        (lambda t, ft: ft.delta_orthogonal_(t.empty(4, 8, 3)), ValueError, "as many outputs"),
        (lambda t, ft: ft.fractional_normal_(t.empty(4, 4, 3), groups=3), ValueError, "divide the"),
        (lambda t, ft: ft.random_walk_normal_(t.empty(4, 4), "rrelu"), ValueError, "linear or ReL"),
        (lambda t, ft: ft.scheme_(t.empty(4, 4), "he"), ValueError, "name must be one of"),
        (lambda t, ft: ft.scheme_(t.empty(4, 4), 3), TypeError, "scheme must be"),
        (lambda t, ft: ft.scheme_bias_(t.empty(4, 4), "he_normal", 3), ValueError, "one axis"),
        (lambda t, ft: ft.lstm_bias_(t.empty(7)), ValueError, r"4 \* hidden"),
        (
            lambda t, ft: ft.fractional_normal_(t.nn.LazyLinear(3).weight),
            ValueError,
            "not materialized",
        ),
    ],
)
def test_bad_input(torch, ft, call, error, message):
    with pytest.raises(error, match=message):
        call(torch, ft)
