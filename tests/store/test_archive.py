"""Out of one store and into another: everything that counts arrives, and nothing else."""

from __future__ import annotations

import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from optimizer.recipe import Quantize, Recipe
from optimizer.sensitivity.scan import read_scan
from optimizer.store import Store, StoreError, Study, Variant
from optimizer.store.archive import export_study, import_study
from optimizer.store.archive_shapes import ARTIFACT_FILES
from tests.hostile import tflites

from .building import DATA_FACTS, MODEL_FACTS, SCAN, SCAN_OPTIONS, add_scan, key
from .forging import forged, members_of


def exported(store: Store, study_id: str) -> io.BytesIO:
    buffer = io.BytesIO()
    export_study(store, study_id, buffer)
    buffer.seek(0)
    return buffer


def measured_files(store: Store, variant: Variant) -> dict[str, dict[str, bytes]]:
    files = {
        stage: {n: d for n, d in store.artifacts.read_all(k).items() if n in ARTIFACT_FILES}
        for stage, k in variant.stages.items()
    }
    return {stage: content for stage, content in files.items() if content}


def facts_of(variant: Variant) -> tuple:
    return (variant.name, variant.recipe, variant.results, variant.state, variant.created_at)


def test_a_study_arrives_as_it_left(store: Store, study: Study, tmp_path: Path) -> None:
    export_study(store, study.id, tmp_path / "digits.zip")
    other = Store.open(tmp_path / "other")
    arrived = import_study(other, tmp_path / "digits.zip")
    assert (arrived.name, arrived.task, arrived.created_at, arrived.environment) == (
        *(study.name, study.task, study.created_at, study.environment),
    )
    assert (arrived.origin, arrived.variant_count, arrived.done_count) == ("imported", 3, 3)
    assert other.list_studies() == [arrived]
    done = [v for v in store.list_variants(study.id) if v.state == "done"]
    there = other.list_variants(arrived.id)
    assert [facts_of(v) for v in there] == [facts_of(v) for v in done]
    assert [v.is_baseline for v in there] == [True, False, False]
    assert [measured_files(other, v) for v in there] == [measured_files(store, v) for v in done]
    model, data = other.get_model(arrived.model_id), other.get_dataset(arrived.dataset_id)
    assert (model.facts, data.facts) == (MODEL_FACTS, DATA_FACTS)
    assert (model.origin, data.origin) == ("imported", "imported")
    original = store.get_dataset(study.dataset_id)
    assert (arrived.objective, data.options) == (study.objective, original.options)
    assert data.options == {"scaling": "unit"}
    assert other.read_file(model.sha256) == store.read_file(model.sha256)
    assert other.read_file(data.sha256) == store.read_file(original.sha256)
    preview = other.artifacts.read(data.facts_key, "preview.npz")
    assert preview == store.artifacts.read(original.facts_key, "preview.npz")
    assert other.collect_garbage(min_age_seconds=0) == 0


def test_scans_of_layers_arrive_with_their_study(
    store: Store, study: Study, tmp_path: Path
) -> None:
    add_scan(store, study)
    store.queue_run("sensitivity", "Under way", study_id=study.id, options=SCAN_OPTIONS)
    other = Store.open(tmp_path / "other")
    arrived = import_study(other, exported(store, study.id))
    [scan] = other.list_scans(arrived.id)
    assert (scan.state, scan.title, scan.options) == ("done", "Scan", SCAN_OPTIONS)
    assert scan.result == {"scan": SCAN, "seconds": 2.5}
    took = datetime.fromisoformat(scan.finished_at) - datetime.fromisoformat(scan.started_at)
    assert took.total_seconds() == 2.5
    assert read_scan(scan.result["scan"]).layers[0].name == "dense"


def test_an_archive_from_before_scans_were_in_it_is_read(
    store: Store, study: Study, tmp_path: Path
) -> None:
    members = members_of(exported(store, study.id).getvalue())
    outline = json.loads(members["study.json"])
    del outline["scans"]
    old = forged({**members, "study.json": json.dumps(outline).encode()}, schema=4)
    other = Store.open(tmp_path / "other")
    assert other.list_scans(import_study(other, io.BytesIO(old)).id) == []


