"""What the charts show, and that drawing is deterministic."""

import json

import numpy as np
import pytest

from optimizer.charts.axes import linear_ticks, log_axis
from optimizer.charts.bars import bars_figure, bars_info, class_balance_figure
from optimizer.charts.inspection import MOST_ROWS, time_figure
from optimizer.charts.predictions import confusion_figure
from optimizer.charts.storage import space_figure
from optimizer.charts.tradeoff import tradeoff_figure, tradeoff_info
from optimizer.charts.weights import (
    Strip,
    histogram_figure,
    histogram_table,
    schedule_figure,
    schedule_points,
)
from optimizer.format import format_ms
from optimizer.measure.histogram import weight_histogram
from optimizer.measures import measures
from optimizer.schedules import ConstantSchedule, PolynomialSchedule
from tests.variants import baseline, results, variant

STUDY = [
    baseline(),
    variant("small", found=results(gzip_bytes=10_000, value=0.93)),
    variant("good", found=results(gzip_bytes=20_000, value=0.97)),
    variant("beaten", found=results(gzip_bytes=30_000, value=0.94)),
    variant("waiting", state="queued"),
]


def groups(info):
    return {point.name: point.group for point in info.points}


def axis_titles(figure):
    return figure.layout.xaxis.title.text, figure.layout.yaxis.title.text


def test_the_front_has_what_no_other_variant_beats():
    info = tradeoff_info(STUDY, "gzip_bytes", "good")
    assert groups(info) == {
        "base": "baseline",
        "small": "front",
        "good": "front",
        "beaten": "dominated",
    }
    assert [point.name for point in info.front] == ["small", "good"]
    assert (info.metric, info.selected_id, info.not_measured) == ("accuracy", "good", ())


def test_a_smaller_error_is_better_where_the_metric_is_an_error():
    study = [
        variant("exact", found=results(metric="mae", value=0.1, gzip_bytes=20_000)),
        variant("rough", found=results(metric="mae", value=0.9, gzip_bytes=10_000)),
        variant("worse", found=results(metric="mae", value=1.0, gzip_bytes=30_000)),
    ]
    info = tradeoff_info(study, "gzip_bytes")
    assert groups(info) == {"exact": "front", "rough": "front", "worse": "dominated"}
    assert axis_titles(tradeoff_figure(info))[1] == "Mean absolute error"


def test_what_was_not_measured_is_named_and_not_drawn():
    diverged = variant("diverged", found=results(value=None))
    silent = variant("silent", found=results(latency={"p50": None}))
    info = tradeoff_info([*STUDY, diverged, silent], "latency")
    assert info.not_measured == ("diverged", "silent")
    assert {"diverged", "silent"}.isdisjoint(groups(info))


def test_nothing_measured_gives_an_empty_chart():
    info = tradeoff_info([variant("waiting", state="queued")], "size_bytes")
    assert info.points == ()
    assert tradeoff_figure(info).layout.xaxis.title.text == "Size of the .tflite"


def test_every_point_carries_its_variant_and_every_axis_its_unit():
    figure = tradeoff_figure(tradeoff_info(STUDY, "latency", "good"))
    carried = [item for trace in figure.data for item in (trace.customdata or ())]
    assert sorted(carried) == ["base", "beaten", "good", "small"]
    assert axis_titles(figure) == ("Latency p50", "Accuracy (%)")
    assert all(text.endswith((" ms", " µs")) for text in figure.layout.xaxis.ticktext)
    drawn = [trace for trace in figure.data if trace.customdata is not None]
    assert len({trace.marker.symbol for trace in drawn}) == len(drawn)
    assert len({trace.marker.color for trace in drawn}) == len(drawn)
    assert len({trace.name for trace in drawn}) == len(drawn)


def test_sizes_have_a_logarithmic_axis_in_bytes():
    axis = tradeoff_figure(tradeoff_info(STUDY, "gzip_bytes")).layout.xaxis
    assert axis.type == "log"
    assert set(axis.ticktext) >= {"10 kB", "20 kB", "200 kB"}


@pytest.mark.parametrize(
    ("latencies", "texts"),
    [
        ([0.0022, 0.0029], ("1.5 µs", "2 µs", "3 µs")),
        ([0.06, 0.9], ("50 µs", "0.1 ms", "0.2 ms", "0.5 ms", "1 ms")),
        ([1.0], ("0.7 ms", "1 ms", "1.5 ms")),
    ],
)
def test_however_narrow_a_range_of_latencies_its_axis_can_be_read(latencies, texts):
    ticks = log_axis(latencies, format_ms)["ticktext"]
    assert tuple(ticks) == texts


