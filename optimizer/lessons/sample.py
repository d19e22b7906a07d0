"""The sample that lessons show: weights and data of the bundled digits model.

They are read from the files that ship with the product and not from a store, where a person may
have deleted the sample study.
"""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Mapping
from functools import cache

import numpy as np

from optimizer.bundled import STUDY_FILE
from optimizer.measure.tflite_file import TfliteFile
from optimizer.measure.weights import Weight
from optimizer.recipe import Recipe
from optimizer.samples import DATASETS


@cache
def baseline_file() -> bytes:
    """The float32 ``.tflite`` of the bundled sample study."""
    with zipfile.ZipFile(STUDY_FILE) as archive:
        study = json.loads(archive.read("study.json"))
        key = next(
            variant["stages"]["convert"]
            for variant in study["variants"]
            if Recipe.parse(variant["recipe"]).is_baseline
        )
        return archive.read(f"artifacts/{key}/model.tflite")


@cache
def sample_weights() -> Mapping[str, Weight]:
    """Layer name → its float32 weights in the sample model."""
    return {weight.name: weight for weight in TfliteFile.read(baseline_file()).weights}


def kernel(layer: str) -> np.ndarray:
    """The weights of one layer, float32, as the file has them.

    Output channels are on the first axis: (outputs, inputs) of a dense layer, (outputs, height,
    width, inputs) of a convolution.
    """
    return sample_weights()[layer].dequantized()


@cache
def digits() -> Mapping[str, np.ndarray]:
    """``x_train``, ``y_train``, ``x_test``, ``y_test`` of the sample data as they are."""
    with np.load(DATASETS["digits"].path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


@cache
def layer_names() -> tuple[str, ...]:
    """The layers whose activations :func:`activations` returns, from input to output."""
    return tuple(activations(digits()["x_test"][:1]))


def activations(samples: np.ndarray) -> Mapping[str, np.ndarray]:
    """What the sample model computes inside, read out of TFLite's interpreter.

    Args:
        samples: float32, shape (n, 8, 8, 1).

    Returns:
        Layer name → float32, shape (n, …), after the layer's activation function; ``image`` is
        the input itself.
    """
    # Imported here: only the page that asks for it loads the runtime.
    from ai_edge_litert.interpreter import Interpreter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of the memory that keeping all tensors takes
        interpreter = Interpreter(
            model_content=baseline_file(), experimental_preserve_all_tensors=True
        )
    entry = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(entry, samples.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(entry, samples.astype(np.float32))
    interpreter.invoke()
    found = {"image": samples}
    for details in interpreter.get_tensor_details():
        layer = next((name for name in sample_weights() if f"/{name}/" in details["name"]), None)
        if layer is not None and len(details["shape"]) and details["shape"][0] == len(samples):
            found[layer] = interpreter.get_tensor(details["index"])
    return found
