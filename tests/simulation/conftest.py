"""Fixtures of the tests of samplers and engines."""

import pytest

from fracmoment import _core
from fracmoment.simulation.rare_events import LogEstimate, log_density

SETS = ("generic", "avx2", "avx512")


def chosen(name):
    """Use an instruction set; say whether this machine has it."""
    try:
        _core.force_isa(name)
    except ValueError:
        return False
    return True


@pytest.fixture
def keep_instruction_set():
    """Go back to the instruction set of before."""
    before = _core.active_isa()
    yield
    _core.force_isa(before)


@pytest.fixture(params=SETS)
def instruction_set(request, keep_instruction_set):
    """Run the test on each instruction set that this machine has."""
    if not chosen(request.param):
        pytest.skip(f"{request.param} is not available here")
    return request.param


@pytest.fixture
def each_instruction_set(keep_instruction_set):
    """Give the instruction sets that this machine has, each in use while it is the current one."""
    return (name for name in SETS if chosen(name))


@pytest.fixture
def log_weights(monkeypatch):
    """Give a list that gets the logarithms of the weights of every estimate made from now on."""
    log_density.cache_clear()
    seen, estimate = [], LogEstimate.of

    def of(values):
        seen.append(values)
        return estimate(values)

    monkeypatch.setattr(LogEstimate, "of", of)
    return seen
