"""Moments of narrow layers from the Laplace transform, cut in three.

With ``g(t) = E[exp(-t X); X > 0]`` and real p that is no integer >= 0,

    E[X^p; X > 0] = 1/Gamma(-p) int_0^inf t^(-p-1) g(t) dt,

the integral at 0 in the sense of its analytic continuation from p < 0. Up to a point ``t_0`` g is
its Taylor series and every term has an elementary integral; so has, from a point ``t_1`` on, every
term of the series in ``1/t``, whose coefficients are polynomials in ``log t`` where slopes come
close to 0. Between the two the rule of Gauss and Legendre is used in ``v = log t``. The zero of
``1/Gamma(-p)`` at an integer p meets the pole of one Taylor term; their product is taken in closed
form. docs/algorithms/certified.md, lemma 9.
"""

from __future__ import annotations

import math
from functools import lru_cache, reduce
from typing import Any, NamedTuple

from flint import arb, arb_series, ctx

from fracmoment.certified.laws.law import Law, ball
from fracmoment.certified.laws.series import compose, exponent, series_length
from fracmoment.certified.precision import working_precision

__all__ = ["narrow_moment", "serves"]

# Widest layers, the largest mean number of live units where they may be dead, and the highest p
# for which this is the method of choice.
_WIDEST, _MOST_LIVE, _HIGHEST = 128, 64, 64
# The series up to t_0 converges like powers of 2^-3, that from t_1 on, whose terms cost more, like
# powers of 2^-12. Where units may be dead their sums have terms like powers of 1/4 there.
_FIRST, _LAST, _SHARE = 3, 12, 0.25
# Half-widths of the strip |Im w| < a, below pi, from which one is chosen; length of panels.
_STRIPS, _PANEL = (0.5, 1.0, 1.5, 2.0, 2.5), 2.0
_BOUND_BITS = 64


def serves(law: Law, p: arb_series) -> bool:
    """Return whether few units are live, and p is moderate and known well enough."""
    few = law.width * (1 - law.dead) <= _MOST_LIVE if law.has_atom else law.width <= _WIDEST
    if not (few and law.has_slopes and law.width > 1):
        return False
    edge = -0.5 if law.has_atom else -law.width / 2
    known = p[0].rad() < 0.125 and all(abs(a) > 0 for a in _slopes(law))
    return bool(known and edge < p[0] < _HIGHEST)


def narrow_moment(law: Law, p: arb_series) -> arb_series:
    """Return ``E[X^p; X > 0]`` as a series of the length of p."""
    point = arb_series([p[0], arb(1)][: p.prec], prec=p.prec)
    start, end = _ends(law)
    pole = max(0, round(float(p[0].mid())))
    head, residue = _head(law, point, start, pole)
    rest = head + _middle(law, point, start, end) + _far(law, point, start, end)
    # 1/(Gamma(-p) (pole - p)) without its removable singularity
    weight = (pole + 1 - point).rgamma()
    for i in range(pole):
        weight = weight * (i - point)
    total = rest * (-point).rgamma() + weight * residue
    return compose(total * (-point * start.log()).exp(), p)


def _ends(law: Law) -> tuple[arb, arb]:
    """Return ``t_0`` and ``t_1``, exact: choices."""
    logs = [0.0] + [2 * float(abs(a).log().mid()) for a in _slopes(law)]
    start = arb(-max(logs) - (_FIRST + 1) * math.log(2)).exp().mid()
    end = arb(-min(logs) + (_LAST - 1) * math.log(2)).exp().mid()
    while law.has_atom and not law.width * _live(law, end) < _SHARE * ball(law.dead):
        end = end * 16
    return start, end


def _slopes(law: Law) -> list[arb]:
    """Return the ends of the slopes that are not 0."""
    ends = [law.lower, law.upper] if law.uniform else [law.lower]
    return [ball(a) for a in ends if isinstance(a, arb) or a != 0]


# ---------------------------------------------------------------- the transform


