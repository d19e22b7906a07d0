"""A Keras model's zip archive, opened carefully, and the JSON that is in model files."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Collection
from typing import Any

from optimizer.errors import InputError
from optimizer.models import limits
from optimizer.zips import open_zip, read_member

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
MEMBERS = frozenset({CONFIG, METADATA, WEIGHTS})


def open_archive(data: bytes) -> zipfile.ZipFile:
    """A zip archive in which a model may be, its directory checked.

    Raises:
        InputError: see :func:`optimizer.zips.open_zip`.
    """
    return open_zip(data, "zip archive", limits.ARCHIVE_MEMBERS, limits.DIRECTORY_BYTES)


def read_keras_archive(data: bytes, wanted: Collection[str] = MEMBERS) -> dict[str, bytes]:
    """Members of a ``.keras`` file, by name.

    Args:
        data: the file.
        wanted: which members; the others are checked but not unpacked.

    Raises:
        InputError: it is damaged, a bomb, or has members that a Keras model has not.
    """
    with open_archive(data) as archive:
        members = archive.infolist()
        _check_members(members)
        return {
            member.filename: read_member(archive, member, "zip archive")
            for member in members
            if member.filename in wanted
        }


def _check_members(members: list[zipfile.ZipInfo]) -> None:
    names = [member.filename for member in members]
    if CONFIG not in names:
        raise InputError(
            f"This zip archive is no model: it has no {CONFIG} and no saved_model.pb. It contains "
            f"{', '.join(repr(name[:80]) for name in names[:5]) or 'nothing'}."
        )
    for member in members:
        if member.filename not in MEMBERS:
            raise InputError(
                f"The .keras file contains {member.filename[:80]!r}, which a model of built-in "
                "layers has not. Save the model again without custom layers or assets."
            )
        if member.filename != WEIGHTS and member.file_size > limits.CONFIG_BYTES:
            raise InputError(
                f"{member.filename!r} in the .keras file would be {member.file_size:,} bytes; at "
                f"most {limits.CONFIG_BYTES:,} are accepted. Save the model again."
            )
        if member.file_size > limits.COMPRESSION_RATIO * max(member.compress_size, 1024):
            raise InputError(
                f"{member.filename!r} in the .keras file would unpack to "
                f"{member.file_size:,} bytes from {member.compress_size:,}; that is not a model."
            )
    total = sum(member.file_size for member in members)
    if total > limits.EXPANDED_BYTES:
        raise InputError(
            f"The model unpacks to {total / 2**20:,.0f} MB; the limit is "
            f"{limits.EXPANDED_BYTES / 2**20:,.0f} MB."
        )
    if WEIGHTS not in names:
        raise InputError(
            "The .keras file has an architecture but no weights. Save the trained model with "
            "model.save('model.keras')."
        )


def parse_json(data: bytes | str, what: str) -> Any:
    """JSON out of a model file.

    Raises:
        InputError: it is too large or not JSON.
    """
    if len(data) > limits.CONFIG_BYTES:
        raise InputError(f"The {what} of this model is {len(data):,} bytes, too large to be real.")
    try:
        return json.loads(data)
    except RecursionError:
        raise InputError(
            f"The {what} of this model is JSON nested thousands of levels deep, as no model has. "
            "Save it again with model.save('model.keras')."
        ) from None
    except ValueError:
        raise InputError(
            f"The {what} of this model is not valid JSON; the file is damaged."
        ) from None
