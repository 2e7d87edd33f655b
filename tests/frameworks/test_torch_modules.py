"""Whole torch modules: what is read from them, what is refused, moments and LSUV."""

from __future__ import annotations

import math

import numpy as np
import pytest

import fracmoment as fm
from tests.frameworks.statistics import score_of_moment


def network(torch):
    """Return a network with code between its layers."""
    nn = torch.nn
    functional = nn.functional

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(3, 16, 3)
            self.norm = nn.BatchNorm2d(16)
            self.second = nn.Conv2d(16, 8, 3, groups=4)
            self.blocks = nn.ModuleList(nn.Linear(n, 20) for n in (8 * 5 * 5, 20))
            self.slopes = nn.RReLU()
            self.drop = nn.Dropout(0.25)
            self.out = nn.Linear(20, 5)

        def forward(self, x):
            x = torch.relu(self.norm(self.first(x)))
            x = functional.max_pool2d(functional.leaky_relu(self.second(x), 0.2), 2)
            x = x.view(x.size(0), -1)
            for block in self.blocks:
                x = self.drop(self.slopes(block(x)))
            return functional.log_softmax(self.out(x), dim=1)

    return Network()


def test_what_is_read_from_code_and_containers(torch, ft):
    model = network(torch)
    report = ft.init_module_(model, 1.0)
    rows = {layer.path: layer for layer in report.layers}
    assert list(rows) == ["first", "second", "blocks.0", "blocks.1", "out"]
    read = {path: (row.activation, row.keep_prob) for path, row in rows.items()}
    assert read == {
        "first": (fm.ReLU(), 1.0),
        "second": (fm.LeakyReLU(0.2), 1.0),
        "blocks.0": (fm.RandomizedLeakyReLU(1 / 8, 1 / 3), 0.75),
        "blocks.1": (fm.RandomizedLeakyReLU(1 / 8, 1 / 3), 0.75),
        "out": (fm.Linear(), 1.0),
    }
    assert rows["second"].scale == fm.init_scale(fm.LeakyReLU(0.2), 36, 2, 1.0)
    assert rows["blocks.0"].scale == fm.init_scale("rrelu", 200, 20, 1.0, keep_prob=0.75)
    assert "BatchNorm2d 'norm' behind it cancels the scale" in rows["first"].notes
    assert any("max_pool2d" in note for note in rows["second"].notes)
    assert any("log_softmax" in note for note in rows["out"].notes)
    assert report.zeroed == tuple(f"{path}.bias" for path in rows)
    left = dict.fromkeys(("norm.weight", "norm.bias"), "it is BatchNorm2d's")
    assert dict(report.skipped) == left
    for path, row in rows.items():
        layer = model.get_submodule(path)
        assert not layer.bias.any()
        n = layer.weight.numel()
        square = float(layer.weight.detach().double().square().mean()) / row.scale**2
        assert abs(square - 1.0) < 5.0 * math.sqrt(2.0 / n)
    assert all(len(line) <= 80 for line in str(report).splitlines())


def test_evaluation_has_no_dropout_and_the_mean_slope(torch, ft):
    report = ft.init_module_(network(torch), 1.0, mode="evaluation")
    mean = fm.LeakyReLU(0.5 * (1 / 8 + 1 / 3))
    assert (report["blocks.0"].activation, report["blocks.0"].keep_prob) == (mean, 1.0)


