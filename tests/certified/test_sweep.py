"""The core judged by enclosures: what is right passes, what is planted wrong is convicted."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fracmoment as fm
from fracmoment import _core, certified
from tests.accuracy.sampling import LAWS, Point
from tests.certified.sweep import (
    State,
    check_references,
    convicts_digits,
    convicts_double,
    judge,
    sweep,
)
from tests.reference import tables

POINT = Point(0.25, 0.25, 48, order=0.75)


@pytest.mark.parametrize("law", [law for law in LAWS if law not in ("randomized", "dropout")])
def test_the_core_is_certified_at_a_few_points(law: str) -> None:
    assert sweep(law, 8) == []


def test_a_sweep_goes_on_where_it_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = 7

    def judge(point: Point, quantity: str) -> list[str]:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        if point.width < 100:
            raise certified.CertificationError("blocked")
        return ["double"] if point.order < 1 else []

    monkeypatch.setattr("tests.certified.sweep.judge", judge)
    path = tmp_path / "state.json"
    with pytest.raises(KeyboardInterrupt):
        State(path, 1).sweep("leaky", 20)
    assert State(path, 1).laws["leaky"].done == 7
    left = 13
    resumed = State(path, 1).sweep("leaky", 20)
    left = 20
    assert resumed == State(None, 1).sweep("leaky", 20)
    assert 1 < len(resumed) < 20
    with pytest.raises(ValueError, match="seed"):
        State(path, 2)


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
def test_the_core_is_certified_at_many_points(law: str) -> None:
    assert sweep(law, 1000) == []


@pytest.mark.slow
@pytest.mark.parametrize("law", tables.LAWS)
def test_every_reference_value_is_enclosed(law: str) -> None:
    assert check_references(law, len(tables.rows(law))) == []


def test_a_wrong_digit_of_the_core_is_convicted(monkeypatch: pytest.MonkeyPatch) -> None:
    right = _core.digits_evaluate

    def wrong(quantity: str, *arguments: Any) -> tuple[str, int]:
        # the relative error of a constant that is right to 35 digits
        mantissa, exponent = right(quantity, *arguments)
        number = int(mantissa, 16)
        return format(number + number // 10**35, "x"), exponent

    assert judge(POINT, "scale") == []
    monkeypatch.setattr(_core, "digits_evaluate", wrong)
    assert judge(POINT, "scale") == ["digits"]
    assert judge(POINT, "log_var") == ["digits"]


def test_a_wrong_double_of_the_core_is_convicted(monkeypatch: pytest.MonkeyPatch) -> None:
    right = fm.Gain.scale

    def wrong(self: fm.Gain, order: Any, *, digits: Any = None, given_alive: bool = False) -> Any:
        value = right(self, order, digits=digits, given_alive=given_alive)
        return value if digits is not None else value + 2 * math.ulp(value)

    monkeypatch.setattr(fm.Gain, "scale", wrong)
    assert judge(POINT, "scale") == ["double"]


def test_a_law_with_a_wrong_slope_is_convicted() -> None:
    enclosure = certified.scale(POINT.gain(), POINT.order, digits=45)
    for slope in (0.25, np.nextafter(0.25, 1.0)):
        other = fm.Gain(fm.LeakyReLU(slope), POINT.width)
        value = other.scale(POINT.order, digits=40)
        assert convicts_digits(enclosure, value, 39) == (slope != 0.25)


def test_conviction_allows_one_ulp() -> None:
    enclosure = certified.scale(POINT.gain(), POINT.order)
    value = float(enclosure)
    assert not convicts_double(enclosure, value)
    neighbours = [math.nextafter(value, end) for end in (0.0, 1.0)]
    assert not all(convicts_double(enclosure, neighbour) for neighbour in neighbours)
    assert convicts_double(enclosure, value + 2 * math.ulp(value))
    assert convicts_double(enclosure, math.nan)
