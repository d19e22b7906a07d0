"""A run that calibrates with several datasets, executed by a real engine."""

from tests.engine.conftest import finish

SETS = [{"draw": draw, "count": 50, "label": 0, "seed": 0} for draw in ("random", "single")]


def test_each_dataset_has_a_result_and_is_not_computed_twice(store, study):
    options = {"sets": SETS}
    run = store.queue_run("calibration", "Calibrate", study_id=study.id, options=options)
    ended = finish(store, run)
    assert ended.state == "done", ended.error
    found = ended.result["found"]
    assert [item["samples"] for item in found] == [50, 1]
    assert all(0 <= item["value"] <= 1 and item["n"] > 50 for item in found)
    again = finish(
        store, store.queue_run("calibration", "Again", study_id=study.id, options=options)
    )
    assert again.result == ended.result
    stages = {stage.name: stage for stage in store.list_stages(again.id)}
    assert stages["calibration"].cached


def test_a_dataset_that_cannot_be_drawn_fails_in_words(store, study):
    sets = [{"draw": "one_class", "count": 5, "label": 7, "seed": 0}]
    run = store.queue_run("calibration", "Calibrate", study_id=study.id, options={"sets": sets})
    ended = finish(store, run)
    assert ended.state == "failed"
    assert "no training sample of class 7" in ended.error
