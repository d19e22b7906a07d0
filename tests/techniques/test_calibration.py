"""Real conversions to int8, calibrated with good and with bad data."""

import json

import pytest

from optimizer.errors import InputError
from optimizer.models.flat import save_flat
from optimizer.stage import ignore_progress
from optimizer.techniques import calibration

PARAMS = {"task": "multiclass", "metric": None, "from_logits": [], "seed": 0}


def found(plain_model, data, *draws):
    sets = [{"draw": draw, "count": 100, "label": 1, "seed": 0} for draw in draws]
    inputs = {"model": {"model.keras": save_flat(plain_model)}, "data": data}
    files = calibration.stage({**PARAMS, "sets": sets}, inputs, ignore_progress)
    return json.loads(files["calibration.json"])


def test_data_on_another_scale_ruin_a_sound_model(plain_model, data):
    result = found(plain_model, data, "random", "dark")
    good, dark = result["found"]
    assert result["metric"] == "accuracy"
    assert (good["samples"], dark["samples"]) == (100, 100)
    assert good["value"] > 0.9
    assert dark["value"] < good["value"] - 0.2
    low, high = good["interval"]
    assert low < good["value"] < high


def test_a_class_that_is_not_there_is_refused_in_words(plain_model, data):
    sets = [{"draw": "one_class", "count": 10, "label": 99, "seed": 0}]
    inputs = {"model": {"model.keras": save_flat(plain_model)}, "data": data}
    with pytest.raises(InputError, match="no training sample of class 99"):
        calibration.stage({**PARAMS, "sets": sets}, inputs, ignore_progress)
