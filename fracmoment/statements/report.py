"""The report of a run: one HTML page that needs nothing else, and the same as JSON."""

from __future__ import annotations

import html
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from fracmoment.plotting.inline import inline_svg
from fracmoment.statements.checks import ALPHA
from fracmoment.statements.evidence import KINDS
from fracmoment.statements.registry import THEMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fracmoment.statements.evidence import Evidence, Plot
    from fracmoment.statements.runner import Result

__all__ = ["SCHEMA", "html_report", "json_report"]

#: Version of the layout of the JSON report.
SCHEMA = 1

_COLOURS = ("#0b4f8a", "#b03a00", "#2b6b2b", "#7a3b8f", "#5a5a00", "#444444", "#9b1b4d", "#00696b")
_DASHES = ("-", "--", "-.", (0, (1, 1)), (0, (5, 1, 1, 1, 1, 1)))
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")


# ---------------------------------------------------------------- JSON


def json_report(
    results: Sequence[Result], *, seed: int, quick: bool, versions: dict[str, str], date: str
) -> dict[str, Any]:
    """Return a run as JSON data."""
    return {
        "command": "verify",
        "schema": SCHEMA,
        "date": date,
        "versions": versions,
        "seed": seed,
        "quick": quick,
        "settled": all(result.settled for result in results),
        "failure_probability": sum(result.failure_probability for result in results),
        "seconds": round(sum(result.seconds for result in results), 3),
        "statements": [result.as_data() for result in results],
    }


# ---------------------------------------------------------------- HTML


def html_report(
    results: Sequence[Result], *, seed: int, quick: bool, versions: dict[str, str], date: str
) -> str:
    """Return a run as one page of HTML, with styles and pictures inside."""
    by_id = {result.statement.id: result for result in results}
    themes = {
        theme: [by_id[statement.id] for statement in statements if statement.id in by_id]
        for theme, statements in THEMES.items()
    }
    themes = {theme: found for theme, found in themes.items() if found}
    body = [
        _introduction(results, quick),
        _reading(results),
        _summary(themes),
        *(_theme(theme, found) for theme, found in themes.items()),
        _provenance(results, seed, quick, versions, date),
    ]
    return _PAGE.replace("{{style}}", _STYLE).replace("{{body}}", "\n".join(body))


def _introduction(results: Sequence[Result], quick: bool) -> str:
    settled = sum(result.settled for result in results)
    refuted = sum(result.statement.false and result.settled for result in results)
    open_ones = len(results) - settled
    state = "All are settled." if not open_ones else f"{open_ones} are not settled."
    tone = "good" if not open_ones else "bad"
    size = "quick (small samples, few widths)" if quick else "full"
    return f"""<header>
<h1>Random deep networks: statements, checked</h1>
<p>The papers on initializing deep networks make statements about what random layers do to a signal.
Here each of them is stated, and checked: {settled - refuted} hold, {refuted} are refuted as
expected. <strong class="{tone}">{state}</strong> This was a {size} run.</p>
<p>The setting: a signal <i>x</i> passes a layer, <i>x'</i> = φ(<i>W x</i>), where <i>W</i> has
independent N(0, σ<sup>2</sup>) entries and <i>d</i> rows (the <i>width</i>), and φ acts on every
coordinate (a <i>unit</i>): the identity (<i>linear</i>), max(<i>z</i>, 0) (<i>ReLU</i>), or that
with a slope <i>a</i> for negative <i>z</i> (<i>leaky ReLU</i>). Since <i>W x</i> is
σ|<i>x</i>|<i>g</i> with a standard normal vector <i>g</i>, the norm is multiplied by σ times the
<i>gain</i> <i>R</i> = |φ(<i>g</i>)|, which does not depend on <i>x</i>. The <i>scale of order s</i>
is the σ<sub><i>s</i></sub> for which E|<i>x'</i>|<sup><i>s</i></sup> =
E|<i>x</i>|<sup><i>s</i></sup>. <i>x</i><sub><i>k</i></sub> is the signal after <i>k</i> layers. A
layer is <i>dead</i> if all of its outputs are 0.</p>
</header>"""


