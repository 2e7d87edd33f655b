"""The logarithm of the normalized moment, ``F(p) = log E (X/(d m))^p``, as a ball or power series.

Here ``X = R^2`` for d units of slope a and ``d m = E X``, ``m = (1 + a^2)/2``. A unit is
``Y = m z^2 (1 + eta e)`` with an independent sign ``e`` and ``eta = (1 - a^2)/(1 + a^2)``. Since
the length of a normal vector is independent of its direction u, ``X/(d m) = G (1 + eta T)`` with
independent ``G = |g|^2/d`` and ``T = sum e_i u_i^2`` in [-1, 1], which is symmetric. Hence

    F(p) = log(Gamma(d/2 + p)/Gamma(d/2)) - p log(d/2) + log S(p)
    S(p) = E (1 + eta T)^p = sum_k binomial(p, 2k) eta^(2k) E T^(2k)

Every scale-free inequality about linear (eta = 0), leaky ReLU and ReLU layers (eta = 1) is one
about F. The two atoms T = 1 and T = -1, of probability 2^-d each, are kept in closed form. What
the truncated series leaves out is bounded on the page docs/algorithms/proofs.md. All functions
work at the precision of ``flint.ctx``.
"""

from __future__ import annotations

import math
from functools import lru_cache

from flint import arb, arb_series, ctx

__all__ = ["atom", "direction_moment", "eta_of", "log_moment", "mean_log"]

# The series ends once what is left out is below 2^-_SMALL, or after this many terms.
_SMALL = 36
_MOST_TERMS = 1000
# The bound of the tail wants the series to begin well above the order.
_FEWEST_TERMS = 8


def eta_of(slope: arb) -> arb:
    """Return ``eta = (1 - a^2)/(1 + a^2)``.

    Examples
    --------
    >>> [float(eta_of(arb(slope))) for slope in (0, 1)]
    [1.0, 0.0]
    """
    return 2 / (1 + (slope * slope).nonnegative_part()) - 1


@lru_cache(maxsize=512)
def even_moments(width: int, precision: int) -> tuple[tuple[arb, ...], tuple[arb, ...]]:
    """Return ``E T^(2k) - 2^(1-d)``, the moments of T without atoms for k = 0, 1, ..., and bounds.

    ``E exp(t sum e_i z_i^2) = g(t)^d`` with ``g(t) = ((1 - 2t)^(-1/2) + (1 + 2t)^(-1/2))/2``, whose
    coefficients are positive, and ``E T^(2k) = (2k)! [t^(2k)] g^d / (2^(2k) (d/2)_(2k))``.

    The bounds tau_n decrease, ``tau_(n+1)/tau_n <= 1 - 1/(d + 2n)`` for n = 2k, see `_bounds`.

    Examples
    --------
    For d = 2, T is the cosine of a uniform angle half of the time, and 1 or -1 otherwise:

    >>> [round(float(t), 6) for t in even_moments(2, 64)[0][:3]]
    [0.5, 0.25, 0.1875]
    """
    bounds = _bounds(width, precision)
    cap = ctx.cap
    try:
        ctx.cap = len(bounds)
        with ctx.workprec(precision):
            power = _power(arb_series(_unit_series(len(bounds))), width)
            factor, atoms, moments = arb(1), arb(2) ** (1 - width), []
            for k in range(len(bounds)):
                moments.append((power[k] * factor - atoms).nonnegative_part())
                # (2k+2)!/(2k)! over the growth of 4^k (d/2)_(2k).
                grown = (width + 4 * k) * (width + 4 * k + 2)
                factor = factor * ((2 * k + 1) * (2 * k + 2)) / grown
            return tuple(moments), bounds
    finally:
        ctx.cap = cap


