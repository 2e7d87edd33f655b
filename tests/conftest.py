"""Settings shared by all tests."""

from __future__ import annotations

import os

import mpmath
import pytest
from hypothesis import HealthCheck, settings

# "default" is derandomized: a commit passes or fails the same way everywhere. The profile "long"
# (HYPOTHESIS_PROFILE=long) looks for new counterexamples.
settings.register_profile("default", max_examples=50, deadline=None, derandomize=True)
settings.register_profile(
    "long",
    max_examples=2000,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(autouse=True)
def _mpmath_precision():
    """Give every test mpmath's default precision and check that it is left alone."""
    mpmath.mp.dps = 15
    yield
    mpmath.mp.dps = 15


def pytest_make_parametrize_id(config, val, argname):
    """Name functions by their names: what repr shows, an address, differs from run to run."""
    return getattr(val, "__name__", None) or (
        f"{val}" if "fracmoment" in type(val).__module__ else None
    )
