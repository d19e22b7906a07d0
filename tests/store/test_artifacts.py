"""Stage results and uploads: whole or not there, and never outside their folder."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from optimizer.errors import InputError
from optimizer.store import Store, StoreError

from . import processes
from .building import key

spawn = multiprocessing.get_context("spawn")
FILES = {"model.tflite": b"\x00\x01\x02" * 1000, "layers.json": b"{}"}


def test_what_is_written_is_read(store: Store) -> None:
    assert not store.artifacts.has(key("a"))
    assert store.artifacts.files(key("a")) == []
    store.artifacts.write(key("a"), FILES, {"seconds": 1.5})
    assert store.artifacts.has(key("a"))
    assert store.artifacts.files(key("a")) == ["layers.json", "model.tflite"]
    assert store.artifacts.read_all(key("a")) == FILES
    assert store.artifacts.meta(key("a")) == {"seconds": 1.5}
    assert store.artifacts.size_bytes(key("a")) == 3002
    assert store.artifacts.path(key("a"), "layers.json").read_bytes() == b"{}"
    assert list(store.artifacts.keys()) == [key("a")]
    assert list((store.home / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    "bad",
    ["", "a", "../" + "a" * 61, "A" * 64, "g" * 64, "a" * 65, "a" * 64 + "\n", "/" * 64, "٣" * 64],
)
def test_keys_cannot_leave_the_folder(store: Store, bad: str) -> None:
    for call in (store.artifacts.has, store.artifacts.read_all, store.artifacts.discard):
        with pytest.raises(InputError, match="64 hexadecimal digits"):
            call(bad)
    with pytest.raises(InputError, match="64 hexadecimal digits"):
        store.artifacts.write(bad, FILES)
    with pytest.raises(InputError, match="64 hexadecimal digits"):
        store.read_file(bad)


@pytest.mark.parametrize(
    "bad", ["", "../x", "a/b", ".hidden", "a\\b", "a\x00", "x" * 101, "ü.json"]
)
def test_file_names_cannot_leave_the_folder(store: Store, bad: str) -> None:
    with pytest.raises(InputError, match="letters, digits"):
        store.artifacts.write(key("a"), {bad: b""})
    with pytest.raises(InputError, match="letters, digits"):
        store.artifacts.read(key("a"), bad)
    with pytest.raises(InputError, match=r"meta\.json is the store's own"):
        store.artifacts.write(key("a"), {"meta.json": b""})
    assert not store.artifacts.has(key("a"))


@pytest.mark.parametrize("damage", ["content", "file gone", "meta", "meta gone"])
def test_damage_is_noticed_and_mended_by_writing_again(store: Store, damage: str) -> None:
    store.artifacts.write(key("a"), FILES)
    assert store.artifacts.verify(key("a"))
    path = store.artifacts.path(key("a"), "model.tflite")
    meta = path.with_name("meta.json")
    if damage == "content":
        path.write_bytes(b"\x00\x01\x03" * 1000)
    elif damage == "meta":
        meta.write_bytes(meta.read_bytes()[:-40])
    else:
        (path if damage == "file gone" else meta).unlink()
    assert not store.artifacts.verify(key("a"))
    with pytest.raises(StoreError, match=r"damaged|cannot be read"):
        store.artifacts.read(key("a"), "model.tflite")
    store.artifacts.write(key("a"), FILES)
    assert store.artifacts.read_all(key("a")) == FILES


def test_a_whole_result_stays_when_written_again(store: Store) -> None:
    store.artifacts.write(key("a"), FILES, {"seconds": 1})
    store.artifacts.write(key("a"), FILES, {"seconds": 2})
    assert store.artifacts.meta(key("a")) == {"seconds": 1}


def test_numbers_that_are_not_finite_become_null(store: Store) -> None:
    store.artifacts.write(key("a"), {}, {"loss": float("nan"), "all": [float("inf"), 1.0]})
    assert store.artifacts.meta(key("a")) == {"loss": None, "all": [None, 1.0]}


def test_writers_of_one_key_do_not_disturb_each_other(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: store.artifacts.write(key("a"), FILES), range(40)))
    assert store.artifacts.read_all(key("a")) == FILES
    assert list((store.home / "tmp").iterdir()) == []


def test_a_writer_killed_at_any_flush_lists_nothing_half(store: Store) -> None:
    walker = spawn.Process(target=processes.die_at_every_flush, args=(store.home,))
    walker.start()
    walker.join(60)
    assert walker.exitcode == 0


def test_a_writer_killed_at_any_moment_lists_nothing_half(store: Store) -> None:
    started = spawn.Event()
    writer = spawn.Process(target=processes.write_artifacts_for_ever, args=(store.home, started))
    writer.start()
    assert started.wait(30)
    time.sleep(0.02)
    os.kill(writer.pid, signal.SIGKILL)
    writer.join(10)
    listed = list(store.artifacts.keys())
    assert len(listed) >= 4
    assert all(store.artifacts.verify(each) for each in listed)


def test_opening_removes_strays_unless_somebody_writes(store: Store) -> None:
    stray, other = (store.home / "tmp" / name for name in ("a" * 32, "dask"))
    for folder in (stray, other):
        folder.mkdir()
        (folder / "model.tflite").write_bytes(b"half")
    with store.writing():
        Store.open(store.home)
        assert stray.exists()
    Store.open(store.home)
    assert not stray.exists()
    assert other.exists(), "folders that the store did not prepare are not its own to remove"


def test_a_full_disk_leaves_nothing_behind(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match=r"No space left on device\. Check the disk's space"):
            store.artifacts.write(key("a"), FILES)
        with pytest.raises(StoreError, match="No space left on device"):
            store.add_model("m.keras", b"model")
    assert not store.artifacts.has(key("a"))
    assert store.list_models() == []
    assert list((store.home / "tmp").iterdir()) == []
    store.artifacts.write(key("a"), FILES)
    assert store.artifacts.verify(key("a"))


def test_missing_files_are_named(store: Store) -> None:
    with pytest.raises(StoreError, match="cannot be read: No such file"):
        store.artifacts.meta(key("a"))
    store.artifacts.write(key("a"), FILES)
    with pytest.raises(StoreError, match=r"has no file 'latency\.json'"):
        store.artifacts.read(key("a"), "latency.json")


def test_the_manifest_lists_every_file(store: Store) -> None:
    store.artifacts.write(key("a"), FILES)
    folder = store.artifacts.path(key("a"), "layers.json").parent
    manifest = json.loads((folder / "meta.json").read_bytes())
    assert manifest["key"] == key("a")
    assert {n: item["size_bytes"] for n, item in manifest["files"].items()} == {
        "model.tflite": 3000,
        "layers.json": 2,
    }


def test_uploaded_bytes_are_kept_once_and_checked(store: Store) -> None:
    first, second = store.files.write(b"bytes"), store.files.write(b"bytes")
    assert first == second
    assert list(store.files.all_sha256()) == [first]
    assert store.read_file(first) == b"bytes"
    path: Path = store.file_path(first)
    assert path.parent.name == first[:2]
    path.write_bytes(b"bytez")
    with pytest.raises(StoreError, match=r"is damaged\. Upload it again"):
        store.read_file(first)
    store.files.write(b"bytes")
    assert store.read_file(first) == b"bytes"
    path.unlink()
    with pytest.raises(StoreError, match="cannot be read"):
        store.read_file(first)
