"""What got slower, or wrong, since an older run.

Other tools are the yardstick: what they take now over what they took then, in the median, is how
much slower the machine itself is, and our times are divided by it.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .case import is_ours

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT = "fracmoment-benchmarks-1"
FEWEST_PEERS = 5  # below, the machines are taken to be equally fast
TOLERANCE = 1.25


def read(path: str) -> dict[str, Any]:
    """Return the document in a file, or raise a `ValueError` that says what is wrong with it."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise ValueError(msg) from error
    except ValueError as error:
        msg = f"{path}: not JSON: {error}"
        raise ValueError(msg) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        msg = f"{path}: not a result of these benchmarks ({FORMAT})"
        raise ValueError(msg)
    return document


def entries(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (result["case"], name): entry
        for result in document["results"]
        for name, entry in result["methods"].items()
    }


def pace(old: dict[str, Any], new: dict[str, Any]) -> float:
    """How much longer the other tools take now."""
    before, now = entries(old), entries(new)
    ratios = [
        now[key]["seconds"] / before[key]["seconds"]
        for key in before.keys() & now.keys()
        if not is_ours(key[1])
    ]
    return statistics.median(ratios) if len(ratios) >= FEWEST_PEERS else 1.0


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What is not the same about the machines."""
    before, now = old["machine"], new["machine"]
    lines = [
        f"{key}: {before.get(key, 'none')} then, {now.get(key, 'none')} now"
        for key in dict.fromkeys([*before, *now])
        if before.get(key) != now.get(key)
    ]
    for key in ("threads", "quick"):
        if old[key] != new[key]:
            lines += [f"{key}: {old[key]} then, {new[key]} now"]
    return lines


def changes(
    old: dict[str, Any], new: dict[str, Any], tolerance: float
) -> Iterator[tuple[str, str, float, str]]:
    """Yield case, method, time now over time then, and what became of it."""
    before, now, slower = entries(old), entries(new), pace(old, new)
    for key in before.keys() & now.keys():
        if not is_ours(key[1]):
            continue
        ratio = now[key]["seconds"] / before[key]["seconds"] / slower
        if before[key]["right"] and not now[key]["right"]:
            yield *key, ratio, "wrong"
        elif ratio > tolerance:
            yield *key, ratio, "slower"
        elif ratio < 1.0 / tolerance:
            yield *key, ratio, "faster"


def compare(old: dict[str, Any], new: dict[str, Any], tolerance: float) -> dict[str, Any]:
    """Return everything that changed; ``regressions`` are the slower and the wrong ones."""
    found = [
        {"case": case, "method": method, "ratio": ratio, "change": change}
        for case, method, ratio, change in sorted(
            changes(old, new, tolerance), key=lambda row: -row[2]
        )
    ]
    before, now = entries(old), entries(new)
    return {
        "old": old["date"],
        "tolerance": tolerance,
        "pace": pace(old, new),
        "machine": differences(old, new),
        "compared": sum(is_ours(name) for _, name in before.keys() & now.keys()),
        "regressions": [row for row in found if row["change"] != "faster"],
        "faster": [row for row in found if row["change"] == "faster"],
        "new": sorted({case for case, _ in now} - {case for case, _ in before}),
    }


def lines(result: dict[str, Any]) -> Iterator[str]:
    """The comparison as text."""
    yield f"compared with {result['old']}: {result['compared']} times of ours"
    yield from (f"  {line}" for line in result["machine"])
    yield f"  other tools take {result['pace']:.2f} times as long as then; divided by this:"
    for row in [*result["regressions"], *result["faster"]]:
        yield f"  {row['change']:<8}{row['ratio']:>6.2f} x  {row['case']}: {row['method']}"
    if not result["regressions"]:
        yield f"  nothing slower than {result['tolerance']:g} times"
