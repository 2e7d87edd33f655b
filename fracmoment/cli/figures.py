"""``fracmoment figures``: the figures of the first paper and of the theory, as files."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fracmoment import _validation
from fracmoment._files import write_bytes
from fracmoment.cli.common import (
    add_json_option,
    make_console,
    make_table,
    note,
    number,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from fracmoment.figures import Specification

_DESCRIPTION = """\
Draw the figures of the first paper from the parameters of its released
notebooks, exact curves over simulated ones, and figures of the theory. Each
file carries its caption; --list prints them. What is simulated depends on the
seed only, not on threads. Needs matplotlib: pip install 'fracmoment[plot]'.

Without options all figures are drawn, which takes about a minute of one core.
"""
_EXAMPLES = """\
examples:
  fracmoment figures --list
  fracmoment figures --out pictures --quick
  fracmoment figures --only paper-fig4 scale --format pdf
"""


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "figures",
        help="draw the figures of the paper and of the theory",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--out", metavar="DIR", default="figures", help="folder of the files (default: figures)"
    )
    parser.add_argument(
        "--only",
        metavar="NAME",
        action="extend",
        nargs="+",
        help="draw these figures only (may be given several times)",
    )
    parser.add_argument("--list", action="store_true", help="print names and captions, and end")
    parser.add_argument(
        "--quick", action="store_true", help="small samples and coarse grids, for a look"
    )
    parser.add_argument("--format", metavar="NAME", default="png", help="png (default), svg or pdf")
    parser.add_argument(
        "--seed", metavar="N", type=int, default=1, help="seed of the simulations (default 1)"
    )
    parser.add_argument(
        "--threads", metavar="N", type=int, help="number of threads (default: every core)"
    )
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Draw and write."""
    from fracmoment.figures import FIGURES, FORMATS

    asked = [_validation.choice("--only", name, FIGURES) for name in arguments.only or FIGURES]
    chosen = [FIGURES[name] for name in dict.fromkeys(asked)]
    _validation.choice("--format", arguments.format, FORMATS)
    _validation.integer("--seed", arguments.seed, 0, 2**63 - 1)
    if arguments.threads is not None:
        _validation.integer("--threads", arguments.threads, 1, 1024)
    if arguments.list:
        _list(chosen, arguments)
        return 0
    folder = Path(arguments.out)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for place, figure in enumerate(chosen, 1):
        note(f"{place} of {len(chosen)}: {figure.name}, {figure.title}")
        written.append(_write(figure, folder, arguments))
    if arguments.json:
        print_json({"command": "figures", **_settings(arguments), "files": written})
    else:
        _show(written)
    return 0


def _settings(arguments: argparse.Namespace) -> dict[str, Any]:
    return {"quick": arguments.quick, "seed": arguments.seed}


def _describe(figure: Specification, quick: bool) -> dict[str, Any]:
    return {
        "name": figure.name,
        "title": figure.title,
        "source": figure.source,
        "caption": figure.words(quick),
        "corrections": list(figure.corrections),
        "sizes": figure.sizes_of(quick),
    }


def _write(figure: Specification, folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    from fracmoment.figures import draw, render

    start = time.perf_counter()
    options = {"quick": arguments.quick, "seed": arguments.seed, "threads": arguments.threads}
    drawn = draw(figure.name, **options)
    data = render(drawn, arguments.format, figure.title, figure.words(arguments.quick))
    path = folder / f"{figure.name}.{arguments.format}"
    write_bytes(path, data)
    seconds = round(time.perf_counter() - start, 3)
    return {**_describe(figure, arguments.quick), "file": str(path), "seconds": seconds}


def _list(chosen: list[Specification], arguments: argparse.Namespace) -> None:
    if arguments.json:
        figures = [_describe(figure, arguments.quick) for figure in chosen]
        print_json({"command": "figures", **_settings(arguments), "figures": figures})
        return
    console = make_console()
    for figure in chosen:
        console.print(f"{figure.name}: {figure.title} ({figure.source})", style="bold")
        console.print(figure.words(arguments.quick))
        console.print()


def _show(written: list[dict[str, Any]]) -> None:
    console = make_console()
    table = make_table("", ("file", "figure", "seconds"), left=2)
    for one in written:
        table.add_row(one["file"], one["source"], number(one["seconds"], 2))
    print_table(console, table)
