"""The frameworks, imported when a test asks for them: without them the tests are deselected."""

from __future__ import annotations

import importlib
import os

import pytest

# Keras needs a backend before it is imported; XLA its number of (simulated) devices, and no
# optimization, which takes longer here than what is run once.
os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_force_host_platform_device_count=2 --xla_backend_optimization_level=0",
)


def pytest_collection_modifyitems(items):
    """Mark every test of this folder; frameworks warn of their own and each other's future."""
    for item in items:
        if "tests/frameworks" in item.path.as_posix():
            item.add_marker(pytest.mark.frameworks)
            for category in ("DeprecationWarning", "PendingDeprecationWarning", "FutureWarning"):
                item.add_marker(pytest.mark.filterwarnings(f"ignore::{category}"))


def _fixture(module):
    @pytest.fixture(scope="session")
    def imported():
        return importlib.import_module(module)

    return imported


jax = _fixture("jax")
jnp = _fixture("jax.numpy")
linen = _fixture("flax.linen")
keras = _fixture("keras")
ft = _fixture("fracmoment.frameworks.torch")
fj = _fixture("fracmoment.frameworks.jax")
fk = _fixture("fracmoment.frameworks.keras")


@pytest.fixture(scope="session")
def torch():
    """Return torch, with one thread."""
    module = importlib.import_module("torch")
    module.set_num_threads(1)
    return module
