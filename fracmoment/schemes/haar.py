"""Haar matrices: uniform on the orthogonal and unitary groups, and their rows or columns.

QR of a normal matrix, with the signs or phases that make the diagonal of R positive: only then is
the factorization unique and Q uniform [Mez07]_. The signs of a library's QR are not.

References
----------
.. [Mez07] F. Mezzadri. How to generate random matrices from the classical compact groups. Notices
   of the American Mathematical Society 54(5):592-604, 2007.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from fracmoment._typing import ComplexArray, FloatArray


def haar_orthogonal(count: int, rows: int, columns: int, rng: np.random.Generator) -> FloatArray:
    """Draw matrices with orthonormal columns, or rows where they are wide, uniformly.

    Returns
    -------
    ndarray of float64, shape (count, rows, columns)
    """
    normal = rng.standard_normal((count, max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(normal)
    q *= np.copysign(1.0, _diagonal(r))
    matrices: FloatArray = q if rows >= columns else np.swapaxes(q, 1, 2)
    return matrices


def haar_unitary(rows: int, columns: int, rng: np.random.Generator) -> ComplexArray:
    """Draw a complex matrix with orthonormal columns, or rows where it is wide, uniformly."""
    shape = (max(rows, columns), min(rows, columns))
    q, r = np.linalg.qr(rng.standard_normal(shape) + 1j * rng.standard_normal(shape))
    diagonal = _diagonal(r)
    matrix: ComplexArray = q * (diagonal / np.abs(diagonal))[..., 0, :]
    return matrix if rows >= columns else matrix.T


def _diagonal(r: Any) -> Any:
    """Return diagonals as rows that scale columns."""
    return np.diagonal(r, axis1=-2, axis2=-1)[..., np.newaxis, :]
