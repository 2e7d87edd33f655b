"""Networks as people describe them."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pytest

import fracmoment as fm
from fracmoment import schemes
from fracmoment.networks import plan_network

NETWORKS = [
    fm.Network([5, 4, 3]),
    fm.Network([8, 8, 8, 2], fm.LeakyReLU("1/3"), scheme="he", keep_prob=0.9, preserve="norm"),
    fm.Network([3, 6, 6], "rrelu", scheme=0.0, weights="orthogonal", last=None),
    fm.Network([3, 6, 6], fm.RandomizedLeakyReLU(0.1, Fraction(1, 7)), bias=[0.1, 0.0]),
    fm.Network([4, 4], "linear", scales=[0.3]),
    fm.Network([9, 7, 5], "relu", weights=["orthogonal", "gaussian"], scheme="lecun"),
    fm.Network([9, 7, 5], "relu", normalization="rms", last=None),
]


@pytest.mark.parametrize("network", NETWORKS, ids=lambda n: str(n.widths))
def test_descriptions_come_back(network):
    assert fm.Network.from_json(network.to_json()) == network
    names = {"Network": fm.Network, "Linear": fm.Linear, "ReLU": fm.ReLU}
    names |= {"LeakyReLU": fm.LeakyReLU, "RandomizedLeakyReLU": fm.RandomizedLeakyReLU}
    again = eval(repr(network), names | {"Fraction": Fraction})
    assert again == network
    assert hash(again) == hash(network)
    assert all(other is network or other != network for other in NETWORKS)


def test_scales_are_those_of_the_layers():
    network = fm.Network([30, 20, 20, 10], "relu", scheme=1.0)
    scales = network.scale_of_layers()
    assert scales[0] == fm.init_scale("relu", 30, 20, 1.0)
    assert scales[2] == fm.init_scale("linear", 20, 10, 1.0)
    he = fm.Network([30, 20, 20, 10], "relu", scheme="he").scale_of_layers()
    assert he[:2] == pytest.approx([math.sqrt(2 / 30), math.sqrt(2 / 20)], rel=1e-15)
    assert fm.Network([4, 4], scales=[0.3]).scale_of_layers() == (0.3,)


def test_plans_are_those_of_the_command():
    network = fm.Network([30, 20, 20, 10], "relu", scheme=1.5, keep_prob=0.9)
    assert network.plan() == plan_network([30, 20, 20, 10], "relu", 1.5, keep_prob=0.9)
    assert fm.Network([9, 9], scheme="lyapunov").plan().order == 0.0


def test_laws_and_tail_indices():
    network = fm.Network([12, 12, 12], "relu", scheme=1.3, last=None)
    assert network.tail_index() == pytest.approx(1.3, rel=1e-12)
    law = network.law()
    gain = fm.Gain("relu", 12)
    same = fm.DepthLaw(gain, gain.scale(1.3), 2)
    assert law.cdf(-1.0) == pytest.approx(same.cdf(-1.0), rel=1e-12)
    plan = network.plan()
    assert law.median() == pytest.approx(plan.outcome.log_median, abs=1e-12)


@pytest.mark.parametrize("network", [NETWORKS[1], NETWORKS[3]], ids=["dropout", "biases"])
def test_simulations_agree_with_laws(network):
    # 6 points: |z| above 4.5 once in 25,000 seeds
    sample = network.simulate(20_000, rng=4)
    law = network.signals() if np.any(network.bias) else network.law()
    for level in (0.1, 0.5, 0.9):
        if np.any(network.bias):
            point = law.ppf(level)
            expected, found = law.cdf(point), np.mean(np.exp(sample) <= point)
        else:
            alive = 1 - law.prob_dead()
            expected = 1 - alive + alive * level
            found = np.mean(sample <= law.ppf(level))
        z = (found - expected) / math.sqrt(expected * (1 - expected) / 20_000)
        assert abs(z) < 4.5


def haar_log_norms(network, n_samples, seed):
    """log(|x_k|/|x_0|) of explicit matrices: Gaussian, or Haar orthogonal ones by QR."""
    rng = np.random.default_rng(seed)
    x = np.zeros((n_samples, network.widths[0]))
    x[:, 0] = 1.0
    kinds = (
        [network.weights] * network.depth if isinstance(network.weights, str) else network.weights
    )
    for i, (sigma, kind) in enumerate(zip(network.scale_of_layers(), kinds, strict=True)):
        rows, columns = network.widths[i + 1], network.widths[i]
        w = rng.normal(size=(n_samples, max(rows, columns), max(rows, columns)))
        if kind == "orthogonal":
            q, r = np.linalg.qr(w)
            w = q * np.sign(np.einsum("nii->ni", r))[:, np.newaxis]
        x = sigma * np.einsum("nij,nj->ni", w[:, :rows, :columns], x)
        last = network.last is not None and i == network.depth - 1
        x = x if last else np.where(x > 0, x, network.activation.slopes[0] * x)
    with np.errstate(divide="ignore"):
        return np.log(np.linalg.norm(x, axis=1))


@pytest.mark.parametrize(
    "network",
    [
        fm.Network([4, 3, 2, 3], fm.LeakyReLU(0.4), weights="orthogonal"),
        fm.Network([3, 3, 3], "relu", weights="orthogonal", last=None),
        fm.Network([5, 4, 2], "linear", weights="orthogonal"),
        fm.Network([2, 6, 3], "relu", weights=["orthogonal", "gaussian"]),
    ],
    ids=str,
)
def test_orthogonal_networks_against_explicit_matrices(network):
    # 4 networks, 6 points: |z| above 4.5 once in 6,000 seeds
    n = 40_000
    law = network.law()
    sample = haar_log_norms(network, n, 7)
    alive = 1.0 - law.prob_dead()
    for level in (0.02, 0.3, 0.5, 0.7, 0.9, 0.98):
        point = law.ppf(level)
        # rounding must not decide which side of an atom a sample is on
        expected = 1.0 - alive + alive * law.cdf(point + 1e-9)
        found = np.mean(sample <= point + 1e-9)
        assert abs(found - expected) < 4.5 * math.sqrt(expected * (1.0 - expected) / n) + 1e-12
    assert network.outcome().log_mean == pytest.approx(
        law.mean() + 0.5 * math.log(network.widths[0] / network.widths[-1]), rel=1e-12
    )
    drawn = network.simulate(n, rng=3)
    point = law.ppf(0.4)
    expected = 1.0 - alive + alive * law.cdf(point + 1e-9)
    z = (np.mean(drawn <= point + 1e-9) - expected) / math.sqrt(expected * (1 - expected) / n)
    assert abs(z) < 4.5


def test_normalized_layers_forget_their_input():
    network = NETWORKS[-1]
    assert math.isinf(network.tail_index())
    law = network.law()
    ratio = fm.Gain("relu", 5, weights="orthogonal")
    assert law.mean() == pytest.approx(0.5 * math.log(5) + ratio.log_mean(), rel=1e-14)
    sample = network.simulate(20_000, rng=1)
    alive = sample[np.isfinite(sample)]
    error = math.sqrt(law.var() / len(alive))
    assert abs(alive.mean() - law.mean()) < 4.5 * error


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fm.Network([4]), "widths"),
        (lambda: fm.Network([4, 0]), "widths"),
        (lambda: fm.Network([4, 4], scheme="hee"), "he"),
        (lambda: fm.Network([4, 4], scheme=-1.0), "scheme"),
        (lambda: fm.Network([4, 4], scales=[1.0, 1.0]), "scales"),
        (lambda: fm.Network([4, 4], scales=[0.0]), "scales"),
        (lambda: fm.Network([4, 4], bias=-1.0), "bias"),
        (lambda: fm.Network([4, 4], keep_prob=0.0), "keep_prob"),
        (lambda: fm.Network([4, 4], weights="sparse"), "weights"),
        (lambda: fm.Network([4, 4], normalization="layer"), "normalization"),
        (lambda: fm.Network([4, 4], bias=1.0).law(), "signals"),
        (lambda: fm.Network([4, 4], scales=[1.0]).plan(), "scales"),
        (lambda: fm.Network([4, 4], normalization="rms").plan(), "normalization"),
        (lambda: fm.Network([5, 4], weights=["orthogonal"] * 2), "weights must hold one entry"),
        (lambda: fm.Network.from_json("{"), "JSON"),
        (lambda: fm.Network.from_json("[]"), "format"),
        (lambda: fm.Network.from_json('{"format": "fracmoment network 1"}'), "entries"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_bad_types_and_activations_in_files():
    with pytest.raises(TypeError, match="widths"):
        fm.Network(7)
    values = json.loads(NETWORKS[0].to_json())
    values["activation"] = {"name": "os.system"}
    with pytest.raises(ValueError, match="activation"):
        fm.Network.from_json(json.dumps(values))
    values["activation"] = {"name": "LeakyReLU", "slope": "0.1"}
    with pytest.raises(ValueError, match="parameters of LeakyReLU"):
        fm.Network.from_json(json.dumps(values))


@pytest.mark.parametrize(
    "scheme",
    [
        schemes.He("relu"),
        schemes.Glorot(),
        schemes.Fractional(0.7, activation=fm.LeakyReLU(0.2), preserve="norm"),
        schemes.Lyapunov("relu", weights="orthogonal"),
        schemes.Orthogonal(factor=1.3),
        "lecun_normal",
        "kaiming_normal",
    ],
    ids=repr,
)
def test_schemes_of_the_package(scheme):
    network = fm.Network([8, 9, 9, 4], "leaky_relu", scheme=scheme)
    given = network.scheme
    assert isinstance(given, schemes.Scheme)
    sizes = [(8, 9), (9, 9), (9, 4)]
    assert network.scale_of_layers() == tuple(given.scale(*size) for size in sizes)
    model = given._model()
    assert network.weights == model.weights
    assert network.plan().order == (2.0 if model.order is None else model.order)
    scales = network.scale_of_layers()
    by_hand = fm.Network([8, 9, 9, 4], "leaky_relu", scales=scales, weights=model.weights)
    assert network.law().median() == by_hand.law().median()
    assert network.tail_index() == by_hand.tail_index()
    assert fm.Network.from_json(network.to_json()) == network
    assert eval(repr(network), {**vars(fm), **vars(schemes)}) == network


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scheme": schemes.He(entries="uniform")}, "independent normal weights"),
        ({"scheme": "he_uniform"}, "independent normal weights"),
        ({"scheme": schemes.Zero()}, "independent normal weights"),
        ({"scheme": "constant"}, "needs parameters"),
        ({"scheme": "he_normla"}, "he_normal"),
        ({"scheme": schemes.He(), "weights": "orthogonal"}, "weights must be 'gaussian'"),
    ],
)
def test_schemes_that_a_network_cannot_take(options, message):
    with pytest.raises(ValueError, match=message):
        fm.Network([4, 4], **options)
