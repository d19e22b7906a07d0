"""Models, datasets, studies and variants: what is the same, what may be deleted."""

from __future__ import annotations

import dataclasses

import pytest

from optimizer.errors import InputError
from optimizer.recipe import BASELINE, FineTune, Quantize, Recipe
from optimizer.store import Store, Study

from .building import DATA_FACTS, MODEL_FACTS, RECIPES, RESULTS, key

INT8 = Recipe(quantize=Quantize(mode="int8"))


def test_the_same_upload_is_the_same_record(store: Store) -> None:
    model = store.add_model("a.keras", b"bytes")
    assert store.add_model("a.keras", b"bytes") == model
    assert store.add_model("b.keras", b"bytes").id != model.id
    assert store.add_model("a.keras", b"other").id != model.id
    assert [m.file_name for m in store.list_models()] == ["a.keras", "b.keras", "a.keras"]
    data = store.add_dataset("a.npz", b"bytes", test_share=0.2, split_seed=0)
    assert store.add_dataset("a.npz", b"bytes", test_share=0.2, split_seed=0) == data
    assert store.add_dataset("a.npz", b"bytes", test_share=0.3, split_seed=0).id != data.id
    assert store.add_dataset("a.npz", b"bytes", test_share=0.2, split_seed=1).id != data.id
    assert (model.size_bytes, model.sha256) == (5, data.sha256)
    assert store.read_file(model.sha256) == b"bytes"


@pytest.mark.parametrize(
    ("uploaded", "kept", "name"),
    [
        ("../../etc/pass\x00wd.keras", "pass wd.keras", "pass wd"),
        ("C:\\models\\my model.h5", "my model.h5", "my model"),
        ("\u202egpj.keras\n", "gpj.keras", "gpj"),
        ("", "model", "model"),
        ("x" * 500, "x" * 120, "x" * 120),
    ],
)
def test_uploaded_names_are_text_only(store: Store, uploaded: str, kept: str, name: str) -> None:
    model = store.add_model(uploaded, b"bytes")
    assert (model.file_name, model.name) == (kept, name)
    stored = [p.name for p in (store.home / "files").rglob("*") if p.is_file()]
    assert stored == [model.sha256]


def test_facts_and_names_are_kept(store: Store, study: Study) -> None:
    model, data = store.get_model(study.model_id), store.get_dataset(study.dataset_id)
    assert (model.facts, model.facts_key) == (MODEL_FACTS, key("model facts"))
    assert (data.facts, data.facts_key) == (DATA_FACTS, key("data facts"))
    store.rename_model(model.id, "  A\tbetter\nname ")
    store.rename_dataset(data.id, "\n")
    assert store.get_model(model.id).name == "A better name"
    assert store.get_dataset(data.id).name == "data"
    assert store.get_model(model.id).file_name == "digits.keras"


def test_records_are_frozen(study: Study) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        study.name = "other"  # type: ignore[misc]


def test_a_study_needs_its_model_and_dataset(store: Store) -> None:
    model = store.add_model("m.keras", b"m")
    with pytest.raises(InputError, match="There is no dataset 'gone'"):
        store.create_study("s", model.id, "gone", "binary")
    assert store.list_studies() == []


def test_studies_are_listed_with_their_counts(store: Store, study: Study) -> None:
    empty = store.create_study("Empty", study.model_id, study.dataset_id, "multiclass")
    listed = store.list_studies()
    assert [s.id for s in listed] == [empty.id, study.id]
    assert [(s.variant_count, s.done_count) for s in listed] == [(0, 0), (5, 3)]
    assert listed[1] == study == store.get_study(study.id)
    assert study.environment == {"tensorflow": "2.21.0", "cpu": "some processor"}


