"""Rigorous integration at the current precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flint import acb, arb, ctx

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["integral"]


def integral(function: Callable[[acb, bool], acb], start: arb, end: arb) -> acb:
    """Return the integral of a function of size about 1 from ``start`` to ``end``.

    ``function(w, analytic)`` returns a ball of its values on the ball w; with ``analytic`` a ball
    that is not finite wherever it is not analytic on w. `acb.integral` bounds the error of its
    Gauss-Legendre rules from such balls on ellipses.
    """
    goal = arb(2) ** (-ctx.prec)

    def guarded(w: acb, analytic: bool) -> acb:
        try:
            return function(w, analytic)
        except (ValueError, ZeroDivisionError):  # series that cannot be inverted on a wide ball
            return acb("nan")

    return acb.integral(guarded, start, end, rel_tol=goal, abs_tol=goal)
