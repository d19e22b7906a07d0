"""Good files are read; hostile and broken ones end in one sentence."""

from __future__ import annotations

import os
import struct
import zipfile

import numpy as np
import pytest

from optimizer.data.formats import inspect_upload
from optimizer.data.npz import inspect_npz, read_npz
from optimizer.errors import InputError
from tests.data.conftest import npy, npz, zipped


def refused(data, message):
    with pytest.raises(InputError, match=message):
        inspect_npz(data)
    with pytest.raises(InputError):
        read_npz(data)


@pytest.mark.parametrize("compressed", [False, True])
def test_arrays_come_back_as_saved(four, compressed):
    data = npz(compressed, **four)

    raw = read_npz(data)

    assert raw.split
    assert [list(raw.inputs), list(raw.targets)] == [["x"], ["y"]]
    for name, arrays in (("x", raw.inputs["x"]), ("y", raw.targets["y"])):
        assert np.array_equal(arrays[0], four[f"{name}_train"])
        assert np.array_equal(arrays[1], four[f"{name}_test"])


def test_several_inputs_and_outputs_are_told_by_their_names():
    names = ("x_train_image", "x_train_age", "x_test_image", "x_test_age")
    targets = ("y_train_kind", "y_train_price", "y_test_kind", "y_test_price")
    raw = read_npz(npz(**{name: np.zeros((4, 2)) for name in names + targets}))

    assert list(raw.inputs) == ["image", "age"]
    assert list(raw.targets) == ["kind", "price"]
    assert raw.split


def test_inspecting_lists_names_shapes_and_dtypes(four):
    summary = inspect_upload(npz(**four, groups=np.zeros(3, np.int32)), "my data.NPZ")

    assert [(a.name, a.shape, a.dtype) for a in summary.arrays][::2] == [
        ("x_train", (30, 4, 4, 1), "float64"),
        ("y_train", (30,), "int64"),
    ]
    assert summary.has_test
    assert summary.ignored == ("groups",)


@pytest.mark.parametrize(
    ("names", "used", "has_test"),
    [
        (("x", "y"), ("x", "y"), False),
        (("X", "Y"), ("X", "Y"), False),
        (("x",), ("x",), False),
        (("x_train", "x_test"), ("x_train", "x_test"), True),
        (("x_train", "x_test", "x", "y"), ("x", "y"), False),
    ],
)
def test_other_layouts(names, used, has_test):
    summary = inspect_upload(npz(**{name: np.zeros((4, 2)) for name in names}), "a.npz")

    assert tuple(a.name for a in summary.arrays) == used
    assert summary.has_test is has_test


@pytest.mark.parametrize(
    "names", [("images", "labels"), ("x_train", "y_train"), ("x_train", "y_train", "x_test"), ()]
)
def test_missing_arrays_are_named_with_those_found(names):
    data = npz(**{name: np.zeros(3) for name in names}) if names else zipped({})

    with pytest.raises(InputError, match="It needs x_train, y_train, x_test, y_test") as caught:
        inspect_upload(data, "a.npz")
    assert ", ".join(sorted(names)) in str(caught.value)


def test_names_that_differ_only_in_case_are_refused():
    refused(npz(x=np.zeros(3), X=np.zeros(3)), "differ only in case")


def test_the_content_decides_and_not_the_name(four):
    assert inspect_upload(npz(**four), "data.csv").format == "npz"


@pytest.mark.parametrize("data", [b"", b"a,b\n1,2\n", b"\x89HDF\r\n\x1a\n" + b"\0" * 100])
def test_other_contents_are_refused(data):
    refused(data, "not an .npz")


def test_a_single_array_is_explained():
    refused(npy(np.zeros(3)), r"single array \(\.npy\)")


def test_truncated_at_any_length(four):
    data = npz(**four)
    for length in range(4, len(data), 97):
        refused(data[:length], "damaged")