def test_functions_have_the_mode_from_their_arguments(torch, ft):
    nn, functional = torch.nn, torch.nn.functional

    class Network(nn.Module):
        def __init__(self, between):
            super().__init__()
            self.one, self.two, self.between = nn.Linear(8, 6), nn.Linear(6, 4), between

        def forward(self, x):
            return self.two(self.between(self, self.one(x)))

    def read(between, mode):
        model = Network(between).train(mode == "evaluation")  # the model's own does not matter
        found = ft.init_module_(model, mode=mode)["one"]
        assert model.training == (mode == "evaluation")
        return found.activation, found.keep_prob

    random, mean = fm.RandomizedLeakyReLU(), fm.LeakyReLU(0.5 * (1 / 8 + 1 / 3))

    def told(net, z):
        return functional.rrelu(z, training=net.training)

    assert [read(told, mode)[0] for mode in ("training", "evaluation")] == [random, mean]
    # torch's defaults: rrelu() has the mean slope in both modes, dropout() drops in both
    assert read(lambda _, z: functional.rrelu(z), "training") == (mean, 1.0)
    z = torch.linspace(-1.0, 1.0, 5)
    assert torch.equal(functional.rrelu(z), functional.leaky_relu(z, 0.5 * (1 / 8 + 1 / 3)))

    def dropped(_, z):
        return functional.dropout(torch.relu(z), 0.25)

    def kept(_, z):
        return torch.dropout(torch.relu(z), 0.25, False)

    def branch(net, z):
        return z.relu() if net.training else z

    assert read(dropped, "evaluation") == (fm.ReLU(), 0.75)
    assert read(kept, "training") == (fm.ReLU(), 1.0)
    assert [read(branch, mode)[0] for mode in ("training", "evaluation")] == [
        fm.ReLU(),
        fm.Linear(),
    ]


def test_what_stands_behind_the_activation_is_reported(torch, ft):
    nn = torch.nn
    model = nn.Sequential(
        nn.Linear(4, 4), nn.ReLU(), nn.AlphaDropout(0.1), nn.Linear(4, 4), nn.ReLU(),
        nn.LayerNorm(4), nn.Linear(4, 4), nn.ReLU(), nn.Tanh(), nn.Linear(4, 4),
    )  # fmt: skip
    rows = {layer.path: layer.notes for layer in ft.init_module_(model).layers}
    assert rows == {
        "0": ("AlphaDropout '2' behind the activation is not made up for",),
        "3": ("LayerNorm '5' behind it cancels the scale",),
        "6": ("Tanh '8' behind the activation is not made up for",),
        "9": (),
    }


@pytest.mark.parametrize("mode", ["training", "evaluation"])
@pytest.mark.parametrize("weights", ["gaussian", "orthogonal"])
def test_moments_through_a_module(torch, ft, mode, weights):
    """E rms^1 of three layers with random slopes and dropout, in both modes."""
    nn = torch.nn
    model = nn.Sequential(
        nn.Linear(24, 12),
        nn.RReLU(),
        nn.Dropout(0.3),
        nn.Linear(12, 16),
        nn.ReLU(),
        nn.Linear(16, 6),
    )
    model.train(mode == "training")
    x, generator = torch.linspace(-1, 2, 24), torch.Generator().manual_seed(1)
    torch.manual_seed(2)  # slopes and dropout
    outputs = []
    with torch.no_grad():
        for _ in range(1000):
            ft.init_module_(model, 1.0, weights=weights, mode=mode, generator=generator)
            outputs.append(model(x))
    assert abs(score_of_moment(torch.stack(outputs), x, 1.0)) < 5.0


def test_moments_behind_a_transposed_convolution_with_strides(torch, ft):
    nn = torch.nn
    model = nn.Sequential(nn.ConvTranspose2d(3, 5, 4, stride=2, bias=False), nn.ReLU())
    x, generator = torch.randn(1, 3, 4, 4), torch.Generator().manual_seed(3)
    patch = x[0, :, 1:3, 1:3].flatten()  # what the output position (4, 4) sees
    outputs = []
    with torch.no_grad():
        for _ in range(1000):
            report = ft.init_module_(model, 0.5, generator=generator)
            outputs.append(model(x)[0, :, 4, 4])
    assert report["0"].fan_in == 12.0
    assert abs(score_of_moment(torch.stack(outputs), patch, 0.5)) < 5.0
    with pytest.raises(ValueError, match="transposed convolutions with strides"):
        ft.init_module_(model, weights="orthogonal")


