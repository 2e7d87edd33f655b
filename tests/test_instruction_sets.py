"""The kernels give the same bits on every instruction set that this machine has."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import fracmoment as fm
from fracmoment import _core

LAWS = [
    fm.Gain("linear", 37),
    fm.Gain("relu", 64),
    fm.Gain("relu", 3000, keep_prob=0.7),
    fm.Gain(fm.LeakyReLU(1e-3), 5),
    fm.Gain(fm.LeakyReLU(0.2), 10**6, weights="orthogonal"),
    fm.Gain("rrelu", 50, keep_prob=0.5),
    fm.Gain(fm.RandomizedLeakyReLU(-0.5, 1.0), 4),
]


@pytest.fixture(autouse=True)
def keep_active() -> Iterator[None]:
    active = _core.active_isa()
    yield
    _core.force_isa(active)


def everything(law: fm.Gain) -> bytes:
    """Numbers of a law made afresh, so that no rule is kept from another instruction set."""
    fresh = fm.Gain(law.activation, law.width, keep_prob=law.keep_prob, weights=law.weights)
    orders = np.linspace(-0.9, 20.0, 101)
    high = np.linspace(20.0, 80.0, 61)
    points = fresh.moment(1.0) * np.array([0.7, 1.0, 1.2])
    values = [
        fresh.moment(orders, given_alive=True),
        fresh.moment(orders + 2j, given_alive=True),
        fresh.moment(orders[:12] + 15.9j, given_alive=True),  # some of them from digits
        fresh.scale(orders[orders > 0]),
        fresh.scale(high),  # interpolated
        np.array([fresh.log_mean(), fresh.log_var(), fresh.tail_index(fresh.scale(1.0))]),
        fresh.pdf(points),
        fresh.cdf(points),
    ]
    return b"".join(np.ascontiguousarray(v).tobytes() for v in values)


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_same_bits(law: fm.Gain) -> None:
    results = {}
    for name in ("generic", "avx2", "avx512"):
        try:
            _core.force_isa(name)
        except ValueError:
            continue  # this machine has no such instructions
        results[name] = everything(law)
    assert "generic" in results
    assert len(set(results.values())) == 1, sorted(results)


def test_same_bits_of_sgd() -> None:
    law = fm.LeastSquaresSGD([1, 4, 30, 1000], [[1], [3], [100]])
    results = set()
    for name in ("generic", "avx2", "avx512"):
        try:
            _core.force_isa(name)
        except ValueError:
            continue  # this machine has no such instructions
        values = [law.log_moment(0.3, s) for s in (-0.7, 0.5, 2.5, 30.0)]
        values += [law.log_mean(0.3), law.tail_index(0.02)]
        results.add(b"".join(np.ascontiguousarray(v).tobytes() for v in values))
    assert len(results) == 1
