"""``fm.audit`` of trees of arrays, files, and what is neither; frameworks that are missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fracmoment as fm

DEMO = Path(__file__).parent.parent / "examples" / "data" / "digits_64-64x20-10.safetensors"


def tree(rng, *, names=("kernel", "bias")):
    kernel, bias = names
    return {
        f"Dense_{index}": {kernel: rng.standard_normal((n, d)), bias: np.zeros(d)}
        for index, (n, d) in enumerate([(20, 30), (30, 30)] * 1 + [(30, 30)] * 10 + [(30, 5)])
    }


def test_trees_of_arrays():
    parameters = {"params": tree(np.random.default_rng(0))}
    report = fm.audit(parameters)
    assert report.layout == "keras"
    assert report.source == "dict"
    assert [layer.name for layer in report.layers] == [
        f"params/Dense_{index}/kernel" for index in range(13)
    ]
    assert (report.layers[0].law.fan_in, report.layers[0].law.fan_out) == (20, 30)
    assert report.layers[0].bias_rms == 0.0
    values = parameters["params"]["Dense_0"]["kernel"]
    assert report.layers[0].scale == pytest.approx(np.sqrt(np.mean(values**2)), rel=1e-14)


def test_layers_are_taken_by_number_where_a_tree_is_sorted():
    parameters = tree(np.random.default_rng(0))
    ordered = {name: parameters[name] for name in sorted(parameters)}
    assert [layer.name for layer in fm.audit(ordered).layers][-2:] == [
        "Dense_11/kernel",
        "Dense_12/kernel",
    ]


def test_chosen_layers_and_layouts():
    rng = np.random.default_rng(1)
    weights = [rng.standard_normal((40, 40)), rng.standard_normal((40, 40)), np.ones((7, 3))]
    report = fm.audit(weights, layers=["1", "0"], layout="keras", last=None, activation="linear")
    assert [layer.name for layer in report.layers] == ["1", "0"]
    assert report.layout == "keras"


def test_files_give_what_the_command_gives():
    report = fm.audit(DEMO)
    assert fm.audit(str(DEMO)).outcome == report.outcome
    text = str(report)
    assert "21 layers, relu (last layer linear)" in text
    assert "At the output" in text
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_models_are_not_changed():
    parameters = tree(np.random.default_rng(0))
    before = {name: entry["kernel"].copy() for name, entry in parameters.items()}
    fm.audit(parameters)
    assert all(np.array_equal(before[name], parameters[name]["kernel"]) for name in before)


class Nested(dict):
    """A mapping that contains itself."""


def deep():
    one = Nested()
    one["x"] = one
    return one


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (3, TypeError, "source must be a path"),
        ({}, ValueError, "without any"),
        ({"a": 3}, TypeError, "got int at 'a'"),
        ({"a": [np.ones((2, 2)), "x"]}, TypeError, "got str at 'a/1'"),
        ({"a": np.ones(3)}, ValueError, "no weight matrix"),
        ({"a": np.ones((3, 4)), "b": np.ones((5, 6))}, ValueError, "do not chain"),
        ({"a": np.full((3, 4), np.nan)}, ValueError, "12 of 12 values NaN"),
        ({"a": np.ones((3, 4), int)}, ValueError, "has type int64"),
        ({"a": np.ones((0, 4))}, ValueError, "no elements"),
        (deep(), ValueError, "nested at most 100 deep"),
        ("no_such_file.npz", ValueError, "no such file"),
    ],
)
def test_bad_sources(source, error, message):
    with pytest.raises(error, match=message):
        fm.audit(source)


@pytest.mark.parametrize("framework", ["torch", "jax", "keras"])
def test_a_missing_framework_names_its_extra(framework):
    code = (
        "import sys, fracmoment as fm; fm.frameworks\n"
        "assert not {'torch', 'jax', 'keras'} & set(sys.modules)\n"
        f"sys.modules[{framework!r}] = None\n"
        "try:\n"
        f"    import fracmoment.frameworks.{framework}\n"
        "except ModuleNotFoundError as error:\n"
        "    print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"pip install 'fracmoment[{framework}]'" in run.stdout
