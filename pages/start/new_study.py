"""A new study: a model, a dataset, whether they fit, and what the task is."""

from typing import Any

import streamlit as st

from optimizer import samples
from optimizer.data.check import check_data, propose_task
from optimizer.data.npz import UploadSummary
from optimizer.data.npz import inspect_upload as inspect_data
from optimizer.data.task import Task
from optimizer.errors import FeatherweightError, InputError
from optimizer.format import format_bytes
from optimizer.models.inspect import ModelFile, identify
from optimizer.recipe import BASELINE
from optimizer.store.records import ACTIVE, Dataset, Model, Run
from pages.parts import context
from pages.parts.runs import live_runs, run_card
from pages.parts.text import plain

_MODEL, _DATASET = "model", "dataset"
_AT_ONCE = "new_study_at_once"
_TASKS = {
    "multiclass": "Classification, one of several classes",
    "binary": "Classification, yes or no",
    "regression": "Regression, real numbers",
    "reconstruction": "Reconstruction of the input (autoencoder)",
}


def draw() -> None:
    """Draw the page."""
    st.title("New study")
    st.markdown(
        "A study is one model, one dataset, and every variant you try on them. Nothing leaves "
        "this machine."
    )
    model_column, data_column = st.columns(2, gap="large")
    with model_column:
        model_file = _choose_model()
    with data_column:
        data_file = _choose_data()
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


@st.cache_data(max_entries=4, show_spinner="Looking into the file")
def _inspect_model(upload_id: str, name: str, _data: bytes) -> ModelFile:
    """Inspect each upload once, not at every run of the page."""
    return identify(_data, name)


@st.cache_data(max_entries=4, show_spinner="Looking into the file")
def _inspect_data(upload_id: str, name: str, _data: bytes) -> UploadSummary:
    return inspect_data(_data, name)


def _choose_model() -> tuple[str, bytes] | None:
    st.subheader("1. Model")
    source = st.segmented_control(
        "Where the model comes from",
        ["Bundled sample", "Upload"],
        default="Bundled sample",
        required=True,
        key="model_source",
        label_visibility="collapsed",
    )
    if source == "Bundled sample":
        name = st.selectbox(
            "Sample model",
            list(samples.MODELS),
            format_func=lambda name: samples.MODELS[name].title,
            key="sample_model",
            help="Small models that were trained for real; each takes seconds to optimize.",
        )
        st.caption(samples.MODELS[name].description)
        return samples.MODELS[name].path.name, samples.load_sample_model(name)
    upload = st.file_uploader(
        "Model file",
        key="model_upload",
        help="Best is a whole Keras model, saved as .keras (Keras 2 or 3), .h5 or a zipped "
        "SavedModel folder: Sequential or functional, with built-in layers; every technique can "
        "act on it. At most 200 MB. Code in a file is never run.",
    )
    if upload is None:
        st.caption(
            "A whole Keras model: `.keras`, `.h5`, `.hdf5`, or the folder of a SavedModel as a "
            "`.zip`. An exported SavedModel without Keras layers can be converted and quantized, "
            "not trained; a `.tflite` can be measured."
        )
        return None
    data = upload.getvalue()
    try:
        found = _inspect_model(upload.file_id, upload.name, data)
    except InputError as error:
        st.error(plain(str(error)), title="This model cannot be used")
        return None
    st.success(f"{found.format}, {format_bytes(found.size_bytes)}", icon=":material/check:")
    return upload.name, data


def _choose_data() -> tuple[str, bytes, float, int] | None:
    st.subheader("2. Data")
    source = st.segmented_control(
        "Where the data come from",
        ["Bundled sample", "Upload"],
        default="Bundled sample",
        required=True,
        key="data_source",
        label_visibility="collapsed",
    )
    if source == "Bundled sample":
        fitting = samples.MODELS[st.session_state.get("sample_model") or next(iter(samples.MODELS))]
        names = list(samples.DATASETS)
        name = st.selectbox(
            "Sample dataset",
            names,
            index=names.index(fitting.dataset) if fitting.dataset in names else 0,
            format_func=lambda name: samples.DATASETS[name].title,
            help="Real public data, bundled with scikit-learn.",
        )
        st.caption(samples.DATASETS[name].description)
        path = samples.DATASETS[name].path
        return path.name, path.read_bytes(), 0.2, 0
    upload = st.file_uploader(
        "Data",
        key="data_upload",
        help="An .npz with x_train, y_train, x_test and y_test, or with x and y, which are then "
        "split. Labels as class indices or one-hot. At most 200 MB.",
    )
    if upload is None:
        st.caption(
            "An `.npz` with `x_train, y_train, x_test, y_test`, or with `x, y`. In Python: "
            "`np.savez('data.npz', x=x, y=y)`."
        )
        return None
    data = upload.getvalue()
    try:
        summary = _inspect_data(upload.file_id, upload.name, data)
    except InputError as error:
        st.error(plain(str(error)), title="These data cannot be used")
        return None
    arrays = ", ".join(f"{array.name} {tuple(array.shape)}" for array in summary.arrays)
    st.success(arrays, icon=":material/check:")
    if summary.has_test:
        return upload.name, data, 0.2, 0
    share = st.slider(
        "Test share (%)",
        5,
        50,
        20,
        step=5,
        help="How much of the data is held out to measure accuracy on. 20 % is usual; the fewer "
        "samples are held out, the wider the accuracy's interval.",
    )
    seed = st.number_input(
        "Split seed", 0, 2**31 - 1, 0, help="The same seed gives the same split."
    )
    return upload.name, data, share / 100, int(seed)


