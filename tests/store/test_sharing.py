"""Reports of studies, links for reading, and a store that refuses every change."""

from __future__ import annotations

import io
import sqlite3

import pytest

from optimizer.errors import InputError
from optimizer.recipe import Recipe
from optimizer.store import Store, Study, StudyReport
from optimizer.store.archive import export_study, import_study

from .building import rows


def test_a_link_opens_its_study_until_it_is_revoked(store: Store, study: Study) -> None:
    share, other = store.share_study(study.id), store.share_study(study.id)
    assert share.token != other.token
    assert store.shared_study(share.token) == study
    assert store.list_shares(study.id) == [other, share]
    store.revoke_share(share.token)
    assert store.shared_study(share.token) is None
    assert store.shared_study(other.token) == study


@pytest.mark.parametrize("token", ["", "x", "' OR 1=1 --", "a" * 32, "ü" * 32])
def test_another_token_opens_nothing(store: Store, study: Study, token: str) -> None:
    store.share_study(study.id)
    assert store.shared_study(token) is None


def test_links_and_reports_go_with_their_study(store: Store, study: Study) -> None:
    share = store.share_study(study.id)
    store.put_report(StudyReport(study.id, title="Which one?"))
    store.delete_study(study.id)
    assert store.shared_study(share.token) is None
    assert store.get_report(study.id) == StudyReport(study.id)


def test_a_report_travels_with_its_study_and_links_do_not(store: Store, study: Study) -> None:
    hashes = [variant.recipe.hash for variant in store.list_variants(study.id)]
    report = StudyReport(study.id, "Title", "Question?", "the board", hashes[1], hashes[:1])
    store.put_report(report)
    store.put_report(report)
    store.share_study(study.id)
    archive = io.BytesIO()
    export_study(store, study.id, archive)
    imported = import_study(store, archive)
    found = store.get_report(imported.id)
    assert found == StudyReport(imported.id, *list(vars(report).values())[1:])
    assert store.list_shares(imported.id) == []


def test_reading_only_refuses_every_change(store: Store, study: Study) -> None:
    before = rows(store)
    reader = Store.open(store.home)
    reader.refuse_changes()
    variant = reader.list_variants(study.id)[0]
    changes = [
        lambda: reader.rename_study(study.id, "other"),
        lambda: reader.delete_study(study.id),
        lambda: reader.delete_variant(variant.id),
        lambda: reader.add_variant(study.id, Recipe()),
        lambda: reader.update_variant(variant.id, name="other"),
        lambda: reader.queue_run("variants", "Run", study_id=study.id, variant_ids=[variant.id]),
        lambda: reader.add_model("a.keras", b"x"),
        lambda: reader.artifacts.write("0" * 64, {"a": b"x"}),
        lambda: reader.artifacts.discard(next(iter(variant.stages.values()))),
        lambda: reader.share_study(study.id),
        lambda: reader.put_report(StudyReport(study.id, "other")),
    ]
    for change in changes:
        with pytest.raises(InputError, match="changes nothing"):
            change()
    with pytest.raises(sqlite3.OperationalError):
        reader._db._connection().execute("DELETE FROM studies")
    assert rows(store) == before
    assert reader.get_study(study.id) == study
    assert reader.artifacts.has(next(iter(variant.stages.values())))
    reader.close()
