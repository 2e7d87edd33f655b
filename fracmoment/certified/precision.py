"""Raising the precision until the digits asked for are proved."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flint import arb, ctx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["CertificationError", "certify", "working_precision"]

# Bits beyond those asked for with which the first attempt is made.
_GUARD = 24
# python-flint's precision is global: threads take turns.
_TURN = threading.RLock()


class CertificationError(ArithmeticError):
    """What was asked for could not be proved; the message says what blocked."""


@contextmanager
def working_precision(bits: int) -> Iterator[None]:
    """Set the precision of python-flint for the time of a block.

    It is global: another thread that comes here waits until the block ends.
    """
    with _TURN:
        before = ctx.prec
        ctx.prec = bits
        try:
            yield
        finally:
            ctx.prec = before


def certify(function: Callable[[], arb], digits: int, what: str, *, guard: int = 0) -> arb:
    """Return a ball of relative radius below ``10^-digits / 2``.

    Parameters
    ----------
    function : callable
        Returns a ball that contains the value, at the current precision.
    digits : int
        Significant digits to prove.
    what : str
        Name of the quantity for the message.
    guard : int
        Bits that the computation is known to lose.

    Raises
    ------
    CertificationError
        If the largest precision does not prove the digits: 8 times what they need, and 4,096 bits
        more. A value that is exactly 0 but not known to be so ends here.
    """
    goal = digits * 3322 // 1000 + 3
    largest = 8 * goal + 4096
    bits = goal + _GUARD + guard
    while True:
        with working_precision(bits):
            value = function()
            if value.is_finite() and (value.is_exact() or value.rel_accuracy_bits() >= goal):
                return value
        if bits >= largest:
            raise CertificationError(_blocked(what, digits, bits, value))
        missing = goal - value.rel_accuracy_bits() if value.is_finite() else bits
        bits = min(largest, bits + max(16, bits // 8, min(missing + 8, bits)))


def _blocked(what: str, digits: int, bits: int, value: arb) -> str:
    known = f"the best enclosure is {value}" if value.is_finite() else "no enclosure is finite"
    if value.is_finite() and value.contains(0):
        known += ", which contains 0: the value may be 0 or have no digits before that"
    return f"{digits} digits of {what} could not be proved with {bits} bits: {known}"
