"""Write ``csrc/include/fracmoment/random/tables.hpp``: what the samplers look up.

The polynomials interpolate at Chebyshev nodes, in 40 digits, which is within a factor 2 of the
best approximation.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import mpmath
import numpy as np
from mpmath import mpf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

OUT = Path(__file__).parents[1] / "include" / "fracmoment" / "random" / "tables.hpp"
HEAD = """// Written by csrc/tables/make_random_tables.py; do not edit.
#pragma once

// clang-format off
namespace fracmoment::tables {

"""
# Next to u = 1 the reciprocal must be exact, so the first and the last cell are one-sided.
WIDEST_CELL = (mpf(-33) / 1024, mpf(65) / 1024)
QUARTER = (mpf(0), mpf(1) / 4)  # squares of f, |f| <= 1/2


def interpolate(function: Callable[[mpf], mpf], interval: tuple[mpf, mpf], terms: int) -> list[mpf]:
    """Return the coefficients, by increasing power."""
    left, right = interval
    nodes = [
        (left + right) / 2 + (right - left) / 2 * mpmath.cospi(mpf(2 * k + 1) / (2 * terms))
        for k in range(terms)
    ]
    matrix = mpmath.matrix(terms, terms)
    values = mpmath.matrix(terms, 1)
    for i, node in enumerate(nodes):
        values[i] = function(node)
        for j in range(terms):
            matrix[i, j] = node**j
    return list(mpmath.lu_solve(matrix, values))


def logarithm(r: mpf) -> mpf:
    """Return -2 log(1+r)/r."""
    return -2 * mpmath.log1p(r) / r if r else mpf(-2)


def sine(y: mpf) -> mpf:
    """Return sin(pi f/2)/f at y = f^2."""
    f = mpmath.sqrt(y)
    return mpmath.sinpi(f / 2) / f if y else mpmath.pi / 2


def cosine(y: mpf) -> mpf:
    """Return cos(pi f/2) at y = f^2."""
    return mpmath.cospi(mpmath.sqrt(y) / 2)


def cells(kind: type[np.floating]) -> tuple[list[mpf], list[mpf]]:
    """Return c near 1/m for 16 cells of m in [1, 2), and 2 log c."""
    reciprocals = []
    for i in range(16):
        middle = 1 + (2 * i + 1) / mpf(32)
        value = mpf(1) if i == 0 else mpf(1) / 2 if i == 15 else 1 / middle
        reciprocals.append(mpf(float(kind(float(value)))))
    return reciprocals, [2 * mpmath.log(c) for c in reciprocals]


def factorial_error(k: int) -> mpf:
    """Return log k! - (y log y - y + log(2 pi)/2), y = k + 1/2."""
    y = k + mpf(1) / 2
    return mpmath.loggamma(k + 1) - (y * mpmath.log(y) - y + mpmath.log(2 * mpmath.pi) / 2)


def array(name: str, values: Iterable[mpf], kind: type[np.floating]) -> str:
    """Return the definition of an array of exact constants."""
    single = kind is np.float32
    words = [float(kind(float(value))).hex() + ("f" if single else "") for value in values]
    cpp = "float" if single else "double"
    return f"inline constexpr {cpp} {name}[{len(words)}] = {{{', '.join(words)}}};\n"


def main() -> None:
    """Write the header."""
    text = HEAD
    with mpmath.workdps(40):
        for kind, suffix, terms in ((np.float64, "", (10, 7, 8)), (np.float32, "F", (5, 4, 5))):
            reciprocals, logarithms = cells(kind)
            log_two = float(kind(float(mpmath.log(2)))).hex() + ("f" if suffix else "")
            cpp = "float" if suffix else "double"
            text += f"inline constexpr {cpp} kLogTwo{suffix} = {log_two};\n"
            text += array(f"kCellReciprocal{suffix}", reciprocals, kind)
            text += array(f"kCellLogarithm{suffix}", logarithms, kind)
            series = interpolate(logarithm, WIDEST_CELL, terms[0])
            text += array(f"kLogarithmSeries{suffix}", series, kind)
            text += array(f"kQuarterSine{suffix}", interpolate(sine, QUARTER, terms[1]), kind)
            text += array(f"kQuarterCosine{suffix}", interpolate(cosine, QUARTER, terms[2]), kind)
        errors = [factorial_error(k) for k in range(16)]
        text += array("kFactorialError", errors, np.float64)
    OUT.write_text(text + "\n}  // namespace fracmoment::tables\n// clang-format on\n")


if __name__ == "__main__":
    main()