def test_a_layer_alone_and_prelu(torch, ft):
    nn = torch.nn
    assert ft.init_module_(nn.Linear(3, 4)).layers[0].path == ""
    report = ft.init_module_(nn.Sequential(nn.Linear(3, 4), nn.PReLU(init=0.125)))
    assert report["0"].activation == fm.LeakyReLU(0.125)
    assert report.skipped == (("1.weight", "it is PReLU's"),)


def test_what_is_not_known_is_refused_by_path(torch, ft):
    nn = torch.nn
    model = nn.Sequential(
        nn.Linear(4, 4), nn.GELU(), nn.Sequential(nn.Linear(4, 4), nn.ReLU6()), nn.LSTM(4, 4)
    )
    before = model[0].weight.clone()
    with pytest.raises(ValueError, match="GELU") as caught:
        ft.init_module_(model)
    message = str(caught.value)
    for part in ("0 (Linear)", "2.0 (Linear)", "ReLU6 '2.1', whose", "3.weight_ih_l0: LSTM"):
        assert part in message
    assert torch.equal(model[0].weight, before)  # nothing is changed before all is known
    told = {"0": "relu", "2.*": (fm.LeakyReLU(0.3), 0.5)}
    report = ft.init_module_(model, 1.0, told, skip=["3"])
    assert report["0"].told
    assert report["2.0"].activation == fm.LeakyReLU(0.3)
    assert report["2.0"].keep_prob == 0.5
    assert {reason for _, reason in report.skipped} == {"as asked"}
    assert "told, not read: 0, 2.0" in str(report)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (lambda nn: nn.Tanh(), "tanh"),
        (lambda nn: nn.SELU(), "selu"),
        (lambda nn: nn.GELU(approximate="tanh"), "gelu_tanh"),
        (lambda nn: nn.Softplus(beta=2.0), fm.nonlinear.Softplus(2.0)),
        (lambda nn: nn.ELU(0.5), fm.nonlinear.ELU(0.5)),
    ],
)
def test_refusals_of_nonlinear_units_tell_the_mean_field_gain(torch, ft, module, name):
    nn = torch.nn
    unit = module(nn)
    with pytest.raises(ValueError, match="not homogeneous") as caught:
        ft.init_module_(nn.Sequential(nn.Linear(4, 4), unit, nn.Linear(4, 4)))
    assert f"sigma = {fm.nonlinear.mean_field_gain(name):.6g}/sqrt(fan_in)" in str(caught.value)
    x = torch.linspace(-3.0, 3.0, 13, dtype=torch.float64)
    phi = fm.nonlinear.activations.as_nonlinear(name)
    np.testing.assert_allclose(unit(x).numpy(), phi(x.numpy()), rtol=1e-13)


def test_units_without_a_law_are_refused_as_unknown(torch, ft):
    nn = torch.nn
    with pytest.raises(ValueError, match="effect is not known"):
        ft.init_module_(nn.Sequential(nn.Linear(4, 4), nn.ELU(-1.0), nn.Linear(4, 4)))


def test_gains_of_the_table_are_torchs(torch):
    named = {"Linear": "linear", "ReLU": "relu", "LeakyReLU": "leaky_relu", "Tanh": "tanh"}
    named |= {"Sigmoid": "sigmoid", "SELU": "selu"}
    for row in fm.nonlinear.gain_table():
        name = named.get(type(row.activation).__name__)
        if row.torch is None:
            assert name is None
            with pytest.raises(ValueError, match="Unsupported"):
                torch.nn.init.calculate_gain(type(row.activation).__name__.lower())
        else:
            assert row.torch == torch.nn.init.calculate_gain(name)


