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
from optimizer.data.options import DataOptions
from optimizer.errors import InputError
from optimizer.export import file_stem, results_csv, study_results
from optimizer.format import format_bytes
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
    print(json.dumps(facts, indent=2) if as_json else _facts_text(facts))
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
    print(json.dumps(results, indent=2) if as_json else _results_text(results))
    return 0 if all(variant.state == "done" for variant in variants) else 1


def benchmark(files: list[Path], *, as_json: bool) -> int:
    """Measure files against the first in alternating rounds. Exit code 0."""
    from optimizer.measure.latency import benchmark_files

    results = benchmark_files(files)
    print(json.dumps(results, indent=2) if as_json else _benchmark_text(results))
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


def _facts_text(facts: dict[str, Any]) -> str:
    verified = facts.get("verification")
    lines = [
        f"{facts['file_name']}: {facts['source_format']}, {format_bytes(facts['size_bytes'])}",
        f"{facts['parameters']:,} parameters ({format_bytes(facts['parameter_bytes'])} as float32)",
        *(f"input {item['name']}: {item['shape']} {item['dtype']}" for item in facts["inputs"]),
        *(f"output {item['name']}: {item['shape']} {item['dtype']}" for item in facts["outputs"]),
        *(
            [
                "outputs after conversion equal the upload's within "
                f"{verified['max_abs_difference']:.1e} ({verified['samples']} random inputs)"
            ]
            if verified
            else []
        ),
        *facts["notes"],
        "",
        f"{'layer':24} {'type':24} {'parameters':>10}  prune cluster QAT",
    ]
    for layer in facts["layers"]:
        can = [
            "yes" if layer["techniques"][name] is None else "no"
            for name in ("prune", "cluster", "quantize_aware")
        ]
        lines.append(
            f"{layer['name'][:24]:24} {layer['type'][:24]:24} {layer['parameters']:>10,}  "
            f"{can[0]:5} {can[1]:7} {can[2]}"
        )
    return "\n".join(lines)


def _results_text(results: dict[str, Any]) -> str:
    lines = [
        f"{'variant':40} {'size':>10} {'gzip':>10} {'metric':>16} {'p50':>10} {'ratio':>7}",
    ]
    for record in [results["baseline"], *results["variants"]]:
        if record["file"] is None:
            lines.append(f"{record['name'][:40]:40} {record['state']}: {record['error']}")
            continue
        metric, value = next(iter(record["metrics"].items()))
        ratio = record["latency_ms"]["ratio"]
        lines.append(
            f"{record['name'][:40]:40} {format_bytes(record['size_bytes']):>10} "
            f"{format_bytes(record['gzip_bytes']):>10} {f'{metric} {value:.4f}':>16} "
            f"{record['latency_ms']['p50']:>7.3f} ms {'' if ratio is None else f'{ratio:.2f}':>7}"
        )
        lines += [
            f"  promise not kept: {item['promise']}; found: {item['found']}"
            for item in record["promises"]
            if not item["kept"]
        ]
    return "\n".join(lines)


def _benchmark_text(results: list[dict[str, Any]]) -> str:
    lines = [f"{'file':40} {'p50':>11} {'p90':>11} {'p99':>11}  ratio to the first"]
    for item in results:
        if item["ratio"] is None:
            against = "-"
        elif item["significant"]:
            low, high = item["ratio_ci"]
            against = f"{item['ratio']:.2f} (95 % interval {low:.2f} to {high:.2f})"
        else:
            against = "no significant difference"
        lines.append(
            f"{Path(item['file']).name[:40]:40} {item['p50_ms']:>8.3f} ms "
            f"{item['p90_ms']:>8.3f} ms {item['p99_ms']:>8.3f} ms  {against}"
        )
    lines.append(f"{results[0]['device']}, {results[0]['threads']} thread, XNNPACK")
    return "\n".join(lines)
