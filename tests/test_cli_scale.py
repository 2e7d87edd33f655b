"""``fracmoment scale``."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import mpmath
import pytest

import fracmoment as fm
from fracmoment.cli import main


def run(capsys, *arguments: str) -> str:
    assert main(["scale", *arguments]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    return output.out


CASES = [
    (["--width", "64"], ("relu", 64, 64, 1), {}),
    (["--activation", "relu", "--fan-in", "64", "--fan-out", "64", "--order", "1"],
     ("relu", 64, 64, 1), {}),
    (["--fan-in", "784", "--fan-out", "64", "--order", "0.5"], ("relu", 784, 64, 0.5), {}),
    (["--fan_in", "784", "--fan_out=64", "--preserve", "norm"], ("relu", 784, 64, 1),
     {"preserve": "norm"}),
    (["--fan-out", "64", "--preserve", "norm"], ("relu", 64, 64, 1), {}),
    (["--width", "32", "--dropout", "0.25", "--order", "2"], ("relu", 32, 32, 2),
     {"keep_prob": 0.75}),
    (["--width", "32", "--keep-prob", "0.75", "--order", "2"], ("relu", 32, 32, 2),
     {"keep_prob": 0.75}),
    (["--width", "32", "--weights", "orthogonal"], ("relu", 32, 32, 1),
     {"weights": "orthogonal"}),
    (["--fan-in", "64", "--fan-out", "10", "--weights", "orthogonal"], ("relu", 64, 10, 1),
     {"weights": "orthogonal"}),
    (["--width", "32", "--order", "0"], ("relu", 32, 32, 0), {}),
    (["--width", "32", "--activation", "linear", "--order", "-3"], ("linear", 32, 32, -3), {}),
    (["--width", "32", "--order=-1/2", "--given-alive"], ("relu", 32, 32, -0.5),
     {"given_alive": True}),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "positional", "options"), CASES)
def test_the_number_is_init_scale_s(capsys, arguments, positional, options):
    expected = fm.init_scale(*positional, **options)
    assert float(run(capsys, *arguments)) == expected
    data = json.loads(run(capsys, *arguments, "--json"))
    assert data["scale"] == expected
    assert (data["fan_in"], data["fan_out"]) == positional[1:3]


def test_slopes(capsys):
    leaky = fm.LeakyReLU(0.2)
    arguments = ("--width", "16", "--activation", "leaky_relu")
    assert float(run(capsys, *arguments)) == fm.init_scale("leaky_relu", 16, 16, 1)
    assert float(run(capsys, *arguments, "--slope", "0.2")) == fm.init_scale(leaky, 16, 16, 1)
    assert float(run(capsys, *arguments, "--negative-slope", "1/5")) == fm.init_scale(
        leaky, 16, 16, 1
    )
    arguments = ("--width", "16", "--activation", "rrelu", "--upper", "0.4")
    expected = fm.init_scale(fm.RandomizedLeakyReLU(1 / 8, 0.4), 16, 16, 1)
    assert float(run(capsys, *arguments)) == expected


@pytest.mark.parametrize("digits", [1, 20, 50, 120])
def test_digits_are_exact(capsys, digits):
    text = run(
        capsys, "--fan-in", "20", "--fan-out", "30", "--order", "1/3", "--digits", str(digits)
    ).strip()
    exact = fm.init_scale("relu", 20, 30, Fraction(1, 3), digits=digits + 20)
    with mpmath.workdps(digits + 30):
        assert abs(mpmath.mpf(text) / exact - 1) < mpmath.mpf(10) ** (1 - digits)
    assert len(text.lstrip("0.").replace(".", "")) == digits


def test_slopes_and_probabilities_are_exact_with_digits(capsys):
    text = run(
        capsys, "--width", "9", "--activation", "leaky_relu", "--slope", "0.1", "--dropout", "0.2",
        "--digits", "40",
    )  # fmt: skip
    exact = fm.init_scale(
        fm.LeakyReLU(Fraction(1, 10)), 9, 9, 1, keep_prob=Fraction(4, 5), digits=60
    )
    with mpmath.workdps(70):
        assert abs(mpmath.mpf(text) / exact - 1) < mpmath.mpf(10) ** -39


def test_json_has_the_dialects_of_the_frameworks(capsys):
    data = json.loads(run(capsys, "--fan-in", "50", "--fan-out", "20", "--order", "2", "--json"))
    assert data["scale"] == pytest.approx(math.sqrt(2 / 50))
    assert data["torch_gain"] == pytest.approx(math.sqrt(2))
    assert data["variance_scaling"] == pytest.approx(2)
    assert data["he"] == pytest.approx(math.sqrt(2 / 50))
    assert data["lyapunov"] > data["he"]
    assert data["command"] == "scale"
    data = json.loads(run(capsys, "--width", "50", "--digits", "30", "--json"))
    assert data["decimal"].startswith(repr(data["scale"])[:12])