def test_exporting_again_gives_the_same_bytes(store: Store, study: Study, tmp_path: Path) -> None:
    first = exported(store, study.id).getvalue()
    assert exported(store, study.id).getvalue() == first
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        names = archive.namelist()
    assert names[:5] == [
        *("manifest.json", "study.json", "files/model", "files/dataset", "dataset/preview.npz"),
    ]
    assert not any(name.endswith("model.keras") for name in names)
    target = tmp_path / "study.zip"
    target.write_bytes(b"what was there")
    export_study(store, study.id, target)
    assert target.read_bytes() == first
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["study.zip"]


def test_a_study_that_arrived_can_leave_again(store: Store, study: Study, tmp_path: Path) -> None:
    other, third = Store.open(tmp_path / "other"), Store.open(tmp_path / "third")
    arrived = import_study(other, exported(store, study.id))
    again = import_study(third, exported(other, arrived.id))
    assert [facts_of(v) for v in third.list_variants(again.id)] == [
        facts_of(v) for v in other.list_variants(arrived.id)
    ]
    assert third.get_model(again.model_id).facts == MODEL_FACTS


def test_results_never_land_under_the_keys_of_the_cache(
    store: Store, study: Study, tmp_path: Path
) -> None:
    other = Store.open(tmp_path / "other")
    arrived = import_study(other, exported(store, study.id))
    assert not set(store.artifacts.keys()) & set(other.artifacts.keys())
    key_of = {v.recipe.hash: v.stages for v in other.list_variants(arrived.id)}
    for variant in store.list_variants(study.id)[:3]:
        for stage, imported in key_of[variant.recipe.hash].items():
            assert not other.artifacts.has(variant.stages[stage])
            assert other.artifacts.meta(imported) == {"imported_key": variant.stages[stage]}


def test_importing_twice_gives_two_studies_of_one_model(store: Store, study: Study) -> None:
    archive = exported(store, study.id)
    first, second = import_study(store, archive), import_study(store, archive)
    assert len({study.id, first.id, second.id}) == 3
    assert {s.model_id for s in store.list_studies()} == {study.model_id}, "equal facts: the same"
    assert len(store.list_models()) == len(store.list_datasets()) == 1
    keys = [
        {k for v in store.list_variants(s.id) for k in v.stages.values()} for s in (first, second)
    ]
    assert not keys[0] & keys[1]
    store.delete_study(first.id)
    assert all(store.artifacts.verify(k) for k in keys[1])
    assert not any(store.artifacts.has(k) for k in keys[0])


def test_facts_of_an_archive_are_not_taken_for_our_own(
    store: Store, study: Study, tmp_path: Path
) -> None:
    other = Store.open(tmp_path / "other")
    arrived = import_study(other, exported(store, study.id))
    imported = other.get_model(arrived.model_id)
    own = other.add_model(imported.file_name, other.read_file(imported.sha256))
    assert own.id != imported.id
    assert own.facts is None
    store.set_model_facts(study.model_id, {**MODEL_FACTS, "parameters": 131}, key("model facts"))
    disagreeing = import_study(store, exported(other, arrived.id))
    assert disagreeing.model_id != study.model_id
    assert store.get_model(study.model_id).facts["parameters"] == 131


def test_a_sample_is_imported_once_and_trusted(store: Store, study: Study, tmp_path: Path) -> None:
    other, archive = Store.open(tmp_path / "other"), exported(store, study.id)
    sample = import_study(other, archive, origin="sample")
    assert import_study(other, archive, origin="sample") == sample
    assert import_study(other, archive).id != sample.id
    model = other.get_model(sample.model_id)
    assert (sample.origin, model.origin) == ("sample", "sample")
    assert other.add_model(model.file_name, other.read_file(model.sha256)) == model


