"""Nothing lies outside of its enclosure: values by other definitions, at random points."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import pytest

import fracmoment as fm
from fracmoment.certified import Enclosure
from tests.certified import containment


def test_every_quantity_contains_other_definitions() -> None:
    assert containment.failures(30, seed=2) == []


@pytest.mark.slow
def test_ten_thousand_containments() -> None:
    assert containment.failures(10_000, seed=3) == []


def test_definitions_agree_with_known_values() -> None:
    gain = fm.Gain("relu", 6)
    assert containment.even_moment(gain, 2) == 3
    with mpmath.workdps(60):
        sums = containment.mixture_moment(6, Fraction(1, 2), Fraction(4))
        assert containment.close(containment.even_moment(gain, 4), Enclosure(sums, sums))
        leaky = fm.Gain(fm.LeakyReLU("1/3"), 5)
        series = containment.leaky_moment(5, Fraction(1, 3), Fraction(6))
        assert containment.close(containment.even_moment(leaky, 6), Enclosure(series, series))


def test_a_value_outside_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    right = containment.certified.moment

    def wrong(*arguments: object, **more: object) -> Enclosure:
        return right(*arguments, **more) * (1 + Fraction(1, 10**24))

    monkeypatch.setattr(containment.certified, "moment", wrong)
    monkeypatch.setattr(containment, "DRAWS", containment.DRAWS[:4])
    assert len(containment.failures(8, seed=2)) == 8
