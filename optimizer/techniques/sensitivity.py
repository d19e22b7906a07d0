"""How much a model suffers when one layer alone is changed. Runs in stage processes only.

Nothing is trained: each layer in turn is pruned, clustered or rounded to int8, the model is
judged on training samples, and the layer is put back. What a layer bears says how to divide a
sparsity over layers (:mod:`optimizer.search.per_layer`) and which layers to leave in float.
:mod:`optimizer.techniques.layer_scan` makes the same changes and judges by held-out samples.

Source: Han et al. 2015 (arXiv:1506.02626), section 3 and figure 6, for pruning; the same scan for
quantization is usual, for example in Nagel et al. 2021, "A white paper on neural network
quantization" (arXiv:2106.08295), section 3.7.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

from optimizer.data.arrays import Arrays, load_arrays
from optimizer.data.objective import LOWER_IS_BETTER, METRICS, split_task
from optimizer.models.flat import load_flat
from optimizer.stage import Files, Progress
from optimizer.techniques.centroids import cluster_values
from optimizer.techniques.eligible import clusterable, prunable, quantizable
from optimizer.techniques.kernels import kernels_of
from optimizer.techniques.qat_graph import WEIGHTS
from optimizer.techniques.training import Objective, make_deterministic
from optimizer.techniques.watching import task_metric, threshold_of

_MOST_SAMPLES, _FEWEST_SAMPLES, _BATCH = 512, 64, 64
_BUDGET_MACS = 4e11
"""Multiply-accumulates that a scan may take, about: some 20 s on two cores."""

Change = Callable[[np.ndarray], np.ndarray]
T = TypeVar("T")


def stage(params: Mapping[str, Any], inputs: Mapping[str, Files], progress: Progress) -> Files:
    """Scan every layer of a model.

    Args:
        params: ``sparsities`` (0 to 1) and ``clusters`` (counts) to try, ``task``, ``loss`` and
            ``seed``.
        inputs: ``model`` with ``model.keras``, ``data`` with ``arrays.npz``.
        progress: told after each change.

    Returns:
        ``sensitivity.json``: ``metric`` (the task's own), ``higher_is_better``, its ``value``
        and the ``loss`` of the model as it is, ``samples`` judged by, and ``layers``: name, type,
        number of ``weights``, and under ``prune`` (by sparsity), ``cluster`` (by count) and
        ``int8`` the ``fall`` of the metric and the ``rise`` of the loss, larger being worse.
        What cannot act on a layer is ``null`` there.

    Raises:
        InputError: the data have no labels, or do not fit the model.
    """
    make_deterministic(params["seed"])
    model = load_flat(inputs["model"]["model.keras"])
    changes = list(changes_of(model, params))
    samples = _samples(model, len(changes))
    judge = _Judge(model, load_arrays(inputs["data"]), params, samples)
    value, loss = judge()
    sign = 1.0 if judge.higher_is_better else -1.0
    layers = layers_of(model)
    for index, (layer, technique, key, change) in enumerate(changes):
        metric, changed = with_change(model.get_layer(layer), technique, change, judge)
        fall = None if metric is None or value is None else sign * (value - metric)
        found = {"fall": fall, "rise": changed - loss}
        if key is None:
            layers[layer][technique] = found
        else:
            layers[layer][technique] = {**(layers[layer][technique] or {}), key: found}
        progress((index + 1) / len(changes), f"{index + 1} of {len(changes)} changes, {layer}")
    result = {
        "metric": judge.metric,
        "higher_is_better": judge.higher_is_better,
        "value": value,
        "loss": loss,
        "samples": judge.samples,
        "layers": list(layers.values()),
    }
    return {"sensitivity.json": json.dumps(result).encode()}


def layers_of(model: Any) -> dict[str, dict[str, Any]]:
    """The layers with kernels, in the model's order, with nothing found yet."""
    return {
        layer.name: {
            "name": layer.name,
            "type": type(layer).__name__,
            "weights": sum(kernel.numpy().size for kernel in kernels_of(layer)),
            "prune": None,
            "cluster": None,
            "int8": None,
        }
        for layer in model.layers
        if kernels_of(layer) or type(layer) in WEIGHTS
    }


def changes_of(
    model: Any, params: Mapping[str, Any]
) -> Iterator[tuple[str, str, str | None, Change]]:
    """(layer, technique, its value as text, change of a kernel) of everything to try.

    Args:
        model: a flat one.
        params: ``sparsities``, ``clusters`` and ``seed``; ``int8`` is tried unless it is false.
    """
    in_int8 = quantizable(model)
    for layer in model.layers:
        if kernels_of(layer) and prunable(layer) is None:
            for sparsity in params["sparsities"]:
                yield layer.name, "prune", f"{sparsity:g}", _pruned(sparsity)
        if kernels_of(layer) and clusterable(layer) is None:
            for count in params["clusters"]:
                yield layer.name, "cluster", str(count), _clustered(count, params["seed"])
        if params.get("int8", True) and type(layer) in WEIGHTS and in_int8[layer.name] is None:
            yield layer.name, "int8", None, _rounding(type(layer).__name__)


def with_change(layer: Any, technique: str, change: Change, judge: Callable[[], T]) -> T:
    """What the judge says with one layer changed; the layer is put back."""
    if technique == "int8":
        variables = [getattr(layer, name) for name in WEIGHTS[type(layer)]]
    else:
        variables = [kernel.variable for kernel in kernels_of(layer)]
    before = [variable.numpy() for variable in variables]
    for variable, values in zip(variables, before, strict=True):
        variable.assign(change(values))
    try:
        return judge()
    finally:
        for variable, values in zip(variables, before, strict=True):
            variable.assign(values)


def _pruned(sparsity: float) -> Change:
    def change(kernel: np.ndarray) -> np.ndarray:
        size = np.abs(kernel).ravel()
        count = min(round(size.size * sparsity), size.size - 1)
        pruned = kernel.ravel().copy()
        pruned[np.argsort(size, kind="stable")[:count]] = 0.0
        return pruned.reshape(kernel.shape)

    return change


def _clustered(count: int, seed: int) -> Change:
    def change(kernel: np.ndarray) -> np.ndarray:
        random = np.random.default_rng(seed)
        return cluster_values(kernel.ravel(), count, "kmeans++", random).reshape(kernel.shape)

    return change


def _rounding(layer_type: str) -> Change:
    """Symmetric int8 with a scale for each output channel, as TFLite stores weights."""
    own = {"DepthwiseConv2D": (0, 1), "Conv2DTranspose": (0, 1, 3)}.get(layer_type)

    def change(kernel: np.ndarray) -> np.ndarray:
        axes = own or tuple(range(kernel.ndim - 1))
        scale = np.abs(kernel).max(axis=axes, keepdims=True) / 127
        steps = np.round(kernel / np.where(scale > 0, scale, 1.0))
        return (steps * scale).astype("float32")

    return change


def _samples(model: Any, changes: int) -> int:
    """How many samples a scan can afford, the same for the same model and changes."""
    macs = sum(
        kernel.numpy().size * float(np.prod(_positions(layer)))
        for layer in model.layers
        for kernel in kernels_of(layer)
    )
    affordable = int(_BUDGET_MACS / max(1.0, macs * (changes + 1)))
    return max(_FEWEST_SAMPLES, min(_MOST_SAMPLES, affordable))


def _positions(layer: Any) -> Sequence[int]:
    """How often a kernel is applied: the middle axes of the layer's first output."""
    shape = layer.get_output_shape_at(0)
    shape = shape[0] if isinstance(shape, list) else shape
    return [size or 1 for size in shape[1:-1]]


class _Judge:
    """Metric and loss of a model, as it stands, on training samples drawn once."""

    def __init__(self, model: Any, arrays: Arrays, params: Mapping[str, Any], samples: int) -> None:
        objective = Objective.of(model, arrays, params["task"], params.get("loss"))
        chosen = np.sort(
            np.random.default_rng(params["seed"]).permutation(objective.samples)[:samples]
        )
        self._task = split_task(params["task"])[0]
        self._x = [part[chosen] for part in objective.x]
        self._y = [part[chosen] for part in objective.y]
        self._error, self._threshold = objective.error, threshold_of(model)
        self._forward = tf.function(lambda parts: model(parts, training=False))
        self.metric = METRICS[self._task][0]
        self.higher_is_better = self.metric not in LOWER_IS_BETTER
        self.samples = len(chosen)

    def __call__(self) -> tuple[float | None, float]:
        outputs, losses, sizes = [], [], []
        for start in range(0, self.samples, _BATCH):
            x, y = (
                [part[start : start + _BATCH] for part in parts] for parts in (self._x, self._y)
            )
            batch = [tf.convert_to_tensor(part) for part in x]
            given = self._forward(batch if len(batch) > 1 else batch[0])
            outputs.append(np.asarray(given[0] if isinstance(given, list | tuple) else given))
            losses.append(float(self._error(y, given)))
            sizes.append(len(x[0]))
        metric = task_metric(
            self._task, np.concatenate(outputs), self._y[0], self._x[0], self._threshold
        )
        return metric, float(np.average(losses, weights=sizes))
