"""What the lessons on training, structure, latency, folding and decisions compute."""

import numpy as np
import pytest

from optimizer.advise.case import IMPOSSIBLE
from optimizer.advise.wish import PRIORITIES, TARGETS, Wish
from optimizer.errors import InputError
from optimizer.lessons import collaborative_optimization as together
from optimizer.lessons import decision_table, latency, structured_sparsity
from optimizer.lessons import folding_and_pitfalls as pitfalls
from optimizer.lessons import quantization_aware_training as aware
from optimizer.lessons.bundled_study import (
    INT8,
    PRUNED,
    bundled_file,
    bundled_result,
    bundled_variant,
)
from optimizer.lessons.registry import find_lesson
from optimizer.lessons.sample import kernel
from optimizer.measure.tflite_file import TfliteFile
from optimizer.store.records import Run


class TestBundledStudy:
    def test_results_are_those_of_the_file(self):
        for recipe in (None, INT8, PRUNED):
            file = TfliteFile.read(bundled_file(recipe))
            found = bundled_result(recipe)
            assert file.size_bytes == found.size_bytes
            assert file.sparsity == pytest.approx(found.sparsity)

    def test_what_it_has_not_is_said(self):
        with pytest.raises(InputError, match="no variant"):
            bundled_variant({"cluster": {"number_of_clusters": 77}})


class TestQuantizationAwareTraining:
    def test_fake_quantization_lies_on_the_grid_and_within_the_range(self):
        values = np.linspace(-2, 2, 401)
        found = aware.fake_quantize(values, 0.25, 1.0)
        assert np.allclose(found / 0.25, np.round(found / 0.25))
        assert np.abs(found).max() == 1.0
        inside = np.abs(values) <= 1
        assert np.abs(found - values)[inside].max() <= 0.125 + 1e-12

    @pytest.mark.parametrize("start", [-0.8, 0.0, 0.3])
    def test_the_true_gradient_moves_nothing_and_the_ste_arrives(self, start):
        still = aware.descend(start, 0.6, 0.25, 0.1, "true")
        assert np.all(still.weight == start)
        moved = aware.descend(start, 0.5, 0.25, 0.1, "ste", steps=300)
        assert moved.used[-1] == pytest.approx(0.5)

    def test_a_target_off_the_grid_makes_it_oscillate(self):
        path = aware.descend(0.0, 0.6, 0.25, 0.1, "ste", steps=200)
        assert set(np.round(path.used[-40:], 6)) == {0.5, 0.75}

    def test_outside_the_range_the_ste_is_stuck_too(self):
        assert np.all(aware.descend(1.4, 0.0, 0.25, 0.1, "ste").weight == 1.4)

    def test_the_neurons_gradient_is_that_of_its_loss(self):
        x, y, _, _ = aware.parity()
        rng = np.random.default_rng(0)
        weights = rng.normal(size=64) * 0.1
        direction = rng.normal(size=64)
        small = 1e-5
        measured = (
            aware._loss(x, y, weights + small * direction)
            - aware._loss(x, y, weights - small * direction)
        ) / (2 * small)
        assert measured == pytest.approx(aware._slope(x, y, weights) @ direction, rel=1e-4)

    def test_training_on_with_the_ste_helps_where_rounding_hurts(self):
        found = aware.neuron(bits=4)
        assert np.array_equal(found.weights["true"], found.weights["ptq"])
        assert found.losses["ste"].min() < found.losses["ptq"][0] - 0.02
        assert found.losses["ptq"][0] > found.losses["float"][0]
        assert len(np.unique(found.weights["ste"])) <= 15


class TestCollaborativeOptimization:
    def test_training_the_centroids_destroys_zeros_and_preserving_keeps_them(self):
        lost = together.cluster_and_train(16, preserve=False)
        kept = together.cluster_and_train(16, preserve=True)
        assert together.zeros(lost.pruned) == pytest.approx(0.8)
        assert together.zeros(lost.trained) == 0
        assert lost.slope != 0
        assert np.array_equal(kept.trained == 0, kept.pruned == 0)
        assert len(np.unique(kept.trained)) <= 16

    def test_the_slope_is_that_of_the_network(self):
        slope = together.loss_slope()
        assert slope.shape == together.pruned_kernel().shape
        # The probabilities of all classes add up to 1, and so do the labels.
        assert np.abs(slope.sum(axis=0)).max() < 1e-5


