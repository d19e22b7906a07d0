"""Recommendations, and why the others lost."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from optimizer.explore.recommend import GOALS, broken, qualifying, recommend
from optimizer.explore.recommend_text import recommendation_sentences
from tests.explore.building import BROKEN, EVERY, STUDY, offered, said, table
from tests.variants import baseline, results, variant


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
