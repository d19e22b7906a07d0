"""The Search page: what it asks the engine for, and how it shows a search at each time."""

import json
from dataclasses import replace

import pytest

from optimizer.charts.searching import search_figure, search_info
from optimizer.recipe import Recipe
from optimizer.search.answer import answer
from optimizer.search.confirmation import Checked, verdict
from optimizer.search.goal import Figures, SearchOptions
from optimizer.search.record import goal_of
from optimizer.store.records import Trial
from tests.pages.conftest import check
from tests.pages.test_pages import button, charts, texts

JUDGED = {
    "metric": "accuracy",
    "higher_is_better": True,
    "baseline": {"gzip_bytes": 200_000, "size_bytes": 220_000, "metric": 0.99, "latency_ratio": 1},
    "samples": {"search": 223, "confirmation": 227, "whole": 450},
}
TRIED = (
    ({"quantize": {"mode": "float16"}}, "complete", (105_000, 110_000, 0.99), ""),
    ({"quantize": {"mode": "int8"}}, "complete", (55_000, 60_000, 0.985), ""),
    ({"prune": {}, "quantize": {"mode": "int8"}}, "complete", (20_000, 60_000, 0.95), ""),
    ({"prune": {}, "seed": 1}, "pruned", None, "Ended early: 40.0 points behind the baseline."),
    ({"prune": {}, "seed": 2}, "failed", None, "Training diverged: the loss became nan."),
)


def begin(workbench, **options):
    """A search as the page asks for it."""
    wanted = SearchOptions.parse({"space": {"quantize": {"mode": ["int8", "float16"]}}, **options})
    store, study = workbench.store, workbench.study
    dumped = wanted.model_dump(mode="json")
    run = store.queue_run("search", "Search", study_id=study.id, options=dumped)
    store.claim_run(run.id)
    store.update_run(run.id, result={"phase": "trials", "spent_seconds": 12.0, "goal": JUDGED})
    return store.get_run(run.id)


def put_trials(workbench, run):
    """The engine's part: trials of every kind."""
    goal = goal_of(run)
    trials = []
    for number, (recipe, state, found, message) in enumerate(TRIED):
        parsed = Recipe.parse(recipe)
        variant = workbench.store.add_variant(workbench.study.id, parsed)
        trial = Trial(run.id, number, variant.id, {}, parsed, "sampled", state, message=message)
        if found:
            figures = Figures(*found)
            trial = replace(
                trial, figures=figures.dump(), violations=goal.violations(figures), seconds=3.0
            )
        if state == "pruned":
            trial = replace(trial, intermediate=[["prune", 1, 3, 0.59]])
        trials.append(trial)
    workbench.store.put_trials(trials)
    return trials


def finish(workbench, run, metric=0.985):
    trials, goal = put_trials(workbench, run), goal_of(run)
    part = Checked(227, metric, 0.99, 0.99 - metric, (-0.002, 0.013))
    checked = [verdict(trials[1], goal, {"confirmation": part, "whole": part}, None)]
    result = {"phase": "done", "spent_seconds": 90.0, "goal": JUDGED}
    found = answer(trials, checked, goal, "budget")
    workbench.store.update_run(run.id, state="done", result={**result, "answer": found})
    return trials


def test_the_form_asks_for_a_search(workbench):
    app = workbench.open("study/search")
    assert "No search has run in this study yet" in texts(app)
    app.number_input(key="search_drop").set_value(0.5)
    app.number_input(key="search_size").set_value(60.0)
    app.number_input(key="search_trials").set_value(7)
    app.selectbox(key="search_objective").set_value("accuracy")
    check(app.run())
    assert "**Find the best accuracy that loses at most 0.5 points of accuracy" in texts(app)
    check(button(app, "Search").click().run())
    (run,) = workbench.store.list_searches(workbench.study.id)
    options = SearchOptions.parse(run.options)
    assert options.objective == "accuracy"
    assert options.constraints.max_accuracy_drop == 0.005
    assert options.constraints.max_size_bytes == 60_000
    assert options.constraints.max_latency_ratio is None
    assert (options.trials, options.minutes, options.per_layer) == (7, 10.0, True)
    assert "prune" in options.space
    assert app.query_params["search"] == run.id


def test_channels_are_proposed_for_latency(workbench):
    app = workbench.open("study/search")
    check(app.selectbox(key="search_objective").set_value("latency").run())
    button(app, "Search").click().run()
    (run,) = workbench.store.list_searches(workbench.study.id)
    assert run.options["space"]["prune"][1]["structure"] == {"kind": "channels"}


def test_a_goal_without_a_limit_is_refused_in_words(workbench):
    app = workbench.open("study/search")
    check(app.number_input(key="search_drop").set_value(None).run())
    assert "Give at least one limit" in texts(app)
    assert button(app, "Search").disabled


def test_a_search_without_an_end_is_refused_in_words(workbench):
    app = workbench.open("study/search")
    app.number_input(key="search_trials").set_value(None)
    check(app.number_input(key="search_minutes").set_value(None).run())
    assert "needs an end" in texts(app)
    assert button(app, "Search").disabled