def test_even_ticks_are_round_and_three_to_eight():
    for low, high in ((0, 0.0029), (0, 227.8), (1.01, 1.04), (0, 9.99e6), (0.0, 1.0)):
        ticks = linear_ticks(low, high)
        assert 3 <= len(ticks) <= 8
        assert all(low <= tick <= high for tick in ticks)
        assert all(len(f"{tick:.9g}".strip("0.").replace(".", "")) <= 4 for tick in ticks)
    assert linear_ticks(2.0, 2.0) == [2.0]


def test_bars_of_latencies_have_an_axis_in_the_unit_of_their_labels():
    quick = [variant(f"v{n}", found=results(latency={"p50": n / 1000})) for n in (2, 3)]
    info = bars_info(quick, measures(quick, "accuracy")["latency"])
    assert info.labels == ("2 µs", "3 µs")
    assert {text for _, text in info.ticks} >= {"0", "1 µs", "2 µs"}
    assert bars_figure(info).layout.xaxis.title.text == "Latency p50"


def test_error_bars_are_the_intervals():
    figure = tradeoff_figure(tradeoff_info(STUDY, "gzip_bytes"))
    front = next(trace for trace in figure.data if trace.name == "On the Pareto front")
    assert list(front.error_y.array) == pytest.approx([1.0, 1.0])
    assert list(front.error_y.arrayminus) == pytest.approx([2.0, 2.0])


def test_many_points_keep_error_bars_only_where_they_matter():
    many = [variant(f"v{n}", found=results(gzip_bytes=50_000 + n, value=0.5)) for n in range(60)]
    figure = tradeoff_figure(tradeoff_info([*STUDY, *many], "gzip_bytes"))
    by_name = {trace.name: trace for trace in figure.data}
    assert by_name["Beaten by another"].error_y.array is None
    assert by_name["On the Pareto front"].error_y.array is not None


def test_of_thousands_of_points_the_front_the_baseline_and_the_selected_one_are_drawn():
    many = [variant(f"v{n}", found=results(gzip_bytes=50_000 + n, value=0.5)) for n in range(4000)]
    info = tradeoff_info([*STUDY, *many], "gzip_bytes", "v1234")
    ids = {point.variant_id for point in info.points}
    assert {"base", "small", "good", "v1234"} <= ids
    assert len(info.points) <= 1_000 + 4
    assert len(info.points) + info.left_out == 4000 + 4
    drawn = sorted(point.cost for point in info.points if point.variant_id.startswith("v"))
    assert max(np.diff(drawn)) <= 5, "what is drawn is spread evenly"
    assert info == tradeoff_info([*STUDY, *many], "gzip_bytes", "v1234")
    assert tradeoff_info(STUDY, "gzip_bytes").left_out == 0


def test_the_bars_of_what_takes_space_are_sorted_and_say_what_can_go():
    figure = space_figure({"Database": 5, "Uploads in no study": 2_000, "Logs": 0})
    assert {bar.name: list(bar.y) for bar in figure.data} == {
        "Needed by studies or at work": ["Database"],
        "Can be freed": ["Uploads in no study"],
    }
    assert list(figure.layout.yaxis.categoryarray) == ["Uploads in no study", "Database"]
    assert list(figure.layout.xaxis.ticktext)[:3] == ["0 B", "500 B", "1.00 kB"]
    assert list(space_figure({}).data) == []


