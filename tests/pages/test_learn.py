"""The Learn page: the truth is hidden until the student has predicted."""

import pytest

from optimizer.lessons import calibration, collaborative_optimization, latency, practice
from optimizer.lessons.registry import LESSONS
from optimizer.store.records import ACTIVE
from tests.pages.conftest import check
from tests.pages.test_pages import button, charts, texts
from tests.variants import results

PAGE = "lessons/learn"
IDS = [lesson.id for lesson in LESSONS]


def headers(app):
    return [item.value for item in app.header]


def predict(app):
    """Commit to whatever the control stands at, or to the first choice."""
    if not button(app, "This is my prediction").disabled:
        return check(button(app, "This is my prediction").click().run())
    choice = next(radio for radio in app.radio if radio.label == "Your prediction")
    check(choice.set_value(choice.options[0]).run())
    return check(button(app, "This is my prediction").click().run())


def test_the_overview_has_every_lesson_and_every_term(workbench):
    app = workbench.open(PAGE)
    shown = texts(app)
    for lesson in LESSONS:
        assert lesson.title in shown
        assert lesson.question in shown
        assert all(definition in shown for definition in lesson.terms.values())


def test_an_unknown_lesson_is_explained(workbench):
    app = workbench.open(PAGE, lesson="alchemy")
    assert "no lesson" in texts(app)
    assert app.title[0].value == "Learn"


@pytest.mark.parametrize("lesson", LESSONS, ids=IDS)
def test_the_truth_is_hidden_until_the_student_commits(workbench, lesson):
    app = workbench.open(PAGE, lesson=lesson.id)
    assert app.title[0].value == lesson.title
    assert headers(app) == ["1 · The question", "2 · Predict"]
    assert not charts(app)
    predict(app)
    assert headers(app)[2:5] == ["3 · See", "4 · Remember", "5 · Try it on a sample"]
    assert charts(app)
    assert all(sentence in texts(app) for sentence in lesson.remember)
    check(button(app, "Predict again").click().run())
    assert len(headers(app)) == 2


def test_progress_of_the_session_is_on_the_cards(workbench):
    app = workbench.open(PAGE, lesson=LESSONS[0].id)
    predict(app)
    del app.query_params["lesson"]
    check(app.run())
    assert texts(app).count(":material/psychology: Predicted") == 1


def test_a_kernels_mask_follows_the_schedule(workbench):
    app = workbench.open(PAGE, lesson="sparsity-schedules")
    predict(app)
    check(app.slider(key="schedules-now").set_value(100).run())
    assert "3,686 of 4,608 weights are zero" in texts(app)
    check(app.slider(key="schedules-now").set_value(0).run())
    assert "0 of 4,608 weights are zero" in texts(app)
    for kind in ("Constant", "Steps"):
        check(app.segmented_control(key="schedules-kind").set_value(kind).run())


def test_clustering_goes_step_by_step(workbench):
    app = workbench.open(PAGE, lesson="weight-clustering")
    predict(app)
    assert "no weight is assigned yet" in texts(app)
    assert button(app, "Move").disabled
    check(button(app, "Assign").click().run())
    assert "4,608 weights changed their cluster" in texts(app)
    assert button(app, "Assign").disabled
    check(button(app, "Move").click().run())
    assert "centroids moved" in texts(app)
    check(button(app, "To the end").click().run())
    assert button(app, "To the end").disabled
    check(app.radio(key="clustering-start").set_value("density").run())
    assert "no weight is assigned yet" in texts(app)


def test_quantization_follows_its_controls(workbench):
    app = workbench.open(PAGE, lesson="affine-quantization")
    predict(app)
    before = {metric.label: metric.value for metric in app.metric}
    check(app.slider(key="affine-bits").set_value(4).run())
    check(app.slider(key="affine-clip-share").set_value(60).run())
    check(app.segmented_control(key="affine-symmetric").set_value("Asymmetric").run())
    check(app.segmented_control(key="affine-granularity").set_value("Per channel").run())
    after = {metric.label: metric.value for metric in app.metric}
    assert before["Clipped"] == "0 of 4,608"
    assert all(before[name] != after[name] for name in ("Scale", "Clipped", "SQNR"))


def test_sizes_follow_their_controls(workbench):
    app = workbench.open(PAGE, lesson="compressed-size")
    predict(app)
    assert "163.8 kB" in list(app.dataframe[0].value["Bytes"])
    check(app.segmented_control(key="sizes-dtype").set_value("int8").run())
    assert "41.0 kB" in list(app.dataframe[0].value["Bytes"])
    assert "not possible" in list(app.dataframe[0].value["Bytes"])


