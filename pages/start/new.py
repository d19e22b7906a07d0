"""A new study: a model, a dataset, whether they fit, and what the task is."""

from typing import Any

import streamlit as st

from optimizer.data.check import check_data
from optimizer.data.options import DataOptions
from optimizer.data.task import task_choices
from optimizer.errors import FeatherweightError, InputError
from optimizer.recipe import BASELINE
from optimizer.session import Choice
from optimizer.store.records import ACTIVE, Dataset, Model, Run
from pages.parts import context
from pages.parts.bring_data import DataFile, choose_data
from pages.parts.bring_model import choose_model
from pages.parts.objective_form import objective_form
from pages.parts.refusals import draw_refusal
from pages.parts.runs import live_runs, run_card
from pages.parts.text import plain

_MODEL, _DATASET, _SHAPE = "model", "dataset", "shape"
_AT_ONCE = "new_study_at_once"


def draw() -> None:
    """Draw the page."""
    st.title("New study")
    st.markdown(
        "A study is one model, one dataset, and every variant you try on them. Your files stay "
        "with this workbench; nothing is sent to anyone else."
    )
    model_column, data_column = st.columns(2, gap="large")
    with model_column:
        model_file = choose_model()
    with data_column:
        data_file = choose_data()
    samples_only = "Upload" not in (st.session_state.model_source, st.session_state.data_source)
    with st.container(horizontal=True):
        at_once = samples_only and st.button(
            "Create this study",
            type="primary",
            icon=":material/rocket_launch:",
            help="Reads both files, checks that they fit, and measures the baseline.",
        )
        read = st.button(
            "Read and check",
            type="secondary" if samples_only else "primary",
            icon=":material/fact_check:",
            disabled=model_file is None or data_file is None,
            help="Reads both files in a process of their own and checks that they fit, before a "
            "study is made. Seconds.",
        )
    if (at_once or read) and model_file is not None and data_file is not None:
        _read(model_file, data_file, at_once=at_once)
    draft = _draft()
    if draft:
        st.divider()
        _continue(*draft)


def _read(model_file: tuple[str, bytes], data_file: DataFile, *, at_once: bool) -> None:
    store = context.store()
    try:
        model = store.add_model(*model_file)
        dataset = store.add_dataset(
            data_file.name,
            data_file.data,
            data_file.test_share,
            data_file.split_seed,
            data_file.options.dump(),
        )
    except FeatherweightError as error:
        draw_refusal(error, "The files cannot be stored")
        return
    store.queue_run("import_model", f"Read {model.file_name}", model_id=model.id)
    st.query_params.from_dict({_MODEL: model.id, _DATASET: dataset.id})
    if data_file.takes_model_shape:
        st.query_params[_SHAPE] = "model"
    else:
        _queue_reading(dataset)
    st.session_state[_AT_ONCE] = at_once


def _queue_reading(dataset: Dataset) -> None:
    context.store().queue_run("prepare_data", f"Read {dataset.file_name}", dataset_id=dataset.id)


def _shaped(model: Model, dataset: Dataset) -> Dataset:
    """Begin to read the data in the shape of the model's input, now that it is known."""
    store = context.store()
    assert model.facts is not None
    options = DataOptions.parse(dataset.options).shaped_for(model.facts)
    shaped = store.add_dataset(
        dataset.file_name,
        store.read_file(dataset.sha256),
        dataset.test_share,
        dataset.split_seed,
        options.dump(),
    )
    store.delete_dataset(dataset.id)
    _queue_reading(shaped)
    st.query_params.from_dict({_MODEL: model.id, _DATASET: shaped.id})
    return shaped


def _draft() -> tuple[Model, Dataset] | None:
    """The files that the address names, so that a reload goes on where it was."""
    ids = (st.query_params.get(_MODEL), st.query_params.get(_DATASET))
    if None in ids:
        return None
    try:
        return context.store().get_model(str(ids[0])), context.store().get_dataset(str(ids[1]))
    except InputError:
        st.query_params.clear()
        st.warning("The files that the address names are not here any more. Choose them again.")
        return None


def _continue(model: Model, dataset: Dataset) -> None:
    runs = _last_runs(model, dataset)
    active = tuple(run.id for run in runs if run.state in ACTIVE)
    if active:
        live_runs(active)
        return
    if model.facts is not None and st.query_params.get(_SHAPE):
        _continue(model, _shaped(model, dataset))
        return
    if _all_done(runs) and model.facts is not None and dataset.facts is not None:
        _fit(model, dataset, model.facts, dataset.facts)


def _last_runs(model: Model, dataset: Dataset) -> list[Run]:
    """The latest reading of each of the two files, as far as it is remembered."""
    runs = context.store().list_runs(limit=200)
    found = (
        next((run for run in runs if run.model_id == model.id), None),
        next((run for run in runs if run.dataset_id == dataset.id), None),
    )
    return [run for run in found if run is not None]


def _all_done(runs: list[Run]) -> bool:
    for run in runs:
        if run.state != "done":
            run_card(run)
    return all(run.state == "done" for run in runs)


def _fit(
    model: Model, dataset: Dataset, model_facts: dict[str, Any], data_facts: dict[str, Any]
) -> None:
    st.header("3. Do they fit?")
    st.caption(f"{plain(model.file_name)} with {plain(dataset.file_name)}")
    _summary(model_facts, data_facts)
    findings = check_data(model_facts, data_facts)
    for finding in findings:
        (st.error if finding.severity == "error" else st.warning)(plain(finding.message))
    if any(finding.severity == "error" for finding in findings):
        return
    try:
        choices = task_choices(model_facts, data_facts)
    except InputError as error:
        st.error(plain(str(error)), title="There is no task for them")
        return
    st.success("The data fit the model.", icon=":material/check_circle:")
    default_name = f"{model.name} on {dataset.name}"
    if st.session_state.pop(_AT_ONCE, False) and not findings:
        _create(default_name, model, dataset, Choice("+".join(tasks[0] for tasks in choices)))
        return
    study_name = st.text_input("Study name", default_name, max_chars=120, help="You can rename it.")
    choice = objective_form(model_facts, choices)
    if st.button(
        "Create study and measure the baseline",
        type="primary",
        icon=":material/rocket_launch:",
        help="Converts the model to float32 TFLite with nothing done to it, and measures that.",
    ):
        _create(study_name, model, dataset, choice)


def _summary(facts: dict[str, Any], data: dict[str, Any]) -> None:
    columns = st.columns(4)
    columns[0].metric("Parameters", f"{facts['parameters']:,}", border=True)
    verified = facts.get("verification")
    columns[1].metric(
        "Largest output difference",
        _difference(verified["max_abs_difference"]) if verified else "–",
        border=True,
        help=f"Between the uploaded model and what was made of it, over {verified['samples']} "
        "random inputs."
        if verified
        else "The uploaded file is used as it is.",
    )
    columns[2].metric("Training samples", f"{data['train']:,}", border=True)
    columns[3].metric("Test samples", f"{data['test']:,}", border=True)


def _difference(largest: float) -> str:
    return f"{largest:.1e}" if largest else "none"


def _create(name: str, model: Model, dataset: Dataset, choice: Choice) -> None:
    store = context.store()
    try:
        study = store.create_study(
            name, model.id, dataset.id, str(choice.task), objective=choice.objective
        )
    except InputError as error:
        draw_refusal(error, "The study cannot be made")
        return
    baseline = store.add_variant(study.id, BASELINE)
    store.queue_run("variants", "Baseline", study_id=study.id, variant_ids=[baseline.id])
    st.switch_page(context.COMPARE, query_params=context.study_link(study))


draw()
