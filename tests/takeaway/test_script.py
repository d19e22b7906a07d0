"""The plain script makes the very file that the stages made."""

import os
import re
import subprocess
import sys

import pytest

from optimizer.takeaway.script import plain_script
from tests.takeaway.conftest import make, model_config, recipe

HALF = {"schedule": {"kind": "constant", "target_sparsity": 0.5}}
INT8, AWARE = {"mode": "int8"}, {"mode": "int8", "aware": True}
EIGHT = {"number_of_clusters": 8}

PLAIN = {
    "baseline": {},
    "dynamic": {"quantize": {"mode": "dynamic"}},
    "int8": {"quantize": {"mode": "int8", "io": "int8", "calibration_samples": 50}},
    "prune_int8": {"prune": HALF, "quantize": INT8},
    "prune_cluster_dynamic": {
        "prune": {},
        "cluster": EIGHT,
        "quantize": {"mode": "dynamic"},
        "layers": {"dense_a": {"final_sparsity": 0.3, "number_of_clusters": 12}},
        "seed": 7,
    },
    "qat": {"quantize": AWARE},
    "pcqat": {"prune": {}, "cluster": EIGHT, "quantize": AWARE},
    "few_weights": {"prune": HALF, "cluster": {"number_of_clusters": 64}},
    "global_gradient": {"prune": {"criterion": "gradient", "scope": "global"}},
    "selective": {
        "cluster": EIGHT,
        "quantize": {**AWARE, "granularity": "per_tensor", "io": "uint8"},
        "layers": {"dense_b": {"quantize": False}},
    },
    "sparse": {"prune": {"structure": {"kind": "n_m"}}, "sparse_encoding": True},
    "channels": {
        "prune": {**HALF, "structure": {"kind": "channels"}},
        "cluster": EIGHT,
        "quantize": {"mode": "float16"},
    },
    "blocks": {
        "prune": {"structure": {"kind": "block"}},
        "cluster": {**EIGHT, "per_channel": True},
    },
}
NORMS = {
    "norms": {"prune": HALF, "quantize": AWARE},
    "norms_clustered": {"cluster": EIGHT},
}
_RUNNER = """
import contextlib, os, runpy, sys
for folder in sys.argv[1:]:
    os.chdir(folder)
    with open("output.txt", "w") as output, contextlib.redirect_stdout(output):
        runpy.run_path("script.py", run_name="__main__")
    sys.modules["tf_keras"].backend.clear_session()
"""


@pytest.fixture(scope="module")
def scripted(tmp_path_factory, plain_files, plain_facts, norm_files, norm_facts, data):
    """Name of a recipe → folder in which its script ran; one interpreter runs them all."""
    home = tmp_path_factory.mktemp("scripts")
    threads = len(os.sched_getaffinity(0))
    for cases, files, facts in ((PLAIN, plain_files, plain_facts), (NORMS, norm_files, norm_facts)):
        for name, parts in cases.items():
            folder = home / name
            folder.mkdir()
            (folder / "model.keras").write_bytes(files["model.keras"])
            if name == "channels":
                pruned = make(recipe(**parts), files, data)[2][0]
                (folder / "narrowed.keras").write_bytes(pruned["model.keras"])
            (folder / "data.npz").write_bytes(data["arrays.npz"])
            text = plain_script(recipe(**parts), facts, "multiclass", threads, model_config(files))
            (folder / "script.py").write_text(text)
    folders = [str(home / name) for name in (*PLAIN, *NORMS)]
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "KERAS_BACKEND")}
    done = subprocess.run(
        [sys.executable, "-c", _RUNNER, *folders],
        cwd=home,
        env={**environment, "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return home


@pytest.mark.parametrize("name", [*PLAIN, *NORMS])
def test_the_script_makes_the_same_file(name, scripted, request, data):
    files = request.getfixturevalue("norm_files" if name in NORMS else "plain_files")
    expected, accuracy, _ = make(recipe(**{**PLAIN, **NORMS}[name]), files, data)
    made = (scripted / name / "model.tflite").read_bytes()
    output = (scripted / name / "output.txt").read_text()
    reported = float(re.search(r"accuracy: ([0-9.]+)", output)[1])
    assert len(made) == len(expected)
    assert reported == pytest.approx(accuracy, abs=0.005)
    assert made == expected
    assert f"size: {len(expected)} bytes" in output
