"""The Settings page: what it shows of the engine, and what it keeps."""

import os

from optimizer.engine import protections
from optimizer.engine.lock import EngineLock, started_at
from optimizer.settings import Settings
from optimizer.store import utc_now
from optimizer.store.records import EngineState
from tests.pages.conftest import check
from tests.pages.test_pages import button, texts


def fill(app, label, value):
    next(item for item in app.text_input if item.label == label).set_value(value)


def test_a_cluster_is_checked_and_kept(workbench):
    app = workbench.open("start/settings")
    check(app.segmented_control(key="settings_place").set_value("dask").run())
    fill(app, "Scheduler", "10.0.0.5")
    check(button(app, "Apply and restart the engine").click().run())
    assert "A scheduler's address looks like" in app.error[0].value
    assert Settings.load(workbench.store.home) == Settings()
    fill(app, "Scheduler", "tls://10.0.0.5:8786")
    fill(app, "Folder of certificates", "~/tls")
    check(button(app, "Apply and restart the engine").click().run())
    assert not app.error
    assert Settings.load(workbench.store.home) == Settings("tls://10.0.0.5:8786", "~/tls")
    check(app.segmented_control(key="settings_place").set_value("here").run())
    check(button(app, "Apply and restart the engine").click().run())
    assert Settings.load(workbench.store.home) == Settings()


def test_a_cluster_without_an_address_is_refused(workbench):
    app = workbench.open("start/settings")
    check(app.segmented_control(key="settings_place").set_value("dask").run())
    check(button(app, "Apply and restart the engine").click().run())
    assert "needs its scheduler's address" in app.error[0].value


def test_what_the_environment_sets_cannot_be_changed_and_is_not_kept(workbench, monkeypatch):
    monkeypatch.setenv("FEATHERWEIGHT_THREADS", "3")
    app = workbench.open("start/settings")
    assert "FEATHERWEIGHT_THREADS" in texts(app)
    threads = next(item for item in app.number_input if item.label == "Threads per stage")
    assert threads.disabled
    assert threads.value == 3
    next(item for item in app.number_input if item.label == "Stages at once").set_value(4)
    check(button(app, "Apply and restart the engine").click().run())
    monkeypatch.delenv("FEATHERWEIGHT_THREADS")
    assert Settings.load(workbench.store.home) == Settings(slots=4)


def test_workers_and_slots_are_shown(workbench, monkeypatch):
    monkeypatch.delenv("FEATHERWEIGHT_NO_ENGINE")
    worker = {
        "address": "tls://10.0.0.6:40000",
        "slots": 4,
        "benchmark": True,
        "usable": False,
        "memory_bytes": 8 * 10**9,
    }
    me, store = os.getpid(), workbench.store
    store.set_engine_state(
        EngineState(me, started_at(me), utc_now(), "ready", "Somewhere", 4, [worker])
    )
    with EngineLock(store.home):
        app = workbench.open("start/settings")
    assert "Somewhere." in texts(app)
    assert [item.value for item in app.metric][:2] == ["Ready", "4"]
    (table,) = [frame.value for frame in app.dataframe]
    assert table["Used"][0].startswith("no: other versions")


def test_how_stages_are_confined_is_shown_as_it_was_found(workbench):
    app = workbench.open("start/settings")
    found = {protection.name: protection for protection in protections.report()}
    (table,) = [shown.value for shown in app.table]
    assert list(table.index) == list(found)
    assert list(table["Holds"]) == ["yes" if p.holds else "no" for p in found.values()]
    warned = any("Missing" in warning.value for warning in app.warning)
    assert warned == ("no" in set(table["Holds"]))


def test_processor_time_of_a_stage_is_kept(workbench):
    app = workbench.open("start/settings")
    label = "Processor minutes per stage"
    next(item for item in app.number_input if item.label == label).set_value(90)
    check(button(app, "Apply and restart the engine").click().run())
    assert Settings.load(workbench.store.home) == Settings(stage_minutes=90)
