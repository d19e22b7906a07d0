"""Asking for a scan of single layers, following it, and choosing among those that were made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from optimizer.errors import InputError
from optimizer.format import format_seconds, format_when
from optimizer.sensitivity.options import MOST_SAMPLES, ScanOptions, count_changes, proposed_samples
from optimizer.sensitivity.scan import Scan, read_scan
from optimizer.store.records import ACTIVE, Run, Study
from pages.parts import context
from pages.parts.runs import live_runs
from pages.parts.schedule_form import KEEP
from pages.parts.text import plain

_SPARSITIES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98)
_COUNTS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256)


def scannable(model_facts: Mapping[str, Any]) -> str | None:
    """Why no layer of a model can be changed by itself, or ``None``."""
    if model_facts.get("kind", "keras") != "keras":
        return (
            "This model came without its Keras layers, so none can be changed by itself. Bring the "
            "Keras model (.keras or .h5) that it was made from."
        )
    if not count_changes(model_facts["layers"], ScanOptions()):
        return (
            "No layer of this model can be pruned, clustered or rounded to int8 by itself, so "
            "there is nothing to scan."
        )
    return None


def draw_scan(study: Study, model_facts: Mapping[str, Any]) -> None:
    """The controls of a scan, and the scan under way."""
    scans = context.store().list_scans(study.id)
    done = [run for run in scans if run.state == "done" and run.result]
    label = "Scan again with other levels" if done else "What to scan"
    with st.expander(label, icon=":material/radar:", expanded=not scans):
        options = _form(study, model_facts)
        _ask(study, options, model_facts, done)
    active = [run for run in scans if run.state in ACTIVE]
    if active:
        live_runs(tuple(run.id for run in reversed(active)))
        return
    if scans and scans[0].state == "failed":
        st.error(
            plain(scans[0].error or "The Runs page has the log."), title="The last scan failed"
        )
    if not done:
        st.info(
            "No scan has been made in this study yet. Press Scan: it trains nothing, and a small "
            "model takes seconds.",
            icon=":material/radar:",
        )


def chosen_scan(study: Study) -> Scan | None:
    """The scan to look at, by the output to look at; controls where there are several."""
    runs = [run for run in context.store().list_scans(study.id) if _readable(run)]
    if not runs:
        return None
    by_id = {run.id: run for run in runs}
    run, left = runs[0], st.container(horizontal=True)
    if len(runs) > 1:
        picked = left.selectbox(
            "Scan",
            list(by_id),
            format_func=lambda run_id: _describe(by_id[run_id]),
            key=f"sense_scan-{study.id}-{runs[0].id}",
            help="The newest first. A scan that was made before comes back at once.",
        )
        run = by_id[picked]
    names = [each["name"] for each in (run.result or {})["scan"]["outputs"]]
    output = 0
    if len(names) > 1:
        output = left.selectbox(
            "Output",
            range(len(names)),
            format_func=names.__getitem__,
            key=f"sense_output-{study.id}",
            help="This model has several outputs; each is judged by the metric of its own task.",
        )
    return read_scan((run.result or {})["scan"], output)


def _readable(run: Run) -> bool:
    return run.state == "done" and bool((run.result or {}).get("scan"))


def _describe(run: Run) -> str:
    options = ScanOptions.parse(run.options)
    samples = (run.result or {})["scan"]["samples"]
    parts = []
    if options.sparsities:
        parts.append(f"{len(options.sparsities)} sparsities")
    if options.clusters:
        parts.append(f"{len(options.clusters)} cluster counts")
    if options.int8:
        parts.append("int8")
    return f"{format_when(run.created_at)} · {', '.join(parts)} · {samples:,} samples"


def _form(study: Study, model_facts: Mapping[str, Any]) -> dict[str, Any]:
    usual = ScanOptions()
    state = st.session_state
    state.setdefault("sense_sparsities", list(usual.sparsities))
    state.setdefault("sense_clusters", list(usual.clusters))
    samples_key = f"sense_samples-{study.id}"
    state.setdefault(samples_key, proposed_samples(model_facts["layers"]))
    left, right = st.columns(2)
    sparsities = left.multiselect(
        "Sparsities",
        _SPARSITIES,
        format_func=lambda sparsity: f"{100 * sparsity:g} %",
        key="sense_sparsities",
        persist_state=KEEP,
        help="Shares of a layer's weights that are set to zero, the smallest weights first.",
    )
    clusters = right.multiselect(
        "Cluster counts",
        _COUNTS,
        key="sense_clusters",
        persist_state=KEEP,
        help="Numbers of distinct values that a layer's weights are rounded to by k-means.",
    )
    first, second, third = st.columns(3, vertical_alignment="bottom")
    samples = first.number_input(
        "Test samples",
        1,
        MOST_SAMPLES,
        key=samples_key,
        persist_state=KEEP,
        help="How many held-out samples judge each change, at most as many as there are. More "
        "take longer in proportion, and tell smaller differences from chance.",
    )
    seed = second.number_input(
        "Seed",
        0,
        2**31 - 1,
        key="sense_seed",
        persist_state=KEEP,
        help="Draws the samples, and starts the centroids of k-means.",
    )
    int8 = third.toggle(
        "8-bit weights",
        value=True,
        key="sense_int8",
        persist_state=KEEP,
        help="Rounds a layer's weights to int8, with a scale for each output channel. Activations "
        "stay in float here; what their rounding costs is seen in the finished file.",
    )
    return {
        "sparsities": sparsities,
        "clusters": clusters,
        "int8": int8,
        "samples": int(samples),
        "seed": int(seed),
    }


def _ask(
    study: Study, values: dict[str, Any], model_facts: Mapping[str, Any], done: list[Run]
) -> None:
    try:
        options = ScanOptions.parse(values)
    except InputError as error:
        st.error(plain(str(error)))
        st.button("Scan", type="primary", disabled=True)
        return
    data = context.store().get_dataset(study.dataset_id).facts or {}
    samples = min(options.samples, int(data.get("test") or options.samples))
    changes = count_changes(model_facts["layers"], options)
    text = f"{changes} changes of single layers, each judged on {samples:,} test samples."
    if done:
        seconds = _expected(done[0], changes * samples)
        text += f" About {format_seconds(seconds)}, judging by the last scan."
    else:
        text += " How long it takes is not known yet; it can be cancelled at any time."
    st.caption(text)
    if st.button(
        "Scan",
        type="primary",
        icon=":material/radar:",
        disabled=not changes,
        help="Runs in the background. Nothing is trained; a scan that was made before comes back "
        "at once.",
    ):
        title = f"Scan of {changes} changes"
        dumped = options.model_dump(mode="json")
        context.store().queue_run("sensitivity", title, study_id=study.id, options=dumped)
        st.rerun()


def _expected(run: Run, work: int) -> float:
    """Seconds, in proportion to changes and samples, from an earlier scan."""
    result = run.result or {}
    scan = result["scan"]
    cells = sum(
        len(layer["prune"] or ()) + len(layer["cluster"] or ()) + (layer["int8"] is not None)
        for layer in scan["layers"]
    )
    return float(result["seconds"]) * work / max(1, cells * scan["samples"])
