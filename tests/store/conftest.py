"""A fresh store for each test, and a study in it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from optimizer.store import Store, Study
from optimizer.store.archive import export_study

from .building import add_scan, build_study


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture
def study(store: Store) -> Study:
    return build_study(store)


@pytest.fixture
def honest(store: Store, study: Study) -> bytes:
    """The archive of the study, with a scan of its layers."""
    add_scan(store, study)
    buffer = io.BytesIO()
    export_study(store, study.id, buffer)
    return buffer.getvalue()
