"""A report on the page: the same content as the file, with charts and a budget."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from optimizer.charts.style import CONFIG
from optimizer.charts.tradeoff import COST_TITLES, Cost, tradeoff_figure, tradeoff_info
from optimizer.explore.budgets import budget
from optimizer.explore.recommend import goals, recommend
from optimizer.explore.recommend_text import recommendation_sentences
from optimizer.format import metric_words
from optimizer.measured import marked_name
from optimizer.report.content import Choices, Content, Grid, compose, shared_reasons
from optimizer.report.page import render
from optimizer.report.source import ReportSource, from_store
from optimizer.report.terms import glossary
from optimizer.store.records import Study, StudyReport
from pages.parts import context
from pages.parts.table import show_table
from pages.parts.text import plain

_CHARTS: tuple[Cost, ...] = ("gzip_bytes", "latency")


def source_of(study: Study) -> ReportSource:
    """The study's finished variants; read again only when the store has changed."""
    return _source(study.id, context.store().version())


@st.cache_resource(max_entries=4, show_spinner="Reading the study")
def _source(study_id: str, version: int) -> ReportSource:
    store = context.store()
    return from_store(store, store.get_study(study_id))


def content_of(study: Study, choices: Choices) -> Content:
    """What the report says; put together again only when something changed."""
    return _content(study.id, context.store().version(), choices)


@st.cache_resource(max_entries=8, show_spinner="Putting the report together")
def _content(study_id: str, version: int, choices: Choices) -> Content:
    return compose(_source(study_id, version), choices)


def choices_of(report: StudyReport, source: ReportSource) -> Choices:
    """A kept report with the variants that are here; those that are gone are left out."""
    ids = {variant.recipe.hash: variant.id for variant in source.variants}
    alternatives = report.alternatives
    return Choices(
        report.title,
        report.question,
        report.audience,
        ids.get(report.choice or ""),
        None if alternatives is None else tuple(ids[one] for one in alternatives if one in ids),
    )


def download_report(content: Content, study: Study) -> None:
    """The button for the file."""
    st.download_button(
        "Download the report (HTML)",
        data=lambda: render(content),
        file_name=f"{study.name}.report.html",
        mime="text/html",
        type="primary",
        icon=":material/download:",
        on_click="ignore",
        help="One file of about 5 MB that opens in any browser, offline, and can be printed. It "
        "sends nothing anywhere.",
    )


def draw_report(content: Content) -> None:
    """Question, answer, charts with a budget, tables, limits and terms."""
    st.markdown(f"**{plain(content.question)}**")
    st.success(f"{plain(content.answer)}\n\n{plain(content.meaning)}", title="Answer")
    row = st.container(horizontal=True)
    for name, value, was in content.short:
        row.metric(
            name, value, was or None, delta_color="off", delta_arrow="off", border=True,
            height="stretch",
        )  # fmt: skip
    _charts(content)
    _budget(content)
    _grid("Side by side", content.beside, "Measures of our choice, the baseline and alternatives")
    st.header("What was done")
    st.markdown("\n".join(f"{i}. {plain(step)}" for i, step in enumerate(content.steps, 1)))
    if content.layers.rows:
        _grid("Layer by layer", content.layers, "What happened to the weights of each layer")
    if content.estimates:
        st.header("On a microcontroller, estimated")
        st.markdown(_pairs(content.estimates))
        fits = [board for board, found in content.boards if found.fits]
        st.markdown(f"Fits: {plain(', '.join(fits)) or 'none of the boards that are known here'}.")
        if shared := shared_reasons(content.boards):
            st.markdown(f"The same on every board: {plain(' '.join(shared))}")
    st.header("How it was measured")
    st.markdown(_pairs(content.how))
    st.header("What these figures do not say")
    st.markdown("\n".join(f"- {plain(text)}" for text in content.limits))
    with st.expander("The terms used", icon=":material/menu_book:"):
        st.markdown(_pairs(glossary(_all_text(content))))


def _charts(content: Content) -> None:
    columns = st.columns(2, gap="large")
    for column, cost in zip(columns, _CHARTS, strict=True):
        info = tradeoff_info(content.source.variants, cost, content.choice.id)
        with column:
            word = "Size" if cost == "gzip_bytes" else "Latency"
            st.header(f"{word} against {metric_words(info.metric)}")
            if len(info.points) < 2:
                st.info("Fewer than two variants have both of these measures.")
                continue
            front = ", ".join(point.name for point in info.front)
            st.plotly_chart(
                tradeoff_figure(info),
                config=CONFIG,
                key=f"report-{cost}",
                alt=f"{COST_TITLES[cost]} against {metric_words(info.metric)} for "
                f"{len(info.points)} variants. On the Pareto front: {front}.",
            )
            if info.left_out:
                st.caption(
                    f"{len(info.points):,} of {len(info.points) + info.left_out:,} variants are "
                    "drawn: the front, and a part of the others."
                )


def _budget(content: Content) -> None:
    """How the recommendation moves with what may be lost."""
    table = content.table
    offered = budget(table, "metric") if "metric" in table.measures else None
    if offered is None or len(offered.options) < 2 or "gzip" not in table.measures:
        return
    limit = st.select_slider(
        offered.label,
        offered.options,
        value=offered.default if offered.default in offered.options else offered.options[-1],
        format_func=offered.show,
        key="report_budget",
        help="Of the variants within it, the one with the smallest download is named below. "
        "Nothing is changed by this.",
    )
    every = table.measured_in(["metric"])
    goal = next(iter(goals(table)))
    found = recommend(table, goal, every, {"metric": offered}, {"metric": limit})
    sentences = recommendation_sentences(table, found, {"metric": offered}, ["gzip", "metric"])
    name = "Nothing" if found.best is None else table.names[found.best]
    same = " This is the report's choice." if _is_choice(content, found.best) else ""
    st.markdown(f"Within that: **{plain(name)}**.{same} {plain(' '.join(sentences))}")


def _is_choice(content: Content, place: int | None) -> bool:
    return place is not None and content.table.ids[place] == content.choice.id


def _grid(title: str, grid: Grid, alt: str) -> None:
    st.header(title)
    show_table(
        pd.DataFrame(grid.rows, columns=_unique(grid.heads)),
        hide_index=True,
        height="content",
        column_config={
            grid.heads[0]: st.column_config.TextColumn(pinned=True),
            "What happened": st.column_config.TextColumn(width="large"),
        },
        alt=alt,
    )


def _unique(heads: Sequence[str]) -> list[str]:
    return [head if head not in heads[:at] else f"{head} ({at})" for at, head in enumerate(heads)]


def _pairs(rows: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"- **{plain(name)}**: {plain(text)}" for name, text in rows)


def _all_text(content: Content) -> str:
    names = " ".join(marked_name(variant) for variant in content.source.variants)
    parts = [content.answer, content.meaning, names, *content.beside.heads, *content.limits]
    return " ".join([*parts, *content.steps, *(text for row in content.how for text in row)])
