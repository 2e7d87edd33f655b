"""The statements of the papers, each with a check that returns evidence.

``fracmoment verify`` runs them all; docs/statements.md says how to read what it prints.

Examples
--------
>>> result = run_statement(STATEMENTS["order-two-is-lecun"], seed=1, quick=True)
>>> result.verdict, result.settled
('holds', True)
"""

from fracmoment.statements.evidence import KINDS, Evidence, Outcome, Plot, Series
from fracmoment.statements.registry import STATEMENTS, THEMES
from fracmoment.statements.runner import Result, run_statement, run_statements
from fracmoment.statements.statement import Run, Source, Statement

__all__ = [
    "KINDS",
    "STATEMENTS",
    "THEMES",
    "Evidence",
    "Outcome",
    "Plot",
    "Result",
    "Run",
    "Series",
    "Source",
    "Statement",
    "run_statement",
    "run_statements",
]
