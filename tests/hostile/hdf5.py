"""HDF5 files that lead outside themselves, load plug-ins, or declare what they do not store.

Only the isolated stage process reads HDF5: its library is native code.
"""

import io
import json

import h5py
import numpy as np

from tests.hostile import HostileFile
from tests.hostile.configs import dense, lambda_layer, model, old_lambda
from tests.hostile.forge import hdf5, keras

HONEST = {
    "class_name": "Sequential",
    "config": {
        "name": "m",
        "layers": [
            {
                "class_name": "Dense",
                "config": {"name": "dense", "units": 2, "batch_input_shape": [None, 4]},
            }
        ],
    },
}


def filtered(*filters):
    """Changes a file: its weights pass through filters, each a number and values."""

    def change(file):
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_chunk((4, 2))
        properties.set_obj_track_times(False)
        for number, values in filters:
            properties.set_filter(number, h5py.h5z.FLAG_OPTIONAL, values)
        space = h5py.h5s.create_simple((4, 2))
        group = file["model_weights"].id
        h5py.h5d.create(group, b"x", h5py.h5t.IEEE_F32LE, space, dcpl=properties)

    return change


def external_storage(secret):
    def change(file):
        file.create_dataset("model_weights/x", (25,), "float32", external=[(secret, 0, 100)])

    return change


def virtual(secret):
    def change(file):
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_obj_track_times(False)
        space = h5py.h5s.create_simple((4,))
        properties.set_virtual(space, secret.encode(), b"x", space)
        group = file["model_weights"].id
        h5py.h5d.create(group, b"x", h5py.h5t.IEEE_F32LE, space, dcpl=properties)

    return change


def user_defined(secret):
    """A file whose external link was made one of a type that only its maker knows."""
    data = hdf5(
        HONEST, lambda file: file.__setitem__("model_weights/x", h5py.ExternalLink("zq.h5", "/"))
    )
    # A link message: version 1, flags 8 (its type follows), type 64, length and name.
    place = data.index(b"\x01\x08\x40\x01x") if b"\x01\x08\x40\x01x" in data else -1
    return data if place < 0 else data[: place + 2] + b"\x41" + data[place + 3 :]


def changes(secret):
    """name → (what it tries, phrase, change)."""

    def weights(**options):
        return lambda file: file["model_weights"].create_dataset("x", **options)

    def linked(target):
        return lambda file: file["model_weights"].__setitem__("x", target)

    def datatype(file):
        file["model_weights/x"] = np.dtype("float32")

    def reference(file):
        file["model_weights"].create_dataset("x", (1,), h5py.ref_dtype)[0] = file.ref

    compound = np.zeros(2, [("a", "f4"), ("b", "f4")])
    texts = np.array(["a"], dtype=h5py.string_dtype())
    return {
        "external_link": (
            "read another file",
            "an external link at 'x'",
            linked(h5py.ExternalLink(secret, "/x")),
        ),
        "soft_link": ("lead somewhere else", "a soft link at 'x'", linked(h5py.SoftLink("/gone"))),
        "external_storage": (
            "have a local file's bytes as weights",
            "kept outside the HDF5 file, in",
            external_storage(secret),
        ),
        "virtual": ("map other files' datasets", "are a virtual dataset", virtual(secret)),
        "huge_shape": (
            "declare 4 TB of weights",
            "declare the shape (1048576, 1048576), 4,398",
            weights(shape=(2**20, 2**20), dtype="float32", chunks=(1024, 1024)),
        ),
        "nothing_stored": (
            "declare 400 MB and store nothing",
            "of which 0 are stored",
            weights(shape=(100_000_000,), dtype="float32", chunks=(1024,)),
        ),
        "deflated_zeros": (
            "store 500 MB as some kB",
            "500,000,000 bytes, of which",
            weights(
                shape=(500, 1_000_000),
                dtype="uint8",
                chunks=(1, 1_000_000),
                compression="gzip",
                fillvalue=0,
            ),
        ),
        "plugin_filter": ("have a plug-in loaded", "(filter 32015)", filtered((32015, (3,)))),
        "gzip_twice": (
            "be a bomb within a bomb",
            "compressed 2 times over",
            filtered((1, (9,)), (1, (9,))),
        ),
        "references": ("point to other objects", "dtype of references", reference),
        "sequences": (
            "hold sequences of any length",
            "dtype of sequences of any length",
            weights(shape=(1,), dtype=h5py.vlen_dtype("int32")),
        ),
        "texts": ("hold text", "dtype of texts", weights(data=texts)),
        "compound": ("hold records", "the dtype [('a'", weights(data=compound)),
        "named_type": ("hold a type in place of weights", "has a datatype at 'x'", datatype),
    }


