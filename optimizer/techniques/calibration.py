"""What int8 makes of a model when it is calibrated with other data. Runs in stages only.

The same model is quantized several times, each time with another representative dataset, and
each file is measured on the test samples.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from optimizer.data.arrays import load_arrays
from optimizer.data.objective import split_task
from optimizer.data.representative import representative
from optimizer.errors import InputError
from optimizer.measure.accuracy import measure
from optimizer.measure.interpreter import predict
from optimizer.recipe import Quantize
from optimizer.stage import Files, Progress
from optimizer.techniques.conversion import quantized
from optimizer.techniques.source import source_of
from optimizer.techniques.training import make_deterministic


def stage(params: Mapping[str, Any], inputs: Mapping[str, Files], progress: Progress) -> Files:
    """Quantize a model to int8 with several representative datasets, and measure each file.

    Args:
        params: ``sets``: of each dataset the arguments of :func:`representative` (``draw``,
            ``count``, ``label``, ``seed``); ``task``, ``metric``, ``from_logits``, ``inputs`` and
            ``outputs`` as :func:`optimizer.measure.accuracy.stage` takes them; ``threads``;
            ``seed``.
        inputs: ``model`` with ``model.keras``, ``data`` with ``arrays.npz``.
        progress: told before each dataset.

    Returns:
        ``calibration.json``: ``metric`` and, in the order of ``sets``, ``found`` with the
        ``samples`` calibrated with, the metric's ``value``, its 95 % ``interval`` and the number
        ``n`` of test samples.

    Raises:
        InputError: the model has several inputs, or a dataset cannot be drawn.
        StageError: TensorFlow cannot convert the model.
    """
    make_deterministic(params["seed"])
    model = source_of(inputs["model"], aware=False, calibrates=True)
    arrays = load_arrays(inputs["data"])
    if len(model.input_names) != 1:
        raise InputError("Only models with one input can be calibrated with other data here.")
    x_train = arrays.inputs_for(model.input_names, "train")[0]
    x_test = arrays.inputs_for(model.input_names, "test")
    y_train = arrays.y_train[0] if arrays.y_train else None
    quantize = Quantize(mode="int8").model_dump(mode="json")
    names = list(params.get("outputs") or arrays.target_names)
    thresholds = [0.0 if logits else 0.5 for logits in params.get("from_logits") or ()]
    found, metric = [], None
    for index, chosen in enumerate(params["sets"]):
        progress(index / len(params["sets"]), f"{index + 1} of {len(params['sets'])} datasets")
        samples = representative(x=x_train, y=y_train, **chosen)
        tflite = quantized(model, quantize, [samples])[0]
        outputs = predict(tflite, x_test, threads=int(params.get("threads", 1)))
        task = split_task(str(params["task"]))
        result = measure(task, outputs, arrays, names, thresholds, params.get("metric"))
        metric = result["metric"]
        kept = {key: result[key] for key in ("value", "interval", "n")}
        found.append({"samples": len(samples), **kept})
    return {"calibration.json": json.dumps({"metric": metric, "found": found}).encode()}
