"""CSV and Parquet: columns are told apart, and every decision is said in a sentence."""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest

from optimizer.data.arrays import load_arrays
from optimizer.data.formats import inspect_upload
from optimizer.errors import InputError
from tests.data.conftest import prepare


def facts_of(files):
    return json.loads(files["facts.json"])


def parquet(frame) -> bytes:
    return frame.to_parquet(index=False)


def people(rows=40):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": rng.integers(18, 80, rows),
            "height": rng.random(rows) + 1,
            "member": rng.random(rows) > 0.5,
            "city": rng.choice(["Bern", "Lund", "Oslo"], rows),
            "name": [f"person {i} with a long name {i * 7919}" for i in range(rows)],
            "label": rng.choice(["no", "yes", "maybe"], rows),
        }
    ).astype({"name": str})


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_columns_are_told_apart_before_anything_is_read(form):
    frame = pd.concat([people(), people()])
    frame["name"] = [f"person {i}" for i in range(len(frame))]
    data = frame.to_csv(index=False).encode() if form == "csv" else parquet(frame)

    summary = inspect_upload(data, f"people.{form}")

    assert summary.format == form
    assert summary.rows == 80
    assert summary.takes_model_shape
    assert {column["name"]: column["kind"] for column in summary.columns} == {
        "age": "number",
        "height": "number",
        "member": "truth",
        "city": "category",
        "name": "text",
        "label": "category",
    }
    assert summary.proposed_labels == ("label",)


def test_categories_become_one_hot_and_class_names_are_numbered():
    frame = people()
    files = prepare(frame.drop(columns="name").to_csv(index=False).encode(), "people.csv")
    facts, arrays = facts_of(files), load_arrays(files)

    assert facts["feature_names"] == [
        *("age", "height", "member", "city=Bern", "city=Lund", "city=Oslo"),
    ]
    assert facts["class_names"] == ["maybe", "no", "yes"]
    assert (facts["x_shape"], facts["classes"], facts["train"]) == ([6], 3, 30)
    x = np.concatenate([arrays.x_train[0], arrays.x_test[0]])
    assert set(x[:, 3:].sum(axis=1)) == {1.0}
    assert sorted(x[:, 0]) == sorted(frame["age"].astype(np.float32))
    notes = " ".join(facts["notes"])
    assert "one-hot, in alphabetical order: city" in notes
    assert "0 = maybe, 1 = no, 2 = yes" in notes


def test_several_label_columns_are_several_labels_or_several_targets():
    frame = pd.DataFrame(np.random.default_rng(0).random((20, 3)), columns=["a", "b", "c"])
    frame["p"], frame["q"] = [0, 1] * 10, [1, 1, 0, 0] * 5
    labels = facts_of(prepare(frame.to_csv(index=False).encode(), labels=["p", "q"]))
    targets = facts_of(prepare(frame.to_csv(index=False).encode(), labels=["b", "c"]))

    assert (labels["y_kind"], labels["y_shape"], labels["x_shape"]) == ("multilabel", [2], [3])
    assert (targets["y_kind"], targets["y_shape"], targets["x_shape"]) == ("real", [2], [3])


@pytest.mark.parametrize(
    ("columns", "label"),
    [
        (["age", "height", "label", "city"], "label"),
        (["age", "city", "height"], "city"),
        (["age", "city", "member", "height"], "height"),
        (["age", "height"], "height"),
    ],
)
def test_the_label_is_proposed_by_its_name_or_its_kind(columns, label):
    table = people()[columns].to_csv(index=False).encode()
    assert inspect_upload(table, "people.csv").proposed_labels == (label,)


def test_without_label_columns_there_are_no_labels():
    facts = facts_of(prepare(b"a,b\n1,2\n3,4\n5,6\n7,8\n", "d.csv", labels=[]))

    assert (facts["y_kind"], facts["x_shape"]) == ("none", [2])


def test_columns_can_be_left_out():
    facts = facts_of(prepare(b"id,a,b,y\n1,2,3,0\n2,3,4,1\n3,4,5,0\n4,9,9,1\n", left_out=["id"]))

    assert facts["feature_names"] == ["a", "b"]


