"""The limits are enforced at the store's doors, and what is refused leaves nothing behind."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from optimizer.quotas import QuotaError, Quotas
from optimizer.recipe import Quantize, Recipe
from optimizer.settings import Settings
from optimizer.store import Store, StoreError, Study
from optimizer.store.archive import import_study
from optimizer.store.kept_variants import KeptVariants

from .building import build_study, key, listing, rows


def limit(store: Store, **limits: int) -> None:
    Settings(limits=replace(Quotas(), **limits)).save(store.home)


def without_settings(store: Store) -> tuple[dict[str, bytes], list[str]]:
    files = listing(store.home)
    return {name: data for name, data in files.items() if "settings" not in name}, rows(store)


def test_an_upload_that_is_too_large_leaves_nothing(store: Store) -> None:
    limit(store, upload_bytes=10**6)
    before = without_settings(store)
    for add in (store.add_model, store.add_dataset):
        with pytest.raises(QuotaError, match=r"big\.bin has 1\.00 MB"):
            add("big.bin", b"x" * (10**6 + 1))
    assert without_settings(store)[1] == before[1]
    assert list(store.files.all_sha256()) == []
    assert store.add_model("fits.keras", b"x" * 10**6).size_bytes == 10**6


def test_uploads_in_no_study_are_limited_and_refused_bytes_do_not_stay(
    store: Store, study: Study
) -> None:
    limit(store, unused_uploads=2)
    store.add_model("a.keras", b"a")
    kept = store.add_dataset("b.npz", b"b")
    with pytest.raises(QuotaError, match="no study uses"):
        store.add_model("c.keras", b"refused")
    assert b"refused" not in {store.read_file(sha) for sha in store.files.all_sha256()}
    assert store.add_dataset("b.npz", b"b").id == kept.id, "what is there is found again"
    store.delete_dataset(kept.id)
    store.add_model("c.keras", b"refused")


def test_studies_are_limited_however_they_come(store: Store, honest: bytes) -> None:
    limit(store, studies=1)
    before = without_settings(store)
    with pytest.raises(QuotaError, match="1 study and may have 1"):
        import_study(store, io.BytesIO(honest))
    (study,) = store.list_studies()
    with pytest.raises(QuotaError):
        store.create_study("Second", study.model_id, study.dataset_id, "multiclass")
    assert without_settings(store) == before
    limit(store, studies=2)
    import_study(store, io.BytesIO(honest))


def test_an_archive_with_a_file_that_is_too_large_is_refused(
    store: Store, study: Study, honest: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(Quotas(), upload_bytes=10**6)
    object.__setattr__(small, "upload_bytes", 100)  # smaller than may be set
    monkeypatch.setattr("optimizer.store.base.load_limits", lambda home: small)
    with pytest.raises(QuotaError, match=r"digits\.keras"):
        import_study(store, io.BytesIO(honest))


def test_a_full_store_takes_nothing_and_takes_again_when_space_is_freed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.artifacts.write(key("old"), {"a.bin": bytes(300_000)})
    now = store.disk_use().total_bytes
    tight = Quotas()
    object.__setattr__(tight, "store_bytes", now + 100_000)  # smaller than may be set
    monkeypatch.setattr("optimizer.store.base.load_limits", lambda home: tight)
    with pytest.raises(QuotaError, match="more are to be kept"):
        store.artifacts.write(key("new"), {"a.bin": bytes(200_000)})
    with pytest.raises(QuotaError, match="Storage page"):
        store.add_model("a.keras", bytes(200_000))
    assert list(store.artifacts.keys()) == [key("old")]
    assert list((store.home / "tmp").iterdir()) == []
    assert store.free_cache(0.0) > 300_000
    store.artifacts.write(key("new"), {"a.bin": bytes(200_000)})


def test_what_other_processes_wrote_counts_before_a_refusal_and_what_they_freed_too(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Store.open(store.home)
    tight = Quotas()
    object.__setattr__(tight, "store_bytes", store.disk_use().total_bytes + 400_000)
    monkeypatch.setattr("optimizer.store.base.load_limits", lambda home: tight)
    store.artifacts.write(key("mine"), {"a.bin": bytes(300_000)})
    other.free_cache(0.0)
    store.artifacts.write(key("again"), {"a.bin": bytes(300_000)})  # an old measure would refuse
    other.close()


def test_the_disk_keeps_some_space(store: Store) -> None:
    limit(store, free_bytes=10**15)
    with pytest.raises(QuotaError, match="have to stay free"):
        store.artifacts.write(key("any"), {"a.bin": b"a"})
    assert store.list_runs() == []  # reading goes on


def test_a_run_beyond_the_limits_is_refused_with_the_variants_that_were_added_for_it(
    store: Store, study: Study
) -> None:
    limit(store, runs=1, variants=2)
    before = store.list_variants(study.id)
    recipes = [Recipe(quantize=Quantize(mode="int8"), seed=seed) for seed in (5, 6, 7)]
    with pytest.raises(QuotaError, match="3 variants"):
        store.add_variants(study.id, recipes)
    first = store.queue_run("variants", "first", study_id=study.id, variant_ids=[before[0].id])
    added = store.add_variants(study.id, recipes[:2])
    ids = [variant.id for variant in (*added, before[1])]
    with pytest.raises(QuotaError, match="3 variants"):
        store.queue_run("variants", "large", study_id=study.id, variant_ids=ids)
    with pytest.raises(QuotaError, match="1 run, waiting or under way"):
        store.queue_run("variants", "t", study_id=study.id, variant_ids=[before[1].id])
    assert store.list_variants(study.id) == before
    store.request_cancel(first.id)
    assert store.queue_run("variants", "second", study_id=study.id).state == "queued"


def test_settings_that_cannot_be_read_refuse_in_words(store: Store) -> None:
    (store.home / "settings.json").write_text("{")
    with pytest.raises(ValueError, match="cannot be read as JSON"):
        store.add_model("a.keras", b"a")


def test_only_variants_that_changed_are_read_again(store: Store) -> None:
    study = build_study(store)
    kept = KeptVariants(store._db)
    first = kept.of(study.id)
    assert kept.of(study.id) is first
    store.append_log("ab", "no change")
    changed = first[1]
    other = Store.open(store.home)
    other.update_variant(changed.id, state="failed", error="It failed.")
    added = other.add_variant(study.id, Recipe(quantize=Quantize(mode="int8"), seed=77))
    second = kept.of(study.id)
    assert [variant.id for variant in second] == [*(v.id for v in first), added.id]
    assert second[1].state == "failed"
    assert second[0] is first[0], "what did not change was not read again"
    other.delete_variant(added.id)
    assert [variant.id for variant in kept.of(study.id)] == [variant.id for variant in first]
    assert list(kept.of(study.id)) == [other.get_variant(variant.id) for variant in first]
    other.delete_study(study.id)
    assert kept.of(study.id) == ()
    other.close()


def test_a_refusal_is_no_fault_of_the_disk(store: Store) -> None:
    limit(store, free_bytes=10**15)
    try:
        store.files.write(b"x")
    except StoreError:
        pytest.fail("a limit is said as a limit")
    except QuotaError:
        pass