class TestStructuredSparsity:
    @pytest.mark.parametrize("layer", structured_sparsity.LAYERS)
    def test_the_freer_the_zeros_the_more_is_kept(self, layer):
        values = kernel(layer)
        found = {
            form: structured_sparsity.masked(values, form, 0.5)
            for form in structured_sparsity.FORMS
        }
        assert all(item.mask.mean() == pytest.approx(0.5) for item in found.values())
        assert found["unstructured"].energy >= found["n_m"].energy >= found["block"].energy
        assert found["unstructured"].energy > found["channels"].energy
        assert found["channels"].index_bytes == 0

    def test_each_form_has_its_pattern(self):
        values = kernel("conv_2")
        groups = structured_sparsity.masked(values, "n_m", 0.5).mask.reshape(len(values), -1, 4)
        assert np.all(groups.sum(axis=-1) == 2)
        blocks = structured_sparsity.masked(values, "block", 0.7).mask.reshape(len(values), -1, 4)
        assert set(np.unique(blocks.sum(axis=-1))) == {0, 4}
        rows = structured_sparsity.masked(values, "channels", 0.25).mask
        assert rows.all(axis=1).sum() == 24
        assert rows.any(axis=1).sum() == 24

    def test_speeds_come_from_the_bundled_study(self):
        half, _, channels = structured_sparsity.speeds()
        assert half.macs == 1
        assert half.sparsity == pytest.approx(0.5, abs=0.01)
        assert channels.macs < 0.5
        assert channels.interval[0] <= channels.ratio <= channels.interval[1]


class TestLatency:
    def test_figures_of_a_run(self):
        result = {
            "load_ns": 2_000_000,
            "series_ns": [50_000] + [10_000] * 98 + [30_000],
            "rounds_ns": {
                "original": [10_000.0] * 30,
                "copy": [10_010.0] * 30,
                "threads": [15_000.0] * 30,
            },
            "threads": 2,
            "device": "a processor",
        }
        run = Run(
            id="run",
            kind="invocations",
            title="Time",
            model_id=None,
            dataset_id=None,
            study_id=None,
            variant_ids=(),
            state="done",
            error=None,
            created_at="2026-01-01T00:00:00+00:00",
            started_at=None,
            finished_at=None,
            cancel_requested=False,
            options={"recipe": {"quantize": {"mode": "int8"}}},
            result=result,
        )
        timing = latency.Timing.of(run)
        assert timing.file == "int8"
        assert timing.load == 2000
        found = latency.summary(timing.after(1))
        assert (found.p50, found.largest) == (10, 30)
        assert found.mean == pytest.approx((98 * 10 + 30) / 99)
        assert timing.floor == pytest.approx(0.01)
        assert not timing.compared("copy")["significant"]
        assert timing.compared("threads")["ratio"] == 1.5
        assert timing.compared("threads")["significant"]


class TestFolding:
    def test_one_layer_does_what_two_did(self):
        found = pitfalls.difference()
        assert 0 < found.largest < 1e-5 * found.output

    def test_the_convolution_is_one(self):
        rng = np.random.default_rng(0)
        images = rng.normal(size=(1, 5, 4, 2)).astype(np.float32)
        weights = rng.normal(size=(3, 3, 2, 3)).astype(np.float32)
        found = pitfalls.convolve(images, weights)
        assert found.shape == (1, 5, 4, 3)
        expected = np.einsum("ijc,ijco->o", images[0, 1:4, 1:4], weights)
        assert np.allclose(found[0, 2, 2], expected, atol=1e-5)

    def test_a_scale_per_channel_rounds_no_channel_worse(self):
        folded = pitfalls.folding().folded_kernel
        one, each = (pitfalls.rounding_error(folded, way) for way in (False, True))
        assert each.max() < one.max()

    def test_pitfalls_are_measured_on_the_bundled_files(self):
        assert pitfalls.accuracy_scaled("int8", 1) == pytest.approx(bundled_result(INT8).value)
        assert pitfalls.accuracy_scaled("int8", 16) < pitfalls.accuracy_scaled("float32", 16)
        twice = pitfalls.softmax_twice()
        assert twice.accuracy[0] == twice.accuracy[1]
        assert twice.confidence[1] < twice.confidence[0]
        assert pitfalls.overhead(INT8).rest > pitfalls.overhead(None).rest
        raw, compressed = pitfalls.pruned_sizes()
        assert raw == len(bundled_file(PRUNED))
        assert compressed < raw / 2


class TestDecisionTable:
    @pytest.mark.parametrize("target", TARGETS)
    @pytest.mark.parametrize("priority", PRIORITIES)
    def test_every_answer_has_a_reason(self, target, priority):
        for data in decision_table.DATA:
            found = decision_table.decide(Wish(target, priority, 0.01), data)
            assert len(found) == len(decision_table.TECHNIQUES)
            assert [v.points for v in found] == sorted((v.points for v in found), reverse=True)
            for verdict in found:
                assert verdict.points == sum(reason.points for reason in verdict.reasons)
                assert (verdict.standing == "impossible") == any(
                    reason.points == IMPOSSIBLE for reason in verdict.reasons
                )

    def test_nothing_trains_without_labels_nor_calibrates_without_inputs(self):
        for verdict in decision_table.decide(Wish("cpu", "download", 0.01), "none"):
            needs = verdict.recipe.trains or verdict.recipe.quantize.mode in ("int8", "int16x8")
            assert needs == (verdict.standing == "impossible")

    def test_zeros_serve_the_download_and_not_the_flash(self):
        def standing(priority):
            found = decision_table.decide(Wish("micro", priority, 0.01), "labelled")
            return next(v.standing for v in found if v.technique.key == "prune")

        assert standing("flash") == "useless"
        assert standing("download") == "worth"

    def test_every_technique_has_its_lesson(self):
        assert all(find_lesson(row.lesson_id) for row in decision_table.TECHNIQUES)
