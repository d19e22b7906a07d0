"""The bundled samples are there, are what they say, and stay small."""

import numpy as np
import pytest

from optimizer import samples
from optimizer.errors import InputError


def test_every_sample_is_there_and_they_are_small():
    bundled = [*samples.MODELS.values(), *samples.DATASETS.values()]
    assert sum(sample.path.stat().st_size for sample in bundled) < 5_000_000
    for sample in bundled:
        assert sample.dataset in samples.DATASETS
        assert sample.description.endswith(".")


@pytest.mark.parametrize("name", list(samples.DATASETS))
def test_datasets_hold_every_class_in_both_parts(name):
    with np.load(samples.DATASETS[name].path, allow_pickle=False) as arrays:
        assert arrays["x_train"].dtype == arrays["x_test"].dtype == np.float32
        assert set(arrays["y_train"]) == set(arrays["y_test"])
        assert len(arrays["x_train"]) == len(arrays["y_train"])


def test_an_unknown_sample_is_refused_with_the_known_ones_named():
    with pytest.raises(InputError, match="digits_cnn, digits_mobilenet, cancer_mlp"):
        samples.load_sample_model("digit_cnn")
