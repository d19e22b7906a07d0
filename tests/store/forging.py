"""Making archives that lie, each in one respect, and seeing them refused."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from optimizer.errors import InputError
from optimizer.store import Store
from optimizer.store.archive import import_study

from .building import key, listing, rows

Members = list[tuple[zipfile.ZipInfo | str, bytes]]
EXTRA = f"artifacts/{key('extra')}/metrics.json"


def members_of(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def zipped(members: Members, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


def forged(members: dict[str, bytes], /, **manifest_changes: Any) -> bytes:
    """A zip whose manifest agrees with its members, so that later checks are reached."""
    manifest = json.loads(members["manifest.json"])
    manifest["members"] = {
        name: {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}
        for name, data in members.items()
        if name != "manifest.json"
    }
    manifest.update(manifest_changes)
    return zipped([("manifest.json", json.dumps(manifest).encode()), *list(members.items())[1:]])


def edited(members: dict[str, bytes], edit: Callable[[dict], None]) -> bytes:
    """A forged zip whose ``study.json`` was edited."""
    study = json.loads(members["study.json"])
    edit(study)
    return forged({**members, "study.json": json.dumps(study).encode()})


def refused(store: Store, archive: bytes, sentence: str) -> None:
    files, database = listing(store.home), rows(store)
    with pytest.raises(InputError, match=sentence) as refusal:
        import_study(store, io.BytesIO(archive))
    assert len(str(refusal.value)) < 500
    assert "\n" not in str(refusal.value)
    assert rows(store) == database
    assert listing(store.home) == files


def change(*path: Any, to: Any) -> Callable[[dict], None]:
    def edit(study: dict) -> None:
        inside: Any = study
        for part in path[:-1]:
            inside = inside[part]
        inside[path[-1]] = to

    return edit
