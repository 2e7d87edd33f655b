"""``fracmoment export --format``: options, files, what is refused, and the page that shows it."""

from __future__ import annotations

import csv
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fracmoment as fm
from fracmoment.cli import main
from fracmoment.export import FORMATS, render, tabulate

PAGE = Path(__file__).parents[1] / "docs" / "export.md"


def run(capsys, *arguments: str) -> str:
    assert main(["export", *arguments]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    return output.out


def rows(capsys, *arguments: str) -> list[dict[str, object]]:
    return json.loads(run(capsys, "--format", "json", "--digits", "5", *arguments))["constants"]


def layers(capsys, *arguments: str) -> list[tuple[object, object]]:
    found = rows(capsys, "--activation", "linear", "--order", "2", *arguments)
    return [(row["fan_in"], row["fan_out"]) for row in found]


CASES = [
    (["--widths", "64"], ("relu", 64, 1), {}),
    (["--width", "8,16", "--orders", "0,1/3,0.8"], ("relu", [8, 16], [0, "1/3", "0.8"]), {}),
    (["--widths", "8", "--activations", "ReLU,leaky-relu,rrelu,identity", "--slope", "0.2,1/3"],
     (["relu", fm.LeakyReLU("0.2"), fm.LeakyReLU("1/3"), fm.RandomizedLeakyReLU("1/8", "1/3"),
       "linear"], 8, 1), {}),
    (["--widths", "8", "--activation", "leaky_relu"], (fm.LeakyReLU("0.01"), 8, 1), {}),
    (["--widths", "8", "--activation", "rrelu", "--lower=-0.1", "--upper", "0.4"],
     (fm.RandomizedLeakyReLU("-0.1", "0.4"), 8, 1), {}),
    (["--fan_in", "784", "--fan-out", "64,10", "--preserve", "norm"],
     ("relu", [(784, 64), (784, 10)], 1), {"preserve": "norm"}),
    (["--layers", "784,64x3,10", "--weights", "orthogonal"],
     ("relu", [(784, 64), (64, 64), (64, 10)], 1), {"weights": "orthogonal"}),
    (["--widths", "8", "--dropout", "0.2", "--plain-dropout"], ("relu", 8, 1),
     {"keep_prob": "4/5", "inverted_dropout": False}),
    (["--widths", "8", "--keep-prob", "0.8", "--order=-1/2", "--given-alive"],
     ("relu", 8, "-1/2"), {"keep_prob": "0.8", "given_alive": True}),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "positional", "options"), CASES)
def test_options_are_those_of_tabulate(capsys, arguments, positional, options):
    text = run(capsys, "--format", "csv", "--digits", "20", *arguments)
    assert text == render(tabulate(*positional, digits=20, **options), "csv")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_to_standard_output_and_to_a_file(capsys, tmp_path, name):
    arguments = ["--format", name, "--widths", "8", "--order", "0,1"]
    digits = 6 if name in ("latex", "markdown") else 30
    expected = render(tabulate("relu", 8, [0, 1], digits=digits), name)
    assert run(capsys, *arguments) == expected
    path = tmp_path / "constants"
    assert run(capsys, *arguments, "-o", str(path)) == ""
    assert path.read_text() == expected
    assert list(tmp_path.iterdir()) == [path]
    report = json.loads(run(capsys, *arguments, "--output", str(path), "--json"))
    assert report == {
        "command": "export", "format": name, "constants": 2, "digits": digits, "file": str(path),
    }  # fmt: skip


def test_ranges_of_layers(capsys):
    def squares(*widths: int) -> list[tuple[int, int]]:
        return [(width, width) for width in widths]

    assert layers(capsys, "--widths", "3,8:10,8") == squares(3, 8, 9, 10)
    assert layers(capsys, "--widths", "64:256:64") == squares(64, 128, 192, 256)
    assert layers(capsys, "--widths", "10:31:10, 5") == squares(10, 20, 30, 5)
    assert layers(capsys, "--widths", "16:100:x2") == squares(16, 32, 64)
    assert layers(capsys, "--fan-in", "2:3", "--fan-out", "4,5") == [(2, 4), (2, 5), (3, 4), (3, 5)]
    assert layers(capsys, "--layers", "9,3x3,1", "--layers", "3,1,2", "--widths", "7") == [
        (7, 7), (9, 3), (3, 3), (3, 1), (1, 2),
    ]  # fmt: skip