def files(targets):
    secret, marker = str(targets.secret), targets.marker

    def refused(name, tries, phrase, data, attack=None):
        return HostileFile(name, "model", tries, phrase, data, attack or name, in_stage=True)

    for name, (tries, phrase, change) in changes(secret).items():
        yield refused(f"hdf5_{name}.h5", tries, phrase, hdf5(HONEST, change))
    yield refused(
        "hdf5_user_link.h5",
        "use a link of a type of its own",
        "a user-defined link",
        user_defined(secret),
    )

    def member(change):
        buffer = io.BytesIO()
        with h5py.File(buffer, "w") as file:
            file.create_group("model_weights")
            change(file)
        return buffer.getvalue()

    for name in ("external_link", "external_storage", "virtual"):
        tries, phrase, change = changes(secret)[name]
        data = keras(model(dense()), replace={"model.weights.h5": member(change)})
        yield refused(f"weights_{name}.keras", tries, phrase, data, f"hdf5_{name}.h5")

    def old(layer):
        layers = [layer]
        return hdf5({"class_name": "Sequential", "config": {"name": "m", "layers": layers}})

    yield refused(
        "lambda_marshal.h5",
        "run marshalled byte code",
        "contains a Lambda layer",
        old(old_lambda(marker)),
        "lambda",
    )
    wrapper = {"name": "t", "layer": lambda_layer(marker), "batch_input_shape": [None, 2, 4]}
    yield refused(
        "lambda_wrapped.h5",
        "run byte code inside a wrapper",
        "contains a Lambda layer",
        old({"class_name": "TimeDistributed", "config": wrapper}),
        "lambda",
    )
    yield refused(
        "lambda_marshal_renamed.keras",
        "run byte code under another name",
        "contains a Lambda layer",
        old(old_lambda(marker)),
        "lambda",
    )
    options = {"function": "io.gfile.makedirs", "name": "o", "batch_input_shape": [None, 4]}
    yield refused(
        "operation_makedirs.h5",
        "call a TensorFlow function",
        "'io.gfile.makedirs'",
        old({"class_name": "TFOpLambda", "config": options}),
        "operation_makedirs",
    )
    large = json.loads(json.dumps(HONEST))
    large["config"]["layers"][0]["config"]["units"] = 1_000_000
    yield refused(
        "hdf5_units.h5", "allocate a layer that is not in the file", "units=1000000", hdf5(large)
    )
    yield refused(
        "hdf5_no_architecture.h5", "have weights only", "weights but no architecture", hdf5()
    )
    yield refused(
        "hdf5_config_array.h5",
        "have numbers as configuration",
        "'model_config' of this HDF5 file is int64 of shape (1000,)",
        hdf5(attributes={"model_config": np.arange(1000)}),
    )
    yield refused(
        "hdf5_config_not_json.h5",
        "confuse the parser",
        "The model_config of this model is not valid JSON",
        hdf5(attributes={"model_config": "{nope"}),
    )
    honest = hdf5(HONEST)
    yield refused(
        "hdf5_cut.h5",
        "be cut short",
        "HDF5 file is damaged or cut short",
        honest[: len(honest) // 2],
    )
