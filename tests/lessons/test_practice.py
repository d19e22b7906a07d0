"""The study that exercises run in, and their table of results. No engine."""

import pytest

from optimizer.bundled import ensure_sample_study
from optimizer.lessons import calibration, practice
from optimizer.lessons.registry import LESSONS
from optimizer.store import Store
from tests.variants import results

WITH_EXERCISES = [lesson for lesson in LESSONS if lesson.exercises]
LESSON = WITH_EXERCISES[0]


@pytest.fixture
def store(tmp_path):
    opened = Store.open(tmp_path)
    ensure_sample_study(opened)
    return opened


def test_exercises_run_in_one_study_of_their_own(store):
    sample = store.list_studies()[0]
    assert practice.practice_study(store) is None
    study = practice.open_practice_study(store)
    assert study.id != sample.id
    assert (study.model_id, study.dataset_id) == (sample.model_id, sample.dataset_id)
    assert practice.open_practice_study(store) == study
    assert store.get_study(sample.id).variant_count == sample.variant_count


def test_a_deleted_sample_study_stays_deleted(store):
    store.delete_study(store.list_studies()[0].id)
    study = practice.open_practice_study(store)
    assert store.list_studies() == [study]
    store.delete_study(study.id)
    assert practice.practice_study(store) is None
    assert practice.open_practice_study(store).id != study.id


@pytest.mark.parametrize("lesson", WITH_EXERCISES, ids=lambda lesson: lesson.id)
def test_a_run_has_the_baseline_and_every_exercise(store, lesson):
    run = practice.start(store, lesson)
    variants = practice.exercise_variants(store, lesson)
    assert [variant.recipe for variant in variants[1:]] == [e.recipe for e in lesson.exercises]
    assert variants[0].is_baseline
    assert list(run.variant_ids) == [variant.id for variant in variants]
    assert [active.id for active in practice.active_runs(store, variants)] == [run.id]


def test_what_is_done_is_not_asked_for_again(store):
    practice.start(store, LESSON)
    first = practice.exercise_variants(store, LESSON)[1]
    store.update_variant(first.id, state="done", results=results())
    assert first.id not in practice.start(store, LESSON).variant_ids


def test_the_table_says_what_was_measured_and_what_not(store):
    practice.start(store, LESSON)
    variants = practice.exercise_variants(store, LESSON)
    store.update_variant(
        variants[1].id, state="done", results=results(value=0.75, gzip_bytes=12_345, agreement=0.8)
    )
    table = practice.results_table(LESSON, practice.exercise_variants(store, LESSON))
    assert list(table["Variant"])[1:] == [exercise.label for exercise in LESSON.exercises]
    assert table["Accuracy"][1] == "75.00 %"
    assert table["gzip"][1] == "12.3 kB"
    assert table["Agrees with the baseline"][0] == "–"
    assert set(table.iloc[2][1:]) == {"not measured"}


def test_a_trial_of_datasets_is_found_again(store):
    assert calibration.last_trial(store) is None
    run = calibration.start_trial(store)
    assert calibration.last_trial(store) == run
    assert [chosen["draw"] for chosen in run.options["sets"]] == list(calibration.DATASETS)
