"""A constant that is off has to be seen: by the right statements, with exit status 1."""

import json

import pytest

import fracmoment as fm
from fracmoment.certified import Enclosure
from fracmoment.cli import main
from fracmoment.statements import STATEMENTS, refutations, run_statement

SOUND = "submatrix-isometry"  # what no constant of the library enters


def verify(capsys, *names):
    options = [option for name in names for option in ("--only", name)]
    status = main(["verify", "--quick", "--json", *options])
    data = json.loads(capsys.readouterr().out)
    return status, {row["id"]: row for row in data["statements"]}


def failing(row):
    return {item["kind"] for item in row["evidence"] if not item["holds"]}


def scaled(monkeypatch, owner, name, factor):
    original = getattr(owner, name)

    def wrong(*args, **kwargs):
        return original(*args, **kwargs) * factor

    monkeypatch.setattr(owner, name, wrong)


def test_nothing_corrupted_is_status_0(capsys):
    status, rows = verify(capsys, "preserve-linear", SOUND)
    assert status == 0
    assert all(row["settled"] for row in rows.values())


def test_a_scale_off_by_1e_9_is_seen_by_enclosures(monkeypatch, capsys):
    scaled(monkeypatch, fm.Gain, "scale", 1 + 1e-9)
    names = ("preserve-linear", "preserve-orthogonal", "order-two-is-he", "lyapunov-limit")
    status, rows = verify(capsys, *names, SOUND)
    assert status == 1
    for name in names:
        assert not rows[name]["settled"]
        assert rows[name]["verdict"] == "fails"
        assert failing(rows[name]) == {"proof"}, name
    assert rows[SOUND]["settled"]


def test_a_scale_off_by_one_percent_is_seen_by_simulations(monkeypatch, capsys):
    scaled(monkeypatch, fm.Gain, "scale", 1.01)
    status, rows = verify(capsys, "preserve-linear", "preserve-relu", SOUND)
    assert status == 1
    assert failing(rows["preserve-linear"]) == {"proof", "statistics"}
    assert failing(rows["preserve-relu"]) == {"proof", "statistics"}
    assert rows[SOUND]["settled"]


@pytest.mark.parametrize(
    ("owner", "name", "factor", "statement", "kinds"),
    [
        (fm.Gain, "tail_index", 1 + 1e-9, "tail-index-is-the-order", {"proof"}),
        (fm, "init_scale", 1 + 1e-9, "preserve-rectangular", {"proof"}),
        (fm, "init_scale", 1.02, "preserve-rectangular", {"proof", "statistics"}),
        (fm, "prob_dead", 1 + 1e-9, "death-probability", {"identity"}),
        (fm.LeastSquaresSGD, "critical_step", 1 + 1e-6, "sgd-tail-index", {"computation"}),
        (fm.PriorPredictive, "cdf", 0.95, "prior-predictive", {"statistics"}),
        (fm.Signals, "cdf", 0.95, "signal-law", {"statistics"}),
    ],
)
def test_other_constants(monkeypatch, owner, name, factor, statement, kinds):
    scaled(monkeypatch, owner, name, factor)
    result = run_statement(STATEMENTS[statement], seed=1, quick=True)
    assert not result.settled
    assert {item.kind for item in result.outcome.evidence if not item.holds} == kinds


def test_spectral_moments(monkeypatch):
    original = fm.jacobian_moments

    def wrong(*args, **kwargs):
        found = original(*args, **kwargs)
        return type(found)(
            found.trace, found.trace_of_square * 1.1, found.square_of_trace, found.inputs
        )

    monkeypatch.setattr(fm, "jacobian_moments", wrong)
    result = run_statement(STATEMENTS["isometry-recursion"], seed=1, quick=True)
    assert {item.kind for item in result.outcome.evidence if not item.holds} == {
        "identity",
        "statistics",
    }


def test_a_false_claim_that_is_not_refuted_is_a_failure(monkeypatch, capsys):
    from fracmoment import certified

    def repaired(activation, fan_in, order):
        exact = certified.scale(fm.Gain(activation, fan_in), order)
        return Enclosure(exact.lower, exact.upper)

    monkeypatch.setattr(refutations, "_released", repaired)
    status, rows = verify(capsys, "released-expansion")
    assert status == 1
    assert rows["released-expansion"]["verdict"] == "not refuted"
