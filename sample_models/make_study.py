"""Makes the finished sample study of this folder again, with the product itself.

Usage, from the project's root, with the requirements installed::

    python sample_models/make_study.py

It runs every recipe below on ``digits_cnn`` in a store of its own, measures the files on this
machine, scans the layers for what each of them bears, and exports the study with the environment
it was measured in.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from optimizer import samples  # noqa: E402
from optimizer.bundled import STUDY_FILE  # noqa: E402
from optimizer.recipe import Recipe  # noqa: E402
from optimizer.sensitivity.options import ScanOptions  # noqa: E402
from optimizer.session import bring, complete, open_study, run_recipes  # noqa: E402
from optimizer.store import Store  # noqa: E402
from optimizer.store.archive import export_study  # noqa: E402
from optimizer.store.records import Study  # noqa: E402

NAME = "Handwritten digits (sample)"
QAT = {"mode": "int8", "aware": True}
PRUNE_50 = {"schedule": {"kind": "polynomial", "final_sparsity": 0.5}}
NARROW = {**PRUNE_50, "structure": {"kind": "channels"}}
RECIPES = [
    {"quantize": {"mode": "float16"}},
    {"quantize": {"mode": "dynamic"}},
    {"quantize": {"mode": "int8"}},
    {"quantize": {"mode": "int16x8"}},
    {"quantize": QAT},
    {"prune": PRUNE_50},
    {"prune": {}},
    {"prune": {}, "quantize": QAT},
    {"cluster": {}},
    {"cluster": {}, "quantize": {"mode": "int8"}},
    {"prune": PRUNE_50, "cluster": {}, "quantize": QAT},
    {"prune": {}, "cluster": {}, "quantize": QAT},
    {"prune": {}, "cluster": {"number_of_clusters": 8}, "quantize": QAT},
    {"prune": NARROW},
    {"prune": NARROW, "quantize": {"mode": "int8"}},
]


def scan(store: Store, study: Study) -> None:
    """Find out what each layer bears, for the Sensitivity page and the advisor."""
    options = ScanOptions().model_dump(mode="json")
    run = store.queue_run("sensitivity", "Scan of all layers", study_id=study.id, options=options)
    assert complete(store, [run], print)[0].state == "done"


def main() -> int:
    """Make the study; the exit code is 1 if a variant failed."""
    model, data = samples.MODELS["digits_cnn"], samples.DATASETS["digits"]
    with tempfile.TemporaryDirectory(prefix="featherweight-") as folder:
        store = Store.open(Path(folder))
        files = [(sample.path.name, sample.path.read_bytes()) for sample in (model, data)]
        brought, dataset = bring(store, files[0], files[1], print)
        assert dataset is not None
        study = open_study(store, brought, dataset, print, name=NAME)
        recipes = [Recipe.model_validate(recipe) for recipe in RECIPES]
        variants = run_recipes(store, study, recipes, print)
        scan(store, study)
        export_study(store, study.id, STUDY_FILE)
        store.close()
    print(f"{STUDY_FILE.name}: {STUDY_FILE.stat().st_size:,} bytes, {len(variants)} variants")
    return 0 if all(variant.state == "done" for variant in variants) else 1


if __name__ == "__main__":
    raise SystemExit(main())
