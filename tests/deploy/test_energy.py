"""Energy is counted work times the published figures."""

import pytest

from optimizer.deploy.energy import MAC_PJ, count_work, energy
from optimizer.measure.flatbuffer import parse
from optimizer.measure.tflite_file import TfliteFile


def work(data):
    return count_work(parse(data))


def test_all_multiply_accumulates_are_counted_once(sample_files):
    for data in sample_files.values():
        assert sum(work(data).macs.values()) == TfliteFile.read(data).macs


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("float32 baseline", {"float32"}),
        ("float16", {"float32"}),
        ("dynamic range", {"float32", "int8"}),
        ("int8 QAT", {"int8"}),
        ("int16×8", {"int16x8"}),
    ],
)
def test_the_kind_of_arithmetic_is_that_of_the_file(sample_files, name, kinds):
    assert set(work(sample_files[name]).macs) == kinds


def test_weights_are_the_stored_bytes(sample_files):
    float32, float16 = (work(sample_files[name]) for name in ("float32 baseline", "float16"))
    assert float16.weight_bytes == pytest.approx(float32.weight_bytes / 2, rel=0.01)
    assert float16.activation_bytes == float32.activation_bytes


def test_activations_by_hand(sample_files):
    """8×8×1 read; 8×8×16, 8×8×32, 4×4×32, 4×4×32, 80, 10 written and read; 10 written: floats.

    The reshape moves nothing.
    """
    passed_on = 8 * 8 * 16 + 8 * 8 * 32 + 4 * 4 * 32 + 4 * 4 * 32 + 80 + 10
    expected = 4 * (8 * 8 + 2 * passed_on + 10)
    assert work(sample_files["float32 baseline"]).activation_bytes == expected


def test_the_estimate_is_the_sum_of_its_parts(sample_files):
    counted = work(sample_files["int8"])
    found = energy(counted, "sram")
    assert found.compute_uj == pytest.approx(1e-6 * 0.3 * sum(counted.macs.values()))
    assert found.weights_uj == pytest.approx(1e-6 * counted.weight_bytes * 100 / 8)
    assert found.total_uj == found.compute_uj + found.weights_uj + found.activations_uj
    dram = energy(counted, "dram")
    assert dram.weights_uj == pytest.approx(13 * found.weights_uj)
    assert dram.compute_uj == found.compute_uj


def test_a_multiply_accumulate_in_int8_costs_a_fifteenth():
    assert MAC_PJ["float32"] == pytest.approx(4.6)
    assert MAC_PJ["int8"] == pytest.approx(0.3)
