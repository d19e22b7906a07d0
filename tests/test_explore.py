"""Budgets, fronts, recommendations, knees and comparisons of many variants."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.explore.budgets import budget, excess, within
from optimizer.explore.choice import choose
from optimizer.explore.knee import find_knee, knee_place
from optimizer.explore.recommend import GOALS, broken, qualifying, recommend
from optimizer.explore.recommend_text import recommendation_sentences
from optimizer.explore.rows import explorer_rows
from optimizer.explore.side_by_side import recipe_differences, side_by_side
from optimizer.explore.table import explore_table
from optimizer.explore.view import default_view
from tests.variants import baseline, results, variant

BROKEN = [{"promise": "at most 16 distinct weights", "kept": False, "found": "57"}]
STUDY = [
    baseline(),
    variant("tiny", found=results(gzip_bytes=5_000, value=0.90, latency={"ratio": 0.4})),
    variant("small", found=results(gzip_bytes=10_000, value=0.952)),
    variant("good", found=results(gzip_bytes=20_000, value=0.965)),
    variant("liar", found=results(gzip_bytes=4_000, value=0.96, promises=BROKEN)),
    variant("untimed", found=results(gzip_bytes=9_000, value=0.953, latency={"p50": None})),
    variant("waiting", state="queued"),
]
EVERY = np.ones(len(STUDY), bool)


def table(variants=STUDY):
    return explore_table(variants)


def names(found, flags):
    return [name for name, flag in zip(found.names, flags, strict=True) if flag]


def offered(found, *keys):
    return {key: budget(found, key) for key in keys}


def said(found, limits, goal="smallest", candidates=None):
    budgets = offered(found, *limits)
    candidates = np.ones(len(found), bool) if candidates is None else candidates
    chosen = recommend(found, goal, candidates, budgets, limits)
    return " ".join(recommendation_sentences(found, chosen, budgets, list(limits)))


def test_the_table_has_a_number_or_nothing_for_each_measure():
    found = table()
    assert found.values["gzip"].tolist()[:3] == [180.0, 5.0, 10.0]
    assert np.isnan(found.values["gzip"][6])
    assert np.isnan(found.values["latency"][5])
    assert found.intervals["metric"][2] == pytest.approx([93.2, 96.2])
    assert found.names[4] == "liar (promise not kept)"


def test_the_baseline_is_its_own_measure():
    """A ratio to itself needs no measuring, and a budget for it must not exclude the baseline."""
    found = table()
    assert (found.values["ratio"][0], found.values["agreement"][0]) == (1.0, 100.0)


def test_variants_that_share_a_name_are_told_apart():
    twins = [variant("a", found=results()), variant("b", found=results())]
    twins = [type(v)(**{**v.__dict__, "name": "twin"}) for v in twins]
    assert table(twins).names == ("twin (1)", "twin (2)")


def test_filters_are_by_what_the_recipe_does_and_what_became_of_it():
    recipes = [
        {"prune": {}, "quantize": {"mode": "int8", "aware": True}},
        {"prune": {"structure": {"kind": "channels"}}, "cluster": {}},
        {"quantize": {"mode": "float16"}},
    ]
    kinds = [variant(f"v{n}", recipe, found=results()) for n, recipe in enumerate(recipes)]
    found = table([*kinds, STUDY[4], STUDY[6]])

    def kept(**chosen):
        return names(found, found.filtered(chosen))

    assert kept(quantization=["int8_qat", "float16"]) == ["v0", "v2"]
    assert kept(pruning=["channels"]) == ["v1"]
    assert kept(clustered=["no"], pruning=["unstructured"]) == ["v0"]
    assert kept(promises=["broken"]) == ["liar (promise not kept)"]
    assert kept(state=["queued"]) == ["waiting"]
    assert len(kept(quantization=[])) == len(kept()) == 5


@given(st.lists(st.tuples(*[st.integers(1, 6)] * 3), min_size=1, max_size=12), st.data())
def test_the_front_is_what_no_other_of_those_asked_for_dominates(rows, data):
    study = [
        variant(f"v{n}", found=results(gzip_bytes=1000 * size, value=quality / 10, macs=macs))
        for n, (size, quality, macs) in enumerate(rows)
    ]
    among = np.array(data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows))))
    costs = [(size, -quality, macs) for size, quality, macs in rows]

    def dominated(own):
        return any(
            among[n] and costs[n] != costs[own] and all(np.array(costs[n]) <= np.array(costs[own]))
            for n in range(len(rows))
        )

    expected = [bool(among[n]) and not dominated(n) for n in range(len(rows))]
    assert table(study).front(("gzip", "metric", "macs"), among).tolist() == expected


def test_a_budget_of_accuracy_is_a_loss_against_the_baseline():
    found = table()
    slider = budget(found, "metric")
    assert slider.label == "Accuracy may fall by at most"
    assert (slider.default, slider.options[0]) == (1.0, 0.0)
    assert slider.options[-1] >= 6.0
    kept = within(found, {"metric": slider}, {"metric": 1.0})
    assert names(found, kept) == ["base", "small", "good", "liar (promise not kept)", "untimed"]


def test_an_error_may_rise_and_a_study_without_baseline_has_floors():
    errors = [
        baseline(metric="mse", value=0.5),
        variant("v", found=results(metric="mse", value=0.7)),
    ]
    slider = budget(table(errors), "metric")
    assert slider.label == "Mean squared error may rise by at most"
    assert excess(table(errors), slider, 0.1).tolist() == pytest.approx([-0.1, 0.1])
    alone = [variant("v", found=results(value=0.9)), variant("w", found=results(value=0.8))]
    floor = budget(table(alone), "metric")
    assert (floor.label, floor.default) == ("Accuracy at least", None)
    assert (floor.options[0], floor.options[-1]) == (80.0, 100.0)


@pytest.mark.parametrize("key", ["gzip", "metric", "ratio", "agreement", "sparsity", "time"])
def test_a_slider_has_options_when_all_values_are_equal(key):
    for study in ([baseline()], [baseline(), baseline()], [variant("v", found=results())]):
        found = table(study)
        if key in found.measures:
            slider = budget(found, key)
            assert len(slider.options) >= 1
            assert list(slider.options) == sorted(set(slider.options))
            assert slider.snapped(slider.options[0]) == slider.options[0]


@given(st.floats(0.001, 1e6), st.floats(0.001, 1e6))
def test_the_ends_of_a_slider_enclose_the_values(first, second):
    study = [variant(n, found=results(macs=v * 1000)) for n, v in (("a", first), ("b", second))]
    options = budget(table(study), "macs").options
    assert options[0] <= min(first, second) * 1000 * (1 + 1e-6)
    assert options[-1] >= max(first, second) * 1000 * (1 - 1e-6)


def test_a_limit_becomes_an_option_that_is_no_looser():
    slider = budget(table(), "gzip")
    assert slider.snapped(10.04) == 10.0
    assert slider.snapped(0.001) == slider.options[0]
    floor = budget(table(), "agreement")
    assert floor.snapped(98.003) > 98.003


def test_what_was_not_measured_is_within_no_limit():
    found = table()
    budgets = offered(found, "ratio")
    assert "untimed" not in names(found, within(found, budgets, {"ratio": 50.0}))
    assert "untimed" in names(found, within(found, budgets, {"ratio": None}))


def test_the_recommendation_follows_the_budget():
    found = table()
    best = [
        found.names[recommend(found, "smallest", EVERY, offered(found, "metric"), limits).best]
        for limits in ({"metric": None}, {"metric": 1.0}, {"metric": 0.0})
    ]
    assert best == ["tiny", "untimed", "good"]


def test_a_recommendation_says_its_figures_and_why_others_lost():
    text = said(table(), {"metric": 1.0, "gzip": None, "ratio": 0.6})
    assert "smallest download within the budgets: gzip size 10.0 kB (18.0× smaller)" in text
    assert "accuracy 95.20 % (−0.8 points)" in text
    assert "latency ratio 0.50× (2.00× faster)" in text
    assert "in accuracy is within the 95 % interval on 400 samples (93.20 % to 96.20 %)" in text
    assert "The runner-up, “good”, is 10.0 kB larger (20.0 kB)." in text
    assert "“untimed” would be 1.00 kB smaller (9.00 kB), but its latency ratio was not" in text


def test_a_broken_promise_is_never_recommended_but_told():
    text = said(table(STUDY[:5]), {"metric": 1.0})
    assert "gzip size 10.0 kB" in text
    assert "but its accuracy misses its budget by 5 points" in text
    only = said(table([baseline(), STUDY[4]]), {"metric": 1.0})
    assert "The baseline itself" in only
    assert "does not keep what its recipe promised" in only


def test_when_nothing_qualifies_the_nearest_says_what_it_misses():
    text = said(table(), {"metric": 0.0, "gzip": 9.0})
    assert "No variant is within all budgets. The nearest is “untimed”" in text
    assert "accuracy misses its budget by 0.7 points" in text
    assert "gzip" not in text.split("its ", 1)[1]


def test_latencies_within_the_noise_are_said_to_be_equal():
    quick = {"p50": 0.0100, "ratio": 0.50, "ratio_ci": [0.45, 0.55]}
    same = {"p50": 0.0101, "ratio": 0.51, "ratio_ci": [0.46, 0.56]}
    study = [
        baseline(),
        variant("a", found=results(latency=quick)),
        variant("b", found=results(latency=same)),
    ]
    assert "a difference within the noise of measuring" in said(table(study), {}, "fastest")


def test_equal_sizes_are_told_apart_by_the_metric():
    study = [variant("worse", found=results(value=0.9)), variant("better", found=results(value=1))]
    text = said(table(study), {})
    assert "accuracy 100.00 %" in text
    assert "“worse”, is equal in gzip size, but its accuracy is 10 points lower" in text


def test_nothing_to_recommend_is_said():
    text = said(table([STUDY[4]]), {})
    assert "No variant that passes the filters keeps its promises" in text


VALUES = st.one_of(st.none(), st.floats(0.5, 1.0))


@given(
    st.lists(
        st.tuples(st.integers(1, 50), VALUES, st.booleans(), st.floats(0.1, 3.0)),
        min_size=1,
        max_size=10,
    ),
    st.sampled_from(list(GOALS)),
    st.floats(0, 20),
    st.floats(1, 50),
    st.floats(0.1, 3.0),
)
def test_a_recommendation_never_breaks_a_budget_or_a_promise(rows, goal, points, size, ratio):
    study = [baseline(macs=100)] + [
        variant(
            f"v{n}",
            found=results(
                gzip_bytes=1000 * kilobytes,
                value=value,
                latency={"ratio": own, "p50": own or None},
                macs=kilobytes,
                promises=BROKEN if lies else [],
            ),
        )
        for n, (kilobytes, value, lies, own) in enumerate(rows)
    ]
    found = table(study)
    limits = {"metric": points, "gzip": size, "ratio": ratio}
    everyone = np.ones(len(study), bool)
    budgets = offered(found, *limits)
    chosen = recommend(found, goal, everyone, budgets, limits)
    recommendation_sentences(found, chosen, budgets, list(limits))
    costs = found.costs(GOALS[goal])
    good = [
        place
        for place in range(len(study))
        if not broken(found)[place]
        and np.isfinite(costs[place])
        and 96.0 - found.values["metric"][place] <= points + 1e-7
        and found.values["gzip"][place] <= size * (1 + 1e-9)
        and found.values["ratio"][place] <= ratio * (1 + 1e-9)
    ]
    if chosen.best is None:
        assert good == []
    else:
        assert chosen.best in good
        assert costs[chosen.best] == min(costs[good])
        assert qualifying(found, everyone, budgets, limits)[chosen.best]


def test_the_knee_of_known_curves():
    x = np.linspace(0.01, 1, 100)
    hyperbola = np.column_stack([x, 1 / x])  # scaled, its slope is -1 where x = 0.1
    place, bulge = knee_place(hyperbola)
    assert x[place] == pytest.approx(0.1, abs=0.011)
    assert bulge > 0.7
    corner = np.array([[0, 1], [0.1, 0.1], [1, 0]])
    assert knee_place(corner) == (1, pytest.approx(0.8))
    surface = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0], [0.2, 0.2, 0.3]])
    assert knee_place(surface) == (3, pytest.approx(0.3))


@pytest.mark.parametrize(
    "costs",
    [
        [[1, 1]],
        [[0, 1], [1, 0]],
        [[0, 1], [0, 1], [1, 0]],
        [[0, 1], [0.5, 0.5], [1, 0]],
        [[0, 1], [0.6, 0.6], [1, 0]],
    ],
)
def test_a_front_without_a_bend_has_no_knee(costs):
    assert knee_place(np.array(costs, float)) is None


def test_the_knee_is_on_log_axes_and_says_why():
    study = [
        variant("a", found=results(gzip_bytes=1_000, value=0.50)),
        variant("b", found=results(gzip_bytes=10_000, value=0.94)),
        variant("c", found=results(gzip_bytes=100_000, value=0.96)),
    ]
    found = table(study)
    front = found.front(("gzip", "metric"), np.ones(3, bool))
    knee = find_knee(found, ("gzip", "metric"), front)
    assert found.names[knee.place] == "b"
    assert "At gzip size 10.0 kB and accuracy 94.00 % the front bends" in knee.reason
    assert (
        "oing on to “a”, gzip size is 9.00 kB smaller and accuracy 44 points lower" in knee.reason
    )
    assert "going back to “c”, gzip size is 90.0 kB larger" in knee.reason
    assert find_knee(found, ("gzip", "metric"), np.zeros(3, bool)) is None


def test_side_by_side_marks_the_best_in_words():
    frame = side_by_side(table(), [0, 2, 3]).set_index("Measure")
    row = frame.loc[".tflite, gzip-compressed"]
    assert list(frame.columns) == ["base", "small", "good"]
    assert row["base"] == "180.0 kB"
    assert row["small"] == "★ best · 10.0 kB · 18.0× smaller"
    assert frame.loc["Accuracy"]["good"] == "★ best · 96.50 % · +0.5 points, may be chance"


def test_the_fastest_is_not_marked_when_noise_decides():
    """Variants small and good have the same ratio and interval."""
    latency = {"p50": 0.0099}
    study = [*STUDY[:3], variant("close", found=results(latency=latency))]
    frame = side_by_side(table(study), [2, 3]).set_index("Measure")
    assert "★" not in "".join(frame.loc["Latency p50"])


def test_only_the_recipe_fields_that_differ_are_listed():
    recipes = [
        {"prune": {"schedule": {"kind": "polynomial", "final_sparsity": 0.8}}},
        {"prune": {"schedule": {"kind": "polynomial", "final_sparsity": 0.9}}},
        {"cluster": {"number_of_clusters": 16}},
    ]
    found = table([variant(f"v{n}", r, found=results()) for n, r in enumerate(recipes)])
    pruned = recipe_differences(found, [0, 1]).set_index("Field")
    assert pruned.T.to_dict() == {"prune.schedule.final_sparsity": {"v0": "0.8", "v1": "0.9"}}
    parts = recipe_differences(found, [1, 2]).set_index("Field")
    assert parts.loc["prune.schedule.final_sparsity"].tolist() == ["0.9", "–"]
    assert parts.loc["prune"].tolist() == ["prune 90%", "–"]
    assert parts.loc["cluster"].tolist() == ["–", "cluster 16"]
    assert "prune.criterion" not in parts.index
    assert len(recipe_differences(found, [0])) == 0


def test_rows_say_what_each_variant_misses():
    found = table()
    limits = {"metric": 1.0, "ratio": 0.6}
    rows = explorer_rows(found, range(len(found)), offered(found, *limits), limits)
    misses = dict(zip(rows.frame["Variant"], rows.frame["Budgets"], strict=True))
    assert misses["small"] == "within"
    assert misses["tiny"] == "Accuracy misses by 5 points"
    assert misses["untimed"] == "Latency ratio not measured yet"
    assert misses["base"] == "Latency ratio misses by 0.4"
    assert misses["liar (promise not kept)"] == "promise not kept"
    assert "State" in rows.frame
    assert set(rows.formats) <= set(rows.frame.columns)


def test_a_choice_has_those_within_the_budgets_first():
    found = table()
    choice = choose(default_view(found), found)
    shown = [found.names[place] for place in choice.ordered()]
    assert shown[:4] == ["untimed", "small", "good", "base"]
    assert shown[-1] == "waiting"
    assert found.names[choice.recommended] == "untimed"
    assert not math.isnan(found.values["gzip"][choice.recommended])


def test_where_no_error_is_larger_than_the_baselines_none_can_be_allowed():
    """A slider that ended at a billionth would say nothing."""
    better = [
        variant("base", found=results(metric="mae", value=0.5)),
        variant("v", found=results(metric="mae", value=0.4)),
    ]
    slider = budget(explore_table(better), "metric")
    assert (slider.options, slider.default) == ((0.0,), None)