def _live(law: Law, t: arb) -> arb:
    """Return ``E[(1 + 2 b t)^(-1/2); live]``."""
    total = (1 + 2 * t).rsqrt() * ball(law.one)
    if not law.uniform:
        return total + (1 + 2 * ball(law.lower) ** 2 * t).rsqrt() * ball(law.slope)
    root = (2 * t).sqrt()
    area = (root * ball(law.upper)).asinh() - (root * ball(law.lower)).asinh()
    return total + area / root * ball(law.slope / (law.upper - law.lower))


def _positive(law: Law, live: arb) -> arb:
    """Return ``(dead + live)^d - dead^d``, without an atom ``live^d``."""
    if not law.has_atom:
        return live**law.width
    dead = ball(law.dead)
    return ((live / dead).log1p() * law.width).expm1() * dead**law.width


# ---------------------------------------------------------------- up to t_0


def _head(law: Law, p: arb_series, start: arb, pole: int) -> tuple[arb_series, arb]:
    """Return ``sum_k g_k/(k - p)`` over k != pole, and ``g_pole``, for ``g(t_0 x) = sum g_k x^k``.

    The coefficients of ``dead + l`` are at most those of ``dead + live (1 - q x)^(-1/2)`` with
    ``q = 2 max(b) t_0``, so ``|g_k| <= (dead + live sqrt(2))^d (2q)^k``.
    """
    ratio = 4 * start * reduce(arb.max, [a**2 for a in _slopes(law)], arb(1))
    live = ball(1 - law.dead)
    most = (ball(law.dead) + live * arb(2).sqrt()) ** law.width
    bits = ctx.prec + 8 + max(0, exponent(most) - exponent(_positive(law, live)))
    count = max(pole + 2, bits // (_FIRST - 1) + 1)
    rest = most * ratio**count / (1 - ratio) if ratio < 1 else arb.nan()
    with series_length(count):
        powers = arb_series(_unit_series(law, start, count), prec=count) ** law.width
        coefficients = [_positive(law, live), *(powers[k] for k in range(1, count))]
    terms = (g / (k - p) for k, g in enumerate(coefficients) if k != pole)
    bound = arb_series([arb(0, rest.upper())] * p.prec, prec=p.prec)
    return sum(terms, bound), coefficients[pole]


def _unit_series(law: Law, start: arb, count: int) -> list[arb]:
    """Return the coefficients of ``dead + l(t_0 x)``."""
    ends = [ball(law.lower), ball(law.upper)]
    squares = [end**2 for end in ends]
    series, factor = [], arb(1)
    for k in range(count):
        if law.uniform:
            mean = (ends[1] - ends[0]) / ((2 * k + 1) * ball(law.upper - law.lower))
        else:
            mean = squares[0] ** k
        series.append(factor * (ball(law.one) + mean * ball(law.slope)))
        ends = [end * square for end, square in zip(ends, squares, strict=True)]
        factor = -factor * start * (2 * k + 1) / (k + 1)
    series[0] = arb(1)
    return series


# ---------------------------------------------------------------- between


class _Panels(NamedTuple):
    """Equal pieces of w, ``t = t_0 e^w``, and ellipses around them of half-height ``strip``."""

    number: int
    half: arb
    strip: arb

    def centre(self, i: int) -> arb:
        return self.half * (2 * i + 1)

    @property
    def rho(self) -> arb:
        """The sum of the semi-axes for an interval [-1, 1]."""
        ratio = self.strip / self.half
        return ratio + (ratio * ratio + 1).sqrt()

    def bounds(self, law: Law, p: arb, start: arb) -> list[arb]:
        """Return bounds of ``exp(-p w) g`` on the ellipses.

        ``|1 + x e^(iy)| >= (1 + x) cos(y/2)`` bounds ``|l|`` at the left ends.
        """
        reach = (self.strip**2 + self.half**2).sqrt()
        turned = (self.strip / 2).cos().rsqrt()
        found = []
        for i in range(self.number):
            left, right = self.centre(i) - reach, self.centre(i) + reach
            size = _positive(law, _live(law, start * left.exp()) * turned)
            found.append(size * arb.max((-p * left).exp(), (-p * right).exp()))
        return found


def _middle(law: Law, p: arb_series, start: arb, end: arb) -> arb_series:
    """Return ``int exp(-p w) g(t_0 e^w) dw`` over the panels."""
    bits, length = ctx.prec, (end / start).log()
    with working_precision(_BOUND_BITS):
        count = math.ceil(float(length) / _PANEL)
        half = length / (2 * count)
        choices = [_Panels(count, half, arb(a)) for a in _STRIPS]
        sizes = [panels.bounds(law, p[0], start) for panels in choices]
        goal = _largest(law, p[0], start, choices[0]) * arb(2) ** -bits
        degrees = [_degree(*pair, goal) for pair in zip(choices, sizes, strict=True)]
        degree = min(degrees)
        panels, bounds = choices[degrees.index(degree)], sizes[degrees.index(degree)]
        # [Tre13], theorem 19.3, for every panel
        error = panels.rho ** (-2 * degree) / (1 - panels.rho**-2) * 64 / 15 * half
        reach = length + panels.strip
        rest = sum(bounds, arb(0)) * error
        errors = [(rest * reach**j / arb.fac_ui(j)).upper() for j in range(p.prec)]
    sums, half = [arb(0)] * p.prec, length / (2 * count)
    for i in range(count):
        for node, weight in _gauss(degree, ctx.prec):
            w = half * (2 * i + 1 + node)
            value = _positive(law, _live(law, start * w.exp())) * (-p[0] * w).exp() * weight
            for j in range(p.prec):
                sums[j] += value
                value = -value * w / (j + 1)
    return arb_series(
        [x * half + arb(0, e) for x, e in zip(sums, errors, strict=True)], prec=p.prec
    )


def _largest(law: Law, p: arb, start: arb, panels: _Panels) -> arb:
    """Return the size of what is integrated, with that of the head."""
    points = [panels.centre(i) for i in range(panels.number)]
    values = (_positive(law, _live(law, start * w.exp())) * (-p * w).exp() for w in points)
    return max([ball(1 - law.dead), *values], key=float).mid()


def _degree(panels: _Panels, bounds: list[arb], goal: arb) -> int:
    """Return the number of nodes for which the error is below a goal, a multiple of 4."""
    ratio = max(exponent(bound) for bound in bounds) - exponent(goal)
    return 4 * math.ceil((ratio * math.log(2) / (2 * math.log(float(panels.rho))) + 2) / 4)


@lru_cache(maxsize=64)
def _gauss(degree: int, precision: int) -> list[tuple[arb, arb]]:
    """Return the nodes and weights of Gauss and Legendre's rule on [-1, 1], an even number."""
    with working_precision(precision):
        half = [arb.legendre_p_root(degree, k, weight=True) for k in range(degree // 2)]
    return half + [(-node, weight) for node, weight in half]


# ---------------------------------------------------------------- from t_1 on


class _Expansion(NamedTuple):
    """``sqrt(2 t) l = y + beta v + r(s)`` for ``t = t_1 e^v`` and ``s = e^-v``.

    ``remainder`` has the first coefficients of r, all of which are at most ``size q^k``.
    """

    y: arb
    beta: arb
    remainder: list[arb]
    size: arb
    q: arb


def _expansion(law: Law, end: arb, count: int) -> _Expansion:
    """Return the expansion at large t, from ``(1 + x)^(-1/2) = sum_k C(-1/2, k) x^k``.

    ``|C(-1/2, k)| <= 1/2`` for k > 0.
    """
    one, slope, sizes = ball(law.one), ball(law.slope), [abs(a) for a in _slopes(law)]
    if law.vanishing:
        share = ball(law.slope / (law.upper - law.lower))
        y = one + share * sum(((8 * a * a * end).log() for a in sizes), arb(0)) / 2
        beta = share * len(sizes) / 2
        largest = one + beta
    else:
        beta, steepest = arb(0), 1 / reduce(arb.min, sizes)
        y = one + slope / sizes[0]
        if law.uniform:
            length = ball(law.upper - law.lower)
            y = one + slope * (length / sizes[0]).log1p() / length
            steepest = arb.min(steepest, 1 / (2 * length))
        largest = one + slope * steepest
    x, remainder = arb(1), [arb(0)]
    for k in range(1, count):
        x = -x * (2 * k - 1) / (4 * k * end)
        remainder.append(x * (one + slope * _inverse_power(law, k, sizes)))
    q = reduce(arb.max, [a**-2 for a in sizes], arb(1)) / (2 * end)
    return _Expansion(y, beta, remainder, largest / 2, q)


def _inverse_power(law: Law, k: int, sizes: list[arb]) -> arb:
    """Return ``E |a|^(-1-2k)`` of a slope, by an antiderivative that is 0 at infinity.

    Where slopes come close to 0 this is what ``asinh(x^(-1/2)) - log(2 x^(-1/2))``, which is
    ``-sum_{k>0} C(-1/2, k) x^k/(2k)``, leaves of it.
    """
    if not law.uniform:
        return sizes[0] ** (-1 - 2 * k)
    powers = [a ** (-2 * k) for a in sizes]
    total = -sum(powers, arb(0)) if law.vanishing else powers[0] - powers[1]
    return total / (2 * k * ball(law.upper - law.lower))


def _far(law: Law, p: arb_series, start: arb, end: arb) -> arb_series:
    """Return ``int exp(-p w) g(t_0 e^w) dw`` from ``t_1`` on.

    ``g = sum_n C(d,n) dead^(d-n) l^n``; the terms from n = m on are together at most that of m
    times ``(1 + l/dead)^(d-m)``, and l is largest at ``t_1``.
    """
    d, count = law.width, ctx.prec // (_LAST - 1) + 3
    far = _expansion(law, end, count)
    first, last = (1, _last(law, end)) if law.has_atom else (d, d)
    with series_length(count):
        base = arb_series([far.y, *far.remainder[1:]], prec=count)
        powers = [arb_series([1], prec=count)]
        for _ in range(last):
            powers.append(powers[-1] * base)
    total, size = arb_series([0], prec=p.prec), (2 * end).rsqrt()
    for n in range(first, last + 1):
        part, rate = _cut(far, n, p + arb(n) / 2, count), p + arb(n) / 2
        for k in range(count):
            part += _integral([power[k] for power in powers[: n + 1]], far.beta, rate + k)
        total += part * (arb(d).bin(n) * size**n * ball(law.dead) ** (d - n))
    if last < d:
        m = last + 1
        growth = (ball(law.dead) + _live(law, end)) ** (d - m)
        total += _cut(far, m, p + arb(m) / 2, 0) * (arb(d).bin(m) * size**m * growth)
    return total * (-p * (end / start).log()).exp()


def _last(law: Law, end: arb) -> int:
    """Return up to which number of live units terms matter: a choice."""
    d, ratio = law.width, _live(law, end) / ball(law.dead)
    goal = _positive(law, ball(1 - law.dead)) / ball(law.dead) ** d * arb(2) ** (-ctx.prec - 4)
    term, n = ratio * d, 1
    while n < d and not term < goal:
        term = term * ratio * (d - n) / (n + 1)
        n += 1
    return n


def _integral(powers: list[arb], beta: arb, rate: Any) -> Any:
    """Return ``int exp(-rate v) [s^k] (y + beta v + r)^n dv`` from ``[s^k] (y + r)^m``, m <= n.

    By parts: n-th powers are the last power plus ``n beta`` times that of the power before.
    """
    if beta.is_zero():
        return powers[-1] / rate
    total: Any = arb(0)
    for m, power in enumerate(powers):
        total = (power + total * (beta * m)) / rate
    return total


def _cut(far: _Expansion, n: int, rate: arb_series, first: int) -> arb_series:
    """Return balls around 0 for the terms from ``s^first`` on of what `_far` integrates.

    On ``|s| = 1/(2q)`` the power is at most ``(|y| + beta v + size)^n``: Cauchy's estimate. The
    coefficients of the series in p have factors ``v^j/j! <= exp(e v)/e^j``.
    """
    ratio, most, decay = 2 * far.q, abs(far.y) + far.size, rate[0] + first
    shift = arb.min(arb(1), decay / 2).lower()
    if not (ratio < 1 and shift > 0):
        return arb_series([arb.nan()] * rate.prec, prec=rate.prec)
    whole = _integral([most**m for m in range(n + 1)], far.beta, decay - shift)
    radius = whole * ratio**first / (1 - ratio)
    balls = [arb(0, (radius / shift**j).upper()) for j in range(rate.prec)]
    return arb_series(balls, prec=rate.prec)
