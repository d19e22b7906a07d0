"""Archives that a stranger made: one sentence each, and the store as it was."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from optimizer.errors import InputError
from optimizer.store import Store, Study
from optimizer.store.archive import import_study
from optimizer.store.archive_shapes import SCHEMA

from .building import arrays
from .forging import EXTRA, change, edited, forged, members_of, refused, zipped


def test_the_forger_makes_archives_that_would_be_taken(store: Store, honest: bytes) -> None:
    assert import_study(store, io.BytesIO(forged(members_of(honest)))).done_count == 3
    assert import_study(store, io.BytesIO(edited(members_of(honest), lambda s: None)))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("../../evil.json", "points outside the archive"),
        ("artifacts/../../evil", "points outside the archive"),
        ("..\\..\\evil", "points outside the archive"),
        ("/etc/cron.d/evil", "is an absolute path"),
        ("C:\\evil", "is an absolute path"),
        ("\\\\server\\evil", "is an absolute path"),
        ("readme.txt", "is not a file that a study's archive has"),
        ("artifacts/", "is not a file that a study's archive has"),
        (f"artifacts/{'g' * 64}/metrics.json", "is not a file that a study's archive has"),
        (f"artifacts/{'A' * 64}/metrics.json", "is not a file that a study's archive has"),
        (f"artifacts/{'a' * 64}/meta.json", "is not a file that a study's archive has"),
        (f"artifacts/{'a' * 64}/x/metrics.json", "is not a file that a study's archive has"),
        (f"artifacts/{'a' * 64}/metrics.json\n", "is not a file that a study's archive has"),
    ],
)
def test_member_names(store: Store, honest: bytes, name: str, sentence: str) -> None:
    refused(store, zipped([*members_of(honest).items(), (name, b"{}")]), sentence)


def test_a_name_with_a_hidden_end(store: Store, honest: bytes) -> None:
    archive = zipped([*members_of(honest).items(), ("files/modelX", b"evil")])
    hidden = archive.replace(b"files/modelX", b"files/model\x00")
    refused(store, hidden, "is not a file that a study's archive has|damaged")


def test_a_symbolic_link(store: Store, honest: bytes) -> None:
    link = zipfile.ZipInfo("files/model")
    link.external_attr = 0o120777 << 16
    members = members_of(honest)
    del members["files/model"]
    refused(store, zipped([*members.items(), (link, b"/etc/passwd")]), "is a symbolic link")


def test_a_member_twice(store: Store, honest: bytes) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive = zipped([*members_of(honest).items(), ("files/model", b"evil")])
    refused(store, archive, "'files/model' appears twice")


def test_an_encrypted_member(store: Store, honest: bytes) -> None:
    archive = bytearray(honest)
    position = archive.index(b"PK\x01\x02")
    archive[position + 8] |= 1
    refused(store, bytes(archive), "is encrypted")


def test_another_compression(store: Store, honest: bytes) -> None:
    archive = zipped(list(members_of(honest).items()), zipfile.ZIP_BZIP2)
    refused(store, archive, "is compressed in a way that is not supported")


def test_a_bomb(store: Store, honest: bytes) -> None:
    members = members_of(honest)
    members["files/dataset"] = b"\x00" * 50_000_000
    refused(store, forged(members), "'files/dataset' would grow more than 200 times")


def test_a_bomb_that_lies_about_its_size(store: Store, honest: bytes) -> None:
    members = members_of(honest)
    bomb = {**members, "files/dataset": b"\x00" * 200_000_000}
    archive = zipped([*bomb.items()])
    lying = archive.replace(struct.pack("<L", 200_000_000), struct.pack("<L", 800_000))
    assert lying.count(struct.pack("<L", 800_000)) == 2
    del bomb, archive
    tracemalloc.start()
    try:
        refused(store, lying, "is not what its manifest says|is damaged|contradicts itself")
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_a_member_larger_than_its_kind_may_be(store: Store, honest: bytes) -> None:
    members = [*members_of(honest).items(), (EXTRA, b"{}" + b" " * 70_000_000)]
    refused(store, zipped(members, zipfile.ZIP_STORED), "would be 70 MB; at most 67 MB")


def test_members_on_top_of_each_other(store: Store, honest: bytes) -> None:
    archive = bytearray(honest)
    with zipfile.ZipFile(io.BytesIO(honest)) as opened:
        first = opened.getinfo("files/model").header_offset
        entry = archive.index(b"files/dataset", opened.start_dir) - 46
    archive[entry + 42 : entry + 46] = struct.pack("<L", first)
    refused(store, bytes(archive), "lies on top of another file")


@pytest.mark.parametrize("count", [60_001, 65_535])
def test_too_many_members(store: Store, honest: bytes, count: int) -> None:
    archive = bytearray(honest)
    archive[-14:-10] = struct.pack("<HH", count, count)
    refused(store, bytes(archive), f"says that it has {count} files; at most 60000")


def test_a_zip64_end_is_not_followed(store: Store, honest: bytes) -> None:
    locator = b"PK\x06\x07" + b"\x00" * 16
    refused(store, honest[:-22] + locator + honest[-22:], "its end is not the end of a plain .zip")


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_archive(store: Store, honest: bytes, kept: float) -> None:
    part = honest[: int(len(honest) * kept)]
    refused(store, part, "is not a study's archive|is cut short")


def test_any_changed_byte_is_refused_or_harmless(store: Store, honest: bytes) -> None:
    members = members_of(honest)
    chosen = np.random.default_rng(0).choice(len(honest), size=60, replace=False)
    for position in chosen:
        changed = bytearray(honest)
        changed[position] ^= 0x41
        try:
            study = import_study(store, io.BytesIO(bytes(changed)))
        except InputError:
            continue
        model = store.get_model(study.model_id)
        assert store.read_file(model.sha256) == members["files/model"]
        assert study.done_count == 3


@pytest.mark.parametrize(
    "data", [b"", b"PK", b"not a zip", b"\x89HDF\r\n\x1a\n" + b"\x00" * 100, b"PK\x03\x04" * 50]
)
def test_something_else_altogether(store: Store, study: Study, data: bytes) -> None:
    refused(store, data, "is not a study's archive|is cut short")


def test_a_path_that_cannot_be_read(store: Store, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Cannot read .*: No such file"):
        import_study(store, tmp_path / "nothing.zip")


def test_another_zip_file(store: Store, study: Study) -> None:
    refused(store, arrays(x=np.zeros(3)), "'x.npy' is not a file that a study's archive has")
    refused(store, zipped([("manifest.json", b"{}")]), "it has no 'study.json'")


@pytest.mark.parametrize("name", ["study.json", "files/model", "files/dataset"])
def test_a_missing_member(store: Store, honest: bytes, name: str) -> None:
    members = members_of(honest)
    del members[name]
    refused(store, zipped(list(members.items())), f"it has no '{name}'")


def test_a_missing_result(store: Store, honest: bytes) -> None:
    members = members_of(honest)
    lost = next(name for name in members if name.endswith("model.tflite"))
    whole = dict(members)
    del members[lost]
    refused(store, zipped(list(members.items())), f"'{lost}' is missing")
    folder = lost.rpartition("/")[0]
    without = {n: d for n, d in whole.items() if not n.startswith(folder)}
    refused(store, forged(without), "its variants and its results disagree about")
    refused(store, forged({**whole, EXTRA: b"{}"}), "disagree about")


def test_a_member_that_the_manifest_does_not_list(store: Store, honest: bytes) -> None:
    archive = zipped([*members_of(honest).items(), (EXTRA, b"{}")])
    refused(store, archive, "is not in its manifest")


@pytest.mark.parametrize("name", ["study.json", "files/model", "dataset/preview.npz"])
def test_a_changed_member(store: Store, honest: bytes, name: str) -> None:
    members = members_of(honest)
    changed = members[name][:-1] + bytes([members[name][-1] ^ 1])
    archive = zipped(list({**members, name: changed}.items()))
    refused(store, archive, f"'{name}' is not what its manifest says")


def test_a_newer_archive(store: Store, honest: bytes) -> None:
    newer = forged(members_of(honest), schema=SCHEMA + 1)
    sentence = f"its schema is {SCHEMA + 1}, this one reads up to {SCHEMA}"
    refused(store, newer, f"made by a newer Featherweight: {sentence}")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format": "something"}, "its manifest does not say so"),
        ({"schema": "1"}, "manifest.json cannot be used at 'schema'"),
        ({"schema": True}, "manifest.json cannot be used at 'schema'"),
        ({"extra": 1}, "manifest.json cannot be used at 'extra'"),
        ({"members": []}, "manifest.json cannot be used at 'members'"),
    ],
)
def test_manifests(store: Store, honest: bytes, changes: dict, sentence: str) -> None:
    refused(store, forged(members_of(honest), **changes), sentence)


def test_a_hostile_sample_is_refused_too(store: Store, honest: bytes) -> None:
    members = members_of(honest)
    archive = edited(members, change("task", to="poetry"))
    with pytest.raises(InputError, match="at 'task'"):
        import_study(store, io.BytesIO(archive), origin="sample")
