"""The structure of a measurement, and its statistics on made-up rounds. No time is asserted."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from optimizer.errors import InputError, StageError
from optimizer.measure.apart import checked_answer
from optimizer.measure.latency import (
    MIN_NOISE_FLOOR,
    benchmark_files,
    compare_rounds,
    noise_floor,
    stage,
)
from optimizer.stage import ignore_progress

QUICK = {"max_seconds": 0.05, "min_rounds": 5, "max_rounds": 6}


BASE, MODEL = "b" * 64, "a" * 64


def window(files, **options):
    """The latencies of named files, measured together; the first is the baseline."""
    inputs = {name: {"model.tflite": content} for name, content in files.items()}
    params = QUICK | {"baseline": next(iter(files))} | options
    return json.loads(stage(params, inputs, ignore_progress)["latencies.json"])["files"]


@pytest.fixture(scope="module")
def against_baseline(cnn):
    return window({BASE: cnn.files["float32"], MODEL: cnn.files["int8_io"]})[MODEL]


def test_a_variant_is_measured_against_its_baseline(against_baseline):
    result = against_baseline

    assert 0 < result["p50_ms"] <= result["p90_ms"] <= result["p99_ms"]
    low, high = result["ratio_ci"]
    assert 0 < low <= result["ratio"] <= high
    assert isinstance(result["significant"], bool)
    assert result["rounds"] >= 5
    assert result["runs"] >= result["rounds"]
    assert result["threads"] == 1
    assert result["delegate"] == "XNNPACK"
    assert result["device"]
    assert result["noise_floor"] >= MIN_NOISE_FLOOR


def test_a_file_alone_has_no_ratio(words):
    result = window({BASE: words.files["float32"]})[BASE]

    assert result["p50_ms"] > 0
    assert (result["ratio"], result["ratio_ci"], result["significant"]) == (None, None, None)


def test_a_much_larger_model_takes_more_memory(cnn, wide_tflite, tmp_path):
    small, large = tmp_path / "small.tflite", tmp_path / "large.tflite"
    small.write_bytes(cnn.files["float32"])
    large.write_bytes(wide_tflite)

    first, second = benchmark_files([small, large])

    assert [first["file"], second["file"]] == [str(small), str(large)]
    assert [first["size_bytes"], second["size_bytes"]] == [
        small.stat().st_size,
        large.stat().st_size,
    ]
    assert first["ratio"] is None
    assert second["ratio"] > 0
    assert 0 < first["peak_memory_bytes"] < len(wide_tflite) / 2
    assert second["peak_memory_bytes"] > len(wide_tflite)


def test_benchmark_refuses_what_is_no_tflite(tmp_path):
    path = tmp_path / "notes.tflite"
    path.write_text("not a model at all")

    with pytest.raises(InputError, match=r"notes\.tflite: This is not a TensorFlow Lite file"):
        benchmark_files([path])
    with pytest.raises(InputError, match="Cannot read"):
        benchmark_files([tmp_path / "missing.tflite"])


BROKEN = b"\x18\0\0\0TFL3" + b"\0" * 64


def test_many_files_are_measured_together_and_a_broken_one_does_not_end_the_others(cnn):
    told = []
    inputs = {BASE: cnn.files["float32"], MODEL: BROKEN, "c" * 64: cnn.files["int8_io"]}
    files = {name: {"model.tflite": content} for name, content in inputs.items()}

    content = stage(
        QUICK | {"baseline": BASE}, files, lambda fraction, text, **_: told.append(fraction)
    )
    found = json.loads(content["latencies.json"])["files"]

    assert "TensorFlow Lite runtime" in found[MODEL]["error"]
    assert found[BASE]["ratio"] is None
    assert found["c" * 64]["ratio"] > 0
    assert found["c" * 64]["files"] == 3
    assert found["c" * 64]["rounds"] == found[BASE]["rounds"] >= 5
    assert told == sorted(told)
    assert len(told) > 3


def test_a_baseline_that_the_runtime_cannot_run_ends_in_one_sentence():
    with pytest.raises(StageError, match=r"baseline cannot be measured.*TensorFlow Lite runtime"):
        window({BASE: BROKEN})


def test_a_crash_is_reported_with_its_signal_in_words():
    with pytest.raises(StageError, match="SIGSEGV, Segmentation fault") as caught:
        checked_answer(-11, {}, "last words")
    assert caught.value.log == "last words"


def test_the_process_ends_with_its_parent(cnn, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(cnn.files["float32"])
    reader, writer = os.pipe()
    spec = {"paths": [str(path)], "min_rounds": 10**6, "max_rounds": 10**6, "lifeline": reader}
    process = subprocess.Popen(
        [sys.executable, "-m", "optimizer.measure.latency_process", json.dumps(spec)],
        pass_fds=(reader,),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    os.close(reader)
    os.close(writer)
    try:
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()

    assert process.returncode == 1
    assert b'"files"' not in output


def test_measuring_imports_no_tensorflow():
    code = (
        "import sys, optimizer.measure.latency_process, optimizer.measure.tflite_file, "
        "optimizer.measure.accuracy, optimizer.data.stage, optimizer.data.check; "
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras', 'tf_keras')))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_clear_difference_is_significant_and_a_small_one_is_not():
    noise = np.random.default_rng(0).normal(0, 0.01, 40)

    clear = compare_rounds(0.8 + noise, floor=0.01)
    assert clear["ratio"] == pytest.approx(0.8, abs=0.01)
    assert clear["significant"] is True
    assert compare_rounds(1.0 + noise, floor=0.01)["significant"] is False
    steady = compare_rounds(1.006 + noise / 100, floor=0.01)
    assert steady["ratio_ci"][0] > 1
    assert steady["significant"] is False


def test_the_noise_floor_is_what_the_twin_differs_from_itself():
    assert noise_floor(np.ones(20)) == MIN_NOISE_FLOOR
    assert noise_floor(np.full(20, 1.07)) == pytest.approx(0.07)
    assert noise_floor(np.full(20, 0.9)) == pytest.approx(0.1)
    assert (
        compare_rounds(np.full(20, 0.93), floor=noise_floor(np.full(20, 1.08)))["significant"]
        is False
    )
