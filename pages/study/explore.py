"""Choosing among many variants: budgets, the front, a recommendation, and side by side."""

from dataclasses import replace

import streamlit as st

from optimizer.charts.explorer import explorer_figure, explorer_info
from optimizer.charts.parallel import parallel_figure, parallel_info
from optimizer.charts.style import CONFIG
from optimizer.explore.choice import Choice, choose
from optimizer.explore.recommend_text import recommendation_sentences
from optimizer.explore.rows import explorer_rows
from optimizer.explore.side_by_side import recipe_differences, side_by_side
from optimizer.explore.table import Table
from optimizer.explore.view import MOST_CHOSEN, View
from optimizer.store.records import Study
from pages.parts import context
from pages.parts.downloads import variant_downloads
from pages.parts.explore_controls import (
    budget_controls,
    filter_controls,
    goal_control,
    measure_controls,
)
from pages.parts.explore_state import (
    change,
    open_view,
    problems,
    shows,
    study_table,
    write_address,
)
from pages.parts.table import show_table
from pages.parts.text import TABLE_KEYS, plain


def draw() -> None:
    """Draw the page."""
    study = context.current_study()
    st.title("Explore")
    table = study_table(study)
    view = open_view(study, table)
    if view is None:
        _too_little(study, table)
        return
    choice = choose(view, table)
    _head(study, view, table)
    measure_controls(study, view, table)
    controls, charts = st.columns([1, 2.4], gap="large")
    with controls:
        _controls(study, choice)
    with charts:
        _recommended(study, choice)
        _chart(study, choice)
    _overview(choice)
    _table(study, choice)
    _side_by_side(study, choice)


def _too_little(study: Study, table: Table) -> None:
    done = sum(bool(variant.results) for variant in table.variants)
    st.info(
        "Nothing has been measured in this study yet. The Compare page measures the baseline."
        if not done
        else "Only one measure was taken in this study, and a trade-off needs two. Run a recipe: "
        "everything is measured then."
    )
    link = context.study_link(study)
    st.page_link(
        context.COMPARE, label="Compare", icon=":material/scatter_plot:", query_params=link
    )


def _head(study: Study, view: View, table: Table) -> None:
    """What the page is about, its link, and what of the address could not be followed."""
    text, link = st.columns([5, 1], vertical_alignment="bottom")
    done = sum(bool(variant.results) for variant in table.variants)
    text.caption(
        f"{plain(study.name)} · {done:,} of {len(table):,} variants with results · set budgets, "
        "and see which variant is best within them"
    )
    address = write_address(study, view, table)
    with link.popover("Copy link", icon=":material/link:", width="stretch"):
        st.caption("Reopens exactly this view, for everyone who can reach this workbench.")
        st.code(address, language=None, wrap_lines=True)
    if found := problems():
        st.warning(
            " ".join(plain(problem) for problem in found),
            title="Not everything in the link could be followed",
        )


def _controls(study: Study, choice: Choice) -> None:
    st.header("Budgets")
    budget_controls(study, choice.view, choice.budgets, choice.limits)
    goal_control(study, choice.view, choice.table)
    with st.expander("Filters", icon=":material/filter_alt:", expanded=choice.filtered):
        filter_controls(study, choice.view, choice.table)
    st.caption(
        f"{int(choice.candidates.sum()):,} of {len(choice.table):,} variants pass the filters, "
        f"{int((choice.inside).sum()):,} of them are within the budgets."
    )


def _recommended(study: Study, choice: Choice) -> None:
    found, table = choice.recommendation, choice.table
    if found is None:
        st.info("No goal can be chosen: neither size, latency, arithmetic nor quality is known.")
        return
    sentences = recommendation_sentences(table, found, choice.budgets, choice.view.keys)
    text = "\n\n".join(plain(sentence) for sentence in sentences)
    if found.best is None:
        st.warning(text, title="Nothing to recommend", icon=":material/search_off:")
        return
    name = plain(table.names[found.best])
    st.success(text, title=f"Recommended: {name}", icon=":material/recommend:")
    variant = table.variants[found.best]
    variant_downloads(variant, "explore")
    st.page_link(
        context.VARIANT,
        label="Look inside the recommended variant",
        icon=":material/layers:",
        query_params=context.study_link(study, variant=variant.id),
    )


def _chart(study: Study, choice: Choice) -> None:
    table, view = choice.table, choice.view
    info = explorer_info(
        table,
        view.front_keys,
        choice.drawn,
        choice.inside,
        recommended=choice.recommended,
        knee=choice.knee_place,
        chosen=choice.chosen,
    )
    measures = [table.measures[key] for key in view.front_keys]
    if not info.ids:
        st.info("No variant is left to draw. Loosen a filter or a budget.")
        return
    titles = " against ".join(measure.name for measure in reversed(measures[:2]))
    colors = f", coloured by {measures[2].name}" if len(measures) > 2 else ""
    st.plotly_chart(
        explorer_figure(info, measures),
        config=CONFIG,
        key="explore_chart",
        on_select=lambda: _point_chosen(study, "explore_chart"),
        selection_mode="points",
        alt=f"{titles}{colors} for {len(info.ids)} variants, {len(info.front)} of them on the "
        "Pareto front. The table below has the same figures.",
    )
    if info.not_measured:
        st.caption(f"{info.not_measured:,} more lack one of these measures: not measured yet.")
    if choice.knee:
        name = plain(table.names[choice.knee.place])
        st.markdown(f"**A compromise, the knee of the front: {name}.** {plain(choice.knee.reason)}")
    else:
        st.caption(
            "The front has no knee: with fewer than three different points, or without a bend, no "
            "compromise stands out."
        )


