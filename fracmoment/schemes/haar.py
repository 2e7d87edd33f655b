"""Haar matrices: uniform on the orthogonal and unitary groups, and their rows or columns."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from fracmoment._typing import ComplexArray, FloatArray


def haar_orthogonal(rows: int, columns: int, rng: np.random.Generator) -> FloatArray:
    """Draw a matrix with orthonormal columns, or rows where it is wide, uniformly.

    QR of a normal matrix, with the signs that make the diagonal of R positive: only then is the
    factorization unique and Q uniform; the signs of a library's QR are not [Mez07].
    """
    tall = rng.standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(tall)
    q *= np.copysign(1.0, np.diagonal(r))
    matrix: FloatArray = q if rows >= columns else q.T
    return matrix


def haar_unitary(rows: int, columns: int, rng: np.random.Generator) -> ComplexArray:
    """Draw a complex matrix with orthonormal columns, or rows where it is wide, uniformly."""
    shape = (max(rows, columns), min(rows, columns))
    tall = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)) / math.sqrt(2.0)
    q, r = np.linalg.qr(tall)
    phases = np.diagonal(r) / np.abs(np.diagonal(r))
    q = q * phases
    matrix: ComplexArray = q if rows >= columns else q.T
    return matrix