def test_changed_bytes_never_give_anything_but_arrays_or_a_sentence(four):
    rng = np.random.default_rng(0)
    original = np.frombuffer(npz(True, **four), np.uint8)
    refusals = 0
    for _ in range(300):
        data = original.copy()
        places = rng.integers(4, len(data), 8)
        data[places] = rng.integers(0, 256, 8)
        try:
            raw = read_npz(data.tobytes())
        except InputError:
            refusals += 1
        else:
            arrays = [a for parts in (raw.inputs, raw.targets) for p in parts.values() for a in p]
            assert all(array.dtype.kind in "biuf" for array in arrays)
    assert refusals > 200


def test_pickled_objects_are_refused_and_not_run(four, tmp_path):
    marker = tmp_path / "ran"

    class Payload:
        def __reduce__(self):
            return os.system, (f"touch {marker}",)

    hostile = np.empty(30, dtype=object)
    hostile[0] = Payload()
    refused(npz(**four | {"y_train": hostile}), "Python objects")
    assert not marker.exists()


def test_a_pickle_instead_of_an_array_is_not_run(four, tmp_path):
    marker = tmp_path / "ran"
    payload = b"cos\nsystem\n(S'touch " + bytes(marker) + b"'\ntR."
    members = {f"{name}.npy": npy(array) for name, array in four.items()}

    refused(zipped(members | {"y_train.npy": payload}), "header of 'y_train' cannot be read")
    assert not marker.exists()


@pytest.mark.parametrize(
    "array", [np.array(["cat", "dog"] * 15), np.zeros(30, "c16"), np.zeros(30, "M8[s]")]
)
def test_other_dtypes_are_refused(four, array):
    refused(npz(**four | {"y_train": array}), "has dtype")


@pytest.mark.parametrize(
    "shape", ["(2000000000, 1000)", "(-5, -6)", "(29,)", "(31,)", "(30.0,)", "'oops'"]
)
def test_headers_that_lie_about_the_shape_are_refused_before_reading(four, shape):
    honest = npy(four["y_train"])
    lying = honest.replace(b"(30,), }" + b" " * (len(shape) - 5), shape.encode() + b", }")
    assert len(lying) == len(honest)
    assert lying != honest
    members = {f"{name}.npy": npy(array) for name, array in four.items()}

    refused(zipped(members | {"y_train.npy": lying}), "damaged")


def test_code_in_a_header_is_not_evaluated(four, tmp_path):
    marker = tmp_path / "ran"
    header = f"__import__('os').system('touch {marker}')".encode().ljust(118) + b"\n"
    member = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(240)
    members = {f"{name}.npy": npy(array) for name, array in four.items()}

    refused(zipped(members | {"y_train.npy": member}), "header of 'y_train' cannot be read")
    assert not marker.exists()


def test_compression_bombs_are_refused(four):
    bomb = npz(True, **four | {"x_train": np.zeros((30, 4 * 2**18), np.float64)})

    assert len(bomb) < 2**20
    refused(bomb, "which no real data does")


@pytest.mark.parametrize("compression", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_other_compressions_are_refused(compression):
    refused(zipped({"x.npy": npy(np.zeros(3))}, compression), "NumPy does not write")


def test_arrays_too_large_in_all_are_refused():
    data = bytearray(npz(x_train=np.zeros(4), x_test=np.zeros(4)))
    directory = data.find(b"PK\x01\x02")
    struct.pack_into("<L", data, directory + 24, 3 * 2**30)  # the declared uncompressed size

    refused(bytes(data), r"3\.0 GiB; at most 2 GiB")


@pytest.mark.parametrize("name", ["../x.npy", "/etc/x.npy"])
def test_names_that_lead_outside_are_refused(name):
    refused(zipped({name: npy(np.zeros(3))}), "a path that leads out")


@pytest.mark.parametrize("name", ["a/x.npy", "x.txt", "x.npy\n.npy"])
def test_names_that_are_no_arrays_are_refused(name):
    refused(zipped({name: npy(np.zeros(3))}), "not the name of an array")


def test_too_many_members_are_refused():
    refused(npz(**{f"a{i}": np.zeros(1) for i in range(65)}), "at most 64")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_arrays_of_one_name_are_refused(tmp_path):
    path = tmp_path / "twice.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", npy(np.zeros(3)))
        archive.writestr("x.npy", npy(np.ones(3)))

    refused(path.read_bytes(), "same name")
