"""`prove`: an inequality, named or given, over a box and a set of widths."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fracmoment import _validation
from fracmoment.certified.interval import Interval
from fracmoment.certified.proofs.statements import STATEMENTS
from fracmoment.certified.proofs.subdivision import Progress, Result, prove_inequality

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import Executor
    from fractions import Fraction

    from fracmoment.certified.proofs.inequality import Inequality

__all__ = ["prove"]

# Above this the bounds of `normalized` need more terms than it takes.
_MAX_WIDTH = 2048


def prove(
    inequality: Inequality | str,
    *,
    over: Mapping[str, Any] | None = None,
    widths: Iterable[int] | None = None,
    time_limit: float = math.inf,
    max_depth: int = 60,
    progress: Callable[[Progress], object] | None = None,
    executor: Executor | None = None,
) -> Result:
    """Prove an inequality at every point of a box, for every one of some widths.

    The box is halved until ball arithmetic decides the inequality on each part. What is proved is
    proved: the answer does not depend on floating-point luck. The order of work is fixed.

    Parameters
    ----------
    inequality : Inequality or str
        An inequality between functions of balls, or the name of one of `STATEMENTS`.
    over : mapping of str to Interval, pair or number, optional
        Closed range of every variable, end points taken exactly. For a named statement the ranges
        given here replace its own.
    widths : iterable of int, optional
        Widths, each proved for itself. For a named statement those replace its own, up to 2,048.
        Without widths the functions of an `Inequality` get no argument ``width``.
    time_limit : float, optional
        Seconds after which to stop; what is left is returned.
    max_depth : int, optional
        How often a box may be halved.
    progress : callable, optional
        Called with a `Progress` after every hundredth box and every width.
    executor : concurrent.futures.Executor, optional
        Proves several widths at the same time. Use processes: python-flint's precision is global
        to a process. The functions must then be importable by name.

    Returns
    -------
    Result
        Proved, refuted with a witness, or undecided with the boxes that are left. Ctrl-C ends a
        proof as a time limit does.

    Examples
    --------
    >>> from fracmoment.certified import Inequality
    >>> result = prove("he_exponent_negative", widths=range(1, 5))
    >>> result.status
    'proved'
    >>> bold = Inequality(lambda x: x * (1 - x), "<", "0.24")
    >>> print(prove(bold, over={"x": Interval(0, 1)}).witness)
    x = 1/2: margin [-0.01000000000 +/- 1e-16]
    """
    limit = _validation.positive("time_limit", time_limit) if time_limit < math.inf else math.inf
    depth = _validation.integer("max_depth", max_depth, 0, 10_000)
    ranges: dict[str, tuple[Fraction, Fraction]] = {}
    if isinstance(inequality, str):
        name = _validation.choice("inequality", inequality, STATEMENTS)
        statement = STATEMENTS[name]
        inequality, ranges = statement.inequality, dict(statement.over)
        _check_names(name, over, ranges)
        if widths is not None and statement.widths is None:
            message = f"widths must be None, {name} has no argument width"
            raise ValueError(message)
        widths = statement.widths if widths is None else widths
    ranges |= {name: _range(name, value) for name, value in (over or {}).items()}
    if inequality.expand is not None and inequality.expand not in ranges:
        message = f"over must give a range of {inequality.expand!r}, in which to expand"
        raise ValueError(message)
    if widths is not None:
        widths = [_validation.integer("widths", width, 1, _MAX_WIDTH) for width in widths]
    return prove_inequality(
        inequality,
        ranges,
        widths,
        time_limit=float(limit),
        max_depth=depth,
        progress=progress,
        executor=executor,
    )


def _check_names(
    name: str, over: Mapping[str, Any] | None, known: Mapping[str, tuple[Fraction, Fraction]]
) -> None:
    for variable in over or ():
        if variable not in known:
            listed = ", ".join(known) or "no variables"
            message = f"over must name variables of {name} ({listed}), got {variable!r}"
            raise ValueError(message)


def _range(name: str, value: Any) -> tuple[Fraction, Fraction]:
    if not isinstance(value, Interval):
        ends = value if isinstance(value, (tuple, list)) else (value, value)
        if len(ends) != 2:
            message = f"over[{name!r}] must be an Interval, a pair or a number, got {value!r}"
            raise ValueError(message)
        value = Interval(*ends)
    return value.lower, value.upper
