"""Views and the addresses that reopen them."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.explore.choice import choose
from optimizer.explore.table import FACETS, explore_table
from optimizer.explore.view import (
    MOST_CHOSEN,
    View,
    default_view,
    from_query,
    names_view,
    settled,
    to_query,
)
from tests.explore.building import STUDY, table
from tests.variants import results, variant

NAMES = [*FACETS, "x", "y", "color", "more", "goal", "within", "compare", "budget_metric"]


def reopened(view, found):
    query = to_query(view, found)
    again, problems = from_query(query, found)
    assert problems == []
    return again, query


def test_the_page_opens_with_download_against_accuracy():
    found = table()
    view = default_view(found)
    assert (view.x, view.y, view.color, view.more, view.goal) == (
        "gzip",
        "metric",
        None,
        ("ratio",),
        "smallest",
    )
    assert to_query(view, found) == {}


def test_every_choice_is_in_the_address():
    found = table()
    view = View(
        x="size",
        y="agreement",
        color="latency",
        more=("gzip", "metric"),
        goal="fastest",
        limits={"metric": 0.5, "size": 100.0, "gzip": None},
        filters={"quantization": ("int8",), "promises": ("kept",)},
        only_within=True,
        chosen=("good", "tiny"),
    )
    again, query = reopened(view, found)
    assert query == {
        "x": "size",
        "y": "agreement",
        "color": "latency",
        "more": "gzip,metric",
        "goal": "fastest",
        "budget_metric": "0.5",
        "budget_size": "100",
        "quantization": "int8",
        "promises": "kept",
        "within": "yes",
        "compare": "good,tiny",
    }
    assert to_query(again, found) == query
    assert all(names_view(name) for name in query)
    assert not names_view("study")
    assert again.limits_of(again.budgets(found)) == view.limits_of(view.budgets(found))


def test_no_limit_where_the_default_is_one_is_in_the_address():
    found = table()
    view = replace(default_view(found), limits={"metric": None}, more=())
    again, query = reopened(view, found)
    assert query == {"budget_metric": "none", "more": "none"}
    assert again.limits_of(again.budgets(found))["metric"] is None


@given(st.data())
def test_any_view_survives_the_address(data):
    found = table()
    keys = st.sampled_from(list(found.measures))
    chosen = st.lists(st.sampled_from(found.ids), unique=True)
    view = View(
        data.draw(keys),
        data.draw(keys),
        data.draw(st.none() | keys),
        tuple(data.draw(st.lists(keys, unique=True))),
        data.draw(st.sampled_from(["smallest", "fastest", "best"])),
        data.draw(st.dictionaries(keys, st.none() | st.floats(0, 1000))),
        {"state": tuple(data.draw(st.lists(st.sampled_from(["done", "queued"]), unique=True)))},
        data.draw(st.booleans()),
        tuple(data.draw(chosen)),
    )
    view = settled(view, found)
    again, query = reopened(view, found)
    assert to_query(again, found) == query
    assert replace(again, limits={}) == replace(
        view, limits={}, filters={k: v for k, v in view.filters.items() if v}
    )
    assert again.limits_of(again.budgets(found)) == view.limits_of(view.budgets(found))


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"x": "beauty"}, "measure x “beauty” is not known"),
        ({"x": "metric", "y": "metric"}, "x and y are the same"),
        ({"color": "gzip"}, "on an axis already"),
        ({"more": "ratio,beauty"}, "“beauty” in further measures"),
        ({"goal": "glory"}, "goal “glory”"),
        ({"goal": "least"}, "goal “least”"),
        ({"within": "maybe"}, "within “maybe”"),
        ({"budget_metric": "a lot"}, "“a lot” for Accuracy is not a number"),
        ({"budget_metric": "nan"}, "is not a number"),
        ({"budget_gzip": "1e300"}, "outside the slider"),
        ({"budget_metric": "-5"}, "outside the slider"),
        ({"budget_memory": "5"}, "no budget for “memory”"),
        ({"state": "done,sleeping"}, "“sleeping” in the filter State"),
        ({"compare": "good,deleted"}, "1 chosen variant is not in this study"),
    ],
)
def test_a_mangled_address_is_followed_as_far_as_it_goes(query, words):
    found = table()
    view, problems = from_query(query, found)
    assert words in " ".join(problems)
    assert settled(view, found) == view
    choose(view, found)
    reopened(view, found)


@given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=60)))
def test_no_address_breaks_the_page(query):
    found = table()
    view, _ = from_query(query, found)
    choose(view, found)
    reopened(view, found)


def test_only_so_many_are_compared():
    many = [variant(f"v{n}", found=results()) for n in range(MOST_CHOSEN + 3)]
    found = explore_table(many)
    view, problems = from_query({"compare": ",".join(found.ids)}, found)
    assert len(view.chosen) == MOST_CHOSEN
    assert f"Only the first {MOST_CHOSEN}" in problems[0]


def test_a_view_follows_when_variants_and_measures_go():
    found = table()
    view = replace(default_view(found), color="latency", chosen=("good", "tiny"))
    bare = explore_table([variant("good", found={"size_bytes": 1000, "gzip_bytes": 500})])
    after = settled(view, bare)
    assert (after.x, after.y, after.color, after.more) == ("gzip", "size", None, ())
    assert after.chosen == ("good",)


def test_one_measure_makes_no_trade_off():
    assert default_view(explore_table([variant("v", found={"size_bytes": 1000})])) is None
    assert default_view(explore_table([STUDY[6]])) is None
    assert default_view(explore_table([])) is None
