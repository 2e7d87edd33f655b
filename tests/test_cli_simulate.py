"""``fracmoment simulate``."""

import json

import pytest

import fracmoment as fm
from fracmoment.cli import main

SMALL = ["simulate", "--widths", "8x4,5", "--samples", "20000", "--seed", "3"]


def run_json(capsys, *options):
    assert main([*SMALL, *options, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_against_the_exact_law(capsys):
    for options in (
        [],
        ["--order", "0.5", "--last", "same", "--dropout", "0.2"],
        ["--sigma", "0.4", "--moments", "0.5,1", "--activation", "rrelu", "--preserve", "norm"],
        ["--weights", "orthogonal", "--widths", "8x5"],
        ["--method", "vector", "--order", "2"],
    ):
        data = run_json(capsys, *options)
        assert data["n_samples"] == 20000
        for row in [data["log_mean"], data["log_var"], *[m["ratio"] for m in data["moments"]]]:
            assert abs(row["z"]) < 5
        spread = data["log_var"]["exact"] ** 0.5
        for row in data["quantiles"]:
            assert abs(row["measured"] - row["exact"]) < 0.15 * spread


def test_it_is_the_library(capsys):
    data = run_json(capsys, "--preserve", "norm", "--last", "same")
    gains = [fm.Gain("relu", w) for w in (8, 8, 8, 5)]
    s = fm.summarize_log_norms(gains, data["scales"], None, 20000, rng=3)
    assert data["log_mean"]["measured"] == s.mean.value
    assert data["scales"] == [g.scale(1) for g in gains]


def test_threads_processes_and_checkpoints_change_nothing(capsys, tmp_path):
    first = run_json(capsys)
    assert run_json(capsys, "--threads", "3") == first
    assert run_json(capsys, "--processes", "2") == first
    file = ["--checkpoint", str(tmp_path / "run")]
    assert run_json(capsys, *file) == first
    assert run_json(capsys, *file) == first
    assert main([*SMALL, *file, "--samples", "100"]) == 1
    assert "another run" in capsys.readouterr().err


def test_table(capsys):
    assert main(SMALL) == 0
    out = capsys.readouterr().out
    assert "seed 3" in out
    assert "death probability" in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--samples", "1.5"], "--samples"),
        (["--samples", "-1"], "--samples"),
        (["--threads", "0"], "--threads"),
        (["--sigma", "0"], "--sigma"),
        (["--moments", "1,x"], "--moments"),
        (["--moments", "-9"], "order"),
        (["--weights", "orthogonal"], "narrow"),
        (["--method", "matrices"], "--method"),
    ],
)
def test_bad_usage(options, message, capsys):
    assert main([*SMALL, *options]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert not captured.out
