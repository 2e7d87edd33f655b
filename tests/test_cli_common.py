"""What all commands share: help, version, errors, exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from rich.console import Console

import fracmoment as fm
from fracmoment.cli import main
from fracmoment.cli.common import log_number, make_table, number, print_table

USAGE_ERRORS = [
    [],
    ["unknown"],
    ["scale"],
    ["scale", "--width", "0"],
    ["scale", "--width", "-3"],
    ["scale", "--width", "1.5"],
    ["scale", "--width", "64", "--fan-in", "3"],
    ["scale", "--fan-in", "3"],
    ["scale", "--fan-out", "3"],
    ["scale", "--width", "64", "--activation", "tanh"],
    ["scale", "--width", "64", "--order", "nan"],
    ["scale", "--width", "64", "--order", "x"],
    ["scale", "--width", "64", "--order", "-0.5"],
    ["scale", "--width", "64", "--order", "1e999999999"],
    ["scale", "--width", "64", "--slope", "0.1"],
    ["scale", "--width", "64", "--activation", "leaky_relu", "--slope", "inf"],
    ["scale", "--width", "64", "--activation", "rrelu", "--lower", "0.5", "--upper", "0.1"],
    ["scale", "--width", "64", "--dropout", "1"],
    ["scale", "--width", "64", "--dropout", "-0.1"],
    ["scale", "--width", "64", "--keep-prob", "0"],
    ["scale", "--width", "64", "--keep-prob", "0.5", "--dropout", "0.5"],
    ["scale", "--width", "64", "--digits", "0"],
    ["scale", "--width", "64", "--digits", "1001"],
    ["scale", "--width", "64", "--preserve", "mean"],
    ["scale", "--width", "64", "--weights", "uniform"],
    ["scale", "--width", "64", "--activation=--"],
    ["scale", "--width", "64", "--order", "1e10"],
    ["plan"],
    ["plan", "--widths=--"],
    ["plan", "--widths", "784"],
    ["plan", "--widths", "784,,10"],
    ["plan", "--widths", "784,0"],
    ["plan", "--widths", "64x99999999"],
    ["plan", "--widths", "64,64", "--order", "-1"],
    ["plan", "--widths", "64,64", "--last", "softmax"],
    ["audit"],
    ["audit", "w.npz", "--layout", "caffe"],
    ["audit", "w.npz", "--activation", "gelu"],
    ["audit", "w.npz", "--layers", ","],
]


@pytest.mark.parametrize("arguments", USAGE_ERRORS, ids=" ".join)
def test_usage_errors_are_one_line_and_status_2(arguments, capsys):
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("fracmoment")
    assert ": error: " in output.err
    assert output.err.count("\n") == 1


def test_help_and_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"fracmoment {fm.__version__}"
    for arguments in (["--help"], ["scale", "--help"], ["plan", "-h"], ["audit", "--help"]):
        assert main(arguments) == 0
        output = capsys.readouterr()
        assert "usage: fracmoment" in output.out
        assert max(map(len, output.out.splitlines())) <= 80


def test_help_lists_every_command(capsys):
    main(["--help"])
    text = capsys.readouterr().out
    for command in ("scale", "plan", "audit"):
        assert command in text


def test_unknown_names_suggest_the_closest(capsys):
    main(["scale", "--width", "4", "--activation", "rellu"])
    assert "did you mean relu" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("ReLU", "relu"),
        ("leaky-relu", "leaky_relu"),
        ("LeakyReLU", "leaky_relu"),
        ("identity", "linear"),
    ],
)
def test_spellings_of_activations(spelling, name, capsys):
    assert main(["scale", "--width", "8", "--activation", spelling, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["activation"]["name"] == name


@pytest.mark.parametrize("module", ["fracmoment", "fracmoment.cli"])
def test_run_as_a_module(module):
    command = [sys.executable, "-m", module, "scale", "--width", "16", "--order", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) == fm.init_scale("relu", 16, 16, 2)
    assert done.stderr == ""


def test_a_reader_that_leaves_is_no_error():
    # The pipe is closed before the command writes to it.
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "fracmoment", "plan", "--widths", "8x30", "--json"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert done.returncode == 1
    assert done.stderr == ""


def test_output_for_terminals_without_unicode():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "fracmoment", "plan", "--widths", "8x3"]
    done = subprocess.run(command, capture_output=True, env=environment, check=True)
    assert done.stdout.isascii()
    command = [sys.executable, "-m", "fracmoment", "audit", "müll.npz"]
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.returncode == 1
    assert done.stderr.isascii()


def test_numbers_are_short():
    values = (0.178528, 3.0, 123456.7, 1.5e7, -2.25e-9, float("nan"), float("inf"))
    assert [number(x) for x in values] == [
        "0.1785",
        "3.000",
        "123457",
        "1.5e+07",
        "-2.25e-09",
        "-",
        "inf",
    ]
    assert log_number(-1e-17) == "0.000"


def test_tables_fit_80_columns(capsys):
    console = Console(width=80)
    for columns in (5, 9):
        table = make_table("t", [f"column{i}" for i in range(columns)])
        table.add_row(*["1.23456"] * columns)
        print_table(console, table)
        text = capsys.readouterr().out
        assert "…" not in text
        assert text.count("1.23456") == columns
