"""Where latencies come from, and measuring them again, all together."""

from __future__ import annotations

import time
from collections.abc import Sequence

import streamlit as st

from optimizer.measured import latency_windows
from optimizer.store.records import ACTIVE, Study, Variant
from pages.parts import context


def latency_origin(study: Study, done: Sequence[Variant]) -> None:
    """Say whether the latencies were measured together, and offer to measure them anew."""
    windows = latency_windows(done)
    if not windows.measured:
        st.caption("No latency has been measured yet.")
    elif windows.together:
        st.caption(
            f"All {windows.measured} were measured together, in alternating rounds, with nothing "
            "beside them: their order can be trusted."
        )
    else:
        st.caption(
            f"Measured in {windows.count} sittings, each against the baseline: ratios can be "
            "compared, small differences between sittings not."
        )
    active = context.store().list_runs(study_id=study.id, states=ACTIVE, limit=1)
    if st.button(
        "Measure all latencies together",
        icon=":material/timer:",
        disabled=bool(active),
        help="Runs every finished file of this study in alternating rounds on the machine of the "
        "engine, about half a second each, with nothing else running there. Nothing is trained "
        "again." + (" Not while a run is under way." if active else ""),
    ):
        ids = [variant.id for variant in done if variant.state == "done"]
        context.store().queue_run(
            "latency",
            f"Latency of {len(ids)} variants",
            study_id=study.id,
            variant_ids=ids,
            options={"repeat": int(time.time())},  # any number that was not used before
        )
        st.rerun()
