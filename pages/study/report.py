"""What others get of a study: a report as one file, a link for reading, the whole as an archive."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import streamlit as st

from optimizer.comparison import suggested
from optimizer.errors import InputError
from optimizer.measured import marked_name
from optimizer.report.content import MOST_ALTERNATIVES, Content
from optimizer.report.source import ReportSource
from optimizer.report.words import default_question, default_title
from optimizer.store.archive import export_study
from optimizer.store.records import Study, StudyReport
from pages.parts import context, visit
from pages.parts.report_view import choices_of, content_of, download_report, draw_report, source_of
from pages.parts.text import plain
from serving.policy import policy


def draw() -> None:
    """Draw the page."""
    study = context.current_study()
    st.title("Report")
    st.caption(
        f"{plain(study.name)} · for people who never saw this workbench: a file, a link, or the "
        "whole study"
    )
    try:
        source = source_of(study)
    except InputError as error:
        st.info(plain(str(error)))
        st.page_link(
            context.COMPARE,
            label="Compare",
            icon=":material/scatter_plot:",
            query_params=context.study_link(study),
        )
        return
    report = _kept(study, source)
    _form(study, source, report)
    content = content_of(study, choices_of(report, source))
    _take_away(study, report, content)
    st.divider()
    st.header("Preview")
    st.markdown(f"### {plain(content.title)}")
    draw_report(content)


def _kept(study: Study, source: ReportSource) -> StudyReport:
    """What is kept of the report, else with the variant that was chosen on another page."""
    report = context.store().get_report(study.id)
    hashes = {variant.id: variant.recipe.hash for variant in source.variants}
    if report.choice not in hashes.values():
        chosen = context.chosen_variant_id(study)
        first = suggested(source.variants) or source.variants[0]
        report = replace(report, choice=hashes.get(chosen or "", first.recipe.hash))
    return report


def _form(study: Study, source: ReportSource, report: StudyReport) -> None:
    names = {variant.recipe.hash: marked_name(variant) for variant in source.variants}
    left, right = st.columns(2, gap="large")
    with left:
        st.selectbox(
            "Recommended variant",
            list(names),
            format_func=names.__getitem__,
            help="At first the one chosen on Compare, else the smallest download that costs at "
            "most one point.",
            **_shows(report, "choice", report.choice),
        )
        shown = content_of(study, choices_of(report, source))
        others = [one for one in names if one != report.choice and not _is_baseline(source, one)]
        if others:
            st.multiselect(
                "Alternatives beside it",
                others,
                format_func=names.__getitem__,
                max_selections=MOST_ALTERNATIVES,
                help="Columns of the table side by side, besides the baseline. At first the "
                "nearest on the Pareto front.",
                **_shows(report, "alternatives", [one.recipe.hash for one in shown.alternatives]),
            )
        else:
            st.caption("The study has no other variant that could stand beside it.")
    with right:
        st.text_input(
            "Title",
            max_chars=200,
            placeholder=default_title(source),
            help="At the top of the report. Empty: the one in grey.",
            **_shows(report, "title", report.title),
        )
        st.text_input(
            "For whom",
            max_chars=200,
            placeholder="the product team",
            help="Stands above the title. Empty: nothing stands there.",
            **_shows(report, "audience", report.audience),
        )
    st.text_area(
        "Question that it answers",
        max_chars=600,
        height=80,
        placeholder=default_question(source),
        help="Stands above the answer. Empty: the one in grey.",
        **_shows(report, "question", report.question),
    )


def _is_baseline(source: ReportSource, recipe_hash: str) -> bool:
    return source.baseline is not None and source.baseline.recipe.hash == recipe_hash


def _shows(report: StudyReport, field: str, value: Any) -> dict[str, Any]:
    """Arguments that make a widget show a field of the report and keep what is put in."""
    key = f"report_{field}"
    if st.session_state.get(key) != value:
        st.session_state[key] = value
    return {"key": key, "on_change": _put, "args": (report, field)}


def _put(report: StudyReport, field: str) -> None:
    value = st.session_state[f"report_{field}"]
    changed = replace(report, **{field: value})
    if field == "choice" and changed.alternatives is not None:
        kept = [one for one in changed.alternatives if one != value]
        changed = replace(changed, alternatives=kept)
    context.store().put_report(changed)


def _take_away(study: Study, report: StudyReport, content: Content) -> None:
    file, link, archive = st.columns(3, gap="medium")
    with file.container(border=True, height="stretch"):
        st.markdown("**:material/description: One file**")
        download_report(content, study)
        st.caption(
            "Question, answer with its interval, charts to touch, side by side, layer by layer, "
            "how it was measured, what it does not say, the terms. Opens offline; to be mailed."
        )
    with link.container(border=True, height="stretch"):
        st.markdown("**:material/link: A link for reading**")
        _links(study, report)
    with archive.container(border=True, height="stretch"):
        st.markdown("**:material/folder_zip: The whole study**")
        st.download_button(
            "Download the archive",
            data=context.later(lambda: _archive(study)),
            file_name=f"{study.name}.study.zip",
            mime="application/zip",
            icon=":material/download:",
            on_click="ignore",
            help="Model, data, variants, results, and what this report says. Another workbench "
            "imports it on its Studies page. It contains the data: mind who gets it.",
        )
        st.caption("For another Featherweight: it imports the archive on its Studies page.")


def _links(study: Study, report: StudyReport) -> None:
    if st.button(
        "Make a link",
        icon=":material/add_link:",
        help="Opens this report, as the study then is, without any tool. It can be revoked.",
    ):
        context.store().put_report(report)
        context.store().share_study(study.id)
        st.rerun()
    for share in context.store().list_shares(study.id):
        st.code(visit.link(share.token), language=None, wrap_lines=True)
        if st.button(
            "Revoke",
            key=f"revoke-{share.token}",
            help="From now on this link opens nothing.",
            icon=":material/link_off:",
        ):
            context.store().revoke_share(share.token)
            st.rerun()
    st.caption(_who_opens_links())


def _who_opens_links() -> str:
    second = (
        "start a second server with "
        f"{plain('FEATHERWEIGHT_SHARED_ONLY=1')}, which has shared studies only, or send the file."
    )
    if policy().sign_in:
        return f"Who opens it signs in, and sees this report alone. For others, {second}"
    return (
        "It works where this server can be reached: as it is started by default, on this machine "
        "only. A visitor's page changes nothing, but whoever reaches the server can also open the "
        f"workbench itself. For others, {second}"
    )


def _archive(study: Study) -> bytes:
    buffer = io.BytesIO()
    export_study(context.store(), study.id, buffer)
    return buffer.getvalue()


draw()