def test_residual_sums_need_to_be_told(torch, ft):
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Linear(8, 8), nn.Linear(8, 8)

        def forward(self, x):
            return torch.relu(x + self.two(torch.relu(self.one(x))))

    model = nn.Sequential(Block(), nn.Linear(8, 2))
    with pytest.raises(ValueError, match=r"0\.two \(Linear\): it is followed by add\(\)"):
        ft.init_module_(model)
    report = ft.init_module_(model, activation={"*.two": "linear"})
    assert [layer.told for layer in report.layers] == [False, True, False]
    # one activation for all that the model does not tell
    assert ft.init_module_(model, activation="linear")["0.one"].activation == fm.ReLU()


def test_forwards_that_cannot_be_traced(torch, ft):
    nn = torch.nn

    class Branching(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 3)
            self.unused = nn.Linear(3, 3)

        def forward(self, x):
            return self.layer(x) if x.sum() > 0 else x

    with pytest.raises(ValueError, match=r"layer \(Linear\): its forward cannot be traced"):
        ft.init_module_(Branching())
    report = ft.init_module_(Branching(), activation="relu", skip="unused")
    assert [layer.path for layer in report.layers] == ["layer"]
    with pytest.raises(ValueError, match="ModuleList has no forward"):
        ft.init_module_(nn.ModuleList([nn.Linear(3, 3)]))
    assert ft.init_module_(nn.ModuleList([nn.Linear(3, 3)]), activation="relu")["0"].told


def test_several_uses_and_shared_weights(torch, ft):
    nn = torch.nn

    class Twice(nn.Module):
        def __init__(self, last):
            super().__init__()
            self.layer, self.last = nn.Linear(4, 4), last

        def forward(self, x):
            return self.last(self.layer(torch.relu(self.layer(x))))

    with pytest.raises(ValueError, match="several times"):
        ft.init_module_(Twice(nn.Identity()))
    assert ft.init_module_(Twice(nn.ReLU()))["layer"].activation == fm.ReLU()
    tied = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    tied[2].weight = tied[0].weight
    with pytest.raises(ValueError, match="share weights between layers of different scales"):
        ft.init_module_(tied)
    # a weight that is to be left under one name is not changed under another
    output = nn.Sequential(nn.Embedding(10, 6), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 10))
    output[3].weight = output[0].weight
    before = output[0].weight.clone()
    with pytest.raises(ValueError, match=r"0\.weight is also the weight of 3; add '3'"):
        ft.init_module_(output, skip=["0"])
    assert torch.equal(output[0].weight, before)
    assert [layer.path for layer in ft.init_module_(output, skip=["0", "3"]).layers] == ["1"]


def test_weights_that_are_computed(torch, ft):
    nn = torch.nn
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(4, 4))
    with pytest.raises(ValueError, match="computed from other parameters"):
        ft.init_module_(nn.Sequential(layer))
    with pytest.raises(ValueError, match="computed from other parameters"):
        ft.lsuv_(nn.Sequential(layer), torch.randn(9, 4))


def test_meta_empty_and_lazy_layers(torch, ft):
    nn = torch.nn
    meta = nn.Sequential(nn.Linear(64, 32, device="meta"), nn.ReLU())
    assert ft.init_module_(meta)["0"].scale == fm.init_scale("relu", 64, 32, 1.0)
    with pytest.warns(UserWarning, match="zero-element"):  # torch's own, from its default
        empty = nn.Sequential(nn.Linear(3, 0), nn.ReLU(), nn.Linear(4, 4))
    report = ft.init_module_(empty)
    assert "it has no weights" in report["0"].notes
    with pytest.raises(ValueError, match="not materialized"):
        ft.init_module_(nn.Sequential(nn.LazyLinear(3)))


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"weights": "uniform"}, ValueError, "moments of another order than 2"),
        ({"weights": "gausian"}, ValueError, "did you mean 'gaussian'"),
        ({"mode": "train"}, ValueError, "mode must be one of"),
        ({"order": -1.0}, ValueError, "order must"),
        ({"activation": "gelu"}, ValueError, "activation must be one of"),
        ({"activation": {"3": "relu"}}, ValueError, "no layer is named '3'"),
        ({"activation": {"0": ("relu", 0.0)}}, ValueError, "keep_prob must be in"),
        ({"skip": [1]}, TypeError, "skip must hold paths"),
    ],
)
def test_bad_options(torch, ft, options, error, message):
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.ReLU())
    with pytest.raises(error, match=message):
        ft.init_module_(model, **options)


