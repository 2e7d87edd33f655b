"""The benchmarks: every answer verified at small sizes, one shape of result, and the command."""

from __future__ import annotations

import copy
import html
import importlib
import importlib.util
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
NAME = "benchmarks_under_test"


def _load_package() -> None:
    """Import the folder under a name of its own: it is not installed."""
    folder = ROOT / "benchmarks"
    spec = importlib.util.spec_from_file_location(
        NAME, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    sys.modules[NAME] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[NAME])


_load_package()
board = importlib.import_module(f"{NAME}.board")
case = importlib.import_module(f"{NAME}.case")
compare = importlib.import_module(f"{NAME}.compare")
kernels = importlib.import_module(f"{NAME}.kernels")
program = importlib.import_module(f"{NAME}.__main__")
suites = importlib.import_module(f"{NAME}.suites")
tables = importlib.import_module(f"{NAME}.tables")
timing = importlib.import_module(f"{NAME}.timing")

QUICK = timing.Effort(quick=True)
FEW = "law linear64x10, next"  # one case with other ways that need nothing but SciPy


def entry(seconds: float, *, right: bool = True) -> dict[str, Any]:
    return {
        "seconds": seconds,
        "times ours": 1.0,
        "measure": "ulp",
        "error": 0.5,
        "right": right,
    }


def document(ours: list[float], peers: list[float]) -> dict[str, Any]:
    """A result with one case a time."""
    results = [
        {
            "case": f"case {i}",
            "suite": "core",
            "unit": "value",
            "clock": "processor",
            "point": None,
            "methods": {"fracmoment": entry(mine), "other": entry(other)},
            "verified": True,
        }
        for i, (mine, other) in enumerate(zip(ours, peers, strict=True))
    ]
    return {
        "format": compare.FORMAT,
        "date": "2026-01-01 00:00 UTC",
        "machine": {"processor": "one"},
        "threads": 1,
        "quick": False,
        "words": [],
        "load": [0.0, 0.0],
        "results": results,
    }


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Path]:
    """One run of the command, with everything it can write."""
    out = tmp_path_factory.mktemp("out")
    words = [FEW, "relu, width 16, depth 100", "normal, float64", "2 to 16"]
    status = program.main([*words, "--quick", "--out", str(out), "--markdown", str(out / "x.md")])
    return status, out


# ---------------------------------------------------------------- answers


@pytest.mark.parametrize("name", kernels.KERNELS)
def test_kernels_are_verified_at_small_sizes(name: str) -> None:
    result = kernels.run(kernels.KERNELS[name], 3, QUICK)
    assert result["verified"], result["check"]
    assert result["size"] == 3
    assert result["units"] >= 3
    assert 0.0 < result["seconds"]["min"] <= result["seconds"]["median"]


@pytest.mark.parametrize("name", ["normal", "gamma", "norm_network", "matrix_network"])
def test_the_checksum_does_not_depend_on_threads(name: str) -> None:
    one, two = (
        kernels.run(kernels.KERNELS[name], 1000 if name != "matrix_network" else 20, effort)
        for effort in (QUICK, timing.Effort(threads=2, quick=True))
    )
    assert one["checksum"] == two["checksum"]
    assert (one["clock"], two["clock"]) == ("processor", "wall")


def test_every_case_has_a_name_of_its_own() -> None:
    names = [case.name for case in suites.chosen(list(suites.SUITES), [], QUICK)]
    assert len(names) > 100
    assert len(set(names)) == len(names)


def test_wrong_answers_are_found() -> None:
    laws = list(suites.chosen(["core"], ["chi moments"], QUICK))
    right = laws[0].ours[case.OURS].run()
    for answer, good in ((right, True), (right * (1 + 4e-16), False), (right * np.nan, False)):
        assert case.judged(laws[0].check, lambda x=answer: x)[2] is good


