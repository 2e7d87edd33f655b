"""``fracmoment verify``: runs, interruption, reports."""

import dataclasses
import json
import re
import sys
from html.parser import HTMLParser

import pytest

from fracmoment.cli import main
from fracmoment.statements import (
    STATEMENTS,
    Evidence,
    Outcome,
    Plot,
    Series,
    Source,
    Statement,
    run_statement,
    run_statements,
)

FEW = ("order-two-is-lecun", "released-leaky", "submatrix-isometry")
ONLY = [option for name in FEW for option in ("--only", name)]


class Counting:
    """A check that counts its calls, and does what it is told to."""

    def __init__(self):
        self.calls = 0
        self.action = None

    def __call__(self, run):
        self.calls += 1
        if self.action is not None:
            raise self.action
        series = Series("s", [1.0], [float("inf")], "measured", [0.1])
        plot = Plot("t", "x", "y", [series])
        numbers = {"quick": run.quick, "range": range(2)}
        return Outcome([Evidence("identity", "text", True, "1", numbers=numbers)], [plot])


def made(name, check):
    source = Source("GH21", "nowhere")
    return Statement(name, name, (source,), "claim", "x", "none", ("identity",), check)


@pytest.fixture
def three():
    return [made(name, Counting()) for name in ("one", "two", "three")]


def calls(statements):
    return [statement.check.calls for statement in statements]


def run(statements, directory, **options):
    options = {"seed": 1, "quick": True} | options
    return list(run_statements(statements, directory=directory, **options))


# ---------------------------------------------------------------- runs


def test_an_interrupted_run_goes_on(three, tmp_path):
    three[1].check.action = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        run(three, tmp_path)
    assert calls(three) == [1, 1, 0]
    three[1].check.action = None
    results = run(three, tmp_path)
    assert calls(three) == [1, 2, 1]
    assert [result.kept for result in results] == [True, False, False]
    assert all(result.settled for result in results)
    assert [result.kept for result in run(three, tmp_path)] == [True] * 3
    assert calls(three) == [1, 2, 1]


def test_a_kept_result_is_the_result(three, tmp_path):
    first, again = run(three[:1], tmp_path)[0], run(three[:1], tmp_path)[0]
    assert again.as_data() == first.as_data()
    assert not list(tmp_path.glob(".*"))  # no partial files


def test_another_seed_size_or_package_is_another_run(three, tmp_path, monkeypatch):
    run(three[:1], tmp_path)
    run(three[:1], tmp_path, seed=2)
    run(three[:1], tmp_path, seed=2, quick=False)
    run(three[:1], tmp_path, seed=2, quick=False, fresh=True)
    assert calls(three) == [4, 0, 0]
    monkeypatch.setattr("fracmoment.statements.runner.fingerprint", lambda: "changed")
    run(three[:1], tmp_path, seed=2, quick=False)
    assert calls(three) == [5, 0, 0]


def test_failures_and_damaged_files_are_checked_again(three, tmp_path):
    three[0].check.action = ValueError("no")
    result = run(three[:1], tmp_path)[0]
    assert not result.settled
    assert result.error == "ValueError: no"
    three[0].check.action = None
    assert run(three[:1], tmp_path)[0].settled
    file = tmp_path / "one.json"
    text = file.read_text()
    for damaged in ("", text[:40], "[]", '{"key": 1}', text.replace('"evidence"', '"evil"')):
        file.write_text(damaged)
        result = run(three[:1], tmp_path)[0]
        assert result.settled
        assert not result.kept


def test_a_kept_verdict_is_derived_again(three, tmp_path):
    run(three[:1], tmp_path)
    file = tmp_path / "one.json"
    file.write_text(file.read_text().replace('"holds": true', '"holds": false'))
    assert not run(three[:1], tmp_path)[0].kept


def test_no_evidence_settles_nothing():
    statement = made("empty", lambda _run: Outcome(()))
    assert run_statement(statement, seed=1, quick=True).verdict == "fails"
    false = dataclasses.replace(statement, false=True)
    assert run_statement(false, seed=1, quick=True).verdict == "not refuted"


# ---------------------------------------------------------------- command


