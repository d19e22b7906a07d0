"""What the command line does; :mod:`optimizer.__main__` reads its arguments."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from optimizer import samples
from optimizer.console import benchmark_text, facts_text, results_text
from optimizer.data.options import DataOptions
from optimizer.errors import InputError
from optimizer.export import file_stem, results_csv, study_results
from optimizer.models.inspect import identify
from optimizer.recipe import Recipe
from optimizer.session import PROPOSED, Choice, bring, open_study, run_recipes
from optimizer.store import Store
from optimizer.store.records import Study, Variant
from optimizer.takeaway.bundle import bundle
from optimizer.takeaway.collect import arrays, flat_model, takeaway


def inspect(model: str, *, as_json: bool) -> int:
    """Show what a model is and which technique can act on which layer. Exit code 0."""
    name, data = _model_file(model)
    identify(data, name)
    found, _ = bring(Store.open(), (name, data), None, _say)
    assert found.facts is not None
    facts = {"file_name": name, "size_bytes": found.size_bytes, **found.facts}
    print(json.dumps(facts, indent=2) if as_json else facts_text(facts))
    return 0


def run(
    model: str,
    data: str,
    recipe: Path,
    out: Path,
    *,
    as_json: bool,
    use_cache: bool = True,
    options: Mapping[str, Any] | None = None,
    choice: Choice = PROPOSED,
) -> int:
    """Run one recipe and write its files into ``out``. Exit code 0, or 1 if it failed.

    Args:
        model, data: paths or names of samples.
        recipe: a ``recipe.json``.
        out: where results go.
        as_json: print ``results.json`` and not a table.
        use_cache: use what is in the person's store.
        options: how to read the data, see :class:`optimizer.data.options.DataOptions`.
        choice: task, loss and metric.

    Raises:
        InputError: something of it cannot be used.
    """
    reading = DataOptions.parse(options or {})
    wanted = Recipe.read(recipe)
    model_file, data_file = _model_file(model), _data_file(data)
    identify(model_file[1], model_file[0])
    out = _output_folder(out)
    with _store(use_cache) as store:
        found, dataset = bring(store, model_file, data_file, _say, reading)
        assert dataset is not None
        study = open_study(store, found, dataset, _say, choice=choice)
        variants = run_recipes(store, study, [wanted], _say)
        results = write_results(store, store.get_study(study.id), variants, out)
    print(json.dumps(results, indent=2) if as_json else results_text(results))
    return 0 if all(variant.state == "done" for variant in variants) else 1


def benchmark(files: list[Path], *, as_json: bool) -> int:
    """Measure files against the first in alternating rounds. Exit code 0."""
    from optimizer.measure.latency import benchmark_files

    results = benchmark_files(files)
    print(json.dumps(results, indent=2) if as_json else benchmark_text(results))
    return 0


def write_results(store: Store, study: Study, variants: list[Variant], out: Path) -> dict[str, Any]:
    """Write ``results.json``, ``results.csv``, and a ``.tflite``, recipe and zip per variant.

    ``model.keras`` and ``data.npz`` are what the plain scripts in the zips read.

    Returns:
        The content of ``results.json``.
    """

    def layers_of(variant: Variant) -> list[dict[str, Any]]:
        content = store.artifacts.read(variant.stages["convert"], "layers.json")
        return json.loads(content)["layers"]

    results = study_results(
        study,
        store.get_model(study.model_id),
        store.get_dataset(study.dataset_id),
        variants,
        study.environment,
        layers_of,
    )
    for variant in variants:
        stem = file_stem(variant)
        (out / f"{stem}.recipe.json").write_text(variant.recipe.canonical_json(indent=2) + "\n")
        if variant.state == "done":
            tflite = store.artifacts.read(variant.stages["convert"], "model.tflite")
            (out / f"{stem}.tflite").write_bytes(tflite)
            (out / f"{stem}.zip").write_bytes(bundle(takeaway(store, variant)))
    for name, path in (
        ("model.keras", flat_model(store, study)),
        ("data.npz", arrays(store, study)),
    ):
        if path is not None:
            shutil.copyfile(path, out / name)
    (out / "results.csv").write_text(results_csv(variants))
    (out / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    return results


@contextmanager
def _store(use_cache: bool) -> Iterator[Store]:
    """The person's store, or an empty one for the time of a run without the cache."""
    if use_cache:
        yield Store.open()
        return
    with tempfile.TemporaryDirectory(prefix="featherweight-") as folder:
        store = Store.open(Path(folder))
        yield store
        store.close()


def _model_file(text: str) -> tuple[str, bytes]:
    if text in samples.MODELS:
        return samples.MODELS[text].path.name, samples.load_sample_model(text)
    return _file(text, f"the bundled models {', '.join(samples.MODELS)}")


def _data_file(text: str) -> tuple[str, bytes]:
    if text in samples.DATASETS:
        return samples.DATASETS[text].path.name, samples.DATASETS[text].path.read_bytes()
    return _file(text, f"the bundled datasets {', '.join(samples.DATASETS)}")


def _file(text: str, bundled: str) -> tuple[str, bytes]:
    path = Path(text)
    try:
        return path.name, path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(
            f"Cannot read {text!r}: {reason}. Give a path, or one of {bundled}."
        ) from None


def _output_folder(out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"Cannot make the output folder {out}: {error.strerror}.") from None
    if not os.access(out, os.W_OK):
        raise InputError(f"Cannot write into the output folder {out}.")
    return out


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