def test_json_without_a_format_is_the_table(capsys):
    data = json.loads(run(capsys, "--widths", "64", "--json"))
    assert data.pop("command") == "export"
    assert data == json.loads(render(tabulate("relu", 64), "json"))
    assert json.loads(run(capsys, "--format", "json", "--widths", "64", "--json")) == {
        "command": "export", **data,
    }  # fmt: skip
    (row,) = data["constants"]
    scale = json.loads(_scale_json(capsys, "--width", "64"))
    # The names and numbers of the command for one constant.
    for name in ("torch_gain", "variance_scaling"):
        assert row[name] == pytest.approx(scale[name], rel=1e-15)
    assert row["std"] == scale["scale"]


def _scale_json(capsys, *arguments: str) -> str:
    assert main(["scale", *arguments, "--json"]) == 0
    return capsys.readouterr().out


def test_typed_and_default_slopes_are_the_same_number(capsys):
    for command in (["export", "--certificate"], ["scale", "--digits", "40"]):
        texts = []
        for slope in ([], ["--slope", "0.01"]):
            assert main([*command, "--width", "9", "--activation", "leaky_relu", *slope]) == 0
            texts.append(capsys.readouterr().out)
        assert texts[0] == texts[1]


BASE = ["--format", "c", "--widths", "8"]
USAGE_ERRORS = [
    [],
    ["--widths", "8"],
    ["--format", "c"],
    ["--format", "xml", "--widths", "8"],
    ["--format", "c", "--certificate", "--widths", "8"],
    ["--format", "c", "--widths", ""],
    ["--format", "c", "--widths", "8,"],
    ["--format", "c", "--widths", "8.5"],
    ["--format", "c", "--widths", "64x20"],
    ["--format", "c", "--widths", "0"],
    ["--format", "c", "--widths", "0:8"],
    ["--format", "c", "--widths", "9:8"],
    ["--format", "c", "--widths", "8:0"],
    ["--format", "c", "--widths", "8:9:0"],
    ["--format", "c", "--widths", "8:9:x1"],
    ["--format", "c", "--widths", "8:x2"],
    ["--format", "c", "--widths", "1:999999999999999"],
    ["--format", "c", "--widths", "1:100000", "--orders", "1,2"],
    ["--format", "c", "--fan-in", "1:9999", "--fan-out", "1:9999"],
    ["--format", "c", "--widths", "9999999999999999"],
    ["--format", "c", "--fan-in", "8"],
    ["--format", "c", "--fan-out", "8"],
    ["--format", "c", "--layers", "8"],
    [*BASE, "--order", "x"],
    [*BASE, "--order", "1,"],
    [*BASE, "--order=-1"],
    [*BASE, "--order", "1e-9"],
    [*BASE, "--activation", "relu,tanh"],
    [*BASE, "--activation", "relu,"],
    [*BASE, "--activation", "relu,linear", "--slope", "0.1"],
    [*BASE, "--activation", "leaky_relu", "--slope", "0.1,"],
    [*BASE, "--digits", "0"],
    [*BASE, "--digits", "1001"],
    [*BASE, "--dropout", "1"],
    [*BASE, "--weights", "uniform"],
    [*BASE, "--preserve", "mean"],
    [*BASE, "--prefix", "9"],
    [*BASE, "--quantity", "moment"],
    [*BASE, "--sigma", "1"],
    [*BASE, "--json"],
    ["--format", "python", "--widths", "8", "--prefix", "mine"],
    ["--certificate", "--widths", "8,9"],
    ["--certificate", "--width", "8", "--fan-in", "9"],
    ["--certificate", "--width", "8", "--layers", "8,9"],
    ["--certificate", "--width", "8", "--preserve", "norm"],
    ["--certificate", "--width", "8", "--prefix", "mine"],
    ["--certificate", "--width", "8", "--order", "1,2"],
    ["--certificate", "--width", "8", "--activation", "relu,linear"],
]


