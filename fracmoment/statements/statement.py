"""A statement of a paper with its check, and what settles it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from fracmoment.statements.evidence import Outcome

    Check = Callable[["Run"], Outcome]

__all__ = ["FAILS", "HOLDS", "REFUTED", "STANDS", "Run", "Source", "Statement", "states"]

HOLDS, FAILS = "holds", "fails"
REFUTED, STANDS = "refuted", "not refuted"

_T = TypeVar("_T")


@dataclass(frozen=True)
class Source:
    """Where a statement comes from.

    Attributes
    ----------
    paper : str
        Key of docs/references.md.
    section : str
        The part of the paper, by its subject.
    """

    paper: str
    section: str

    def __str__(self) -> str:
        """Return the source as text."""
        return f"[{self.paper}] {self.section}"


@dataclass(frozen=True)
class Run:
    """The settings of a run, as the check of one statement sees them."""

    statement: str
    seed: int
    quick: bool

    def pick(self, quick: _T, full: _T) -> _T:
        """Return one of two sizes."""
        return quick if self.quick else full

    def rng(self, label: str) -> int:
        """Return a seed of 63 bits that belongs to this run, this statement and this label."""
        text = f"{self.seed}/{self.statement}/{label}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


@dataclass(frozen=True)
class Statement:
    """A claim of a paper and how it is checked.

    Attributes
    ----------
    id : str
        Its name: lower case words, joined by hyphens.
    title : str
        A few words.
    sources : tuple of Source
        Where it comes from.
    claim : str
        The claim in words.
    formula : str
        The claim in symbols; ``_`` and ``^`` start indices and exponents, in braces if longer than
        a letter.
    hypotheses : str
        What is assumed.
    kinds : tuple of str
        The kinds of evidence that the check returns, see `KINDS`.
    check : callable
        Takes a `Run` and returns an `Outcome`.
    false : bool
        Whether the claim is false: then the check is to refute it.
    """

    id: str
    title: str
    sources: tuple[Source, ...]
    claim: str
    formula: str
    hypotheses: str
    kinds: tuple[str, ...]
    check: Check
    false: bool = False

    @property
    def expected(self) -> str:
        """The verdict that settles the statement."""
        return REFUTED if self.false else HOLDS

    def verdict(self, outcome: Outcome) -> str:
        """Return what the evidence says: all of it has to agree, and there has to be some."""
        agrees = bool(outcome.evidence) and all(item.holds for item in outcome.evidence)
        if self.false:
            return REFUTED if agrees and outcome.witness else STANDS
        return HOLDS if agrees else FAILS


def states(
    name: str,
    title: str,
    *sources: Source,
    claim: str,
    formula: str,
    hypotheses: str,
    kinds: tuple[str, ...],
    false: bool = False,
) -> Callable[[Check], Statement]:
    """Return a decorator that makes a statement of its check."""

    def decorate(check: Check) -> Statement:
        return Statement(name, title, sources, claim, formula, hypotheses, kinds, check, false)

    return decorate
