"""What a study is for: task and loss of each output, and the headline metric."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from optimizer.data.objective import LOSSES, METRICS, UNLABELLED
from optimizer.format import metric_title
from optimizer.session import Choice

TASK_TITLES = {
    "multiclass": "Classification, one of several classes",
    "binary": "Classification, yes or no",
    "multilabel": "Classification, any number of labels",
    "regression": "Regression, real numbers",
    "reconstruction": "Reconstruction of the input (autoencoder)",
    UNLABELLED: "No labels: agreement with the baseline only",
}
_LOSS_TITLES = {
    "sparse_categorical_crossentropy": "Cross-entropy",
    "categorical_focal_crossentropy": "Focal cross-entropy, for rare classes",
    "binary_crossentropy": "Binary cross-entropy",
    "binary_focal_crossentropy": "Binary focal cross-entropy, for rare labels",
    "mean_squared_error": "Mean squared error",
    "mean_absolute_error": "Mean absolute error, robust to outliers",
    "huber": "Huber, between squared and absolute",
}


def objective_form(model_facts: Mapping[str, Any], choices: Sequence[Sequence[str]]) -> Choice:
    """The widgets, one row per output.

    Args:
        model_facts: ``facts.json`` of the model.
        choices: for each output the tasks that are possible, the proposed one first; a single
            entry for the whole model without labels.
    """
    outputs = [entry["name"] for entry in model_facts["outputs"]]
    several = len(choices) > 1
    tasks, losses = [], []
    for index, possible in enumerate(choices):
        name = f" of {outputs[index]}" if several else ""
        task_column, loss_column = st.columns(2)
        task = task_column.selectbox(
            f"Task{name}",
            possible,
            format_func=TASK_TITLES.__getitem__,
            key=f"task_{index}",
            help="Decides what is trained for and what is measured. Proposed from the model's "
            "output and the labels.",
        )
        tasks.append(task)
        if LOSSES[task]:
            losses.append(
                loss_column.selectbox(
                    f"Loss{name}",
                    LOSSES[task],
                    format_func=_LOSS_TITLES.__getitem__,
                    key=f"loss_{index}_{task}",
                    help="What fine-tuning makes small. The first is the task's usual one.",
                )
            )
    return Choice("+".join(tasks), _unusual(tasks, losses), _headline(tasks[0], several, outputs))


def _unusual(tasks: Sequence[str], losses: Sequence[str]) -> str | None:
    usual = [LOSSES[task][0] for task in tasks if LOSSES[task]]
    return None if list(losses) == usual else "+".join(losses)


def _headline(task: str, several: bool, outputs: Sequence[str]) -> str | None:
    known = METRICS[task]
    if len(known) < 2:
        return None
    metric = st.selectbox(
        f"Metric to compare by{f', of {outputs[0]}' if several else ''}",
        known,
        format_func=metric_title,
        key=f"metric_{task}",
        help="Every metric of the task is measured; this one is in the charts and the table.",
    )
    return None if metric == known[0] else metric
