"""Runs that show how something works: every invocation, and steps that preserve nothing."""

from tests.engine.conftest import finish

SHORT = {"fine_tune": {"epochs": 1}}
PRUNE = {"prune": {"schedule": {"kind": "constant", "target_sparsity": 0.5}}, **SHORT}


def test_every_invocation_is_timed_and_again_when_asked(store, study):
    options = {"recipe": {}, "count": 30, "threads": 2, "repeat": 1}
    first = finish(
        store, store.queue_run("invocations", "Time", study_id=study.id, options=options)
    )
    assert first.state == "done", first.error
    assert len(first.result["series_ns"]) == 30
    assert all(took > 0 for took in first.result["series_ns"])
    rounds = first.result["rounds_ns"]
    assert {"original", "copy", "threads"} == set(rounds)
    assert len({len(medians) for medians in rounds.values()}) == 1
    second = finish(
        store,
        store.queue_run("invocations", "Time", study_id=study.id, options=options | {"repeat": 2}),
    )
    stages = {stage.name: stage for stage in store.list_stages(second.id)}
    assert not stages["invocations"].cached
    assert second.result["series_ns"] != first.result["series_ns"]


def test_without_preserving_clustering_loses_the_zeros(store, study):
    recipes = [PRUNE, {**PRUNE, "cluster": {"number_of_clusters": 8}}]
    ended = finish(
        store,
        store.queue_run(
            "without_preserving", "Steps", study_id=study.id, options={"recipes": recipes}
        ),
    )
    assert ended.state == "done", ended.error
    pruned, clustered = ended.result["found"]
    assert pruned["sparsity"] > 0.45
    assert clustered["sparsity"] < 0.1
    assert clustered["max_distinct_weights"] <= 8
