"""The length of power series, which python-flint keeps in a global context."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from flint import ctx

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["series_length"]


@contextmanager
def series_length(length: int) -> Iterator[None]:
    """Let power series have at least so many coefficients."""
    before, ctx.cap = ctx.cap, max(length, ctx.cap)
    try:
        yield
    finally:
        ctx.cap = before
