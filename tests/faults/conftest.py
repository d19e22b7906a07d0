"""Stores, and folders in memory, where a walk over a thousand states takes seconds."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.faults.tracing import can_trace
from tests.faults.writing import make_home


@pytest.fixture
def memory(tmp_path):
    """A folder on a filesystem in memory, where there is one."""
    quick = Path("/dev/shm")
    if not os.access(quick, os.W_OK):
        yield tmp_path
        return
    folder = Path(tempfile.mkdtemp(prefix="featherweight-", dir=quick))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def _tracing_reason():
    return can_trace()


@pytest.fixture
def tracing(_tracing_reason):
    """Skips where the platform lets no process be traced."""
    if _tracing_reason:
        pytest.skip(_tracing_reason)


@pytest.fixture
def home(tmp_path):
    """The folder of a closed store with a study."""
    make_home(tmp_path / "home")
    return tmp_path / "home"
