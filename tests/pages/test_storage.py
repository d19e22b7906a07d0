"""The Storage page: what takes space, how much is freed before and after; and the limits' form."""

import json
import os
import time
from dataclasses import replace

from optimizer.quotas import Quotas
from optimizer.settings import Settings, load_limits
from pages.parts import pace
from tests.pages.conftest import check
from tests.store.building import build_study, key


def texts(app):
    return [item.value for item in (*app.caption, *app.markdown, *app.success, *app.error)]


def button(app, name):
    return next(item for item in app.button if item.key == name)


def limit(workbench, **limits):
    Settings(limits=replace(Quotas(), **limits)).save(workbench.store.home)


def test_it_shows_what_takes_space(workbench):
    app = workbench.open("start/storage")
    use = workbench.store.space_use()
    (chart,) = app.get("plotly_chart")
    bars = json.loads(chart.proto.spec)["data"]
    assert sum(len(bar["y"]) for bar in bars) == sum(size > 0 for size in use.kinds.values())
    assert app.dataframe[1].value["Study"].tolist() == [workbench.study.name]
    assert button(app, "storage_delete_studies").disabled
    assert button(app, "storage_free_cache").disabled
    assert "Nothing to free." in texts(app)


def test_an_empty_store_has_a_page_too(empty):
    app = empty.open("start/storage")
    assert any("There is no study" in item.value for item in app.info)


def test_cached_results_go_when_asked_for(workbench):
    store = workbench.store
    store.artifacts.write(key("garbage"), {"model.keras": bytes(50_000)})
    app = workbench.open("start/storage")
    assert button(app, "storage_free_cache").disabled, "too young"
    os.utime(store.artifacts.path(key("garbage"), "x").parent, (0, 0))
    app.run()
    expected = store.freed_by_cache(86_400.0)
    assert expected > 50_000
    assert "Will free 50.2 kB." in texts(app)
    check(button(app, "storage_free_cache").click().run())
    assert any("freed 50.2 kB" in item.value for item in app.success)
    assert not store.artifacts.has(key("garbage"))


def test_what_a_limit_refuses_is_said_with_the_way_out(workbench):
    limit(workbench, runs=1)
    store = workbench.store
    study = build_study(store)
    store.queue_run("variants", "waits", study_id=study.id)
    app = workbench.open("study/compare", study=study.id)
    again = next(item for item in app.button if item.key and item.key.startswith("again-"))
    check(again.click().run())
    assert any("raise the limit" in item.value for item in app.error)
    links = [item.proto.label for item in app.get("page_link")]
    assert "See and free space" in links
    assert "Change the limits" in links
    assert len(store.list_runs(study_id=study.id)) == 1


def test_limits_are_set_on_the_settings_page(workbench, monkeypatch):
    monkeypatch.setenv("FEATHERWEIGHT_MAX_RUNS", "12")
    app = workbench.open("start/settings")
    fields = {item.label: item for item in app.number_input}
    assert fields["Runs in the queue"].disabled
    assert fields["Runs in the queue"].value == 12
    fields["Studies"].set_value(20)
    fields["Whole store (GB)"].set_value(7.5)
    submit = next(item for item in app.button if item.label == "Apply the limits")
    check(submit.click().run())
    held = load_limits(workbench.store.home)
    assert held == replace(Quotas(), studies=20, store_bytes=7_500_000_000, runs=12)
    assert Settings.saved(workbench.store.home).limits.runs == Quotas().runs
    # The engine's settings leave the limits alone.
    slots = next(item for item in app.number_input if item.label == "Stages at once")
    slots.set_value(2)
    monkeypatch.setattr("optimizer.engine.client.stop_engine", lambda store: False)
    apply = next(item for item in app.button if item.label == "Apply and restart the engine")
    check(apply.click().run())
    assert Settings.saved(workbench.store.home) == Settings(
        slots=2, limits=replace(Quotas(), studies=20, store_bytes=7_500_000_000)
    )


def test_live_parts_look_less_often_the_more_sessions_look(home):
    assert pace.interval(0.5) == 0.5
    pace._seen().update({str(number): time.monotonic() for number in range(29)})
    assert pace.interval(0.5) == 3.0
    pace._seen().update({str(number): time.monotonic() - 600 for number in range(29)})
    assert pace.interval(0.5) == 0.5
