"""SGD on least squares against the reference table: double sums at 19 digits or better."""

from __future__ import annotations

import csv
import math
from fractions import Fraction
from pathlib import Path

import pytest

import fracmoment as fm

TABLE = Path(__file__).parents[1] / "reference" / "sgd.csv"


def rows(quantity: str) -> list[tuple[float, int, int, float, Fraction]]:
    with TABLE.open(newline="") as stream:
        return [
            (
                float.fromhex(row["step"]),
                int(row["batch_size"]),
                int(row["dimension"]),
                float.fromhex(row["order"]),
                Fraction(row["value"]),
            )
            for row in csv.DictReader(stream)
            if row["quantity"] == quantity
        ]


@pytest.mark.parametrize("row", rows("log_moment"), ids=str)
def test_moments_of_the_reference_table(row):
    step, batch, dimension, order, exact = row
    law = fm.LeastSquaresSGD(batch, dimension)
    value = law.log_moment(step, order)
    assert abs(Fraction(value) - exact) < Fraction(1e-13) + Fraction(4e-16) * abs(exact)
    if abs(order) <= 1.0:
        size = abs(order) * math.hypot(law.log_mean(step), math.sqrt(law.log_var(step)))
        assert abs(float(Fraction(value) - exact)) < 1e-12 * size


@pytest.mark.parametrize("row", rows("log_mean"), ids=str)
def test_log_means_of_the_reference_table(row):
    step, batch, dimension, _, exact = row
    law = fm.LeastSquaresSGD(batch, dimension)
    size = abs(exact) + Fraction(math.sqrt(law.log_var(step)))
    assert abs(Fraction(law.log_mean(step)) - exact) < 1e-13 * size


@pytest.mark.parametrize("row", rows("log_var"), ids=str)
def test_log_variances_of_the_reference_table(row):
    step, batch, dimension, _, exact = row
    law = fm.LeastSquaresSGD(batch, dimension)
    size = exact + Fraction(law.log_mean(step)) ** 2  # the second moment, from which it is taken
    assert abs(Fraction(law.log_var(step)) - exact) < 1e-12 * size
