"""The command line: scale, plan, audit, simulate, export, check, prove, verify and figures.

Every command is one module with two functions: ``add_parser`` declares its options, ``run`` does
the work and returns what to print. Exit status: 0 for success, 1 for bad data, 2 for bad usage.
"""

from fracmoment.cli.application import main

__all__ = ["main"]
