"""Which reader an uploaded dataset needs, told by its content and not by its name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from optimizer.confinement.variables import stage_variables
from optimizer.data.images import has_images, inspect_images, read_images
from optimizer.data.npz import inspect_npz, read_npz
from optimizer.data.options import DataOptions
from optimizer.data.raw import PARQUET_MAGIC, Raw, UploadSummary
from optimizer.errors import InputError
from optimizer.zips import open_zip

MAX_UPLOAD_BYTES = 2 * 2**30
_PEEK_SECONDS = 60
_ROOT = Path(__file__).resolve().parents[2]
_ZIP_MAGIC = b"PK"
_OTHERS = (
    (b"\x89HDF", "an HDF5 file"),
    (b"\x1f\x8b", "compressed with gzip"),
    (b"\x80", "a pickle, which can run code when it is loaded"),
    (b"\x93NUMPY", "a single array (.npy)"),
)


def inspect_upload(data: bytes, file_name: str) -> UploadSummary:
    """Check a dataset file as far as is cheap and safe in the app's process.

    Tables are parsed by native code, in a process of their own.

    Args:
        data: the file.
        file_name: as uploaded, for messages.

    Raises:
        InputError: the file cannot be used; the message says why.
    """
    kind = _format(data, file_name)
    if kind == "npz":
        return inspect_npz(data)
    if kind == "images":
        return inspect_images(data)
    found = _peek(data)
    return UploadSummary(
        (), False, (), kind, tuple(found["columns"]), tuple(found["labels"]), found["rows"]
    )


def read_upload(data: bytes, file_name: str, options: DataOptions) -> Raw:
    """Read a dataset file; see :func:`inspect_upload`. Runs in stage processes only."""
    kind = _format(data, file_name)
    if kind == "npz":
        return read_npz(data)
    if kind == "images":
        return read_images(data, options)
    from optimizer.data.table_raw import table_raw
    from optimizer.data.tables import read_table

    return table_raw(read_table(data), options, kind)


def _format(data: bytes, file_name: str) -> str:
    if not data:
        raise InputError(f"The file {file_name!r} is empty.")
    for magic, what in _OTHERS:
        if data.startswith(magic):
            raise InputError(
                f"The file {file_name!r} is {what}. Save the arrays with "
                "np.savez('data.npz', x=x, y=y), or a table as .csv or .parquet."
            )
    if data.startswith(PARQUET_MAGIC):
        return "parquet"
    if not data.startswith(_ZIP_MAGIC):
        return "csv"
    with open_zip(data, "zip", 65_000, 32 * 2**20) as archive:
        names = archive.namelist()
    if any(name.startswith(("xl/", "[Content_Types]")) for name in names):
        raise InputError(f"The file {file_name!r} is an Excel workbook. Save the sheet as .csv.")
    return "images" if has_images(names) else "npz"


def _peek(data: bytes) -> dict[str, Any]:
    """A table's columns, found by :mod:`optimizer.data.peek` in a process of its own."""
    try:
        with TemporaryDirectory(prefix="featherweight-table-") as folder:
            done = subprocess.run(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-m", "optimizer.data.peek", folder],
                input=data,
                capture_output=True,
                cwd=_ROOT,
                env=stage_variables(Path(folder)),
                timeout=_PEEK_SECONDS,
                check=False,
            )
    except subprocess.TimeoutExpired:
        raise InputError(
            f"Reading the table takes longer than {_PEEK_SECONDS} s. Use fewer rows or columns."
        ) from None
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise InputError(
            "This table cannot be read: the reader ended without an answer, as with a damaged or "
            "far too large file. Save it again as .csv."
        ) from None
    if "error" in found:
        raise InputError(found["error"])
    return found
