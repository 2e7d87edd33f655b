"""Results as text and as the page of measured speeds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .case import OURS, is_ours

if TYPE_CHECKING:
    from collections.abc import Iterator

FACTORS = ((1e9, "ns"), (1e6, "µs"), (1e3, "ms"), (1.0, "s"), (1 / 86_400, "days"))
UNITS = {
    "ulp": "{:.2g} ulp",
    "digits": "{:.0f} digits",
    "relative": "{:.1e} relative",
    "absolute": "{:.1e}",
    "z": "{:.1f} std. errors",
    "differing": "{:.0f} differing",
}


def time_text(seconds: float) -> str:
    for factor, name in FACTORS:
        limit = 86_400 if name == "s" else 1000
        if seconds * factor < limit:
            return f"{seconds * factor:.3g} {name}"
    return f"{seconds / 86_400:,.0f} days"


def ratio_text(name: str, entry: dict[str, Any]) -> str:
    if name == OURS:
        return ""
    ratio = entry["times ours"]
    return f"{ratio:.3g}" if ratio < 10_000 else f"{ratio:.1e}"


def is_wrong(name: str, entry: dict[str, Any]) -> bool:
    """Whether to say so; of other tools only samples of another law are called wrong."""
    return not entry["right"] and (is_ours(name) or entry["measure"] == "z")


def error_text(name: str, entry: dict[str, Any]) -> str:
    if entry["error"] is None:
        return "not finite"
    text = UNITS[entry["measure"]].format(entry["error"])
    return f"{text}, wrong" if is_wrong(name, entry) else text


def rows(result: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Method, time, ratio and error."""
    for name, entry in result["methods"].items():
        yield name, time_text(entry["seconds"]), ratio_text(name, entry), error_text(name, entry)


def text(result: dict[str, Any]) -> str:
    mark = "" if result["verified"] else "   WRONG"
    lines = [f"\n{result['case']}, a {result['unit']}{mark}"]
    for name, time, ratio, error in rows(result):
        times = f"{ratio} x" if ratio else ""
        lines.append(f"  {name:<46}{time:>12}{times:>12}   {error}")
    return "\n".join(lines)


def flat_costs(results: list[dict[str, Any]]) -> dict[str, float]:
    """For every curve against the width, our time at the greatest over that at the least."""
    curves: dict[str, dict[float, float]] = {}
    for result in results:
        point = result["point"]
        if point and point["axis"] == "width":
            curve = curves.setdefault(point["series"], {})
            curve[point["at"]] = result["methods"][OURS]["seconds"]
    return {name: t[max(t)] / t[min(t)] for name, t in curves.items() if len(t) > 1}


HEAD = """# Measured speeds

Written by `make bench BENCH='--markdown docs/benchmarks.md'`; what the columns mean and what the
other ways are: [Benchmarking](benchmarking.md). Every answer was verified before it was timed. A
ratio below 1 means that the other way is faster. Numbers belong to the machine in the first table;
ratios carry over better.
"""


def table(heads: list[str], body: Iterator[tuple[str, ...]] | list[tuple[str, ...]]) -> list[str]:
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    lines += [f"| {' | '.join(cells)} |" for cells in body]
    return [*lines, ""]


def markdown(document: dict[str, Any]) -> str:
    """The page of measured speeds."""
    lines = [HEAD]
    if document["words"]:
        lines += [f"Only cases whose name contains one of: {', '.join(document['words'])}.", ""]
    if document["quick"]:
        lines += ["Measured in a hurry (`--quick`): the times are coarse.", ""]
    lines += table(["machine", ""], list(about(document)))
    suites = dict.fromkeys(result["suite"] for result in document["results"])
    for suite in suites:
        lines += [f"## {suite.capitalize()}", ""]
        body = []
        for result in document["results"]:
            if result["suite"] != suite:
                continue
            title = f"{result['case']}, a {result['unit']}"
            for row in rows(result):
                body.append((title, *row))
                title = ""
        lines += table(["case", "way", "time", "times ours", "error"], body)
    flat = flat_costs(document["results"])
    if flat:
        lines += ["Our time at the greatest width of each curve over that at the least:", ""]
        lines += table(["curve", "ratio"], [(name, f"{x:.2f}") for name, x in flat.items()])
    return "\n".join(lines)


def about(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what the times depend on."""
    yield "date", document["date"]
    yield from document["machine"].items()
    yield "threads used", str(document["threads"])
    yield "clock", "processor time" if document["threads"] == 1 else "wall clock"
    before, after = document["load"]
    if before is not None:
        yield "processes that wanted a core", f"{before} at the start, {after} at the end"