def _reading(results: Sequence[Result]) -> str:
    tests = sum(result.failure_probability for result in results)
    count = round(tests / ALPHA)
    kinds = "\n".join(
        f"<dt>{_badge(kind)}</dt><dd>{html.escape(text)}</dd>" for kind, text in KINDS.items()
    )
    return f"""<section id="reading">
<h2>How to read it</h2>
<dl class="kinds">{kinds}</dl>
<p>A statement holds if all of its evidence agrees. A claim that is false is settled by being
refuted, with a witness. There are {count} statistical comparisons here, each of which a true claim
fails with probability {_power(ALPHA)}: by chance alone something in this report fails with
probability at most {_power(tests) if tests else "0"}. Comparisons of laws use an inequality that
holds for every sample size (Dvoretzky, Kiefer, Wolfowitz, Massart), counts the binomial law, and
means the normal law corrected for skewness.</p>
</section>"""


def _summary(themes: dict[str, list[Result]]) -> str:
    rows = []
    for theme, found in themes.items():
        rows.append(f'<tr class="theme"><th colspan="4" scope="colgroup">{theme}</th></tr>')
        for result in found:
            statement = result.statement
            kinds = "".join(_badge(kind) for kind in statement.kinds)
            papers = ", ".join(dict.fromkeys(source.paper for source in statement.sources))
            rows.append(
                f'<tr><td><a href="#{statement.id}">{prose_html(statement.title)}</a></td>'
                f"<td>{html.escape(papers)}</td>"
                f"<td>{_verdict(result)}</td><td>{kinds}</td></tr>"
            )
    return f"""<section id="summary">
<h2>The statements</h2>
<div class="scroll"><table>
<thead><tr><th scope="col">statement</th><th scope="col">source</th><th scope="col">verdict</th>
<th scope="col">evidence</th></tr></thead>
<tbody>{"".join(rows)}</tbody>
</table></div>
</section>"""


def _theme(theme: str, found: list[Result]) -> str:
    parts = "\n".join(_statement(result) for result in found)
    return f"<section><h2>{theme}</h2>\n{parts}\n</section>"


def _statement(result: Result) -> str:
    statement, outcome = result.statement, result.outcome
    sources = "; ".join(html.escape(str(source)) for source in statement.sources)
    rows = "\n".join(_evidence(item) for item in outcome.evidence)
    if result.error:
        rows += f"<tr><td>{_badge('error')}</td><td>{html.escape(result.error)}</td><td></td></tr>"
    witness = ""
    if outcome.witness:
        witness = f'<p class="witness"><b>Witness.</b> {prose_html(outcome.witness)}</p>'
    plots = "\n".join(
        f'<figure class="plot">{_svg(plot, f"{statement.id}-{i}")}</figure>'
        for i, plot in enumerate(outcome.plots)
    )
    claim = "The claim, which is false" if statement.false else "Claim"
    return f"""<article id="{statement.id}">
<h3>{prose_html(statement.title)} {_verdict(result)}</h3>
<p><b>{claim}.</b> {prose_html(statement.claim)}</p>
<p class="formula">{formula_html(statement.formula.replace("-", "−"))}</p>
<p><b>Hypotheses.</b> {prose_html(statement.hypotheses)}</p>
{witness}
<div class="scroll"><table class="evidence">
<thead><tr><th scope="col">evidence</th><th scope="col">what was checked</th>
<th scope="col">outcome</th></tr></thead>
<tbody>{rows}</tbody></table></div>
<div class="plots">{plots}</div>
<p class="small">Source: {sources}. Run again:
<code>fracmoment verify --only {statement.id}</code> ({result.seconds:.1f} s of processor time).</p>
</article>"""


def _evidence(item: Evidence) -> str:
    size = "" if item.sample_size is None else f" {_thousands(item.sample_size)} samples or more."
    mark = "" if item.holds else '<strong class="bad">does not agree:</strong> '
    return (
        f"<tr><td>{_badge(item.kind)}</td><td>{prose_html(_sentence(item.text))}{size}</td>"
        f"<td>{mark}{prose_html(_sentence(item.measured))}</td></tr>"
    )


def _provenance(
    results: Sequence[Result], seed: int, quick: bool, versions: dict[str, str], date: str
) -> str:
    used = Counter(kind for result in results for kind in result.statement.kinds)
    counts = ", ".join(f"{used[kind]} by {kind}" for kind in KINDS if used[kind])
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    seconds = sum(result.seconds for result in results)
    kept = sum(result.kept for result in results)
    again = f" {kept} results are of an earlier, interrupted run of the same code." if kept else ""
    flag = " --quick" if quick else ""
    return f"""<section id="provenance">
<h2>Provenance</h2>
<p>{len(results)} statements: {counts} (most have evidence of several kinds). Seed {seed}: every
random number is a function of it, of the statement and of its place, so that
<code>fracmoment verify{flag} --seed {seed}</code> repeats this run to the last bit, whatever the
number of threads. {listed}. {seconds:.0f} seconds of processor time, {html.escape(date)}.
{again}</p>
<p>The keys of sources, such as GH21, are those of the page "References" in the documentation, which
has the derivations too.</p>
</section>"""


