"""What the lessons compute, against properties and against files that TFLite's converter wrote."""

import gzip
import itertools
import json
import zipfile

import numpy as np
import pytest

from optimizer.bundled import STUDY_FILE
from optimizer.errors import InputError
from optimizer.lessons import (
    affine_quantization,
    calibration,
    compressed_size,
    sparsity_schedules,
    weight_clustering,
)
from optimizer.lessons.affine_quantization import Scheme
from optimizer.lessons.sample import activations, digits, kernel, layer_names
from optimizer.measure.flatbuffer import parse
from optimizer.measure.tflite_file import TfliteFile
from optimizer.schedules import ConstantSchedule, PolynomialSchedule


@pytest.fixture(scope="module")
def int8_file():
    """The sample model as TensorFlow's converter wrote it in int8, with 200 random samples."""
    with zipfile.ZipFile(STUDY_FILE) as archive:
        study = json.loads(archive.read("study.json"))
        variant = next(v for v in study["variants"] if v["name"] == "int8")
        return archive.read(f"artifacts/{variant['stages']['convert']}/model.tflite")


class TestSparsitySchedules:
    def test_the_smallest_magnitudes_are_zero(self):
        values = kernel("conv_2")
        found = sparsity_schedules.moment(values, ConstantSchedule(target_sparsity=0.8), 0.0)
        assert found.zeros == values.size - round(values.size * 0.2)
        assert np.abs(values[~found.mask]).max() <= found.threshold
        assert np.abs(values[found.mask]).min() >= found.threshold
        kept = sparsity_schedules.energy_kept(values, found.mask)
        assert kept == pytest.approx((values[found.mask] ** 2).sum() / (values**2).sum())

    def test_zeros_only_become_more_along_a_schedule(self):
        schedule = PolynomialSchedule(begin=0.2, end=0.7)
        masks = [
            sparsity_schedules.moment(kernel("conv_2"), schedule, step / 10).mask
            for step in range(11)
        ]
        assert masks[0].all()
        assert all(not (later & ~earlier).any() for earlier, later in itertools.pairwise(masks))

    def test_the_answer_is_the_papers_formula(self):
        assert sparsity_schedules.predicted_truth() == pytest.approx(0.8 - 0.8 * 0.75**3)


class TestCompressedSize:
    @pytest.mark.parametrize("dtype", ["float32", "int8"])
    def test_raw_stays_and_gzip_is_above_the_entropy(self, dtype):
        values = kernel("conv_2")
        curve = compressed_size.size_curve(values, dtype, [0.0, 0.5, 0.8, 0.95])
        assert len({point.raw for point in curve}) == 1
        assert all(point.gzip > point.entropy for point in curve)
        for earlier, later in itertools.pairwise(curve):
            assert later.gzip < earlier.gzip
            assert later.entropy < earlier.entropy

    def test_gzip_is_that_of_the_pruned_bytes(self):
        values = kernel("conv_2")
        pruned = compressed_size.pruned(values, 0.8)
        assert np.count_nonzero(pruned == 0) == round(0.8 * values.size)
        found = compressed_size.sizes(values, 0.8, "float32")
        assert found.gzip == len(gzip.compress(pruned.tobytes(), 9))

    def test_entropy_of_known_distributions(self):
        assert compressed_size.entropy_bits(np.array([5, 5, 5, 5])) == pytest.approx(2)
        assert compressed_size.entropy_bits(np.array([7, 0])) == 0
        assert compressed_size.entropy_bytes(np.zeros(100, np.float32)) == 0
        halves = np.repeat(np.array([-1, 1], np.int8), 400)
        assert compressed_size.entropy_bytes(halves) == pytest.approx(100)

    def test_sparse_encoding_pays_above_a_third_of_zeros(self):
        values = kernel("dense_1")
        few, many = (compressed_size.sizes(values, share, "float32") for share in (0.3, 0.36))
        assert few.sparse > few.raw
        assert many.sparse < many.raw
        assert compressed_size.sizes(values, 0.5, "int8").sparse is None


class TestWeightClustering:
    @pytest.mark.parametrize("start", list(weight_clustering.STARTS))
    def test_no_step_raises_the_inertia(self, start):
        weights = kernel("conv_1").ravel()
        first = weight_clustering.first_centroids(weights, 8, start)
        assert len(first) == 8
        assert np.array_equal(first, np.sort(first))
        assert first.min() >= weights.min()
        assert first.max() <= weights.max()
        steps = weight_clustering.lloyd(weights, first)
        inertia = [step.inertia for step in steps]
        assert all(later <= earlier + 1e-9 for earlier, later in itertools.pairwise(inertia))
        assert [step.action for step in steps[:4]] == ["start", "assign", "move", "assign"]
        assert steps[-1].moved == 0

    def test_the_end_is_a_fixed_point(self):
        weights = kernel("conv_1").ravel()
        first = weight_clustering.first_centroids(weights, 6, "linear")
        last = weight_clustering.lloyd(weights, first)[-1]
        distances = np.abs(weights[:, None] - last.centroids)
        assert np.array_equal(last.nearest, distances.argmin(axis=1))
        for cluster in np.unique(last.nearest):
            members = weights[last.nearest == cluster].astype(np.float64)
            assert last.centroids[cluster] == pytest.approx(members.mean())

    def test_the_cost_is_that_of_deep_compression(self):
        found = weight_clustering.cost(np.full(16, 100))
        assert found.index_bits == 4
        assert found.entropy_bits == pytest.approx(4)
        assert found.ratio == pytest.approx(1600 * 32 / (1600 * 4 + 16 * 32))
        uneven = weight_clustering.cost(np.array([1000, 1, 1, 1]))
        assert uneven.entropy_bits < uneven.index_bits == 2


