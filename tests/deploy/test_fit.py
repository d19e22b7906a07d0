"""A file fits, or the reasons say what is missing."""

from dataclasses import replace

import pytest

from optimizer.deploy.boards import BOARDS, KIB, Board
from optimizer.deploy.fit import fit, footprint, kib

UNO, NANO, PICO = BOARDS[0], BOARDS[1], BOARDS[2]
# Total arena of tflite-micro 0.dev20261023182759 minus its head: what the runtime itself keeps.
RECORDED_TAIL = {"float32 baseline": 3032, "int8": 4000, "int16×8": 6080, "int8 QAT": 3264}


@pytest.mark.parametrize("name", RECORDED_TAIL)
def test_the_runtimes_own_memory_is_not_underestimated(sample_files, name):
    estimate = footprint(sample_files[name]).runtime_ram_bytes
    assert RECORDED_TAIL[name] <= estimate <= 1.6 * RECORDED_TAIL[name]


def test_an_int8_file_fits_where_a_float_one_does_not(sample_files):
    small, large = (footprint(sample_files[name]) for name in ("int8", "float32 baseline"))
    assert fit(small, UNO).fits
    refused = fit(large, UNO)
    assert refused.fits is False
    assert refused.flash_share > 1
    assert any(
        "of flash" in reason and "more than the board's 256 KiB" in reason
        for reason in refused.reasons
    )
    assert fit(large, NANO).fits


@pytest.mark.parametrize(
    ("name", "word"), [("float16", "float16 weights"), ("dynamic range", "dynamic range")]
)
def test_what_the_runtime_refuses_fits_nowhere(sample_files, name, word):
    needed = footprint(sample_files[name])
    for board in BOARDS:
        found = fit(needed, board)
        assert found.fits is False
        assert any(word in reason for reason in found.reasons)


def test_float_without_a_float_unit_is_said(sample_files):
    found = fit(footprint(sample_files["channels −50% MACs"]), PICO)
    assert found.fits
    assert "floating-point unit" in found.reasons[0]


def test_exactly_enough_is_enough(sample_files):
    needed = footprint(sample_files["int8"])
    board = Board("b", "c", needed.flash_bytes, needed.ram_bytes, "s")
    assert fit(needed, board, 0, 0).fits
    assert not fit(needed, replace(board, ram_bytes=needed.ram_bytes - 1), 0, 0).fits
    assert not fit(needed, replace(board, flash_bytes=needed.flash_bytes - 1), 0, 0).fits
    assert not fit(needed, board, 1, 0).fits


def test_loops_cannot_be_told(sample_files):
    needed = replace(footprint(sample_files["int8"]), arena=None)
    assert fit(needed, NANO).fits is None


def test_kibibytes_are_written_as_data_sheets_do():
    assert kib(1024 * KIB) == "1,024 KiB"
    assert kib(1536) == "1.5 KiB"
