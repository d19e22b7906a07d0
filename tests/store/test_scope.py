"""What one person sees and changes of a store: their own records, by every method there is."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pytest

from optimizer.access.identity import owner_of
from optimizer.bundled import ensure_sample_study
from optimizer.errors import FeatherweightError, InputError
from optimizer.recipe import Cluster, Recipe
from optimizer.store import Scope, Store, Trial
from optimizer.store.records import RunStage, Share, Study, StudyReport
from optimizer.store.scope import OWNED, UNSCOPED
from optimizer.store.space_facts import UploadSpace

from .building import build_study, rows

ADA, BOB = (owner_of("https://id.example.org", subject) for subject in ("1", "2"))
SECRET = "Adas secret study"
LOG = "Adas secret log"


@dataclass
class Hers:
    """Ada's records, and what Bob sees of the same store."""

    bob: Store
    ada: Store
    all: Store
    study: Study
    share: Share
    run: str
    variant: str
    stage: RunStage
    trial: Trial

    @property
    def words(self) -> set[str]:
        """Everything of hers that a result could show."""
        study = self.study
        return {study.id, study.model_id, study.dataset_id, self.share.token, self.run, SECRET} | {
            self.variant,
            LOG,
        }


@pytest.fixture
def hers(store: Store) -> Hers:
    return make(store)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hers]:
    """For all of Bob's tries, each of which has to leave it as it was."""
    opened = Store.open(tmp_path_factory.mktemp("scope"))
    yield make(opened)
    opened.close()


def make(store: Store) -> Hers:
    ada = store.scoped(Scope(owner=ADA))
    study = build_study(ada)
    ada.rename_study(study.id, SECRET)
    study = ada.get_study(study.id)
    variant = next(v for v in ada.list_variants(study.id) if not v.is_baseline)
    run = ada.queue_run("search", SECRET, study_id=study.id, variant_ids=[variant.id])
    store.append_log(run.id, LOG)
    stage = RunStage(run.id, "0" * 64, "convert", SECRET, (variant.id,), "running")
    store.put_stage(stage)
    trial = Trial(run.id, 0, variant.id, {}, variant.recipe)
    store.put_trial(trial)
    ada.put_report(StudyReport(study.id, title=SECRET))
    bob = store.scoped(Scope(owner=BOB))
    return Hers(bob, ada, store, study, ada.share_study(study.id), run.id, variant.id, stage, trial)


