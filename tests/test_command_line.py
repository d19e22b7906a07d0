"""The command line as people script it: files, exit codes, one line for what is wrong."""

import csv
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from optimizer import samples
from optimizer.engine.client import stop_engine
from optimizer.store import Store
from tests.engine.conftest import start_engine

ROOT = Path(__file__).parents[1]
VARIANT_KEYS = {
    "name", "recipe", "file", "state", "error", "size_bytes", "gzip_bytes", "parameter_bytes",
    "accuracy", "metrics", "agreement", "mean_abs_difference", "accuracy_n", "latency_ms",
    "peak_memory_bytes", "sparsity", "max_distinct_weights", "macs", "promises", "layers",
    "seconds", "cached", "estimates", "conditions",
}  # fmt: skip


REST = ("--out", "OUT")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A store with a live engine, which the commands find and use."""
    folder = tmp_path_factory.mktemp("cli")
    store = Store.open(folder)
    start_engine(store)
    yield folder
    stop_engine(store)


def command(home, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "optimizer", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "FEATHERWEIGHT_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def recipe(folder, content):
    path = folder / "recipe.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_inspect_a_sample(home):
    done = command(home, "inspect", "cancer_mlp", "--json")
    assert done.returncode == 0
    facts = json.loads(done.stdout)
    assert facts["parameters"] == 4097
    assert {layer["name"] for layer in facts["layers"]} >= {"dense_1", "dense_2"}
    assert "dense_1" in command(home, "inspect", "cancer_mlp").stdout


def test_run_writes_the_files_that_are_promised(home, tmp_path):
    out = tmp_path / "out"
    path = recipe(tmp_path, {"prune": {}, "quantize": {"mode": "int8"}})
    done = command(
        home, "run", "cancer_mlp", "--data", "cancer", "--recipe", path, "--out", out, "--json"
    )
    assert done.returncode == 0, done.stderr
    results = json.loads((out / "results.json").read_text())
    assert results == json.loads(done.stdout)
    assert results["schema"] == 1
    for record in (results["baseline"], *results["variants"]):
        assert set(record) == VARIANT_KEYS
        assert record["state"] == "done"
        assert (out / record["file"]).stat().st_size == record["size_bytes"]
    assert results["variants"][0]["sparsity"] >= 0.78
    assert results["environment"]["tensorflow"]
    with (out / "results.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 2
    assert len(list(out.glob("*.recipe.json"))) == 2
    file = out / results["variants"][0]["file"]
    with zipfile.ZipFile(file.with_suffix(".zip")) as archive:
        archive.extractall(out)
    script = [sys.executable, "make_variant.py"]
    done = subprocess.run(script, cwd=out, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (out / "model.tflite").read_bytes() == file.read_bytes()
    assert f"accuracy: {results['variants'][0]['accuracy']:.6f}" in done.stdout


def written_as_csv(path):
    """The cancer samples as a table whose label is a word."""
    with np.load(samples.DATASETS["cancer"].path) as arrays:
        x = np.concatenate([arrays["x_train"], arrays["x_test"]])
        y = np.concatenate([arrays["y_train"], arrays["y_test"]]).reshape(-1)
    table = pd.DataFrame(x, columns=[f"f{i}" for i in range(x.shape[1])])
    table.insert(0, "patient", [f"number {i}" for i in range(len(x))])
    table.insert(1, "diagnosis", np.where(y == 1, "benign", "a malignant one"))
    table.to_csv(path, index=False)


def written_as_images(path):
    """The digits as grey images, one folder per digit."""
    with np.load(samples.DATASETS["digits"].path) as arrays, zipfile.ZipFile(path, "w") as archive:
        x = np.concatenate([arrays["x_train"], arrays["x_test"]])[:600]
        y = np.concatenate([arrays["y_train"], arrays["y_test"]])[:600]
        pixels = np.round(x[..., 0] * (255 / x.max())).astype(np.uint8)
        for index, (image, digit) in enumerate(zip(pixels, y, strict=True)):
            buffer = io.BytesIO()
            Image.fromarray(image).save(buffer, "PNG")
            archive.writestr(f"digits/{digit}/{index}.png", buffer.getvalue())


@pytest.mark.parametrize(
    ("model", "name", "write", "options"),
    [
        ("cancer_mlp", "cancer.csv", written_as_csv, ("--labels", "diagnosis", "--metric", "auc")),
        ("digits_cnn", "digits.zip", written_as_images, ("--scaling", "unit")),
    ],
)
def test_tables_and_image_folders_are_measured_like_arrays(
    home, tmp_path, model, name, write, options
):
    write(tmp_path / name)
    path = recipe(tmp_path, {"quantize": {"mode": "int8"}})
    arguments = (model, "--data", tmp_path / name, "--recipe", path, "--out", tmp_path / "out")
    done = command(home, "run", *arguments, *options)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    for record in (results["baseline"], *results["variants"]):
        assert record["accuracy"] > 0.9
        assert next(iter(record["metrics"])) == ("auc" if "auc" in options else "accuracy")
    if "unit" in options:
        with zipfile.ZipFile(next((tmp_path / "out").glob("int8*.zip"))) as archive:
            scaling = json.loads(archive.read("scaling.json"))
        assert scaling["inputs"]["x"] == {"offset": 0.0, "divisor": 255.0}


def test_without_labels_agreement_is_measured(home, tmp_path):
    with np.load(samples.DATASETS["cancer"].path) as arrays:
        np.savez(tmp_path / "inputs.npz", x_train=arrays["x_train"], x_test=arrays["x_test"])
    path = recipe(tmp_path, {"quantize": {"mode": "int8"}})
    arguments = ("--data", tmp_path / "inputs.npz", "--recipe", path, "--out", tmp_path / "out")
    done = command(home, "run", "cancer_mlp", *arguments)
    assert done.returncode == 0, done.stderr
    (variant,) = json.loads((tmp_path / "out" / "results.json").read_text())["variants"]
    assert variant["accuracy"] is None
    assert variant["agreement"] > 0.95
    assert f"agreement {variant['agreement']:.4g}" in done.stdout
    assert "not measured" in done.stdout


SWEEP = {
    "prune": {},
    "cluster": [None, {"number_of_clusters": [2, 8]}],
    "quantize": {"mode": ["none", "float16"]},
    "fine_tune": {"epochs": 1},
}


def test_a_sweep_trains_what_variants_share_once(home, tmp_path):
    out = tmp_path / "out"
    (tmp_path / "grid.json").write_text(json.dumps(SWEEP))
    arguments = ("--data", "cancer", "--grid", tmp_path / "grid.json", "--out", out)
    done = command(home, "sweep", "cancer_mlp", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    results = json.loads((out / "results.json").read_text())
    assert results == json.loads(done.stdout)
    assert [record["name"] for record in results["variants"]] == [
        "prune 80% · epochs 1",
        "prune 80% · float16 · epochs 1",
        "prune 80% · cluster 8 · epochs 1",
        "prune 80% · cluster 8 · float16 · epochs 1",
    ]
    for record in (results["baseline"], *results["variants"]):
        assert record["state"] == "done"
        assert (out / record["file"]).stat().st_size == record["size_bytes"]
        assert len(record["cached"]) == len(set(record["cached"]))
    assert len({record["seconds"]["prune"] for record in results["variants"]}) == 1
    assert done.stderr.count("Prune: done") == 1
    assert done.stderr.count("Cluster: done") == 1
    assert "4 variants: " in done.stderr
    assert "2 trainings, 6 if each variant were made by itself" in done.stderr
    assert results["sweep"]["grid"] == SWEEP
    (left_out,) = results["sweep"]["left_out"]
    assert left_out["count"] == 2
    assert f"Left out 2 ({left_out['example']}, …): {left_out['reason']}" in done.stderr

    again = command(home, "sweep", "cancer_mlp", *arguments)
    assert again.returncode == 0, again.stderr
    assert "nothing has to be computed" in again.stderr
    assert "4 of them measured already" in again.stderr
    warm = json.loads((out / "results.json").read_text())
    for record in warm["variants"]:
        assert set(record["cached"]) == set(record["seconds"])
    with (out / "results.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 5


def test_benchmark_compares_with_the_first_file(home, tmp_path):
    out = tmp_path / "out"
    path = recipe(tmp_path, {"quantize": {"mode": "float16"}})
    command(home, "run", "cancer_mlp", "--data", "cancer", "--recipe", path, "--out", out)
    files = sorted(out.glob("*.tflite"))
    done = command(home, "benchmark", *files, "--json")
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout)
    assert first["ratio"] is None
    assert second["ratio"] > 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["inspect", "no_such_model"], "digits_cnn"),
        (["inspect", "README.md"], "not a Keras model"),
        (["benchmark", "README.md"], "not a TensorFlow Lite file"),
        (
            ["run", "cancer_mlp", "--data", "README.md", "--recipe", "RECIPE", "--out", "OUT"],
            "cannot be read",
        ),
        (["run", "cancer_mlp", "--data", "digits", "--recipe", "RECIPE", "--out", "OUT"], "30"),
        (["run", "cancer_mlp", "--data", "cancer", "--recipe", "BAD", "--out", "OUT"], "'prun'"),
        (
            ["run", "cancer_mlp", "--data", "cancer", "--recipe", "nope.json", "--out", "OUT"],
            "nope",
        ),
        (["sweep", "cancer_mlp", "--data", "cancer", "--grid", "BAD", "--out", "OUT"], "'prun'"),
        (["sweep", "cancer_mlp", "--data", "cancer", "--grid", "MANY", "--out", "OUT"], "5,000"),
    ],
)
def test_bad_input_is_exit_code_2_and_a_line(home, tmp_path, arguments, words):
    places = {
        "RECIPE": recipe(tmp_path, "{}"),
        "OUT": tmp_path / "out",
        "BAD": tmp_path / "bad.json",
        "MANY": tmp_path / "many.json",
    }
    (tmp_path / "bad.json").write_text('{"prun": {}}')
    many = {"seed": list(range(100)), "fine_tune": {"epochs": list(range(1, 51))}}
    (tmp_path / "many.json").write_text(json.dumps(many))
    done = command(home, *(places.get(argument, argument) for argument in arguments))
    assert done.returncode == 2
    assert words in done.stderr.strip().splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_variant_that_fails_is_exit_code_1(home, tmp_path):
    import tf_keras

    layers = [tf_keras.Input((2,)), tf_keras.layers.Dense(1)]
    tf_keras.Sequential(layers).save(tmp_path / "line.keras")
    x = np.linspace(1e19, 1e20, 80).reshape(40, 2)  # its squared error is beyond float32
    np.savez(tmp_path / "line.npz", x=x, y=x[:, 0] / 3)
    files = (tmp_path / "line.keras", "--data", tmp_path / "line.npz")
    path = recipe(tmp_path, {"prune": {}})
    done = command(home, "run", *files, "--recipe", path, "--out", tmp_path / "out")
    assert done.returncode == 1
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["baseline"]["state"] == "done"
    assert "Training diverged" in results["variants"][0]["error"]


def test_the_same_recipe_gives_the_same_bytes_without_the_cache(home, tmp_path):
    path = recipe(
        tmp_path,
        {"prune": {}, "cluster": {}, "quantize": {"aware": True}, "fine_tune": {"epochs": 1}},
    )
    with np.load(samples.DATASETS["digits"].path) as digits:
        some = {part: values[:300] for part, values in digits.items()}
    np.savez(tmp_path / "some.npz", **some)
    made = []
    for name in ("one", "two"):
        data = ("--data", tmp_path / "some.npz", "--recipe", path, "--out", tmp_path / name)
        done = command(home, "run", "digits_cnn", *data, "--no-cache")
        assert done.returncode == 0, done.stderr
        made.append(next((tmp_path / name).glob("prune*.tflite")).read_bytes())
    assert made[0] == made[1]
