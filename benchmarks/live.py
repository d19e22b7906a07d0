"""A live engine for the benchmarks, and how they print."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from optimizer import samples
from optimizer.engine.client import ensure_engine, stop_engine
from optimizer.session import bring, open_study
from optimizer.store import Store
from optimizer.store.records import Study


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


def row(what: str, figure: str) -> None:
    """One line of the table."""
    print(f"{what:58} {figure}", flush=True)


def bundled_study(store: Store, model: str) -> Study:
    """The study of a bundled model on the dataset it was trained on."""
    paths = samples.MODELS[model].path, samples.DATASETS[samples.MODELS[model].dataset].path
    files = [(path.name, path.read_bytes()) for path in paths]
    found, dataset = bring(store, files[0], files[1], quiet)
    assert dataset is not None
    return open_study(store, found, dataset, quiet)
