"""The lessons' figures: what they show, that drawing is deterministic, and that axes have units."""

import numpy as np
import pytest

from optimizer.charts.lessons_affine_quantization import clip_figure, error_figure, range_figure
from optimizer.charts.lessons_calibration import accuracy_figure, count_figure
from optimizer.charts.lessons_compressed_size import sizes_figure
from optimizer.charts.lessons_frame import PREDICTED, prediction_figure
from optimizer.charts.lessons_sparsity_schedules import curve_figure, mask_figure
from optimizer.charts.lessons_weight_clustering import clusters_figure, inertia_figure
from optimizer.lessons import affine_quantization, compressed_size, weight_clustering
from optimizer.lessons.sample import kernel
from optimizer.schedules import PolynomialSchedule

WEIGHTS = kernel("conv_1")
FLAT = WEIGHTS.ravel()
STEPS = weight_clustering.lloyd(FLAT, np.linspace(FLAT.min(), FLAT.max(), 4))
QUANTIZED = affine_quantization.quantize(WEIGHTS, affine_quantization.Scheme(3, clip=0.5))
CURVE = compressed_size.size_curve(WEIGHTS, "float32", [0.0, 0.5])

FIGURES = {
    "prediction": lambda: prediction_figure(20, 46.2, "% zeros", 0, 80),
    "curve": lambda: curve_figure(PolynomialSchedule(), 0.5, (0.25, 0.2)),
    "mask": lambda: mask_figure(WEIGHTS.reshape(16, -1), WEIGHTS.reshape(16, -1) > 0),
    "sizes": lambda: sizes_figure(CURVE, CURVE[1], (0.8, 0.3)),
    "clusters": lambda: clusters_figure(FLAT, STEPS[1]),
    "inertia": lambda: inertia_figure({"linear": STEPS}, "linear", 2),
    "range": lambda: range_figure(FLAT, -0.1, 0.1, np.linspace(-0.1, 0.1, 7)),
    "error": lambda: error_figure(QUANTIZED.error, QUANTIZED.clipped, 0.01),
    "clip": lambda: clip_figure([(0.5, 10.0), (1.0, 9.0)], 1.0, 9.0),
    "count": lambda: count_figure([(1, [0.1, 0.2, 0.3]), (10, [0.0, 0.0, 0.1])], 0.2),
    "accuracy": lambda: accuracy_figure(["a", "b"], [0.9, 0.1], [(0.8, 1.0), (0.0, 0.2)], 0.95),
}


@pytest.mark.parametrize("name", FIGURES)
def test_drawing_is_deterministic_and_axes_are_titled(name):
    figure = FIGURES[name]()
    assert figure.to_json() == FIGURES[name]().to_json()
    assert figure.layout.xaxis.title.text
    assert not any(trace.type.endswith("gl") for trace in figure.data)


@pytest.mark.parametrize("name", ["prediction", "curve", "sizes", "count"])
def test_the_prediction_is_drawn_beside_the_truth(name):
    figure = FIGURES[name]()
    drawn = [trace for trace in figure.data if trace.name == "Your prediction"]
    assert len(drawn) == 1
    assert drawn[0].marker.color == PREDICTED
    assert len(figure.data) > 1


def test_every_weight_is_in_the_histograms():
    clusters = [trace for trace in FIGURES["clusters"]().data if trace.type == "bar"]
    assert sum(int(np.sum(trace.y)) for trace in clusters) == FLAT.size
    inside, clipped = FIGURES["range"]().data
    assert int(np.sum(clipped.y)) == np.count_nonzero(np.abs(FLAT) > 0.1 + 0.1 / 6)
    assert int(np.sum(inside.y)) + int(np.sum(clipped.y)) == FLAT.size


def test_masked_weights_are_gaps():
    shown = np.asarray(FIGURES["mask"]().data[0].z, float)
    assert np.count_nonzero(np.isnan(shown)) == np.count_nonzero(FLAT <= 0)
