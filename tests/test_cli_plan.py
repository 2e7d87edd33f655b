"""``fracmoment plan``."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

import fracmoment as fm
from fracmoment.cli import main
from fracmoment.networks import plan_network

WIDTHS = [784, *[64] * 20, 10]


def run(capsys, *arguments: str) -> str:
    assert main(["plan", *arguments]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    return output.out


def test_json_of_the_paper_s_network(capsys):
    data = json.loads(
        run(capsys, "--widths", "784,64x20,10", "--activation", "relu", "--order", "1", "--json")
    )
    assert data["widths"] == WIDTHS
    assert len(data["layers"]) == 21
    for layer, (fan_in, fan_out) in zip(data["layers"], pairwise(WIDTHS), strict=True):
        assert (layer["fan_in"], layer["fan_out"]) == (fan_in, fan_out)
        activation = layer["activation"]
        assert activation == ("linear" if layer["index"] == 21 else "relu")
        assert layer["scale"] == fm.init_scale(activation, fan_in, fan_out, 1)
        assert layer["lyapunov"] == fm.init_scale(activation, fan_in, fan_out, 0)
        assert layer["lyapunov"] > layer["scale"] > layer["he"]
    network = data["network"]
    gains = [fm.Gain(layer["activation"], layer["fan_out"]) for layer in data["layers"]]
    assert network["log_std"] ** 2 == pytest.approx(sum(g.log_var() for g in gains))
    assert network["log_mean"] == pytest.approx(sum(x["drift"] for x in data["layers"]))
    assert network["tail_index"] == pytest.approx(1)
    assert network["prob_dead"] == pytest.approx(20 * 2.0**-64)
    assert data["schemes"]["he"]["tail_index"] == pytest.approx(2)
    assert data["advice"]


def test_the_last_layer_is_said_in_both_readings(capsys):
    arguments = ("--widths", "16x101", "--order", "2", "--json")
    linear = json.loads(run(capsys, *arguments))
    same = json.loads(run(capsys, *arguments, "--last", "same"))
    assert linear["last"] == "linear"
    assert linear["layers"][-1]["activation"] == "linear"
    assert linear["if_last_same"]["network"] == same["network"]
    assert linear["if_last_same"]["layer"] == same["layers"][-1]
    assert "if_last_same" not in same
    assert round(same["network"]["log_median"], 1) == -8.8


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((), {}),
        (("--dropout", "0.2"), {"keep_prob": 0.8}),
        (("--preserve", "norm"), {"preserve": "norm"}),
        (("--weights", "orthogonal"), {"weights": "orthogonal"}),
    ],
)
def test_options_reach_the_plan(capsys, arguments, options):
    text = run(capsys, "--widths", "30,20x3,5", "--order", "1.5", *arguments, "--json")
    plan = plan_network([30, 20, 20, 20, 5], "relu", 1.5, **options)
    data = json.loads(text)
    assert [layer["scale"] for layer in data["layers"]] == [x.scale for x in plan.layers]
    assert data["network"]["log_median"] == plan.outcome.log_median


TABLES = [
    ("--widths", "784,64x20,10"),
    ("--widths", "784,512,256,128,64,32,10", "--order", "0"),
    ("--widths", "1000000000,123456789x1000,1000000", "--activation", "linear"),
    ("--widths", "1x3"),
    ("--widths", "12345,54321x9999,777", "--activation", "leaky_relu", "--preserve", "norm"),
    ("--widths", "64x21", "--activation", "linear", "--weights", "orthogonal"),
    ("--widths", "64x21", "--activation", "rrelu", "--dropout", "0.123", "--last", "same"),
]


@pytest.mark.parametrize("arguments", TABLES, ids=" ".join)
def test_tables_fit_80_columns_and_hide_nothing(capsys, arguments):
    text = run(capsys, *arguments)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert "nan" not in text


def test_equal_layers_are_shown_once(capsys):
    text = run(capsys, "--widths", "784,64x20,10")
    assert "2-20 (x19)" in text
    assert text.count("0.17853") == 1
    assert "last layer linear" in text
    assert "He" in text
    assert "Lyapunov" in text
    assert "--last same" in text


def test_json_has_no_numbers_that_are_none(capsys):
    arguments = ("--widths", "8x4", "--activation", "linear", "--weights", "orthogonal", "--json")
    data = json.loads(run(capsys, *arguments), parse_constant=pytest.fail)
    assert data["network"]["log_std"] == pytest.approx(0, abs=1e-9)
