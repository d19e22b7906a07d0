"""How far training is, and how well the model does meanwhile. Runs in stage processes only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from optimizer.data.arrays import Arrays
from optimizer.data.objective import METRICS
from optimizer.data.split import search_halves, stratifying, watched
from optimizer.errors import InputError
from optimizer.measure.metrics import metrics_of, reconstruction_metrics
from optimizer.stage import Progress
from optimizer.techniques.graph import output_activation

_BATCH = 64


@dataclass(frozen=True, eq=False)
class Watch:
    """How well a model does while it trains: the task's own metric on a few test samples.

    They belong to the half by which searches judge, see :mod:`optimizer.data.split`; nothing of
    training depends on them.

    Attributes:
        task: of the first output.
        x: samples of each input, float32, shape (up to 256, …).
        y: targets of the first output.
        threshold: what separates two classes.
    """

    task: str
    x: list[np.ndarray]
    y: np.ndarray | None
    threshold: float

    @classmethod
    def of(cls, model: Any, arrays: Arrays, tasks: Sequence[str]) -> Watch | None:
        """The samples to watch a model of a study by; ``None`` when they cannot be judged."""
        if arrays.samples("test") < 2 or not METRICS[tasks[0]]:
            return None
        targets = None
        if tasks[0] != "reconstruction":
            targets = arrays.targets_for(model.output_names, "test")[0]
        classes = stratifying("+".join(tasks), targets)
        chosen = watched(search_halves(arrays.samples("test"), classes)[0])
        x = [part[chosen] for part in arrays.inputs_for(model.input_names, "test")]
        threshold = threshold_of(model)
        return cls(tasks[0], x, None if targets is None else targets[chosen], threshold)

    def metric(self, model: Any) -> float | None:
        """The metric as the model stands; draws no random numbers and changes nothing."""
        outputs = []
        for start in range(0, len(self.x[0]), _BATCH):
            batch = [tf.convert_to_tensor(part[start : start + _BATCH]) for part in self.x]
            given = model(batch if len(batch) > 1 else batch[0], training=False)
            first = given[0] if isinstance(given, list | tuple) else given
            outputs.append(np.asarray(first))
        return task_metric(self.task, np.concatenate(outputs), self.y, self.x[0], self.threshold)


def threshold_of(model: Any) -> float:
    """What separates two classes in a model's first output: 0.5 for probabilities, 0 for logits."""
    probabilities = ("sigmoid", "hard_sigmoid", "softmax")
    return 0.5 if output_activation(model.outputs[0]) in probabilities else 0.0


def task_metric(
    task: str, outputs: np.ndarray, y: np.ndarray | None, x: np.ndarray, threshold: float
) -> float | None:
    """The task's own metric of a model's first output; ``None`` where it cannot be judged.

    Args:
        task: of that output.
        outputs: float32, shape (n, …).
        y: its targets.
        x: the first input, which a reconstruction is compared with.
        threshold: what separates two classes.
    """
    try:
        if task == "reconstruction":
            found = reconstruction_metrics(outputs, x, None)
        else:
            found = metrics_of(task, outputs, y, threshold)
    except InputError:  # labels that do not fit: measuring the file will say so
        return None
    name = METRICS[task][0]
    return found[name].value if name in found else None


class Report(keras.callbacks.Callback):
    """Tells a stage's progress while it trains, and the metric after each epoch but the last.

    The metric goes along with all that is told afterwards: a single message may be left out.

    Args:
        progress: is told.
        watch: judges the model; ``None`` when it cannot be judged.
        steps: optimizer steps in an epoch.
        epochs: of the whole training.
    """

    def __init__(
        self,
        progress: Progress,
        watch: Watch | None,
        steps: int,
        epochs: int,
    ) -> None:
        super().__init__()
        self._progress, self._watch = progress, watch
        self._steps, self._epochs = steps, epochs
        self._epoch = 0
        self._seen: dict[str, float] = {}

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Called by Keras."""
        self._epoch = epoch + 1

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Called by Keras."""
        if self._watch is None or self._epoch == self._epochs:
            return
        metric = self._watch.metric(self.model)
        if metric is not None and math.isfinite(metric):
            self._seen = {"metric": metric, "metric_epoch": self._epoch}

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Called by Keras."""
        done = (self._epoch - 1) * self._steps + batch + 1
        self._progress(
            done / (self._epochs * self._steps),
            f"epoch {self._epoch} of {self._epochs}",
            epoch=self._epoch,
            epochs=self._epochs,
            loss=float((logs or {}).get("loss", math.nan)),
            **self._seen,
        )
