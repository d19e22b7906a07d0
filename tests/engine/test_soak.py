"""Some hours of the day that ``make bench ARGS=soak`` lives through, with one killed engine."""

from benchmarks.soak import live_through

_SPARE_MB = 40
"""What an engine or the app may have grown by: caches fill, and Python keeps some of its memory."""


def test_hours_of_work_leave_no_process_no_handle_and_no_file_behind():
    day = live_through(4, variants=2, visitors=1, restart_every=2)
    assert day.errors == []
    assert day.processes == []
    assert day.left == []
    assert day.runs["failed"] == 4
    assert day.runs["cancelled"] == 4 + 2
    assert day.runs["done"] >= 4
    assert set(day.runs) == {"done", "failed", "cancelled"}
    first, last = day.app[0], day.app[-1]
    assert last.handles <= first.handles + 2
    assert last.threads <= first.threads + 2
    assert last.children == 0
    assert last.memory_mb - first.memory_mb < _SPARE_MB
    # Engines are compared with themselves: the second and third hour are of one life.
    second, third = day.engine[1:3]
    assert third.handles <= second.handles + 4
    assert third.children <= second.children
    assert third.memory_mb - second.memory_mb < _SPARE_MB
