"""How long each operator takes, how that was measured, and how far it can be trusted."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any

import pandas as pd
import streamlit as st

from optimizer.charts.inspection import (
    MOST_ROWS,
    operator_keys,
    operator_names,
    piece_name,
    time_figure,
)
from optimizer.errors import FeatherweightError
from optimizer.format import format_ms
from optimizer.inspection.layers import OperatorFacts
from optimizer.inspection_plan import Inspection, read_inspection
from optimizer.store.records import ACTIVE, Study, Variant
from pages.parts import context
from pages.parts.chart import draw_chart
from pages.parts.inspect.layers import read_operators
from pages.parts.text import plain
from pages.parts.variant_picker import known_layers


def draw_times(study: Study, variant: Variant, baseline: Variant, inspection: Inspection) -> None:
    """Draw the section."""
    profile = inspection.profile
    if profile is None:
        return
    try:
        facts = read_operators(variant.stages["convert"], None, known_layers(study))
    except FeatherweightError as error:
        st.error(plain(str(error)))
        return
    names = operator_names(facts)
    before = _of_baseline(study, variant, baseline, facts, profile["pieces"])
    _figures(profile)
    st.header("Time of each operator")
    draw_chart(
        time_figure(profile["pieces"], names, before),
        "operator_times",
        "Time of each operator in microseconds, with its interval",
        _table(profile, names, before),
    )
    if len(profile["pieces"]) > MOST_ROWS:
        st.caption(
            f"The {MOST_ROWS} slowest are drawn; all {len(profile['pieces'])} are in the table."
        )
    _kinds(profile, facts)
    if before:
        st.caption(
            "The baseline’s times were measured in a sitting of their own: compare them by large "
            "differences only. The ratio of the whole files is on the Variant page."
        )
    elif not variant.is_baseline and not _known(baseline):
        st.page_link(
            context.INSPECT,
            label="Inspect the baseline too, to see its times beside these",
            icon=":material/troubleshoot:",
            query_params=context.study_link(study, variant=baseline.id, look="Time"),
        )
    _how(profile)
    _again(study, variant)


def _of_baseline(
    study: Study,
    variant: Variant,
    baseline: Variant,
    facts: list[OperatorFacts],
    pieces: list[dict[str, Any]],
) -> dict[int, float]:
    """Operator → milliseconds of the baseline's same operator, where that was measured too."""
    if variant.is_baseline:
        return {}
    profile = _known(baseline)
    if profile is None:
        return {}
    theirs = operator_keys(read_operators(baseline.stages["convert"], None, known_layers(study)))
    times = {
        theirs[piece["operators"][0]]: piece["ms"]
        for piece in profile["pieces"]
        if len(piece["operators"]) == 1
    }
    ours = operator_keys(facts)
    alone = {piece["operators"][0] for piece in pieces if len(piece["operators"]) == 1}
    return {i: times[key] for i, key in ours.items() if i in alone and key in times}


def _known(baseline: Variant) -> dict[str, Any] | None:
    return read_inspection(context.store(), baseline, baseline).profile


def _figures(profile: dict[str, Any]) -> None:
    columns = st.columns(4)
    columns[0].metric(
        "Sum of all operators",
        format_ms(profile["sum_ms"]),
        border=True,
        help="With what calling the runtime costs by itself.",
    )
    columns[1].metric(
        "The whole file",
        format_ms(profile["whole_ms"]),
        border=True,
        help="The file as it ships, timed in the same rounds. It is no part of the sum.",
    )
    difference = 100 * (profile["agreement"] - 1)
    columns[2].metric(
        "They differ by",
        f"{difference:+.1f} %".replace("-", "−"),
        border=True,
        help="Sum against whole. Far from 0 % means that the times below do not add up.",
    )
    columns[3].metric(
        "Noise",
        format_ms(profile["noise_ms"]),
        border=True,
        help="How far two copies of the same file differed. An operator whose interval does not "
        "lie above it is drawn grey: its time is too short to be told from nothing.",
    )


def _table(
    profile: dict[str, Any], names: dict[int, str], before: dict[int, float]
) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "Operator": [piece_name(piece["operators"], names) for piece in profile["pieces"]],
            "Time (µs)": [1000 * piece["ms"] for piece in profile["pieces"]],
            "From (µs)": [1000 * piece["ci_ms"][0] for piece in profile["pieces"]],
            "To (µs)": [1000 * piece["ci_ms"][1] for piece in profile["pieces"]],
            "Share (%)": [100 * piece["ms"] / profile["sum_ms"] for piece in profile["pieces"]],
            "Above the noise": [piece["certain"] for piece in profile["pieces"]],
        }
    )
    if before:
        theirs = [before.get(piece["operators"][0]) for piece in profile["pieces"]]
        table["Baseline (µs)"] = [None if ms is None else 1000 * ms for ms in theirs]
    return table


def _kinds(profile: dict[str, Any], facts: list[OperatorFacts]) -> None:
    """The largest shares by kind of operator, in one sentence."""
    if any(len(piece["operators"]) > 1 for piece in profile["pieces"]):
        return
    kinds = {each.index: each.kind for each in facts}
    totals: dict[str, float] = defaultdict(float)
    for piece in profile["pieces"]:
        totals[kinds.get(piece["operators"][0], "?")] += piece["ms"] / profile["sum_ms"]
    ordered = sorted(totals.items(), key=lambda item: -item[1])[:3]
    listed = ", ".join(f"{kind} {100 * share:.0f} %" for kind, share in ordered if share > 0.01)
    if listed:
        st.markdown(f"By kind: {plain(listed)} of the time.")


def _how(profile: dict[str, Any]) -> None:
    delegate = (
        "XNNPACK, as in the latency measurement"
        if profile["delegate"] == "XNNPACK"
        else "TensorFlow Lite’s own kernels: XNNPACK does not take this file"
    )
    threads = profile["threads"]
    grouped = any(len(piece["operators"]) > 1 for piece in profile["pieces"])
    st.caption(
        "Measured by difference: the file is cut short after each operator in turn, all these "
        "files run in alternating rounds, and what one takes longer than the one before it is the "
        f"operator’s time. Median of {profile['builds']} builds of all interpreters, bars: 95 % "
        f"interval over the builds; grey: not above the noise. {threads} "
        f"thread{'s' * (threads != 1)}, {delegate}, on "
        f"{plain(profile['device'])}. Calling the runtime costs {format_ms(profile['call_ms'])} "
        "and is in the sum. An operator that the runtime merges with its neighbour can show a "
        "negative time: it makes the neighbour cheaper."
        + (" Operators of this long model were timed in groups." if grouped else "")
    )


def _again(study: Study, variant: Variant) -> None:
    active = context.store().list_runs(study_id=study.id, states=ACTIVE, limit=1)
    if st.button(
        "Time the operators again",
        icon=":material/timer:",
        disabled=bool(active),
        help="Measures once more, here and now, with nothing else running on the machine."
        + (" Not while a run is under way." if active else ""),
    ):
        context.store().queue_run(
            "inspect",
            f"Time the operators of {variant.name}",
            study_id=study.id,
            variant_ids=[variant.id],
            options={"repeat": int(time.time())},  # any number that was not used before
        )
        st.rerun()
