"""The environment variables that stage processes see: a short list, so that no secret is on it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_ALLOWED = frozenset(
    """
    PATH LANG LANGUAGE TZ LD_LIBRARY_PATH DYLD_LIBRARY_PATH DYLD_FALLBACK_LIBRARY_PATH VIRTUAL_ENV
    PYTHONPATH PYTHONHASHSEED PYTHONDONTWRITEBYTECODE PYTHONUTF8
    TF_CPP_MIN_LOG_LEVEL TF_ENABLE_ONEDNN_OPTS TF_USE_LEGACY_KERAS KERAS_BACKEND
    CUDA_VISIBLE_DEVICES OMP_NUM_THREADS OPENBLAS_NUM_THREADS MKL_NUM_THREADS
    """.split()
)
_LOCALE = (
    "LC_ALL LC_CTYPE LC_NUMERIC LC_TIME LC_COLLATE LC_MONETARY LC_MESSAGES LC_PAPER LC_NAME "
    "LC_ADDRESS LC_TELEPHONE LC_MEASUREMENT LC_IDENTIFICATION"
).split()


def stage_variables(folder: Path, source: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for stage processes.

    Args:
        folder: stands in for the home folder and the one for temporary files.
        source: where values come from; by default this process's environment.
    """
    source = os.environ if source is None else source
    kept = {name: source[name] for name in sorted(_ALLOWED.union(_LOCALE)) if name in source}
    return kept | {"HOME": str(folder), "TMPDIR": str(folder), "KERAS_HOME": str(folder)}
