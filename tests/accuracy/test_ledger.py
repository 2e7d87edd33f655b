"""The errors at random points stay below 1 ulp, and so does what the ledger file records."""

from __future__ import annotations

import json

import pytest

from .__main__ import LEDGER, run
from .sampling import LAWS, QUANTITIES, RATIOS, SEED

EVERY = [*LAWS, "ratios"]


def check(ledger: dict) -> None:
    wrong = [
        f"{law} {name}: {summary['maximum']} ulp at {summary['worst']}"
        for law, quantities in ledger["laws"].items()
        for name, summary in quantities.items()
        if not summary["maximum"] <= 1.0
    ]
    assert not wrong, "\n".join(wrong)


def test_ledger_file() -> None:
    ledger = json.loads(LEDGER.read_text())
    assert set(ledger["laws"]) == set(EVERY)
    for law, quantities in ledger["laws"].items():
        assert set(quantities) == set(RATIOS if law == "ratios" else QUANTITIES)
    check(ledger)


@pytest.mark.parametrize("law", EVERY)
def test_random_points(law: str) -> None:
    check(run(2000, [law], SEED))


@pytest.mark.slow
@pytest.mark.parametrize("law", EVERY)
def test_many_random_points(law: str) -> None:
    check(run(100_000, [law], SEED + 1))
