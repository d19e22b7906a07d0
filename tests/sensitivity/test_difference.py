"""Two variants in words: sizes, quality with its noise, latency."""

from optimizer.recipe import Recipe
from optimizer.sensitivity.difference import difference, siblings
from optimizer.store.records import Variant


def variant(recipe, **results):
    parsed = Recipe.parse(recipe)
    return Variant(
        parsed.hash[:8], "s", parsed, parsed.name, False, "done", None, results or None, {}, ""
    )


BEFORE = {
    "gzip_bytes": 10_000,
    "size_bytes": 60_000,
    "metric": "accuracy",
    "metrics": {"accuracy": 0.9},
    "metric_interval": [0.85, 0.93],
    "accuracy_n": 200,
    "latency_ms": {"p50": 1.0, "ratio": 0.5, "significant": True},
}


def test_sizes_accuracy_and_latency_are_said_with_their_noise():
    after = {
        **BEFORE,
        "gzip_bytes": 12_500,
        "metrics": {"accuracy": 0.92},
        "metric_interval": [0.88, 0.95],
    }
    assert difference(variant({}, **BEFORE), variant({"prune": {}}, **after)) == [
        "2.50 kB larger gzip-compressed and the same size as it ships.",
        "2 points more accurate (90.00 % → 92.00 %); the 95 % intervals on 200 samples overlap, "
        "so it may be chance.",
        "Latency against the baseline: 2.00× faster; before, 2.00× faster.",
    ]


def test_a_clear_gain_is_not_called_chance_and_bytes_keep_their_unit():
    after = {
        **BEFORE,
        "gzip_bytes": 9_500,
        "metrics": {"accuracy": 0.99},
        "metric_interval": [0.97, 1.0],
    }
    sizes, quality, _ = difference(variant({}, **BEFORE), variant({"prune": {}}, **after))
    assert sizes == "500 B smaller gzip-compressed and the same size as it ships."
    assert quality == "9 points more accurate (90.00 % → 99.00 %)."


def test_an_error_that_fell_is_better_and_what_is_not_measured_is_said():
    before = {"gzip_bytes": 100, "metric": "mae", "metrics": {"mae": 2.0}}
    after = {"gzip_bytes": 100, "metric": "mae", "metrics": {"mae": 1.5}}
    assert difference(variant({}, **before), variant({"prune": {}}, **after)) == [
        "The same size gzip-compressed.",
        "Mean absolute error 0.5 better (2 → 1.5).",
        "Latency: not measured for both.",
    ]
    assert difference(variant({}), variant({}, **after)) == []


def test_siblings_differ_in_the_settings_of_layers_alone():
    base = {"prune": {}}
    spared = {**base, "layers": {"a": {"final_sparsity": 0.1}}}
    others = [
        variant(base, **BEFORE),
        variant(spared, **BEFORE),
        variant({"cluster": {}}, **BEFORE),
    ]
    found = siblings(Recipe.parse(spared), [*others, variant({**spared, "seed": 1}, **BEFORE)])
    assert [each.recipe for each in found] == [Recipe.parse(base), Recipe.parse(spared)]
