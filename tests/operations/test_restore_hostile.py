"""Backups that were damaged, or made by somebody who means harm: refused, and nothing is left."""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
import tarfile

import pytest

from optimizer.errors import InputError
from optimizer.operations.backup import back_up
from optimizer.operations.backup_file import MANIFEST
from optimizer.operations.restore import restore
from optimizer.store import Store
from optimizer.store.schema import MIGRATIONS
from tests.store.building import build_study


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """A sound backup's bytes."""
    folder = tmp_path_factory.mktemp("honest")
    store = Store.open(folder / "home")
    build_study(store)
    back_up(store, folder / "b.tar")
    store.close()
    return (folder / "b.tar").read_bytes()


def parts(data):
    """Name → content of a backup."""
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {info.name: tar.extractfile(info).read() for info in tar}


def forged(files, *, relist=True, more=()):
    """A backup of these files, its list made to agree with them."""
    files = dict(files)
    manifest = json.loads(files.pop(MANIFEST))
    if relist:
        manifest["files"] = {
            name: [hashlib.sha256(data).hexdigest(), len(data)] for name, data in files.items()
        }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for info, data in more:
            tar.addfile(info, io.BytesIO(data))
        for name, data in (*files.items(), (MANIFEST, json.dumps(manifest).encode())):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def odd(name, data=b"x", **attributes):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    return [(info, data)]


@pytest.fixture
def refused(tmp_path):
    """Says that a backup is refused, why, and that nothing is left of it."""

    def check(data, said):
        (tmp_path / "b.tar").write_bytes(data)
        with pytest.raises(InputError, match=said) as refusal:
            restore(tmp_path / "b.tar", tmp_path / "new")
        assert "\n" not in str(refusal.value)
        assert len(str(refusal.value)) < 500
        assert list((tmp_path / "new").iterdir()) == []
        assert sorted(path.name for path in tmp_path.iterdir()) == ["b.tar", "new"]

    return check


def test_the_forger_can_make_an_honest_one(honest, tmp_path):
    (tmp_path / "b.tar").write_bytes(forged(parts(honest)))
    assert restore(tmp_path / "b.tar", tmp_path / "new").studies == 1