def test_a_sample_imported_by_several_at_once_is_there_once(
    store: Store, study: Study, tmp_path: Path
) -> None:
    archive, home = exported(store, study.id).getvalue(), tmp_path / "other"
    Store.open(home)

    def first_start(_: int) -> Study:
        return import_study(Store.open(home), io.BytesIO(archive), origin="sample")

    with ThreadPoolExecutor(4) as pool:
        studies = list(pool.map(first_start, range(4)))
    other = Store.open(home)
    assert other.list_studies() == [studies[0]] == list({s.id: s for s in studies}.values())
    named = {k for v in other.list_variants(studies[0].id) for k in v.stages.values()}
    facts = {other.list_models()[0].facts_key, other.list_datasets()[0].facts_key}
    assert set(other.artifacts.keys()) == named | facts, "what lost the race was taken back"
    assert all(other.artifacts.verify(k) for k in other.artifacts.keys())  # noqa: SIM118


def test_an_imported_study_can_be_carried_on(store: Store, study: Study, tmp_path: Path) -> None:
    other = Store.open(tmp_path / "other")
    arrived = import_study(other, exported(store, study.id))
    added = other.add_variant(arrived.id, Recipe(quantize=Quantize(mode="float16")))
    assert other.queue_run("variants", "t", study_id=arrived.id, variant_ids=[added.id])
    assert other.get_study(arrived.id).variant_count == 4


def test_what_compresses_extremely_still_comes_back(store: Store, study: Study) -> None:
    variant, zeros = store.list_variants(study.id)[1], b"\x00" * 3_000_000
    sound = tflites.packed(tflites.model())
    store.artifacts.write(key("zeros"), {"model.tflite": sound + zeros})
    store.update_variant(variant.id, stages={"convert": key("zeros")})
    archive = exported(store, study.id)
    arrived = import_study(store, archive)
    stages = store.list_variants(arrived.id)[1].stages
    assert store.artifacts.read(stages["convert"], "model.tflite").endswith(zeros)


def test_a_study_without_results_or_facts_travels(store: Store, tmp_path: Path) -> None:
    model, data = store.add_model("m.keras", b"m"), store.add_dataset("d.npz", b"d")
    study = store.create_study("Empty", model.id, data.id, "regression")
    arrived = import_study(Store.open(tmp_path / "other"), exported(store, study.id))
    assert (arrived.task, arrived.variant_count, arrived.environment) == ("regression", 0, None)


def test_a_missing_or_damaged_result_stops_the_export(
    store: Store, study: Study, tmp_path: Path
) -> None:
    variant = store.list_variants(study.id)[1]
    path = store.artifacts.path(variant.stages["convert"], "model.tflite")
    path.write_bytes(path.read_bytes()[::-1])
    with pytest.raises(StoreError, match=r"is damaged\. Run its variant again"):
        export_study(store, study.id, tmp_path / "study.zip")
    store.artifacts.discard(variant.stages["convert"])
    with pytest.raises(StoreError, match=r"of a finished variant is missing\. Run it again"):
        export_study(store, study.id, tmp_path / "study.zip")
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == []


def test_an_import_that_fails_half_way_leaves_nothing(
    store: Store, study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, archive = Store.open(tmp_path / "other"), exported(store, study.id)
    write, count = other.artifacts.write, 0

    def failing(*arguments: object) -> None:
        nonlocal count
        count += 1
        if count == 4:
            raise StoreError("The disk is full.")
        write(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(other.artifacts, "write", failing)
    with pytest.raises(StoreError, match="The disk is full"):
        import_study(other, archive)
    assert other.list_studies() == other.list_models() == other.list_datasets() == []
    own = ("featherweight", "writers.lock")
    left = [p for p in other.home.rglob("*") if p.is_file() and not p.name.startswith(own)]
    assert left == []


def test_preview_and_predictions_are_plain_arrays(store: Store, study: Study) -> None:
    with zipfile.ZipFile(exported(store, study.id)) as archive:
        for name in archive.namelist():
            if name.endswith(".npz"):
                np.load(io.BytesIO(archive.read(name)), allow_pickle=False)
            if name.endswith(".json"):
                json.loads(archive.read(name))
