"""``fracmoment prove``: the listed inequalities, proved over their ranges."""

from __future__ import annotations

import argparse
import math
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from fracmoment import _validation
from fracmoment.cli.common import (
    add_json_option,
    make_console,
    make_table,
    note,
    number,
    print_json,
    print_table,
    progress,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from fracmoment.certified import Progress, Result, Statement

_DESCRIPTION = """\
Prove inequalities about the scales over whole ranges of orders and slopes, for
every width of a range, by ball arithmetic with adaptive subdivision. Without
options the listed statements are proved for widths 1 to 256, except those that
follow from another one. This takes about half an hour.
docs/algorithms/proofs.md says what they mean.

Exit status: 0 if everything asked for is proved, 1 if something is refuted or
left undecided.
"""
_EXAMPLES = """\
examples:
  fracmoment prove --list
  fracmoment prove --only he_exponent_negative
  fracmoment prove --only expansion --widths 1:16 --time-limit 60 --json
"""
EXIT_NOT_PROVED = 1


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "prove",
        help="prove inequalities over ranges of orders, slopes and widths",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--list", action="store_true", help="list the statements and end")
    parser.add_argument(
        "--only",
        metavar="NAME",
        action="append",
        help="prove this statement only (may be given several times)",
    )
    parser.add_argument(
        "--widths", metavar="A:B", help="widths A to B, or one width (default 1:256)"
    )
    parser.add_argument(
        "--time-limit", metavar="S", help="stop after S seconds; the rest is undecided"
    )
    parser.add_argument(
        "--jobs", metavar="N", type=int, default=1, help="processes to use (default 1)"
    )
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prove and print."""
    from fracmoment.certified import STATEMENTS

    names = [_validation.choice("--only", name, STATEMENTS) for name in arguments.only or ()]
    widths = None if arguments.widths is None else read_widths(arguments.widths)
    seconds = math.inf
    if arguments.time_limit is not None:
        seconds = _validation.as_float("--time-limit", arguments.time_limit)
        _validation.require("--time-limit", seconds, seconds > 0, "> 0")
    jobs = _validation.integer("--jobs", arguments.jobs, 1, 1024)
    if arguments.list:
        for name in names or STATEMENTS:
            print(f"{name}: {describe(STATEMENTS[name])}")
        return 0
    if not names:  # the others are among their consequences
        names = [name for name, statement in STATEMENTS.items() if not statement.follows_from]
    results = _prove(names, widths, seconds, jobs)
    if arguments.json:
        print_json({"command": "prove", "statements": [_data(*item) for item in results.items()]})
    else:
        _show(results)
    return 0 if all(result.proved for result in results.values()) else EXIT_NOT_PROVED


def read_widths(text: str) -> range:
    """Return a range of widths from ``A:B``, both included, or from one width.

    Examples
    --------
    >>> read_widths("1:256")
    range(1, 257)
    """
    first, colon, last = text.partition(":")
    try:
        low = int(first)
        high = int(last) if colon else low
    except ValueError:
        low, high = 1, 0
    if not 1 <= low <= high:
        message = f"--widths must be A:B with 1 <= A <= B, or one width, got {text[:40]!r}"
        raise ValueError(message)
    return range(low, high + 1)


def describe(statement: Statement) -> str:
    """Return the claim of a statement with its ranges."""
    parts = [f"{name} in [{low}, {high}]" for name, (low, high) in statement.over.items()]
    if statement.widths is not None:
        parts.insert(0, f"widths {statement.widths[0]} to {statement.widths[-1]}")
    if statement.follows_from:
        parts.append(f"follows from {statement.follows_from}")
    return f"{statement.claim}; {', '.join(parts)}"


def _prove(names: list[str], widths: range | None, seconds: float, jobs: int) -> dict[str, Result]:
    from concurrent.futures import ProcessPoolExecutor

    from fracmoment.certified import STATEMENTS, prove

    end = time.monotonic() + seconds
    results: dict[str, Result] = {}
    with ProcessPoolExecutor(jobs) if jobs > 1 else nullcontext() as executor:
        for name in names:
            results[name] = prove(
                name,
                widths=None if STATEMENTS[name].widths is None else widths,
                time_limit=max(1e-9, end - time.monotonic()),
                progress=_reporter(name),
                executor=executor,
            )
            note("")
    return results


def _reporter(name: str) -> Callable[[Progress], None]:
    """Return what shows progress to a person."""

    def report(state: Progress) -> None:
        width = "" if state.width is None else f" width {state.width},"
        progress(f"{name}:{width} {state.boxes} boxes, {state.seconds:.0f} s")

    return report


def _data(name: str, result: Result) -> dict[str, Any]:
    from fracmoment.certified import STATEMENTS

    witness = result.witness
    return {
        "name": name,
        "claim": describe(STATEMENTS[name]),
        "status": result.status,
        "witness": None if witness is None else {"box": str(witness.box), "margin": witness.margin},
        "reason": result.reason,
        "remaining": [str(box) for box in result.remaining],
        "boxes": result.boxes,
        "depth": result.depth,
        "precision": result.precision,
        "seconds": round(result.seconds, 3),
    }


def _show(results: dict[str, Result]) -> None:
    console = make_console()
    table = make_table("", ("statement", "status", "boxes", "depth", "bits", "seconds"), left=2)
    for name, result in results.items():
        cells = (result.boxes, result.depth, result.precision)
        seconds = number(result.seconds, 3)
        table.add_row(name, result.status, *(str(cell) for cell in cells), seconds)
    print_table(console, table)
    for name, result in results.items():
        if result.witness is not None:
            print(f"{name} is false at {result.witness}")
        elif result.remaining:
            more = len(result.remaining) - 1
            rest = f" and {more} more" if more else ""
            print(f"{name}: {result.reason}; left: {result.remaining[0]}{rest}")
