"""Where contours cross the axis, in doubles: choices that affect the work and not the result."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from fracmoment.certified.laws.law import Law, ball

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Saddle", "laplace_peak", "moment_saddle", "ratio_saddle", "tail_saddle"]

# Nodes and weights that stand for a uniform slope.
_NODES = ((0.0469, 0.1185), (0.2308, 0.2393), (0.5, 0.2844), (0.7692, 0.2393), (0.9531, 0.1185))


class Saddle(NamedTuple):
    """Crossing point of the contour, and its natural width there."""

    centre: float
    radius: float


def _square(value: object) -> float:
    return float(ball(value).mid()) ** 2


def live_parts(law: Law) -> list[tuple[float, float]]:
    """Return the squared slopes of live units and their probabilities, in doubles."""
    parts = [(1.0, float(law.one))]
    if law.uniform:
        low, high = float(law.lower), float(law.upper)
        parts += [((low + (high - low) * x) ** 2, float(law.slope) * q) for x, q in _NODES]
        ends = [low * low, high * high] + [0.0] * law.vanishing
        parts += [(end, 1e-6 * float(law.slope)) for end in (max(ends), min(ends))]
    elif law.has_slopes:
        parts.append((_square(law.lower), float(law.slope)))
    return parts


def root(increasing: Callable[[float], float], low: float, high: float) -> float:
    """Return about where an increasing function changes sign."""
    for _ in range(50):
        middle = 0.5 * (low + high)
        if increasing(middle) < 0:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def moment_saddle(law: Law, p: float) -> Saddle:
    """Return the saddle point of ``E[exp(z X)] z^(-p-1)``, the singularity at 1/(2 b_max)."""
    parts, dead, d = live_parts(law), float(law.dead), law.width
    largest = max(b for b, _ in parts)
    scaled = [(b / largest, q) for b, q in parts]

    def slope(logit: float) -> float:
        # x = z/singularity; the derivative of the logarithm with respect to log z
        x, rest = 1 / (1 + math.exp(-logit)), 1 / (1 + math.exp(logit))
        roots = [(b, q, rest + (1 - b) * x) for b, q in scaled]
        value = sum(q / math.sqrt(y) for _, q, y in roots)
        derivative = sum(q * b * x / (2 * y * math.sqrt(y)) for b, q, y in roots)
        growth = (2 if dead > 0 else d) * derivative / value
        if dead > 0:
            growth += (d - 2) * derivative / (dead + value)
        return growth - (p + 1)

    logit = root(slope, -40.0 - math.log(d), 40.0)
    x = 1 / (1 + math.exp(-logit))
    step = 1e-3
    # d/dlog x = (1 - x)^-1 d/dlogit
    curvature = (slope(logit + step) - slope(logit - step)) / (2 * step * (1 - x))
    centre = x / (2 * largest)
    return Saddle(centre, centre / math.sqrt(max(curvature, 1e-3)))


def laplace_peak(law: Law, p: float, k: int) -> float:
    """Return about the log t at which ``t^(-p) E[|g|^2k exp(-t X)]`` is largest, p < 0."""
    parts, half = live_parts(law), 0.5 * law.width
    total = sum(q for _, q in parts)

    def slope(v: float) -> float:
        # Each unit falls like (1 + 2 b t)^(-1/2), and there are 2 k more of them.
        t = math.exp(v)
        mean = sum(q * 2 * b * t / (1 + 2 * b * t) for b, q in parts) / total
        return (half + k) * mean + p

    first = -math.log(max(b for b, _ in parts))
    # Slopes around 0 have no smallest one, and a far part of its own.
    last = first if law.vanishing else -math.log(max(min(b for b, _ in parts), 1e-280))
    return root(slope, first - math.log(half + k) - 60.0, min(last + 10.0, 650.0))


def tail_saddle(law: Law, x: float, upper: bool) -> Saddle:
    """Return the saddle point of ``E[exp(u X)] exp(-u x)/|u|``, u > 0 for the upper tail."""
    shifted = [(b, q) for b, q in [*live_parts(law), (0.0, float(law.dead))] if q > 0]
    return _shifted_saddle(shifted, law.width, x, upper)


def ratio_saddle(law: Law, square: float, upper: bool) -> Saddle:
    """Return the saddle point of ``E[exp(u Z)]/|u|``, ``Z = sum (b_i - square) g_i^2``."""
    parts = [(b - square, q) for b, q in [*live_parts(law), (0.0, float(law.dead))] if q > 0]
    return _shifted_saddle(parts, law.width, 0.0, upper)


def _shifted_saddle(parts: list[tuple[float, float]], d: int, x: float, upper: bool) -> Saddle:
    """Return the saddle point of ``(E (1 - 2 c u)^(-1/2))^d exp(-u x)/|u|`` on one side of 0."""
    sign = 1.0 if upper else -1.0
    # Singular where 2 c u = 1: on this side at the largest c of its sign.
    edge = max(max(sign * c for c, _ in parts), 0.0)

    def point(logarithm: float) -> float:
        size = math.exp(logarithm)
        return sign * size / (1 + 2 * edge * size)

    def slope(logarithm: float) -> float:
        # derivative with respect to log |u|
        u = point(logarithm)
        rest = 1 / (1 + 2 * edge * math.exp(logarithm))
        value = derivative = 0.0
        for c, q in parts:
            y = max(1 - 2 * c * u, rest)
            value += q / math.sqrt(y)
            derivative += q * c * u / (y * math.sqrt(y))
        return d * derivative / value - u * x - 1

    scale = max(x / d, max(abs(c) for c, _ in parts))
    start = -math.log(scale)
    smallest = x / d if x > 0 else min(abs(c) for c, _ in parts if c)
    logarithm = root(slope, start - 60.0, min(max(start, -math.log(smallest)) + 40.0, 650.0))
    u, step = point(logarithm), 1e-3
    change = math.log(point(logarithm + step) / point(logarithm - step))
    curvature = (slope(logarithm + step) - slope(logarithm - step)) / change
    return Saddle(u, abs(u) / math.sqrt(max(curvature, 1e-3)))