# ---------------------------------------------------------------- pieces


_GREEK = {
    "sigma": "σ",
    "phi": "φ",
    "alpha": "α",
    "mu": "μ",
    "eta": "η",
    "lambda": "λ",
    "Lambda": "Λ",
    "pi": "π",
    "Gamma": "Γ",
}
_NAMES = re.compile(rf"\b({'|'.join(_GREEK)})(?=\b|_)")
# An index or exponent: in braces, or a number, or one letter. Names such as log_mean have none.
_BRACED = r"\{((?:[^{}]|\{[^{}]*\})*)\}"
_RAISED = re.compile(rf"\^(?:{_BRACED}|([-−]?\d+|[-−]?\w(?!\w)|∞|\w))")
_LOWERED = re.compile(rf"_(?:{_BRACED}|(\d+|\w)(?!\w))")


def _marked(text: str, pattern: re.Pattern[str], before: str, after: str) -> str:
    while True:
        changed = pattern.sub(lambda found: f"{before}{found[1] or found[2]}{after}", text)
        if changed == text:
            return text
        text = changed


def formula_html(text: str) -> str:
    """Return a formula with indices and exponents as HTML.

    Examples
    --------
    >>> formula_html("E|x|^s < σ_{s+1}^2")
    'E|x|<sup>s</sup> &lt; σ<sub>s+1</sub><sup>2</sup>'
    """
    escaped = html.escape(text).replace("  ", "&emsp; ")
    escaped = re.sub(r"(?<=[\w}])_(\w)\^", r"_{\1}^", escaped)
    return _marked(_marked(escaped, _RAISED, "<sup>", "</sup>"), _LOWERED, "<sub>", "</sub>")


def prose_html(text: str) -> str:
    """Return a sentence with names of code between backquotes, and symbols, as HTML.

    Examples
    --------
    >>> prose_html("`log_mean` is E log(sigma_s R), to 2^-52")
    '<code>log_mean</code> is E log(σ<sub>s</sub> R), to 2<sup>-52</sup>'
    """
    parts = text.split("`")
    for i, part in enumerate(parts):
        if i % 2:
            parts[i] = f"<code>{html.escape(part)}</code>"
        else:
            parts[i] = formula_html(_NAMES.sub(lambda found: _GREEK[found[1]], part))
    return "".join(parts)


def _label(text: str) -> str:
    """Return the text of a plot with indices and exponents as matplotlib writes them."""
    raised = _RAISED.sub(lambda found: f"$^{{{found[1] or found[2]}}}$", text)
    return _LOWERED.sub(lambda found: f"$_{{{found[1] or found[2]}}}$", raised)


def _verdict(result: Result) -> str:
    text = "could not be checked" if result.error else result.verdict
    kind = "good" if result.settled else "bad"
    mark = "✓" if result.settled else "✗"
    return f'<span class="verdict {kind}">{mark} {text}</span>'


def _badge(kind: str) -> str:
    return f'<span class="badge {kind}">{kind}</span>'


def _sentence(text: str) -> str:
    """Return a text that starts with a capital and ends with a full stop."""
    if not text:
        return ""
    word = text.split()[0]
    first = text[0].upper() if word.isalpha() and len(word) > 1 else text[0]
    return f"{first}{text[1:]}" + ("" if text.endswith(".") else ".")


def _thousands(n: int) -> str:
    return f"{n:,}".replace(",", " ")


def _power(value: float) -> str:
    mantissa, exponent = f"{value:.1e}".split("e")
    number = f"10<sup>{int(exponent)}</sup>"
    return number if mantissa == "1.0" else f"{mantissa} × {number}"


# ---------------------------------------------------------------- pictures


