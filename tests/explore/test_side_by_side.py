"""Variants side by side, as rows and as choices."""

import math

from optimizer.explore.choice import choose
from optimizer.explore.rows import explorer_rows
from optimizer.explore.side_by_side import recipe_differences, side_by_side
from optimizer.explore.view import default_view
from tests.explore.building import STUDY, offered, table
from tests.variants import results, variant


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
