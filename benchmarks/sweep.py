"""A sweep against a straightforward script, and how a sweep's time grows."""

from __future__ import annotations

import hashlib
import itertools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from scipy.stats import spearmanr

from benchmarks import guide_cnn
from benchmarks.findings import row
from benchmarks.live import bundled_study, cold_store, quiet, study_of
from benchmarks.plain_sweep import write_scripts
from optimizer.measure.latency import MIN_NOISE_FLOOR
from optimizer.measured import measured
from optimizer.recipe import Recipe
from optimizer.session import complete, run_recipes
from optimizer.store import Store
from optimizer.store.records import Study, Variant

ROOT = Path(__file__).resolve().parents[1]
EPOCHS = 8
_MODES = (
    {"mode": "none"},
    {"mode": "float16"},
    {"mode": "dynamic"},
    {"mode": "int8"},
    {"mode": "int8", "aware": True},
)
_GROWTH: dict[int, dict[str, Any]] = {
    10: {"sparsities": (None, 0.5), "clusters": (None,)},
    100: {"sparsities": (None, 0.3, 0.5, 0.7, 0.9), "clusters": (None, 8, 16, 32)},
    300: {
        "sparsities": (None, 0.3, 0.5, 0.7, 0.9),
        "clusters": (None, 8, 16, 32),
        "epochs": (1, 2, 3),
    },
}


def recipes(
    sparsities: tuple[float | None, ...],
    clusters: tuple[int | None, ...],
    epochs: tuple[int, ...] = (1,),
) -> list[dict[str, Any]]:
    """Every combination of these with the five quantization modes, as plain recipes."""
    return [
        {
            "prune": share and {"schedule": {"kind": "polynomial", "final_sparsity": share}},
            "cluster": count and {"number_of_clusters": count},
            "quantize": mode,
            "fine_tune": {"epochs": passes},
        }
        for passes in epochs
        for share in sparsities
        for count in clusters
        for mode in _MODES
    ]


def sweep() -> None:
    """30 variants of the guides' CNN: the workbench cold and warm, and a plain script."""
    wanted = recipes((None, 0.5, 0.8), (None, 16), (EPOCHS,))
    with tempfile.TemporaryDirectory(prefix="featherweight-plain-") as name:
        folder = Path(name)
        model, data = guide_cnn.files(folder)
        with cold_store() as store:
            study = study_of(store, model, data)
            cold, variants = _timed(store, study, wanted)
            warm, _ = _timed(store, study, wanted)
            _repeat_latency(store, study, variants)
            ours = [_facts(store, variant) for variant in variants]
            write_scripts(store, study, variants, folder)
        started = time.perf_counter()
        as_usual = _finished(_plain(folder))
        plain = time.perf_counter() - started
        halves = [_plain(folder, "--threads", "1", "--part", str(i), "2") for i in (0, 1)]
        odd_even = [_finished(half) for half in halves]
        alike = [line for pair in itertools.zip_longest(*odd_even) for line in pair]
    what = f"30-variant sweep, {EPOCHS} epochs: the scripts that people take away, in one process"
    row(what, f"{plain:.0f} s")
    row("the same with the workbench, from a cold cache", f"{cold:.0f} s, measured latency too")
    row("scripts / workbench, cold", f"{plain / cold:.1f} times", "at least 5")
    row("scripts / workbench, repeated", f"{plain / warm:.0f} times", "at least 50")
    _compare(ours, as_usual, alike)


def _facts(store: Store, variant: Variant) -> dict[str, Any]:
    """What the script tells of a variant, of one of the workbench."""
    found = measured(variant)
    assert found is not None
    tflite = store.artifacts.read(variant.stages["convert"], "model.tflite")
    digest = hashlib.sha256(tflite).hexdigest()
    return {"size_bytes": len(tflite), "sha256": digest, "accuracy": found.value}


