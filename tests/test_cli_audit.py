"""``fracmoment audit`` and the demonstration's weights."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import fracmoment as fm
from fracmoment.cli import main

DEMO = Path(__file__).parents[1] / "examples" / "data" / "digits_64-64x20-10.safetensors"


def run(capsys, *arguments: str | Path) -> str:
    assert main(["audit", *map(str, arguments)]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    return output.out


@pytest.fixture
def images(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.random.default_rng(1).random((40, 64)))
    return path


def test_torch_defaults_are_found_out(capsys, images):
    data = json.loads(run(capsys, DEMO, "--data", images, "--json"))
    assert [layer["name"] for layer in data["layers"]] == [f"fc{i}.weight" for i in range(1, 22)]
    for layer in data["layers"]:
        assert layer["entries"]["kind"] == "uniform"
        assert layer["entries"]["iid"] is True
        assert layer["law_exact"] is False
        # torch draws U(+-1/sqrt(fan_in)): a third of the variance of LeCun's scale.
        assert abs(layer["scale"] - 1 / math.sqrt(192)) < 4.5 * layer["standard_error"]
        gain = fm.Gain(layer["activation"], layer["fan_out"])
        norm_scale = layer["scale"] / math.sqrt(layer["fan_out"] / layer["fan_in"])
        assert layer["order"] == pytest.approx(gain.tail_index(norm_scale), rel=1e-9)
        assert layer["order_low"] < layer["order"] < layer["order_high"]
        assert layer["bias_rms"] == pytest.approx(1 / math.sqrt(192), rel=0.35)
    network, measured = data["network"], data["measurement"]
    assert network["log_mean"] == pytest.approx(sum(x["drift"] for x in data["layers"]))
    last = measured["layers"][-1]
    assert last["law_mean"] == pytest.approx(network["log_mean"])
    assert abs(last["z"]) < 4.5
    assert measured["p_value"] > 1e-5
    # With biases the signal keeps its size and the outputs of all inputs are nearly equal.
    assert last["measured_mean_with_biases"] > last["measured_mean"] + 5
    assert measured["spread_with_biases"] < 1e-4


def test_tables_fit_80_columns_and_hide_nothing(capsys, images):
    text = run(capsys, DEMO, "--data", images)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert "nan" not in text
    for word in ("uniform", "biases", "Kolmogorov-Smirnov", "conservative", "order"):
        assert word in text


def test_weights_that_are_not_iid_are_named(capsys, tmp_path):
    rng = np.random.default_rng(2)
    bad = rng.normal(size=(64, 64)) * np.linspace(0.3, 1.7, 64)[:, None]
    np.savez(tmp_path / "w.npz", good=rng.normal(size=(64, 64)), bad=bad, eye=np.eye(64))
    text = run(capsys, tmp_path / "w.npz")
    assert "not i.i.d." in text
    assert "bad: equal spread of rows, Kruskal-Wallis" in text
    assert "eye: orthogonal, but not like a random rotation" in text
    data = json.loads(run(capsys, tmp_path / "w.npz", "--json"))
    assert [layer["entries"]["iid"] for layer in data["layers"]] == [True, False, False]
    assert data["network"]["modelled"] is False


def test_every_kind_has_its_words(capsys, tmp_path):
    rng = np.random.default_rng(3)
    arrays = {
        "gaussian": rng.normal(size=(40, 40)),
        "truncated": stats.truncnorm.rvs(-2, 2, size=(40, 40), random_state=rng),
        "haar": stats.ortho_group.rvs(40, random_state=rng),
        "semi": stats.ortho_group.rvs(40, random_state=rng)[:20],
        "constant": np.full((20, 20), 0.1),
        "sparse": rng.normal(size=(20, 20)) * (rng.random((20, 20)) < 0.5),
        "small": rng.normal(size=(2, 20)),
        "tiny\x1b[31m name that is much too long for a column": rng.normal(size=(1, 2)),
    }
    np.savez(tmp_path / "w.npz", **arrays)
    for last in ("linear", "same"):
        text = run(capsys, tmp_path / "w.npz", "--last", last)
        assert max(map(len, text.splitlines())) <= 80
        assert "…" not in text
        assert "\x1b" not in text  # a name must not talk to the terminal
        for word in ("gaussian", "truncated", "Haar", "semi-orthogonal", "constant", "sparse"):
            assert word in text


def test_zero_weights(capsys, tmp_path):
    np.savez(tmp_path / "w.npz", w=np.zeros((4, 4)))
    assert "all zero" in run(capsys, tmp_path / "w.npz")
    data = json.loads(run(capsys, tmp_path / "w.npz", "--json"), parse_constant=pytest.fail)
    assert data["network"] is None
    assert data["layers"][0]["order"] is None


def test_options_reach_the_audit(capsys, tmp_path):
    rng = np.random.default_rng(4)
    np.savez(tmp_path / "w.npz", a=rng.normal(size=(5, 9)), b=rng.normal(size=(9, 7)))
    arguments = (tmp_path / "w.npz", "--layers", "a,b", "--activation", "leaky_relu")
    data = json.loads(run(capsys, *arguments, "--layout", "keras", "--json"))
    assert data["layout"] == "keras"
    assert [(x["fan_in"], x["fan_out"]) for x in data["layers"]] == [(5, 9), (9, 7)]
    assert data["activation"] == {"name": "leaky_relu", "negative_slope": 0.01}
    spaced = run(capsys, tmp_path / "w.npz", "--layers", "b", "--preserve", "norm", "--json")
    data = json.loads(spaced)
    assert data["preserve"] == "norm"
    assert len(data["layers"]) == 1


def test_data_errors_are_one_line_and_status_1(capsys, tmp_path, images):
    good = tmp_path / "good.npz"
    np.savez(good, w=np.ones((3, 5)))
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(DEMO.read_bytes()[:1000])
    chain = tmp_path / "chain.npz"
    np.savez(chain, a=np.ones((3, 5)), b=np.ones((4, 7)))
    nan = tmp_path / "nan.npz"
    np.savez(nan, a=np.full((3, 5), np.nan))
    objects = tmp_path / "objects.npz"
    np.savez(objects, a=np.array([[object()]]))
    cases = [
        [tmp_path / "missing.npz"],
        [tmp_path],
        [tmp_path / "w.txt"],
        [broken],
        [chain],
        [nan],
        [objects],
        [good, "--layers", "v"],
        [good, "--data", tmp_path / "missing.npy"],
        [good, "--data", images],
        ["line\nbreak.npz"],
    ]
    before = sorted(tmp_path.iterdir())
    for arguments in cases:
        assert main(["audit", *map(str, arguments)]) == 1, arguments
        output = capsys.readouterr()
        assert output.out == ""
        assert output.err.startswith("fracmoment audit: error: ")
        assert output.err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before
