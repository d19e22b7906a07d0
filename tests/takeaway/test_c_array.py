"""The C array holds the file's very bytes, and says what a microcontroller needs."""

import re
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from optimizer.errors import InputError
from optimizer.measure.flatbuffer import parse
from optimizer.takeaway.c_array import c_array, identifier
from optimizer.takeaway.micro import micro_needs
from tests.takeaway.conftest import make, recipe, sample_file

PROGRAM = """
#include <cstdio>
#include <cstdint>
#include "{name}.h"
#include "{name}.h"
int main() {{
  if (reinterpret_cast<std::uintptr_t>({name}) % 16) return 1;
  return std::fwrite({name}, 1, {name}_len, stdout) != {name}_len;
}}
"""


def parsed(source):
    body = source.split(b"{", 1)[1].split(b"}", 1)[0]
    return bytes(int(value, 16) for value in re.findall(rb"0x([0-9a-f]{2})", body))


@pytest.mark.parametrize("mode", ["float32 baseline", "int8"])
def test_the_array_is_the_file(mode):
    tflite = sample_file(mode)
    made = c_array(tflite, "float32-baseline", "float32 baseline")
    assert parsed(made.source) == tflite
    assert f"{made.stem}_len = {len(tflite)};".encode() in made.source


def test_a_compiler_takes_it(tmp_path):
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("there is no C++ compiler")
    tflite = sample_file("int8")
    hostile = "a \\ name */ with\nlines × and \\"
    made = c_array(tflite, "prune-80_int8_1f0c2a9b", hostile)
    (tmp_path / f"{made.stem}.h").write_text(made.header)
    (tmp_path / f"{made.stem}.cc").write_bytes(made.source)
    (tmp_path / "main.cc").write_text(PROGRAM.format(name=made.stem))
    options = ["-std=c++11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-o", "program"]
    subprocess.run([compiler, *options, "main.cc", f"{made.stem}.cc"], cwd=tmp_path, check=True)
    printed = subprocess.run([tmp_path / "program"], capture_output=True, check=True).stdout
    assert printed == tflite


def test_the_comment_says_what_goes_in_and_out():
    made = c_array(sample_file("int8"), "model", "int8")
    assert "// Input 0: float32, shape 1 x 8 x 8 x 1\n" in made.header
    assert f"{len(sample_file('int8')):,} bytes" in made.header


def test_quantized_ends_have_their_scale(plain_files, data):
    tflite, *_ = make(recipe(quantize={"mode": "int8", "io": "int8"}), plain_files, data)
    made = c_array(tflite, "model", "int8")
    assert re.search(r"// Input 0: int8, .*, scale 0\.\d+, zero point -128: real =", made.header)
    assert re.search(r"// Output 0: int8, shape 1 x 10, scale 0.00390625, zero", made.header)
    assert made.warnings == ()


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("float32 baseline", "not full int8"),
        ("float16", "float16 weights"),
        ("dynamic range", "dynamic range"),
        ("int8", "at both ends"),
        ("prune 80% · int8 QAT", "at both ends"),
    ],
)
def test_what_does_not_fit_a_microcontroller_is_said(name, word):
    made = c_array(sample_file(name), "model", "model")
    assert any(word in warning for warning in made.warnings)
    assert all(f"// WARNING: {warning}" in made.header for warning in made.warnings)


def test_every_operator_has_its_line():
    needs = micro_needs(sample_file("int8"))
    graph = parse(sample_file("int8"))[0]
    assert set(needs.operators) == {operator.kind for operator in graph.operators}
    assert {"AddQuantize", "AddConv2D", "AddFullyConnected", "AddSoftmax"} <= set(needs.methods)
    assert len(needs.methods) == len(needs.operators)


def test_ten_megabytes_take_no_time():
    tflite = sample_file("int8") + np.random.default_rng(0).bytes(10_000_003)
    start = time.perf_counter()
    made = c_array(tflite, "model", "model")
    assert time.perf_counter() - start < 3
    assert parsed(made.source)[-1000:] == tflite[-1000:]


def test_names_are_identifiers():
    for stem in ("2:4", "prune-80_int8", "", "ümlaut"):
        assert re.fullmatch(r"g_[a-z0-9_]+", identifier(stem))


def test_something_else_is_refused():
    with pytest.raises(InputError, match="not a TensorFlow Lite file"):
        c_array(Path(__file__).read_bytes(), "model", "model")
