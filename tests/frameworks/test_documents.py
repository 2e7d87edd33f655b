"""The examples of docs/frameworks.md and of the adapters' docstrings."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "frameworks.md"
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
MODULES = ("torch.initializers", "torch.modules", "torch.lsuv", "jax", "keras")


def test_examples_of_the_page(torch, jax, keras):
    result = doctest.testfile(str(PAGE), module_relative=False, optionflags=OPTIONS)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings(torch, name):
    module = importlib.import_module(f"fracmoment.frameworks.{name}")
    result = doctest.testmod(module, extraglobs={"torch": torch}, optionflags=OPTIONS)
    assert result.attempted > 0
    assert result.failed == 0
