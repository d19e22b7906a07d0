"""The study's data: a look at samples, class balance, and how it was split."""

import io
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from optimizer.charts.bars import class_balance_figure
from optimizer.data.options import SCALINGS
from optimizer.errors import FeatherweightError
from optimizer.store.records import Dataset
from pages.parts import context
from pages.parts.chart import draw_chart
from pages.parts.samples import draw_pictures, is_picture
from pages.parts.table import show_table
from pages.parts.text import plain

_KINDS = {
    "class_index": "class indices",
    "one_hot": "one-hot vectors (used as class indices)",
    "binary": "0 and 1",
    "multilabel": "0 or 1 in several columns",
    "real": "real numbers",
    "none": "none",
}
_PICTURES = 24
_COLUMNS = 50


def draw() -> None:
    """Draw the page."""
    study = context.current_study()
    dataset = context.store().get_dataset(study.dataset_id)
    st.title("Data")
    facts = dataset.facts
    if facts is None:
        st.info("The data have not been read yet. Open “New study” to read them.")
        return
    shape = " × ".join(map(str, facts["x_shape"])) or "one number"
    dtype = facts.get("x_dtype", "dtype unknown")
    st.markdown(f"**{plain(dataset.file_name)}** · each sample {shape}, {dtype}")
    columns = st.columns(4 if facts["classes"] else 3)
    columns[0].metric("Training samples", f"{facts['train']:,}", border=True)
    columns[1].metric("Test samples", f"{facts['test']:,}", border=True)
    if facts["classes"]:
        columns[2].metric("Classes", facts["classes"], border=True)
    columns[-1].metric(
        "Range of x",
        f"{_number(facts, 'x_min')} to {_number(facts, 'x_max')}",
        border=True,
        help=f"Mean {_number(facts, 'x_mean')}, standard deviation {_number(facts, 'x_std')}",
    )
    _split(facts)
    _several(facts)
    if counts := facts.get("class_counts"):
        st.header("Class balance")
        draw_chart(
            class_balance_figure(counts["train"], counts["test"], facts.get("class_names") or ()),
            "class_balance",
            "Samples per class in the training and the test set",
            pd.DataFrame(
                {
                    "Class": facts.get("class_names") or range(len(counts["train"])),
                    "Train": counts["train"],
                    "Test": counts["test"],
                }
            ),
        )
    st.header("A few test samples")
    _preview(dataset)


def _number(facts: dict[str, Any], name: str) -> str:
    value = facts.get(name)
    return "unknown" if value is None else f"{value:.3g}"


def _split(facts: dict[str, Any]) -> None:
    split = facts.get("split")
    if split is None:
        st.caption("Training and test set are as they were in the file.")
    else:
        how = "stratified by class, " if split["stratified"] else ""
        st.caption(
            f"Split here: {100 * split['test_share']:.0f} % held out, {how}seed {split['seed']}."
        )
    st.caption(f"Labels: {_KINDS.get(facts['y_kind'], facts['y_kind'])}.")
    scaling = (facts.get("scaling") or {}).get("kind", "none")
    if scaling != "none":
        st.caption(f"Scaling, applied once to every sample: {SCALINGS[scaling]}.")
    for note in facts.get("notes", []):
        st.caption(f":material/info: {plain(note)}")


def _several(facts: dict[str, Any]) -> None:
    """The inputs and targets, where there is more than one of either."""
    inputs, targets = facts.get("inputs") or [], facts.get("targets") or []
    if len(inputs) < 2 and len(targets) < 2:
        return
    rows = [_end("input", entry, "x") for entry in inputs]
    rows += [_end("target", entry, "y") for entry in targets]
    st.header("Inputs and targets")
    show_table(
        pd.DataFrame(
            rows,
            columns=["Role", "Name", "Shape of a sample", "dtype"],
        ),
        hide_index=True,
        alt="Every input and every target with its shape and dtype",
    )
    st.caption("Range, class balance and samples are those of the first input and target.")


def _end(role: str, entry: dict[str, Any], prefix: str) -> tuple[str, str, str, str]:
    shape = " × ".join(map(str, entry[f"{prefix}_shape"])) or "one value"
    return role, entry["name"], shape, entry[f"{prefix}_dtype"]


def _preview(dataset: Dataset) -> None:
    try:
        content = context.store().artifacts.read(str(dataset.facts_key), "preview.npz")
    except FeatherweightError as error:
        st.info(str(error))
        return
    with np.load(io.BytesIO(content), allow_pickle=False) as preview:
        x = preview["x"]
        y = preview.get("y")
    if is_picture(x):
        labels = [None] * len(x) if y is None else [str(label) for label in y.reshape(-1)]
        alts = [
            f"Test sample {index}" + (f", label {label}" if label else "")
            for index, label in enumerate(labels, 1)
        ]
        draw_pictures(x[:_PICTURES], labels[:_PICTURES], alts[:_PICTURES])
        return
    flat = x.reshape(len(x), -1)
    table = pd.DataFrame(flat[:, :_COLUMNS])
    table.columns = [f"x{index}" for index in range(table.shape[1])]
    if y is not None:
        name = "target" if (dataset.facts or {}).get("y_kind") == "real" else "label"
        table.insert(0, name, y.reshape(len(y), -1)[:, 0])
    show_table(table, hide_index=True, alt="The first test samples as a table")
    if flat.shape[1] > _COLUMNS:
        st.caption(f"A row is a sample: the first {_COLUMNS} of its {flat.shape[1]:,} values.")


draw()