def _read(
    model_file: tuple[str, bytes], data_file: tuple[str, bytes, float, int], *, at_once: bool
) -> None:
    store = context.store()
    name, data, share, seed = data_file
    try:
        model = store.add_model(*model_file)
        dataset = store.add_dataset(name, data, test_share=share, split_seed=seed)
    except FeatherweightError as error:
        st.error(plain(str(error)), title="The files cannot be stored")
        return
    store.queue_run("import_model", f"Read {model.file_name}", model_id=model.id)
    store.queue_run("prepare_data", f"Read {dataset.file_name}", dataset_id=dataset.id)
    st.query_params.from_dict({_MODEL: model.id, _DATASET: dataset.id})
    st.session_state[_AT_ONCE] = at_once


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
    if any(run.state in ACTIVE for run in runs):
        live_runs(tuple(run.id for run in runs))
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
    st.subheader("3. Do they fit?")
    st.caption(f"{plain(model.file_name)} with {plain(dataset.file_name)}")
    _summary(model_facts, data_facts)
    findings = check_data(model_facts, data_facts)
    for finding in findings:
        (st.error if finding.severity == "error" else st.warning)(plain(finding.message))
    if any(finding.severity == "error" for finding in findings):
        return
    try:
        proposed = propose_task(model_facts, data_facts)
    except InputError as error:
        st.error(plain(str(error)), title="There is no task for them")
        return
    st.success("The data fit the model.", icon=":material/check_circle:")
    default_name = f"{model.name} on {dataset.name}"
    if st.session_state.pop(_AT_ONCE, False) and not findings:
        _create(default_name, model, dataset, proposed)
        return
    name, task = st.columns(2)
    study_name = name.text_input(
        "Study name", default_name, max_chars=120, help="You can rename it."
    )
    tasks = list(_TASKS)
    chosen: Any = task.selectbox(
        "Task",
        tasks,
        index=tasks.index(proposed),
        format_func=_TASKS.__getitem__,
        help="Decides the loss for fine-tuning and what is measured. Proposed from the model's "
        "output and the labels.",
    )
    if st.button(
        "Create study and measure the baseline",
        type="primary",
        icon=":material/rocket_launch:",
        help="Converts the model to float32 TFLite with nothing done to it, and measures that.",
    ):
        _create(study_name, model, dataset, chosen)


def _summary(facts: dict[str, Any], data: dict[str, Any]) -> None:
    columns = st.columns(4)
    columns[0].metric("Parameters", f"{facts['parameters']:,}", border=True)
    verified = facts.get("verification")
    columns[1].metric(
        "Largest output difference",
        f"{verified['max_abs_difference']:.1e}" if verified else "–",
        border=True,
        help=f"Between the uploaded model and what was made of it, over {verified['samples']} "
        "random inputs."
        if verified
        else "The uploaded file is used as it is.",
    )
    columns[2].metric("Training samples", f"{data['train']:,}", border=True)
    columns[3].metric("Test samples", f"{data['test']:,}", border=True)


def _create(name: str, model: Model, dataset: Dataset, task: Task) -> None:
    store = context.store()
    try:
        study = store.create_study(name, model.id, dataset.id, task)
    except InputError as error:
        st.error(plain(str(error)))
        return
    baseline = store.add_variant(study.id, BASELINE)
    store.queue_run("variants", "Baseline", study_id=study.id, variant_ids=[baseline.id])
    st.switch_page(context.COMPARE, query_params=context.study_link(study))


draw()
