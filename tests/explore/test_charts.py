"""What the explorer's charts show, and that drawing is deterministic."""

import json
import math

import numpy as np
import pytest

from optimizer.charts.explorer import explorer_figure, explorer_info
from optimizer.charts.parallel import parallel_figure, parallel_info
from optimizer.explore.budgets import budget
from optimizer.explore.table import explore_table
from tests.explore.building import EVERY, STUDY, table
from tests.variants import baseline, results, variant

KEYS = ("gzip", "metric")


def info(keys=KEYS, inside=EVERY, **marks):
    return explorer_info(table(), keys, EVERY, inside, **marks)


def figure(found):
    return explorer_figure(found, [table().measures[key] for key in found.keys])


def drawn(found):
    """What the legend calls a group of points → their ids."""
    return {
        trace.name: tuple(trace.customdata)
        for trace in figure(found).data
        if trace.customdata is not None
    }


def test_points_are_told_apart_by_front_and_budgets():
    inside = np.array([True, False, True, True, False, True, False])
    found = info(inside=inside, recommended=5, knee=3, chosen=[1, 6])
    assert dict(zip(found.ids, found.groups, strict=True)) == {
        "base": "baseline",
        "tiny": "over",
        "small": "dominated",
        "good": "front",
        "liar": "over",
        "untimed": "front",
    }
    assert [found.ids[number] for number in found.front] == ["untimed", "good"]
    assert [found.ids[number] for number in found.chosen] == ["tiny"]
    assert (found.ids[found.recommended], found.ids[found.knee]) == ("untimed", "good")
    assert drawn(found)["Recommended"] == ("untimed",)
    assert drawn(found)["Misses a budget"] == ("tiny", "liar")


def test_groups_differ_by_symbol_color_and_legend():
    traces = [trace for trace in figure(info(recommended=5, knee=3)).data if trace.customdata]
    for attribute in ("symbol", "color"):
        assert len({trace.marker[attribute] for trace in traces}) >= len(traces) - 1
    assert len({(t.marker.symbol, t.marker.color) for t in traces}) == len(traces)
    assert len({trace.name for trace in traces}) == len(traces)


def test_a_third_measure_is_the_color_and_part_of_the_front():
    found = info((*KEYS, "ratio"))
    assert found.colors is not None
    assert "untimed" not in found.ids
    assert found.not_measured == 1
    drawing = figure(found)
    assert drawing.layout.coloraxis.colorbar.title.text.startswith("Latency, as a ratio")
    colored = [trace for trace in drawing.data if trace.marker.coloraxis]
    assert all(not trace.showlegend for trace in colored)
    assert [trace.mode for trace in drawing.data].count("lines") == 0
    log_ratio = [math.log10(value) for value in found.colors]
    assert (drawing.layout.coloraxis.cmin, drawing.layout.coloraxis.cmax) == pytest.approx(
        (min(log_ratio), max(log_ratio))
    )


@pytest.mark.parametrize(
    ("keys", "shape"),
    [(("gzip", "metric"), "hv"), (("gzip", "ratio"), "hv"), (("metric", "gzip"), "vh")],
)
def test_the_stairs_are_the_edge_of_what_is_beaten(keys, shape):
    line = next(trace for trace in figure(info(keys)).data if trace.mode == "lines")
    assert line.line.shape == shape
    assert list(line.x) == sorted(line.x)


def test_axes_have_units_and_the_baseline_has_lines():
    drawing = figure(info())
    assert (drawing.layout.xaxis.type, drawing.layout.xaxis.title.text) == (
        "log",
        ".tflite, gzip-compressed",
    )
    assert set(drawing.layout.xaxis.ticktext) >= {"10 kB", "100 kB"}
    assert drawing.layout.yaxis.title.text == "Accuracy (%)"
    assert [shape.x0 for shape in drawing.layout.shapes if shape.x0 == shape.x1] == [180.0]
    assert [shape.y0 for shape in drawing.layout.shapes if shape.y0 == shape.y1] == [96.0]


def test_intervals_are_error_bars_of_the_metric():
    front = next(t for t in figure(info()).data if t.name == "On the Pareto front")
    assert list(front.error_y.arrayminus) == pytest.approx([2.0] * len(front.x))
    other = next(t for t in figure(info(("gzip", "ratio"))).data if t.name == "On the Pareto front")
    assert other.error_y.array is None