def test_samples_of_another_law_are_found() -> None:
    normals = next(suites.chosen(["simulation"], ["normal, float64"], QUICK))
    x = np.random.default_rng(1).standard_normal(1 << 16)
    for sample, good in ((x, True), (x + 0.05, False), (1.03 * x, False)):
        assert case.judged(normals.check, lambda s=sample: s)[2] is good


def test_a_wrong_answer_ends_with_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    depth = importlib.import_module(f"{NAME}.depth")
    monkeypatch.setattr(depth, "ALLOWED", 0.0)
    monkeypatch.setattr(depth.Deep, "tails", lambda self: [(0.0, True, 0.123)])
    assert program.main([FEW, "--quick"]) == 1
    assert "WRONG" in capsys.readouterr().out
    assert program.main(["depth_cdf", "--size", "5", "--quick"]) == 1


# ---------------------------------------------------------------- results


def test_result_has_one_shape(run: tuple[int, Path]) -> None:
    status, out = run
    assert status == 0
    text = (out / "results.json").read_text()
    assert "Infinity" not in text
    assert "NaN" not in text
    result = json.loads(text)
    assert result["format"] == compare.FORMAT
    assert {"processor", "fracmoment", "numpy", "compiler"} <= result["machine"].keys()
    assert len(result["results"]) > 8
    for row in result["results"]:
        assert set(row) == {"case", "suite", "unit", "clock", "point", "methods", "verified"}
        assert row["verified"] is True
        assert row["methods"][case.OURS]["times ours"] == 1.0
        for method in row["methods"].values():
            assert set(method) == {"seconds", "times ours", "measure", "error", "right"}
            assert method["seconds"] > 0.0
            assert method["measure"] in tables.UNITS
    points = [row["point"] for row in result["results"] if row["point"]]
    assert {(p["axis"], p["at"]) for p in points} >= {("depth", 100), ("depth", 100_000)}


def test_markdown_has_every_case(run: tuple[int, Path]) -> None:
    page = (run[1] / "x.md").read_text()
    result = json.loads((run[1] / "results.json").read_text())
    assert page.startswith("# Measured speeds")
    assert all(row["case"] in page for row in result["results"])
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {3, 6}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2e-9, "2 ns"), (3.21e-6, "3.21 µs"), (0.5, "500 ms"), (59.0, "59 s"), (864e4, "100 days")],
)
def test_times_are_readable(seconds: float, text: str) -> None:
    assert tables.time_text(seconds) == text