def test_variants_come_back_as_they_were_stored(store: Store, study: Study) -> None:
    variants = store.list_variants(study.id)
    assert [v.state for v in variants] == ["done", "done", "done", "failed", "queued"]
    assert tuple(v.recipe for v in variants[:3]) == RECIPES
    assert [v.name for v in variants[:3]] == [recipe.name for recipe in RECIPES]
    assert all(v.results == RESULTS for v in variants[:3])
    assert all(set(v.stages) == {"prune", "convert", "evaluate", "benchmark"} for v in variants[:3])
    assert variants[3].error == "The stage convert ran out of memory."
    assert store.get_variant(variants[1].id) == variants[1]
    assert store.baseline(study.id) == variants[0]


def test_the_same_recipe_is_the_same_variant(store: Store, study: Study) -> None:
    again = store.add_variants(study.id, [INT8, Recipe.parse(INT8.canonical_json())])
    assert again[0] == again[1] == store.list_variants(study.id)[1]
    other = store.create_study("Other", study.model_id, study.dataset_id, "multiclass")
    assert store.add_variant(other.id, INT8).id != again[0].id


def test_there_is_one_baseline(store: Store, study: Study) -> None:
    same = Recipe(seed=5, fine_tune=FineTune(epochs=9))
    assert store.add_variant(study.id, same) == store.baseline(study.id)
    other = store.create_study("Other", study.model_id, study.dataset_id, "multiclass")
    assert store.baseline(other.id) is None
    assert store.add_variant(other.id, same).recipe == BASELINE


def test_only_what_may_change_changes(store: Store, study: Study) -> None:
    variant = store.list_variants(study.id)[1]
    with pytest.raises(TypeError, match=r"cannot change \['recipe'\]"):
        store.update_variant(variant.id, recipe=BASELINE)
    store.update_variant(variant.id, results={"accuracy": float("nan"), "size_bytes": 3})
    assert store.get_variant(variant.id).results == {"accuracy": None, "size_bytes": 3}


def test_what_a_study_uses_cannot_be_deleted(store: Store, study: Study) -> None:
    with pytest.raises(InputError, match="model “digits” cannot be deleted: the study “Digits”"):
        store.delete_model(study.model_id)
    store.create_study("Second", study.model_id, study.dataset_id, "multiclass")
    with pytest.raises(InputError, match="the study “Digits” and 1 more uses it"):
        store.delete_dataset(study.dataset_id)
    assert store.get_model(study.model_id).name == "digits"


def test_the_baseline_stays_while_others_are_compared_with_it(store: Store, study: Study) -> None:
    baseline = store.baseline(study.id)
    assert baseline is not None
    with pytest.raises(InputError, match="while 4 other variants are compared with it"):
        store.delete_variant(baseline.id)
    for variant in store.list_variants(study.id)[1:]:
        store.delete_variant(variant.id)
    store.delete_variant(baseline.id)
    assert store.list_variants(study.id) == []


def test_nothing_is_deleted_under_a_run(store: Store, study: Study) -> None:
    variant = store.list_variants(study.id)[1]
    run = store.queue_run("variants", "Int8", study_id=study.id, variant_ids=[variant.id])
    lone = store.add_model("lone.keras", b"lone")
    reading = store.queue_run("import_model", "Read lone", model_id=lone.id)
    for state in ("queued", "running"):
        store.update_run(run.id, state=state)
        store.update_run(reading.id, state=state)
        with pytest.raises(InputError, match=r"while “Int8” is queued or running\. Cancel"):
            store.delete_variant(variant.id)
        with pytest.raises(InputError, match="while “Int8” is queued or running"):
            store.delete_study(study.id)
        with pytest.raises(InputError, match="while “Read lone” is queued or running"):
            store.delete_model(lone.id)
    for each in (run, reading):
        store.update_run(each.id, state="done")
    store.delete_model(lone.id)
    store.delete_study(study.id)
    assert store.list_studies() == []
    assert store.list_runs() == []
    with pytest.raises(InputError, match="There is no variant"):
        store.get_variant(variant.id)