def _svg(plot: Plot, name: str) -> str:
    """Return a plot as an SVG element."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context({"font.family": "sans-serif"}):
        figure = Figure(figsize=(5.6, 3.6), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        exact = measured = 0
        for series in plot.series:
            if series.style == "measured":
                colour = _COLOURS[measured % len(_COLOURS)]
                marker = _MARKERS[measured % len(_MARKERS)]
                axes.errorbar(
                    series.x, series.y, yerr=series.error, fmt=marker, color=colour, capsize=2,
                    label=series.label, markersize=4.5, markerfacecolor="white", zorder=3,
                )  # fmt: skip
                measured += 1
            elif series.style == "limit":
                axes.plot(series.x, series.y, "--", color="#777777", label=series.label, lw=1.2)
            else:
                colour = _COLOURS[exact % len(_COLOURS)]
                dash = "-" if series.style == "exact" else _DASHES[1 + exact % 4]
                axes.plot(series.x, series.y, linestyle=dash, color=colour, label=series.label)
                exact += 1
        axes.set_title(_label(plot.title), fontsize=10)
        axes.set_xlabel(_label(plot.x_label))
        axes.set_ylabel(_label(plot.y_label))
        if plot.log_x:
            axes.set_xscale("log")
        if plot.log_y:
            axes.set_yscale("log")
        axes.grid(visible=True, color="#e4e4e4", lw=0.6)
        lines = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        axes.legend(lines.values(), map(_label, lines), fontsize=8, frameon=False)
        return inline_svg(figure, name, f"{plot.title}: {plot.y_label} against {plot.x_label}")


# ---------------------------------------------------------------- the page

_STYLE = """
:root { color-scheme: light dark; --text: #1a1a1a; --soft: #555; --line: #d5d5d5; --page: #fff;
  --box: #f6f6f4; --link: #0b4f8a; --good: #1d6b2b; --bad: #a51d1d; }
@media (prefers-color-scheme: dark) { :root { --text: #e8e8e6; --soft: #b4b4b0; --line: #444;
  --page: #16171a; --box: #212327; --link: #8dbdf0; --good: #7fd18b; --bad: #ff9b93; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; background: var(--page);
  color: var(--text); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.7rem; line-height: 1.2; }
h2 { margin-top: 2.5rem; padding-bottom: .2rem; border-bottom: 2px solid var(--line); }
h3 { margin: 0 0 .5rem; line-height: 1.35; }
a { color: var(--link); }
code { font-size: .92em; }
article { margin: 1.25rem 0; padding: 1rem; background: var(--box); border-radius: .4rem; }
article p { margin: .5rem 0; }
.formula { padding: .4rem .8rem; border-left: 3px solid var(--link);
  font-family: "STIX Two Text", "Cambria", "Times New Roman", serif; font-size: 1.1rem; }
sub, sup { line-height: 0; white-space: nowrap; }
.witness { border-left: 3px solid var(--bad); padding-left: .8rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .3rem .5rem; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
tr.theme th { padding-top: 1rem; }
.evidence { font-size: .92rem; }
.evidence td:nth-child(2) { width: 52%; }
.badge { display: inline-block; margin: 0 .25rem .1rem 0; padding: 0 .45rem; font-size: .8rem;
  border: 1px solid var(--soft); border-radius: .7rem; white-space: nowrap; }
.badge.proof { border-width: 2px; font-weight: 600; }
.badge.error { border-color: var(--bad); color: var(--bad); }
.verdict { font-size: .95rem; font-weight: 600; white-space: nowrap; }
.good { color: var(--good); } .bad { color: var(--bad); }
.kinds dt { float: left; clear: left; width: 8rem; }
.kinds dd { margin: 0 0 .5rem 8rem; }
.plots { display: flex; flex-wrap: wrap; gap: .75rem; }
.plot { flex: 1 1 20rem; max-width: 34rem; margin: .5rem 0; padding: .25rem; background: #fff;
  border-radius: .3rem; }
.plot svg { display: block; width: 100%; height: auto; }
.small { color: var(--soft); font-size: .88rem; }
@media (max-width: 40rem) {
  .kinds dt { float: none; } .kinds dd { margin-left: 0; }
  .evidence thead { display: none; }
  .evidence tr { display: block; padding: .4rem 0; border-bottom: 1px solid var(--line); }
  .evidence td, .evidence td:nth-child(2) { display: block; width: auto; padding: .1rem 0;
    border: 0; } }
"""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Random deep networks: statements, checked</title>
<style>{{style}}</style>
</head>
<body>
{{body}}
</body>
</html>
"""
