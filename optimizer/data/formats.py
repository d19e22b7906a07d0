"""Which reader an uploaded dataset needs, told by its content and not by its name."""

from __future__ import annotations

from optimizer.data.npz import inspect_npz, read_npz
from optimizer.data.raw import Raw, UploadSummary


def inspect_upload(data: bytes, file_name: str) -> UploadSummary:
    """Check a dataset file as far as is cheap and safe in the app's process.

    Args:
        data: the file.
        file_name: as uploaded, for messages.

    Raises:
        InputError: the file cannot be used; the message says why.
    """
    return inspect_npz(data)


def read_upload(data: bytes, file_name: str) -> Raw:
    """Read a dataset file; see :func:`inspect_upload`. Runs in stage processes only."""
    return read_npz(data)
