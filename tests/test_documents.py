"""What the README and the pages of docs/ print is what the library returns."""

from __future__ import annotations

import ast
import doctest
import re
from pathlib import Path

import pytest

import fracmoment as fm

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


def anchors(page: Path) -> set[str]:
    """The #anchors of a page's headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    kept = (re.sub(r"[^\w\- ]", "", heading.replace("`", "")) for heading in headings)
    return {heading.strip().lower().replace(" ", "-") for heading in kept}


@pytest.mark.parametrize(
    "page",
    [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))],
    ids=lambda page: page.name,
)
def test_links(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target or target.startswith("mailto:"):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_the_reference_has_every_public_name() -> None:
    listed = re.findall(
        r"^   (?:fracmoment\.)?(\w+)", (ROOT / "docs/api.md").read_text(), re.MULTILINE
    )
    modules = {"certified", "export", "frameworks", "nonlinear", "schemes"}
    assert set(fm.__all__) - modules - {"__version__"} <= set(listed)
    assert modules <= set(listed)
    assert len(listed) - listed.count("frameworks") == len(set(listed) - {"frameworks"})