RECIPE = Recipe(cluster=Cluster(number_of_clusters=5))
CALLS: dict[str, Callable[[Hers], Any]] = {
    "add_dataset": lambda h: h.bob.add_dataset("data.npz", h.all.read_file(data_of(h).sha256)),
    "add_model": lambda h: h.bob.add_model(
        model_of(h).file_name, h.all.read_file(model_of(h).sha256)
    ),
    "add_variant": lambda h: h.bob.add_variant(h.study.id, RECIPE),
    "add_variants": lambda h: h.bob.add_variants(h.study.id, [RECIPE]),
    "adopt_study": lambda h: h.bob.adopt_study(
        replace(h.study, name="x"), model_of(h), data_of(h), [], "0" * 64
    ),
    "append_log": lambda h: h.bob.append_log(h.run, "x"),
    "baseline": lambda h: h.bob.baseline(h.study.id),
    "broken_variants": lambda h: h.bob.broken_variants(h.run),
    "check_room_for_study": lambda h: h.bob.check_room_for_study(),
    "claim_run": lambda h: h.bob.claim_run(h.run),
    "collect_garbage": lambda h: h.bob.collect_garbage(min_age_seconds=0),
    "count_variants": lambda h: h.bob.count_variants(h.run),
    "create_study": lambda h: h.bob.create_study(
        "x", h.study.model_id, h.study.dataset_id, "multiclass"
    ),
    "delete_dataset": lambda h: h.bob.delete_dataset(h.study.dataset_id),
    "delete_model": lambda h: h.bob.delete_model(h.study.model_id),
    "delete_studies": lambda h: h.bob.delete_studies([h.study.id]),
    "delete_study": lambda h: h.bob.delete_study(h.study.id),
    "delete_uploads": lambda h: h.bob.delete_uploads(unused_of(h)),
    "delete_variant": lambda h: h.bob.delete_variant(h.variant),
    "compact_database": lambda h: h.bob.compact_database(),
    "free_cache": lambda h: h.bob.free_cache(0),
    "free_logs": lambda h: h.bob.free_logs(),
    "free_temporary": lambda h: h.bob.free_temporary(),
    "freed_by_cache": lambda h: h.bob.freed_by_cache(0),
    "freed_by_studies": lambda h: h.bob.freed_by_studies([h.study.id]) or None,
    "freed_by_uploads": lambda h: h.bob.freed_by_uploads(unused_of(h)) or None,
    "file_path": lambda h: h.bob.file_path(model_of(h).sha256),
    "get_dataset": lambda h: h.bob.get_dataset(h.study.dataset_id),
    "get_model": lambda h: h.bob.get_model(h.study.model_id),
    "get_report": lambda h: h.bob.get_report(h.study.id).title,
    "get_run": lambda h: h.bob.get_run(h.run),
    "get_study": lambda h: h.bob.get_study(h.study.id),
    "get_variant": lambda h: h.bob.get_variant(h.variant),
    "in_use": lambda h: h.bob.in_use(),
    "snapshot": lambda h: h.bob.snapshot(h.all.home / "copy.db"),
    "list_datasets": lambda h: h.bob.list_datasets(),
    "list_models": lambda h: h.bob.list_models(),
    "list_runs": lambda h: [h.bob.list_runs(), h.bob.list_runs(study_id=h.study.id)],
    "list_scans": lambda h: h.bob.list_scans(h.study.id),
    "list_searches": lambda h: h.bob.list_searches(h.study.id),
    "list_shares": lambda h: h.bob.list_shares(h.study.id),
    "list_stages": lambda h: h.bob.list_stages(h.run),
    "list_studies": lambda h: h.bob.list_studies(),
    "list_trials": lambda h: h.bob.list_trials(h.run),
    "list_variants": lambda h: h.bob.list_variants(h.study.id),
    "next_queued_runs": lambda h: h.bob.next_queued_runs(10),
    "put_report": lambda h: h.bob.put_report(StudyReport(h.study.id, title="x")),
    "put_stage": lambda h: h.bob.put_stage(replace(h.stage, state="done")),
    "put_stages": lambda h: h.bob.put_stages([replace(h.stage, state="done")]),
    "put_trial": lambda h: h.bob.put_trial(replace(h.trial, state="failed")),
    "put_trials": lambda h: h.bob.put_trials([replace(h.trial, state="failed")]),
    "queue_run": lambda h: h.bob.queue_run("variants", "x", study_id=h.study.id),
    "read_file": lambda h: h.bob.read_file(model_of(h).sha256),
    "read_log": lambda h: h.bob.read_log(h.run),
    "rename_dataset": lambda h: h.bob.rename_dataset(h.study.dataset_id, "x"),
    "rename_model": lambda h: h.bob.rename_model(h.study.model_id, "x"),
    "rename_study": lambda h: h.bob.rename_study(h.study.id, "x"),
    "request_cancel": lambda h: h.bob.request_cancel(h.run),
    "revoke_share": lambda h: h.bob.revoke_share(h.share.token),
    "running_runs": lambda h: h.bob.running_runs(),
    "set_dataset_facts": lambda h: h.bob.set_dataset_facts(h.study.dataset_id, {}, "0" * 64),
    "set_model_facts": lambda h: h.bob.set_model_facts(h.study.model_id, {}, "0" * 64),
    "set_study_environment": lambda h: h.bob.set_study_environment(h.study.id, {}),
    "share_study": lambda h: h.bob.share_study(h.study.id),
    "shared_study": lambda h: h.bob.shared_study(h.share.token),
    "space_use": lambda h: h.bob.space_use(),
    "study_bytes": lambda h: h.bob.study_bytes(h.study.id) or None,
    "study_of_archive": lambda h: h.bob.study_of_archive("0" * 64),
    "unused_uploads": lambda h: h.bob.unused_uploads(),
    "variants_of": lambda h: h.bob.variants_of(h.study.id),
    "variants_version": lambda h: h.bob.variants_version(h.study.id),
    "update_run": lambda h: h.bob.update_run(h.run, title="x"),
    "update_variant": lambda h: h.bob.update_variant(h.variant, name="x"),
    "withdraw": lambda h: h.bob.withdraw(
        set(h.ada.get_variant(h.variant).stages.values()), {model_of(h).sha256}
    ),
}
"""Method → Bob's try at what is Ada's."""
OF_NOBODY = {
    *("artifacts", "close", "files", "home", "marker", "open", "scope", "scoped"),
    *("limits", "one_change", "writing"),
    *("disk_use", "engine_state", "has_changed_since", "refuse_changes", "set_engine_state"),
    "version",
}
"""Attributes that concern no record: the store itself, the engine, the sum of all bytes.

Artifacts are found by content keys, 256 bits that only records tell.
"""


def model_of(hers: Hers) -> Any:
    return hers.all.get_model(hers.study.model_id)


def data_of(hers: Hers) -> Any:
    return hers.all.get_dataset(hers.study.dataset_id)


def unused_of(hers: Hers) -> list[UploadSpace]:
    """Her uploads, as somebody would name them who knows their ids."""
    ids: list[tuple[Literal["model", "dataset"], str]]
    ids = [("model", hers.study.model_id), ("dataset", hers.study.dataset_id)]
    return [UploadSpace(kind, upload_id, "x", 0, "", busy=False) for kind, upload_id in ids]


