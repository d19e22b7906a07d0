"""A live engine for the benchmarks."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from optimizer import samples
from optimizer.engine.client import ensure_engine, stop_engine
from optimizer.session import bring, open_study
from optimizer.store import Store
from optimizer.store.records import Study


@contextmanager
def cold_store() -> Iterator[Store]:
    """An empty store of its own, with a live engine: nothing was computed before."""
    with tempfile.TemporaryDirectory(prefix="featherweight-bench-") as folder:
        os.environ["FEATHERWEIGHT_HOME"] = folder
        store = Store.open(Path(folder))
        with engine(store):
            yield store
        store.close()


@contextmanager
def engine(store: Store) -> Iterator[float]:
    """A real engine; yields the seconds until it was ready."""
    started = time.monotonic()
    while ensure_engine(store).status != "ready":
        time.sleep(0.1)
    try:
        yield time.monotonic() - started
    finally:
        stop_engine(store)


def quiet(text: str) -> None:
    """Says nothing."""


def bundled_study(store: Store, model: str) -> Study:
    """The study of a bundled model on the dataset it was trained on."""
    paths = samples.MODELS[model].path, samples.DATASETS[samples.MODELS[model].dataset].path
    return study_of(store, *((path.name, path.read_bytes()) for path in paths))


def study_of(store: Store, model: tuple[str, bytes], data: tuple[str, bytes]) -> Study:
    """The study of a model file and a data file."""
    found, dataset = bring(store, model, data, quiet)
    assert dataset is not None
    return open_study(store, found, dataset, quiet)


@contextmanager
def home_at(folder: str) -> Iterator[None]:
    """Make a folder the store of this process and of those it starts."""
    before = os.environ.get("FEATHERWEIGHT_HOME")
    os.environ["FEATHERWEIGHT_HOME"] = folder
    try:
        yield
    finally:
        os.environ.pop("FEATHERWEIGHT_HOME")
        if before is not None:
            os.environ["FEATHERWEIGHT_HOME"] = before
