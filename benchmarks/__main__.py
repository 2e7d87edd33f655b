"""Run the benchmarks: ``python -m benchmarks [WORD ...] [--json | --markdown FILE]``.

A WORD keeps the cases whose name contains it. Every answer is compared with the truth before it is
timed; a case of ours that is wrong ends the run with status 1.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import warnings
from fractions import Fraction
from typing import Any

import numpy as np

from . import peers
from .cases import OURS, Case, every_case
from .timing import first_calls, machine, seconds, write_page


def error(values: Any, truth: list[Fraction], unit: str) -> float:
    """Largest error in ulp, or the smallest number of correct digits."""
    worst = 0.0
    for value, exact in zip(np.ravel(np.asarray(values, dtype=object)), truth, strict=False):
        if isinstance(value, float) and not math.isfinite(value):
            return math.inf if unit == "ulp" else 0.0
        gap = abs(peers.as_fraction(value) - exact)
        if unit == "ulp":
            worst = max(worst, float(gap / Fraction(math.ulp(float(exact)))))
        else:
            worst = max(worst, float(gap / abs(exact)))
    if unit == "digits":
        return 1000.0 if worst == 0.0 else -math.log10(worst)
    return worst


def measure(case: Case) -> dict[str, Any]:
    truth = case.truth()
    result: dict[str, Any] = {"case": case.name, "unit": case.unit, "methods": {}}
    ours = None
    for name, run in case.methods.items():
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            values = run()
            size = np.size(np.asarray(values, dtype=object))
            wrong = error(values, truth, case.unit)
            timed = case.first and name == OURS
            spent = first_calls(case.first) if timed else seconds(run) / size
        ours = spent if name == OURS else ours
        result["methods"][name] = {
            "seconds per value": spent,
            "times ours": spent / ours,
            "error": wrong,
        }
        if name == OURS:
            good = wrong <= case.allowed if case.unit == "ulp" else wrong >= case.allowed
            result["verified"] = bool(good)
    return result


def shown(spent: float) -> str:
    for factor, name in ((1e9, "ns"), (1e6, "µs"), (1e3, "ms")):
        if spent * factor < 1000:
            return f"{spent * factor:.3g} {name}"
    return f"{spent:.3g} s"


def print_case(result: dict[str, Any]) -> None:
    print(f"\n{result['case']}" + ("" if result["verified"] else "   WRONG"))
    for name, entry in result["methods"].items():
        ratio = "" if name == OURS else f"{entry['times ours']:.3g} x"
        wrong = error_text(entry["error"], result["unit"])
        print(f"  {name:<32}{shown(entry['seconds per value']):>10}{ratio:>12}{wrong:>16}")


def flat_cost(results: list[dict[str, Any]]) -> dict[str, float]:
    """Time at width 10^6 over time at width 64, for every law with both."""
    times = {r["case"]: r["methods"][OURS]["seconds per value"] for r in results}
    ratios = {}
    for name, spent in times.items():
        wide = name.replace("width 64,", "width 1,000,000,")
        if wide != name and wide in times:
            ratios[name.replace(", width 64", "")] = times[wide] / spent
    return ratios


MARKDOWN_HEAD = """# Measured speeds

Written by `python -m benchmarks --markdown docs/benchmarks.md`; what the columns mean and what the
other ways are: [Benchmarking](benchmarking.md). Processor time for one value, one
thread, and the largest error before timing. A ratio below 1 means that the other way is faster.
Numbers belong to the machine in the first table; ratios carry over better.
"""


def error_text(error: float, unit: str) -> str:
    if unit == "digits":
        return f"{min(error, 999):.0f} digits"
    return "not finite" if math.isinf(error) else f"{error:.2g} ulp"


def markdown(about: dict[str, Any], results: list[dict[str, Any]], ratios: dict[str, float]) -> str:
    lines = [MARKDOWN_HEAD, "| machine | |", "| --- | --- |"]
    lines += [f"| {key} | {value} |" for key, value in about.items()]
    lines += [
        "",
        "| case | way | time a value | times ours | error |",
        "| --- | --- | --- | --- | --- |",
    ]
    for result in results:
        case = result["case"]
        for name, entry in result["methods"].items():
            ratio = "" if name == OURS else f"{entry['times ours']:.3g}"
            wrong = error_text(entry["error"], result["unit"])
            time = shown(entry["seconds per value"])
            lines.append(f"| {case} | {name} | {time} | {ratio} | {wrong} |")
            case = ""
    if ratios:
        lines += [
            "",
            "Time at width 10^6 over time at width 64:",
            "",
            "| law | ratio |",
            "| --- | --- |",
        ]
        lines += [f"| {name} | {ratio:.2f} |" for name, ratio in ratios.items()]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="WORD", help="only cases that contain it")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--markdown", metavar="FILE", help="write a page with tables as well")
    options = parser.parse_args()
    about = machine()
    if not options.json:
        for key, value in about.items():
            print(f"{key:<14}{value}")
    results = []
    for case in every_case():
        if options.words and not any(word.lower() in case.name.lower() for word in options.words):
            continue
        results.append(measure(case))
        if not options.json:
            print_case(results[-1])
            sys.stdout.flush()
    ratios = flat_cost(results)
    if options.markdown:
        page = markdown(about, results, ratios)
        if options.words:
            page += f"\nOnly cases whose name contains one of: {', '.join(options.words)}.\n"
        write_page(options.markdown, page=page)
    if options.json:
        document = {"machine": about, "cases": results, "width 10^6 over width 64": ratios}
        print(json.dumps(document, indent=1))
    elif ratios:
        print("\ntime at width 10^6 over time at width 64")
        for name, ratio in ratios.items():
            print(f"  {name:<52}{ratio:>8.2f}")
    return 0 if all(result["verified"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
