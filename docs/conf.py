"""The site: `make docs` builds it into build/site; every warning is an error."""

from __future__ import annotations

import importlib
import re
from typing import Any

import fracmoment

project = "fracmoment"
author = "fracmoment developers"
copyright = author  # noqa: A001 (the name that Sphinx reads)
version = release = fracmoment.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
templates_path = ["_templates"]
html_theme = "furo"
html_title = f"fracmoment {release}"
html_static_path: list[str] = []

# Pages are plain Markdown that reads as well in the repository: links are paths and #anchors.
myst_heading_anchors = 4
# The words of a type ("(n, depth)") are looked up as names; those of several things are no links.
suppress_warnings = ["ref.python"]

# Docstrings are NumPy's. Type hints stand in the signatures.
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
autosummary_generate = True
autosummary_imported_members = True
autosummary_ignore_module_all = False
# The adapters are read without their frameworks. SciPy looks for torch when it is imported, so it
# has to be before.
importlib.import_module("scipy.stats")
autodoc_mock_imports = ["torch", "jax", "jaxlib", "flax", "keras", "haiku", "equinox"]


def escape_bars(*arguments: Any) -> None:
    """Keep |x| of docstrings a norm: reStructuredText takes it for a substitution."""
    lines: list[str] = arguments[-1]
    for index, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            parts = re.split(r"(``.*?``|`.*?`)", line)
            lines[index] = "".join(
                part if part.startswith("`") else part.replace("|", r"\|") for part in parts
            )


def add_pictures(_app: Any, page: str, source: list[str]) -> None:
    """Put the pictures into the gallery, which the repository has without them."""
    if page == "gallery":
        picture = r"### \1\n\n![\1](pictures/\1.png)"
        source[0] = re.sub(r"^### ([\w-]+)$", picture, source[0], flags=re.MULTILINE)


def setup(app: Any) -> None:
    app.connect("autodoc-process-docstring", escape_bars, priority=900)
    app.connect("source-read", add_pictures)
