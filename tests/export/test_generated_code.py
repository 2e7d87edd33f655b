"""The C header and the Python module, used without fracmoment."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from fractions import Fraction

import pytest

import fracmoment as fm
from fracmoment.export import render, tabulate, write

from . import references

DIGITS = 40
ACTIVATIONS = {"relu": fm.ReLU(), "leaky_relu(0.1)": fm.LeakyReLU("0.1"), "linear": fm.Linear()}
LAYERS = [(64, 64), (784, 10), (2**40, 3)]
ORDERS = ["0", "1/3", "1"]
TABLE = tabulate(ACTIVATIONS.values(), LAYERS, ORDERS, digits=DIGITS)
ORTHOGONAL = tabulate("relu", [4, (9, 4)], 1, weights="orthogonal", digits=1000)
QUANTITIES = ("std", "torch_gain", "variance_scaling")

PRINT_ROWS = r"""
#include "scales.h"
#include "mine.h"
#include <stdio.h>

int main(void)
{
    int i;
    for (i = 0; i < FRACMOMENT_COUNT; i++) {
        const fracmoment_constant *row = &fracmoment_constants[i];
        /* Found by what identifies it, orders as they are written in C. */
        double order = i % 3 == 0 ? 0 : i % 3 == 1 ? 1.0 / 3.0 : 1;
        if (fracmoment_find(row->activation, row->fan_in, row->fan_out, order) != row) {
            return 1;
        }
        printf("%s;%lld;%lld;%.17g;%s;", row->activation, row->fan_in, row->fan_out, row->order,
               row->order_exact);
        printf("%.17g;%.17g;%.17g;", row->std, row->torch_gain, row->variance_scaling);
        printf("%s;%s;%s\n", row->std_decimal, row->torch_gain_decimal,
               row->variance_scaling_decimal);
    }
    if (fracmoment_find("relu", 64, 65, 1) != NULL || fracmoment_find("relu", 64, 64, 2) != NULL
        || fracmoment_find("elu", 64, 64, 1) != NULL) {
        return 2;
    }
    if (MINE_COUNT != 2 || mine_find("relu", 9, 4, 1)->factor <= 0) {
        return 3;
    }
    return 0;
}
"""
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion", "-Wshadow"]
DIALECTS = [("cc", "c99"), ("cc", "c17"), ("c++", "c++11"), ("c++", "c++17"), ("c++", "c++20")]


NAMES = {"cc": ("cc", "gcc", "clang"), "c++": ("c++", "g++", "clang++")}


def compiler(name: str) -> str:
    """The system's compiler: the package was built with it, so there is one."""
    return next(path for path in map(shutil.which, NAMES[name]) if path)


def expected():
    for name, activation in ACTIVATIONS.items():
        for fan_in, fan_out in LAYERS:
            for order in ORDERS:
                scale = references.exact_scale(activation, fan_in, fan_out, order)
                numbers = references.numbers(scale, fan_in, "gaussian")
                yield (name, fan_in, fan_out, order), numbers


EXPECTED = list(expected())


def check(key, order, doubles, decimals, expected_row):
    expected_key, values = expected_row
    assert key == expected_key
    assert order == float(Fraction(key[3]))
    assert list(doubles) == [float(value) for value in values.values()]
    for text, value in zip(decimals, values.values(), strict=True):
        assert references.same_decimal(text, value, DIGITS)


