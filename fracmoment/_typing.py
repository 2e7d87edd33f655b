"""Type aliases shared by the package."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
ComplexArray: TypeAlias = npt.NDArray[np.complex128]
IntArray: TypeAlias = npt.NDArray[np.int64]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
BitsArray: TypeAlias = npt.NDArray[np.uint64]
SingleArray: TypeAlias = npt.NDArray[np.float32]
ObjectArray: TypeAlias = npt.NDArray[np.object_]

# A real parameter: a number, an exact rational ("0.1", "1/3", Fraction, mpmath.mpf), or an array.
Real: TypeAlias = float | str | Fraction | npt.ArrayLike

# What a broadcasting function returns: a Python number (or an mpmath.mpf) for scalar arguments, an
# array otherwise. As for NumPy's own functions, the type checker does not tell them apart.
Result: TypeAlias = Any
