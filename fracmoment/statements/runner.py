"""Runs of checks: one by one, with results kept in files, so that an interrupted run goes on."""

from __future__ import annotations

import hashlib
import json
import math
import time
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import fracmoment
from fracmoment import _core
from fracmoment._files import write_text
from fracmoment.statements.evidence import Evidence, Outcome, Plot, Series
from fracmoment.statements.statement import Run, Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Result", "fingerprint", "run_statement", "run_statements", "versions"]


@dataclass(frozen=True)
class Result:
    """What came of the check of one statement.

    Attributes
    ----------
    statement : Statement
        What was checked.
    verdict : str
        "holds" or "fails"; for claims that are false "refuted" or "not refuted".
    outcome : Outcome
        The evidence.
    seconds : float
        Processor time.
    error : str
        Why the check could not be carried out; else empty.
    kept : bool
        Whether the result is one of an earlier run.
    """

    statement: Statement
    verdict: str
    outcome: Outcome
    seconds: float
    error: str = ""
    kept: bool = False

    @property
    def settled(self) -> bool:
        """Whether the verdict is the expected one."""
        return not self.error and self.verdict == self.statement.expected

    @property
    def failure_probability(self) -> float:
        """Probability that a true statement fails by chance, at most."""
        return math.fsum(item.failure_probability for item in self.outcome.evidence)

    def as_data(self) -> dict[str, Any]:
        """Return all of it as JSON data."""
        statement = self.statement
        data: dict[str, Any] = _plain(
            {
                "id": statement.id,
                "title": statement.title,
                "sources": [asdict(source) for source in statement.sources],
                "claim": statement.claim,
                "formula": statement.formula,
                "hypotheses": statement.hypotheses,
                "false": statement.false,
                "verdict": self.verdict,
                "settled": self.settled,
                "failure_probability": self.failure_probability,
                "seconds": round(self.seconds, 3),
                "error": self.error,
                "witness": self.outcome.witness,
                "evidence": [asdict(item) for item in self.outcome.evidence],
                "plots": [asdict(plot) for plot in self.outcome.plots],
            }
        )
        return data

    @classmethod
    def of_data(cls, statement: Statement, data: dict[str, Any]) -> Result:
        """Return the result that `as_data` described."""
        evidence = [Evidence(**item) for item in data["evidence"]]
        plots = [
            Plot(**{**plot, "series": [Series(**series) for series in plot["series"]]})
            for plot in data["plots"]
        ]
        outcome = Outcome(evidence, plots, data["witness"])
        verdict = statement.verdict(outcome)
        return cls(statement, verdict, outcome, float(data["seconds"]), data["error"], kept=True)


def run_statement(statement: Statement, *, seed: int, quick: bool) -> Result:
    """Check one statement.

    A check that raises is a failure like any other, with the error as its reason: the rest of a run
    goes on.
    """
    start = time.process_time()
    error = ""
    try:
        outcome = statement.check(Run(statement.id, seed, quick))
    except Exception as failure:
        outcome, error = Outcome(()), f"{type(failure).__name__}: {failure}"
    seconds = time.process_time() - start
    return Result(statement, statement.verdict(outcome), outcome, seconds, error)


def run_statements(
    statements: Iterable[Statement],
    *,
    seed: int,
    quick: bool,
    directory: Path | None = None,
    fresh: bool = False,
    started: Callable[[Statement], object] = lambda _: None,
) -> Iterator[Result]:
    """Check statements, and yield their results.

    Parameters
    ----------
    statements : iterable of Statement
        What to check.
    seed : int
        Seed of all random numbers.
    quick : bool
        Whether to take small samples and few widths.
    directory : Path, optional
        Where to keep results: each is written when it is there, so that a run that was interrupted
        goes on. A result is used again if it was settled and nothing has changed: neither the
        package, nor the seed, nor the size of the run.
    fresh : bool, optional
        Whether to use no earlier result.
    started : callable, optional
        Called with every statement before it is checked.
    """
    for statement in statements:
        file, key, result = None, "", None
        if directory is not None:
            file, key = directory / f"{statement.id}.json", _key(statement, seed, quick)
            result = None if fresh else _kept(file, key, statement)
        if result is None:
            started(statement)
            result = run_statement(statement, seed=seed, quick=quick)
            if file is not None:
                text = json.dumps({"key": key, "result": result.as_data()}, allow_nan=False)
                write_text(file, text)
        yield result


def _kept(file: Path, key: str, statement: Statement) -> Result | None:
    """Return the result of a file, None if there is none of this run or it was not settled."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        if data["key"] != key:
            return None
        result = Result.of_data(statement, data["result"])
    except (OSError, ValueError, TypeError, KeyError):
        return None  # damaged files are written again
    return result if result.settled else None


def _key(statement: Statement, seed: int, quick: bool) -> str:
    text = json.dumps([statement.id, seed, quick, fingerprint(), versions()])
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=1)
def fingerprint() -> str:
    """Return a digest of the package's files, the compiled core included."""
    root = Path(fracmoment.__file__).parent
    digest = hashlib.sha256()
    for file in [*sorted(root.rglob("*.py")), Path(_core.__file__)]:
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def versions() -> dict[str, str]:
    """Return the versions of what a result depends on."""
    import flint
    import mpmath
    import scipy

    return {
        "fracmoment": fracmoment.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "mpmath": mpmath.__version__,
        "python-flint": flint.__version__,
        "FLINT": flint.__FLINT_VERSION__,
    }


def _plain(data: Any) -> Any:
    """Return data of Python's own types; numbers that are not finite become None."""
    if isinstance(data, dict):
        return {str(key): _plain(value) for key, value in data.items()}
    if isinstance(data, (list, tuple, range, np.ndarray)):
        return [_plain(value) for value in data]
    if isinstance(data, np.generic):
        return _plain(data.item())
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    return data
