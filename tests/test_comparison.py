from optimizer.comparison import comparison_table, headlines, latency_verdict, suggested
from tests.finished import ALL, BASELINE, POOR, SMALL, TINY, variant


def by_title(found):
    return {item.title: item for item in found}


def test_headlines_compare_like_with_like():
    found = by_title(headlines(SMALL, BASELINE))
    assert found[".tflite as it ships"].delta == "4.00× smaller"
    assert found["gzip-compressed"].delta == "8.33× smaller"
    assert found["Accuracy"].delta == "−0.50 points"
    assert found["Accuracy"].better is False
    assert found["Latency p50"].delta == "2.50× faster"
    assert found["Latency p50"].better is True


def test_the_baseline_is_not_compared_with_itself():
    assert {item.delta for item in headlines(BASELINE, BASELINE)} == {None}


def test_a_difference_within_the_noise_is_called_none():
    assert latency_verdict(TINY.results) == "no significant difference"
    assert latency_verdict(POOR.results) == "2.00× slower"
    assert latency_verdict(BASELINE.results) == "the baseline"


def test_an_error_that_falls_is_better():
    error = {"metric": "mae", "higher_is_better": False}
    base = variant("baseline", metrics={"mae": 0.5}, metric_interval=[0.4, 0.6], **error)
    good = variant("good", metrics={"mae": 0.4}, metric_interval=[0.3, 0.5], ratio=1.0, **error)
    item = by_title(headlines(good, base))["Mean absolute error"]
    assert item.better is True
    assert item.delta == "-0.1"


def test_the_suggestion_costs_at_most_a_point():
    assert suggested(ALL) == SMALL
    assert suggested([BASELINE, TINY]) == BASELINE
    assert suggested([]) is None


def test_the_table_has_a_row_per_variant_and_differences():
    table = comparison_table(ALL).set_index("id")
    assert table.loc["small", "gzip vs baseline (×)"] == 100_000 / 12_000
    assert round(table.loc["poor", "Δ Accuracy (%)"], 6) == -15.0
    assert table.loc["baseline", "Size vs baseline (×)"] == 1.0
