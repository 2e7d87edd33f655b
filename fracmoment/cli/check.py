"""``fracmoment check``: derive the constant of a certificate again."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from fracmoment.cli.common import add_json_option, print_json

_DESCRIPTION = """\
Check a certificate that 'fracmoment export --certificate' wrote: derive the
constant again from the law and the inputs, and compare every digit and both
end points of the claim.

Exit status: 0 if it is accepted, 1 if it is rejected; the reason is printed.
"""
EXIT_REJECTED = 1
# No certificate is longer.
_MOST_BYTES = 1 << 16


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "check",
        help="derive the constant of a certificate again and compare",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", help="certificate, JSON")
    add_json_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Check and print."""
    from fracmoment.certified import Verdict, check_certificate, parse_certificate

    data: Any = None
    try:
        data = parse_certificate(_read(Path(arguments.file)))
    except ValueError as error:  # no text, or no JSON
        verdict = Verdict(accepted=False, reason=f"not readable as a certificate: {error}")
    else:
        verdict = check_certificate(data)
    if arguments.json:
        print_json(
            {
                "command": "check",
                "file": arguments.file,
                "accepted": verdict.accepted,
                "reason": verdict.reason,
            }
        )
    elif verdict.accepted:
        print(f"accepted: {data['quantity']} = {data['decimal']}")
    else:
        print(f"rejected: {verdict.reason}")
    return 0 if verdict.accepted else EXIT_REJECTED


def _read(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        message = f"longer than {_MOST_BYTES} bytes"
        raise ValueError(message)
    return content.decode("utf-8")
