"""Random containments: ``python -m tests.certified.containment --points 10000``.

Enclosures of every law and quantity are compared with values by other definitions than theirs:

- moments of even order in exact fractions, from the moments of the units, for every law;
- gamma functions for linear layers, sums over the number of live units for ReLU and dropout;
- ``E (1 + eta T)^p`` for leaky layers, from the even moments of T (docs/algorithms/proofs.md);
- the any-precision route of the compiled core, where nothing simpler is known.

Widths to 10^6, slopes from 1e-30, orders next to the edge, scales next to the critical one.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np

import fracmoment as fm
from fracmoment import certified
from fracmoment.certified import CertificationError, Enclosure
from fracmoment.expansions import exact_expansion

DIGITS, REFERENCE = 25, 60
# Relative error of the references, with the digits that sums of many terms lose.
SLACK = Fraction(1, 10**45)

Found = tuple[str, Enclosure, Any]


def mp(value: Fraction | float | int) -> mpmath.mpf:
    fraction = Fraction(value)
    return mpmath.mpf(fraction.numerator) / fraction.denominator


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(math.exp(rng.uniform(math.log(low), math.log(high))))


def widths(rng: np.random.Generator, most: float = 1e6) -> int:
    return int(log_uniform(rng, 1, most + 0.5))


def near_edge(rng: np.random.Generator, edge: int, most: float) -> Fraction:
    """An order above an edge, half of the time next to it."""
    if rng.random() < 0.5:
        return edge + Fraction(log_uniform(rng, 1e-25, 1.0))
    return Fraction(rng.uniform(edge + 1e-3, most))


def close(reference: Any, enclosure: Enclosure, unit: Any = 0) -> bool:
    """Whether a value known to `SLACK`, of itself or of a unit, is compatible with an enclosure."""
    value = mp(reference) if isinstance(reference, Fraction) else reference
    slack = max(abs(value), mp(unit)) * mp(SLACK)
    return bool(value - slack <= enclosure.upper and enclosure.lower <= value + slack)


def exact(value: mpmath.mpf) -> Fraction:
    sign, mantissa, exponent, _ = value._mpf_
    return (-1) ** sign * Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


# ---------------------------------------------------------------- definitions


def unit_moments(gain: fm.Gain, count: int) -> list[Fraction]:
    """``E Y^n`` for ``Y = b z^2`` of one unit, n below ``count``, R^2 = sum Y."""
    low, high = (Fraction(a) for a in gain.activation.exact_slopes)
    keep = Fraction(gain.keep_prob)
    factor = 1 / keep**2 if gain.inverted_dropout else Fraction(1)
    moments = [Fraction(1)]
    for n in range(1, count):
        powers = sum((low**i * high ** (2 * n - i) for i in range(2 * n + 1)), Fraction(0))
        slope = powers / (2 * n + 1)
        normal = math.prod(range(1, 2 * n, 2))
        moments.append(keep * (1 + slope) / 2 * factor**n * normal)
    return moments


def even_moment(gain: fm.Gain, order: int) -> Fraction:
    """``E R^order`` exactly: the moments of a sum of independent units."""
    count, d = order // 2 + 1, int(gain.width)
    cumulants: list[Fraction] = [Fraction(0)]
    one = unit_moments(gain, count)
    for n in range(1, count):
        rest = (math.comb(n - 1, j - 1) * cumulants[j] * one[n - j] for j in range(1, n))
        cumulants.append(one[n] - sum(rest, Fraction(0)))
    total = [Fraction(1)]
    for n in range(1, count):
        terms = (math.comb(n - 1, j - 1) * d * cumulants[j] * total[n - j] for j in range(1, n + 1))
        total.append(sum(terms, Fraction(0)))
    if gain.weights == "gaussian":
        return total[-1]
    return total[-1] / math.prod(d + 2 * i for i in range(count - 1))


def chi_log_moment(d: int, s: Fraction) -> mpmath.mpf:
    p, half = mp(s) / 2, mpmath.mpf(d) / 2
    return mpmath.loggamma(half + p) - mpmath.loggamma(half) + p * mpmath.log(2)


def mixture_moment(d: int, live: Fraction, s: Fraction) -> mpmath.mpf:
    """``E[R^s; R > 0]`` where every unit is live with slope 1 or dead."""
    q, total = mp(live), mpmath.mpf(0)
    for n in range(1, d + 1):
        weight = mpmath.binomial(d, n) * q**n * (1 - q) ** (d - n)
        total += weight * mpmath.exp(chi_log_moment(n, s))
    return total


def leaky_moment(d: int, slope: Fraction, s: Fraction) -> mpmath.mpf:
    """``E R^s`` of a leaky layer, from the even moments of T in its mean normalization."""
    square, p = mp(slope) ** 2, mp(s) / 2
    eta, mean = (1 - square) / (1 + square), (1 + square) / 2
    # b_k: coefficients of E exp(t e z^2) = ((1-2t)^(-1/2) + (1+2t)^(-1/2))/2 in t^2
    base, power = [mpmath.mpf(1)], [mpmath.mpf(1)]
    total, factor, k = mpmath.mpf(0), mpmath.mpf(1), 0
    while True:
        # t_k = (2k)! [t^2k] g^d / (2^2k (d/2)_2k)
        term = mpmath.binomial(p, 2 * k) * eta ** (2 * k) * power[k] * factor
        total += term
        if 2 * k > abs(p) and abs(term) < abs(total) * mpmath.mpf(10) ** -(REFERENCE + 5):
            return total * mpmath.exp(chi_log_moment(d, s)) * mean**p
        half = mpmath.mpf(d) / 2 + 2 * k
        factor *= (2 * k + 1) * (2 * k + 2) / (4 * half * (half + 1))
        k += 1
        base.append(mpmath.binomial(4 * k, 2 * k) / mpmath.mpf(4) ** k)
        # J. C. P. Miller's recurrence of powers
        inner = (((d + 1) * i - k) * base[i] * power[k - i] for i in range(1, k + 1))
        power.append(mpmath.fsum(inner) / k)


# ---------------------------------------------------------------- what is drawn


def any_gain(rng: np.random.Generator, most: float = 1e6) -> fm.Gain:
    kind = rng.integers(4)
    slope = log_uniform(rng, 1e-30, 1e3) if rng.random() < 0.3 else rng.uniform(0.01, 2)
    activation = {
        0: fm.Linear(),
        1: fm.ReLU(),
        2: fm.LeakyReLU(slope),
        3: fm.RandomizedLeakyReLU(-slope * rng.random(), slope)
        if rng.random() < 0.5
        else fm.RandomizedLeakyReLU(slope * rng.random(), slope),
    }[int(kind)]
    keep = 1.0 if rng.random() < 0.5 else log_uniform(rng, 1e-3, 1.0)
    weights = "gaussian" if rng.random() < 0.7 else "orthogonal"
    inverted = bool(rng.random() < 0.5)
    width = widths(rng, most)
    return fm.Gain(activation, width, keep_prob=keep, inverted_dropout=inverted, weights=weights)


def even(rng: np.random.Generator) -> Found:
    gain, order = any_gain(rng), 2 * int(rng.integers(1, 7))
    return f"{gain} {order}", certified.moment(gain, order, digits=DIGITS), even_moment(gain, order)


def linear(rng: np.random.Generator) -> Found:
    d = widths(rng)
    s = near_edge(rng, -d, 100)
    value = mpmath.exp(chi_log_moment(d, s))
    return f"linear {d} {s}", certified.moment(fm.Gain("linear", d), s, digits=DIGITS), value


def mixture(rng: np.random.Generator) -> Found:
    d, keep = widths(rng, 300), Fraction(log_uniform(rng, 0.01, 1.0))
    s, relu = near_edge(rng, -1, 12), bool(rng.random() < 0.5)
    live = keep / 2 if relu else keep
    gain = fm.Gain("relu" if relu else "linear", d, keep_prob=keep, inverted_dropout=False)
    alive = live < 1
    value = mixture_moment(d, live, s) / (1 - (1 - mp(live)) ** d)
    return f"{gain} {s}", certified.moment(gain, s, digits=DIGITS, given_alive=alive), value


def leaky(rng: np.random.Generator) -> Found:
    d, slope = widths(rng, 200), Fraction(rng.uniform(1 / 3, 3))
    s = near_edge(rng, -d, 20)
    gain = fm.Gain(fm.LeakyReLU(slope), d)
    return f"{gain} {s}", certified.moment(gain, s, digits=DIGITS), leaky_moment(d, slope, s)


def against_core(rng: np.random.Generator) -> Found:
    gain = any_gain(rng)
    atom = gain.prob_zero() > 0 or gain.keep_prob < 1 or isinstance(gain.activation, fm.ReLU)
    s = near_edge(rng, -1 if atom else -min(int(gain.width), 200), 20)
    value = gain.scale(s, digits=REFERENCE, given_alive=atom)
    enclosure = certified.scale(gain, s, digits=DIGITS, given_alive=atom)
    return f"{gain} {float(s)!r}", enclosure, value


def cumulant(rng: np.random.Generator) -> Found:
    gain, n = any_gain(rng), int(rng.integers(1, 7))
    if gain.weights == "orthogonal" and gain.width == 1:
        n = 2  # two values of equal probability: odd cumulants are 0, which has no digits
    value = gain.log_cumulant(n, digits=REFERENCE)
    return f"{gain} cumulant {n}", certified.cumulant(gain, n, digits=15), value


def tail_index(rng: np.random.Generator) -> Found:
    """The scale of the tail index is sigma: a number is given that is inside if it is."""
    gain, s = any_gain(rng, 1e4), Fraction(log_uniform(rng, 1e-3, 30.0))
    sigma = gain.scale(s, digits=REFERENCE)
    if gain.weights == "orthogonal" and isinstance(gain.activation, fm.Linear):
        return "skipped, R may be constant", Enclosure(1, 1), Fraction(1)
    if rng.random() < 0.3:  # sigma next to the critical value
        s = Fraction(log_uniform(rng, 1e-12, 1e-6))
        sigma = gain.scale(s, digits=REFERENCE)
    if not mpmath.mpf("1e-100") < sigma < mpmath.mpf("1e100"):
        return "skipped", Enclosure(1, 1), Fraction(1)
    enclosure = certified.tail_index(gain, sigma, digits=12)
    # sigma has 60 digits, and the root moves by at most 4 (d + s)/s times their error.
    slack = Fraction(1, 10**50) * (int(gain.width) + 1) / min(s, 1)
    wide = Enclosure(exact(enclosure.lower) - slack, exact(enclosure.upper) + slack)
    return f"{gain} tail index {float(s)}", wide, s


def distribution(rng: np.random.Generator) -> Found:
    d, keep = widths(rng, 400), Fraction(rng.uniform(0.05, 1))
    relu = bool(rng.random() < 0.5)
    gain = fm.Gain("relu" if relu else "linear", d, keep_prob=keep, inverted_dropout=False)
    live = keep / 2 if relu else keep
    r = Fraction(math.sqrt(d * live) * rng.uniform(0.3, 1.8))
    q, half = mp(live), mp(r * r) / 2
    value = (1 - q) ** d
    for n in range(1, d + 1):
        weight = mpmath.binomial(d, n) * q**n * (1 - q) ** (d - n)
        value += weight * mpmath.gammainc(mpmath.mpf(n) / 2, 0, half, regularized=True)
    return f"{gain} cdf {r}", certified.cdf(gain, r, digits=15), value


def ratio_distribution(rng: np.random.Generator) -> Found:
    """Given n units of slope 1, the share of them in |g|^2 has a beta law."""
    d, slope = widths(rng, 200), Fraction(rng.choice([0.0, rng.uniform(0, 2)]))
    if slope == 1 or d == 1:
        return "skipped, steps", Enclosure(1, 1), Fraction(1)
    ends = sorted((slope, Fraction(1)))
    r = ends[0] + (ends[1] - ends[0]) * Fraction(rng.uniform(0.01, 0.99))
    gain = fm.Gain(fm.LeakyReLU(slope), d, weights="orthogonal")
    # X/|g|^2 = a^2 + (1 - a^2) B <= r^2
    share = mp(Fraction(r * r - slope**2, 1 - slope**2))
    value = mpmath.mpf(slope < 1)  # n = 0: B is 0
    for n in range(1, d):
        below = mpmath.betainc(mpmath.mpf(n) / 2, mpmath.mpf(d - n) / 2, 0, share, regularized=True)
        value += math.comb(d, n) * (below if slope < 1 else 1 - below)
    value += slope > 1
    return f"{gain} cdf {r}", certified.cdf(gain, r, digits=15), value / mpmath.mpf(2) ** d


def remainder(rng: np.random.Generator) -> Found:
    gain, s = any_gain(rng), Fraction(rng.uniform(0.05, 4))
    low, high = gain.activation.exact_slopes
    expansion = exact_expansion(gain, int(gain.width), low, high, gain.keep_prob, s)
    with mpmath.workdps(100):
        value = gain.scale(s, digits=100) ** 2 - mp(expansion)
    return f"{gain} remainder {s}", certified.scale_remainder(gain, s, digits=10), value


DRAWS: tuple[Callable[[np.random.Generator], Found], ...] = (
    even, linear, mixture, leaky, against_core, cumulant, tail_index, distribution,
    ratio_distribution, remainder,
)  # fmt: skip


def failures(count: int, seed: int = 1) -> list[str]:
    """What is outside of its enclosure, or not enclosed, at so many random points."""
    rng, found = np.random.default_rng(seed), []
    with mpmath.workdps(REFERENCE + 20):
        for draw in itertools.islice(itertools.cycle(DRAWS), count):
            state = rng.bit_generator.state
            try:
                what, enclosure, reference = draw(rng)
            except CertificationError as error:
                found.append(f"{draw.__name__} {state['state']['state']}: {error}")
                continue
            unit = Fraction(1) if draw in (cumulant, remainder) else 0
            if not close(reference, enclosure, unit):
                found.append(f"{what}: {reference} is not in {enclosure!r}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.certified.containment")
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    found = failures(options.points, options.seed)
    print("\n".join([*found, f"{options.points} points, {len(found)} failures"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
