"""The formulas of the papers as they are written there, in mpmath.

They share nothing with the library that they are held against. Orders and slopes are Fractions;
numbers have the working precision of mpmath.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import mpmath
from mpmath import mp

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "binomial_weights",
    "chi_moment",
    "laplace_moment",
    "leaky_moment",
    "linear_log",
    "number",
    "relu_log",
    "relu_moment",
    "unit_transform",
]


def number(value: Any) -> Any:
    """Return a Fraction as an mpf."""
    exact = Fraction(value)
    return mp.mpf(exact.numerator) / exact.denominator


def chi_moment(width: int, order: Any) -> Any:
    """Return ``E |g|^s = 2^(s/2) Gamma((d+s)/2)/Gamma(d/2)``."""
    s, d = number(order), mp.mpf(width)
    return 2 ** (s / 2) * mp.gamma((d + s) / 2) / mp.gamma(d / 2)


def binomial_weights(width: int, p: Any) -> list[Any]:
    """Return the probabilities that n of the units are live, n = 0, ..., width."""
    q = number(p)
    return [mp.binomial(width, n) * q**n * (1 - q) ** (width - n) for n in range(width + 1)]


def relu_moment(width: int, order: Any, keep: Any = 1) -> Any:
    """Return E R^s of ReLU units as the sum over the number of live units."""
    weights = binomial_weights(width, Fraction(keep) / 2)
    total = mp.fsum(w * chi_moment(n, order) for n, w in enumerate(weights) if n)
    return total / number(keep) ** number(order)


def leaky_moment(width: int, order: Any, slope: Any) -> Any:
    """Return E R^s of leaky ReLU units as a sum of hypergeometric functions."""
    s, d, a = number(order), mp.mpf(width), number(slope)
    terms = []
    for n, w in enumerate(binomial_weights(width, Fraction(1, 2))):
        z = 1 - a * a
        ratio = abs(a) ** s if n == 0 else mp.hyp2f1(-s / 2, (d - n) / 2, d / 2, z)
        terms.append(w * ratio)
    return chi_moment(width, order) * mp.fsum(terms)


def unit_transform(lower: Any, upper: Any, keep: Any = 1) -> Callable[[Any], Any]:
    """Return ``L(t) = E exp(-t Y)`` of one unit of random slope, or of one slope, with dropout."""
    low, high, q = number(lower), number(upper), number(keep)

    def transform(t: Any) -> Any:
        x = t / q**2
        if low == high:
            negative = 1 / mp.sqrt(1 + 2 * low * low * x)
        else:
            root = mp.sqrt(2 * x)
            negative = (mp.asinh(high * root) - mp.asinh(low * root)) / ((high - low) * root)
        return 1 - q + q * (1 / mp.sqrt(1 + 2 * x) + negative) / 2

    return transform


def laplace_moment(width: int, order: Any, transform: Callable[[Any], Any]) -> Any:
    """Return E R^s for 0 < s <= 1 by one integral, after the substitution t = e^v.

    ``(p/Gamma(1-p)) int_0^inf (1 - L(t)^d) t^(-p-1) dt`` with p = s/2. The trapezoidal rule
    converges exponentially, as ``exp(-2 pi^2/h)`` for the step h: L is analytic but for t < 0.
    """
    p, step = number(order) / 2, mp.mpf("0.2")
    reach = (mp.dps + 5) * mp.log(10)
    first, last = int(-reach / (1 - p) / step), int(reach / p / step)
    with mpmath.workdps(4 * mp.dps):  # 1 - L^d cancels for small t
        nodes = (i * step for i in range(first, last + 1))
        terms = [(1 - transform(mp.exp(v)) ** width) * mp.exp(-p * v) for v in nodes]
        total = step * mp.fsum(terms)
    return p / mp.gamma(1 - p) * total


def linear_log(width: int) -> tuple[Any, Any]:
    """Return mean and variance of log R of linear units by polygamma functions."""
    half = mp.mpf(width) / 2
    return (mp.digamma(half) + mp.log(2)) / 2, mp.psi(1, half) / 4


def relu_log(width: int) -> tuple[Any, Any]:
    """Return mean and variance of log R given R > 0 of ReLU units, a mixture over live units."""
    weights = binomial_weights(width, Fraction(1, 2))
    alive = 1 - weights[0]
    moments = [(w / alive, *linear_log(n)) for n, w in enumerate(weights) if n]
    mean = mp.fsum(w * m for w, m, _ in moments)
    square = mp.fsum(w * (v + (m - mean) ** 2) for w, m, v in moments)
    return mean, square
