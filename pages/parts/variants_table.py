"""All variants of a study as a table, and those that failed."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from optimizer.comparison import comparison_table, difference_column, metric_column, study_metric
from optimizer.format import is_share
from optimizer.measured import measured
from optimizer.store.records import Study, Variant
from pages.parts import context
from pages.parts.table import show_table
from pages.parts.text import TABLE_KEYS, plain

_MOST_FAILURES = 8


@st.cache_resource(max_entries=4, show_spinner=False)
def _table(study_id: str, version: tuple[int, int], count: int) -> pd.DataFrame:
    """The table as of a version of the variants: ten thousand of them take half a second."""
    variants = context.store().variants_of(study_id)
    table = comparison_table(variants)
    table["Variant"] = [
        ("⚠ " if (found := measured(variant)) and found.broken else "") + variant.name
        for variant in variants
    ]
    return table


def variants_table(variants: list[Variant]) -> str | None:
    """Draw the table; returns the id of a finished variant that was picked just now."""
    st.header("All variants")
    st.caption(f"Tick a row to see its figures above. {TABLE_KEYS}")
    study_id = variants[0].study_id
    table = _table(study_id, context.store().variants_version(study_id), len(variants))
    metric = study_metric(variants)
    column = metric_column(metric)
    number = st.column_config.NumberColumn
    event: Any = show_table(
        table,
        hide_index=True,
        key="variants_table",
        on_select="rerun",
        selection_mode="single-row",
        placeholder="–",
        column_order=[column for column in table.columns if column != "id"],
        column_config={
            "Variant": st.column_config.TextColumn(
                pinned=True, help="⚠ marks a file that does not keep what its recipe promised"
            ),
            "Size (kB)": number(format="%.1f", help="The .tflite as it ships"),
            "Smaller (×)": number(format="%.2f", help="The baseline's size / this size"),
            "gzip (kB)": number(format="%.1f", help="The same file, gzip-compressed"),
            "gzip smaller (×)": number(
                format="%.2f", help="The baseline's gzip size / this gzip size"
            ),
            column: number(format="%.2f" if is_share(metric) else "%.4g"),
            difference_column(metric): number(
                format="%+.2f" if is_share(metric) else "%+.3g",
                help="Difference to the baseline"
                + (" in percentage points" if is_share(metric) else ""),
            ),
            **{
                f"Latency p50 ({unit})": number(
                    format="%.2f", help="Median time of one inference on the machine that ran it"
                )
                for unit in ("ms", "µs")
            },
            "Latency": st.column_config.TextColumn(
                width="medium", help="What the ratio to the baseline means, given its interval"
            ),
            "Latency ratio": number(format="%.2f", help="To the baseline; below 1 is faster"),
            "Agreement (%)": number(format="%.2f", help="Same prediction as the baseline"),
            "Peak memory (kB)": number(
                format="%.0f", help="Growth of the process while it is loaded and run"
            ),
            "Zeros (%)": number(format="%.1f", help="Among prunable weights, read from the file"),
            "Distinct weights": number(
                help="Most distinct values in one tensor (per channel where quantized so)"
            ),
            "Multiply-accumulates (k)": number(
                format="%.1f", help="Arithmetic of one inference, counted from the file's operators"
            ),
            "State": st.column_config.TextColumn(
                help="A done variant whose file does not keep what its recipe promised says so"
            ),
            "Time to make (s)": number(
                format="%.1f", help="Of all its stages, when none was computed before"
            ),
        },
        alt="All variants with their measures and differences to the baseline",
    )
    rows = event.selection.rows if event else []
    picked = str(table.iloc[rows[0]]["id"]) if rows else None
    if picked is None or picked == st.session_state.get("table-seen"):
        return None
    st.session_state["table-seen"] = picked
    return next((v.id for v in variants if v.id == picked and v.results), None)


def failures(study: Study, variants: list[Variant]) -> None:
    """List what failed, with what to do about it."""
    failed = [variant for variant in variants if variant.state == "failed"]
    if failed:
        st.header("Failed")
    for variant in failed[:_MOST_FAILURES]:
        with st.container(border=True, key=f"failed-{variant.id}"):
            st.error(plain(variant.error or "It failed."), title=f"{variant.name} failed")
            with st.container(horizontal=True):
                if st.button("Try again", icon=":material/replay:", key=f"again-{variant.id}"):
                    _try_again(study, [variant], variant.name)
                st.page_link(context.RUNS, label="See the log", icon=":material/article:")
    if len(failed) > _MOST_FAILURES:
        st.caption(f"{len(failed) - _MOST_FAILURES} more failed; the table above has them.")
    if len(failed) > 1 and st.button(
        f"Try all {len(failed)} again",
        icon=":material/replay:",
        help="One run of all failed variants; what is finished is not computed again.",
    ):
        _try_again(study, failed, f"{len(failed)} variants again")


def _try_again(study: Study, variants: list[Variant], title: str) -> None:
    ids = [variant.id for variant in variants]
    context.store().queue_run("variants", title, study_id=study.id, variant_ids=ids)
    st.rerun()
