"""A SavedModel as a zip archive: opened carefully, packed again. Pure Python, no TensorFlow."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import PurePosixPath

from optimizer.errors import InputError
from optimizer.models import limits
from optimizer.models.containers import open_archive
from optimizer.zips import read_member

GRAPH, KERAS_METADATA, INDEX = "saved_model.pb", "keras_metadata.pb", "variables/variables.index"
_MEMBER = re.compile(
    r"saved_model\.pb|keras_metadata\.pb|fingerprint\.pb|variables/variables\.index"
    r"|variables/variables\.data-\d{5}-of-\d{5}",
    re.ASCII,
)
_BESIDE = ("__MACOSX/", ".DS_Store")
"""What macOS puts into every archive; left out."""


def is_saved_model(data: bytes) -> bool:
    """Whether a zip archive contains a SavedModel.

    Raises:
        InputError: see :func:`optimizer.zips.open_zip`.
    """
    with open_archive(data) as archive:
        return any(PurePosixPath(name).name == GRAPH for name in archive.namelist())


def member_names(data: bytes) -> frozenset[str]:
    """The paths of a zipped SavedModel's members, all of them checked but not read.

    Raises:
        InputError: see :func:`read_saved_model`.
    """
    with open_archive(data) as archive:
        return frozenset(_members(archive))


def read_saved_model(data: bytes) -> dict[str, bytes]:
    """The members of a zipped SavedModel, by their path inside the SavedModel's folder.

    Raises:
        InputError: the archive is damaged, a bomb, or has members that a model with built-in
            operations has not: asset files above all.
    """
    with open_archive(data) as archive:
        members = _members(archive)
        return {path: read_member(archive, info, "zip archive") for path, info in members.items()}


def pack_saved_model(members: Mapping[str, bytes]) -> bytes:
    """A zip of the members; the same members give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(members):
            archive.writestr(zipfile.ZipInfo(path), members[path])
    return buffer.getvalue()


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    infos = [
        info
        for info in archive.infolist()
        if not info.is_dir() and not any(part in info.filename for part in _BESIDE)
    ]
    graphs = [info.filename for info in infos if PurePosixPath(info.filename).name == GRAPH]
    if len(graphs) != 1:
        raise InputError(
            f"The archive has {len(graphs)} files named {GRAPH}; one SavedModel has one. Zip the "
            "folder that model.export or tf.saved_model.save made, and nothing else."
        )
    root = graphs[0].removesuffix(GRAPH)
    found: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        path = info.filename.removeprefix(root)
        if not info.filename.startswith(root) or not _MEMBER.fullmatch(path) or path in found:
            raise InputError(_unknown_member(info.filename, path))
        if info.file_size > limits.COMPRESSION_RATIO * max(info.compress_size, 1024):
            raise InputError(
                f"{path!r} in the SavedModel would unpack to {info.file_size:,} bytes from "
                f"{info.compress_size:,}; that is not a model."
            )
        found[path] = info
    _check_sizes(found)
    return found


def _check_sizes(found: Mapping[str, zipfile.ZipInfo]) -> None:
    total = sum(info.file_size for info in found.values())
    if total > limits.EXPANDED_BYTES:
        raise InputError(
            f"The SavedModel unpacks to {total / 2**20:,.0f} MB; the limit is "
            f"{limits.EXPANDED_BYTES / 2**20:,.0f} MB."
        )
    if found[GRAPH].file_size > limits.GRAPH_BYTES:
        raise InputError(
            f"{GRAPH} is {found[GRAPH].file_size / 2**20:,.0f} MB; the limit for a graph is "
            f"{limits.GRAPH_BYTES / 2**20:,.0f} MB. Keep weights in variables, not in the graph."
        )


def _unknown_member(name: str, path: str) -> str:
    if path.startswith(("assets/", "assets.extra/")):
        return (
            f"The SavedModel keeps the file {path[:80]!r}, which its graph reads when it is "
            "loaded (a vocabulary, say). Files are never read for a model: do that step before "
            "it, and save it without assets."
        )
    return (
        f"The archive contains {name[:80]!r}, which a SavedModel has not, or has once. Zip the "
        "folder that model.export or tf.saved_model.save made, and nothing else."
    )
