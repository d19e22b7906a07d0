"""Choosing data: a bundled sample or an upload, and how to read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import streamlit as st

from optimizer import samples
from optimizer.data.formats import inspect_upload
from optimizer.data.options import SCALINGS, DataOptions
from optimizer.data.raw import UploadSummary
from optimizer.errors import InputError
from pages.parts.table import show_table
from pages.parts.text import plain


@dataclass(frozen=True)
class DataFile:
    """A data file and how to read it.

    Attributes:
        takes_model_shape: samples are brought into the shape of the model's input.
    """

    name: str
    data: bytes
    options: DataOptions = field(default_factory=DataOptions)
    test_share: float = 0.2
    split_seed: int = 0
    takes_model_shape: bool = False


def choose_data() -> DataFile | None:
    """The widgets; the file once there is one that can be used."""
    st.header("2. Data")
    source = st.segmented_control(
        "Where the data come from",
        ["Bundled sample", "Upload"],
        default="Bundled sample",
        required=True,
        key="data_source",
        label_visibility="collapsed",
    )
    return _sample() if source == "Bundled sample" else _upload()


def _sample() -> DataFile:
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
    return DataFile(path.name, path.read_bytes())


@st.cache_data(max_entries=4, show_spinner="Looking into the file")
def _inspect(upload_id: str, name: str, _data: bytes) -> UploadSummary:
    """Inspect each upload once, not at every run of the page."""
    return inspect_upload(_data, name)


def _upload() -> DataFile | None:
    upload = st.file_uploader(
        "Data",
        key="data_upload",
        help="An .npz with x_train, y_train, x_test, y_test, or x and y; a table as .csv or "
        ".parquet; a .zip with one folder of images per class. Labels are optional. At most "
        "600 MB.",
    )
    if upload is None:
        st.caption(
            "`.npz` arrays (`np.savez('data.npz', x=x, y=y)`; several inputs as `x_NAME`), a "
            "`.csv` or `.parquet` table, token sequences as whole numbers, or a `.zip` with one "
            "folder of images per class."
        )
        return None
    data = upload.getvalue()
    try:
        summary = _inspect(upload.file_id, upload.name, data)
    except InputError as error:
        st.error(plain(str(error)), title="These data cannot be used")
        return None
    st.success(plain(_what_is_there(summary)), icon=":material/check:")
    options = _reading(summary)
    share, seed = (0.2, 0) if summary.has_test else _split()
    return DataFile(upload.name, data, options, share, seed, summary.takes_model_shape)


def _what_is_there(summary: UploadSummary) -> str:
    if summary.format == "npz":
        return ", ".join(f"{array.name} {tuple(array.shape)}" for array in summary.arrays)
    if summary.format == "images":
        count = sum(array.shape[0] for array in summary.arrays)
        if not summary.classes:
            return f"{count:,} images without class folders: no labels"
        first = ", ".join(f"{name} ({n:,})" for name, n in list(summary.classes.items())[:6])
        more = " …" if len(summary.classes) > 6 else ""
        return f"{count:,} images in {len(summary.classes)} classes: {first}{more}"
    return f"A table of {summary.rows:,} rows and {len(summary.columns)} columns"


def _reading(summary: UploadSummary) -> DataOptions:
    chosen: dict[str, Any] = {}
    if summary.columns:
        chosen |= _columns(summary)
    if summary.format == "images":
        chosen |= _image_size()
    scaling = st.selectbox(
        "Scaling",
        list(SCALINGS),
        format_func=lambda kind: SCALINGS[kind],
        help="Applied once to every sample, for training and testing alike. Choose what the model "
        "was trained with; none if it has its own Rescaling or Normalization layer, or for token "
        "sequences. The device has to do the same.",
    )
    return DataOptions.parse({**chosen, "scaling": scaling})


def _columns(summary: UploadSummary) -> Mapping[str, Any]:
    names = [str(column["name"]) for column in summary.columns]
    labels = st.multiselect(
        "Label columns",
        names,
        default=list(summary.proposed_labels),
        help="What the model should predict. One column of class names or numbers; several of 0 "
        "and 1 for several labels per sample; none for data without labels.",
    )
    left_out = st.multiselect(
        "Columns to leave out",
        [name for name in names if name not in labels],
        help="Everything else is a feature: numbers as they are, true and false as 1 and 0, "
        "categories one-hot. Text with many values and dates are left out anyway.",
    )
    with st.expander("What is in the columns"):
        show_table(
            pd.DataFrame(summary.columns).rename(columns=str.capitalize),
            hide_index=True,
            alt="Each column's kind, number of distinct and missing values, and an example",
        )
    return {"labels": labels, "left_out": left_out}


def _image_size() -> Mapping[str, Any]:
    columns = st.columns(2)
    text = "pixels, for models that take images of any size. Others get the size they take."
    height, width = (
        column.number_input(f"{side} if not fixed (pixels)", 1, 2048, 224, help=f"{side} in {text}")
        for side, column in zip(("Height", "Width"), columns, strict=True)
    )
    return {"image_size": (int(height), int(width))}


def _split() -> tuple[float, int]:
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
    return share / 100, int(seed)
