"""The page: one file that needs no network, with the tables and plots of a run."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from . import compare, plots, tables

if TYPE_CHECKING:
    from collections.abc import Iterator

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #111; background: #fff;
       max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; margin-bottom: .2rem; }
h2 { font-size: 1.25rem; margin-top: 2.2rem; border-bottom: 1px solid #bbb; }
table { border-collapse: collapse; width: 100%; font-size: .87rem; }
th, td { text-align: left; padding: .16rem .6rem .16rem 0; vertical-align: top; }
th { border-bottom: 1px solid #111; }
td.number, th.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
tr.first td { border-top: 1px solid #ddd; }
tr.ours td { font-weight: 600; }
.wrong { background: #111; color: #fff; padding: 0 .3rem; }
.note { color: #444; }
svg { max-width: 100%; height: auto; display: block; margin: .8rem 0; }
details summary { cursor: pointer; margin-top: .6rem; }
@media print { details > * { display: block; } }
"""

READING = """Every answer was verified before it was timed. <b>Time</b> is that of one unit, the
least of several measurements; <b>times ours</b> is the other way's time over ours, so that a number
below
1 means that the other way is faster; <b>error</b> is that of the answer: in units in the last place
(ulp), correct digits, relative or absolute, or the distance of samples from the exact mean and
variance in standard errors. <i>Extrapolated</i> is the time of a sample times the number of samples
that a standard error of 1e-8 takes."""


def page(document: dict[str, Any]) -> str:
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Benchmarks of fracmoment</title><style>{STYLE}</style></head><body>",
        *head(document),
        *comparison(document),
        *pictures(document["results"]),
        *suites(document["results"]),
        *machine(document),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def head(document: dict[str, Any]) -> Iterator[str]:
    results = document["results"]
    about = document["machine"]
    wrong = [result["case"] for result in results if not result["verified"]]
    yield "<h1>Benchmarks of fracmoment</h1>"
    subject = f"Version {about['fracmoment']}, {document['date']}, {about['processor']}"
    yield f'<p class="note">{html.escape(subject)}</p>'
    if wrong:
        names = html.escape("; ".join(wrong))
        count = f"{len(wrong)} of {len(results)} cases wrong"
        yield f'<p><span class="wrong">{count}</span> {names}</p>'
    else:
        yield f"<p>{len(results)} cases, all answers right.</p>"
    if document["words"]:
        words = html.escape(", ".join(document["words"]))
        yield f"<p>Only cases whose name contains one of: {words}.</p>"
    if document["quick"]:
        yield "<p>Measured in a hurry (<code>--quick</code>): the times are coarse.</p>"
    busy = max(value or 0.0 for value in document["load"])
    if busy > 1.5:
        yield f"<p>Up to {busy:g} processes wanted a core: alone, everything is faster.</p>"
    yield f'<p class="note">{READING}</p>'


def comparison(document: dict[str, Any]) -> Iterator[str]:
    if "comparison" in document:
        text = "\n".join(compare.lines(document["comparison"]))
        yield f"<h2>Compared with an older run</h2><pre>{html.escape(text)}</pre>"


def pictures(results: list[dict[str, Any]]) -> Iterator[str]:
    if plots.compared(results):
        yield "<h2>At a glance</h2>"
        yield plots.svg(plots.glance(results), "glance", "times of other tools over ours")
    series: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        if result["point"]:
            series.setdefault(result["point"]["series"], []).append(result)
    by_axis: dict[str, list[list[dict[str, Any]]]] = {}
    for points in series.values():
        by_axis.setdefault(points[0]["point"]["axis"], []).append(points)
    for axis, members in by_axis.items():
        yield f"<h2>Against the {axis}</h2>"
        if axis == "threads":
            yield plots.svg(plots.speedups(members), axis, "speed against the number of threads")
            continue
        for number, points in enumerate(members):
            name = html.escape(points[0]["point"]["series"])
            label = f"time and error of {name} against the {axis}"
            yield plots.svg(plots.curves(points), f"{axis}{number}", label)
    flat = tables.flat_costs(results)
    if flat:
        yield "<p>Our time at the greatest width over that at the least: "
        yield (
            ", ".join(f"{html.escape(name)} {ratio:.2f}" for name, ratio in flat.items()) + ".</p>"
        )


def suites(results: list[dict[str, Any]]) -> Iterator[str]:
    for suite in dict.fromkeys(result["suite"] for result in results):
        yield f"<h2>{suite.capitalize()}</h2>"
        members = [result for result in results if result["suite"] == suite]
        if suite == "series":
            yield "<details><summary>The points of the curves</summary>"
        yield "<table><tr><th>case</th><th>way</th>"
        yield '<th class="number">time</th><th class="number">times ours</th>'
        yield '<th class="number">error</th></tr>'
        for result in members:
            yield from rows(result)
        yield "</table>"
        if suite == "series":
            yield "</details>"


def rows(result: dict[str, Any]) -> Iterator[str]:
    title = html.escape(f"{result['case']}, a {result['unit']}")
    if not result["verified"]:
        title += ' <span class="wrong">wrong</span>'
    kind = "first ours"
    for name, *cells in tables.rows(result):
        numbers = "".join(f'<td class="number">{html.escape(cell)}</td>' for cell in cells)
        yield f'<tr class="{kind}"><td>{title}</td><td>{html.escape(name)}</td>{numbers}</tr>'
        title = kind = ""


def machine(document: dict[str, Any]) -> Iterator[str]:
    yield "<h2>Machine and versions</h2><table>"
    for key, value in tables.about(document):
        yield f"<tr><td>{html.escape(key)}</td><td>{html.escape(value)}</td></tr>"
    yield "</table>"
