"""What each layer alone costs on held-out samples when it is changed. In stage processes only.

One layer at a time is pruned, clustered or rounded to int8, with nothing trained and everything
else in float, as :mod:`optimizer.techniques.sensitivity` does it for searches; here a person
reads the result, so it is judged by test samples, in the study's own metric of every output, and
with an interval that says what is noise.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from optimizer.data.arrays import Arrays, load_arrays
from optimizer.data.objective import UNLABELLED, split_task
from optimizer.errors import InputError
from optimizer.measure.paired import Yardstick, yardstick
from optimizer.models.flat import load_flat
from optimizer.stage import Files, Progress
from optimizer.techniques.sensitivity import changes_of, layers_of, with_change
from optimizer.techniques.training import make_deterministic

_BATCH = 64
SCAN_FILE = "scan.json"


def stage(params: Mapping[str, Any], inputs: Mapping[str, Files], progress: Progress) -> Files:
    """Scan every layer of a model.

    Args:
        params: ``sparsities`` (0 to 1) and ``clusters`` (counts) to try, whether to try ``int8``,
            how many ``samples`` at most, ``seed``; ``task``, ``metric`` and ``from_logits`` as of
            :mod:`optimizer.measure.accuracy`.
        inputs: ``model`` with ``model.keras``, ``data`` with ``arrays.npz``.
        progress: told after each change.

    Returns:
        ``scan.json``: ``samples`` judged by, ``test_samples`` there are, ``outputs`` (name, task,
        metric, higher_is_better, value, scale; see :class:`optimizer.measure.paired.Yardstick`)
        and ``layers``: name, type, number of ``weights``, and under ``prune`` (by sparsity) and
        ``cluster`` (by count), and plainly under ``int8``, a list with ``fall``, ``low`` and
        ``high`` of each output. What cannot act on a layer is ``null``.

    Raises:
        InputError: no layer can be changed, or the data do not fit the model.
    """
    make_deterministic(params["seed"])
    model = load_flat(inputs["model"]["model.keras"])
    changes = list(changes_of(model, params))
    if not changes:
        raise InputError(
            "No layer of this model can be pruned, clustered or rounded to int8 by itself, so "
            "there is nothing to scan; the Model page says why for each."
        )
    progress(0.0, "the model as it is")
    judge = _Judge(model, load_arrays(inputs["data"]), params)
    layers = layers_of(model)
    for index, (name, technique, key, change) in enumerate(changes):
        found = with_change(model.get_layer(name), technique, change, judge.falls)
        if key is None:
            layers[name][technique] = found
        else:
            layers[name][technique] = {**(layers[name][technique] or {}), key: found}
        progress((index + 1) / len(changes), f"{index + 1} of {len(changes)} changes, {name}")
    return {SCAN_FILE: json.dumps({**judge.facts(), "layers": list(layers.values())}).encode()}


class _Judge:
    """Judges a model, as its weights stand, by test samples drawn once."""

    def __init__(self, model: Any, arrays: Arrays, params: Mapping[str, Any]) -> None:
        total = arrays.samples("test")
        order = np.random.default_rng(params["seed"]).permutation(total)
        chosen = np.sort(order[: params["samples"]])
        self._total, self._names = total, list(model.output_names)
        self._tasks = _tasks(str(params["task"]), len(self._names))
        self._x = [part[chosen] for part in arrays.inputs_for(model.input_names, "test")]
        self._forward = tf.function(lambda parts: model(parts, training=False))
        reference = self._outputs()
        targets = self._targets(arrays, chosen)
        thresholds = [0.0 if logits else 0.5 for logits in params.get("from_logits") or ()]
        self._sticks: list[Yardstick] = [
            yardstick(
                task,
                output,
                target,
                threshold=thresholds[index] if index < len(thresholds) else 0.5,
                metric=None if index else params.get("metric"),
            )
            for index, (task, output, target) in enumerate(
                zip(self._tasks, reference, targets, strict=True)
            )
        ]

    def falls(self) -> list[dict[str, float | None]]:
        """What each output lost against the model as it was at first."""
        return [
            stick.fall(output) for stick, output in zip(self._sticks, self._outputs(), strict=True)
        ]

    def facts(self) -> dict[str, Any]:
        """What was judged by, JSON-able."""
        return {
            "samples": len(self._x[0]),
            "test_samples": self._total,
            "outputs": [
                {
                    "name": name,
                    "task": task,
                    "metric": stick.metric,
                    "higher_is_better": stick.higher_is_better,
                    "value": stick.value if np.isfinite(stick.value) else None,
                    "scale": stick.scale if np.isfinite(stick.scale) else None,
                }
                for name, task, stick in zip(self._names, self._tasks, self._sticks, strict=True)
            ],
        }

    def _targets(self, arrays: Arrays, chosen: np.ndarray) -> list[np.ndarray | None]:
        if self._tasks == ["reconstruction"]:
            return [self._x[0]]
        if all(task == UNLABELLED for task in self._tasks) or not arrays.y_test:
            return [None] * len(self._tasks)
        return [part[chosen] for part in arrays.targets_for(self._names, "test")]

    def _outputs(self) -> list[np.ndarray]:
        parts: list[list[np.ndarray]] = [[] for _ in self._names]
        for start in range(0, len(self._x[0]), _BATCH):
            batch = [tf.convert_to_tensor(part[start : start + _BATCH]) for part in self._x]
            given = self._forward(batch if len(batch) > 1 else batch[0])
            for index, output in enumerate(given if isinstance(given, list | tuple) else [given]):
                parts[index].append(np.asarray(output))
        return [np.concatenate(part) for part in parts]


def _tasks(task: str, outputs: int) -> list[str]:
    """The task of each output; one for all without labels."""
    tasks = split_task(task)
    return tasks * outputs if tasks == [UNLABELLED] else tasks
