"""Power series in the order: their length, which python-flint keeps in a global context."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from flint import acb, arb, arb_series, ctx

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["compose", "exponent", "series_length"]


@contextmanager
def series_length(length: int) -> Iterator[None]:
    """Let power series have at least so many coefficients."""
    before, ctx.cap = ctx.cap, max(length, ctx.cap)
    try:
        yield
    finally:
        ctx.cap = before


def compose(series: arb_series, p: arb_series) -> arb_series:
    """Return ``series(p - p[0])``."""
    if series.prec == 1:
        return series
    # p - p[0] would keep the radius of its constant term
    shift = [arb(0), *(p[j] for j in range(1, p.prec))]
    return series(arb_series(shift, prec=p.prec))


def exponent(*values: acb | arb) -> int:
    """Return the binary exponent of the largest of some numbers: a choice of digits, no bound."""
    sizes = [abs(value).upper() for value in values]
    mantissa, power = max(sizes).man_exp() if all(s.is_finite() for s in sizes) else (1, 1 << 40)
    return int(mantissa).bit_length() + int(power) if mantissa else -(1 << 40)
