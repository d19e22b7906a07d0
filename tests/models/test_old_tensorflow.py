"""Files that old versions of TensorFlow and Keras wrote: they answer as they did then.

See old_tensorflow/make.py, which wrote them.
"""

import io
import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from optimizer.errors import InputError
from optimizer.models.flat import load_flat
from tests.models import zoo
from tests.models.conftest import hdf5, import_files, import_model, saved, sequential
from tests.models.test_every_layer import difference, outputs

ARCHIVE = zipfile.ZipFile(Path(__file__).parent / "old_tensorflow" / "files.zip")
FILES = [
    name
    for name in sorted(ARCHIVE.namelist())
    if name.endswith((".h5", ".keras")) or (name.endswith(".zip") and "/" in name)
]
QUICK = (
    "keras_2.1/ends.h5",
    "keras_3.0/transfer.keras",
    "keras_3.8/images.h5",
    "tensorflow_1.14/images.h5",
    "tensorflow_2.0/images.zip",
    "tensorflow_2.4/ends.zip",
    "tensorflow_2.12/images.keras",
    "tensorflow_2.13/ends.keras",
)


def test_all_ages_are_there():
    assert len(FILES) == 39
    assert {name.split("/")[0] for name in FILES} == {name.split("/")[0] for name in QUICK}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in FILES]
)
def test_an_old_file_answers_as_it_did(name):
    facts, files = import_files(ARCHIVE.read(name), name)
    assert facts["kind"] == "keras", facts["notes"]
    assert facts["source_format"].startswith("Keras 3" if "keras_3" in name else "Keras 2")
    arrays = np.load(io.BytesIO(ARCHIVE.read(f"{name.rsplit('.', 1)[0]}.npz")))
    xs, ys = ([arrays[key] for key in sorted(arrays) if key[0] == end] for end in "xy")
    flat = load_flat(files["model.keras"])
    assert difference(ys, outputs(flat, xs)) < 1e-5


def test_attention_of_tensorflow_2_4_which_did_not_keep_its_shapes(tmp_path):
    import tf_keras

    model = zoo.randomize(zoo.attention(tf_keras))
    buffer = io.BytesIO(saved(model, tmp_path, "model.h5"))
    with h5py.File(buffer, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        for layer in config["config"]["layers"]:
            for name in ("query_shape", "key_shape", "value_shape"):
                layer["config"].pop(name, None)
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "2.4.0"
    _, flat = import_model(buffer.getvalue(), "model.h5")
    xs = zoo.samples(model, 5)
    assert difference(outputs(model, xs), outputs(flat, xs)) < 1e-5


def test_functions_as_tensorflow_2_0_to_2_3_wrote_them_are_refused():
    options = {"name": "mul", "node_def": "name: 'mul'\nop: 'Mul'", "constants": {"1": 2.0}}
    config = sequential({"class_name": "TensorFlowOpLayer", "config": options})
    with pytest.raises(InputError, match=r"TensorFlow 2.0 to 2.3.*Replace them by layers"):
        import_files(hdf5(config, version="2.2.4-tf"), "model.h5")
