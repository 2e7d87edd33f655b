"""The statements themselves: complete, consistent, and settled where that is quick."""

import re
from pathlib import Path

import pytest

from fracmoment.statements import KINDS, STATEMENTS, THEMES, run_statement

REFERENCES = Path(__file__).parents[2] / "docs" / "references.md"

#: What the issue of the library asks for, by the words of an id.
TOPICS = [
    "preserve-linear",
    "preserve-relu",
    "preserve-leaky-relu",
    "preserve-randomized-leaky-relu",
    "preserve-rectangular",
    "preserve-dropout",
    "order-two-is-he",
    "order-two-is-lecun",
    "order-two-fan-modes",
    "expansion-linear",
    "expansion-relu",
    "scale-decreasing",
    "almost-sure-limit",
    "death-probability",
    "log-normal-limit",
    "log-moments",
    "berry-esseen",
    "small-outputs-coupling",
    "small-outputs-probability",
    "stationary-heavy-tail",
    "tail-index-is-the-order",
    "sgd-tail-index",
    "norm-moments",
    "gram-law",
    "mean-field-limit",
    "bernoulli-masks",
    "gradient-law",
    "isometry-recursion",
    "submatrix-is-linear",
    "submatrix-isometry",
    "newman-exponents",
    "lyapunov-limit",
    "released-expansion",
    "released-fan-in",
    "released-leaky",
    "released-gamma-sum",
    "released-figure-4",
]

#: Checks of more than a second or so, which `fracmoment verify --quick` runs.
LONG = {
    "almost-sure-limit",
    "berry-esseen",
    "expansion-general",
    "expansion-linear",
    "expansion-relu",
    "explicit-biases",
    "goldie-constant",
    "gram-law",
    "log-normal-limit",
    "norm-moments",
    "preserve-dropout",
    "preserve-randomized-leaky-relu",
    "scale-above-he",
    "scale-decreasing",
    "sgd-monotone",
    "stationary-heavy-tail",
    "tail-index-decreasing",
}
SHORT = [name for name in STATEMENTS if name not in LONG]


def test_every_statement_is_complete():
    keys = set(re.findall(r"^\*\*\[(\w+)\]\*\*", REFERENCES.read_text(), re.MULTILINE))
    for name, statement in STATEMENTS.items():
        assert name == statement.id
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
        assert statement.sources, name
        for source in statement.sources:
            assert source.paper in keys, (name, source)
            assert source.section, name
        for text in (statement.title, statement.claim, statement.formula, statement.hypotheses):
            assert text.strip(), name
        assert statement.claim.count("`") % 2 == 0
        assert statement.kinds
        assert set(statement.kinds) <= set(KINDS), name
        assert len(set(statement.kinds)) == len(statement.kinds)
        assert statement.false == ("false" in statement.hypotheses.lower()), name


def test_ids_and_titles_are_unique():
    every = [statement for theme in THEMES.values() for statement in theme]
    assert len(every) == len(STATEMENTS) == len({statement.title for statement in every})


def test_the_statements_asked_for_are_there():
    assert set(TOPICS) <= set(STATEMENTS)
    assert set(STATEMENTS) > LONG


@pytest.mark.parametrize("name", SHORT)
def test_quick_checks_settle_with_the_evidence_declared(name):
    result = run_statement(STATEMENTS[name], seed=1, quick=True)
    assert result.settled, (result.error, result.outcome.evidence)
    assert {item.kind for item in result.outcome.evidence} == set(result.statement.kinds)
    assert result.failure_probability < 1e-7
    assert all((item.sample_size is None) == (item.kind != "statistics")
               for item in result.outcome.evidence)  # fmt: skip


def test_another_seed_gives_other_samples_and_the_same_verdict():
    outcomes = [
        run_statement(STATEMENTS["gradient-law"], seed=seed, quick=True) for seed in (2, 3, 2)
    ]
    assert all(result.settled for result in outcomes)
    measured = [result.outcome.evidence[0].measured for result in outcomes]
    assert measured[0] == measured[2] != measured[1]