def test_models_without_layers(torch, ft):
    with pytest.raises(ValueError, match="must have linear or convolutional layers"):
        ft.init_module_(torch.nn.ReLU())
    with pytest.raises(TypeError, match=r"must be a torch\.nn\.Module, got list"):
        ft.init_module_([])
    with pytest.raises(TypeError, match=r"compiled by torch\.jit"):
        ft.init_module_(torch.jit.trace(torch.nn.Linear(3, 3), torch.ones(3)))
    dead = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Dropout(1.0))
    with pytest.raises(ValueError, match="keeps nothing"):
        ft.init_module_(dead)


# ------------------------------------------------------------ LSUV


def test_lsuv_on_a_real_module(torch, ft):
    model = network(torch)
    torch.manual_seed(1)
    batch = torch.randn(64, 3, 14, 14)
    model.slopes.eval()
    report = ft.lsuv_(model, batch, tolerance=1e-4)
    assert list(report.layers) == ["first", "second", "blocks.0", "blocks.1", "out"]
    assert model.training
    assert not model.slopes.training  # every module is in the mode it was in
    model.eval()
    seen = {}
    for path in report.layers:
        module = model.get_submodule(path)
        module.register_forward_hook(
            lambda _, __, out, path=path: seen.update({path: out.var(correction=0)})
        )
    with torch.no_grad():
        model(batch)
    for path, layer in report.layers.items():
        assert layer.rounds <= 1  # outputs are linear in the weights
        assert abs(float(seen[path]) - 1.0) < 1e-3
        weight = model.get_submodule(path).weight.detach().double()
        groups = 4 if path == "second" else 1
        for matrix in weight.flatten(1).chunk(groups):
            small = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
            gram = small @ small.T / layer.factor**2
            assert torch.allclose(gram, torch.eye(len(gram), dtype=torch.float64), atol=1e-5)
    assert "blocks.0" in str(report)


def test_lsuv_leaves_what_the_batch_does_not_pass(torch, ft):
    nn = torch.nn
    model = nn.ModuleDict({"used": nn.Linear(4, 4), "unused": nn.Linear(4, 4)})
    before = model["unused"].weight.clone()
    model.forward = lambda x, y: model["used"](x * y)
    report = ft.lsuv_(model, (torch.randn(50, 4), torch.randn(50, 4)))
    assert report.untouched == ("unused",)
    assert torch.equal(model["unused"].weight, before)


def test_lsuv_refuses(torch, ft):
    nn = torch.nn
    model = nn.Sequential(nn.Linear(4, 4))
    with pytest.raises(ValueError, match="must vary on the batch"):
        ft.lsuv_(model, torch.zeros(9, 4))
    with pytest.raises(ValueError, match="tolerance must be"):
        ft.lsuv_(model, torch.randn(9, 4), tolerance=2.0)
    with pytest.raises(ValueError, match="that the batch passes"):
        ft.lsuv_(nn.Sequential(nn.ReLU()), torch.randn(9, 4))
    with pytest.raises(ValueError, match="meta device"):
        ft.lsuv_(nn.Sequential(nn.Linear(4, 4, device="meta")), torch.empty(9, 4, device="meta"))
    with pytest.raises(TypeError, match=r"torch\.nn\.Module"):
        ft.lsuv_(None, torch.randn(9, 4))
    assert model.training
