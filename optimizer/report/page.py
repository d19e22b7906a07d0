"""A report as one HTML file: no network, a policy that forbids it, every text escaped."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from functools import cache
from pathlib import Path

from plotly.offline import get_plotlyjs

from optimizer.comparison import NOT_MEASURED
from optimizer.measured import marked_name
from optimizer.report.content import Content, Grid, shared_reasons, told_measures
from optimizer.report.figures import Chart, charts, facts
from optimizer.report.markup import Markup, data_script, joined, tag
from optimizer.report.terms import glossary

MAX_BYTES = 6_000_000
"""A report is smaller than this, so that it can be sent by mail."""
_ASSETS = Path(__file__).parent / "assets"
_MANY = 300
"""Rows of the table of all variants; more would make the file slow to open."""


def render(content: Content) -> str:
    """The whole file."""
    drawn = charts(content)
    body = [
        tag("a", "Skip to the answer", href="#answer", class_="skip"),
        _header(content),
        tag(
            "main",
            _answer(content),
            _tradeoffs(content, drawn),
            _beside(content),
            _done(content),
            _estimates(content),
            _how(content),
            _limits(content),
            _all(content),
        ),
    ]
    said = joined(body)
    terms = glossary(re.sub(r"<pre.*?</pre>|<[^>]*>", " ", said, flags=re.DOTALL))
    scripts = [_plotly(), _asset("report.js")] if drawn else [_asset("report.js")]
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(scripts)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", content.title),
        tag("style", Markup(_asset("report.css"))),
    )
    data = [
        data_script("facts", facts(content)),
        *(data_script(f"figure-{chart.key}", chart.figure) for chart in drawn),
    ]
    code = [Markup(f"<script>{script}</script>") for script in scripts]
    page = tag(
        "html", head, tag("body", said, _glossary(terms), _footer(content), data, code), lang="en"
    )
    return f"<!doctype html>\n{page}\n"


@cache
def _asset(name: str) -> str:
    return (_ASSETS / name).read_text()


@cache
def _plotly() -> str:
    return str(get_plotlyjs())


def _policy(scripts: list[str]) -> str:
    """Only these very scripts run, and nothing is fetched from anywhere.

    Plotly writes style elements of its own, so inline styles are allowed.
    """
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _header(content: Content) -> Markup:
    line = [f"Report of {content.date}"]
    if content.audience:
        line.insert(0, f"For {content.audience}")
    links = {
        "answer": "Answer",
        "tradeoffs": "Trade-offs",
        "beside": "Side by side",
        "done": "What was done",
        "how": "How it was measured",
        "limits": "Limits",
        "terms": "Terms",
    }
    return tag(
        "header",
        tag("p", " · ".join(line), class_="quiet"),
        tag("h1", content.title),
        tag(
            "nav",
            tag("ul", [tag("li", tag("a", text, href=f"#{name}")) for name, text in links.items()]),
            aria_label="Contents",
        ),
    )


def _section(name: str, title: str, *children: object) -> Markup:
    return tag(
        "section",
        tag("h2", title, id=f"{name}-title"),
        *children,
        id=name,
        aria_labelledby=f"{name}-title",
    )


def _answer(content: Content) -> Markup:
    figures = [
        tag(
            "li",
            tag("span", name, class_="quiet"),
            tag("strong", value),
            tag("span", was, class_="quiet") if was else None,
        )
        for name, value, was in content.short
    ]
    return _section(
        "answer",
        "Question and answer",
        tag("p", content.question, class_="question"),
        tag("p", content.answer, class_="answer"),
        tag("p", content.meaning),
        tag("ul", figures, class_="figures"),
    )


def _tradeoffs(content: Content, drawn: list[Chart]) -> Markup:
    if not drawn:
        return _section(
            "tradeoffs",
            "What was tried, and what it costs",
            tag("p", "There are no charts: fewer than two variants have a measured quality."),
        )
    budget = tag(
        "div",
        tag("label", "How much may be lost?", for_="budget", id="budget-label"),
        tag("input", type="range", id="budget", min="0", max="0", value="0", step="1"),
        tag("output", id="budget-text", for_="budget"),
        tag("p", id="budget-answer", aria_live="polite"),
        class_="budget",
        id="budget-box",
        hidden=True,
    )
    return _section(
        "tradeoffs",
        "What was tried, and what it costs",
        tag(
            "p",
            f"{_counted(content)} Each point is one of them; the line joins those that no other "
            "beats in both measures (the Pareto front); the ring marks our choice; thin bars are "
            "95 % intervals. Click or touch a point to read about it; the last table has them all.",
        ),
        budget,
        tag("div", [_figure(chart) for chart in drawn], class_="charts"),
        tag("div", id="looked-at", aria_live="polite", class_="card", hidden=True),
        tag("noscript", tag("p", "The charts need JavaScript. All figures are in the tables.")),
    )


def _counted(content: Content) -> str:
    others = len(content.source.variants) - 1
    made = "one variant of it was" if others == 1 else f"{others:,} variants of it were"
    return f"The model was converted as it is, and {made} made; all were measured."


def _figure(chart: Chart) -> Markup:
    return tag(
        "figure",
        tag("figcaption", tag("h3", chart.title), tag("p", chart.caption, class_="quiet")),
        tag("div", role="img", aria_label=chart.alt, class_="chart", data_figure=chart.key),
    )


def _beside(content: Content) -> Markup:
    return _section(
        "beside",
        "Side by side",
        tag("p", "Every figure was measured on the file itself, unless it says “estimate”."),
        _table(
            content.beside, "Our choice, the baseline and alternatives, measure by measure", "wide"
        ),
    )


def _done(content: Content) -> Markup:
    recipe = content.choice.recipe.canonical_json(indent=2)
    return _section(
        "done",
        "What was done",
        tag("p", f"{content.meaning} In the order it was done:"),
        tag("ol", [tag("li", step) for step in content.steps]),
        tag("h3", "Layer by layer"),
        _table(content.layers, "What happened to the weights of each layer", "layers")
        if content.layers.rows
        else tag("p", "The table of layers is not at hand."),
        tag(
            "details",
            tag("summary", "The recipe, from which the file can be made again"),
            tag("pre", recipe, tabindex="0"),
        ),
    )


def _estimates(content: Content) -> Markup | None:
    if not content.estimates:
        return None
    shared = shared_reasons(content.boards)
    rows = tuple(
        (name, found.verdict, " ".join(one for one in found.reasons if one not in shared) or "–")
        for name, found in content.boards
    )
    same = [tag("p", f"The same on every board: {' '.join(shared)}")] if shared else []
    return _section(
        "estimates",
        "On a microcontroller (estimates)",
        tag(
            "p",
            "Computed from the file, not measured on a device. Energy is the number of operations "
            "times what Horowitz (ISSCC 2014) gives for one of them in a chip of 45 nm: it is for "
            "comparing variants, and a whole chip needs more. RAM is planned as TensorFlow Lite "
            "for Microcontrollers plans it. 64 KiB of flash (the memory that keeps the program) "
            "and 16 KiB of RAM (the memory it works in) are kept for the rest of a program.",
        ),
        tag("dl", [[tag("dt", name), tag("dd", text)] for name, text in content.estimates]),
        same,
        _table(Grid(("Board", "Verdict", "Why"), rows), "Whether our choice fits some boards"),
    )


def _how(content: Content) -> Markup:
    return _section(
        "how",
        "How it was measured",
        tag("dl", [[tag("dt", name), tag("dd", text)] for name, text in content.how]),
    )


def _limits(content: Content) -> Markup:
    return _section(
        "limits",
        "What these figures do not say",
        tag("ul", [tag("li", text) for text in content.limits]),
    )


def _all(content: Content) -> Markup:
    table = content.table
    told = told_measures(table)
    keys = [key for key in ("gzip", "size", "metric", "agreement", "latency") if key in told]
    rows = []
    for place, variant in enumerate(table.variants[:_MANY]):
        values = [float(table.values[key][place]) for key in keys]
        shown = [
            NOT_MEASURED if math.isnan(value) else table.measures[key].show(value)
            for key, value in zip(keys, values, strict=True)
        ]
        mark = " (our choice)" if variant.id == content.choice.id else ""
        rows.append((marked_name(variant) + mark, *shown))
    heads = ("Variant", *(told[key].name for key in keys))
    left_out = len(table) - len(rows)
    return _section(
        "all",
        "All variants",
        tag(
            "details",
            tag("summary", f"{len(rows)} variants with their figures"),
            _table(Grid(heads, tuple(rows)), "All variants with their figures"),
            tag("p", f"{left_out} more are not listed.") if left_out else None,
            open=len(rows) <= 20,
        ),
    )


def _glossary(terms: list[tuple[str, str]]) -> Markup:
    return _section(
        "terms",
        "The terms used",
        tag("dl", [[tag("dt", term), tag("dd", text)] for term, text in terms], class_="terms"),
    )


def _footer(content: Content) -> Markup:
    version = content.source.environment.get("featherweight")
    made = f"Made with Featherweight{f' {version}' if version else ''} on {content.date}."
    return tag("footer", tag("p", f"{made} This file works offline and sends nothing anywhere."))


def _table(grid: Grid, caption: str, class_: str | None = None) -> Markup:
    head = tag("tr", [tag("th", text, scope="col") for text in grid.heads])
    rows = [
        tag("tr", tag("th", row[0], scope="row"), [tag("td", cell) for cell in row[1:]])
        for row in grid.rows
    ]
    table = tag(
        "table", tag("caption", caption), tag("thead", head), tag("tbody", rows), class_=class_
    )
    return tag("div", table, class_="scroll", tabindex="0", role="region", aria_label=caption)
