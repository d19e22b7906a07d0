"""Choosing a model: a bundled sample or an upload, checked as far as is safe here."""

import streamlit as st

from optimizer import samples
from optimizer.errors import InputError
from optimizer.format import format_bytes
from optimizer.models.inspect import ModelFile, identify
from pages.parts.text import plain


def choose_model() -> tuple[str, bytes] | None:
    """The widgets; the file's name and content once there is one that can be used."""
    st.header("1. Model")
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
    return _upload()


@st.cache_data(max_entries=4, show_spinner="Looking into the file")
def _inspect(upload_id: str, name: str, _data: bytes) -> ModelFile:
    """Inspect each upload once, not at every run of the page."""
    return identify(_data, name)


def _upload() -> tuple[str, bytes] | None:
    upload = st.file_uploader(
        "Model file",
        key="model_upload",
        help="Best is a whole Keras model, saved as .keras (Keras 2 or 3), .h5 or a zipped "
        "SavedModel folder: Sequential or functional, with built-in layers; every technique can "
        "act on it. At most 600 MB. Code in a file is never run.",
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
        found = _inspect(upload.file_id, upload.name, data)
    except InputError as error:
        st.error(plain(str(error)), title="This model cannot be used")
        return None
    st.success(f"{found.format}, {format_bytes(found.size_bytes)}", icon=":material/check:")
    return upload.name, data
