"""Small studies for the tests of the store: plain facts and bytes, no TensorFlow."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import numpy as np

from optimizer.recipe import BASELINE, Cluster, Prune, Quantize, Recipe
from optimizer.store import Store, Study
from tests.hostile import tflites

MODEL_FACTS = {
    "source_format": "Keras 3 (.keras)",
    "keras_version": "3.15.1",
    "parameters": 130,
    "parameter_bytes": 520,
    "inputs": [{"name": "x", "shape": [None, 8, 8, 1], "dtype": "float32"}],
    "outputs": [{"name": "y", "shape": [None, 10], "dtype": "float32", "activation": "softmax"}],
    "verification": {"max_abs_difference": 1e-7, "samples": 32},
    "notes": ["Dropout was removed."],
    "layers": [
        {
            "name": "dense",
            "type": "Dense",
            "output_shape": [None, 10],
            "parameters": 130,
            "weights": [{"name": "kernel", "shape": [12, 10]}],
            "techniques": {"prune": None, "cluster": None, "quantize_aware": "too small"},
        }
    ],
}
DATA_FACTS = {
    "format": "npz",
    "train": 80,
    "test": 20,
    "x_shape": [8, 8, 1],
    "x_dtype": "float32",
    "y_kind": "class_index",
    "classes": 10,
    "x_min": 0.0,
    "x_max": 16.0,
    "split": None,
    "notes": [],
}
RESULTS = {
    "size_bytes": 21_000,
    "gzip_bytes": 1_500,
    "parameter_bytes": 520,
    "accuracy": 0.95,
    "accuracy_n": 20,
    "agreement": 0.99,
    "metrics": {"accuracy": 0.95},
    "metric_interval": [0.9, 0.98],
    "latency_ms": {"p50": 0.02, "p90": 0.03, "p99": 0.05, "ratio": 0.8, "ratio_ci": [0.7, 0.9]},
    "peak_memory_bytes": 1_000_000,
    "sparsity": 0.8,
    "max_distinct_weights": 17,
    "seconds": {"convert": 1.25, "evaluate": 0.5},
    "cached": ["convert"],
}
LAYERS = [
    {
        "name": "dense",
        "type": "FULLY_CONNECTED",
        "shape": [10, 12],
        "dtype": "int8",
        "sparsity": 0.8,
        "distinct": 17,
        "distinct_per_channel": 9,
        "bytes": 120,
    }
]
FALL = {"fall": 0.01, "low": -0.01, "high": 0.03}
SCAN_OPTIONS = {"sparsities": [0.5], "clusters": [], "int8": True, "samples": 500, "seed": 0}
SCAN = {
    "samples": 20,
    "test_samples": 20,
    "outputs": [
        {
            "name": "y",
            "task": "multiclass",
            "metric": "accuracy",
            "higher_is_better": True,
            "value": 0.95,
            "scale": None,
        }
    ],
    "layers": [
        {
            "name": "dense",
            "type": "Dense",
            "weights": 120,
            "prune": {"0.5": [FALL]},
            "cluster": None,
            "int8": [{"fall": None, "low": None, "high": None}],
        }
    ],
}
RECIPES = (
    BASELINE,
    Recipe(quantize=Quantize(mode="int8")),
    Recipe(prune=Prune(), cluster=Cluster(), quantize=Quantize(mode="int8", aware=True), seed=3),
)


def key(text: str) -> str:
    """A content key made of any text."""
    return hashlib.sha256(text.encode()).hexdigest()


def arrays(**values: np.ndarray) -> bytes:
    """The bytes of an ``.npz``."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **values)
    return buffer.getvalue()


def write_stages(store: Store, recipe: Recipe) -> dict[str, str]:
    """The artifacts of a done variant; stage name → key."""
    own = recipe.hash
    metrics = {"task": "multiclass", "n": 20, "metric": "accuracy", "value": 0.95}
    latency = {"p50_ms": 0.02, "p90_ms": 0.03, "p99_ms": 0.05, "ratio": float("nan")}
    files = {
        "prune": {"model.keras": b"not exported"},
        "convert": {
            "model.tflite": tflites.packed(tflites.model()) + own.encode(),
            "layers.json": json.dumps({"size_bytes": 21_000, "layers": LAYERS}).encode(),
            "conversion.json": b'{"notes": []}',
        },
        "evaluate": {
            "metrics.json": json.dumps(metrics).encode(),
            "predictions.npz": arrays(predictions=np.ones((20, 10), np.float32)),
        },
        "benchmark": {"latency.json": json.dumps(latency).encode()},
    }
    stages = {name: key(f"{name} {own}") for name in files}
    for name, stage_key in stages.items():
        store.artifacts.write(stage_key, files[name], {"seconds": 0.5})
    return stages


def build_study(store: Store, name: str = "Digits") -> Study:
    """A study with a done baseline, two done variants, and a failed and a queued one."""
    model = store.add_model("digits.keras", b"PK model bytes " * 50)
    data = store.add_dataset("digits.npz", b"PK data bytes " * 50, options={"scaling": "unit"})
    model_key, data_key = key("model facts"), key("data facts")
    store.artifacts.write(model_key, {"facts.json": b"{}", "model.keras": b"flat"})
    preview = arrays(x=np.zeros((4, 8, 8, 1), np.float32), y=np.arange(4))
    store.artifacts.write(data_key, {"facts.json": b"{}", "preview.npz": preview})
    store.set_model_facts(model.id, MODEL_FACTS, model_key)
    store.set_dataset_facts(data.id, DATA_FACTS, data_key)
    chosen = {"loss": "categorical_focal_crossentropy", "metric": "f1_macro"}
    study = store.create_study(name, model.id, data.id, "multiclass", objective=chosen)
    store.set_study_environment(study.id, {"tensorflow": "2.21.0", "cpu": "some processor"})
    for recipe in RECIPES:
        variant = store.add_variant(study.id, recipe)
        stages = write_stages(store, recipe)
        store.update_variant(variant.id, state="done", results=RESULTS, stages=stages)
    failed = store.add_variant(study.id, Recipe(quantize=Quantize(mode="float16")))
    store.update_variant(failed.id, state="failed", error="The stage convert ran out of memory.")
    store.add_variant(study.id, Recipe(quantize=Quantize(mode="dynamic")))
    return store.get_study(study.id)


def add_scan(store: Store, study: Study) -> None:
    """A finished scan of the study's one layer."""
    scan = store.queue_run("sensitivity", "Scan", study_id=study.id, options=SCAN_OPTIONS)
    store.update_run(scan.id, state="done", result={"scan": SCAN, "seconds": 2.5})


def listing(home: Path) -> dict[str, bytes]:
    """Every file of a store except SQLite's own side files, with its content."""
    side_files = ("featherweight.db-wal", "featherweight.db-shm", "featherweight.lock")
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in sorted(home.rglob("*"))
        if path.is_file() and path.name not in side_files
    }


def rows(store: Store) -> list[str]:
    """Every row of the database, as SQL text."""
    return list(store._db._connection().iterdump())