def test_trying_a_lesson_queues_its_exercises_and_shows_what_was_measured(workbench):
    lesson = next(lesson for lesson in LESSONS if lesson.exercises)
    app = workbench.open(PAGE, lesson=lesson.id)
    predict(app)
    check(button(app, "Run on the sample").click().run())
    store = workbench.store
    (run,) = store.list_runs(states=ACTIVE)
    assert run.title == f"Lesson: {lesson.title}"
    assert any(item.label == "Cancel" for item in app.button)
    for value, variant_id in zip((0.9, 0.5, 0.7, 0.8), run.variant_ids, strict=False):
        store.update_variant(variant_id, state="done", results=results(value=value))
    store.update_run(run.id, state="done")
    check(app.run())
    assert list(app.dataframe[0].value["Accuracy"]) == ["90.00 %", "50.00 %", "70.00 %", "80.00 %"]
    assert "did best with 80.0 %" in texts(app)


def test_the_lessons_study_is_not_opened_by_itself(workbench):
    practice.open_practice_study(workbench.store)
    app = workbench.open("study/compare")
    assert app.title[0].value != practice.STUDY_NAME


def test_what_calibration_data_did_is_shown(workbench):
    app = workbench.open(PAGE, lesson="calibration")
    predict(app)
    for name in calibration.DATASETS:
        check(app.radio(key="calibration-draw").set_value(name).run())
    check(button(app, "Run on the sample").click().run())
    run = calibration.last_trial(workbench.store)
    values = [0.99, 0.99, 0.98, 0.97, 0.1, 0.3]
    found = [{"value": v, "interval": [v - 0.01, v], "n": 450, "samples": 9} for v in values]
    result = {"metric": "accuracy", "found": found}
    workbench.store.update_run(run.id, state="done", result=result)
    check(app.run())
    assert "Ruined: 200 images, scaled twice" in texts(app)


def test_a_pitfall_answers_once_a_choice_is_made(workbench):
    app = workbench.open(PAGE, lesson="folding-and-pitfalls")
    predict(app)
    assert "four bytes for every weight" not in texts(app)
    check(app.radio(key="pitfall-choice-flash").set_value("fifth").run())
    assert "four bytes for every weight" in texts(app)


def test_the_decision_follows_the_answers(workbench):
    app = workbench.open(PAGE, lesson="decision-table")
    predict(app)
    first = app.dataframe[0].value["Technique"].iloc[0]
    check(app.selectbox(key="decision-data").set_value("none").run())
    table = app.dataframe[0].value
    assert table["Technique"].iloc[0] != first
    assert "Impossible" in set(table["Verdict"])


def test_timing_is_asked_for_and_shown(workbench):
    app = workbench.open(PAGE, lesson="latency")
    predict(app)
    check(button(app, "Run on the sample").click().run())
    run = latency.newest_trial(workbench.store)
    assert run.kind == "invocations"
    assert run.options["recipe"] == {}
    result = {
        "load_ns": 1_000_000,
        "series_ns": [90_000] + [10_000] * 599,
        "rounds_ns": dict.fromkeys(("original", "copy", "threads"), [10_000.0] * 30),
        "threads": 2,
        "device": "A processor",
    }
    workbench.store.update_run(run.id, state="done", result=result)
    app = workbench.open(PAGE, lesson="latency")
    predict(app)
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["First / p50"] == "9.0"
    assert shown["p50"] == "10.00 µs"
    assert "no difference beyond the noise" in texts(app)


def test_steps_without_preserving_stand_beside_the_others(workbench):
    lesson = collaborative_optimization.LESSON
    store = workbench.store
    practice.start(store, lesson)
    for variant in practice.exercise_variants(store, lesson):
        store.update_variant(variant.id, state="done", results=results(gzip_bytes=10_000))
    for run in store.list_runs():
        store.update_run(run.id, state="done")
    app = workbench.open(PAGE, lesson=lesson.id)
    predict(app)
    check(button(app, "Run without preserving").click().run())
    run = collaborative_optimization.newest_without(store)
    assert len(run.options["recipes"]) == 3
    found = [results(gzip_bytes=30_000) for _ in run.options["recipes"]]
    store.update_run(run.id, state="done", result={"found": found})
    app = workbench.open(PAGE, lesson=lesson.id)
    predict(app)
    assert "3.0 times the download" in texts(app)
