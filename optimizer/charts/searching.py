"""Every trial of a search: what it costs against how well it does, and the limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import plotly.graph_objects as go

from optimizer.charts.style import AMBER, BLUE, FAINT, GREEN, GREY, ORANGE, styled
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
    figure = go.Figure()
    share = 100.0 if is_share(info.metric) else 1.0
    places = [point.place for point in info.points if point.place is not None]
    low, high = (min(places) / 1.4, max(places) * 1.4) if places else (1.0, 10.0)
    strip = high * (high / low) ** 0.06
    for group, (label, color, symbol, size) in _GROUPS.items():
        points = [point for point in info.points if point.group == group]
        if points:
            figure.add_scatter(
                x=[strip if point.place is None else point.place for point in points],
                y=[share * point.value for point in points],
                mode="markers",
                name=label,
                marker={
                    "size": size,
                    "color": color,
                    "symbol": symbol,
                    "line": {"width": 2, "color": color},
                },
                customdata=[point.variant_id for point in points],
                text=[_hover(info, point) for point in points],
                hovertemplate="%{text}<extra></extra>",
            )
    styled(
        figure,
        x_title=MEASURES[info.measure],
        y_title=metric_column(info.metric),
        height=430,
    )
    _limits(figure, info, share)
    early = any(point.place is None for point in info.points)
    _axis(figure, info.measure, low, strip * 1.15 if early else high)
    return figure


def _limits(figure: go.Figure, info: SearchInfo, share: float) -> None:
    line = {"color": ORANGE, "width": 1.5, "dash": "dash"}
    if info.worst is not None:
        figure.add_hline(
            y=share * info.worst,
            line=line,
            layer="below",
            annotation_text="limit of the accuracy drop",
            annotation_position="bottom right",
            annotation_font={"size": 11, "color": ORANGE},
        )
    if info.most is not None:
        figure.add_vline(
            x=info.most,
            line=line,
            layer="below",
            annotation_text="limit",
            annotation_position="top right",
            annotation_font={"size": 11, "color": ORANGE},
        )
    for point in info.points:
        if point.group == "baseline":
            dotted = {"color": FAINT, "width": 1, "dash": "dot"}
            figure.add_hline(y=share * point.value, line=dotted, layer="below")


def _axis(figure: go.Figure, measure: Measure, low: float, high: float) -> None:
    """A logarithmic axis with ticks at 1, 2 and 5, with their units."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    ticks = [
        digit * 10.0**power
        for power in range(first, last + 1)
        for digit in ((1, 2, 5) if high / low > 3 else (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9))
        if low <= digit * 10.0**power <= high
    ]
    show = (lambda value: f"{value:g}") if measure == "latency_ratio" else _bytes
    figure.update_xaxes(
        type="log",
        range=[math.log10(low), math.log10(high)],
        tickvals=ticks,
        ticktext=[show(tick) for tick in ticks],
    )


def _bytes(size_bytes: float) -> str:
    text = format_bytes(size_bytes)
    number, unit = text.split()
    return f"{float(number):g} {unit}"


def _hover(info: SearchInfo, point: TrialPoint) -> str:
    head = f"<b>{point.name}</b>" + (f"<br>trial {point.number}" if point.number >= 0 else "")
    metric = f"{metric_title(info.metric)} {format_metric(info.metric, point.value)}"
    if point.place is None:
        return f"{head}<br>{metric} when it was ended"
    ratio = info.measure == "latency_ratio"
    place = f"{point.place:.2f} × the baseline's latency" if ratio else format_bytes(point.place)
    return f"{head}<br>{place}<br>{metric} on the search's half of the test set"


def trial_rows(trials: Sequence[Trial], goal: Goal, winner: int | None) -> list[dict[str, Any]]:
    """One row for each trial: what was chosen, measured and decided; numbers with units named.

    Args:
        trials: of the search.
        goal: what they are judged by.
        winner: number of the trial that was found, if any.
    """
    share = 100.0 if is_share(goal.metric) else 1.0
    rows = []
    for trial in trials:
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
