"""Damaged uploads are refused in a sentence or read; nothing crashes, and memory is bounded."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from optimizer import samples
from optimizer.engine.process import StageCall, run_in_process
from optimizer.errors import InputError, StageError
from tests.hostile import arrays, configs, hdf5, tflites
from tests.hostile.forge import keras
from tests.hostile.mutating import bytes_changed, member_changed

ROOT = Path(__file__).parents[2]
EXAMPLES = 320
MEMORY_BYTES = 512 * 2**20
"""By which a process may grow: one image of 50 million pixels is 200 MB when it is decoded."""


def test_five_thousand_damaged_uploads():
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile.fuzzing", str(EXAMPLES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4_000:]
    found = json.loads(done.stdout.splitlines()[-1])
    tried = {
        name: counts.get("refused", 0) + counts.get("read", 0)
        for name, counts in found["kinds"].items()
    }
    assert sum(tried.values()) >= 5_000, tried
    assert min(tried.values()) >= EXAMPLES, tried
    refused = {name for name, counts in found["kinds"].items() if counts.get("refused", 0) > 10}
    read = {name for name, counts in found["kinds"].items() if counts.get("read", 0) > 2}
    assert set(tried) - refused <= {"images, members"}, found  # one bad picture is left out
    assert read == set(tried), found  # damage that is too coarse would only test the first check
    assert found["grown_bytes"] < MEMORY_BYTES


def _stage(function, data, params):
    call = StageCall(function, params, 1, 4 * 2**30)
    inputs = {"file": {"data": data}}
    return run_in_process(call, inputs, lambda *_, **__: None, threading.Event())


PARAMS = {"file_name": "x", "test_share": 0.2, "split_seed": 0}
_IMPORT, _PREPARE = "optimizer.models.stage:import_model", "optimizer.data.stage:prepare_data"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "seed", "change"),
    [
        (_IMPORT, lambda: keras(configs.chain(a="x", b="a")), member_changed),
        (_IMPORT, lambda: samples.load_sample_model("cancer_mlp"), bytes_changed),
        (_IMPORT, lambda: hdf5.hdf5(hdf5.HONEST), bytes_changed),
        (_IMPORT, lambda: tflites.packed(tflites.model()), bytes_changed),
        (_PREPARE, arrays.archive, member_changed),
    ],
    ids=["keras", "h5", "small h5", "tflite", "npz"],
)
def test_damaged_uploads_in_real_stage_processes(function, seed, change):
    """A refusal, a result, or a process that ended alone: its parent goes on."""
    import random

    source, sound = random.Random(0), seed()
    refused, crashed, odd = 0, [], []
    for _ in range(150):
        changes = [
            (source.randrange(8), source.randrange(2**32), source.randrange(2**16))
            for _ in range(source.randrange(1, 6))
        ]
        try:
            _stage(function, change(sound, changes), PARAMS)
        except InputError:
            refused += 1
        except StageError as error:
            (odd if str(error).startswith("The stage failed") else crashed).append(
                (str(error), changes)
            )
    assert odd == []
    assert refused > 20
    assert len(crashed) < 10, crashed  # native code may give up; that is what the process is for
