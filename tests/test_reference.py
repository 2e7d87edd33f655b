"""The public functions against tables of 42 correct digits (see tests/reference)."""

from __future__ import annotations

import cmath
import csv
import math
from collections.abc import Callable, Iterable
from fractions import Fraction
from functools import cache
from typing import Any

import mpmath
import pytest

import fracmoment as fm
from tests.reference.tables import FOLDER, LAWS, Row, error_in_ulp, relative_error, rows
from tests.tolerances import RELATIVE, ULP

REAL = [q for q in ULP if q not in ("complex moment", "chi", "chi_ratio", "beta", "f")]
RATIOS = {
    "chi": lambda m, n, s, **more: fm.ratios.chi_moment(m, s, **more),
    "chi_ratio": lambda m, n, s, **more: fm.ratios.chi_ratio_moment(m, n, s, **more),
    "beta": lambda m, n, s, **more: fm.ratios.beta_moment(m, n, s, **more),
    "f": lambda m, n, s, **more: fm.ratios.f_moment(m, n, s, **more),
}


def activation(lower: float, upper: float) -> fm.Activation:
    if lower < upper:
        return fm.RandomizedLeakyReLU(lower, upper)
    named = {0.0: fm.ReLU(), 1.0: fm.Linear()}
    return named.get(lower) or fm.LeakyReLU(lower)


@cache
def gain(law: tuple[float, float, int, float, bool, str]) -> fm.Gain:
    lower, upper, width, keep, inverted, weights = law
    return fm.Gain(
        activation(lower, upper), width, keep_prob=keep, inverted_dropout=inverted, weights=weights
    )


def evaluate(row: Row, **more: Any) -> Any:
    """The public function that a row of a table is about; NaN where it gives up."""
    try:
        return _evaluate(row, **more)
    except fm.ConvergenceError:
        return math.nan


def _evaluate(row: Row, **more: Any) -> Any:
    law, numbers = gain(row.law), row.numbers
    if row.is_complex:
        return law.moment(complex(*numbers), given_alive=row.given_alive, **more)
    functions: dict[str, Callable[[], Any]] = {
        "moment": lambda: law.moment(numbers[0], given_alive=row.given_alive, **more),
        "scale": lambda: law.scale(numbers[0], given_alive=row.given_alive, **more),
        "init_scale_rms": lambda: fm.init_scale(
            activation(row.lower, row.upper), int(row.argument.split()[1]), row.width,
            numbers[0], keep_prob=row.keep_prob, weights=row.weights, **more,
        ),
        "log_mean": lambda: law.log_mean(**more),
        "log_var": lambda: law.log_var(**more),
        "log_cumulant": lambda: law.log_cumulant(int(row.argument), **more),
        "log_abs_third": law.log_abs_third,
        "prob_zero": law.prob_zero,
        # The survival function at 0 is the probability to be alive.
        "prob_alive": lambda: law.sf(0.0),
        "pdf": lambda: law.pdf(numbers[0]),
        "cdf": lambda: law.cdf(numbers[0]),
        "sf": lambda: law.sf(numbers[0]),
        "ppf": lambda: law.ppf(numbers[0]),
        "tail_index": lambda: law.tail_index(numbers[0]),
    }  # fmt: skip
    return functions[row.quantity]()


def report(errors: list[tuple[float, str]], allowed: float) -> None:
    """Fail with the worst offenders."""
    wrong = sorted((e for e in errors if not e[0] <= allowed), reverse=True)
    lines = "\n".join(f"{size:.3g}: {what}" for size, what in wrong[:40])
    assert not wrong, f"{len(wrong)} of {len(errors)} above {allowed}:\n{lines}"


def chosen(name: str, quantity: str, is_complex: bool = False) -> list[Row]:
    return [r for r in rows(name) if r.quantity == quantity and r.is_complex == is_complex]


def pairs(quantities: Iterable[str]) -> pytest.MarkDecorator:
    """Parametrize by every table and every one of the quantities that it has."""
    wanted = set(quantities)
    found = [
        (name, quantity)
        for name in LAWS
        for quantity in sorted({row.quantity for row in rows(name)} & wanted)
    ]
    return pytest.mark.parametrize(("name", "quantity"), found)