def test_many_points_are_drawn_by_webgl_and_few_are_not():
    many = [variant(f"v{n}", found=results(gzip_bytes=50_000 + n, value=0.5)) for n in range(400)]
    found = explore_table([*STUDY, *many])
    every = np.ones(len(found), bool)
    shown = explorer_info(found, KEYS, every, every)
    kinds = {
        trace.name: trace.type
        for trace in explorer_figure(shown, [found.measures[key] for key in KEYS]).data
    }
    assert kinds["Beaten by another"] == "scattergl"
    assert kinds["On the Pareto front"] == "scatter"
    assert len(shown.ids) == 406


def test_nothing_to_draw_is_no_error():
    empty = explorer_info(table(), KEYS, ~EVERY, ~EVERY)
    assert empty.ids == ()
    figure(empty)
    figure(explorer_info(table(), (*KEYS, "ratio"), ~EVERY, ~EVERY))


def overview(limits, chosen=(), inside=EVERY):
    found = table()
    budgets = {key: budget(found, key) for key in limits}
    return parallel_info(found, list(limits), EVERY, inside, budgets, limits, chosen)


def test_parallel_axes_show_budgets_as_ranges():
    found = overview({"gzip": 10.0, "metric": 1.0, "agreement": None})
    sizes, quality, agreement = found.axes
    assert sizes.kept == pytest.approx((math.log10(4.0), math.log10(10.0)))
    assert quality.kept == pytest.approx((95.0, 96.5))
    assert agreement.kept is None
    dimensions = parallel_figure(found).data[0].dimensions
    assert [d.label for d in dimensions] == ["gzip size", "Accuracy (%)", "Agreement (%)"]
    assert "10 kB" in dimensions[0].ticktext
    (kept,) = dimensions[1].constraintrange
    assert list(kept) == pytest.approx([95.0, 96.5])


def test_a_chosen_line_is_not_grey_where_it_misses_a_budget():
    axes = parallel_figure(overview({"gzip": None, "metric": 1.0}, chosen=[1])).data[0].dimensions
    kept, *narrow = axes[1].constraintrange
    assert list(kept) == pytest.approx([95.0, 96.5])
    assert any(low <= 90.0 <= high for low, high in narrow)
    assert all(high - low < 0.05 for low, high in narrow)
    assert axes[0].constraintrange is None


def test_chosen_lines_stand_out_and_the_others_stay():
    found = overview({"gzip": None, "metric": None}, chosen=[2, 6])
    assert [found.ids[number] for number in found.chosen] == ["small"]
    line = parallel_figure(found).data[0].line
    colors = list(line.color)
    assert len(colors) > len(found.ids)
    assert set(colors[len(found.ids) :]) == {line.cmax}
    assert "chosen" in line.colorbar.ticktext
    plain = parallel_figure(overview({"gzip": None, "metric": None})).data[0].line
    assert "chosen" not in plain.colorbar.ticktext
    assert len(plain.color) == len(found.ids)


def test_colors_span_what_is_within_the_budgets():
    inside = np.array([True, False, True, True, False, False, False])
    assert overview({"gzip": None}, inside=inside).color_range == pytest.approx((95.2, 96.5))
    assert overview({"gzip": None}, inside=~EVERY).color_range == pytest.approx((90.0, 96.5))


def test_variants_without_a_measure_have_no_line_but_are_counted():
    found = overview({"gzip": None, "latency": None})
    assert "untimed" not in found.ids
    assert found.left_out == 1


def test_equal_values_make_an_axis():
    same = explore_table([baseline(), baseline()])
    found = parallel_info(same, ["gzip", "metric"], np.ones(2, bool), np.ones(2, bool), {}, {})
    for dimension in parallel_figure(found).data[0].dimensions:
        assert dimension.range[0] < dimension.range[1]


def test_figures_are_deterministic():
    """Otherwise Streamlit takes each for a new chart and forgets the selection."""

    def drawing():
        return [
            json.dumps(item.to_plotly_json(), default=np.ndarray.tolist)
            for item in (
                figure(info((*KEYS, "ratio"), recommended=2, chosen=[1])),
                parallel_figure(overview({"gzip": 10.0, "metric": None}, chosen=[1])),
            )
        ]

    assert drawing() == drawing()