def _compare(
    ours: list[dict[str, Any]], as_usual: list[dict[str, Any]], alike: list[dict[str, Any]]
) -> None:
    """Whether the script's variants are the workbench's."""

    def same(lines: list[dict[str, Any]], fact: str) -> str:
        pairs = zip(ours, lines, strict=True)
        return f"{sum(a[fact] == b[fact] for a, b in pairs)} of {len(ours)}"

    def apart(lines: list[dict[str, Any]]) -> str:
        pairs = zip(ours, lines, strict=True)
        return f"{max(100 * abs(a['accuracy'] - b['accuracy']) for a, b in pairs):.2f} points"

    row("variants whose file has the same size", same(as_usual, "size_bytes"), "all")
    row("the scripts with a stage's one thread: the same bytes", same(alike, "sha256"))
    row("largest difference in accuracy then", apart(alike), "at most 0.5")
    row(
        "with as many threads as TensorFlow likes, which add up in another order",
        apart(as_usual),
    )


def _timed(store: Store, study: Study, wanted: list[dict[str, Any]]) -> tuple[float, list[Variant]]:
    started = time.perf_counter()
    _, *variants = run_recipes(store, study, [Recipe.parse(parts) for parts in wanted], quiet)
    failed = [variant.error for variant in variants if variant.state != "done"]
    assert not failed, failed
    return time.perf_counter() - started, variants


def _plain(folder: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.plain_sweep", str(folder), *options]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def _finished(script: subprocess.Popen[str]) -> list[dict[str, Any]]:
    output, _ = script.communicate()
    assert script.returncode == 0
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def _repeat_latency(store: Store, study: Study, variants: list[Variant]) -> None:
    """Measure the latency of all variants twice more, each time in a window of its own."""
    windows = []
    for repeat in (1, 2):
        ids = [variant.id for variant in variants]
        run = store.queue_run(
            "latency",
            "again",
            study_id=study.id,
            variant_ids=ids,
            options={"repeat": repeat},
        )
        complete(store, [run], quiet)
        windows.append([_ratio(store.get_variant(variant_id)) for variant_id in ids])
    first, second = windows
    change = median(abs(b / a - 1) for a, b in zip(first, second, strict=True))
    row("latency of 30 variants measured twice: median change", f"{100 * change:.2f} %", "5 %")
    tied = _rank(_levels(first), _levels(second))
    row("rank correlation, with those 1 % apart or less as equals", f"{tied:.3f}", "at least 0.95")
    row(
        "rank correlation of all as they come",
        f"{_rank(first, second):.3f}; many of them run the same operators, so that their order "
        "is chance",
    )


def _rank(first: list[float], second: list[float]) -> float:
    return float(spearmanr(first, second).statistic)


def _levels(ratios: list[float]) -> list[float]:
    """Ratios as ranks, in which neighbours that differ by less than the noise are equal."""
    order = sorted(range(len(ratios)), key=ratios.__getitem__)
    levels = [0.0] * len(ratios)
    for before, index in itertools.pairwise(order):
        apart = ratios[index] / ratios[before] - 1 > MIN_NOISE_FLOOR
        levels[index] = levels[before] + (1.0 if apart else 0.0)
    return levels


def _ratio(variant: Variant) -> float:
    found = measured(variant)
    assert found is not None
    assert found.latency is not None
    return found.latency.ratio or 1.0


def growth() -> None:
    """How the time grows with the number of variants, each time from a cold cache."""
    each: dict[int, float] = {}
    for count, axes in _GROWTH.items():
        with cold_store() as store:
            study = bundled_study(store, "cancer_mlp")
            wanted = recipes(**axes)
            assert len(wanted) == count
            seconds, _ = _timed(store, study, wanted)
            (run,) = store.list_runs(study_id=study.id)
            stages = len(store.list_stages(run.id))
        each[count] = seconds / count
        row(
            f"{count} variants of cancer_mlp, cold",
            f"{seconds:.0f} s, {stages} stages, {seconds / count:.2f} s a variant",
        )
    most, least = max(each), min(each)
    row(
        f"time per variant with {most} / with {least}",
        f"{each[most] / each[least]:.2f}",
        "at most 1: no cost grows with the number",
    )
