"""Single test samples with what was said of them."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from optimizer.errors import FeatherweightError
from optimizer.store.records import Study
from pages.parts import context
from pages.parts.samples import as_columns, draw_pictures, is_picture
from pages.parts.table import show_table
from pages.parts.text import plain

_WIDTH = 96


def draw_gallery(
    study: Study,
    examples: Sequence[dict[str, Any]],
    names: Sequence[str],
    input_names: Sequence[str],
    key: str,
) -> None:
    """Draw examples with truth, the baseline's answer and the variant's.

    Args:
        study: whose samples they are.
        examples: of :func:`optimizer.inspection.flips.compare_output`.
        names: of the classes or labels.
        input_names: of the model's inputs.
        key: the artifact with the samples.
    """
    try:
        index, inputs = _samples(key)
    except FeatherweightError as error:
        st.error(plain(str(error)))
        return
    place = {int(sample): position for position, sample in enumerate(index)}
    shown = [example for example in examples if example["sample"] in place]
    chosen = [place[example["sample"]] for example in shown]
    if not shown:
        st.info("These samples are too large to be kept for a gallery.")
        return
    pictures = next((x for x in inputs if is_picture(x)), None)
    if pictures is not None:
        said = [_sentence(example, names) for example in shown]
        draw_pictures(
            pictures[chosen],
            [plain(text) for text in said],
            [
                f"Test sample {example['sample']}: {text}"
                for example, text in zip(shown, said, strict=True)
            ],
            _WIDTH,
        )
        st.caption("Below each: truth · the baseline’s answer → this variant’s.")
        if len(inputs) == 1:
            return
    facts = context.store().get_dataset(study.dataset_id).facts or {}
    features = [str(name) for name in facts.get("feature_names") or ()]
    columns: dict[str, list[object]] = {"Test sample": [example["sample"] for example in shown]}
    columns |= _answers(shown, names)
    for number, x in enumerate(inputs):
        if not is_picture(x):
            prefix = "x" if len(inputs) == 1 else input_names[number]
            columns |= as_columns(x[chosen], features if len(inputs) == 1 else (), prefix)
    show_table(
        pd.DataFrame(columns),
        hide_index=True,
        alt="Test samples with truth, the baseline’s answer and this variant’s",
    )
    st.caption("Inputs are shown as the model receives them, after scaling.")


@st.cache_data(max_entries=16, show_spinner="Reading samples")
def _samples(key: str) -> tuple[np.ndarray, list[np.ndarray]]:
    content = context.store().artifacts.read(key, "samples.npz")
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        inputs = [file[f"x_{number}"] for number in range(len(file.files) - 1)]
        return file["index"], inputs


def _sentence(example: dict[str, Any], names: Sequence[str]) -> str:
    """Truth and both answers in a few characters."""
    truth = _name(example.get("truth"), names)
    answers = " → ".join(
        _name(example.get(key), names) + _score(example.get(f"{key}_score"))
        for key in ("before", "after")
    )
    if "before_error" in example and "before" not in example:
        answers = f"error {example['before_error']:.3g} → {example['after_error']:.3g}"
    return f"{truth} · {answers}" if truth else answers


def _answers(shown: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, list[object]]:
    titles = {
        "truth": "Truth",
        "before": "Baseline",
        "before_score": "Baseline’s score (%)",
        "after": "This variant",
        "after_score": "Its score (%)",
        "before_error": "Baseline’s error",
        "after_error": "Its error",
    }
    columns: dict[str, list[object]] = {}
    for key, title in titles.items():
        values = [example.get(key) for example in shown]
        if all(value is None for value in values):
            continue
        if key.endswith("_score"):
            columns[title] = [None if value is None else round(100 * value, 1) for value in values]
        elif key.endswith("_error"):
            columns[title] = list(values)
        else:
            columns[title] = [_name(value, names) for value in values]
    return columns


def _name(value: object, names: Sequence[str]) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(_name(each, names) for each in value) or "none"
    if isinstance(value, int):
        return names[value] if value < len(names) else str(value)
    return f"{value:.4g}"


def _score(score: float | None) -> str:
    return "" if score is None else f" ({100 * score:.0f} %)"
