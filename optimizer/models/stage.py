"""The stage that turns an uploaded file into a flat tf_keras model. Stage processes only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from optimizer.models.bridge import to_flat
from optimizer.models.facts import model_facts
from optimizer.models.flat import load_flat, save_flat
from optimizer.models.inspect import inspect_upload
from optimizer.models.load import load
from optimizer.models.verify import verify
from optimizer.stage import Files, Progress


def import_model(
    params: Mapping[str, Any], inputs: Mapping[str, Files], progress: Progress
) -> Files:
    """Inspect, load, flatten and verify a model.

    Args:
        params: ``file_name``, as uploaded.
        inputs: ``file`` with ``data``.
        progress: told before each step.

    Returns:
        ``model.keras``: a flat functional tf_keras model, float32, uncompiled; ``facts.json``.

    Raises:
        InputError: the file was refused, or the conversion is not faithful.
    """
    data = inputs["file"]["data"]
    progress(0.0, "inspecting the file")
    inspected = inspect_upload(data, params["file_name"])
    progress(0.1, "loading it")
    source = load(data, inspected)
    progress(0.4, "rebuilding it in Keras 2")
    flat = to_flat(source)
    saved = save_flat(flat.model)
    model = load_flat(saved)
    progress(0.7, "comparing outputs on random input")
    verification = verify(source, flat, model)
    facts = model_facts(inspected.file, model, verification, inspected.notes + flat.notes)
    return {"model.keras": saved, "facts.json": json.dumps(facts).encode()}