@pytest.mark.parametrize("arguments", USAGE_ERRORS, ids=" ".join)
def test_usage_errors_write_nothing(arguments, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    output = [] if "--json" in arguments else ["-o", "constants"]
    assert main(["export", *arguments, *output]) == 2
    found = capsys.readouterr()
    assert found.out == ""
    assert found.err.startswith("fracmoment export: error: ")
    assert found.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_errors_name_what_is_right(capsys):
    for arguments, words in [
        (["--widths", "8"], "give --format, for a table, or --certificate"),
        (["--format", "c"], "give --widths, --layers, or --fan-in and --fan-out"),
        (["--format", "cvs", "--widths", "8"], "did you mean 'csv'"),
        ([*BASE, "--sigma", "1"], "--sigma belongs to --certificate"),
        (["--certificate", "--width", "8", "--preserve", "rms"], "--preserve belongs to --format"),
        ([*BASE, "--activation", "rellu"], "did you mean relu"),
    ]:
        assert main(["export", *arguments]) == 2
        assert words in capsys.readouterr().err


def test_files_that_cannot_be_written(capsys, tmp_path):
    for path in (tmp_path / "no" / "scales.h", tmp_path):
        assert main(["export", *BASE, "-o", str(path)]) == 1
        assert str(path) in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_proved_writes_nothing(capsys, tmp_path):
    path = tmp_path / "scales.h"
    path.write_text("before")
    arguments = [
        "--widths",
        "1",
        "--weights",
        "orthogonal",
        "--keep-prob",
        "8/25",
        "--order",
        "0.5",
    ]
    assert main(["export", "--format", "c", *arguments, "--digits", "2", "-o", str(path)]) == 1
    assert "middle of two numbers" in capsys.readouterr().err
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_help_fits_80_columns(capsys):
    assert main(["export", "--help"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    for name in (*FORMATS, "--certificate", "tables only", "certificates only"):
        assert name in text
    for line in re.findall(r"^  fracmoment (export .*)$", text, re.MULTILINE):
        arguments = [part for part in shlex.split(line) if not part.endswith((".h", ".json"))]
        assert main([part for part in arguments if part != "-o"]) == 0


# ---------------------------------------------------------------- docs/export.md


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the files that the commands of the page write."""
    path = tmp_path_factory.mktemp("export")
    text = PAGE.read_text(encoding="utf-8")
    commands = re.findall(r"^fracmoment (export .*)$", text, re.MULTILINE)
    assert len(commands) == len(FORMATS)
    for command in commands:
        arguments = shlex.split(command)
        if "-o" in arguments:
            index = arguments.index("-o") + 1
            arguments[index] = str(path / arguments[index])
        assert main(arguments) == 0
    return path


def snippet(language: str) -> tuple[str, str]:
    """The program of the page in a language, and what the page says that it prints."""
    text = PAGE.read_text(encoding="utf-8")
    block = r"^```%s\n(.*?)^```$.*?^```output\n(.*?)^```$"
    return re.search(block % language, text, re.DOTALL | re.MULTILINE).groups()


def test_the_c_program_of_the_page(folder):
    program, output = snippet("c")
    (folder / "main.c").write_text(program)
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))))
    command = [compiler, "-std=c99", "-Wall", "-Wextra", "-Werror", "main.c", "-o", "main"]
    subprocess.run(command, cwd=folder, check=True)
    done = subprocess.run([str(folder / "main")], capture_output=True, text=True, check=True)
    assert done.stdout == output


def test_the_python_program_of_the_page(folder):
    program, output = snippet("python")
    (folder / "main.py").write_text(program)
    # -S: no site-packages, so no fracmoment; the folder of the script is on the path.
    command = [sys.executable, "-S", "-E", "main.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout == output


def test_the_other_files_of_the_page(folder):
    lines = [line for line in (folder / "scales.csv").read_text().splitlines() if line[0] != "#"]
    factors = [float(row["factor"]) for row in csv.DictReader(lines)]
    assert factors == [1.0] * 57
    (row,) = json.loads((folder / "scales.json").read_text())["constants"]
    assert len(row["std_decimal"]) == 102
    assert (folder / "scales.toml").read_text().count("[[constants]]") == 3
    assert (folder / "scales.tex").read_text().count("\\\\\n") == 7
