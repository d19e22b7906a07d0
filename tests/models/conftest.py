"""Uploads for the tests, made in code."""

import io
import json
import zipfile

import h5py
import numpy as np
import pytest

from optimizer import samples
from optimizer.stage import ignore_progress


def import_files(data, name="model.keras"):
    """Facts and files of an upload, as the stage gives them."""
    from optimizer.models.stage import import_model as stage

    files = stage({"file_name": name}, {"file": {"data": data}}, ignore_progress)
    return json.loads(files["facts.json"]), files


def import_model(data, name="model.keras"):
    """Facts and flat model of an upload."""
    from optimizer.models.flat import load_flat

    facts, files = import_files(data, name)
    return facts, load_flat(files["model.keras"])


def saved(model, tmp_path, name="model.keras"):
    path = tmp_path / name
    model.save(path)
    return path.read_bytes()


def repacked(data, *, config=None, metadata=None, add=(), drop=()):
    """A .keras archive with some members changed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    if config is not None:
        members["config.json"] = json.dumps(config).encode()
    if metadata is not None:
        members["metadata.json"] = json.dumps(metadata).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in [*members.items(), *add]:
            if name not in drop:
                archive.writestr(name, content)
    return buffer.getvalue()


def config_of(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return json.loads(archive.read("config.json"))


def hdf5(config, change=None, version="2.15.0"):
    """A legacy HDF5 model of one Dense layer's weights under any configuration."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        if config is not None:
            file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = version
        file.attrs["backend"] = "tensorflow"
        group = file.create_group("model_weights/dense/dense")
        group["kernel:0"] = np.zeros((4, 2), "float32")
        if change is not None:
            change(file)
    return buffer.getvalue()


def sequential(*layers, **more):
    return {"class_name": "Sequential", "config": {"name": "m", "layers": list(layers)}, **more}


def dense(**options):
    base = {"name": "dense", "units": 2, "activation": "linear", "batch_input_shape": [None, 4]}
    return {"class_name": "Dense", "config": {**base, **options}}


@pytest.fixture(scope="session")
def digits_cnn():
    return samples.load_sample_model("digits_cnn")
