"""Every trial of a search: what it costs against how well it does, and the limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import plotly.graph_objects as go

from optimizer.charts.axes import byte_tick, log_axis, reference_line
from optimizer.charts.style import AMBER, BLUE, GREEN, GREY, ORANGE, styled
from optimizer.comparison import metric_column
from optimizer.format import format_bytes, format_metric, is_share, metric_title
from optimizer.search.goal import Figures, Goal, feasible
from optimizer.search.words import STATES
from optimizer.store.records import Trial

Measure = Literal["gzip_bytes", "size_bytes", "latency_ratio"]
Group = Literal["baseline", "feasible", "infeasible", "early", "winner"]

MEASURES: dict[Measure, str] = {
    "gzip_bytes": "Size of the .tflite, gzip-compressed",
    "size_bytes": "Size of the .tflite",
    "latency_ratio": "Latency, as a ratio to the baseline's",
}
_GROUPS: dict[Group, tuple[str, str, str, int]] = {
    "infeasible": ("Breaks a limit", AMBER, "x-thin-open", 11),
    "early": ("Ended early, size not known", GREY, "triangle-down-open", 11),
    "feasible": ("Keeps the limits", BLUE, "circle", 11),
    "baseline": ("Float32 baseline", GREY, "square", 12),
    "winner": ("Found", GREEN, "star", 20),
}
"""Group → legend, colour, symbol and size, in the order they are drawn."""


@dataclass(frozen=True)
class TrialPoint:
    """One trial in the chart.

    Attributes:
        number: of the trial; -1 for the baseline.
        place: bytes or ratio; ``None`` where it was not measured.
        value: the metric, on the samples that the search judges by.
    """

    number: int
    variant_id: str | None
    name: str
    place: float | None
    value: float
    group: Group


@dataclass(frozen=True)
class SearchInfo:
    """What the chart of a search shows.

    Attributes:
        most: largest place that keeps the limit of this measure, where there is one.
        worst: the metric at the limit of the accuracy drop, where there is one.
        not_shown: trials that failed or were skipped, of which nothing was measured.
    """

    measure: Measure
    metric: str
    points: tuple[TrialPoint, ...]
    most: float | None
    worst: float | None
    not_shown: int


def measure_of(goal: Goal) -> Measure:
    """The measure that a search's chart has on its horizontal axis."""
    if goal.objective == "latency":
        return "latency_ratio"
    if goal.objective == "size" or goal.constraints.max_size_bytes is not None:
        return "size_bytes"
    return "gzip_bytes"


def search_info(
    trials: Sequence[Trial], goal: Goal, winner: int | None, measure: Measure
) -> SearchInfo:
    """Place every trial of which something was measured.

    Args:
        trials: of the search.
        goal: what they are judged by; it has a metric.
        winner: number of the trial that was found, if any.
        measure: on the horizontal axis.
    """
    points = [_point(trial, winner, measure) for trial in trials]
    base = goal.baseline
    place = getattr(base, measure)
    if base.metric is not None and place is not None:
        points.append(TrialPoint(-1, None, "float32 baseline", place, base.metric, "baseline"))
    limits = goal.constraints
    most = {"size_bytes": limits.max_size_bytes, "latency_ratio": limits.max_latency_ratio}
    shown = tuple(point for point in points if point is not None)
    return SearchInfo(
        measure,
        goal.metric,
        shown,
        most.get(measure),
        _worst(goal),
        sum(trial.state in ("failed", "refused") for trial in trials),
    )


def _worst(goal: Goal) -> float | None:
    drop, base = goal.constraints.max_accuracy_drop, goal.baseline.metric
    if drop is None or base is None:
        return None
    return base - drop if goal.higher_is_better else base * (1 + 2 * drop)


def _point(trial: Trial, winner: int | None, measure: Measure) -> TrialPoint | None:
    figures, name = Figures.read(trial.figures), trial.recipe.name
    if trial.state == "pruned" and trial.intermediate:
        value = float(trial.intermediate[-1][3])
        return TrialPoint(trial.number, trial.variant_id, name, None, value, "early")
    place = getattr(figures, measure)
    if trial.state != "complete" or figures.metric is None or place is None:
        return None
    group: Group = "feasible" if feasible(trial.violations) else "infeasible"
    if trial.number == winner:
        group = "winner"
    return TrialPoint(trial.number, trial.variant_id, name, float(place), figures.metric, group)


