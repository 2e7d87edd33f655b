"""Every format, read back: rows, numbers, head, and files."""

from __future__ import annotations

import csv
import json
import re
from fractions import Fraction

import pytest

import fracmoment as fm
from fracmoment.export import FORMATS, render, tabulate, write

from . import references

DIGITS = 25
ACTIVATIONS = {
    "relu": fm.ReLU(),
    "leaky_relu(0.01)": fm.LeakyReLU("0.01"),
    "rrelu(0.125, 1/3)": fm.RandomizedLeakyReLU("1/8", "1/3"),
}
LAYERS = [(64, 64), (784, 10)]
ORDERS = {"0": 0.0, "1/3": 1 / 3, "2": 2.0}
OPTIONS = {"keep_prob": Fraction(4, 5), "preserve": "norm"}
GAUSSIAN = tabulate(ACTIVATIONS.values(), LAYERS, ORDERS, digits=DIGITS, **OPTIONS)
ORTHOGONAL = tabulate("relu", [4, 8], [0, 1], digits=DIGITS, weights="orthogonal")


def expected_rows():
    """Keys and numbers of `GAUSSIAN`, the numbers from the compiled core."""
    for name, activation in ACTIVATIONS.items():
        for fan_in, fan_out in LAYERS:
            for text in ORDERS:
                scale = references.exact_scale(activation, fan_in, fan_out, text, **OPTIONS)
                numbers = references.numbers(scale, fan_in, "gaussian")
                yield (name, fan_in, fan_out, text), numbers


EXPECTED = list(expected_rows())


def check_records(records, number=float):
    """Compare rows that were read with what they must hold; `number` reads a double."""
    assert len(records) == len(EXPECTED)
    for record, (key, values) in zip(records, EXPECTED, strict=True):
        found = (record["activation"], int(record["fan_in"]), int(record["fan_out"]))
        assert (*found, record["order_exact"]) == key
        assert number(record["order"]) == ORDERS[key[3]]
        for name, value in values.items():
            assert number(record[name]) == float(value)
            assert references.same_decimal(record[f"{name}_decimal"], value, DIGITS)
        assert len(record) == 5 + 2 * len(values)


def same(value):
    assert type(value) is float
    return value


def test_json():
    data = json.loads(render(GAUSSIAN, "json"))
    check_records(data["constants"], same)
    assert data["format"] == "fracmoment constants"
    assert (data["fracmoment_version"], data["digits"]) == (fm.__version__, DIGITS)
    assert (data["keep_prob"], data["preserve"], data["weights"]) == ("0.8", "norm", "gaussian")
    assert data["activations"] == [
        {"label": "relu", "name": "relu"},
        {"label": "leaky_relu(0.01)", "name": "leaky_relu", "negative_slope": "0.01"},
        {"label": "rrelu(0.125, 1/3)", "name": "rrelu", "lower": "0.125", "upper": "1/3"},
    ]
    assert data["columns"].keys() == {"std", "torch_gain", "variance_scaling"}
    assert data["description"]["formula"].startswith("std = M(s)^(-1/s)")


def test_csv():
    lines = render(GAUSSIAN, "csv").splitlines()
    check_records(list(csv.DictReader(line for line in lines if not line.startswith("#"))))


def test_toml():
    tomllib = pytest.importorskip("tomllib", reason="in the standard library since Python 3.11")
    data = tomllib.loads(render(GAUSSIAN, "toml"))
    check_records(data["constants"], same)
    assert data["activations"] == json.loads(render(GAUSSIAN, "json"))["activations"]
    assert data["inverted_dropout"] is True
    assert data["given_alive"] is False


def check_cells(rows):
    """Compare rows of texts: key, then the decimals."""
    for cells, (key, values) in zip(rows, EXPECTED, strict=True):
        assert cells[:4] == [str(part) for part in key]
        for text, value in zip(cells[4:], values.values(), strict=True):
            assert references.same_decimal(text, value, DIGITS)


def test_markdown():
    text = render(GAUSSIAN, "markdown")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == [
        "activation", "fan_in", "fan_out", "order", "std", "torch_gain", "variance_scaling",
    ]  # fmt: skip
    assert cells[1] == ["---"] + ["---:"] * 6
    check_cells(cells[2:])


