"""Laws of networks with dropout, with mixed and with wide layers against independent digits."""

from __future__ import annotations

import mpmath
import pytest

import fracmoment as fm
from tests.reference.make_dropout_depth import NETWORKS
from tests.reference.tables import by_network


@pytest.mark.parametrize(("name", "points"), by_network("dropout_depth").items())
def test_both_tails_down_to_the_smallest(name, points):
    layers = NETWORKS[name]
    gains = [fm.Gain(a, d, keep_prob=keep) for a, d, keep, count in layers for _ in range(count)]
    law = fm.DepthLaw(gains, 1.0)
    for row in points:
        y, expected = float(row["y"]), mpmath.mpf(row["tail"])
        found = law.sf(y) if int(row["upper"]) else law.cdf(y)
        assert abs(found - expected) < 1e-12
        assert abs(found / expected - 1) < 1e-11  # measured: 2e-13