def kept_of(hers: Hers) -> tuple[Any, ...]:
    """All of Ada's: her rows, files, results and log."""
    mine = [line for line in rows(hers.all) if any(word in line for word in hers.words)]
    stages = hers.all.get_variant(hers.variant).stages.values()
    return (
        mine,
        hers.all.files.has(model_of(hers).sha256),
        [hers.all.artifacts.has(key) for key in stages],
        hers.all.read_log(hers.run),
    )


def test_every_method_is_tried() -> None:
    public = {name for name in dir(Store) if not name.startswith("_")}
    assert public - OF_NOBODY == set(CALLS)


@pytest.mark.parametrize("method", sorted(CALLS))
def test_nothing_of_hers_is_seen_or_changed(untouched: Hers, method: str) -> None:
    before = kept_of(untouched)
    try:
        result = CALLS[method](untouched)
    except InputError:
        result = None
    except sqlite3.DatabaseError as error:
        result = str(error)
    assert kept_of(untouched) == before
    assert not [word for word in untouched.words if word in repr(result)]


def test_every_table_is_scoped_or_said_to_be_of_nobody(store: Store) -> None:
    """A new table is invisible to nobody until somebody decides whose its rows are."""
    sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    tables = {row[0] for row in store._db.rows(sql)}
    for scope in (Scope(owner=ADA), Scope(study_id="")):
        scoped = {statement.split()[3] for statement in scope.views()}
        assert scoped == tables - set(UNSCOPED)
    columns = {t: {r[1] for r in store._db.rows(f"PRAGMA table_info({t})")} for t in tables}
    assert {table for table, found in columns.items() if "owner" in found} == set(OWNED)


def test_a_change_that_forgets_the_scope_is_refused_by_sqlite(hers: Hers) -> None:
    for statement in ("DELETE FROM studies", "UPDATE variants SET name = 'x'"):
        with (
            pytest.raises(sqlite3.OperationalError, match="view"),
            hers.bob._db.write() as connection,
        ):
            connection.execute(statement)


def test_she_does_everything_with_her_own(hers: Hers) -> None:
    ada, study = hers.ada, hers.study
    assert [found.id for found in ada.list_studies()] == [study.id]
    assert ada.read_log(hers.run).strip() == LOG
    assert ada.get_report(study.id).title == SECRET
    assert ada.read_file(model_of(hers).sha256)
    assert ada.request_cancel(hers.run).state == "cancelled"
    ada.update_variant(hers.variant, name="mine")
    ada.delete_variant(hers.variant)
    ada.revoke_share(hers.share.token)
    assert ada.list_shares(study.id) == []
    ada.delete_study(study.id)
    ada.delete_model(study.model_id)
    ada.delete_dataset(study.dataset_id)
    assert hers.all.list_studies() == hers.all.list_models() == hers.all.list_datasets() == []


def test_equal_uploads_of_two_people_are_two_records_and_one_file(hers: Hers) -> None:
    content = hers.all.read_file(model_of(hers).sha256)
    his = hers.bob.add_model(model_of(hers).file_name, content)
    assert his.id != hers.study.model_id
    assert his.facts is None
    hers.bob.delete_model(his.id)
    assert hers.all.read_file(model_of(hers).sha256) == content


def test_what_was_there_before_sign_in_belongs_to_nobody(store: Store) -> None:
    study = build_study(store)
    assert store.scoped(Scope(owner=ADA)).list_studies() == []
    assert [found.id for found in store.list_studies()] == [study.id]


def test_everybody_has_the_sample_and_changes_are_private(store: Store) -> None:
    people = [store.scoped(Scope(owner=owner)) for owner in (ADA, BOB)]
    for person in people:
        ensure_sample_study(person)
        ensure_sample_study(person)
    (hers,), (his,) = (person.list_studies() for person in people)
    assert hers.name == his.name
    people[0].rename_study(hers.id, "changed")
    people[0].delete_study(hers.id)
    assert people[1].get_study(his.id).name == his.name
    results = people[1].list_variants(his.id)
    assert all(store.artifacts.has(key) for v in results for key in v.stages.values())


def test_a_visitor_sees_the_shared_study_alone(hers: Hers, tmp_path: Path) -> None:
    other = build_study(hers.ada, name="Another")
    visitor = hers.all.scoped(Scope(study_id=hers.study.id))
    assert [study.id for study in visitor.list_studies()] == [hers.study.id]
    assert visitor.shared_study(hers.share.token) == hers.study
    assert visitor.list_variants(other.id) == []
    for read in (visitor.get_study, visitor.share_study, visitor.delete_study):
        with pytest.raises(FeatherweightError):
            read(other.id)
    with pytest.raises(InputError, match="changes nothing"):
        visitor.rename_study(hers.study.id, "x")
    nothing = hers.all.scoped(Scope(study_id=""))
    assert nothing.list_studies() == nothing.list_runs() == nothing.list_models() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"owner": ADA, "study_id": "ab"},
        {"owner": "' OR 1=1 --"},
        {"owner": ADA + "0"},
        {"study_id": "ab' OR '1'='1"},
    ],
)
def test_only_identifiers_are_scopes(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"scope|owner|study"):
        Scope(**wrong)
