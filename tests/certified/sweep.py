"""Certify the core at random points: ``python -m tests.certified.sweep --points 10000``.

The double route must lie within 1 ulp of the exact value, and the digits route within its digits,
both decided by enclosures: a value is convicted only if every number of the enclosure is too far
away. ``--references`` looks for reference values outside their enclosures instead.

With ``--state FILE`` what is done is kept in a file, and a run that was stopped goes on from there:
every point is drawn from the seed, whether or not those before it were judged in the same run.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import mpmath
import numpy as np

from fracmoment import certified
from fracmoment.certified import Enclosure
from tests.accuracy.sampling import LAWS, SEED, Point, draw
from tests.certified import references
from tests.reference import tables

WIDEST = 10**6
QUANTITIES = ("moment", "scale", "log_mean", "log_var")
# Digits of the enclosures, and of the values of the digits route that are judged.
DIGITS, JUDGED = 45, 40


def exact(value: mpmath.mpf | float) -> Fraction:
    if isinstance(value, float):
        return Fraction(value)
    sign, mantissa, exponent, _ = value._mpf_
    return (-1) ** sign * Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def least_distance(value: Fraction, enclosure: Enclosure) -> Fraction:
    """The distance of a value from the nearest point of an enclosure, exactly."""
    below, above = exact(enclosure.lower) - value, value - exact(enclosure.upper)
    return max(Fraction(0), below, above)


def convicts_double(enclosure: Enclosure, value: float, unit: float = 0.0) -> bool:
    """Whether a double is proved to be more than 1 ulp, or 1 ulp of ``unit``, from the value."""
    if not math.isfinite(value):
        return True
    size = max(abs(float(enclosure)), unit)
    return bool(least_distance(Fraction(value), enclosure) > Fraction(math.ulp(size)))


def convicts_digits(enclosure: Enclosure, value: mpmath.mpf, digits: int) -> bool:
    """Whether a number is proved to have fewer than so many correct digits."""
    size = max(abs(exact(enclosure.lower)), abs(exact(enclosure.upper)))
    return least_distance(exact(value), enclosure) > size / 10**digits


def inside(point: Point) -> Point:
    """The point with a width that certified functions serve."""
    if point.width <= WIDEST:
        return point
    width = max(point.width % WIDEST, 64)
    return dataclasses.replace(point, width=width)


def judge(point: Point, quantity: str) -> list[str]:
    """What the enclosure of one quantity convicts: nothing, ``double`` or ``digits``."""
    gain = point.gain()
    more: dict[str, Any] = {}
    arguments: tuple[float, ...] = ()
    if quantity in ("moment", "scale"):
        arguments, more = (point.order,), {"given_alive": point.given_alive}
    enclosure = getattr(certified, quantity)(gain, *arguments, digits=DIGITS, **more)
    if not 1e-300 < abs(float(enclosure)) < 1e300:
        return []
    found = []
    unit = 1.0 if quantity == "log_mean" else 0.0
    if convicts_double(enclosure, getattr(gain, quantity)(*arguments, **more), unit):
        found.append("double")
    value = getattr(gain, quantity)(*arguments, digits=JUDGED, **more)
    if convicts_digits(enclosure, value, JUDGED - 1):
        found.append("digits")
    return found


@dataclasses.dataclass
class Progress:
    """What is known about one law so far."""

    done: int = 0
    convicted: list[str] = dataclasses.field(default_factory=list)


def judge_all(point: Point, quantity: str) -> list[str]:
    """The convictions at a point as text, or why it could not be judged."""
    try:
        return [f"{route} {quantity} {point}" for route in judge(point, quantity)]
    except ArithmeticError as error:
        return [f"{quantity} {point}: {type(error).__name__}: {error}"]


def sweep(
    law: str,
    count: int,
    seed: int = SEED,
    progress: Progress | None = None,
    report: Callable[[Progress], None] = lambda _: None,
) -> list[str]:
    """Convictions at random points of one law; those that ``progress`` has done are skipped."""
    rng = np.random.default_rng([seed, LAWS.index(law)])
    progress = progress or Progress()
    for index in range(count):
        point, quantity = inside(draw(law, rng)), QUANTITIES[index % len(QUANTITIES)]
        if index >= progress.done:
            progress.convicted += judge_all(point, quantity)
            progress.done += 1
            report(progress)
    return progress.convicted


class State:
    """The progress of every law in a file, which is replaced as a whole."""

    SECONDS = 10.0

    def __init__(self, path: Path | None, seed: int) -> None:
        self.path, self.seed, self.saved = path, seed, time.monotonic()
        self.laws: dict[str, Progress] = {}
        if path is not None and path.exists():
            data = json.loads(path.read_text())
            if data["seed"] != seed:
                message = f"{path} is of the seed {data['seed']}, not {seed}"
                raise ValueError(message)
            self.laws = {law: Progress(**fields) for law, fields in data["laws"].items()}

    def save(self) -> None:
        if self.path is not None:
            laws = {law: dataclasses.asdict(progress) for law, progress in self.laws.items()}
            new = self.path.with_suffix(".new")
            new.write_text(json.dumps({"seed": self.seed, "laws": laws}, indent=1))
            new.replace(self.path)
        self.saved = time.monotonic()

    def sweep(self, law: str, count: int) -> list[str]:
        """The sweep of one law, with what is done saved every few seconds and at the end."""

        def report(_: Progress) -> None:
            if time.monotonic() - self.saved > self.SECONDS:
                self.save()

        progress = self.laws.setdefault(law, Progress())
        try:
            return sweep(law, count, self.seed, progress, report)
        finally:
            self.save()


def check_references(law: str, count: int, seed: int = SEED) -> list[str]:
    """Reference values outside of their enclosures, among random rows of one table."""
    rng = np.random.default_rng([seed, tables.LAWS.index(law)])
    every = tables.rows(law)
    rows = [every[index] for index in rng.permutation(len(every))[:count]]
    pairs = ((row, references.enclose(row)) for row in rows)
    return [
        str(row)
        for row, enclosure in pairs
        if enclosure is not None and not references.contains(enclosure, row.value)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.certified.sweep", description=__doc__)
    parser.add_argument("--points", type=int, default=100, help="points a law")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--law", action="append", help="only this law")
    parser.add_argument("--references", action="store_true", help="the reference tables instead")
    parser.add_argument("--state", type=Path, help="file of what is done, to go on from")
    options = parser.parse_args()
    state = State(options.state, options.seed)
    failures = 0
    for law in options.law or (tables.LAWS if options.references else LAWS):
        if options.references:
            found = check_references(law, options.points, options.seed)
        else:
            found = state.sweep(law, options.points)
        failures += len(found)
        print(f"{law:<20}{options.points:>8} points{len(found):>6} convicted", flush=True)
        for line in found:
            print(f"    {line}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
