"""What takes space in the store, the limits, and giving space back."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from optimizer.charts.storage import space_figure
from optimizer.charts.style import CONFIG
from optimizer.errors import FeatherweightError
from optimizer.format import format_bytes, format_when
from optimizer.quotas import LIMITS, Quotas
from optimizer.storage_command import freeing
from optimizer.store import Store
from optimizer.store.records import ACTIVE
from optimizer.store.space_facts import SpaceUse, StudySpace, UploadSpace
from pages.parts import context, sign_in
from pages.parts.refusals import draw_refusal
from pages.parts.table import show_table
from pages.parts.text import plain

_AGES = {"1 hour": 3600.0, "1 day": 86_400.0, "1 week": 604_800.0, "30 days": 2_592_000.0}
_DONE = "storage_done"
_MOST_ROWS = 1_000


def draw() -> None:
    """Draw the page."""
    st.title("Storage")
    store, everything = _store(), sign_in.may_administer()
    where = f"the store in `{store.home}` holds" if everything else "your studies and uploads take"
    st.markdown(f"What {where}, and what of it can go. Nothing is ever deleted by itself.")
    if said := st.session_state.pop(_DONE, None):
        st.success(said, icon=":material/check_circle:")
    with st.spinner("Measuring what is stored …", show_time=True):
        use = store.space_use()
    if everything:
        _limits(use, store.limits())
        _kinds(use)
    _studies(use)
    _uploads(use.unused_uploads)
    if everything:
        _cache()
        _small(use)


def _store() -> Store:
    """Everybody's work for whoever runs this workbench; else what belongs to the person."""
    return context.whole_store() if sign_in.may_administer() else context.store()


def _limits(use: SpaceUse, limits: Quotas) -> None:
    """How much of each limit is used, as bars with units."""
    active = len(_store().list_runs(states=ACTIVE, limit=None))
    bars: tuple[tuple[str, float, float], ...] = (
        ("store_bytes", use.total_bytes, limits.store_bytes),
        ("studies", len(use.studies), limits.studies),
        ("unused_uploads", len(use.unused_uploads), limits.unused_uploads),
        ("runs", active, limits.runs),
    )
    for column, (name, used, most) in zip(st.columns(len(bars)), bars, strict=True):
        limit = LIMITS[name]
        column.progress(
            min(1.0, used / most),
            text=f"**{limit.title}**: {limit.show(used)} of {limit.show(most)}",
        )
    short = use.disk_free_bytes < limits.free_bytes
    text = (
        f"{format_bytes(use.disk_free_bytes)} are free on the disk; at least "
        f"{format_bytes(limits.free_bytes)} stay free. An upload may have "
        f"{format_bytes(limits.upload_bytes)}, a run {limits.variants:,} variants."
    )
    if short:
        st.error(f"{text} Until space is freed, nothing more is stored.", title="The disk is full")
    else:
        st.caption(text)
    st.page_link(context.SETTINGS, label="Change the limits", icon=":material/settings:")


def _kinds(use: SpaceUse) -> None:
    st.header("What takes space")
    st.plotly_chart(
        space_figure(use.kinds),
        config=CONFIG,
        key="space_chart",
        alt="Size by kind: "
        + ", ".join(f"{name} {format_bytes(size)}" for name, size in use.kinds.items() if size),
    )
    with st.expander("The same as a table"):
        show_table(
            pd.DataFrame(
                {
                    "What": list(use.kinds),
                    "Size": [format_bytes(size) for size in use.kinds.values()],
                    "Bytes": list(use.kinds.values()),
                }
            ),
            hide_index=True,
            alt="Bytes of everything in the store, by kind",
        )


def _studies(use: SpaceUse) -> None:
    st.header("Studies")
    if not use.studies:
        st.info("There is no study. What is left below can be freed.")
        return
    st.caption(
        "Select rows to delete studies. Their models and datasets stay, as uploads in no study, "
        "until you delete those too."
    )
    shown = use.studies[:_MOST_ROWS]
    event: Any = show_table(
        pd.DataFrame(
            {
                "Study": [item.name for item in shown],
                "Variants": [item.variant_count for item in shown],
                "Its own (kB)": [item.own_bytes / 1e3 for item in shown],
                "Shared (kB)": [item.shared_bytes / 1e3 for item in shown],
                "Model and data (kB)": [item.upload_bytes / 1e3 for item in shown],
                "State": ["a run is under way" if item.busy else "at rest" for item in shown],
            }
        ),
        hide_index=True,
        key=_table_key("studies", [item.study_id for item in shown]),
        on_select="rerun",
        selection_mode="multi-row",
        column_config={
            "Its own (kB)": st.column_config.NumberColumn(
                format="%.1f", help="Results and logs that deleting this study alone frees"
            ),
            "Shared (kB)": st.column_config.NumberColumn(
                format="%.1f", help="Results that other studies use too"
            ),
            "Model and data (kB)": st.column_config.NumberColumn(
                format="%.1f", help="The uploads; studies may share them"
            ),
        },
        alt="Studies with the bytes of each, the largest first",
    )
    if len(use.studies) > len(shown):
        st.caption(f"The largest {len(shown):,} of {len(use.studies):,} studies are listed.")
    chosen = [shown[row] for row in (event.selection.rows if event else [])]
    _delete_studies(chosen)


