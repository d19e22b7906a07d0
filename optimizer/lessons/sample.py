"""The sample that lessons show: weights and data of the bundled digits model.

They are read from the files that ship with the product and not from a store, where a person may
have deleted the sample study.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from functools import cache

import numpy as np

from optimizer.bundled import STUDY_FILE
from optimizer.measure.tflite_file import TfliteFile
from optimizer.measure.weights import Weight
from optimizer.recipe import Recipe
from optimizer.samples import DATASETS

MODEL_TITLE = "the sample model that reads handwritten digits"
"""What the lessons call it in a sentence."""


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
