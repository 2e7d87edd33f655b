"""The entry point: parsing, dispatch, and what becomes of errors."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from fracmoment.cli import audit, check, export, figures, plan, prove, scale, simulate, verify
from fracmoment.cli.common import Parser, print_error
from fracmoment.networks.files import NetworkFileError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The commands, in the order in which the help lists them.
COMMANDS = (scale, plan, audit, simulate, export, check, prove, verify, figures)

EXIT_DATA = 1
EXIT_USAGE = 2
# What a shell reports for a program stopped by the keyboard.
_EXIT_INTERRUPTED = 130


def make_parser() -> Parser:
    """Return the parser of the whole command line."""
    from fracmoment import __version__

    parser = Parser(
        prog="fracmoment",
        description="Exact constants for initializing neural networks at finite width: the scale"
        " that preserves a fractional moment of the signal, and what it does in depth.",
        epilog="Exit status: 0 success, 1 bad data, 2 bad usage."
        " 'fracmoment COMMAND --help' explains a command.",
    )
    parser.add_argument("--version", action="version", version=f"fracmoment {__version__}")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=Parser
    )
    for command in COMMANDS:
        command.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments, without the name of the program; by default those of the process.

    Returns
    -------
    int
        The exit status: 0 for success, 1 for bad data, 2 for bad usage.
    """
    parser = make_parser()
    try:
        arguments = parser.parse_args(_normalized(sys.argv[1:] if argv is None else argv))
        for option, value in vars(arguments).items():
            if value == []:  # what argparse makes of --option=--
                parser.error(f"argument --{option.replace('_', '-')}: expected one argument")
    except SystemExit as stop:  # --help, --version and usage errors end here
        return stop.code if isinstance(stop.code, int) else EXIT_USAGE
    name = f"{parser.prog} {arguments.command}"
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
    except NetworkFileError as error:
        print_error(name, str(error))
        return EXIT_DATA
    except (ValueError, TypeError) as error:  # the package names the argument and its range
        print_error(name, str(error))
        return EXIT_USAGE
    except MemoryError:
        print_error(name, "not enough memory")
        return EXIT_DATA
    except BrokenPipeError:
        # The reader of a pipe has left; what is still buffered must not raise at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DATA
    except (
        RuntimeError,
        ArithmeticError,
        OSError,
        ImportError,
    ) as error:  # no convergence, no proof; a full disk; an extra that is not installed
        print_error(name, str(error))
        return EXIT_DATA
    except KeyboardInterrupt:
        return _EXIT_INTERRUPTED
    return status


def _normalized(argv: Sequence[str]) -> list[str]:
    """Accept ``--fan_in`` for ``--fan-in``: underscores in the names of options are hyphens."""
    normalized = []
    options = True
    for argument in argv:
        options = options and argument != "--"
        if options and argument.startswith("--"):
            name, equals, value = argument.partition("=")
            normalized.append(name.replace("_", "-") + equals + value)
        else:
            normalized.append(argument)
    return normalized
