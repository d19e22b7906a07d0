"""``search`` on the command line: files, exit codes, the answer in words."""

import json

import pytest

from optimizer.engine.client import stop_engine
from optimizer.store import Store
from tests.engine.conftest import start_engine
from tests.test_command_line import VARIANT_KEYS, command

GRID = {
    "prune": [None, {"schedule": {"kind": "polynomial", "final_sparsity": [0.5, 0.8]}}],
    "quantize": [{"mode": "none"}, {"mode": "dynamic"}, {"mode": "int8"}],
    "fine_tune": {"epochs": 1},
}
MODEL = ("search", "cancer_mlp", "--data", "cancer")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A store with a live engine, which the commands find and use."""
    folder = tmp_path_factory.mktemp("cli-search")
    store = Store.open(folder)
    start_engine(store)
    yield folder
    stop_engine(store)


def space(folder, content=None):
    path = folder / "grid.json"
    path.write_text(json.dumps(content or GRID))
    return path


def test_what_is_found_is_written_with_every_trial(home, tmp_path):
    out = tmp_path / "out"
    limits = ("--max-accuracy-drop", "0.05", "--trials", "4", "--space", space(tmp_path))
    done = command(home, *MODEL, *limits, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    results = json.loads((out / "results.json").read_text())
    assert results == json.loads(done.stdout)
    found = results["search"]
    assert found["goal"].startswith("Find the smallest download that loses at most 5 points")
    assert found["answer"]["kind"] == "found"
    assert found["answer"]["text"].startswith("Found: ")
    assert (out / found["winner"]["file"]).is_file()
    assert len(found["trials"]) == 4
    for trial in found["trials"]:
        assert trial["state"] == "complete"
        assert (out / trial["file"]).stat().st_size == trial["figures"]["size_bytes"]
    assert {variant["name"] for variant in results["variants"]} == {
        trial["name"] for trial in found["trials"]
    }
    assert all(set(variant) == VARIANT_KEYS for variant in results["variants"])
    assert "Trial 0" in done.stderr


def test_what_is_not_achievable_exits_with_1_and_says_by_how_much(home, tmp_path):
    limits = ("--max-size-bytes", "3000", "--trials", "3", "--space", space(tmp_path))
    done = command(home, *MODEL, *limits, "--out", tmp_path / "out")
    assert done.returncode == 1, done.stderr
    assert "Not achievable" in done.stdout
    assert "the nearest is" in done.stdout
    assert "of file size" in done.stdout
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["search"]["winner"] is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Give at least one limit"),
        (("--max-accuracy-drop", "7"), "max_accuracy_drop"),
        (("--max-accuracy-drop", "0.01", "--trials", "0"), "trials"),
        (("--max-accuracy-drop", "0.01", "--space", "nowhere.json"), "Cannot read the grid"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(home, tmp_path, arguments, words):
    done = command(home, *MODEL, *arguments, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_space_with_nothing_for_the_model_says_why(home, tmp_path):
    grid = space(tmp_path, {"prune": {}, "layers": {"nope": {"final_sparsity": 0.5}}})
    done = command(
        home, *MODEL, "--max-accuracy-drop", "0.01", "--space", grid, "--out", tmp_path / "out"
    )
    assert done.returncode == 2
    assert "'nope'" in done.stderr.strip().splitlines()[-1]
