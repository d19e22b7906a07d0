"""Archives whose outline is sound and whose contents are not."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest

from optimizer.store import Store
from tests.hostile import tflites

from .building import SCAN, SCAN_OPTIONS
from .forging import change, edited, forged, members_of, refused, zipped

NOTHING = {**SCAN_OPTIONS, "sparsities": [], "int8": False}
TWO_OUTPUTS = 2 * SCAN["outputs"]
STUDY_FAULTS = [
    (change("task", to="poetry"), "at 'task'"),
    (change("name", to=""), "at 'name'"),
    (change("name", to="x" * 10_000), "at 'name'"),
    (change("extra", to=1), "at 'extra'"),
    (change("created_at", to="yesterday"), "at 'created_at'"),
    (change("variants", to={}), "at 'variants'"),
    (change("environment", to=["list"]), "at 'environment'"),
    (change("environment", to={"a": "x" * 30_000}), "is not JSON that can be read"),
    (change("environment", to={"a": 10**30}), "is not JSON that can be read"),
    (change("environment", to={"a": float("nan")}), "is not JSON that can be read"),
    (change("environment", to={"a": "\ud800"}), "is not JSON that can be read"),
    (change("model", "sha256", to="../../etc/passwd"), "at 'model.sha256'"),
    (change("model", "sha256", to="0" * 64), "contradicts itself about 'files/model'"),
    (change("dataset", "size_bytes", to=1), "contradicts itself about 'files/dataset'"),
    (change("model", "facts", "layers", to=[1]), r"at 'model\.facts\.layers\.0'"),
    (change("model", "facts", "inputs", to="many"), r"at 'model\.facts\.inputs'"),
    (change("dataset", "test_share", to=1.5), r"at 'dataset\.test_share'"),
    (change("dataset", "facts", "train", to=-1), r"at 'dataset\.facts\.train'"),
    (change("variants", 0, "stages", "convert", to="../x"), r"at 'variants\.0\.stages\.convert'"),
    (change("variants", 0, "stages", "convert", to="0" * 64), "disagree about"),
    (change("variants", 0, "recipe", to={"seeds": 1}), "Unknown key 'seeds'"),
    (change("variants", 1, "recipe", to={}), "has the same variant twice"),
    (change("variants", 1, "recipe", to={"seed": 4}), "has the same variant twice"),
    (change("variants", 0, "state", to="done"), r"at 'variants\.0\.state'"),
    (change("variants", 0, "results", "accuracy", to="<b>"), r"results\.accuracy'"),
    (change("variants", 0, "results", "accuracy", to=7.0), r"results\.accuracy'"),
    (change("variants", 0, "results", "latency_ms", to=3), r"results\.latency_ms'"),
    (change("variants", 0, "results", "size_bytes", to=-1), r"results\.size_bytes'"),
    (change("scans", to=[{}]), r"at 'scans\.0"),
    (change("scans", 0, "options", "sparsities", to=[2.0]), r"scans\.0\.options\.sparsities"),
    (change("scans", 0, "options", to=NOTHING), "a scan of nothing"),
    (change("scans", 0, "created_at", to="9999-12-31T23:59:59"), "at 'scans.0'"),
    (change("scans", 0, "scan", "layers", to=[]), r"scans\.0\.scan\.layers"),
    (change("scans", 0, "scan", "layers", 0, "prune", to={"9e9": []}), "a sparsity or a number"),
    (change("scans", 0, "scan", "layers", 0, "int8", to=[]), r"layers\.0\.int8"),
    (change("scans", 0, "scan", "outputs", to=TWO_OUTPUTS), "a figure for each output"),
]


@pytest.mark.parametrize(("edit", "sentence"), STUDY_FAULTS)
def test_studies(store: Store, honest: bytes, edit: Callable[[dict], None], sentence: str) -> None:
    refused(store, edited(members_of(honest), edit), sentence)


@pytest.mark.parametrize(
    "text", [b"[" * 100_000, b"{", b"\xff\xfe", b"", b'{"a": 1e999}', b"9" * 9999]
)
def test_json_that_is_none(store: Store, honest: bytes, text: bytes) -> None:
    refused(store, forged({**members_of(honest), "study.json": text}), "study.json")


def npz_of(*entries: tuple[str, bytes]) -> bytes:
    return zipped(list(entries))


def npy(shape: str, data: bytes = b"") -> bytes:
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


PICKLE = io.BytesIO()
np.save(PICKLE, np.array([{"a": 1}], dtype=object), allow_pickle=True)
BROKEN = tflites.changed(tflites.setting(inputs=[0, 99, 3]))
RESULT_FAULTS = [
    ("model.tflite", b"MZ not a model", "is not a TensorFlow Lite file"),
    ("model.tflite", BROKEN, "reads tensor 99 of this TensorFlow Lite file"),
    ("layers.json", b'{"layers": [{"name": 3}]}', r"at 'layers\.0\.name'"),
    ("layers.json", b"[]", "layers.json' cannot be used|layers.json cannot be used"),
    ("metrics.json", b'{"task": "multiclass"}', "metrics.json cannot be used at 'n'"),
    ("latency.json", b'{"p50_ms": "fast"}', "latency.json cannot be used at 'p50_ms'"),
    ("predictions.npz", b"PK not a zip", "does not hold plain numeric arrays"),
    ("predictions.npz", npz_of(("x.npy", PICKLE.getvalue())), "plain numeric arrays"),
    ("predictions.npz", npz_of(("x.npy", b"\x93NUMPY")), "plain numeric arrays"),
    ("predictions.npz", npz_of(("x.npy", npy("(1099511627776,)"))), "plain numeric arrays"),
    ("predictions.npz", npz_of(("x.npy", npy("(-1,)"))), "plain numeric arrays"),
    ("predictions.npz", npz_of(("x.npy", npy("__import__('os')"))), "plain numeric arrays"),
    ("predictions.npz", npz_of(*[(f"{i}.npy", b"") for i in range(65)]), "plain numeric arrays"),
]


@pytest.mark.parametrize(("file", "content", "sentence"), RESULT_FAULTS)
def test_results(store: Store, honest: bytes, file: str, content: bytes, sentence: str) -> None:
    members = members_of(honest)
    name = next(name for name in members if name.endswith(file))
    refused(store, forged({**members, name: content}), sentence)
