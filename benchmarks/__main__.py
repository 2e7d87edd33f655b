"""Verify and time the library beside the ways a user would otherwise take.

Without names everything is measured; WORDs keep the cases whose name contains one of them. The
exact name of a kernel (see --list) runs just that one, as a workload of --size units.

Exit status: 0; 1 if an answer of ours is wrong or, with --compare, a case got slower; 2 if the
command makes no sense.
"""

from __future__ import annotations

import argparse
import datetime as dt
import difflib
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import compare, kernels, random_peers, tables
from .case import OURS, measure
from .suites import SUITES, chosen
from .timing import Effort, load, machine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .case import Case


def natural(text: str) -> int:
    """A whole number from 1 on, also written as 1e6."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if value < 1 or value != int(value):
        msg = f"{text!r} is not a whole number from 1 on"
        raise argparse.ArgumentTypeError(msg)
    return int(value)


def factor(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1.0 <= value < float("inf"):
        msg = f"{text!r} is not a number from 1 on"
        raise argparse.ArgumentTypeError(msg)
    return value


def suite_names(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in SUITES:
            known = ", ".join(SUITES)
            msg = f"no suite is called {name!r}; there are {known}"
            raise argparse.ArgumentTypeError(msg)
    return names


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="WORD", help="words, or the name of a kernel")
    parser.add_argument("--list", action="store_true", help="print kernels and cases, and stop")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--quick", action="store_true", help="verify everything, time coarsely")
    parser.add_argument("--threads", type=natural, default=1, metavar="N", help="of our engines")
    parser.add_argument("--size", type=natural, metavar="N", help="units of a kernel's workload")
    parser.add_argument(
        "--suite", type=suite_names, metavar="NAMES", help=f"of {','.join(SUITES)}; all by default"
    )
    parser.add_argument("--out", metavar="DIR", help="write results.json and a page, index.html")
    parser.add_argument("--markdown", metavar="FILE", help="write the page of measured speeds")
    parser.add_argument("--compare", metavar="OLD.json", help="say what changed since that run")
    parser.add_argument(
        "--tolerance",
        type=factor,
        default=compare.TOLERANCE,
        metavar="X",
        help=f"times as slow that --compare accepts, {compare.TOLERANCE} by default",
    )
    return parser


# ---------------------------------------------------------------- a kernel


def run_kernel(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    for option in ("suite", "out", "markdown", "compare"):
        if getattr(options, option):
            parser.error(f"--{option} is for cases; {options.names[0]} is a kernel")
    kernel = kernels.KERNELS[options.names[0]]
    effort = Effort(options.threads, options.quick)
    result = kernels.run(kernel, options.size or kernel.size, effort)
    if options.json:
        print(json.dumps({**result, "machine": machine()}, indent=1))
    else:
        print(f"{kernel.name}: {result['case']}, {result['units']:g} x {result['unit']}")
        for key in ("threads", "clock", "verified", "check", "checksum"):
            print(f"  {key:<16}{result[key]}")
        seconds = result["seconds"]
        for key in ("min", "median"):
            print(f"  {key:<16}{tables.time_text(seconds[key])} of {seconds['runs']} runs")
        print(f"  {'a ' + result['unit']:<16}{tables.time_text(result['seconds a unit'])}")
    return 0 if result["verified"] else 1


# ---------------------------------------------------------------- cases


def unknown(parser: argparse.ArgumentParser, names: Sequence[str], cases: Sequence[str]) -> None:
    """End with status 2 because of names that nothing contains."""
    for name in names:
        if any(name.lower() in case.lower() for case in cases):
            continue
        words = {word.strip(",") for case in cases for word in case.split()}
        near = difflib.get_close_matches(name, [*kernels.KERNELS, *words], 3)
        hint = f"; did you mean {' or '.join(near)}?" if near else "; --list shows what there is"
        parser.error(f"no kernel is called {name!r}, and no case contains it{hint}")


def again(cases: list[Case], document: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    """Measure cases that seem slower once more, longer, and keep the lesser times."""
    suspects = {row["case"] for row in rows}
    effort = Effort(document["threads"], document["quick"], patience=3)
    for case, result in zip(cases, document["results"], strict=True):
        if case.name not in suspects:
            continue
        second = measure(case, effort)["methods"]
        for name, entry in result["methods"].items():
            entry["seconds"] = min(entry["seconds"], second[name]["seconds"])
        for entry in result["methods"].values():
            entry["times ours"] = entry["seconds"] / result["methods"][OURS]["seconds"]


def write(path: Path, text: str) -> None:
    """Replace a file at once, so that nobody reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def measure_all(cases: list[Case], effort: Effort, options: argparse.Namespace) -> dict[str, Any]:
    document: dict[str, Any] = {
        "format": compare.FORMAT,
        "date": dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": {**machine(), **random_peers.versions()},
        "threads": effort.threads,
        "quick": effort.quick,
        "words": options.names,
        "load": [load()],
        "results": [],
    }
    for case in cases:
        document["results"].append(measure(case, effort))
        if not options.json:
            print(tables.text(document["results"][-1]), flush=True)
    document["load"].append(load())
    return document