class TestAffineQuantization:
    def test_the_integers_are_those_of_tflites_converter(self, int8_file):
        for weight in TfliteFile.read(int8_file).weights:
            found = affine_quantization.quantize(kernel(weight.name), Scheme(per_channel=True))
            assert np.array_equal(found.integers, weight.stored)
            assert found.scale == pytest.approx(weight.quantization.scale, rel=1e-6)

    @pytest.mark.parametrize("symmetric", [True, False])
    @pytest.mark.parametrize("per_channel", [True, False])
    @pytest.mark.parametrize("bits", [2, 4, 8])
    def test_errors_inside_the_range_are_at_most_half_a_step(self, bits, per_channel, symmetric):
        values = kernel("conv_2")
        found = affine_quantization.quantize(values, Scheme(bits, symmetric, per_channel, 0.6))
        scale = found.scale.reshape(-1, *[1] * (values.ndim - 1))
        over = np.abs(found.error) / scale
        assert over[~found.clipped].max() <= 0.5 + 1e-9
        assert found.clipped.any()
        assert (found.zero_point == 0).all() or not symmetric
        zero = affine_quantization.quantize(np.zeros_like(values), Scheme(bits, symmetric))
        assert not zero.error.any()

    def test_a_bit_is_worth_about_6_db_and_channels_help(self):
        values = kernel("conv_2")
        by_bits = [affine_quantization.quantize(values, Scheme(b)).sqnr_db for b in (6, 7, 8)]
        assert np.diff(by_bits) == pytest.approx([6, 6], abs=0.5)
        channels = affine_quantization.quantize(values, Scheme(per_channel=True)).sqnr_db
        assert channels > by_bits[-1]

    def test_clipping_helps_when_bits_are_few(self):
        curve = affine_quantization.clip_curve(kernel("conv_2"), Scheme(3), [0.5, 0.7, 1.0])
        assert max(curve, key=lambda point: point[1])[0] < 1.0

    def test_the_answer_is_half_a_step(self):
        share = affine_quantization.largest_error_share(kernel("conv_2"))
        assert share == pytest.approx(1 / 254, rel=0.02)


class TestCalibration:
    def test_ranges_are_those_of_tflites_converter(self, int8_file):
        graph = parse(int8_file)[0]
        tensors = [graph.tensors[operator.outputs[0]] for operator in graph.operators]
        for layer in layer_names()[1:]:
            file = next(t for t in tensors if f"/{layer}/" in t.name).quantization
            found = calibration.calibrated(calibration.drawn("random"), layer)
            assert found.scale == pytest.approx(float(file.scale[0]), rel=1e-5)
            assert found.zero_point == file.zero_point[0]

    def test_what_bad_data_do_to_the_ranges(self):
        good, single, dark, bright = (
            calibration.calibrated(calibration.drawn(name), "dense_1")
            for name in ("random", "single", "dark", "bright")
        )
        assert good.clipped < 0.001
        assert good.clipped < single.clipped < dark.clipped
        assert bright.clipped == 0
        assert bright.steps_used < 10 < good.steps_used
        assert single.sqnr_db < good.sqnr_db
        assert calibration.predicted_truth() == single.clipped

    def test_more_samples_clip_less(self):
        few, many = calibration.by_count("dense_1", [1, 500])
        assert few[1][4] > many[1][4]
        assert few[1] == sorted(few[1])

    def test_activations_do_not_depend_on_the_batch(self):
        x = digits()["x_test"][:3]
        together, alone = activations(x), activations(x[1:2])
        for layer in layer_names():
            assert together[layer][1] == pytest.approx(alone[layer][0], abs=1e-4)

    def test_representative_samples_are_what_they_are_called(self):
        data = digits()
        x, y = data["x_train"], data["y_train"]
        draw = lambda name, **more: calibration.representative(name, x, y, **more)  # noqa: E731
        assert len(draw("random", count=50)) == 50
        assert np.array_equal(draw("random", seed=3), draw("random", seed=3))
        assert draw("bright").max() == 255 * draw("random").max()
        assert draw("noise", count=7).shape == (7, *x.shape[1:])
        ones = {row.tobytes() for row in x[y == 1]}
        assert all(row.tobytes() in ones for row in draw("one_class", label=1))
        with pytest.raises(InputError, match="no training sample of class 12"):
            draw("one_class", label=12)
