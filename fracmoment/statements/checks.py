"""Comparisons, each of which returns `Evidence`.

Statistical comparisons fail for a true claim with probability `ALPHA` each, so that the probability
that anything fails by chance is at most their number times `ALPHA`.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from fracmoment import certified
from fracmoment.statements.evidence import (
    COMPUTATION,
    IDENTITY,
    PROOF,
    STATISTICS,
    Evidence,
    Plot,
    Series,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from fracmoment._typing import FloatArray

__all__ = [
    "ALPHA",
    "agree",
    "bounded",
    "computed",
    "counted",
    "enclosed",
    "law_plot",
    "means",
    "proved",
    "ratios",
    "same_law",
    "same_numbers",
    "theorem",
    "under_law",
]

#: Probability with which one statistical comparison fails although the claim is true.
ALPHA = 1e-9

_UNIT = 2.0**-53
_GRID = 512


def largest_z(skewness: float = 0.0) -> float:
    """Return the number of standard errors that a sample mean exceeds with probability ALPHA.

    Parameters
    ----------
    skewness : float
        Of the mean: that of one sample over the square root of their number.

    Notes
    -----
    By the normal law with Cramer's first correction for the skewness, ``P(Z > z) = Phi(-z)
    exp(skewness z^3/6)``, on either side.

    Examples
    --------
    >>> round(largest_z(), 3), round(largest_z(0.05), 3)
    (6.109, 6.458)
    """
    c = abs(skewness) / 6.0
    goal = math.log(ALPHA / 2)
    low, high = 0.0, 1.0 / (3.0 * c) if c > 0.0 else 40.0
    high = min(high, 20.0)
    if _log_tail(high, c) > goal:
        message = f"skewness must be below about 0.15 for a mean to be tested, got {skewness:.3g}"
        raise ValueError(message)
    for _ in range(60):
        z = 0.5 * (low + high)
        if _log_tail(z, c) > goal:
            low = z
        else:
            high = z
    return high


def _log_tail(z: float, c: float) -> float:
    return math.log(0.5 * math.erfc(z / math.sqrt(2.0))) + c * z**3


# ---------------------------------------------------------------- proofs


def proved(text: str, items: Iterable[tuple[str, bool]], measured: str) -> Evidence:
    """Return the evidence of facts that enclosures decide, each with a label."""
    facts = list(items)
    return Evidence(PROOF, text, _all(facts), _with_failures(measured, facts), 0.0, None)


def enclosed(text: str, items: Iterable[tuple[str, Any, float]], ulps: float = 1.0) -> Evidence:
    """Compare doubles with enclosures of the exact values.

    Parameters
    ----------
    text : str
        What they are.
    items : iterable of (label, Enclosure, float)
        The exact value and the double.
    ulps : float
        The largest relative error allowed, in units of 2^-52.
    """
    worst, facts = 0.0, []
    for label, exact, value in items:
        size = abs(exact)
        error = abs(exact - value)
        limit = size * (2 * ulps * _UNIT)
        facts.append((label, error.upper <= limit.lower))
        worst = max(worst, float(error.upper / size.lower) / (2 * _UNIT))
    measured = f"{_many(len(facts), 'value')}; largest relative error {worst:.3g} x 2^-52"
    return Evidence(
        PROOF,
        text,
        _all(facts),
        _with_failures(measured, facts),
        numbers={"values": len(facts), "largest_error": worst * 2 * _UNIT},
    )


def theorem(name: str, widths: Iterable[int] | None) -> Evidence:
    """Prove one of `certified.STATEMENTS` over its ranges, for some of its widths."""
    statement = certified.STATEMENTS[name]
    chosen = None if statement.widths is None else list(widths or statement.widths)
    result = certified.prove(name, widths=chosen)
    ranges = [f"{key} in [{low}, {high}]" for key, (low, high) in statement.over.items()]
    if chosen is not None:
        ranges.insert(0, _widths(chosen))
    claim = re.sub(r"abs\(([^()]*)\)", r"|\1|", statement.claim)
    text = f"proved over ranges: {claim}; {', '.join(ranges)}".replace("inverse_width", "1/d")
    measured = f"{result.status} in {result.boxes} boxes"
    if result.witness is not None:
        measured += f"; false at {result.witness}"
    numbers = {"name": name, "status": result.status, "boxes": result.boxes, "widths": chosen}
    return Evidence(PROOF, text, result.proved, measured, numbers=numbers)


def _widths(widths: Sequence[int]) -> str:
    """Return widths as text.

    Examples
    --------
    >>> _widths([1, 2, 3, 4, 8]), _widths([4, 16])
    ('5 widths from 1 to 8', 'widths 4, 16')
    >>> _widths(range(1, 257))
    'every width from 1 to 256'
    """
    first, last = widths[0], widths[-1]
    if len(widths) <= 3:
        return f"widths {', '.join(map(str, widths))}"
    if len(widths) == last - first + 1:
        return f"every width from {first} to {last}"
    return f"{len(widths)} widths from {first} to {last}"


# ---------------------------------------------------------------- identities and computations


def agree(text: str, items: Iterable[tuple[str, Any, Any]], digits: int) -> Evidence:
    """Compare pairs of numbers of many digits, as mpf."""
    import mpmath

    worst, facts = 0.0, []
    with mpmath.workdps(digits + 15):
        for label, left, right in items:
            size = max(abs(mpmath.mpf(left)), abs(mpmath.mpf(right)))
            error = abs(mpmath.mpf(left) - right) / size if size else mpmath.mpf(0)
            facts.append((label, bool(error <= mpmath.mpf(10) ** -digits)))
            worst = max(worst, float(error))
    measured = f"{_many(len(facts), 'value')} to {digits} digits; largest difference {worst:.1e}"
    numbers = {"values": len(facts), "digits": digits, "largest_difference": worst}
    return Evidence(IDENTITY, text, _all(facts), _with_failures(measured, facts), numbers=numbers)


def same_numbers(text: str, items: Iterable[tuple[str, Any, Any]]) -> Evidence:
    """Compare pairs of exact numbers: integers, fractions, or arrays of them."""
    facts = [(label, bool(np.all(left == right))) for label, left, right in items]
    measured = _with_failures(f"{_many(len(facts), 'equality')}, exactly", facts)
    return Evidence(IDENTITY, text, _all(facts), measured, numbers={"values": len(facts)})


def computed(text: str, items: Iterable[tuple[str, float, float]], tolerance: float) -> Evidence:
    """Compare pairs of doubles, up to a relative error that the accuracy of both explains."""
    worst, facts = 0.0, []
    for label, left, right in items:
        error = abs(left - right) / max(abs(left), abs(right), 1e-300)
        facts.append((label, bool(error <= tolerance)))
        worst = max(worst, error)
    measured = f"{_many(len(facts), 'value')}; largest relative difference {worst:.1e}"
    measured += f" (allowed {tolerance:.0e})"
    numbers = {"values": len(facts), "largest_difference": worst, "allowed": tolerance}
    return Evidence(
        COMPUTATION, text, _all(facts), _with_failures(measured, facts), numbers=numbers
    )


def bounded(text: str, items: Iterable[tuple[str, float, float]], measured: str = "") -> Evidence:
    """Check that numbers are below bounds."""
    facts, ratio = [], -math.inf
    for label, value, bound in items:
        facts.append((label, bool(value < bound)))
        if bound > 0:
            ratio = max(ratio, value / bound)
    shown = measured or f"{_many(len(facts), 'value')}, at most {ratio:.3g} of the bound"
    numbers = {"values": len(facts), "largest_share": ratio}
    return Evidence(COMPUTATION, text, _all(facts), _with_failures(shown, facts), numbers=numbers)


# ---------------------------------------------------------------- statistics


def means(text: str, items: Iterable[tuple[str, FloatArray, float, float]]) -> Evidence:
    """Compare sample means with exact ones.

    Parameters
    ----------
    text : str
        What they are.
    items : iterable of (label, samples, mean, standard deviation)
        Mean and standard deviation are the exact ones of one sample; where the standard deviation
        is NaN that of the samples is taken.

    Notes
    -----
    See `largest_z`; the skewness is that of the samples.
    """
    facts: list[tuple[str, bool]] = []
    rows: list[dict[str, Any]] = []
    least = 2**62
    for label, samples, mean, std in items:
        spread = float(np.std(samples)) if math.isnan(std) else std
        root = math.sqrt(samples.size)
        z = (float(np.mean(samples)) - mean) / (spread / root)
        allowed = largest_z(_skewness(samples) / root)
        facts.append((label, abs(z) <= allowed))
        rows.append(
            {
                "label": label,
                "mean": float(np.mean(samples)),
                "exact": mean,
                "z": z,
                "allowed": allowed,
            }
        )
        least = min(least, samples.size)
    worst = max(rows, key=lambda row: abs(row["z"]) / row["allowed"])
    measured = f"{_many(len(rows), 'mean')}; largest distance {abs(worst['z']):.2f} standard errors"
    measured += f" (allowed {worst['allowed']:.2f})"
    return Evidence(
        STATISTICS, text, _all(facts), _with_failures(measured, facts), len(rows) * ALPHA, least,
        {"means": rows},
    )  # fmt: skip


def _skewness(samples: FloatArray) -> float:
    centred = samples - samples.mean()
    spread = float(np.sqrt((centred**2).mean()))
    return float((centred**3).mean()) / spread**3 if spread > 0.0 else 0.0


def ratios(text: str, items: Iterable[tuple[str, float, float, float]], n: int) -> Evidence:
    """Check estimates of logarithms of probabilities by importance sampling.

    Parameters
    ----------
    text : str
        What they are.
    items : iterable of (label, z, estimate, exact value)
        z is the error in standard errors; estimate and value are logarithms.
    n : int
        Number of samples of each.
    """
    rows: list[dict[str, Any]] = [
        {"label": label, "z": z, "log_estimate": value, "log_exact": exact}
        for label, z, value, exact in items
    ]
    facts = [(row["label"], abs(row["z"]) <= largest_z()) for row in rows]
    worst = max(abs(row["z"]) for row in rows)
    lowest = min(row["log_exact"] for row in rows) / math.log(10.0)
    measured = (
        f"{_many(len(rows), 'probability')}, down to 1e{lowest:.0f}; largest distance {worst:.2f}"
    )
    measured += f" standard errors (allowed {largest_z():.2f})"
    return Evidence(
        STATISTICS, text, _all(facts), _with_failures(measured, facts), len(rows) * ALPHA, n,
        {"probabilities": rows},
    )  # fmt: skip


def counted(text: str, items: Iterable[tuple[str, int, int, float]]) -> Evidence:
    """Compare counts with exact probabilities by the binomial law.

    Parameters
    ----------
    text : str
        What is counted.
    items : iterable of (label, count, number of samples, probability)
    """
    from scipy import special

    facts: list[tuple[str, bool]] = []
    rows: list[dict[str, Any]] = []
    least = 2**62
    for label, count, n, p in items:
        lower = float(special.bdtr(count, n, p))
        upper = float(special.bdtrc(count - 1, n, p)) if count else 1.0
        level = min(1.0, 2.0 * min(lower, upper))
        facts.append((label, level >= ALPHA))
        rows.append({"label": label, "fraction": count / n, "exact": p, "level": level})
        least = min(least, n)
    worst = min(row["level"] for row in rows)
    measured = (
        f"{_many(len(rows), 'frequency')}; smallest p-value {worst:.2g} (allowed {ALPHA:.0e})"
    )
    return Evidence(
        STATISTICS, text, _all(facts), _with_failures(measured, facts), len(rows) * ALPHA, least,
        {"frequencies": rows},
    )  # fmt: skip


def under_law(
    text: str, items: Iterable[tuple[str, FloatArray, Callable[[FloatArray], Any]]]
) -> Evidence:
    """Compare samples with a distribution function.

    Parameters
    ----------
    text : str
        What is compared.
    items : iterable of (label, samples, function)
        The function returns P(Y <= y), atoms included.

    Notes
    -----
    The largest distance between the distribution functions, on a grid of the samples, against the
    inequality of Dvoretzky, Kiefer and Wolfowitz in Massart's form, which holds for every law and
    every number of samples: ``P(distance > e) <= 2 exp(-2 n e^2)``.
    """
    facts: list[tuple[str, bool]] = []
    rows: list[dict[str, Any]] = []
    least = 2**62
    for label, samples, cdf in items:
        points = _grid(samples)
        distance = float(np.max(np.abs(_frequencies(samples, points) - np.asarray(cdf(points)))))
        limit = _dkw(samples.size)
        facts.append((label, distance <= limit))
        rows.append({"label": label, "distance": distance, "allowed": limit})
        least = min(least, samples.size)
    return Evidence(
        STATISTICS, text, _all(facts), _with_failures(_distances(rows), facts), len(rows) * ALPHA,
        least, {"distances": rows},
    )  # fmt: skip


def same_law(text: str, items: Iterable[tuple[str, FloatArray, FloatArray]]) -> Evidence:
    """Compare the laws of pairs of samples, by the same inequality for each of the two."""
    facts: list[tuple[str, bool]] = []
    rows: list[dict[str, Any]] = []
    least = 2**62
    for label, left, right in items:
        points = _grid(np.concatenate([left, right]))
        distance = float(np.max(np.abs(_frequencies(left, points) - _frequencies(right, points))))
        limit = _dkw(left.size) + _dkw(right.size)
        facts.append((label, distance <= limit))
        rows.append({"label": label, "distance": distance, "allowed": limit})
        least = min(least, left.size, right.size)
    return Evidence(
        STATISTICS, text, _all(facts), _with_failures(_distances(rows), facts),
        2 * len(rows) * ALPHA, least, {"distances": rows},
    )  # fmt: skip


def _dkw(n: int) -> float:
    return math.sqrt(math.log(2.0 / ALPHA) / (2.0 * n))


def _grid(samples: FloatArray) -> FloatArray:
    """Return quantiles of the samples that are finite."""
    finite = np.sort(samples[np.isfinite(samples)])
    if finite.size == 0:
        return np.zeros(1)
    points: FloatArray = finite[np.linspace(0, finite.size - 1, _GRID).astype(np.int64)]
    return points


def _frequencies(samples: FloatArray, points: FloatArray) -> FloatArray:
    values: FloatArray = np.searchsorted(np.sort(samples), points, side="right") / samples.size
    return values


def _distances(rows: Sequence[dict[str, Any]]) -> str:
    worst = max(rows, key=lambda row: row["distance"] / row["allowed"])
    return (
        f"{_many(len(rows), 'law')}; largest distance of distribution functions"
        f" {worst['distance']:.2g} (allowed {worst['allowed']:.2g})"
    )


def law_plot(
    title: str,
    x_label: str,
    samples: dict[str, FloatArray],
    exact: dict[str, Callable[[FloatArray], Any]],
) -> Plot:
    """Return a plot of measured distribution functions over exact ones."""
    joined = np.concatenate(list(samples.values()))
    finite = joined[np.isfinite(joined)]
    low, high = np.quantile(finite, [0.002, 0.998])
    x = np.linspace(low, high, 121)
    some = x[::6]
    series = [Series(name, x.tolist(), np.asarray(f(x)).tolist()) for name, f in exact.items()]
    series += [
        Series(name, some.tolist(), _frequencies(values, some).tolist(), "measured")
        for name, values in samples.items()
    ]
    return Plot(title, x_label, "probability of at most this", series)


# ---------------------------------------------------------------- outcomes


def _all(facts: Sequence[tuple[str, bool]]) -> bool:
    return bool(facts) and all(good for _, good in facts)


def _with_failures(measured: str, facts: Sequence[tuple[str, bool]]) -> str:
    bad = [label for label, good in facts if not good]
    if not bad:
        return measured
    more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
    return f"{measured}; wrong: {', '.join(bad[:3])}{more}"


def _many(count: int, noun: str) -> str:
    """Return a number of things.

    Examples
    --------
    >>> _many(1, "law"), _many(2, "law"), _many(3, "frequency")
    ('1 law', '2 laws', '3 frequencies')
    """
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun[:-1]}ies" if noun.endswith("y") else f"{count} {noun}s"
