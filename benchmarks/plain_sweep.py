"""Variants as a straightforward script makes them: ``python -m benchmarks.plain_sweep FOLDER``.

Runs the scripts of a folder, which :func:`write_scripts` has put there: those that people take
away with a variant. They do as TensorFlow's guides do: from the baseline through ``fit`` and the
converter to a file, whose accuracy is measured in a loop over single samples. All in one process,
so that TensorFlow is imported once. Prints a line of JSON per variant, with the file's SHA-256.

``--threads N`` gives TensorFlow as many; without it, it takes what it likes, as a script's does.
``--part I N`` runs every N-th script only, from the I-th on.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import re
import runpy
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from optimizer.store import Store
from optimizer.store.records import Study, Variant
from optimizer.takeaway.collect import arrays, flat_model, takeaway
from optimizer.takeaway.script import plain_script

_GIVEN = ("model.keras", "data.npz")
_THREADS = "tf.config.threading."


def write_scripts(store: Store, study: Study, variants: Sequence[Variant], folder: Path) -> None:
    """The script of each variant, and the two files that they read."""
    for name, source in zip(_GIVEN, (flat_model(store, study), arrays(store, study)), strict=True):
        assert source is not None
        (folder / name).write_bytes(source.read_bytes())
    for index, variant in enumerate(variants):
        own = takeaway(store, variant)
        text = plain_script(own.recipe, own.facts, own.task, own.threads, own.model_config)
        (folder / f"{index:03}.py").write_text(text)


def main(folder: Path, threads: int | None, part: tuple[int, int]) -> None:
    """Run the scripts, each part in a folder of its own."""
    from optimizer.tf_environment import configure

    configure()
    import tensorflow as tf
    import tf_keras

    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    first, step = part
    with tempfile.TemporaryDirectory(prefix="featherweight-plain-") as own:
        for name in _GIVEN:
            (Path(own) / name).symlink_to(folder / name)
        os.chdir(own)
        for script in sorted(folder.glob("*.py"))[first::step]:
            started = time.perf_counter()
            tf_keras.backend.clear_session()
            accuracy = _run(script.read_text())
            seconds = time.perf_counter() - started
            tflite = Path("model.tflite").read_bytes()
            found = {"size_bytes": len(tflite), "sha256": hashlib.sha256(tflite).hexdigest()}
            print(json.dumps(found | {"accuracy": accuracy, "seconds": seconds}), flush=True)


def _run(text: str) -> float:
    """Run a script, with this process's threads; the accuracy that it prints."""
    lines = [line for line in text.splitlines() if _THREADS not in line]
    Path("script.py").write_text("\n".join(lines))
    with contextlib.redirect_stdout(io.StringIO()) as said:
        runpy.run_path("script.py", run_name="__main__")
    found = re.search(r"accuracy: ([0-9.]+)", said.getvalue())
    assert found, said.getvalue()[-2000:]
    return float(found[1])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--part", type=int, nargs=2, default=(0, 1))
    given = parser.parse_args()
    main(given.folder.resolve(), given.threads, tuple(given.part))
