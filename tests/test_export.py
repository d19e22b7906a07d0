"""results.json, results.csv and file names, from records alone."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from typing import Any

import pytest

from optimizer.export import (
    CSV_COLUMNS,
    file_stem,
    results_csv,
    study_results,
    variant_record,
)
from optimizer.recipe import Cluster, LayerOverride, Prune, Quantize, Recipe
from optimizer.store.records import Dataset, Model, Study, Variant
from tests.store.building import DATA_FACTS, LAYERS, MODEL_FACTS, RESULTS

KEYS = [
    *("name", "recipe", "file", "state", "error", "size_bytes", "gzip_bytes", "parameter_bytes"),
    *("accuracy", "metrics", "agreement", "mean_abs_difference", "accuracy_n", "latency_ms"),
    *(
        "peak_memory_bytes",
        "sparsity",
        "max_distinct_weights",
        "macs",
        "promises",
        "layers",
        "seconds",
        "cached",
        "estimates",
        "conditions",
    ),
]
RECIPE = Recipe(prune=Prune(), cluster=Cluster(), quantize=Quantize(mode="int8", aware=True))


def variant(recipe: Recipe = RECIPE, **changes: Any) -> Variant:
    made = Variant(
        id="ab12",
        study_id="cd34",
        recipe=recipe,
        name=recipe.name,
        is_baseline=recipe.is_baseline,
        state="done",
        error=None,
        results=RESULTS,
        stages={},
        created_at="2026-08-01T12:00:00.000+00:00",
    )
    return replace(made, **changes)


def read_csv(*variants: Variant) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(results_csv(variants))))


def test_file_names_are_readable() -> None:
    assert file_stem(variant(Recipe())) == "float32-baseline"
    assert re.fullmatch(r"prune-80_cluster-16_int8-qat_[0-9a-f]{8}", file_stem(variant()))


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "CON", "", "· · ·", "a\x00/b\\c:*?", "ü" * 300]
)
def test_file_names_are_safe(name: str) -> None:
    stem = file_stem(variant(name=name))
    assert re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,99}", stem)
    assert stem.upper() not in ("CON", "NUL")
    assert ".." not in stem.split("_")[0]


def test_file_names_of_different_recipes_differ() -> None:
    recipes = [
        Recipe(prune=Prune(), layers={"dense": LayerOverride(final_sparsity=value)})
        for value in (0.1, 0.2)
    ]
    assert recipes[0].name == recipes[1].name
    assert file_stem(variant(recipes[0])) != file_stem(variant(recipes[1]))


def test_a_record_has_every_key_always() -> None:
    done = variant_record(variant(), LAYERS)
    assert list(done) == KEYS
    assert done["layers"] == LAYERS
    assert done["latency_ms"] == RESULTS["latency_ms"]
    assert done["file"] == file_stem(variant()) + ".tflite"
    assert Recipe.parse(done["recipe"]) == RECIPE
    failed = variant_record(variant(state="failed", error="It crashed.", results=None))
    assert list(failed) == KEYS
    assert (failed["file"], failed["error"], failed["layers"]) == (None, "It crashed.", [])
    assert failed["latency_ms"] is failed["accuracy"] is None
    json.dumps([done, failed], allow_nan=False)


def test_the_document_has_schema_1() -> None:
    times = {"created_at": "2026-08-01T12:00:00.000+00:00", "sha256": "0" * 64, "size_bytes": 5}
    model = Model(id="m", name="digits", file_name="digits.keras", facts=MODEL_FACTS, **times)
    data = Dataset(
        id="d", name="d", file_name="d.npz", test_share=0.2, split_seed=0, facts=DATA_FACTS, **times
    )
    study = Study("s", "Digits", "m", "d", "multiclass", times["created_at"])
    asked = []

    def layers_of(each: Variant) -> list[dict[str, Any]]:
        asked.append(each.name)
        return LAYERS

    failed = variant(Recipe(quantize=Quantize(mode="float16")), state="failed", results=None)
    variants = [variant(Recipe()), variant(), failed]
    document = study_results(study, model, data, variants, {"cpu": "c"}, layers_of)
    assert list(document) == ["schema", "model", "dataset", "environment", "baseline", "variants"]
    assert document["schema"] == 1
    assert document["baseline"]["name"] == "float32 baseline"
    assert [v["state"] for v in document["variants"]] == ["done", "failed"]
    assert document["model"]["parameters"] == 130
    assert document["dataset"]["task"] == "multiclass"
    assert asked == ["float32 baseline", RECIPE.name], "a failed variant has no layers to ask for"
    assert json.loads(json.dumps(document)) == document
    alone = study_results(study, replace(model, facts=None), data, [], None, layers_of)
    assert (alone["baseline"], alone["variants"], alone["environment"]) == (None, [], {})
    assert alone["model"]["parameters"] is None


def test_csv_has_the_numbers() -> None:
    row = read_csv(variant())[0]
    assert tuple(row) == CSV_COLUMNS
    assert float(row["accuracy"]) == 0.95
    assert float(row["latency_p50_ms"]) == 0.02
    assert (float(row["latency_ratio_low"]), float(row["latency_ratio_high"])) == (0.7, 0.9)
    assert float(row["total_seconds"]) == 1.75
    assert row["cached_stages"] == "convert"
    regression = {**RESULTS, "accuracy": None, "metrics": {"mae": 0.25}}
    row = read_csv(variant(results=regression))[0]
    assert (row["accuracy"], row["mae"], row["mse"]) == ("", "0.25", "")
    empty = read_csv(variant(state="failed", error="No.", results=None))[0]
    assert (empty["size_bytes"], empty["total_seconds"], empty["latency_ratio"]) == ("", "", "")


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "＝1", "\x00=1", "\n=1"]
)
def test_csv_holds_no_formula(name: str) -> None:
    cell = read_csv(variant(name=name, error=name))[0]
    assert cell["name"].startswith("'")
    assert cell["error"].startswith("'")


def test_csv_keeps_commas_quotes_and_negative_numbers() -> None:
    awkward = 'a, "b"\nc'
    row = read_csv(variant(name=awkward, results={**RESULTS, "agreement": -0.5}))[0]
    assert row["name"] == awkward
    assert row["agreement"] == "-0.5"
