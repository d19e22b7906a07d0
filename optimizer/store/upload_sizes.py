"""What uploads occupy: their files and what reading them found, both of which they may share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping

Upload = tuple[str, str]
"""Kind, ``model`` or ``dataset``, and id."""


class UploadSizes:
    """Sizes of the uploads of a store, in bytes.

    Args:
        uploads: each upload's file, by SHA-256, and the artifact of its facts, if there is one.
        file_bytes: the size of a file.
        result_bytes: the size of an artifact.
        kept: artifacts that stay whatever is deleted.
    """

    def __init__(
        self,
        uploads: Mapping[Upload, tuple[str, str | None]],
        file_bytes: Callable[[str], int],
        result_bytes: Callable[[str], int],
        kept: set[str],
    ) -> None:
        self._uploads, self._kept = uploads, kept
        self._file_bytes, self._result_bytes = file_bytes, result_bytes
        self._files = Counter(sha256 for sha256, _ in uploads.values())
        self._results = Counter(key for _, key in uploads.values())

    def of(self, wanted: Collection[Upload]) -> int:
        """Bytes of these uploads, each file counted once."""
        files, results = self._parts(wanted)
        return self._sum(set(files), set(results))

    def freed_by(self, wanted: Collection[Upload]) -> int:
        """Bytes that deleting these uploads frees: what no other one has too."""
        files, results = self._parts(wanted)
        return self._sum(
            {sha256 for sha256, count in files.items() if count == self._files[sha256]},
            {key for key, count in results.items() if count == self._results[key]} - self._kept,
        )

    def _parts(self, wanted: Collection[Upload]) -> tuple[Counter[str], Counter[str]]:
        both = [self._uploads[upload] for upload in wanted if upload in self._uploads]
        return Counter(sha for sha, _ in both), Counter(key for _, key in both if key)

    def _sum(self, files: set[str], results: set[str]) -> int:
        return sum(map(self._file_bytes, files)) + sum(map(self._result_bytes, results))