def search_figure(info: SearchInfo) -> go.Figure:
    """Draw it: metric up, cost to the right; what has no cost stands in a strip at the right."""
    share = 100.0 if is_share(info.metric) else 1.0
    places = [point.place for point in info.points if point.place is not None] or [1.0]
    strip = 1.5 * max(places) * (max(places) / min(places)) ** 0.06
    traces = []
    for group in _GROUPS:
        points = [point for point in info.points if point.group == group]
        if points:
            traces.append(_trace(info, points, group, strip, share))
    if any(point.place is None for point in info.points):
        places.append(strip)
    ratio = info.measure == "latency_ratio"
    return styled(
        traces,
        x_title=MEASURES[info.measure],
        y_title=metric_column(info.metric),
        height=430,
        x_axis=log_axis(places, (lambda value: f"{value:g}") if ratio else byte_tick),
        shapes=_lines(info, share),
        annotations=_line_names(info, share),
    )


def _trace(
    info: SearchInfo, points: Sequence[TrialPoint], group: Group, strip: float, share: float
) -> dict[str, Any]:
    label, color, symbol, size = _GROUPS[group]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": label,
        "x": [strip if point.place is None else point.place for point in points],
        "y": [share * point.value for point in points],
        "marker": {
            "size": size,
            "color": color,
            "symbol": symbol,
            "line": {"width": 2, "color": color},
        },
        "customdata": [point.variant_id for point in points],
        "text": [_hover(info, point) for point in points],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _lines(info: SearchInfo, share: float) -> list[dict[str, Any]]:
    """The limits, dashed, and the baseline's metric, dotted."""
    limit = {"color": ORANGE, "width": 1.5, "dash": "dash"}
    found = [
        reference_line("y", share * point.value)
        for point in info.points
        if point.group == "baseline"
    ]
    if info.worst is not None:
        found.append({**reference_line("y", share * info.worst), "line": limit})
    if info.most is not None:
        found.append({**reference_line("x", info.most), "line": limit})
    return found


def _line_names(info: SearchInfo, share: float) -> list[dict[str, Any]]:
    common = {"showarrow": False, "font": {"size": 11, "color": ORANGE}}
    found = []
    if info.worst is not None:
        found.append(
            {
                **common,
                "text": "limit of the accuracy drop",
                "xref": "paper",
                "x": 1,
                "xanchor": "right",
                "y": share * info.worst,
                "yanchor": "top",
            }
        )
    if info.most is not None:
        found.append(
            {
                **common,
                "text": "limit",
                "x": math.log10(info.most),
                "xanchor": "left",
                "yref": "paper",
                "y": 1,
                "yanchor": "top",
            }
        )
    return found


def _hover(info: SearchInfo, point: TrialPoint) -> str:
    head = f"<b>{point.name}</b>" + (f"<br>trial {point.number}" if point.number >= 0 else "")
    metric = f"{metric_title(info.metric)} {format_metric(info.metric, point.value)}"
    if point.place is None:
        return f"{head}<br>{metric} when it was ended"
    ratio = info.measure == "latency_ratio"
    place = f"{point.place:.2f} × the baseline's latency" if ratio else format_bytes(point.place)
    return f"{head}<br>{place}<br>{metric} on the search's half of the test set"


def trial_rows(trials: Sequence[Trial], goal: Goal, winner: int | None) -> list[dict[str, Any]]:
    """One row for each trial, what was found first: what was chosen, measured and decided.

    Args:
        trials: of the search.
        goal: what they are judged by.
        winner: number of the trial that was found, if any.
    """
    share = 100.0 if is_share(goal.metric) else 1.0
    rows = []
    for trial in sorted(trials, key=lambda each: each.number != winner):
        figures = Figures.read(trial.figures)
        kept: str | None = None
        if trial.state == "complete":
            kept = "yes" if feasible(trial.violations) else "no"
        rows.append(
            {
                "id": trial.variant_id,
                "Trial": trial.number,
                "Recipe": trial.recipe.name,
                "State": "found" if trial.number == winner else STATES[trial.state],
                "Keeps the limits": kept,
                "gzip (kB)": _thousands(figures.gzip_bytes),
                "Size (kB)": _thousands(figures.size_bytes),
                metric_column(goal.metric or "accuracy"): None
                if figures.metric is None
                else share * figures.metric,
                "Latency ratio": figures.latency_ratio,
                "Took (s)": trial.seconds,
                "Why": trial.message or ORIGINS[trial.origin],
            }
        )
    return rows


ORIGINS = {
    "study": "was in the study already",
    "start": "every search begins with it",
    "sibling": "its training was there already",
    "sampled": "promised most",
}
"""Why a trial was tried → in words."""


def _thousands(value: int | None) -> float | None:
    return None if value is None else value / 1000
