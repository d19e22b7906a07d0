"""Tasks, and the losses and metrics that belong to each, by name. Imports no TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence

from optimizer.errors import InputError

TASKS = ("multiclass", "binary", "multilabel", "regression", "reconstruction", "unlabelled")
"""What one output of a model can be for. A model's tasks are joined by ``+``."""
CLASSIFICATION = ("multiclass", "binary")
UNLABELLED = "unlabelled"

LOSSES: dict[str, tuple[str, ...]] = {
    "multiclass": ("sparse_categorical_crossentropy", "categorical_focal_crossentropy"),
    "binary": ("binary_crossentropy", "binary_focal_crossentropy"),
    "multilabel": ("binary_crossentropy", "binary_focal_crossentropy"),
    "regression": ("mean_squared_error", "mean_absolute_error", "huber"),
    "reconstruction": (
        "mean_squared_error",
        "mean_absolute_error",
        "huber",
        "binary_crossentropy",
    ),
    UNLABELLED: (),
}
"""Task → the losses it can be trained with, the proposed one first."""

METRICS: dict[str, tuple[str, ...]] = {
    "multiclass": ("accuracy", "f1_macro"),
    "binary": ("accuracy", "auc"),
    "multilabel": ("f1_micro", "subset_accuracy", "label_accuracy"),
    "regression": ("mae", "r2"),
    "reconstruction": ("mse", "auc"),
    UNLABELLED: (),
}
"""Task → what is measured, the proposed headline first."""
LOWER_IS_BETTER = frozenset({"mae", "mse"})


def split_task(task: str) -> list[str]:
    """The task of each output.

    Raises:
        InputError: one of them is unknown.
    """
    tasks = task.split("+")
    for each in tasks:
        if each not in TASKS:
            raise InputError(
                f"Unknown task {each!r}. Choose one of {', '.join(TASKS)}, joined by + for a "
                "model with several outputs."
            )
    return tasks


def losses_for(tasks: Sequence[str], loss: str | None) -> list[str]:
    """The name of the loss of each output.

    Args:
        tasks: of the outputs.
        loss: those that a person chose, joined by ``+``; ``None`` for the proposed ones.

    Raises:
        InputError: a task cannot be trained at all, or not with that loss.
    """
    if UNLABELLED in tasks:
        raise InputError(
            "Training needs labels, and this study has none. Use recipes that only convert and "
            "quantize, or bring data with y_train and y_test."
        )
    chosen = loss.split("+") if loss else [LOSSES[task][0] for task in tasks]
    if len(chosen) != len(tasks):
        raise InputError(
            f"The loss {loss!r} is for {len(chosen)} outputs; the study's model has {len(tasks)}. "
            "Give one loss for each output, joined by +."
        )
    for name, task in zip(chosen, tasks, strict=True):
        if name not in LOSSES[task]:
            raise InputError(
                f"The loss {name!r} does not belong to the task {task}. Choose one of "
                f"{', '.join(LOSSES[task])}."
            )
    return chosen


def check_choice(task: str, loss: str | None, metric: str | None, outputs: int) -> None:
    """Whether a person's choice for a study makes sense.

    Args:
        task: joined by ``+``, one per output of the model or one of the whole.
        loss, metric: ``None`` for the proposed ones.
        outputs: of the model.

    Raises:
        InputError: it does not; the message names what can be chosen.
    """
    tasks = split_task(task)
    if len(tasks) != outputs and tasks != [UNLABELLED]:
        raise InputError(
            f"The task {task!r} is for {len(tasks)} outputs; the model has {outputs}. Give one "
            "task for each output, joined by +."
        )
    if loss is not None:
        losses_for(tasks, loss)
    if metric is not None and metric not in METRICS[tasks[0]]:
        known = ", ".join(METRICS[tasks[0]]) or "none"
        raise InputError(
            f"The metric {metric!r} does not belong to the task {tasks[0]}. Choose one of: {known}."
        )
