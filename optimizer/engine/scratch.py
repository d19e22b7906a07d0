"""One folder for all temporary files of an engine, so that those of a killed one can be found.

Stages work in folders of their own, the fork server has a socket, Dask a working folder: an engine
that ends removes them, one that is killed cannot. The next engine of the same store does.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import psutil

from optimizer.store.durable import storage_faults


def use_scratch(home: Path) -> Path:
    """Put this process's temporary files into a folder of its own, and remove what was left.

    The folder is in the system's place for temporary files and not in the store, and its name is
    short: the path of the fork server's socket may have some hundred characters. It goes when
    this process ends.

    Args:
        home: the store's folder, by which later engines of it know whose the folder was.

    Returns:
        The folder, of mode 0700.

    Raises:
        StoreError: it cannot be made.
    """
    place = Path(tempfile.gettempdir())
    prefix = f"fw-{hashlib.sha256(str(home).encode()).hexdigest()[:8]}-"
    for left in place.glob(f"{prefix}*"):
        owner = left.name.removeprefix(prefix)
        gone = owner.isdecimal() and (
            int(owner) == os.getpid() or not psutil.pid_exists(int(owner))
        )
        if gone and left.lstat().st_uid == os.getuid():
            shutil.rmtree(left, ignore_errors=True)
    folder = place / f"{prefix}{os.getpid()}"
    with storage_faults(folder):
        folder.mkdir(mode=0o700)
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
    atexit.register(_remove, folder, os.getpid())
    return folder


def _remove(folder: Path, owner: int) -> None:
    """At the end of the process that made it, not of one that was forked from it."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)