NAMES = {
    "ReLU": "relu",
    "leaky ReLU, $a = 0.01$": "leaky_relu(0.01)",
    "randomized leaky ReLU, $[0.125, 1/3]$": "rrelu(0.125, 1/3)",
}


def latex_rows(text):
    """The cells of a tabular, the name of the activation in every row."""
    body = re.search(r"\\begin\{tabular\}\{(l(r+))\}\n(.*)\\end\{tabular\}\n\Z", text, re.DOTALL)
    lines = body[3].splitlines()
    assert (lines[0], lines[-1]) == (r"\toprule", r"\bottomrule")
    name, rows = "", []
    for line in lines[1:-1]:
        if line == r"\midrule":
            continue
        assert line.endswith(r" \\")
        cells = line.removesuffix(r" \\").split(" & ")
        assert len(cells) == len(body[1])
        name = cells[0].strip() or name
        rows.append([name, *cells[1:]])
    return rows


def test_latex():
    text = render(GAUSSIAN, "latex")
    assert text.count(r"\midrule") == len(ACTIVATIONS)
    title, *rows = latex_rows(text)
    assert title[1:4] == [r"$n_{\mathrm{in}}$", r"$n_{\mathrm{out}}$", "$s$"]
    check_cells([[NAMES[row[0]], *(cell.strip("$") for cell in row[1:])] for row in rows])
    for character in "_%#&":  # outside of commands and comments nothing needs escaping
        assert all(character not in cell for row in rows for cell in row)


def test_latex_of_square_layers_and_small_numbers():
    rows = latex_rows(render(tabulate("linear", [4, 2**40], 2, digits=4), "latex"))
    assert rows[0][1:3] == ["$n$", "$s$"]
    assert rows[1] == ["linear", "4", "$2$", "$0.5000$", "$1.000$", "$1.000$"]
    assert rows[2][3] == r"$9.537 \times 10^{-7}$"


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("table", [GAUSSIAN, ORTHOGONAL], ids=["gaussian", "orthogonal"])
def test_heads_tell_version_formula_and_columns(name, table):
    text = re.sub(r"\s+", " ", re.sub(r"^(#|%|   )", "", render(table, name), flags=re.MULTILINE))
    text = text.replace('\\"', '"')
    assert f"fracmoment {fm.__version__}" in text
    if table is GAUSSIAN:
        assert "std = M(s)^(-1/s), s the order, M(s) = E |phi(g)|^s" in text
        assert "E |x'|^s = E |x|^s" in text
        assert "kept with probability 0.8 and divided by 0.8" in text
        assert "rrelu(l, u)" in text
        assert '"untruncated_normal" in Keras, "normal" in JAX' in text
    else:
        assert "factor = sqrt(fan_out / fan_in) M(s)^(-1/s)" in text
        assert "torch.nn.init.orthogonal_" in text
        assert "dropout" not in text.replace("inverted_dropout", "")
        assert "std sqrt" not in text
    assert "order 0 has exp(-E log" in text
    assert f"correctly rounded, decimals to {DIGITS} significant digits" in text


AGAIN = tabulate(ACTIVATIONS.values(), LAYERS, ORDERS, digits=DIGITS, **OPTIONS)


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_table_is_the_same_text(name):
    text = render(GAUSSIAN, name)
    assert text == render(AGAIN, name)
    assert text.isascii()
    assert text.endswith("\n")
    assert not re.search(r"[ \t]$", text, re.MULTILINE)


def test_files_are_replaced_as_a_whole(tmp_path):
    path = tmp_path / "scales.csv"
    path.write_text("before")
    write(GAUSSIAN, path, "csv")
    assert path.read_text() == render(GAUSSIAN, "csv")
    with pytest.raises(ValueError, match="did you mean 'csv'"):
        write(GAUSSIAN, path, "cvs")
    with pytest.raises(ValueError, match="prefix must be a name in C"):
        write(GAUSSIAN, path, "c", prefix="a b")
    with pytest.raises(FileNotFoundError):
        write(GAUSSIAN, tmp_path / "no" / "scales.csv", "csv")
    with pytest.raises(IsADirectoryError):
        write(GAUSSIAN, tmp_path, "csv")
    assert path.read_text() == render(GAUSSIAN, "csv")
    assert list(tmp_path.iterdir()) == [path]


def test_the_lyapunov_line_is_there_for_order_0_only():
    assert "exp(-E log" not in render(tabulate("relu", 4, 1), "c")
