from datetime import UTC, datetime, timedelta

import pytest

from optimizer import format as shown
from optimizer.pareto import pareto_front


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        (shown.format_bytes, 0, "0 B"),
        (shown.format_bytes, 999, "999 B"),
        (shown.format_bytes, 2_470, "2.47 kB"),
        (shown.format_bytes, 227_800, "227.8 kB"),
        (shown.format_bytes, 1_580_000, "1.58 MB"),
        (shown.format_bytes, 3.2e9, "3.20 GB"),
        (shown.format_count, 950, "950"),
        (shown.format_count, 493_344, "493 k"),
        (shown.format_count, 999_600, "1 M"),
        (shown.format_count, 1_715_264, "1.72 M"),
        (shown.format_count, 5.6e9, "5.6 G"),
        (shown.format_ms, 0.00251, "2.51 µs"),
        (shown.format_ms, 0.4523, "0.452 ms"),
        (shown.format_ms, 12.345, "12.3 ms"),
        (shown.format_ms, 11_240, "11.2 s"),
        (shown.format_seconds, 0.04, "40 ms"),
        (shown.format_seconds, 12.2, "12 s"),
        (shown.format_seconds, 200, "3 min 20 s"),
        (shown.format_seconds, 3900, "1 h 05 min"),
        (shown.format_times, 3.559, "3.56×"),
        (shown.format_times, 14.46, "14.5×"),
        (shown.format_points, -0.0089, "−0.89 points"),
        (shown.format_points, 0.0022, "+0.22 points"),
        (shown.metric_title, "mae", "Mean absolute error"),
        (shown.metric_title, "f1", "f1"),
    ],
)
def test_numbers_have_units_and_sensible_digits(function, value, text):
    assert function(value) == text


def test_times_are_told_from_now():
    now = datetime.now(UTC)
    assert shown.format_when(now.isoformat()) == "just now"
    assert shown.format_when((now - timedelta(hours=3, minutes=1)).isoformat()) == "3 h ago"
    assert shown.format_when("2026-01-02T03:04:05+00:00")[:4].isdigit()


def test_an_exact_conversion_is_called_identical():
    exact = {"samples": 8, "max_abs_difference": 0.0}
    assert "identical" in shown.verification_sentence(exact)
    close = {"samples": 8, "max_abs_difference": 2e-7, "max_relative_difference": 1e-6}
    assert "at most 2.0e-07" in shown.verification_sentence({**close, "tolerance": 1e-4})


def test_the_front_is_what_nothing_else_beats():
    assert pareto_front([(1, 3), (2, 2), (3, 1), (3, 3), (2, 2)]) == [True, True, True, False, True]
    assert pareto_front([]) == []
    assert pareto_front([(1, 1, 5), (1, 1, 4)]) == [False, True]
