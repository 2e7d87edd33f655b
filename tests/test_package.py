"""The package as a whole."""

from __future__ import annotations

import importlib
import importlib.metadata
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fracmoment as fm
from fracmoment import _core

ROOT = Path(__file__).resolve().parents[1]


def test_one_version():
    assert fm.__version__ == _core.__version__ == importlib.metadata.version("fracmoment")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(r'^version = "(.+)"$', project, re.MULTILINE)[1] == fm.__version__
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (.+)$", citation, re.MULTILINE)[1] == fm.__version__
    assert f"## {fm.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_public_names():
    assert sorted(fm.__all__) == sorted(set(fm.__all__))
    for name in fm.__all__:
        value = getattr(fm, name)
        assert name == "__version__" or value.__doc__
        assert getattr(value, "__module__", "fracmoment").startswith("fracmoment")


def test_every_module_imports():
    for module in pkgutil.walk_packages(fm.__path__, "fracmoment."):
        # The adapters need the frameworks: tests/frameworks imports them.
        adapter = module.name.startswith("fracmoment.frameworks.")
        if not (module.name.endswith("__main__") or adapter):
            importlib.import_module(module.name)


@pytest.mark.parametrize("name", ["mpmath", "scipy", "matplotlib", "torch", "rich", "flint"])
def test_import_is_light(name):
    code = f"import sys, fracmoment; sys.exit({name!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", ["simulation", "signals", "depth", "tails", "network"])
def test_what_is_large_is_imported_on_first_use(name):
    code = f"import sys, fracmoment; assert 'fracmoment.{name}' not in sys.modules"
    code += "; assert fracmoment.DepthLaw is fracmoment.depth.DepthLaw; fracmoment.simulation"
    code += "; assert set(fracmoment.__all__) <= set(dir(fracmoment))"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_names():
    with pytest.raises(AttributeError, match="no attribute 'scales_of'"):
        fm.scales_of  # noqa: B018 (the access is what is tested)


def test_the_core_reports_what_does_not_converge():
    assert issubclass(fm.ConvergenceError, RuntimeError)
    assert fm.ConvergenceError.__module__ == "fracmoment"


def test_columns_of_the_core_must_have_one_length():
    import numpy as np

    with pytest.raises(ValueError, match="one length"):
        _core.chi_moments(np.ones(2), np.ones(3))