def _delete_studies(chosen: Sequence[StudySpace]) -> None:
    store = _store()
    busy = [item for item in chosen if item.busy]
    if busy:
        st.warning(
            plain(f"“{busy[0].name}” has a run that waits or is under way. Cancel it first.")
        )
    count = len(chosen)
    expected = store.freed_by_studies([item.study_id for item in chosen]) if chosen else 0
    label = f"Delete {count} {'study' if count == 1 else 'studies'} …" if chosen else "Delete …"
    if st.button(
        label,
        icon=":material/delete:",
        disabled=not chosen or bool(busy),
        key="storage_delete_studies",
        help=f"Frees {format_bytes(expected)}; asks once more."
        if chosen
        else "Select studies in the table first.",
    ):
        _confirm_studies(chosen, expected)
    if chosen:
        st.caption(f"Will free {format_bytes(expected)}.")


@st.dialog("Delete the studies for good?")
def _confirm_studies(chosen: Sequence[StudySpace], expected: int) -> None:
    for item in chosen[:10]:
        st.markdown(f"- **{plain(item.name)}**, {item.variant_count:,} variants")
    if len(chosen) > 10:
        st.markdown(f"- and {len(chosen) - 10} more")
    st.markdown(
        f"This frees {format_bytes(expected)} and cannot be undone. **Export** on the Studies page "
        "keeps a copy."
    )
    if st.button("Delete for good", type="primary", key="storage_confirm"):
        ids = [item.study_id for item in chosen]
        if context.remembered_study_id() in ids:
            st.session_state.pop("study", None)
            st.query_params.clear()
        _free(lambda: _store().delete_studies(ids), "The studies are deleted")


def _uploads(uploads: tuple[UploadSpace, ...]) -> None:
    st.header("Uploads in no study")
    if not uploads:
        st.caption("None: every model and dataset belongs to a study.")
        return
    st.caption(
        "Models and datasets that were read and never used, or whose studies were deleted. A young "
        "one may be somebody’s study in the making."
    )
    shown = uploads[:_MOST_ROWS]
    event: Any = show_table(
        pd.DataFrame(
            {
                "File": [item.file_name for item in shown],
                "Kind": [item.kind for item in shown],
                "Frees (kB)": [item.size_bytes / 1e3 for item in shown],
                "Brought": [format_when(item.created_at) for item in shown],
                "State": ["being read" if item.busy else "at rest" for item in shown],
            }
        ),
        hide_index=True,
        key=_table_key("uploads", [item.upload_id for item in shown]),
        on_select="rerun",
        selection_mode="multi-row",
        column_config={
            "Frees (kB)": st.column_config.NumberColumn(
                format="%.1f", help="The file, and what reading it found"
            )
        },
        alt="Uploads that no study uses, with their bytes, the largest first",
    )
    rows = event.selection.rows if event else []
    chosen = [shown[row] for row in rows if not shown[row].busy]
    expected = _store().freed_by_uploads(chosen)
    if st.button(
        f"Delete {len(chosen)} uploads" if chosen else "Delete uploads",
        icon=":material/delete:",
        disabled=not chosen,
        key="storage_delete_uploads",
        help="Select uploads in the table first. One that a run reads stays.",
    ):
        _free(lambda: _store().delete_uploads(chosen), "The uploads are deleted")
    if chosen:
        st.caption(f"Will free {format_bytes(expected)}.")


def _table_key(name: str, ids: Sequence[str]) -> str:
    """Of a table whose selection is by row, so that other rows have a selection of their own."""
    return f"storage_{name}_{zlib.crc32(''.join(ids).encode()):08x}"


def _cache() -> None:
    st.header("Cached results that nothing refers to")
    st.caption(
        "Results of stages whose variants were deleted, or that a cancelled run had finished. A "
        "run that needs one again computes it again."
    )
    age = st.segmented_control(
        "Older than",
        list(_AGES),
        default="1 day",
        required=True,
        key="storage_age",
        help="Younger ones stay: a run that was just cancelled may be asked for again.",
    )
    _row("cache", "Delete cached results", _AGES[age or "1 day"])


def _small(use: SpaceUse) -> None:
    st.header("Logs, temporary files, database")
    for column, (part, label, text) in zip(
        st.columns(3),
        (
            ("logs", "Delete logs", "Logs of runs that were deleted with their studies."),
            (
                "temporary",
                "Delete left-overs",
                "What processes left behind that were killed.",
            ),
            (
                "database",
                "Compact the database",
                f"It has {format_bytes(use.kinds['Database'])}; what was deleted leaves gaps, "
                "which compacting gives back. Others wait meanwhile: a second or two.",
            ),
        ),
        strict=True,
    ):
        with column.container(border=True, height="stretch"):
            st.markdown(text)
            _row(part, label, 0.0, use)


def _row(part: str, label: str, older_than_seconds: float, use: SpaceUse | None = None) -> None:
    """A button that frees a part, with how much before it is pressed."""
    expected, release = freeing(_store(), part, older_than_seconds, use)
    if st.button(
        label,
        icon=":material/cleaning_services:",
        disabled=expected == 0,
        key=f"storage_free_{part}",
        help="Nothing that a study or a run needs is touched.",
    ):
        _free(release, label)
    st.caption(f"Will free {format_bytes(expected)}." if expected else "Nothing to free.")


def _free(release: Callable[[], int], what: str) -> None:
    """Free something, say how much that was, and draw the page anew."""
    try:
        with st.spinner("Freeing …"):
            freed = release()
    except FeatherweightError as error:
        draw_refusal(error, "Nothing was freed")
        return
    st.session_state[_DONE] = f"{what}: freed {format_bytes(freed)}."
    st.rerun()


draw()
