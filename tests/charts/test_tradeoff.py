from optimizer.charts.bars import bars_figure, bars_info, measures
from optimizer.charts.tradeoff import tradeoff_figure, tradeoff_info
from optimizer.charts.weights import histogram_figure, schedule_points
from optimizer.measure.histogram import WeightHistogram
from optimizer.recipe import ConstantSchedule, PolynomialSchedule
from tests.finished import ALL


def test_the_front_and_the_rest():
    info = tradeoff_info(ALL, "gzip_bytes", "small")
    groups = {point.variant_id: point.group for point in info.points}
    assert groups == {
        "baseline": "baseline",
        "small": "front",
        "tiny": "front",
        "poor": "dominated",
    }
    assert [point.variant_id for point in info.front] == ["tiny", "small", "baseline"]


def test_latency_has_a_front_of_its_own():
    info = tradeoff_info(ALL, "latency")
    assert {point.variant_id for point in info.front} == {"small", "baseline"}
    assert info.points[0].cost == 1.0


def test_an_empty_study_gives_an_empty_chart():
    info = tradeoff_info([], "size_bytes")
    assert info.points == ()
    assert tradeoff_figure(info).layout.yaxis.title.text == "Accuracy (%)"


def test_figures_are_deterministic_and_carry_ids():
    info = tradeoff_info(ALL, "size_bytes", "small")
    assert tradeoff_figure(info).to_json() == tradeoff_figure(info).to_json()
    ids = {one for trace in tradeoff_figure(info).data for one in trace.customdata or ()}
    assert ids == {"baseline", "small", "tiny", "poor"}


def test_the_size_axis_is_logarithmic_with_units():
    axis = tradeoff_figure(tradeoff_info(ALL, "size_bytes")).layout.xaxis
    assert axis.type == "log"
    assert "100 kB" in axis.ticktext


def test_bars_are_in_order_and_name_the_baseline():
    info = bars_info(ALL, measures("accuracy")["gzip"], "tiny")
    assert info.variant_ids == ("tiny", "small", "poor", "baseline")
    assert info.labels[0] == "8.00 kB"
    assert info.baseline_id == "baseline"
    assert len(bars_figure(info).data[0].x) == 4


def test_schedules_in_percent():
    points = schedule_points(PolynomialSchedule(final_sparsity=0.8, end=0.5))
    assert points[0] == (0.0, 0.0)
    assert points[-1] == (100.0, 80.0)
    assert schedule_points(ConstantSchedule(target_sparsity=0.3))[0] == (0.0, 30.0)


def test_histograms_overlay_both():
    figure = histogram_figure(WeightHistogram((0.0, 1.0, 2.0), (3, 4), (5, 6), 0, 7))
    assert [list(trace.y) for trace in figure.data] == [[3, 4], [5, 6]]
    assert list(figure.data[0].x) == [0.5, 1.5]