def test_a_space_from_a_file_is_used(workbench):
    app = workbench.open("study/search")
    grid = {"quantize": {"mode": ["int8", "float16"]}, "seed": [1, 2]}
    upload = ("mine.json", json.dumps(grid).encode(), "application/json")
    check(app.file_uploader(key="search_file").set_value(upload).run())
    check(app.run())
    assert "From mine" in texts(app)
    button(app, "Search").click().run()
    (run,) = workbench.store.list_searches(workbench.study.id)
    assert run.options["space"] == grid


def test_a_bad_space_is_explained(workbench):
    app = workbench.open("study/search")
    upload = ("mine.json", b'{"prun": []}', "application/json")
    check(app.file_uploader(key="search_file").set_value(upload).run())
    assert "prun" in texts(app)
    assert not button(app, "Search").disabled


def test_a_space_that_this_model_refuses_is_said(workbench):
    app = workbench.open("study/search")
    grid = {"prune": {}, "layers": {"nope": {"final_sparsity": [0.2, 0.4]}}}
    upload = ("mine.json", json.dumps(grid).encode(), "application/json")
    check(app.file_uploader(key="search_file").set_value(upload).run())
    check(app.run())
    assert "nope" in texts(app)
    assert button(app, "Search").disabled


def test_progress_best_so_far_and_cancel(workbench):
    run = begin(workbench, trials=10)
    put_trials(workbench, run)
    running = Recipe.parse({"prune": {}, "seed": 3})
    workbench.store.put_trial(
        Trial(run.id, 5, None, {}, running, intermediate=[["prune", 1, 3, 0.91]])
    )
    app = workbench.open("study/search")
    shown = texts(app)
    assert "Best so far, not confirmed yet: Trial 1, int8" in shown
    assert "metric 0.91 after epoch 1 of 3" in shown
    check(button(app, "Cancel").click().run())
    assert workbench.store.get_run(run.id).cancel_requested


def test_the_answer_the_chart_and_the_table_show_every_trial(workbench):
    run = begin(workbench)
    trials = finish(workbench, run)
    app = workbench.open("study/search")
    assert "int8, 55.0 kB gzip" in app.success[0].value.replace("\\", "")
    shown = texts(app).replace("\\", "")
    assert "On 227 test samples that the search did not see" in shown
    assert "3 done, 1 ended early, 1 failed" in shown
    (chart,) = charts(app)
    groups = {trace["name"]: trace for trace in chart["data"]}
    assert set(groups) == {
        "Breaks a limit",
        "Ended early, size not known",
        "Keeps the limits",
        "Float32 baseline",
        "Found",
    }
    assert groups["Found"]["customdata"] == [trials[1].variant_id]
    assert "1 skipped or failed trials were not measured" in shown
    (table,) = app.dataframe
    assert list(table.value["State"]) == ["found", "done", "done", "ended early", "failed"]
    assert table.value["Why"][4] == "Training diverged: the loss became nan."


def test_what_is_not_achievable_is_said_with_the_nearest(workbench):
    run = begin(workbench)
    finish(workbench, run, metric=0.97)
    app = workbench.open("study/search")
    assert not app.success
    words = app.warning[0].value.replace("\\", "")
    assert "the nearest is int8" in words
    assert "misses by 1 point of accuracy" in words


def test_a_search_that_failed_says_why(workbench):
    run = begin(workbench)
    workbench.store.update_run(run.id, state="failed", error="The baseline could not be made.")
    assert "The baseline could not be made." in texts(workbench.open("study/search"))


def test_older_searches_can_be_opened_and_linked(workbench):
    first = begin(workbench, trials=3)
    finish(workbench, first)
    second = begin(workbench, trials=5)
    workbench.store.update_run(second.id, state="cancelled")
    app = workbench.open("study/search")
    assert "was cancelled" in texts(app)
    app = workbench.open("study/search", search=first.id)
    assert app.success
    app = workbench.open("study/search", search="ffff")
    assert "not in this study" in texts(app)


@pytest.mark.parametrize("measure", ["gzip_bytes", "size_bytes", "latency_ratio"])
def test_the_chart_places_what_was_measured_and_draws_the_limits(workbench, measure):
    options = {"constraints": {"max_accuracy_drop": 0.01, "max_size_bytes": 80_000}}
    run = begin(workbench, **options)
    trials = put_trials(workbench, run)
    info = search_info(trials, goal_of(run), 1, measure)
    groups = [point.group for point in info.points]
    assert info.worst == pytest.approx(0.98)
    assert info.not_shown == 1
    assert info.most == (80_000 if measure == "size_bytes" else None)
    if measure == "latency_ratio":
        assert groups == ["early", "baseline"]
    else:
        assert groups == ["infeasible", "winner", "infeasible", "early", "baseline"]
    figure = search_figure(info)
    lines = [shape.y0 for shape in figure.layout.shapes]
    assert 98.0 in [pytest.approx(y) for y in lines if y is not None]
