"""What each chart of a report shows, in a sentence or two that are true of its points."""

from __future__ import annotations

from optimizer.charts.tradeoff import Cost, Point, TradeoffInfo
from optimizer.format import format_bytes, format_metric, format_ms, metric_words
from optimizer.measured import marked_name, measured
from optimizer.report.content import Content

_LEAST: dict[Cost, str] = {
    "gzip_bytes": "The smallest download",
    "size_bytes": "The smallest file",
    "latency": "The shortest time",
}
_LESS: dict[Cost, str] = {"gzip_bytes": "smaller", "size_bytes": "smaller", "latency": "faster"}


def conclusion(content: Content, info: TradeoffInfo) -> str:
    """The two ends of the front, and where the choice stands.

    Args:
        content: the report's.
        info: of one of its charts, with at least one point.
    """
    first, last = info.front[0], info.front[-1]
    if first is last:
        text = f"{_said(content, info, first)} beats or equals all others in both."
    else:
        text = (
            f"{_LEAST[info.cost]}: {_said(content, info, first)}. "
            f"The best {metric_words(info.metric)}: {_said(content, info, last)}."
        )
    chosen = next((point for point in info.points if point.variant_id == info.selected_id), None)
    if chosen is None:
        return text
    if chosen.on_front:
        return f"{text} Our choice is on the line."
    return f"{text} {_beaten(content, info, chosen)}"


def _beaten(content: Content, info: TradeoffInfo, chosen: Point) -> str:
    """Which point of the front is better than the choice here, if it can be told apart."""
    higher = _higher_is_better(content)
    better = [
        point
        for point in info.front
        if point.cost <= chosen.cost
        and (point.value >= chosen.value if higher else point.value <= chosen.value)
    ]
    if not better:
        return ""
    other = better[-1]
    name = _name(content, other)
    if info.cost == "latency" and _same_time(content, chosen, other):
        return f"Our choice and “{name}” take the same time as far as could be measured."
    what = [_LESS[info.cost]] if other.cost < chosen.cost else []
    if other.value != chosen.value:
        low, high = chosen.interval or (chosen.value, chosen.value)
        chance = " (which may be chance)" if low <= other.value <= high else ""
        what.append(f"better in {metric_words(info.metric)}{chance}")
    return f"Our choice is not on this line: “{name}” is {' and '.join(what)}."


def _same_time(content: Content, one: Point, other: Point) -> bool:
    """Whether the intervals of their ratios to the baseline overlap, or are not known."""
    intervals = []
    for point in (one, other):
        found = measured(content.source.variant(point.variant_id))
        intervals.append(found.latency.ratio_ci if found and found.latency else None)
    first, second = intervals
    if first is None or second is None:
        return True
    return first[0] <= second[1] and second[0] <= first[1]


def _higher_is_better(content: Content) -> bool:
    found = measured(content.choice)
    return found is None or found.higher_is_better


def _name(content: Content, point: Point) -> str:
    return marked_name(content.source.variant(point.variant_id))


def _said(content: Content, info: TradeoffInfo, point: Point) -> str:
    show = format_ms if info.cost == "latency" else format_bytes
    return (
        f"“{_name(content, point)}” ({show(point.cost)}, "
        f"{metric_words(info.metric)} {format_metric(info.metric, point.value)})"
    )
