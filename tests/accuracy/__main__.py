"""Measure the accuracy of the double route and write the ledger.

``python -m tests.accuracy`` measures 2,000 points a law and prints the table;
``python -m tests.accuracy --points 100000 --write`` replaces the ledger file.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import fracmoment as fm

from .sampling import DIGITS, LAWS, QUANTITIES, RATIOS, SEED, measure, measure_ratio

LEDGER = Path(__file__).with_name("ledger.json")


def run(points: int, laws: list[str], seed: int) -> dict[str, Any]:
    """Errors of every quantity; the points of a law are shared among its quantities."""
    ledger: dict[str, Any] = {
        "unit": "ulp of the truth; for log_mean of the larger of it and 1, for higher cumulants"
        " of the larger of it and that power of the standard deviation of log R",
        "truth": f"digits={DIGITS}",
        "version": fm.__version__,
        "seed": seed,
        "points a law": points,
        "laws": {},
    }
    header = f"{'law':<12}{'quantity':<15}{'points':>8}{'maximum':>9}{'99.9 %':>9}{'mean':>9}"
    print(header, flush=True)
    for law in laws:
        if law == "ratios":
            parts = [(kind, measure_ratio(kind, points // len(RATIOS), seed)) for kind in RATIOS]
        else:
            parts = [(q, measure(law, q, points // len(QUANTITIES), seed)) for q in QUANTITIES]
        ledger["laws"][law] = {}
        for name, errors in parts:
            summary = errors.summary()
            ledger["laws"][law][name] = summary
            print(
                f"{law:<12}{name:<15}{summary['points']:>8}{summary['maximum']:>9.4f}"
                f"{summary['99.9 %']:>9.4f}{summary['mean']:>9.4f}",
                flush=True,
            )
    return ledger


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.accuracy", description=__doc__)
    parser.add_argument("--points", type=int, default=2000, help="points a law")
    parser.add_argument("--law", action="append", choices=[*LAWS, "ratios"], help="only this law")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--write", action="store_true", help=f"write {LEDGER.name}")
    options = parser.parse_args()
    start = time.perf_counter()
    ledger = run(options.points, options.law or [*LAWS, "ratios"], options.seed)
    print(f"{time.perf_counter() - start:.0f} s")
    worst = 0.0
    for law, quantities in ledger["laws"].items():
        for name, summary in quantities.items():
            worst = max(worst, summary["maximum"])
            if summary["maximum"] > 1.0:
                print(f"above 1 ulp: {law} {name} {summary['maximum']}: {summary['worst']}")
    if options.write:
        LEDGER.write_text(json.dumps(ledger, indent=1) + "\n")
        print(f"written: {LEDGER}")
    return 1 if worst > 1.0 else 0


if __name__ == "__main__":
    sys.exit(main())