LINK = {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd", "size": 0}
MEMBERS = {
    "a path upwards": (odd("../../evil"), "not a file that a backup has"),
    "an absolute path": (odd("/tmp/evil"), "not a file that a backup has"),
    "a path inside": (odd("files/aa/../../../evil"), "not a file that a backup has"),
    "another name": (odd("engine.lock"), "not a file that a backup has"),
    "a large small file": (odd("settings.json", b"x" * 2_000_000), "too large"),
    "a wrong folder": (odd(f"files/aa/{'b' * 64}"), "not a file that a backup has"),
    "a name with a zero": (odd("settings.json\x00.db"), "twice|is not"),
    "a symbolic link": (odd("settings.json", b"", **LINK), "not a plain file"),
    "a hard link": (odd("settings.json", b"", **{**LINK, "type": tarfile.LNKTYPE}), "not a plain"),
    "a device": (odd("settings.json", b"", type=tarfile.CHRTYPE), "not a plain file"),
    "a folder": (odd("files", b"", type=tarfile.DIRTYPE), "not a plain file"),
    "a pax header": (odd("settings.json", b"20 path=../../evil\n", type=tarfile.XHDTYPE), "plain"),
    "a long name": (odd("././@LongLink", b"../../evil\0", type=tarfile.GNUTYPE_LONGNAME), "plain"),
    "a sparse file": (odd("settings.json", b"", type=tarfile.GNUTYPE_SPARSE), "not a plain file"),
    "a huge size": (odd(f"files/aa/{'a' * 64}", b"", size=8**11 - 1), "cut short"),
}  # fmt: skip


@pytest.mark.parametrize("kind", MEMBERS)
def test_members_that_no_backup_has_are_refused(honest, refused, kind):
    more, said = MEMBERS[kind]
    if kind == "a huge size":
        data = more[0][0].tobuf(tarfile.USTAR_FORMAT) + honest
    else:
        data = forged(parts(honest), more=more)
    refused(data, said)


def test_any_byte_changed_is_noticed(honest, refused):
    ends = {}
    with tarfile.open(fileobj=io.BytesIO(honest)) as tar:
        for info in tar:
            ends[info.name] = info.offset_data + info.size - 1
    for kind in ("featherweight.db", "files/", "artifacts/", MANIFEST):
        name = next(name for name in ends if name.startswith(kind))
        data = bytearray(honest)
        data[ends[name]] ^= 1
        refused(bytes(data), "cannot be used")


@pytest.mark.parametrize("share", [0, 0.001, 0.3, 0.9])
def test_a_backup_that_was_cut_short_is_refused(honest, refused, share):
    refused(honest[: int(len(honest) * share)], "cut short|does not end")


def test_other_files_are_refused(honest, refused):
    refused(b"PK\x03\x04" + b"x" * 5000, "cannot be read as a .tar file")
    refused(b"\0" * 10240, "cut short")
    refused(honest + b"more", "does not end")


def test_lists_that_disagree_are_refused(honest, refused):
    files = parts(honest)
    name = next(name for name in files if name.startswith("files/"))
    left_out = {n: d for n, d in files.items() if n != name}
    refused(forged(left_out, relist=False), "not both")
    refused(forged(left_out), "is missing")
    settings = {"settings.json": b"{}", **files}
    refused(forged(settings, relist=False), "not both")
    refused(forged(files, more=odd(name)), "twice")
    other = {**files, name: b"something else"}
    refused(forged(other), "not the upload")


def test_results_that_are_not_what_they_say_are_refused(honest, refused):
    files = parts(honest)
    meta = next(name for name in files if name.endswith("meta.json"))
    refused(forged({**files, meta: b"[]"}), "does not say what it holds")
    refused(forged({n: d for n, d in files.items() if n != meta}), "does not say what it holds")
    result = next(n for n in files if n.startswith(meta.rpartition("/")[0]) and n != meta)
    refused(forged({**files, result: b"wrong"}), "does not hold what it says")


def manifest_with(parts, **changes):
    return {**parts, MANIFEST: json.dumps({**json.loads(parts[MANIFEST]), **changes}).encode()}


def test_lists_that_cannot_be_read_are_refused(honest, refused):
    files = parts(honest)
    refused(forged(manifest_with(files, format="something")), "of something else")
    refused(forged(manifest_with(files, schema=2)), "newer Featherweight")
    refused(forged(manifest_with(files, files=7), relist=False), "cannot be read")
    refused(forged(manifest_with(files, missing=None)), "cannot be read")
    refused(forged(manifest_with(files, schema="x")), "cannot be read")


def changed_database(files, tmp_path, *statements):
    path = tmp_path / "changed.db"
    path.write_bytes(files["featherweight.db"])
    database = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        database.execute(statement)
    database.close()
    data = path.read_bytes()
    path.unlink()
    return forged({**files, "featherweight.db": data})


DATABASES = {
    "CREATE TRIGGER t AFTER UPDATE ON changes BEGIN DELETE FROM studies; END": "is not ours",
    "CREATE VIEW v AS SELECT * FROM studies": "is not ours",
    "CREATE TABLE more (id INTEGER)": "is not ours",
    "DROP INDEX one_baseline": "is not ours",
    "ALTER TABLE studies ADD COLUMN more TEXT": "is not ours",
    f"PRAGMA user_version = {len(MIGRATIONS) + 1}": "newer Featherweight",
    "PRAGMA user_version = 1": "is not ours",
    "UPDATE models SET sha256 = 'ff' || substr(sha256, 3)": "is missing",
    "UPDATE variants SET stages = json_set(stages, '$.convert', 'ab')": "is missing",
}


@pytest.mark.parametrize("statement", DATABASES)
def test_databases_that_are_not_ours_are_refused(honest, refused, tmp_path, statement):
    refused(changed_database(parts(honest), tmp_path, statement), DATABASES[statement])


def test_a_damaged_database_is_refused(honest, refused):
    files = parts(honest)
    refused(forged({**files, "featherweight.db": b"not a database" * 100}), "database")
    damaged = bytearray(files["featherweight.db"])
    damaged[5000:9000] = b"\xff" * 4000
    refused(forged({**files, "featherweight.db": bytes(damaged)}), "database")
    refused(forged({n: d for n, d in files.items() if n != "featherweight.db"}), "no database")


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(InputError, match="Cannot read"):
        restore(tmp_path / "nothing.tar", tmp_path / "new")
