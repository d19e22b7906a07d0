"""What is said about a variant beside its baseline."""

import pytest

from optimizer.comparison import comparison_table, suggested
from optimizer.headlines import details, headlines, how_measured
from optimizer.measured import marked_name, measured
from tests.variants import baseline, results, variant


def said(item, base=None):
    return {line.title: (line.value, line.delta, line.better) for line in headlines(item, base)}


def test_headlines_say_what_is_better_and_what_is_worse():
    shown = said(variant("v", found=results()), baseline())
    assert shown["As it ships"] == ("50.0 kB", "4.00× smaller", True)
    assert shown["gzip-compressed"] == ("20.0 kB", "9.00× smaller", True)
    assert shown["Accuracy"] == ("95.00 %", "−1.00 points", False)
    assert shown["Latency p50"] == ("10 µs", "2.00× faster", True)
    assert shown["Agreement"] == ("98.00 %", None, None)


def test_the_baseline_is_compared_with_nothing():
    base = baseline()
    assert all(line.delta is None or line.title == "Latency p50" for line in headlines(base, base))
    assert said(base, base)["As it ships"] == ("200.0 kB", None, None)


@pytest.mark.parametrize(
    ("latency", "words", "better"),
    [
        ({"ratio": 0.98, "significant": False}, "no significant difference", None),
        ({"ratio": 2.5, "significant": True}, "2.50× slower", False),
        ({"ratio": None}, None, None),
    ],
)
def test_latency_says_no_more_than_was_measured(latency, words, better):
    shown = said(variant("v", found=results(latency=latency)), baseline())
    assert shown["Latency p50"][1:] == (words, better)


def test_what_is_missing_is_not_measured():
    """As in an archive from elsewhere, or after training that diverged."""
    bare = variant("bare", found={"size_bytes": 1000})
    shown = said(bare, baseline())
    assert shown["As it ships"][0] == "1000 B" or shown["As it ships"][0] == "1.00 kB"
    for title in ("gzip-compressed", "Accuracy", "Latency p50", "Peak memory"):
        assert shown[title][0] == "not measured"
    assert all("not measured" in line for line in how_measured(measured(bare))[:3])
    assert [line.value for line in details(bare, None)] == ["not measured"] * 5
    assert comparison_table([baseline(), bare])["Latency"].tolist() == ["", "not measured"]


def test_fewer_multiply_accumulates_are_better():
    shown = {
        line.title: line
        for line in details(variant("v", found=results(macs=250_000)), baseline(macs=1_000_000))
    }["Arithmetic (MACs)"]
    assert (shown.value, shown.delta, shown.better) == ("250 k", "4.00× fewer", True)
    assert "1,000,000 in the baseline" in shown.explanation


BROKEN = [{"promise": "at most 16 distinct weights", "kept": False, "found": "57"}]


def test_a_broken_promise_is_marked_and_not_suggested():
    base, good = baseline(), variant("good", found=results(gzip_bytes=30_000, value=0.96))
    broken = variant("broken", found=results(gzip_bytes=9_000, value=0.96, promises=BROKEN))
    assert suggested([base, broken, good]) is good
    assert marked_name(broken) == "broken (promise not kept)"
    states = comparison_table([base, broken, good])["State"].tolist()
    assert states == ["done", "done, promise not kept: at most 16 distinct weights", "done"]


def test_errors_are_better_when_they_are_smaller():
    base = baseline(metric="mse", value=0.5)
    shown = said(variant("v", found=results(metric="mse", value=0.4)), base)
    assert shown["Mean squared error"] == ("0.4", "−0.1", True)


def test_the_table_has_a_row_per_variant_with_differences_to_the_baseline():
    table = comparison_table(
        [baseline(), variant("v", found=results()), variant("w", state="queued")]
    )
    assert table["State"].tolist() == ["done", "done", "queued"]
    row = table.iloc[1]
    assert (row["Smaller (×)"], row["gzip smaller (×)"]) == (4.0, 9.0)
    assert row["Δ Accuracy (points)"] == pytest.approx(-1.0)
    assert row["Latency"] == "2.00× faster"
    assert table.iloc[2].drop(["id", "Variant", "State"]).isna().all()


@pytest.mark.parametrize(
    ("milliseconds", "column", "shown"),
    [(0.0029, "Latency p50 (µs)", 2.9), (2.5, "Latency p50 (ms)", 2.5)],
)
def test_the_table_has_latencies_in_the_unit_that_fits_them(milliseconds, column, shown):
    table = comparison_table(
        [variant("v", found=results(latency={"p50": milliseconds})), variant("w", state="queued")]
    )
    assert table[column].iloc[0] == pytest.approx(shown)


def test_the_state_is_left_out_when_all_are_done():
    assert "State" not in comparison_table([baseline(), variant("v", found=results())])


def test_the_suggestion_is_the_smallest_download_within_a_point():
    study = [
        baseline(),
        variant("tiny", found=results(gzip_bytes=1000, value=0.90)),
        variant("small", found=results(gzip_bytes=5000, value=0.955)),
        variant("large", found=results(gzip_bytes=9000, value=0.99)),
        variant("diverged", found=results(gzip_bytes=10, value=None)),
    ]
    assert suggested(study).name == "small"
    assert suggested(study[:2]).name == "base"
    assert suggested([variant("w", state="queued")]) is None
    assert suggested(study[1:3]).name == "tiny"