def natural_unit(row: Row) -> float:
    """The size below which a quantity that can vanish counts as zero (see tests/tolerances.py)."""
    if row.quantity == "log_mean":
        return 1.0
    if row.quantity != "log_cumulant":
        return 0.0
    variance = gain(row.law).log_var()
    if row.weights == "orthogonal":
        variance += fm.Gain("linear", row.width).log_var()
    return float(variance ** (int(row.argument) / 2))


@pairs(REAL)
def test_ulp(name: str, quantity: str) -> None:
    errors = [
        (error_in_ulp(evaluate(row), row.parts[0], natural_unit(row)), str(row))
        for row in chosen(name, quantity)
    ]
    report(errors, ULP[quantity])


@pytest.mark.parametrize("name", [n for n in LAWS if chosen(n, "moment", is_complex=True)])
def test_complex_moments(name: str) -> None:
    errors = []
    for row in chosen(name, "moment", is_complex=True):
        value = complex(evaluate(row))
        if not cmath.isfinite(value):
            errors.append((math.inf, str(row)))
            continue
        real, imag = row.parts
        gap = math.hypot(float(Fraction(value.real) - real), float(Fraction(value.imag) - imag))
        errors.append((gap / math.ulp(abs(complex(float(real), float(imag)))), str(row)))
    report(errors, ULP["complex moment"])


@pairs(RELATIVE)
def test_relative(name: str, quantity: str) -> None:
    errors = [
        (relative_error(evaluate(row), row.parts[0]), str(row)) for row in chosen(name, quantity)
    ]
    report(errors, RELATIVE[quantity])


def exact(value: mpmath.mpf) -> Fraction:
    """The binary number that an mpf is."""
    sign, mantissa, exponent, _ = value._mpf_
    return (-1) ** sign * Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def digits_errors(name: str, quantity: str, every: int) -> None:
    errors = []
    for row in chosen(name, quantity)[::every]:
        reference = row.parts[0]
        value = exact(evaluate(row, digits=40))
        if quantity == "log_mean":
            # Digits count from the unit 1 of log R where the mean is smaller.
            size = abs(value - reference) / max(abs(reference), Fraction(1))
            errors.append((float(size), str(row)))
        else:
            errors.append((relative_error(value, reference), str(row)))
    report(errors, RELATIVE["digits=40"])


DIGITS = ("moment", "scale", "init_scale_rms", "log_mean", "log_var", "log_cumulant")


@pairs(DIGITS)
def test_digits(name: str, quantity: str) -> None:
    digits_errors(name, quantity, every=3)


@pytest.mark.slow
@pairs(DIGITS)
def test_digits_every_row(name: str, quantity: str) -> None:
    digits_errors(name, quantity, every=1)


@pytest.mark.parametrize("name", [n for n in LAWS if chosen(n, "moment", is_complex=True)])
def test_complex_digits(name: str) -> None:
    errors = []
    for row in chosen(name, "moment", is_complex=True)[::3]:
        value = evaluate(row, digits=40)
        gaps = [abs(exact(x) - y) for x, y in zip((value.real, value.imag), row.parts, strict=True)]
        errors.append((float(max(gaps) / max(abs(x) for x in row.parts)), str(row)))
    report(errors, RELATIVE["digits=40"])


@cache
def ratio_rows(kind: str) -> list[tuple[float, float, float, Fraction]]:
    with (FOLDER / "ratios.csv").open(newline="") as stream:
        return [
            (*(float.fromhex(line[key]) for key in ("m", "n", "order")), Fraction(line["value"]))
            for line in csv.DictReader(stream)
            if line["kind"] == kind
        ]


@pytest.mark.parametrize("kind", RATIOS)
def test_ratio_moments(kind: str) -> None:
    errors = []
    for m, n, order, reference in ratio_rows(kind):
        value = RATIOS[kind](m, n, order)
        errors.append((error_in_ulp(value, reference), f"{kind}({m!r}, {n!r}, {order!r})"))
    report(errors, ULP[kind])


@pytest.mark.parametrize("kind", RATIOS)
def test_ratio_digits(kind: str) -> None:
    errors = []
    for m, n, order, reference in ratio_rows(kind):
        value = exact(RATIOS[kind](m, n, order, digits=40))
        errors.append((relative_error(value, reference), f"{kind}({m!r}, {n!r}, {order!r})"))
    report(errors, RELATIVE["digits=40"])
