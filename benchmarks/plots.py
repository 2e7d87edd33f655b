"""Plots of results, as SVG that stands inside a page; in grey, dashes and markers differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

from fracmoment.plotting.inline import inline_svg

from .case import OURS, is_ours
from .tables import is_wrong

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Results = list[dict[str, Any]]

STYLE = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "0.88",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
}
# Of Okabe and Ito's palette, each with a dash and a marker of its own.
OUR_LINES = [("0.0", "-", "o"), ("0.0", (0, (5, 2)), "D"), ("0.0", (0, (1, 1.5)), "v")]
PEER_LINES = [
    ("#0072B2", (0, (4, 2)), "s"),
    ("#D55E00", (0, (1, 1)), "^"),
    ("#009E73", (0, (6, 2, 1, 2)), "X"),
    ("#CC79A7", (0, (8, 2)), "P"),
]
ERRORS = {
    "ulp": "largest error, ulp",
    "relative": "relative error",
    "digits": "correct digits beyond those asked for",
    "z": "distance of mean or variance, std. errors",
}
AXES = {"width": "width", "digits": "digits asked for", "depth": "depth"}


def svg(figure: Figure, name: str, description: str) -> str:
    """The SVG element of a figure, with ids of its own."""
    with mpl.rc_context(STYLE):
        return inline_svg(figure, name, description)


def lines_of(names: list[str]) -> dict[str, dict[str, Any]]:
    """A style for each method: black for ours."""
    ours, peers = iter(OUR_LINES), iter(PEER_LINES)
    styles = {}
    for name in names:
        color, dash, marker = next(ours if is_ours(name) else peers)
        styles[name] = {
            "color": color,
            "linestyle": dash,
            "marker": marker,
            "markersize": 5,
            "linewidth": 2.0 if name == OURS else 1.3,
            "label": name,
        }
    return styles


def methods_of(results: Results) -> list[str]:
    return list(dict.fromkeys(name for result in results for name in result["methods"]))


def curve(results: Results, name: str, key: str) -> tuple[list[float], list[float]]:
    """Places and values of one method, without those that are not finite."""
    points = [
        (result["point"]["at"], result["methods"][name][key])
        for result in results
        if name in result["methods"] and result["methods"][name][key] is not None
    ]
    return [x for x, _ in points], [y for _, y in points]


def draw_times(axes: Axes, results: Results) -> None:
    for name, style in lines_of(methods_of(results)).items():
        axes.plot(*curve(results, name, "seconds"), **style)
    axes.set(xscale="log", yscale="log")
    axes.set(xlabel=AXES[results[0]["point"]["axis"]], ylabel=f"seconds a {results[0]['unit']}")


def draw_errors(axes: Axes, results: Results) -> None:
    """Errors, without those that are zero where the axis is logarithmic."""
    measure = results[0]["methods"][OURS]["measure"]
    logarithmic = measure in ("ulp", "relative")
    for name, style in lines_of(methods_of(results)).items():
        points = list(zip(*curve(results, name, "error"), strict=True))
        if logarithmic:
            points = [(x, y) for x, y in points if y > 0.0]
        if measure == "digits":
            points = [(x, y - x) for x, y in points]
        axes.plot([x for x, _ in points], [y for _, y in points], **style)
    axes.set(xscale="log", xlabel=AXES[results[0]["point"]["axis"]], ylabel=ERRORS[measure])
    if measure == "z":  # what is accepted
        axes.axhline(5.0, color="0.5", linewidth=0.8)
    if logarithmic:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0.0)


def curves(results: Results) -> Figure:
    """Time and error of one series."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.0, 3.5), layout="constrained")
        left, right = figure.subplots(1, 2)
        draw_times(left, results)
        draw_errors(right, results)
        left.set_title(f"{results[0]['point']['series']}: time")
        right.set_title("error")
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def speedups(series: list[Results]) -> Figure:
    """How many times as fast several threads are as one, for every engine."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.6, 3.3), layout="constrained")
        axes = figure.subplots()
        most = 1.0
        for results, (color, dash, marker) in zip(series, OUR_LINES, strict=False):
            threads, seconds = curve(results, OURS, "seconds")
            speeds = [seconds[0] / value for value in seconds]
            name = results[0]["point"]["series"]
            axes.plot(threads, speeds, color=color, linestyle=dash, marker=marker, label=name)
            most = max(most, *threads)
        axes.plot([1, most], [1, most], color="0.6", linewidth=0.8, label="as many as threads")
        axes.set(xlabel="threads", ylabel="times as fast as one", title="threads, wall clock")
        axes.set_xticks([float(x) for x in threads], [f"{x:g}" for x in threads])
        axes.legend()
    return figure


def compared(results: Results) -> Results:
    """The cases that another tool does as well, apart from extrapolations and curves."""
    return [
        result for result in results if not result["point"] and any(map(is_peer, result["methods"]))
    ]


def is_peer(name: str) -> bool:
    return not is_ours(name) and "extrapolated" not in name


def glance(results: Results) -> Figure:
    """For every case the other tools' times over ours."""
    rows = compared(results)[::-1]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.0, 0.9 + 0.24 * len(rows)), layout="constrained")
        axes = figure.subplots()
        for height, result in enumerate(rows):
            ratios = {
                name: entry["times ours"]
                for name, entry in result["methods"].items()
                if is_peer(name)
            }
            fastest = min(ratios, key=ratios.__getitem__)
            axes.plot([1, ratios[fastest]], [height, height], color="0.75", linewidth=3, zorder=1)
            for name, ratio in ratios.items():
                face = "0.0" if name == fastest else "1.0"
                mark = "X" if is_wrong(name, result["methods"][name]) else "o"
                axes.plot(ratio, height, mark, color="0.0", markerfacecolor=face, markersize=5)
            axes.annotate(
                fastest, (1.01, height), xycoords=("axes fraction", "data"), va="center", fontsize=8
            )
        axes.axvline(1.0, color="0.0", linewidth=1.0)
        axes.set(
            xscale="log",
            xlabel="time of other ways over ours; the fastest is filled and named, X: wrong",
        )
        axes.set_yticks(range(len(rows)), [result["case"] for result in rows])
        axes.set_ylim(-0.7, len(rows) - 0.3)
        axes.grid(visible=False, axis="y")
    return figure
