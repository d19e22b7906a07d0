"""All studies: open, rename, delete, export, import; and what they occupy on disk."""

import io

import streamlit as st

from optimizer.errors import FeatherweightError
from optimizer.format import format_bytes, format_when
from optimizer.store.archive import export_study, import_study
from optimizer.store.records import Study
from pages.parts import context
from pages.parts.faults import explaining
from pages.parts.refusals import draw_refusal
from pages.parts.text import plain

_STEPS = (
    (
        "upload_file",
        "1. Bring a model and data",
        "A .keras or .h5 file and an .npz, or a bundled sample. The baseline is measured at once.",
    ),
    (
        "tune",
        "2. Choose a recipe and run it",
        "Prune, cluster, quantize, in any combination. It runs in the background.",
    ),
    (
        "scatter_plot",
        "3. Compare and take the winner",
        "Size, latency and accuracy of every file, measured; then download the .tflite.",
    ),
)
_ORIGINS = {"sample": "bundled sample", "imported": "imported", "local": "made here"}


def draw() -> None:
    """Draw the page."""
    st.title("Make a Keras model small and fast, and see what it costs")
    st.markdown(
        "Prune, cluster and quantize it, and compare the size, latency and accuracy measured on "
        "each `.tflite` that comes out."
    )
    _steps()
    if st.button("Start a new study", type="primary", icon=":material/add_circle:"):
        st.switch_page(context.NEW_STUDY)
    st.header("Studies")
    studies = sorted(context.store().list_studies(), key=lambda study: study.origin != "sample")
    if not studies:
        st.info("No studies yet. Start one, or import an archive below.")
    for study in studies:
        _row(study)
    st.header("Import a study")
    _import()
    used = context.store().disk_use()
    st.caption(
        f"On disk: {format_bytes(used.total_bytes)}, of which uploads "
        f"{format_bytes(used.files_bytes)} and results {format_bytes(used.artifacts_bytes)}."
    )
    st.page_link(context.STORAGE, label="See and free space", icon=":material/database:")


def _steps() -> None:
    for column, (icon, title, text) in zip(st.columns(3), _STEPS, strict=True):
        with column.container(border=True, height="stretch"):
            st.markdown(f"**:material/{icon}: {title}**")
            st.caption(text)


def _row(study: Study) -> None:
    model = context.store().get_model(study.model_id)
    dataset = context.store().get_dataset(study.dataset_id)
    with st.container(border=True, key=f"row-{study.id}"):
        text, actions = st.columns([3, 2], vertical_alignment="center")
        with text:
            st.page_link(
                context.COMPARE,
                label=f"**{plain(study.name)}**",
                icon=":material/scatter_plot:",
                query_params=context.study_link(study),
            )
            st.caption(
                f"{plain(model.file_name)} with {plain(dataset.file_name)} · {study.done_count} of "
                f"{study.variant_count} variants done · {_ORIGINS[study.origin]} "
                f"{format_when(study.created_at)}"
            )
        with actions, st.container(horizontal=True, horizontal_alignment="right"):
            if st.button("Rename", key=f"rename-{study.id}", help="Give the study another name."):
                _rename(study)
            st.download_button(
                "Export",
                data=context.later(lambda: _archive(study)),
                file_name=f"{study.name}.study.zip",
                mime="application/zip",
                key=f"export-{study.id}",
                on_click="ignore",
                help="One zip with model, data, variants and results, which another workbench "
                "can import.",
            )
            if st.button("Delete", key=f"delete-{study.id}", help="Remove the study for good."):
                _delete(study)


def _archive(study: Study) -> bytes:
    buffer = io.BytesIO()
    export_study(context.store(), study.id, buffer)
    return buffer.getvalue()


@st.dialog("Rename the study")
@explaining
def _rename(study: Study) -> None:
    name = st.text_input("Name", study.name, max_chars=120)
    if st.button("Save", type="primary", disabled=not name.strip()):
        context.store().rename_study(study.id, name)
        st.rerun()


@st.dialog("Delete the study?")
@explaining
def _delete(study: Study) -> None:
    size = format_bytes(context.store().study_bytes(study.id))
    st.markdown(
        f"**{plain(study.name)}** and its {study.variant_count} variants will be removed for good "
        f"({size} of results). Export it first if you may want it again."
    )
    if st.button("Delete for good", type="primary"):
        try:
            context.store().delete_study(study.id)
        except FeatherweightError as error:
            st.error(plain(str(error)))
            return
        if context.remembered_study_id() == study.id:
            st.session_state.pop("study", None)
            st.query_params.clear()
        st.rerun()


def _import() -> None:
    upload = st.file_uploader(
        "Study archive (.study.zip)",
        key="study_archive",
        help="A file that “Export” made, here or on another machine. It is checked before "
        "anything is stored.",
    )
    if upload is not None and st.button("Import", icon=":material/upload:", type="primary"):
        try:
            study = import_study(context.store(), upload)
        except FeatherweightError as error:
            draw_refusal(error, "This archive cannot be imported")
            return
        st.switch_page(context.COMPARE, query_params=context.study_link(study))


draw()
