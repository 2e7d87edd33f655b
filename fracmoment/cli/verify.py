"""``fracmoment verify``: the statements of the papers, checked."""

from __future__ import annotations

import argparse
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from fracmoment import _validation
from fracmoment._files import write_text
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
    from typing import Any

    from fracmoment.statements import Result, Statement

_DESCRIPTION = """\
Check the statements of the papers: by enclosures, exact identities, computation
and simulation. Claims that are known to be false have to be refuted. About nine
minutes of processor time, with --quick one or two. docs/statements.md explains.

Exit status: 0 if every statement is settled, 1 if one is not.
"""
_EXAMPLES = """\
examples:
  fracmoment verify --quick
  fracmoment verify --only preserve-relu --only released-leaky
  fracmoment verify --report out/statements
"""
EXIT_NOT_SETTLED = 1
_HTML, _JSON, _RESULTS = "statements.html", "statements.json", "results"


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "verify",
        help="check the statements of the papers",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--list", action="store_true", help="list the statements and end")
    parser.add_argument(
        "--only",
        metavar="ID",
        action="append",
        help="check this statement only (may be given several times)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="small samples and few widths, about a minute"
    )
    parser.add_argument("--seed", metavar="N", default="1", help="seed of the simulations (1)")
    parser.add_argument(
        "--report",
        metavar="DIR",
        type=Path,
        help=f"write {_HTML} and {_JSON} there, and keep each result as it comes: the same command"
        " goes on where an earlier one stopped",
    )
    parser.add_argument(
        "--fresh", action="store_true", help="with --report: use no result of an earlier run"
    )
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Check and print."""
    from fracmoment.plotting.style import require_matplotlib
    from fracmoment.statements import STATEMENTS, run_statements
    from fracmoment.statements.report import html_report, json_report
    from fracmoment.statements.runner import versions

    names = dict.fromkeys(
        _validation.choice("--only", name, STATEMENTS) for name in arguments.only or STATEMENTS
    )
    chosen = [STATEMENTS[name] for name in names]
    seed = _seed(arguments.seed)
    if arguments.list:
        _list(chosen, arguments.json)
        return 0
    directory = None
    if arguments.report is not None:
        require_matplotlib()
        directory = arguments.report / _RESULTS
        directory.mkdir(parents=True, exist_ok=True)
    try:
        results = list(
            run_statements(
                chosen,
                seed=seed,
                quick=arguments.quick,
                directory=directory,
                fresh=arguments.fresh,
                started=_reporter(chosen),
            )
        )
    except KeyboardInterrupt:
        if directory is not None:
            note("\nstopped; the same command goes on from here")
        raise
    note("")
    about: dict[str, Any] = {
        "seed": seed,
        "quick": arguments.quick,
        "versions": versions(),
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
    }
    data = json_report(results, **about)
    if arguments.report is not None:
        write_text(arguments.report / _HTML, html_report(results, **about))
        write_text(arguments.report / _JSON, json.dumps(data, indent=1, allow_nan=False))
    if arguments.json:
        print_json(data)
    else:
        _show(results, data, arguments.report)
    return 0 if data["settled"] else EXIT_NOT_SETTLED


def _seed(text: str) -> int:
    seed = _validation.rational("--seed", text)
    if seed.denominator != 1 or not 0 <= seed < 2**63:
        message = f"--seed must be an integer from 0 to 2^63 - 1, got {text!r}"
        raise ValueError(message)
    return int(seed)


def _reporter(chosen: list[Statement]) -> Callable[[Statement], None]:
    """Return what shows progress to a person."""
    place = {statement.id: i for i, statement in enumerate(chosen, 1)}

    def report(statement: Statement) -> None:
        progress(f"[{place[statement.id]}/{len(chosen)}] {statement.id}")

    return report


def _list(chosen: list[Statement], as_json: bool) -> None:
    if as_json:
        rows = [
            {
                "id": statement.id,
                "title": statement.title,
                "sources": [str(source) for source in statement.sources],
                "kinds": list(statement.kinds),
                "false": statement.false,
            }
            for statement in chosen
        ]
        print_json({"command": "verify", "statements": rows})
        return
    for statement in chosen:
        papers = ", ".join(dict.fromkeys(source.paper for source in statement.sources))
        false = " (false)" if statement.false else ""
        print(f"{statement.id}: {statement.title}{false} [{papers}]")


# ---------------------------------------------------------------- for people


def _show(results: list[Result], data: dict[str, Any], report: Path | None) -> None:
    console = make_console()
    table = make_table("", ("statement", "verdict", "evidence", "seconds"), left=3)
    for result in results:
        kinds = ", ".join(result.statement.kinds)
        verdict = "error" if result.error else result.verdict
        table.add_row(result.statement.id, verdict, kinds, number(result.seconds, 3))
    print_table(console, table)
    for result in (result for result in results if not result.settled):
        print(f"\n{result.statement.id} is not settled: {result.statement.title}")
        if result.error:
            print(f"  {result.error}")
        for item in result.outcome.evidence:
            if not item.holds:
                print(f"  {item.kind}: {item.text}\n    {item.measured}")
    settled = sum(result.settled for result in results)
    kept = sum(result.kept for result in results)
    again = f", {kept} of them in an earlier run" if kept else ""
    print(f"\n{settled} of {len(results)} statements are settled{again}.")
    print(f"By chance a true one fails with probability {data['failure_probability']:.0e} at most.")
    if report is not None:
        print(f"The report is {report / _HTML}.")
