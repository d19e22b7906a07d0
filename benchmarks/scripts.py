"""Whether a plain TensorFlow script makes what the workbench makes, of the same recipe and seed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.findings import row
from benchmarks.live import bundled_study, quiet
from optimizer.measured import measured
from optimizer.recipe import Recipe
from optimizer.session import run_recipes
from optimizer.store import Store
from optimizer.store.records import Study, Variant
from optimizer.takeaway.collect import arrays, start_model, takeaway
from optimizer.takeaway.script_values import start_file

_AWARE = {"mode": "int8", "aware": True}
RECIPES = (
    {"prune": {}, "cluster": {}, "quantize": _AWARE},
    {"prune": {}, "quantize": {"mode": "int8", "io": "int8"}},
    {"cluster": {"number_of_clusters": 8}, "quantize": {"mode": "dynamic"}},
    {"quantize": _AWARE, "seed": 7},
    {"prune": {"structure": {"kind": "n_m"}, "criterion": "gradient"}, "sparse_encoding": True},
)
_OF_OURS = ("PYTHONPATH", "FEATHERWEIGHT_HOME", "TF_USE_LEGACY_KERAS")


def scripts(store: Store) -> None:
    """One row for each recipe on ``digits_cnn``."""
    study = bundled_study(store, "digits_cnn")
    _, *variants = run_recipes(store, study, [Recipe.parse(parts) for parts in RECIPES], quiet)
    for variant in variants:
        row(f"script / workbench: {variant.name}", _figures(store, study, variant))


def _figures(store: Store, study: Study, variant: Variant) -> str:
    found = measured(variant)
    if found is None:
        return f"failed: {variant.error}"
    made = takeaway(store, variant)
    with tempfile.TemporaryDirectory(prefix="featherweight-script-") as name:
        folder = Path(name)
        model, data = start_model(store, study, variant), arrays(store, study)
        assert model is not None
        assert data is not None
        shutil.copyfile(model, folder / start_file(variant.recipe))
        shutil.copyfile(data, folder / "data.npz")
        (folder / "make_variant.py").write_text(made.script())
        output = _run(folder)
        content = (folder / "model.tflite").read_bytes()
    reported = re.search(r"accuracy: ([0-9.]+)", output)
    assert reported is not None, output
    points = 100 * (float(reported[1]) - (found.value or 0.0))
    same = ", the same bytes" if content == made.tflite else ""
    sizes = f"{len(content):,} / {len(made.tflite):,} bytes{same}"
    return f"{sizes}; accuracy {round(points, 2) + 0.0:+.2f} points"


def _run(folder: Path) -> str:
    """Run the script as a person would, without anything of this package."""
    environment = {key: value for key, value in os.environ.items() if key not in _OF_OURS}
    done = subprocess.run(
        [sys.executable, "make_variant.py"],
        cwd=folder,
        env={**environment, "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout
