"""Stages that take no time and return what the engine reads of the real ones.

The fork server imports this before it forks, so that stage processes find a TensorFlow that is
none: what is tested with them is everything around a stage.
"""

import io
import json
import sys
import time
from types import SimpleNamespace

import numpy as np

from tests.store.building import DATA_FACTS, MODEL_FACTS

sys.modules.setdefault(
    "tensorflow",
    SimpleNamespace(
        config=SimpleNamespace(
            threading=SimpleNamespace(
                set_intra_op_parallelism_threads=lambda count: None,
                set_inter_op_parallelism_threads=lambda count: None,
            )
        )
    ),
)

LAYERS = {
    "size_bytes": 21_000,
    "gzip_bytes": 1_500,
    "parameter_bytes": 520,
    "sparsity": 0.8,
    "max_distinct_weights": 17,
    "input_dtype": "float32",
    "output_dtype": "float32",
    "macs": 130,
    "layers": [],
}
METRICS = {
    "task": "multiclass",
    "metric": "accuracy",
    "metrics": {"accuracy": 0.95},
    "interval": [0.9, 0.98],
    "higher_is_better": True,
    "n": 20,
    "agreement": 0.99,
    "agreement_interval": [0.9, 1.0],
    "mean_abs_difference": 0.01,
}
LATENCY = {
    "p50_ms": 0.02,
    "p90_ms": 0.03,
    "p99_ms": 0.05,
    "ratio": 0.8,
    "ratio_ci": [0.7, 0.9],
    "significant": True,
    "runs": 10,
    "rounds": 5,
    "threads": 1,
    "device": "cpu",
    "delegate": "XNNPACK",
    "files": 3,
    "peak_memory_bytes": 1_000_000,
}


def work(params, inputs, progress):
    """One stage; ``params["walk"]`` says which, and whether it is to be held for ever."""
    walk = params["walk"]
    progress(0.1, "under way")
    while walk["hold"]:
        time.sleep(0.05)
        progress(0.1, "under way")  # said again, since what is said too early is not recorded
    return {name: _bytes(content) for name, content in _files(walk, inputs).items()}


def _files(walk, inputs):
    name = walk["stage"]
    if name == "import_model":
        return {"facts.json": MODEL_FACTS, "model.keras": b"flat model"}
    if name == "prepare_data":
        return {"facts.json": DATA_FACTS, "arrays.npz": b"", "preview.npz": b""}
    if name == "convert":
        return {
            "model.tflite": walk["tflite"],
            "layers.json": LAYERS,
            "conversion.json": {"notes": []},
            "audit.json": {"promises": []},
        }
    if name == "evaluate":
        buffer = io.BytesIO()
        np.savez(buffer, predictions=np.ones((20, 10), np.float32))
        return {"metrics.json": METRICS, "predictions.npz": buffer.getvalue()}
    if name == "benchmark":
        return {"latencies.json": {"files": dict.fromkeys(inputs, LATENCY)}}
    return {"model.keras": f"{name} model".encode()}


def _bytes(content):
    return content if isinstance(content, bytes) else json.dumps(content).encode()