@pytest.mark.parametrize(("name", "standard"), DIALECTS, ids=lambda value: value)
def test_c_header(name, standard, tmp_path):
    write(TABLE, tmp_path / "scales.h", "c")
    write(ORTHOGONAL, tmp_path / "mine.h", "c", prefix="mine")
    source = tmp_path / ("main.c" if name == "cc" else "main.cpp")
    source.write_text(PRINT_ROWS)
    program = tmp_path / "main"
    command = [compiler(name), f"-std={standard}", *STRICT, str(source), "-o", str(program)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (built.returncode, built.stderr) == (0, "")
    done = subprocess.run([str(program)], capture_output=True, text=True, check=True)
    lines = [line.split(";") for line in done.stdout.splitlines()]
    assert len(lines) == len(EXPECTED)
    for cells, row in zip(lines, EXPECTED, strict=True):
        key = (cells[0], int(cells[1]), int(cells[2]), cells[4])
        check(key, float(cells[3]), map(float, cells[5:8]), cells[8:], row)


def test_the_c_header_is_the_same_for_every_user(tmp_path):
    """It may be included twice, in several files of one program, and be unused."""
    write(TABLE, tmp_path / "scales.h", "c")
    for name in ("one", "two"):
        (tmp_path / f"{name}.c").write_text('#include "scales.h"\n#include "scales.h"\n')
    (tmp_path / "main.c").write_text("int main(void) { return 0; }\n")
    files = [str(tmp_path / f"{name}.c") for name in ("one", "two", "main")]
    command = [compiler("cc"), "-std=c99", *STRICT, *files, "-o", str(tmp_path / "main")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_hexadecimal_and_decimal_constants_are_the_same_doubles():
    text = render(TABLE, "c")
    pairs = [
        line.strip().removeprefix("FRACMOMENT_DOUBLE(").split(")")[0].split(", ")
        for line in text.splitlines()
        if line.strip().startswith("FRACMOMENT_DOUBLE(")
    ]
    assert len(pairs) == len(QUANTITIES) * len(EXPECTED)
    for hexadecimal, decimal in pairs:
        assert float.fromhex(hexadecimal) == float(decimal)


@pytest.mark.parametrize("prefix", ["", "1a", "a-b", "a b", "_a", "a" * 41, "é", "a;"])
def test_prefixes_that_are_no_names(prefix):
    with pytest.raises(ValueError, match="prefix must be a name in C"):
        render(TABLE, "c", prefix=prefix)


# ---------------------------------------------------------------- Python

USE_MODULE = """
import importlib.util, json, sys
try:
    import fracmoment
except ImportError:
    pass
else:
    sys.exit("fracmoment can be imported here")
spec = importlib.util.spec_from_file_location("scales", sys.argv[1])
scales = importlib.util.module_from_spec(spec)
spec.loader.exec_module(scales)
row = scales.lookup("leaky_relu(0.1)", 784, 10, "1/3")
assert row == scales.lookup("leaky_relu(0.1)", 784, 10, 1 / 3)
assert row in scales.CONSTANTS
failures = []
for key in (("elu", 64, 64, 1), ("relu", 64, 65, 1), ("relu", 64, 64, 2)):
    try:
        scales.lookup(*key)
    except KeyError as error:
        failures.append(error.args[0])
modules = [name for name in sys.modules if "fracmoment" in name or "numpy" in name]
rows = [row._asdict() for row in scales.CONSTANTS]
print(json.dumps({"rows": rows, "failures": failures, "modules": modules}))
"""


def isolated(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python without site-packages, environment and folder of the script."""
    command = [sys.executable, "-I", "-S", "-W", "error", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_python_module(tmp_path):
    path = tmp_path / "scales.py"
    write(TABLE, path, "python")
    (tmp_path / "use.py").write_text(USE_MODULE)
    done = isolated(str(tmp_path / "use.py"), str(path))
    assert (done.returncode, done.stderr) == (0, "")
    data = json.loads(done.stdout)
    assert data["modules"] == []
    assert len(data["rows"]) == len(EXPECTED)
    for row, expected_row in zip(data["rows"], EXPECTED, strict=True):
        key = (row["activation"], row["fan_in"], row["fan_out"], row["order_exact"])
        doubles = [row[name] for name in QUANTITIES]
        assert all(type(value) is float and math.isfinite(value) for value in doubles)
        decimals = [row[f"{name}_decimal"] for name in QUANTITIES]
        check(key, row["order"], doubles, decimals, expected_row)
    assert data["failures"] == [
        "no activation 'elu' in this table; there are: leaky_relu(0.1), linear, relu",
        "no layer 64 -> 65 in this table",
        "no order 2 in this table; there are: 0, 1/3, 1",
    ]


@pytest.mark.parametrize("table", [TABLE, ORTHOGONAL], ids=["gaussian", "orthogonal"])
def test_the_example_of_the_python_module_runs(table, tmp_path):
    path = tmp_path / "scales.py"
    write(table, path, "python")
    done = isolated("-m", "doctest", "-v", str(path))
    assert done.returncode == 0
    assert "1 passed" in done.stdout
