"""``fracmoment figures``: every figure, its file, and what is refused."""

from __future__ import annotations

import json
import re
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.transforms import Bbox

import fracmoment as fm
from fracmoment.cli import main
from fracmoment.figures import FIGURES, draw, render

GALLERY = Path(__file__).parents[1] / "docs" / "gallery.md"
MAGIC = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
# One without simulation, which is drawn in a fraction of a second.
LIGHT = "paper-fig4"


@pytest.fixture(scope="module")
def quick():
    """Every figure, drawn quickly."""
    return {name: draw(name, quick=True, threads=1) for name in FIGURES}


def test_every_figure_writes_its_file(capsys, tmp_path, quick, monkeypatch):
    # Drawn once for all tests; here the command is to be seen.
    monkeypatch.setattr("fracmoment.figures.draw", lambda name, **options: quick[name])
    assert main(["figures", "--quick", "--out", str(tmp_path / "a" / "b"), "--json"]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    report = json.loads(output.out)
    assert report["command"] == "figures"
    assert [one["name"] for one in report["files"]] == list(FIGURES)
    for one in report["files"]:
        path = Path(one["file"])
        assert path == tmp_path / "a" / "b" / f"{one['name']}.png"
        assert path.read_bytes().startswith(MAGIC["png"])
        assert one["caption"] == FIGURES[one["name"]].words(quick=True)
        assert one["seconds"] >= 0
    assert len(list((tmp_path / "a" / "b").iterdir())) == len(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_is_clipped_and_everything_has_a_label(quick, name):
    figure = quick[name]
    renderer = figure._get_renderer()
    for ax in figure.axes:
        if not ax.axison:
            continue
        texts = [ax.xaxis.label, ax.yaxis.label, ax.title]
        legend = ax.get_legend()
        texts += [] if legend is None else legend.get_texts()
        for text in texts:
            if text.get_text() and text.get_visible():
                box = text.get_window_extent(renderer)
                seen = Bbox.intersection(figure.bbox, box)
                assert seen is not None, text
                np.testing.assert_allclose(seen.bounds, box.bounds, atol=1.5, err_msg=str(text))
        assert ax.get_xlabel() or ax.get_ylabel() or ax.get_subplotspec() is not None


@pytest.mark.parametrize("name", FIGURES)
def test_captions_have_no_loose_ends(name):
    figure = FIGURES[name]
    words = figure.words()
    assert not re.search(r"[{}]", words)
    assert words.endswith(".")
    for size in re.findall(r"{(\w+)}", figure.caption):
        assert size in figure.sizes
    page = Path(__file__).parents[1] / figure.source
    assert figure.source.startswith("[GH21] figure ") or page.is_file()


def test_only_some_in_every_format(capsys, tmp_path):
    for name, magic in MAGIC.items():
        arguments = ["--only", LIGHT, "--format", name, "--out", str(tmp_path)]
        assert main(["figures", "--quick", *arguments]) == 0
        path = tmp_path / f"{LIGHT}.{name}"
        assert path.read_bytes().startswith(magic)
        assert f"{LIGHT}.{name}" in capsys.readouterr().out
    assert len(list(tmp_path.iterdir())) == len(MAGIC)
    svg = (tmp_path / f"{LIGHT}.svg").read_text()
    assert "computed with s = 0.1" in re.sub(r"\s+", " ", svg)


def test_names_are_drawn_once(capsys, tmp_path):
    arguments = ["--only", LIGHT, LIGHT, "--only", LIGHT, "--out", str(tmp_path), "--quick"]
    assert main(["figures", *arguments, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["files"]) == 1


def test_same_seed_same_bytes_for_any_threads(quick):
    name = "paper-fig2"
    first = render(quick[name], "svg", "t", "c")
    assert render(draw(name, quick=True, threads=2), "svg", "t", "c") == first
    assert render(draw(name, quick=True, seed=2), "svg", "t", "c") != first


def test_settings_of_the_user_do_not_matter_and_are_left_alone():
    before = dict(rcParams)
    expected = render(draw(LIGHT), "png", "t", "c")
    try:
        rcParams["font.size"] = 30.0
        rcParams["lines.linewidth"] = 9.0
        mine = dict(rcParams)
        assert render(draw(LIGHT), "png", "t", "c") == expected
        assert dict(rcParams) == mine
    finally:
        rcParams.update(before)


def test_list(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["figures", "--list"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for name, figure in FIGURES.items():
        assert f"{name}: {figure.title} ({figure.source}) {figure.words()}" in text
    assert main(["figures", "--list", "--json", "--only", "sgd"]) == 0
    (one,) = json.loads(capsys.readouterr().out)["figures"]
    assert one["name"] == "sgd"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--only", "scales"], "did you mean 'scale'"),
        (["--only", LIGHT, "nothing"], "--only must be one of"),
        (["--format", "jpg"], "--format must be one of"),
        (["--seed", "-1"], "--seed must be"),
        (["--seed", "x"], "invalid int value"),
        (["--threads", "0"], "--threads must be"),
        (["--only"], "expected at least one argument"),
    ],
)
def test_usage_errors_write_nothing(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["figures", *arguments]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert words in output.err
    assert list(tmp_path.iterdir()) == []


def test_folders_that_cannot_be_written(capsys, tmp_path):
    file = tmp_path / "file"
    file.write_text("here")
    for path in (file, file / "below"):
        assert main(["figures", "--only", LIGHT, "--quick", "--out", str(path)]) == 1
        assert str(file) in capsys.readouterr().err
    assert file.read_text() == "here"


def test_a_file_is_replaced_whole_or_not(capsys, tmp_path, monkeypatch):
    path = tmp_path / f"{LIGHT}.png"
    path.write_text("before")

    def fail(*arguments):
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", fail)
    assert main(["figures", "--only", LIGHT, "--quick", "--out", str(tmp_path)]) == 1
    assert "no space left" in capsys.readouterr().err
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_without_matplotlib(capsys, tmp_path, monkeypatch):
    for module in [key for key in sys.modules if key.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["figures", "--only", LIGHT, "--out", str(tmp_path / "new")]) == 1
    assert "pip install 'fracmoment[plot]'" in capsys.readouterr().err
    assert main(["figures", "--list"]) == 0


def test_help_fits_80_columns(capsys):
    assert main(["figures", "--help"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    for line in re.findall(r"^  fracmoment (figures .*)$", text, re.MULTILINE):
        assert main([*shlex.split(line), "--list"]) == 0


# ---------------------------------------------------------------- what the figures say


def line(ax, label: str) -> tuple[np.ndarray, np.ndarray]:
    (found,) = (one for one in ax.get_lines() if one.get_label() == label)
    return found.get_data()


def test_figure_4_is_corrected(quick):
    left, middle, right = quick["paper-fig4"].axes
    widths, scales = line(left, "s = 2")
    np.testing.assert_array_equal(widths, np.arange(1, 31))
    np.testing.assert_allclose(scales, np.sqrt(2.0 / widths), rtol=1e-14)
    places, released = line(left, "released as s = 2")
    np.testing.assert_array_equal(places, widths - 1)
    np.testing.assert_array_equal(released, fm.Gain("relu", np.arange(1, 31)).scale(0.1))
    orders, scales = line(middle, "d = 40")
    assert (orders[0], orders[-1]) == (0.01, 2.0)
    np.testing.assert_array_equal(scales, fm.Gain("relu", 40).scale(orders))
    widths, excess = line(right, "s = 1")
    gains = fm.Gain("relu", widths.astype(int))
    np.testing.assert_array_equal(excess, gains.scale(1.0) - np.sqrt(2.0 / widths))


def test_figure_1_states_the_exact_moments(quick):
    left = quick["paper-fig1"].axes[0]
    for label, order in (("s = 2", 2.0), ("s = 1.5", 1.5), ("s = 1", 1.0)):
        alphas, values = line(left, label)
        place = int(np.argmin(abs(alphas - order)))
        # The preserved moment: E |x_i|^s = E |x|^s E |phi(z)|^s / E |phi(g)|^s, x a normal vector.
        gain, unit = fm.Gain("relu", 64), fm.Gain("relu", 1)
        moment = fm.chi_moment(64, order) * unit.moment(order) / gain.moment(order)
        assert values[place] ** order == pytest.approx(moment, rel=1e-12)
    assert round(line(left, "s = 1")[1][-1]) == 21339
    assert "21,339" in FIGURES["paper-fig1"].words()
    approximate = fm.relu_scale_squared(64, 1.0) ** 0.5
    assert f"{(approximate / fm.Gain('relu', 64).scale(1.0)) ** 500:.3f}" == "0.911"


def test_the_mean_moment_of_the_experiment_is_the_exact_one():
    # Of order 1 under the scale of order 1 the pooled mean converges: 100 repetitions of 500
    # networks of 64 entries, whose relative standard error comes from the spread of |x|.
    from fracmoment.figures import Run, paper

    run = Run(sizes={"repetitions": 100})
    rows = paper._entry_norms(run, np.array([1.0, 1.1]))[:, 0]
    exact = paper._exact_entry_norms(2.0, np.array([1.0]))[0]
    error = rows.std(ddof=1) / np.sqrt(len(rows))
    assert abs(rows.mean() - exact) < 5 * error


def test_the_gallery_has_every_caption():
    page = " ".join(GALLERY.read_text(encoding="utf-8").split())
    for name, figure in FIGURES.items():
        assert f"### {name} {figure.title[0].upper()}{figure.title[1:]}." in page
        assert figure.words() in page
    headings = re.findall(r"^### (.*)$", GALLERY.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == list(FIGURES)
