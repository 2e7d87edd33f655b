"""The form in which results are returned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from fracmoment._typing import Result


def plain(values: Any) -> Result:
    """Return a float for a result without dimensions, the array otherwise."""
    return float(values) if np.ndim(values) == 0 else values