def _bounds(width: int, precision: int) -> tuple[arb, ...]:
    """Return ``tau_n = 2 sum_j 2^-d binomial(d, j) (j/2)_n/(d/2)_n`` for n = 0, 2, ..., 0 < j < d.

    Given j positive signs, ``T = 2B - 1`` with B ~ Beta(j/2, (d-j)/2), ``E B^n = (j/2)_n/(d/2)_n``,
    and ``|2B - 1| <= max(B, 1 - B)``.
    """
    with ctx.workprec(precision):
        terms = [math.comb(width, j) * arb(2) ** (1 - width) for j in range(1, width)]
        bounds = []
        for n in range(0, 2 * _MOST_TERMS, 2):
            bounds.append(sum(terms, arb(0)).upper())
            enough = n >= max(2 * _FEWEST_TERMS, (width + 1) // 2)
            if enough and bool(bounds[-1] < arb(2) ** -_SMALL):
                break
            below = (width + 2 * n) * (width + 2 * n + 2)
            terms = [
                term * ((j + 2 * n) * (j + 2 * n + 2)) / below for j, term in enumerate(terms, 1)
            ]
        return tuple(bounds)


def _unit_series(terms: int) -> list[arb]:
    """Return the coefficients of g in powers of t^2, ``binomial(4m, 2m)/4^m``."""
    coefficients = [arb(1)]
    for m in range(terms - 1):
        step = arb((4 * m + 1) * (4 * m + 3)) / ((2 * m + 1) * (2 * m + 2))
        coefficients.append(coefficients[-1] * step)
    return coefficients


def _power(base: arb_series, exponent: int) -> arb_series:
    """Return a power by squaring: positive coefficients stay free of cancellation."""
    result = arb_series([1])
    while exponent:
        if exponent & 1:
            result = result * base
        base = base * base
        exponent >>= 1
    return result


# ---------------------------------------------------------------- moments


def log_moment(width: int, p: arb_series, eta: arb) -> arb_series:
    """Return the series of ``F(p) = log E (X/(d m))^p`` around the constant term of p.

    Parameters
    ----------
    width : int
        Width d.
    p : arb_series
        Half the order, affine in the variable of the series: ``p_0 + p_1 x``, where the ball p_0
        is positive (anything above -d/2 if eta is 0).
    eta : arb
        ``(1 - a^2)/(1 + a^2)`` in [0, 1].

    Returns
    -------
    arb_series
        ``ctx.cap`` coefficients. Each encloses the coefficient at every point of the balls.

    Examples
    --------
    Order 2 is preserved by He's scale whatever the slope:

    >>> bool(abs(log_moment(3, arb_series([1]), arb(0.5))[0]) < 1e-12)
    True
    """
    half = arb(width) / 2
    shifted = (p + half).lgamma() - half.lgamma() - p * half.log()
    return shifted if bool(eta == 0) else shifted + direction_moment(width, p, eta).log()


def direction_moment(width: int, p: arb_series, eta: arb, first: int = 0) -> arb_series:
    """Return the series of ``S(p) = E (1 + eta T)^p`` without its terms before k = ``first``."""
    square = eta * eta
    moments, bounds = even_moments(width, ctx.prec)
    total, binomial, power = arb_series([0]), arb_series([1]), arb(1)
    atoms = atom(1 + eta, p) + atom(_small(1 - eta), p)
    terms = 0
    for moment, bound in zip(moments, bounds, strict=True):
        if terms >= _FEWEST_TERMS and bool(bound * power < arb(2) ** -_SMALL):
            break
        if terms >= first:
            total = total + binomial * (moment * power)
        else:
            atoms = atoms - binomial * (2 * power)
        power = power * square
        binomial = binomial * _quadratic(p, 2 * terms)
        terms += 1
    if width > 1:
        bound = bounds[terms] * power if terms < len(bounds) else bounds[-1] * power
        total = total + _tail(width, p, 2 * terms, bound)
    return total + arb(2) ** -width * atoms


def _quadratic(p: arb_series, n: int) -> arb_series:
    """Return ``binomial(p, n + 2)/binomial(p, n) = (p - n)(p - n - 1)/((n + 1)(n + 2))``."""
    base, slope = p[0] - n, p[1]
    scale = (n + 1) * (n + 2)
    square = [base * (base - 1) / scale, slope * (2 * base - 1) / scale, slope * slope / scale]
    return arb_series(square[: ctx.cap])


def _small(value: arb) -> arb:
    """Return a ball of [0, 1] that rounding may have pushed below 0."""
    return value.nonnegative_part() if value.contains(0) else value


def _tail(width: int, p: arb_series, start: int, largest: arb) -> arb_series:
    """Return series that enclose ``sum_n binomial(p, n) c_n`` over even n >= start >= 2.

    Here ``0 <= c_start <= largest`` and ``c_(n+1)/c_n <= 1 - 1/(d + 2n)`` for bounds of the c_n. On
    the disc ``|p - p_0| <= rho`` the binomials are at most b_n, ``b_(n+1)/b_n = (n - q)/(n + 1)``,
    ``q = inf p_0 - rho > -1/2``. Then the sum is at most ``b_N c_N (N + d/2)/e`` with N = start and
    ``e = q + 1/2 - (1 + q)/N``, and Cauchy's estimate bounds the coefficients.
    """
    coefficients = []
    for j in range(ctx.cap):
        # About where N^rho/rho^j is least.
        wanted = j / math.log(start)
        rho = arb(min(wanted, max(0.0, float(p[0].lower()) + 0.4)))
        size = _tail_size(width, p[0], start, rho) * largest
        ratio = abs(p[1]) / rho if j else arb(1)
        bound = (size * ratio**j).upper()
        coefficients.append(arb(0, bound) if bound.is_finite() else arb.nan())
    return arb_series(coefficients)


def _tail_size(width: int, ball: arb, start: int, rho: arb) -> arb:
    """Return ``b_N (N + d/2)/e`` for N = start."""
    middle, reach = arb(ball.mid()), rho + ball.rad()
    q = (middle - reach).lower()
    margin = q + arb("0.5") - (1 + q) / start
    first = int(float(middle + reach)) + 2
    if not bool(margin > 0) or not bool(q > -1) or first > start:
        return arb.pos_inf()
    size = (start + arb(width) / 2) / margin
    for i in range(first):
        size = size * (abs(middle - i) + reach) / (i + 1)
    # The product of (i - q)/(i + 1) for first <= i < start.
    steps = start - first
    return size * (first - q).rising(steps) / arb(first + 1).rising(steps)


def atom(base: arb, p: arb_series) -> arb_series:
    """Return the series of ``base^p`` for a base >= 0; where 0 is possible, p must be positive.

    Near 0, ``|x^p (log x)^j|`` is at most ``(j/(e p))^j`` for x in [0, 1].
    """
    if bool(base > 0):
        return (p * base.log()).exp()
    low, top = p[0].lower(), base.upper()
    if not bool(low > 0) or not bool(top <= 1):
        return arb_series([arb.nan()] * ctx.cap)
    coefficients = []
    for j in range(ctx.cap):
        if bool(top == 0):
            coefficients.append(arb(0))
            continue
        peak = (j / (low * arb(1).exp())) ** j if j else arb(1)
        # Beyond its maximum at exp(-j/p) the function decreases towards 0.
        size = top**low * abs(top.log()) ** j if bool(top < (-j / low).exp()) else peak
        bound = (size * abs(p[1]) ** j / math.factorial(j)).upper()
        coefficients.append(arb(0, bound) if j else arb(0).union(bound))
    return arb_series(coefficients)


# ---------------------------------------------------------------- logarithms


def mean_log(width: int, eta: arb) -> arb:
    """Return ``E log(X/(d m))`` without the atom T = -1, ``2^-d log(1 - eta)``.

    That is minus infinity for eta = 1 (ReLU); its exponential is `atom` of exponent 2^-d.

    Notes
    -----
    ``E log(1 + eta T) = -sum_k eta^(2k) E T^(2k)/(2k)``. What the truncated sum leaves out is at
    most ``sqrt(2) tau``, or by the geometric series, see docs/algorithms/proofs.md.
    """
    square, half = eta * eta, arb(width) / 2
    moments, bounds = even_moments(width, ctx.prec)
    total, power = arb(0), arb(1)
    for k, moment in enumerate(moments[1:], 1):
        power = power * square
        total = total - moment * power / (2 * k)
    last = 2 * len(moments) - 2
    factor = arb(2).sqrt() if 2 * last >= width else arb.pos_inf()
    if bool(square < 1):
        factor = arb.min(factor, square / ((last + 2) * (1 - square)))
    rest = (bounds[-1] * power * factor).upper() if width > 1 else arb(0)
    atoms = arb(2) ** -width * (1 + eta).log()
    return half.digamma() - half.log() + total + arb(0).union(-rest) + atoms