def test_rows_with_missing_values_are_left_out_and_counted():
    facts = facts_of(prepare(b"a,b,y\n1,2,0\n,2,1\n3,,1\n4,5,0\n6,7,1\n8,9,1\n", "d.csv"))

    assert facts["train"] + facts["test"] == 4
    assert "2 of 6 rows have a missing value" in " ".join(facts["notes"])


@pytest.mark.parametrize(
    "text",
    [
        "a;b;y\n1,5;2;0\n2,5;3;1\n3,5;4;0\n4,5;4;1\n",
        "a\tb\ty\n1.5\t2\t0\n2.5\t3\t1\n3.5\t4\t0\n4.5\t4\t1\n",
        "1.5,2,0\n2.5,3,1\n3.5,4,0\n4.5,4,1\n",
    ],
    ids=["semicolon and decimal comma", "tab", "no header"],
)
def test_other_ways_to_write_a_table(text):
    arrays = load_arrays(prepare(text.encode(), "d.csv"))

    assert sorted(np.concatenate([arrays.x_train[0], arrays.x_test[0]])[:, 0]) == [
        *(1.5, 2.5, 3.5, 4.5)
    ]


def test_rows_take_the_shape_of_the_models_input():
    frame = pd.DataFrame(np.arange(4 * 16).reshape(4, 16))
    frame["label"] = [0, 1, 0, 1]
    facts = facts_of(prepare(frame.to_csv(index=False).encode(), sample_shape=[4, 4, 1]))

    assert facts["x_shape"] == [4, 4, 1]
    assert "samples of shape (4, 4, 1)" in " ".join(facts["notes"])


def test_sequences_of_tokens_are_padded_and_cut_to_the_models_length():
    rows = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 10], [2, 2]]
    as_lists = parquet(pd.DataFrame({"tokens": rows, "label": [0, 1, 0, 1]}))
    as_text = pd.DataFrame({"tokens": [" ".join(map(str, [*r, 0])) for r in rows]})
    as_text["label"] = [0, 1, 0, 1]

    for data, name in ((as_lists, "t.parquet"), (as_text.to_csv(index=False).encode(), "t.csv")):
        files = prepare(data, name, sample_shape=[4])
        arrays, facts = load_arrays(files), facts_of(files)
        x = np.concatenate([arrays.x_train[0], arrays.x_test[0]])
        assert sorted(map(tuple, x)) == [(1, 2, 3, 0), (2, 2, 0, 0), (4, 0, 0, 0), (5, 6, 7, 8)]
        assert facts["x_dtype"] == "int64"
        assert "cut off there" in " ".join(facts["notes"])


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        (b"a,b\n1,2\n", {"labels": ["nope"]}, "no column 'nope'. It has a, b"),
        (b"a,b,a\n1,2,3\n", {"labels": ["x"]}, "no column 'x'"),
        (b"a,b\n", {}, "no rows"),
        (b"a,b\n1,2\n1,2,3,4\n", {}, "cannot be read"),
        (b"PAR1 and then nothing", {}, "Parquet file cannot be read"),
        (b"\0\1\2\3" * 50, {}, "not a data file"),
        (b"x,y\nhello,1\nworld,2\n" + b"".join(b"t%d,1\n" % i for i in range(99)), {}, "No column"),
    ],
)
def test_tables_that_cannot_be_used_are_explained(data, options, words):
    with pytest.raises(InputError, match=words):
        prepare(data, "d.csv", **options)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x80\x04K", "pickle, which can run code"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"PAR1 broken", "cannot be read"),
    ],
)
def test_other_files_are_refused_before_they_are_stored(data, words):
    with pytest.raises(InputError, match=words):
        inspect_upload(data, "data.bin")


def test_changed_bytes_of_a_parquet_file_end_in_a_sentence_or_a_table():
    original = np.frombuffer(parquet(people()), np.uint8)
    rng = np.random.default_rng(0)
    for _ in range(4):
        data = original.copy()
        data[rng.integers(4, len(data), 20)] = rng.integers(0, 256, 20)
        with suppress(InputError):
            assert inspect_upload(data.tobytes(), "d.parquet").rows


def test_excel_is_explained():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
    with pytest.raises(InputError, match=r"Excel workbook. Save the sheet as \.csv"):
        inspect_upload(buffer.getvalue(), "d.xlsx")
