"""Inequalities proved over whole ranges by ball arithmetic; docs/algorithms/proofs.md."""

from fracmoment.certified.proofs.inequality import Box, Inequality
from fracmoment.certified.proofs.prover import prove
from fracmoment.certified.proofs.statements import STATEMENTS, Statement
from fracmoment.certified.proofs.subdivision import Progress, Result, Witness

__all__ = [
    "STATEMENTS",
    "Box",
    "Inequality",
    "Progress",
    "Result",
    "Statement",
    "Witness",
    "prove",
]