def test_figures_are_deterministic():
    """Otherwise Streamlit takes each for a new chart and forgets the selection."""
    first, second = (
        json.dumps(tradeoff_figure(tradeoff_info(STUDY, "gzip_bytes", "good")).to_plotly_json())
        for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize(
    ("measure", "order"),
    [
        ("gzip", ["small", "good", "beaten", "base"]),
        ("metric", ["good", "base", "beaten", "small"]),
    ],
)
def test_bars_have_the_best_first(measure, order):
    info = bars_info(STUDY, measures(STUDY, "accuracy")[measure], "small")
    assert list(info.names) == order
    assert (info.baseline_id, info.selected_id, info.left_out) == ("base", "small", 0)


def test_bars_keep_the_baseline_and_the_selected_one_when_there_are_too_many():
    many = [variant(f"v{n:03}", found=results(size_bytes=1000 + n)) for n in range(100)]
    info = bars_info([baseline(), *many], measures(many, "accuracy")["size"], "v099", limit=10)
    assert info.names == (*(f"v{n:03}" for n in range(10)), "v099", "base")
    assert info.left_out == 89


def test_only_measures_that_were_taken_are_offered():
    study = [variant("a", found=results(agreement=None, peak_memory_bytes=None))]
    sizes, others = {"size", "gzip", "parameters"}, {"metric", "latency", "ratio", "sparsity"}
    assert set(measures(study, "accuracy")) == sizes | others | {"time"}


def test_bars_say_in_words_which_is_selected_and_which_is_the_baseline():
    info = bars_info(STUDY, measures(STUDY, "accuracy")["size"], "small")
    written = [note.text for note in bars_figure(info).layout.annotations]
    assert "small (selected)" in written
    assert "base (baseline)" in written


def test_class_balance_has_a_bar_per_class_and_set():
    figure = class_balance_figure([10, 20], [3, 4])
    assert [list(trace.y) for trace in figure.data] == [[10, 20], [3, 4]]
    assert axis_titles(figure) == ("Class", "Samples")


def test_the_schedule_curve_begins_and_ends_where_it_says():
    points = dict(schedule_points(PolynomialSchedule(begin=0.25, end=0.75, final_sparsity=0.5)))
    assert (points[0.0], points[75.0], points[100.0]) == (0.0, 50.0, 50.0)
    assert 0 < points[50.0] < 50
    constant = dict(schedule_points(ConstantSchedule(target_sparsity=0.6, begin=0.5)))
    assert (constant[49.5], constant[50.0]) == (0.0, 60.0)
    assert axis_titles(schedule_figure(ConstantSchedule(), 1))[0].endswith("1 epoch)")


def test_the_histogram_and_its_table_have_the_same_counts():
    histogram = weight_histogram([0.0, 0.5, 1.0], [0.0, 0.0, 1.0], bins=4)
    figure, table = histogram_figure(histogram), histogram_table(histogram)
    assert [sum(trace.y) for trace in figure.data] == [2, 1]
    assert table["Baseline"].tolist()[0] == 1
    assert table["This variant"].sum() == 3


def test_marks_below_a_histogram_have_a_line_of_their_own():
    histogram = weight_histogram([0.5, 1.0], [0.5, 1.0], bins=4)
    strips = [Strip("Centroids", (0.5, 1.0)), Strip("Integer grid", (0.4, 0.5, 0.6))]
    figure = histogram_figure(histogram, strips)
    assert [trace.name for trace in figure.data][2:] == ["Centroids", "Integer grid"]
    domains = [figure.layout[axis].domain for axis in ("yaxis", "yaxis2", "yaxis3")]
    assert domains[0][0] > domains[1][1] > domains[1][0] > domains[2][1]


def test_operators_in_a_chart_are_the_largest_and_each_is_drawn_once():
    pieces = [
        {"operators": [i], "ms": i / 1000, "ci_ms": [0.0, 1.0], "certain": i % 2 == 0}
        for i in range(100)
    ]
    figure = time_figure(pieces, {i: f"operator {i}" for i in range(100)}, {99: 0.5, 0: 0.1})
    drawn = [name for trace in figure.data[:2] for name in trace.y]
    assert sorted(drawn) == sorted(f"operator {i}" for i in range(100 - MOST_ROWS, 100))
    assert list(figure.data[2].y) == ["operator 99"]
    assert figure.layout.yaxis.categoryarray[-1] == "operator 99"


def test_a_confusion_matrix_writes_every_count_into_its_cell():
    counts = np.array([[9, 1], [0, 4]])
    figure = confusion_figure(counts, ["cat", "dog"])
    written = {
        (y, x): text
        for trace in figure.data[1:]
        for y, x, text in zip(trace.y, trace.x, trace.text, strict=True)
    }
    assert written == {("cat", "cat"): "9", ("cat", "dog"): "1", ("dog", "dog"): "4"}
    changed = confusion_figure(counts - 1, ["cat", "dog"], change=True)
    assert {text for trace in changed.data[1:] for text in trace.text} == {"+8", "−1", "+3"}
    assert len(confusion_figure(np.eye(30, dtype=int), list(map(str, range(30)))).data) == 1


def test_a_broken_promise_is_marked_in_the_charts():
    broken = variant("v", found=results(promises=[{"promise": "p", "kept": False, "found": "f"}]))
    assert tradeoff_info([broken], "gzip_bytes").points[0].name == "v (promise not kept)"
    names = bars_info([broken], measures([broken], "accuracy")["size"]).names
    assert names == ("v (promise not kept)",)


def test_multiply_accumulates_have_an_axis_where_they_were_counted():
    study = [baseline(macs=500_000), variant("v", found=results(macs=100_000))]
    info = tradeoff_info([*study, variant("old", found=results())], "macs")
    assert [point.cost for point in info.points] == [500_000, 100_000]
    assert info.not_measured == ("old",)
    assert set(tradeoff_figure(info).layout.xaxis.ticktext) >= {"100 k", "200 k", "500 k"}
    assert "macs" in measures(study, "accuracy")


def test_bars_stand_apart_when_ids_look_like_numbers():
    """Plotly makes an axis linear where a trace's categories could be numbers."""
    figure = bars_figure(bars_info([baseline()], measures([baseline()], "accuracy")["size"]))
    assert figure.layout.yaxis.type == "category"
