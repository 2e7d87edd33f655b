"""Moments of ReLU layers and of linear layers with dropout: sums over the number of live units.

Every live unit has slope 1, so X given n live units is chi-square of n degrees of freedom and

    E[X^p; X > 0] = sum_{n=1..d} T_n(p),    T_n = b_n 2^p Gamma(n/2+p)/Gamma(n/2),
    b_n = C(d,n) q^n (1-q)^(d-n).

The terms follow each other by ``T_(n+2)/T_n = (d-n)(d-n-1) o^2 (n+2p)/((n+1)(n+2) n)`` with the
odds ``o = q/(1-q)``. For wide layers only a window of n is summed; what is left out is bounded by
geometric series (docs/algorithms/certified.md, lemma 1).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from flint import arb, arb_series, ctx

from fracmoment.certified.laws.law import Law, ball

if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction

__all__ = ["binomial", "chi_moment", "mixture_moment", "mixture_tail", "window"]


def chi_moment(width: int, p: arb_series) -> arb_series:
    """Return ``2^p Gamma(d/2 + p)/Gamma(d/2)``, the moment of a chi-square variable."""
    half = arb(width) / 2
    return ((p + half).lgamma() - half.lgamma() + p * arb.const_log2()).exp()


def binomial(law: Law, n: int) -> arb:
    """Return ``b_n``, the probability of n live units of slope 1."""
    d = law.width
    logarithm = arb(d + 1).lgamma() - arb(n + 1).lgamma() - arb(d - n + 1).lgamma()
    return logarithm.exp() * ball(law.one) ** n * ball(law.dead) ** (d - n)


def mixture_moment(law: Law, p: arb_series) -> arb_series:
    """Return ``E[X^p; X > 0]`` for p > -1/2 (any p of the domain if no unit can be dead)."""
    if not law.has_atom:
        return chi_moment(law.width, p)
    low, high = window(law, float(p[0].mid()))
    total = sum((_chain(law, p, n, high) for n in (low, low + 1) if n <= high), p * 0)
    return total + _left_out(law, p, low, high)


def _chain(law: Law, p: arb_series, start: int, stop: int) -> arb_series:
    """Return the sum of every other term from ``start`` to at most ``stop``."""
    d, s = law.width, 2 * p
    odds = (ball(law.one) / ball(law.dead)) ** 2
    first = chi_moment(start, p) * binomial(law, start)
    plain = p.prec == 1  # balls are faster than series of length 1
    term: Any = first[0] if plain else first
    shift: Any = s[0] if plain else s
    total = term
    for n in range(start, stop - 1, 2):
        step = odds * ((d - n) * (d - n - 1))
        term = term * step * (shift + n) / arb((n + 1) * (n + 2) * n)
        total = total + term
    return arb_series([total], prec=1) if plain else total


def mixture_tail(law: Law, square: Fraction, upper: bool) -> arb:
    """Return ``P(X > square)``, or ``P(X <= square)``, for narrow layers."""
    half = ball(square) / 2
    if not law.has_atom:
        return _chi_tail(law.width, half, upper)
    total = arb(0) if upper else law.prob_zero()
    for n in range(1, law.width + 1):
        total += binomial(law, n) * _chi_tail(n, half, upper)
    return total


def _chi_tail(n: int, half: arb, upper: bool) -> arb:
    shape = arb(n) / 2
    if upper:
        return half.gamma_upper(shape, regularized=1)
    return half.gamma_lower(shape, regularized=1)


# ---------------------------------------------------------------- what is left out


def window(law: Law, p: float) -> tuple[int, int]:
    """Return the numbers n whose terms matter at the current precision.

    In doubles: a choice, whose consequences are bounded afterwards.
    """
    d, odds = law.width, math.log(law.one) - math.log(law.dead)
    p = max(p, 0.0)

    def log_term(n: int) -> float:
        chi = math.lgamma(n / 2 + p) - math.lgamma(n / 2)
        return n * odds - math.lgamma(n + 1) - math.lgamma(d - n + 1) + chi

    peak = _last(lambda n: log_term(n) >= log_term(n - 1), 1, d)
    floor = log_term(peak) - 0.6932 * (ctx.prec + 8)
    high = _last(lambda n: log_term(n) > floor, peak, d)
    low = d + 1 - _last(lambda m: log_term(d + 1 - m) > floor, d + 1 - peak, d)
    return low, high


def _last(holds: Callable[[int], bool], first: int, last: int) -> int:
    """Return the largest n in [first, last] up to which ``holds``, which holds at ``first``."""
    while first < last:
        middle = (first + last + 1) // 2
        if holds(middle):
            first = middle
        else:
            last = middle - 1
    return first


def _left_out(law: Law, p: arb_series, low: int, high: int) -> arb_series:
    """Return balls around 0 that contain what the terms outside of [low, high] add.

    ``|log x|^j / j! <= (x^h + x^-h)/h^j`` bounds the coefficients of the series in p.
    """
    if low == 1 and high == law.width:
        return p * 0
    if p.prec == 1:
        return arb_series([arb(0, _bound(law, p[0], low, high).upper())], prec=1)
    h = arb.min(arb(1), p[0] + arb("0.5")) / 2
    bound = _bound(law, p[0] + h, low, high) + _bound(law, p[0] - h, low, high)
    radii = [(bound / h**j).upper() for j in range(p.prec)]
    return arb_series([arb(0, radius) for radius in radii], prec=p.prec)


def _bound(law: Law, p: arb, low: int, high: int) -> arb:
    """Return an upper bound of the terms outside of [low, high], for p > -1/2."""
    d, odds = law.width, ball(law.one) / ball(law.dead)
    positive = arb.max(p, arb(0))
    total = arb(0)
    if high < d:
        n = high + 1
        ratio = odds * (d - n) / (n + 1) * (n - 1 + 2 * positive) / (n - 1)
        total += _geometric(_term(law, n, p), ratio)
    if low > 1:
        n = low - 1
        largest = _term(law, n, positive)
        if not p >= 0:
            largest += binomial(law, n) * chi_moment(1, arb_series([p], prec=1))[0]
        total += _geometric(largest, n / (odds * (d - n + 1)))
    return total


def _term(law: Law, n: int, p: arb) -> arb:
    return binomial(law, n) * chi_moment(n, arb_series([p], prec=1))[0]


def _geometric(first: arb, ratio: arb) -> arb:
    """Return ``first/(1 - ratio)``, or infinity unless ratio < 1 for certain."""
    return first / (1 - ratio) if ratio < 1 else arb.pos_inf()
