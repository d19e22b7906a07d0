"""Where a variant is wrong, and which inputs it answers differently from the baseline."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from optimizer.charts.predictions import (
    confusion_figure,
    confusion_table,
    errors_figure,
    errors_table,
    scatter_figure,
)
from optimizer.inspection_plan import Inspection
from optimizer.store.records import Study, Variant
from pages.parts import context
from pages.parts.chart import draw_chart
from pages.parts.inspect.gallery import draw_gallery
from pages.parts.table import show_table
from pages.parts.text import plain

_BASELINE, _VARIANT, _CHANGE = "Baseline", "This variant", "Change"
_KINDS = {
    "right_to_wrong": ("Right → wrong", "The baseline was right; this variant is not."),
    "wrong_to_right": ("Wrong → right", "The baseline was wrong; this variant is right."),
    "wrong_to_wrong": ("Wrong → wrong", "Both are wrong, with different answers."),
    "changed": ("Changed", "The answers differ. Without labels nobody can say which is right."),
    "worse": ("Error grew", "Samples whose mean absolute error is larger than the baseline’s."),
    "better": ("Error shrank", "Samples whose mean absolute error is smaller than the baseline’s."),
}


def draw_predictions(study: Study, variant: Variant, inspection: Inspection) -> None:
    """Draw the section."""
    if inspection.predictions is None:
        return
    found = _output(inspection.predictions["outputs"])
    names = _class_names(study, found)
    if found["kind"] == "values":
        _values(found, variant)
    else:
        _counts(found)
        _confusion(found, names, variant)
    if variant.is_baseline:
        st.info("This is the baseline itself: nothing can differ from it. Choose another variant.")
        return
    _examples(study, found, names, inspection.predictions["inputs"], str(inspection.samples_key))


def _output(outputs: list[dict[str, Any]]) -> dict[str, Any]:
    """The output that is looked at, where the model has several."""
    if len(outputs) == 1:
        return outputs[0]
    index = st.selectbox(
        "Output",
        range(len(outputs)),
        format_func=lambda i: f"{outputs[i]['name']} ({outputs[i]['task']})",
        key="inspect_output",
        help="This model has several outputs, each with a task of its own.",
    )
    return outputs[index]


def _class_names(study: Study, found: dict[str, Any]) -> list[str]:
    count = found.get("classes") or len((found.get("tables") or {}).get("after", ()))
    facts = context.store().get_dataset(study.dataset_id).facts or {}
    known = [str(name) for name in facts.get("class_names") or ()]
    return known if len(known) == count else [str(index) for index in range(count)]


def _counts(found: dict[str, Any]) -> None:
    st.header("What flipped")
    counts = found["counts"]
    columns = st.columns(len(counts) + 1)
    same = found["n"] - sum(counts.values())
    columns[0].metric(
        "Same answer",
        f"{same:,}",
        f"{100 * same / found['n']:.1f} % of {found['n']:,} test samples",
        delta_color="off",
        delta_arrow="off",
        border=True,
        help="Test samples for which baseline and variant say the same.",
    )
    for column, (kind, count) in zip(columns[1:], counts.items(), strict=True):
        title, meaning = _KINDS[kind]
        column.metric(
            title,
            f"{count:,}",
            f"{100 * count / found['n']:.1f} %",
            delta_color="off",
            delta_arrow="off",
            border=True,
            help=meaning,
        )


def _confusion(found: dict[str, Any], names: list[str], variant: Variant) -> None:
    if found["kind"] == "labels":
        _label_table(found, names)
        return
    if found["confusion"] is None:
        st.info(
            f"With {found['classes']:,} classes a confusion matrix would be too large to read."
            if found["classes"] > len(names) or found["classes"] > 200
            else "Without labels there is no confusion matrix: it compares answers with the truth. "
            "Add y_test to the data for one."
        )
        return
    st.header("Confusion matrix")
    options = [_VARIANT] if variant.is_baseline else [_VARIANT, _BASELINE, _CHANGE]
    which = st.segmented_control(
        "Predictions of",
        options,
        default=_VARIANT,
        required=True,
        key="inspect_confusion",
        help="Rows are the truth, columns the prediction; the diagonal is right. Change is this "
        "variant minus the baseline.",
    )
    before, after = (np.array(found["confusion"][name]) for name in ("before", "after"))
    counts = {_VARIANT: after, _BASELINE: before, _CHANGE: after - before}[str(which)]
    draw_chart(
        confusion_figure(counts, names, change=which == _CHANGE),
        "confusion",
        f"Confusion matrix on {found['n']} test samples: {which}",
        confusion_table(counts, names),
    )
    if which == _CHANGE and not counts.any():
        st.caption("Every count is the same as the baseline’s.")


def _label_table(found: dict[str, Any], names: list[str]) -> None:
    st.header("Right and wrong by label")
    rows = []
    for index, name in enumerate(names):
        row: dict[str, Any] = {"Label": name}
        for key, title in (("before", _BASELINE), ("after", _VARIANT)):
            hits, false, missed, _ = found["tables"][key][index]
            row |= {
                f"{title}: found": hits,
                f"{title}: false alarms": false,
                f"{title}: missed": missed,
            }
        rows.append(row)
    show_table(pd.DataFrame(rows), hide_index=True, alt="True and false positives by label")


def _values(found: dict[str, Any], variant: Variant) -> None:
    labelled = found["labelled"]
    st.header("Errors" if labelled else "Differences from the baseline")
    if not labelled and variant.is_baseline:
        st.info("Without labels there is no truth to compare the baseline’s answers with.")
        return
    if not labelled:
        st.info(
            "These data have no labels, so nobody can say which answer is right: what is shown is "
            "how far the variant’s answers are from the baseline’s."
        )
    before, after = found["mean_errors"]
    columns = st.columns(3)
    columns[0].metric(
        "Mean absolute error" if labelled else "Mean absolute difference",
        f"{after:.4g}",
        f"baseline {before:.4g}" if labelled else None,
        delta_color="off",
        delta_arrow="off",
        border=True,
        help=f"Over {found['n']:,} test samples and all values of this output.",
    )
    if labelled:
        for column, kind in zip(columns[1:], ("worse", "better"), strict=True):
            title, meaning = _KINDS[kind]
            column.metric(title, f"{found['counts'][kind]:,}", border=True, help=meaning)
    draw_chart(
        errors_figure(found, difference=not labelled),
        "errors",
        "Histogram of errors before and after",
        errors_table(found),
    )
    if found["points"] is not None:
        points = found["points"]
        draw_chart(
            scatter_figure(points, labelled=labelled),
            "scatter",
            "Predictions against the truth" if labelled else "Predictions against the baseline’s",
            pd.DataFrame({k: v for k, v in points.items() if labelled or k != "truth"}),
        )
        if len(points["after"]) < found["n"]:
            st.caption(
                f"Drawn: {len(points['after']):,} of {found['n']:,} test samples, evenly spread."
            )


def _examples(
    study: Study, found: dict[str, Any], names: list[str], inputs: list[str], key: str
) -> None:
    counts = {kind: count for kind, count in found["counts"].items() if found["examples"][kind]}
    st.header("Inputs that it answers differently")
    if not counts:
        st.success(f"None: all {found['n']:,} test samples get the baseline’s answer.")
        return
    kind = st.segmented_control(
        "Kind of change",
        list(counts),
        format_func=lambda kind: f"{_KINDS[kind][0]} ({counts[kind]:,})",
        default=next(iter(counts)),
        required=True,
        key=f"inspect_kind_{found['name']}",
        help=" ".join(f"{_KINDS[kind][0]}: {_KINDS[kind][1]}" for kind in counts),
    )
    chosen = kind if kind in counts else next(iter(counts))
    examples = found["examples"][chosen]
    st.caption(plain(_KINDS[chosen][1]) + _left_out(found, chosen, len(examples)))
    draw_gallery(study, examples, names, inputs, key)


def _left_out(found: dict[str, Any], kind: str, shown: int) -> str:
    if found["counts"][kind] <= shown:
        return ""
    order = {
        "classes": "those of which this variant is surest",
        "labels": "the first ones",
        "values": "the largest changes",
    }
    return f" {shown} of {found['counts'][kind]:,} are shown: {order[found['kind']]}."
