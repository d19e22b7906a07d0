"""A closer look at one variant: weights, layers, time of each operator, and its mistakes."""

import streamlit as st

from optimizer.inspection_plan import Inspection, read_inspection
from optimizer.measured import measured
from optimizer.store.records import ACTIVE, Run, Study, Variant
from pages.parts import context
from pages.parts.inspect.layers import draw_layers
from pages.parts.inspect.operator_times import draw_times
from pages.parts.inspect.predictions import draw_predictions
from pages.parts.inspect.weights import draw_weights
from pages.parts.runs import live_runs
from pages.parts.text import plain
from pages.parts.variant_picker import pick_variant

LOOKS = ("Weights", "Layers", "Time", "Predictions")
_LOOK = "look"


def draw() -> None:
    """Draw the page."""
    study = context.current_study()
    title = st.container()
    variant = pick_variant(study)
    title.title(f"Inspect {plain(variant.name)}")
    baseline = context.store().baseline(study.id)
    if measured(variant) is None or baseline is None or measured(baseline) is None:
        st.info(
            f"This variant is {variant.state}: there is no measured file to look into yet. The "
            "Runs page shows what happened to it."
        )
        st.page_link(context.RUNS, label="Open Runs", icon=":material/pending_actions:")
        return
    st.page_link(
        context.VARIANT,
        label="Its figures, recipe and downloads",
        icon=":material/layers:",
        query_params=context.study_link(study, variant=variant.id),
    )
    inspection = read_inspection(context.store(), variant, baseline)
    look = _look()
    if look == "Weights":
        draw_weights(study, variant, baseline)
        return
    _measuring(study, variant, inspection)
    if look == "Layers":
        draw_layers(study, variant, baseline, inspection)
    elif look == "Time":
        draw_times(study, variant, baseline, inspection)
    else:
        draw_predictions(study, variant, inspection)


def _look() -> str:
    """What is looked at: as the address says, or as chosen here, which the address then says."""
    asked = st.query_params.get(_LOOK)
    if asked in LOOKS and _LOOK not in st.session_state:
        st.session_state[_LOOK] = asked
    look = st.segmented_control(
        "Look at",
        LOOKS,
        key=_LOOK,
        default=None if _LOOK in st.session_state else LOOKS[0],
        required=True,
        help="Weights and layers are read from the file. Errors, times and predictions are "
        "measured when you ask for it.",
    )
    if st.query_params.get(_LOOK) != look:
        st.query_params[_LOOK] = str(look)
    return str(look)


def _measuring(study: Study, variant: Variant, inspection: Inspection) -> None:
    """The button that measures what is not known yet, or how far that is."""
    runs = [
        run
        for run in context.store().list_runs(study_id=study.id, limit=20)
        if run.kind == "inspect" and variant.id in run.variant_ids
    ]
    active = [run for run in runs if run.state in ACTIVE]
    if active:
        live_runs(tuple(run.id for run in active))
        return
    if inspection.complete:
        return
    _failure(runs)
    with st.container(border=True):
        st.markdown(
            "**Not measured yet.** Errors of each layer, the time of each operator and the "
            "predictions that flipped are found by running this file and the baseline on test "
            "samples. Nothing is trained; a small model takes a few seconds, and timing waits "
            "until nothing else runs on the machine."
        )
        if st.button(
            "Measure this variant",
            type="primary",
            icon=":material/troubleshoot:",
            key="inspect_run",
            help="Compares predictions with the baseline’s, compares every operator’s output on up "
            "to 64 test samples, and times every operator (2 to 90 seconds). Kept with the "
            "variant.",
        ):
            context.store().queue_run(
                "inspect",
                f"Inspect {variant.name}",
                study_id=study.id,
                variant_ids=[variant.id],
            )
            st.rerun()


def _failure(runs: list[Run]) -> None:
    """What the last attempt ended with."""
    if runs and runs[0].error:
        st.warning(
            f"{plain(runs[0].error)} What could be measured is shown.",
            title="The last look at this variant did not finish",
        )


draw()
