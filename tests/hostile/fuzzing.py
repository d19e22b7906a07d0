"""``python -m tests.hostile.fuzzing EXAMPLES``: damaged uploads, each refused or read.

A process of its own, without TensorFlow: what is tried here may crash native code, and its memory
is limited and measured. For every kind of upload one sound file is changed in as many ways, and
whatever the app and the first checks of a stage make of it has to be a sound result or an
``InputError``. Prints JSON: for each kind how many were refused and read and the processor time
that took, and by how many bytes the process grew.
"""

import io
import json
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from PIL import Image

from optimizer import samples
from optimizer.data.formats import inspect_upload as inspect_data
from optimizer.data.images import inspect_images, read_images
from optimizer.data.npz import inspect_npz, read_npz
from optimizer.data.options import DataOptions
from optimizer.data.table_raw import table_raw
from optimizer.data.tables import describe_columns, propose_labels, read_table
from optimizer.errors import InputError
from optimizer.grid import Grid
from optimizer.measure.tflite_file import describe
from optimizer.models.inspect import identify, inspect_upload
from optimizer.recipe import Recipe
from optimizer.store import Store
from optimizer.store.archive import export_study, import_study
from tests.hostile import arrays, configs, hdf5, tflites, wire
from tests.hostile.forge import keras, zipped
from tests.hostile.mutating import (
    CHANGES,
    bytes_changed,
    json_changed,
    member_changed,
    members_of,
)
from tests.hostile.weighing import peak
from tests.store.building import build_study
from tests.store.forging import forged

ADDRESS_SPACE = 4 * 2**30


def model(data):
    if identify(data, "upload").kind == "keras":
        inspect_upload(data, "upload")


def tflite(data):
    identify(data, "upload")
    describe(data)


def array(data):
    inspect_npz(data)
    read_npz(data)


def table(data):
    frame = read_table(data)
    columns = describe_columns(frame)
    propose_labels(columns)
    table_raw(frame, DataOptions(), "csv")


def pictures(data):
    if inspect_data(data, "upload").format == "images":
        inspect_images(data)
        read_images(data, DataOptions(sample_shape=(8, 8, 3)))


def recipe(data):
    Recipe.parse(data)


def grid(data):
    Grid.parse(data).expand()


def image_folders():
    members = []
    for index, form in enumerate(("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")):
        buffer = io.BytesIO()
        Image.effect_mandelbrot((24, 24), (-2, -1, 1, 1), 20).convert("RGB").save(buffer, form)
        kind = ("cat", "dog")[index % 2]
        members.append((f"{kind}/{index}.{form.lower()}", buffer.getvalue()))
    return zipped(members)


def some_table(form):
    frame = pd.DataFrame(
        {
            "size": np.linspace(-1, 1, 30),
            "kind": ["red", "green", "blue"] * 10,
            "ok": [True, False] * 15,
            "tokens": ["1 2 3", "4 5"] * 15,
            "label": np.arange(30) % 3,
        }
    )
    buffer = io.BytesIO()
    frame.to_parquet(buffer) if form == "parquet" else frame.to_csv(buffer, index=False)
    return buffer.getvalue()


def some_graph():
    graph = wire.saved_model(wire.function("serve", wire.node("n", "Identity")))
    return zipped([("m/saved_model.pb", graph), ("m/variables/variables.index", b"x" * 50)])


RECIPE = {
    "prune": {"schedule": {"kind": "polynomial", "final_sparsity": 0.8, "end": 0.75}},
    "cluster": {"number_of_clusters": 16},
    "quantize": {"mode": "int8", "aware": True},
    "layers": {"dense": {"final_sparsity": 0.3}},
    "seed": 1,
}
GRID = {
    "prune": [None, {"schedule": {"kind": "constant", "target_sparsity": [0.5, 0.8]}}],
    "cluster": [None, {"number_of_clusters": [8, 16]}],
    "quantize": {"mode": ["none", "int8"]},
}


def archive_seed(store):
    study = build_study(store)
    buffer = io.BytesIO()
    export_study(store, study.id, buffer)
    return buffer.getvalue()


def archive_changed(data, changes):
    """An archive whose manifest agrees with what was changed in it, one time in two."""
    if changes[0][0] % 2:
        return bytes_changed(data, changes)
    members = dict(members_of(data))
    members["study.json"] = json_changed(members["study.json"], changes).encode()
    return forged(members)


def pictures_changed(data, changes):
    """A zip in which every picture was changed."""
    return zipped([(name, bytes_changed(image, changes)) for name, image in members_of(data)])


def kinds(store):
    """name → (a sound file, what changes it, what looks at it)."""
    functional = keras(configs.chain(a="x", b="a"))
    as_text = (
        ("recipe", json.dumps(RECIPE).encode(), recipe),
        ("grid", json.dumps(GRID).encode(), grid),
    )
    found = {
        "keras, bytes": (functional, bytes_changed, model),
        "keras, members": (functional, member_changed, model),
        "h5 of Keras 2": (samples.load_sample_model("cancer_mlp"), bytes_changed, model),
        "h5, small": (hdf5.hdf5(hdf5.HONEST), bytes_changed, model),
        "SavedModel": (some_graph(), member_changed, model),
        "tflite": (tflites.packed(tflites.model()), bytes_changed, tflite),
        "npz, bytes": (arrays.archive(), bytes_changed, array),
        "npz, members": (arrays.archive(), member_changed, array),
        "csv": (some_table("csv"), bytes_changed, table),
        "parquet": (some_table("parquet"), bytes_changed, table),
        "images, members": (image_folders(), member_changed, pictures),
        "images, each": (image_folders(), pictures_changed, pictures),
        "study archive": (
            archive_seed(store),
            archive_changed,
            lambda data: import_study(store, io.BytesIO(data)),
        ),
    }
    for name, seed, look in as_text:
        found[f"{name}, bytes"] = (seed, bytes_changed, look)
        found[f"{name}, values"] = (
            seed,
            lambda data, changes: json_changed(data, changes).encode(),
            look,
        )
    return found


def fuzz(seed, change, look, examples):
    """Change a file in so many ways and look at each; whatever else it raises ends this."""
    seen = Counter()
    look(seed)

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(CHANGES)
    def once(changes):
        try:
            look(change(seed, changes))
        except InputError as error:
            text = str(error)
            assert text.strip(), changes
            assert "\n" not in text, text
            assert text.endswith((".", "…")), text
            seen["refused"] += 1
        else:
            seen["read"] += 1

    started = time.process_time()
    once()
    return {**seen, "seconds": round(time.process_time() - started, 1)}


def main():
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    examples = int(sys.argv[1])
    wanted = sys.argv[2:]
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(Path(folder))
        before = peak(resource.RUSAGE_SELF)
        found = {
            name: fuzz(*parts, examples)
            for name, parts in kinds(store).items()
            if not wanted or name in wanted
        }
        store.close()
    grown = peak(resource.RUSAGE_SELF) - before
    json.dump({"kinds": found, "grown_bytes": grown}, sys.stdout)


if __name__ == "__main__":
    main()