class Page(HTMLParser):
    """What a page refers to, and whether its elements are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.references: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "br"):
            self.open.append(tag)
        self.collect(attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.collect(attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def collect(self, attrs: list[tuple[str, str | None]]) -> None:
        for key, value in attrs:
            if key in ("src", "href", "xlink:href", "data", "action", "poster", "srcset"):
                self.references.append(value or "")
            elif key == "id":
                self.ids.append(value or "")
            self.references += re.findall(r"url\(([^)]*)\)", value or "")


def test_page_needs_no_network(run: tuple[int, Path]) -> None:
    text = (run[1] / "index.html").read_text()
    page = Page()
    page.feed(text)
    assert page.open == []
    assert not {"script", "link", "iframe", "img", "object", "embed"} & set(page.tags)
    assert "@import" not in text
    assert len(set(page.ids)) == len(page.ids)
    assert all(name.startswith("#") for name in page.references)
    assert {name[1:] for name in page.references} <= set(page.ids)
    assert len(page.references) > 10
    # the cases at a glance, and a curve against the depth
    assert page.tags.count("svg") == 2
    words = html.unescape(text)
    result = json.loads((run[1] / "results.json").read_text())
    assert all(row["case"] in words for row in result["results"])
    assert all(value in words for value in result["machine"].values())


def test_page_says_what_is_wrong() -> None:
    result = document([1.0, 1.0], [2.0, 3.0])
    result["results"][1]["verified"] = False
    result["results"][1]["methods"]["other"]["error"] = None
    result["comparison"] = compare.compare(document([0.5, 1.0], [2.0, 3.0]), result, 1.25)
    result["machine"]["fracmoment"] = "<0>"
    text = board.page(result)
    assert "1 of 2 cases wrong" in text
    assert "not finite" in text
    assert "2.00 x  case 0" in text
    assert "<0>" not in text


# ---------------------------------------------------------------- comparison


def test_a_planted_regression_is_flagged() -> None:
    old = document([1.0] * 8, [2.0] * 8)
    new = copy.deepcopy(old)
    assert compare.compare(old, new, 1.25)["regressions"] == []
    new["results"][3]["methods"]["fracmoment"]["seconds"] = 1.3
    new["results"][4]["methods"]["fracmoment"]["seconds"] = 1.2
    new["results"][5]["methods"]["fracmoment"]["seconds"] = 0.5
    found = compare.compare(old, new, 1.25)
    assert [row["case"] for row in found["regressions"]] == ["case 3"]
    assert [row["case"] for row in found["faster"]] == ["case 5"]
    assert compare.compare(old, new, 1.5)["regressions"] == []
    new["results"][0]["methods"]["fracmoment"]["right"] = False
    found = compare.compare(old, new, 1.5)
    assert [(row["case"], row["change"]) for row in found["regressions"]] == [("case 0", "wrong")]


def test_other_tools_are_the_yardstick() -> None:
    """On a machine half as fast everything takes twice as long, and that is no regression."""
    old = document([1.0] * 8, [2.0] * 8)
    new = document([2.0] * 7 + [3.0], [4.0] * 8)
    new["machine"]["processor"] = "two"
    found = compare.compare(old, new, 1.25)
    assert found["pace"] == 2.0
    assert [row["case"] for row in found["regressions"]] == ["case 7"]
    assert found["machine"] == ["processor: one then, two now"]
    few = compare.compare(document([1.0], [2.0]), document([2.0], [4.0]), 1.25)
    assert (few["pace"], len(few["regressions"])) == (1.0, 1)


def test_command_compares(run: tuple[int, Path], tmp_path: Path) -> None:
    old = json.loads((run[1] / "results.json").read_text())
    words = [FEW, "--quick", "--tolerance", "1000", "--json", "--compare"]
    file = tmp_path / "old.json"
    file.write_text(json.dumps(old))
    assert program.main([*words, str(file)]) == 0
    for row in old["results"]:
        row["methods"][case.OURS]["seconds"] /= 1e6
    file.write_text(json.dumps(old))
    assert program.main([*words, str(file)]) == 1


# ---------------------------------------------------------------- the command


def test_kernel_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["chi_moment", "--size", "1e2", "--json", "--quick"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["kernel"] == "chi_moment"
    assert (result["size"], result["threads"], result["clock"]) == (100, 1, "processor")
    assert result["check"]["error"] <= result["check"]["allowed"]
    assert re.fullmatch("[0-9a-f]{16}", result["checksum"])
    assert "processor" in result["machine"]


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main(["--list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert set(listed["kernels"]) == set(kernels.KERNELS)
    assert set(listed["suites"]) == set(suites.SUITES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["norml"], "did you mean normal"),
        (["normal_float"], "normal_float32"),
        (["xyzzy"], "--list shows"),
        (["--suite", "cores"], "there are core, simulation"),
        (["--size", "3"], "--size is for a kernel"),
        (["normal", "gamma"], "runs alone"),
        (["normal", "--out", "x"], "--out is for cases"),
        (["normal", "--size", "0"], "'0' is not a whole number from 1 on"),
        (["normal", "--threads", "1.5"], "'1.5' is not a whole number"),
        (["--tolerance", "0.5"], "'0.5' is not a number from 1 on"),
        (["--compare", "/nowhere.json"], "/nowhere.json: No such file"),
        (["--compare", str(ROOT / "README.md")], "not JSON"),
    ],
)
def test_usage(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        program.main(arguments)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_results_of_something_else_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text("[1]")
    with pytest.raises(ValueError, match="not a result of these benchmarks"):
        compare.read(str(file))
