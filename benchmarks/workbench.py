"""A warm engine as a click on Run uses it, and what the take-away of a variant is worth."""

from __future__ import annotations

import statistics
import time

from benchmarks.findings import row
from benchmarks.live import bundled_study, cold_store, quiet
from benchmarks.narrowing import narrowing
from benchmarks.scripts import scripts
from optimizer.recipe import Recipe
from optimizer.session import run_recipes
from optimizer.store import Store
from optimizer.store.records import FINISHED, Study


def workbench() -> None:
    """Rows about the engine's start, a click on Run, shared stages, narrowing and scripts."""
    started = time.monotonic()
    with cold_store() as store:
        row("engine: start to ready", f"{time.monotonic() - started:.1f} s")
        study = bundled_study(store, "digits_cnn")
        run_recipes(store, study, [], quiet)
        quantization(store, study)
        sharing(store, study)
        narrowing(store)
        scripts(store)


def quantization(store: Store, study: Study) -> None:
    """Post-training quantization on a warm engine, as a click on Run asks for it."""
    first, whole = [], []
    for samples_count in (200, 201, 202):
        recipe = Recipe.parse({"quantize": {"mode": "int8", "calibration_samples": samples_count}})
        variant = store.add_variant(study.id, recipe)
        started = time.monotonic()
        run = store.queue_run("variants", "bench", study_id=study.id, variant_ids=[variant.id])
        seen = None
        while store.get_run(run.id).state not in FINISHED:
            if seen is None and any(s.state == "running" for s in store.list_stages(run.id)):
                seen = time.monotonic() - started
            time.sleep(0.01)
        whole.append(time.monotonic() - started)
        first.append(seen or whole[-1])
    row("int8 on a warm engine: queued to begun", f"{statistics.median(first):.2f} s", "1 s")
    row("int8 on a warm engine: queued to measured", f"{statistics.median(whole):.2f} s", "6 s")


def sharing(store: Store, study: Study) -> None:
    """Four recipes that share one pruning, against the first of them alone."""
    tune = {"fine_tune": {"epochs": 2}, "prune": {}}
    modes = ("none", "float16", "dynamic", "int8")
    recipes = [Recipe.parse({**tune, "quantize": {"mode": mode}}) for mode in modes]
    times = []
    for part in (recipes[:1], recipes[1:], recipes, recipes):
        started = time.monotonic()
        run_recipes(store, study, part, quiet)
        times.append(time.monotonic() - started)
    row("three more modes on a pruned model / the first", f"{times[1] / (3 * times[0]):.2f} each")
    row("the four measured together / made", f"{times[2] / (times[0] + times[1]):.2f}")
    row("all of that again, from the cache / made", f"{times[3] / (times[0] + times[1]):.3f}")
