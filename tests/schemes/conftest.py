"""What the tests of schemes share."""

from __future__ import annotations

import math

import pytest


@pytest.fixture
def z_score():
    """Return the distance of a sample's mean from its expectation in standard errors."""

    def of(sample, value):
        return abs(sample.mean() - value) / (sample.std(ddof=1) / math.sqrt(sample.size))

    return of
