"""The zip of a variant: what is in it, and that it says what was measured."""

import ast
import io
import subprocess
import sys
import zipfile

import pytest

from optimizer.errors import InputError
from optimizer.recipe import Recipe
from optimizer.store import Store
from optimizer.takeaway.bundle import bundle
from optimizer.takeaway.collect import takeaway
from optimizer.takeaway.phone import phone_commands
from optimizer.takeaway.script import plain_script
from tests.takeaway.conftest import ROOT, sample_file


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The bundled sample study: variants by name, and their store."""
    from optimizer.bundled import ensure_sample_study

    store = Store.open(tmp_path_factory.mktemp("store"))
    ensure_sample_study(store)
    study = store.list_studies()[0]
    yield store, {variant.name: variant for variant in store.list_variants(study.id)}
    store.close()


def opened(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_bundle_has_everything_and_the_same_bytes_each_time(sample):
    store, variants = sample
    variant = variants["prune 50% · cluster 16 · int8 QAT"]
    data = bundle(takeaway(store, variant))
    assert data == bundle(takeaway(store, variant))
    files = opened(data)
    stem = next(name for name in files if name.endswith(".tflite")).removesuffix(".tflite")
    assert files[f"{stem}.tflite"] == sample_file(variant.name)
    assert Recipe.parse(files["recipe.json"]) == variant.recipe
    assert set(files) == {
        "README.txt", f"{stem}.tflite", "recipe.json", "phone.txt", "make_variant.py",
        "requirements.txt", *(name for name in files if name.startswith("microcontroller/")),
    }  # fmt: skip
    assert sum(name.startswith("microcontroller/") for name in files) == 2
    assert b"tensorflow==2." in files["requirements.txt"]


def test_the_readme_has_the_figures_with_units_and_device(sample):
    store, variants = sample
    variant = variants["int8"]
    text = opened(bundle(takeaway(store, variant)))["README.txt"].decode()
    found = variant.results
    assert f"{found['size_bytes']:,} bytes" in text
    assert f"{100 * found['accuracy']:.2f} %" in text
    assert f"{found['accuracy_n']} test samples" in text
    assert found["latency_ms"]["device"] in text
    assert "95 % interval" in text


def test_every_sample_variant_has_a_script_that_names_nothing_unknown(sample, tmp_path):
    store, variants = sample
    for number, variant in enumerate(variants.values()):
        text = takeaway(store, variant).script()
        ast.parse(text)
        assert "optimizer." not in text.replace("keras.optimizers.", "")
        (tmp_path / f"script_{number}.py").write_text(text)
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F,E9"]
    done = subprocess.run([*ruff, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


FACTS = {
    "layers": [
        {"name": "conv", "type": "Conv2D", "techniques": {"prune": None, "cluster": None}},
        {"name": "lstm", "type": "LSTM", "techniques": {"prune": None, "cluster": None}},
        {"name": "norm", "type": "BatchNormalization", "techniques": {"prune": "no"}},
    ],
    "inputs": [{"shape": [None, 4]}],
    "outputs": [{"shape": [None, 1], "activation": None}],
}
RECIPES = [
    {"prune": {"schedule": {"kind": "steps"}, "gentle_ends": True}},
    {"prune": {"criterion": "random"}, "cluster": {"cluster_centroids_init": "density"}},
    {"prune": {"structure": {"kind": "n_m"}}, "sparse_encoding": True},
    {"cluster": {"per_channel": True}, "quantize": {"mode": "int16x8"}},
    {"quantize": {"mode": "int8", "granularity": "per_tensor", "io": "uint8"}},
    {"quantize": {"mode": "float16"}},
    {"prune": {"structure": {"kind": "channels"}}},
]


@pytest.mark.parametrize(
    "task", ["multiclass", "binary", "multilabel", "regression", "reconstruction"]
)
def test_scripts_are_whole_for_every_kind_of_recipe_and_task(task, tmp_path):
    for number, parts in enumerate(RECIPES):
        text = plain_script(Recipe.parse(parts), FACTS, task, threads=1)
        (tmp_path / f"script_{number}.py").write_text(text)
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F,E9"]
    done = subprocess.run([*ruff, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_script_has_only_what_its_recipe_needs():
    text = plain_script(Recipe(), FACTS, "multiclass", threads=1)
    for word in ("prune", "CLUSTERS", "EPOCHS", "tfmot", "representative"):
        assert word not in text
    assert "keras_converter" in text  # the model has an LSTM


@pytest.mark.parametrize(
    ("parts", "facts", "config", "word"),
    [
        ({}, {}, '{"config": {"layers": [{"activation": "featherweight>keras3_glu"}]}}', "Keras 3"),
        ({}, {"layers": [{"name": "x", "type": "TensorOperation"}]}, None, "Keras 3"),
        ({}, {"kind": "tflite"}, None, "Keras model"),
        ({}, {"inputs": [{"shape": [None, 1]}] * 2}, None, "2 inputs"),
    ],
)
def test_what_a_script_cannot_do_is_said(parts, facts, config, word):
    with pytest.raises(InputError, match=word):
        plain_script(Recipe.parse(parts), {**FACTS, **facts}, "multiclass", 1, config)


def test_phone_commands_name_the_file_and_survive_both_shells(tmp_path):
    name = "it's a; file.tflite"
    log = tmp_path / "log"
    adb = tmp_path / "adb"
    adb.write_text(
        f'#!{sys.executable}\nimport sys\nopen({str(log)!r}, "a").write(sys.argv[-1] + "\\n")\n'
    )
    adb.chmod(0o755)
    for command in phone_commands(name, "float16"):
        subprocess.run(
            ["/bin/sh", "-ec", command.text], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=True
        )
    lines = log.read_text().splitlines()
    runs = [line for line in lines if "--graph=" in line]
    assert len(runs) == 3  # one thread, four threads, GPU
    for line in runs:
        words = subprocess.run(
            ["/bin/sh", "-c", f"for word in {line}; do echo \"$word\"; done"],
            capture_output=True, text=True, check=True,
        ).stdout.splitlines()  # fmt: skip
        assert f"--graph=/data/local/tmp/{name}" in words
    assert sum("--use_gpu=true" in line for line in runs) == 1
    assert not any("use_gpu" in command.text for command in phone_commands(name, "int8"))


def test_the_room_imports_no_tensorflow():
    code = (
        "import sys; import optimizer.takeaway.collect, optimizer.takeaway.bundle; "
        "sys.exit('tensorflow' in sys.modules or 'streamlit' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
