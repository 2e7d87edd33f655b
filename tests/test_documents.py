"""What the README and the pages of docs/ print is what the library returns."""

from __future__ import annotations

import ast
import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [
    page
    for page in sorted(ROOT.glob("docs/**/*.md"))
    # tests/frameworks runs the examples that need the frameworks
    if ">>> " in page.read_text() and page.name != "frameworks.md"
]
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_of_pages(page: Path) -> None:
    result = doctest.testfile(str(page), module_relative=False, optionflags=OPTIONS)
    assert result.attempted > 0
    assert result.failed == 0


def stated_value(comment: str) -> object:
    """The value that a comment begins with, as in ``# 0.5, He's``; None if it begins otherwise."""
    try:
        return ast.literal_eval(re.split(r"[,:]? ", comment.strip())[0])
    except (SyntaxError, ValueError):
        return None


def test_readme() -> None:
    text = (ROOT / "README.md").read_text()
    names: dict[str, object] = {}
    compared = 0
    for block in re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            code, _, comment = line.partition("  # ")
            expected = stated_value(comment)
            if expected is None:
                exec(code, names)
            else:
                assert eval(code, names) == expected, line
                compared += 1
    assert compared >= 5