def _point_chosen(study: Study, key: str) -> None:
    """Put a variant side by side with the others, or take it away."""
    points = st.session_state[key].selection.points
    if not points or not points[0].get("customdata"):
        return
    found = points[0]["customdata"]
    variant_id = found[0] if isinstance(found, list) else found

    def apply(view: View) -> View:
        if variant_id in view.chosen:
            return replace(view, chosen=tuple(i for i in view.chosen if i != variant_id))
        return replace(view, chosen=(*view.chosen, variant_id)[-MOST_CHOSEN:])

    change(study.id, apply)


def _overview(choice: Choice) -> None:
    st.header("All measures at once")
    info = parallel_info(
        choice.table,
        choice.view.keys,
        choice.drawn,
        choice.inside,
        choice.budgets,
        choice.limits,
        choice.chosen,
    )
    if not info.ids:
        st.info("No variant has all of these measures.")
        return
    st.caption(
        "A line is a variant. Grey ones miss a budget; orange ones are chosen. Drag along an axis "
        "to look at a part of it; the sliders above set the budgets."
    )
    st.plotly_chart(
        parallel_figure(info),
        config={**CONFIG, "displayModeBar": False},
        key="explore_overview",
        alt=f"Parallel coordinates of {len(info.ids)} variants over "
        f"{', '.join(axis.measure.name for axis in info.axes)}. The table below has the figures.",
    )
    if info.left_out:
        st.caption(f"{info.left_out:,} more lack one of these measures: not measured yet.")


def _table(study: Study, choice: Choice) -> None:
    st.header("Variants")
    st.caption(f"Tick rows to mark them in the charts and put them side by side. {TABLE_KEYS}")
    table, places = choice.table, choice.ordered()
    rows = explorer_rows(table, places, choice.budgets, choice.limits)
    ids = tuple(table.ids[place] for place in places)
    marked = [row for row, variant_id in enumerate(ids) if variant_id in choice.view.chosen]
    key = "explore_table"
    held = st.session_state.get(key)
    if held is None or sorted(held["selection"]["rows"]) != marked:
        st.session_state[key] = {"selection": {"rows": marked, "columns": [], "cells": []}}
    show_table(
        rows.frame,
        hide_index=True,
        key=key,
        height=min(38 + 35 * max(len(ids), 1), 460),
        on_select=lambda: _rows_chosen(study, key, ids),
        selection_mode="multi-row",
        placeholder="–",
        column_config={
            "Variant": st.column_config.TextColumn(pinned=True),
            **{
                title: st.column_config.NumberColumn(format=form)
                for title, form in rows.formats.items()
            },
        },
        alt="The variants that pass the filters, those within the budgets first, with all measures",
    )


def _rows_chosen(study: Study, key: str, ids: tuple[str, ...]) -> None:
    """The rows ticked, and what was chosen but has no row under these filters."""
    rows = st.session_state[key]["selection"]["rows"]
    ticked = {ids[row] for row in rows if row < len(ids)}

    def apply(view: View) -> View:
        kept = [item for item in view.chosen if item in ticked or item not in ids]
        added = [item for item in ids if item in ticked and item not in kept]
        return replace(view, chosen=tuple([*kept, *added][:MOST_CHOSEN]))

    change(study.id, apply)


def _side_by_side(study: Study, choice: Choice) -> None:
    st.header("Side by side")
    table = choice.table
    names = dict(zip(table.ids, table.names, strict=True))
    st.multiselect(
        "Variants to compare",
        list(names),
        format_func=names.__getitem__,
        max_selections=MOST_CHOSEN,
        placeholder="Choose names, tick rows or click points",
        help=f"Up to {MOST_CHOSEN}. The link of the page keeps them.",
        select_all=False,
        **shows(
            study,
            "explore_chosen",
            list(choice.view.chosen),
            lambda view, ids: replace(view, chosen=tuple(ids)),
        ),
    )
    if suggested := choice.worth_comparing():
        st.button(
            "Compare the baseline, the recommended one and the knee",
            icon=":material/view_column:",
            on_click=change,
            args=(study.id, lambda view: replace(view, chosen=suggested)),
        )
    if not choice.chosen:
        st.info("Choose variants to see their measures and recipes in columns.")
        return
    show_table(
        side_by_side(table, choice.chosen),
        hide_index=True,
        height="content",
        column_config={"Measure": st.column_config.TextColumn(pinned=True)},
        alt="Measures of the chosen variants, with differences to the baseline; ★ marks the best",
    )
    differences = recipe_differences(table, choice.chosen)
    if len(choice.chosen) > 1 and len(differences):
        st.markdown("**Where their recipes differ**")
        show_table(
            differences,
            hide_index=True,
            height="content",
            column_config={"Field": st.column_config.TextColumn(pinned=True)},
            alt="The fields of the recipes in which the chosen variants differ",
        )


draw()
