from datetime import UTC, datetime, timedelta

import pytest

from optimizer import format as shown


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (227_460, "227.5 kB"),
        (1_580_000, "1.58 MB"),
        (3.2e9, "3.20 GB"),
    ],
)
def test_bytes(size, text):
    assert shown.format_bytes(size) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0.00251, "2.51 µs"), (0.4521, "0.452 ms"), (12.34, "12.3 ms"), (11_200, "11.2 s")],
)
def test_latencies(milliseconds, text):
    assert shown.format_ms(milliseconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "40 ms"), (0.44, "0.4 s"), (12.3, "12 s"), (200, "3 min 20 s"), (3900, "1 h 05 min")],
)
def test_durations(seconds, text):
    assert shown.format_seconds(seconds) == text


@pytest.mark.parametrize(
    ("difference", "text"),
    [(-0.0089, "−0.89 points"), (0.0022, "+0.22 points"), (0.0, "±0.00 points")],
)
def test_differences_carry_a_sign(difference, text):
    assert shown.format_points(difference) == text


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(seconds=5), "just now"),
        (timedelta(minutes=7), "7 min ago"),
        (timedelta(hours=5), "5 h ago"),
        (timedelta(days=3), "3 d ago"),
    ],
)
def test_times_past(ago, text):
    assert shown.format_when((datetime.now(UTC) - ago).isoformat()) == text