def run_cases(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    if options.out and importlib.util.find_spec("matplotlib") is None:
        parser.error("--out draws with matplotlib: pip install 'fracmoment[plot]'")
    old = None
    if options.compare:
        try:
            old = compare.read(options.compare)
        except ValueError as error:
            parser.error(str(error))
    effort = Effort(options.threads, options.quick)
    cases = list(chosen(options.suite or list(SUITES), options.names, effort))
    unknown(parser, options.names, [case.name for case in cases])
    document = measure_all(cases, effort, options)
    status = 0 if all(result["verified"] for result in document["results"]) else 1
    if old:
        suspects = compare.compare(old, document, options.tolerance)["regressions"]
        again(cases, document, suspects)
        document["comparison"] = compare.compare(old, document, options.tolerance)
        status = 1 if document["comparison"]["regressions"] else status
    if options.out:
        from . import board

        write(Path(options.out) / "results.json", json.dumps(document, indent=1))
        write(Path(options.out) / "index.html", board.page(document))
    if options.markdown:
        write(Path(options.markdown), tables.markdown(document))
    if options.json:
        print(json.dumps(document, indent=1))
    else:
        print_end(document)
    return status


def print_end(document: dict[str, Any]) -> None:
    print()
    for key, value in tables.about(document):
        print(f"{key:<30}{value}")
    for name, ratio in tables.flat_costs(document["results"]).items():
        print(f"{name}, time at the greatest over that at the least width: {ratio:.2f}")
    if "comparison" in document:
        print("\n".join(compare.lines(document["comparison"])))
    wrong = [result["case"] for result in document["results"] if not result["verified"]]
    print(f"{len(document['results'])} cases, {len(wrong)} wrong")
    for case in wrong:
        print(f"  WRONG: {case}")


def print_list(options: argparse.Namespace) -> int:
    suites = {
        name: [case.name for case in chosen([name], [], Effort(quick=True))]
        for name in options.suite or SUITES
    }
    if options.json:
        about = {
            name: {"summary": kernel.summary, "size": kernel.size}
            for name, kernel in kernels.KERNELS.items()
        }
        print(json.dumps({"kernels": about, "suites": suites}, indent=1))
        return 0
    print("kernels, and their size by default")
    for kernel in kernels.KERNELS.values():
        print(f"  {kernel.name:<26}{kernel.size:>9,}  {kernel.summary}")
    for suite, names in suites.items():
        print(f"\n{suite}")
        print("\n".join(f"  {name}" for name in names))
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.list:
        return print_list(options)
    called = [name for name in options.names if name in kernels.KERNELS]
    if called and len(options.names) == 1:
        return run_kernel(parser, options)
    if called:
        parser.error(f"{called[0]} is a kernel, which runs alone")
    if options.size:
        parser.error("--size is for a kernel; --list shows them")
    return run_cases(parser, options)


if __name__ == "__main__":
    sys.exit(main())
