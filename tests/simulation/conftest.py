"""Fixtures of the tests of samplers and engines."""

import pytest

from fracmoment import _core


@pytest.fixture(params=["generic", "avx2", "avx512"])
def instruction_set(request):
    """Run the test on each instruction set that this machine has."""
    before = _core.active_isa()
    try:
        _core.force_isa(request.param)
    except ValueError:
        pytest.skip(f"{request.param} is not available here")
    yield request.param
    _core.force_isa(before)
