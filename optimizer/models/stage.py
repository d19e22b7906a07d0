"""The stage that turns an uploaded file into a usable model. Stage processes only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from optimizer.errors import InputError, reason_of
from optimizer.models.bridge import to_flat
from optimizer.models.facts import model_facts
from optimizer.models.file_facts import file_facts, random_input, run_file
from optimizer.models.flat import load_flat, save_flat
from optimizer.models.inspect import KERAS_SAVED_MODEL, ModelFile, identify, inspect_upload
from optimizer.models.load import load
from optimizer.models.saved_model import SavedModel, open_saved_model
from optimizer.models.saved_model_keras import compare_with_signature, has_layers, rebuild
from optimizer.models.verify import SAMPLES, compared, random_inputs, verify
from optimizer.stage import Files, Progress

_FINISHED = "A TFLite file cannot be trained; upload the Keras model it came from."
_NO_LAYERS = "A SavedModel without its Keras layers cannot be trained; upload the .keras file."


def import_model(
    params: Mapping[str, Any], inputs: Mapping[str, Files], progress: Progress
) -> Files:
    """Inspect, load, flatten and verify a model.

    Args:
        params: ``file_name``, as uploaded.
        inputs: ``file`` with ``data``.
        progress: told before each step.

    Returns:
        ``facts.json``, whose ``kind`` says which of these is beside it: ``model.keras``
        (``keras``: a flat functional tf_keras model, float32, uncompiled), ``saved_model.zip``
        (``saved_model``: its serving signature only) or ``model.tflite`` (``tflite``: as
        uploaded).

    Raises:
        InputError: the file was refused, or the conversion is not faithful.
    """
    data = inputs["file"]["data"]
    progress(0.0, "inspecting the file")
    file = identify(data, params["file_name"])
    if file.kind == "tflite":
        return _tflite(data, file, progress)
    if file.kind == "saved_model":
        return _saved_model(data, file, progress)
    inspected = inspect_upload(data, params["file_name"])
    progress(0.1, "loading it")
    source = load(data, inspected)
    return _keras(source, inspected.file, inspected.notes, progress)


def _keras(source: Any, file: ModelFile, notes: tuple[str, ...], progress: Progress) -> Files:
    progress(0.4, "rebuilding it in Keras 2")
    flat = to_flat(source)
    saved = save_flat(flat.model)
    model = load_flat(saved)
    progress(0.7, "comparing outputs on random input")
    verification = verify(source, flat, model)
    facts = model_facts(file, model, verification, notes + flat.notes)
    return {"model.keras": saved, "facts.json": json.dumps(facts).encode()}


def _tflite(data: bytes, file: ModelFile, progress: Progress) -> Files:
    progress(0.3, "reading its operators and weights")
    facts = file_facts(file, data, _FINISHED)
    progress(0.7, "running it on random input")
    run_file(data, random_input(data, 1))
    facts["notes"] = ["The file is measured as it is: it is the baseline of its study."]
    return {"model.tflite": data, "facts.json": json.dumps(facts).encode()}


def _saved_model(data: bytes, file: ModelFile, progress: Progress) -> Files:
    progress(0.1, "checking its graph and loading it")
    saved = open_saved_model(data)
    if not has_layers(data):
        return _signature_only(saved, file, (), progress)
    file = replace(file, format=KERAS_SAVED_MODEL, keras=2)
    progress(0.2, "rebuilding its layers")
    try:
        source, notes = rebuild(data)
        inputs = random_inputs(source, source, seed=0)
        compare_with_signature(source, saved, inputs)
        return _keras(source, replace(file, kind="keras"), notes, progress)
    except InputError as error:
        reason = str(error).rstrip(".")
        note = f"Its Keras layers cannot be used, so it cannot be trained: {reason}."
        return _signature_only(saved, file, (note,), progress)


def _signature_only(
    saved: SavedModel, file: ModelFile, notes: tuple[str, ...], progress: Progress
) -> Files:
    progress(0.4, "converting it to TFLite")
    try:
        tflite = saved.converter().convert()
    except Exception as error:
        raise InputError(
            f"TensorFlow cannot convert this SavedModel to TFLite: {reason_of(error)}. Upload the "
            "Keras model it came from."
        ) from error
    facts = file_facts(file, tflite, _NO_LAYERS)
    progress(0.8, "comparing outputs on random input")
    arrays = random_input(tflite, SAMPLES)
    expected = [np.asarray(x, np.float32) for x in saved.call(arrays)]
    verification = compared(expected, run_file(tflite, arrays), [], "converted to TFLite")
    facts["verification"] = asdict(verification)
    facts["has_loops"] = saved.has_loops
    facts["notes"] = [*notes, *_possible(saved)]
    return {"saved_model.zip": saved.archive, "facts.json": json.dumps(facts).encode()}


def _possible(saved: SavedModel) -> list[str]:
    modes = "float16 and dynamic range" if saved.has_loops else "every post-training mode"
    found = [f"It can be converted and quantized ({modes}); nothing in it can be trained."]
    if saved.has_loops:
        found.append("It has a loop, as recurrent layers do, so it takes one sample at a time.")
    return found
