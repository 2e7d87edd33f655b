"""Schemes as the adapters take them."""

from __future__ import annotations

from typing import Any

from fracmoment.schemes import Scheme, get


def scheme_of(value: Any) -> Scheme:
    """Return a scheme from itself or from its name."""
    if isinstance(value, str):
        return get(value)
    if not isinstance(value, Scheme):
        message = f"scheme must be a scheme of fracmoment.schemes or the name of one, got {value!r}"
        raise TypeError(message)
    return value