@pytest.mark.parametrize(
    "options",
    [["--only", "preserve-rely"], ["--seed", "x"], ["--seed", "-1"], ["--seed", "1.5"], ["extra"]],
)
def test_usage_errors(options, capsys):
    assert main(["verify", "--quick", *options]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    if "preserve-rely" in options:
        assert "preserve-relu" in error


def test_list(capsys):
    assert main(["verify", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(STATEMENTS)
    assert main(["verify", "--list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["statements"]
    assert [row["id"] for row in rows] == list(STATEMENTS)


def test_table(capsys):
    assert main(["verify", "--quick", *ONLY]) == 0
    out = capsys.readouterr().out
    assert "3 of 3 statements are settled." in out
    assert "released-leaky" in out


def test_an_error_is_a_failure_with_a_reason(capsys, monkeypatch):
    broken = dataclasses.replace(STATEMENTS[FEW[0]], check=Counting())
    broken.check.action = RuntimeError("no convergence")
    monkeypatch.setitem(STATEMENTS, FEW[0], broken)
    assert main(["verify", "--quick", *ONLY]) == 1
    out = capsys.readouterr().out
    assert "RuntimeError: no convergence" in out
    assert "2 of 3 statements are settled." in out


def test_interruption_is_status_130(monkeypatch, tmp_path, capsys):
    broken = dataclasses.replace(STATEMENTS[FEW[2]], check=Counting())
    broken.check.action = KeyboardInterrupt()
    with monkeypatch.context() as patch:
        patch.setitem(STATEMENTS, FEW[2], broken)
        assert main(["verify", "--quick", "--report", str(tmp_path), *ONLY]) == 130
    assert sorted(file.stem for file in (tmp_path / "results").iterdir()) == sorted(FEW[:2])
    assert main(["verify", "--quick", "--report", str(tmp_path), *ONLY]) == 0
    assert "2 of them in an earlier run" in capsys.readouterr().out


# ---------------------------------------------------------------- reports


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    directory = tmp_path_factory.mktemp("report")
    names = (*FEW, "gradient-law", "preserve-relu", "almost-sure-limit")[:5]
    options = [option for name in names for option in ("--only", name)]
    assert main(["verify", "--quick", "--report", str(directory), *options]) == 0
    return directory


STATEMENT_KEYS = {
    "id", "title", "sources", "claim", "formula", "hypotheses", "false", "verdict", "settled",
    "failure_probability", "seconds", "error", "witness", "evidence", "plots",
}  # fmt: skip
EVIDENCE_KEYS = {
    "kind", "text", "holds", "measured", "failure_probability", "sample_size", "numbers",
}  # fmt: skip
RUN_KEYS = {
    "command", "schema", "date", "versions", "seed", "quick", "settled", "failure_probability",
    "seconds", "statements",
}  # fmt: skip


def test_the_layout_of_the_json_is_the_documented_one(report):
    data = json.loads((report / "statements.json").read_text())
    assert data["schema"] == 1
    assert data.keys() == RUN_KEYS
    assert data["settled"] is True
    assert {"fracmoment", "numpy", "python-flint", "FLINT"} <= data["versions"].keys()
    for row in data["statements"]:
        assert row.keys() == STATEMENT_KEYS
        assert all(item.keys() == EVIDENCE_KEYS for item in row["evidence"])
        assert all(plot.keys() == {"title", "x_label", "y_label", "series", "log_x", "log_y"}
                   for plot in row["plots"])  # fmt: skip


class Page(HTMLParser):
    """Tags, identifiers and what they load."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.links, self.loaded = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            elif name in ("href", "xlink:href"):
                self.links.append(value)
            elif name in ("src", "srcset", "data", "poster", "action"):
                self.loaded.append(value)


def test_the_page_loads_nothing(report):
    text = (report / "statements.html").read_text(encoding="utf-8")
    page = Page(text)
    assert not page.loaded
    assert not {"script", "link", "img", "iframe", "object", "image", "base"} & set(page.tags)
    assert all(link.startswith("#") for link in page.links)
    assert "@import" not in text
    assert re.findall(r"url\((?!#)", text) == []
    # What remains are the names of XML's vocabularies, which nothing fetches.
    assert set(re.findall(r'(\S+)="https?://', text)) <= {"xmlns", "xmlns:xlink"}


def test_the_page_is_consistent(report):
    page = Page((report / "statements.html").read_text(encoding="utf-8"))
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert page.tags.count("article") == 5
    assert page.tags.count("svg") >= 3


def test_texts_are_escaped(monkeypatch, tmp_path):
    check = Counting()
    check.action = ValueError("<script>alert(1)</script>")
    monkeypatch.setitem(STATEMENTS, FEW[0], dataclasses.replace(STATEMENTS[FEW[0]], check=check))
    assert main(["verify", "--quick", "--report", str(tmp_path), "--only", FEW[0]]) == 1
    text = (tmp_path / "statements.html").read_text(encoding="utf-8")
    assert "<script>" not in text


def test_without_matplotlib_the_reason_is_given_before_any_work(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["verify", "--quick", "--report", str(tmp_path / "new"), *ONLY]) == 1
    assert "fracmoment[plot]" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
