"""Streams of random numbers: what ``rng=`` means for the samplers and engines.

The numbers are those of Philox 4x32-10 under a 64-bit seed. Every number has an address (stream
format, purpose, replica, layer, block), so that any of them can be computed alone.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np

from fracmoment._core import stream_format

__all__ = ["Purpose", "seed_of", "stream_format"]


class Purpose(IntEnum):
    """What numbers are for; two purposes never share a number (csrc: random/stream.hpp)."""

    BITS = 0
    NORMAL = 1
    GAIN = 2
    NORM_CHAIN = 3
    VECTOR_CHAIN = 4
    MATRIX_CHAIN = 5
    UNIFORM = 8
    GAMMA = 9
    BINOMIAL = 10
    GRAM_CHAIN = 16
    MATRIX_SIGNALS = 17
    LYAPUNOV_SPECTRUM = 18
    JACOBIAN = 19
    RARE_EVENT = 20
    RARE_JUMP = 21
    STATIONARY = 22
    STATIONARY_TAIL = 23


def seed_of(rng: Any = None) -> int:
    """Return the 64-bit seed of a stream.

    Parameters
    ----------
    rng : None, int, array_like of int, SeedSequence, BitGenerator or Generator, optional
        What `numpy.random.default_rng` takes. Integers and sequences are hashed by
        `numpy.random.SeedSequence`; a generator gives its next 64 random bits, so that two calls
        with one generator use different streams; None asks the operating system.

    Returns
    -------
    int
        In [0, 2**64).

    Raises
    ------
    TypeError, ValueError
        If NumPy does not take ``rng``.

    Examples
    --------
    >>> seed_of(7) == seed_of(7)
    True
    """
    if isinstance(rng, bool):
        message = f"rng must be None, an integer, a sequence of them or a generator, got {rng!r}"
        raise TypeError(message)
    if isinstance(rng, np.random.SeedSequence):
        return int(rng.generate_state(1, np.uint64)[0])
    if isinstance(rng, (np.random.Generator, np.random.BitGenerator)):
        generator = np.random.default_rng(rng)
        return int(generator.integers(0, 2**64, dtype=np.uint64))
    try:
        sequence = np.random.SeedSequence(rng)
    except (TypeError, ValueError) as error:
        message = f"rng must be what numpy.random.default_rng takes, got {rng!r} ({error})"
        raise type(error)(message) from None
    return int(sequence.generate_state(1, np.uint64)[0])
