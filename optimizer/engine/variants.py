"""Making the variants of one run: their files, how well they do, and their latency together."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optimizer.engine.results import latency_results, variant_results
from optimizer.engine.run_stages import RunStages
from optimizer.errors import FeatherweightError
from optimizer.inspection_plan import INSPECTIONS
from optimizer.keys import Stage, StoredResult
from optimizer.plan import StudyPlan, VariantPlan, latency_window
from optimizer.store import Store
from optimizer.store.records import Variant

WINDOW_FILES, WINDOW_BYTES = 400, 10**9
"""How many files, and of what size together, are measured in one window at most: all of them are
in memory at once, with the tensors they need."""
_OF_LATENCY = ("latency_ms", "peak_memory_bytes")


@dataclass(frozen=True)
class StoredFile:
    """A variant's file as it is in the store, whatever made it."""

    convert: StoredResult


@dataclass(frozen=True)
class Made:
    """What became of a variant before its latency is measured.

    Attributes:
        error: what went wrong, or ``None``.
    """

    variant: Variant
    plan: VariantPlan | StoredFile
    error: str | None = None


class VariantWork:
    """Makes variants of one study in one run.

    Args:
        store: where the variants are and where their results go.
        stages: executes and records the run's stages.
        plan: the study's.
    """

    def __init__(self, store: Store, stages: RunStages, plan: StudyPlan) -> None:
        self._store, self._stages, self._plan = store, stages, plan

    async def make(self, variant: Variant) -> Made:
        """Bring a variant to its file and its accuracy, which are in the store at once.

        A failure is recorded with the variant and returned, never raised.
        """
        plan = self._plan.variant(variant.recipe)
        try:
            await asyncio.gather(*(self._stages.task(stage) for stage in plan.ends))
            results, stages = self._results(variant, plan)
        except FeatherweightError as error:
            return self._failed(Made(variant, plan), str(error))
        self._store.update_variant(
            variant.id, state="running", error=None, results=results, stages=stages
        )
        return Made(variant, plan)

    async def measure(
        self, made: Sequence[Made], repeat: int = 0, baseline: StoredFile | None = None
    ) -> list[Made]:
        """Measure the latency of variants together, and so finish them.

        Args:
            made: without the failed ones. The baseline runs along whether it is among them or
                not.
            repeat: another number measures anew.
            baseline: its file, where it is not to be the one that the plan makes.

        Returns:
            The same with their errors: of a file that the runtime cannot run, or the window's.
            A variant with such an error is done, and its latency not known.
        """
        windows = self._windows(made, repeat, (baseline or self._plan.baseline).convert)
        finished: list[Made] = []
        for window in windows:
            members = [item for item in made if item.plan.convert.key in window.inputs]
            finished += await self._measure(window, members)
        return finished

    def _windows(
        self, made: Sequence[Made], repeat: int, baseline: Stage | StoredResult
    ) -> list[Stage]:
        """The stages that measure latency: one, unless the files are too many or too large."""
        files = {item.plan.convert.key: item.plan.convert for item in made}
        sizes = {
            key: int(self._store.artifacts.listing(key)["model.tflite"]["size_bytes"])
            for key in files
        }
        parts = max(1, -(-len(sizes) // WINDOW_FILES), -(-sum(sizes.values()) // WINDOW_BYTES))
        keys = sorted(sizes)
        return [
            latency_window(baseline, [files[key] for key in keys[part::parts]], repeat)
            for part in range(parts)
        ]

    def _results(
        self, variant: Variant, plan: VariantPlan
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """Results before latency is known, and the keys of the stages behind them.

        What was measured of the same file before stays until it is measured again.
        """
        runner = self._stages.runner
        own = [*plan.convert.upstream(), plan.evaluate]
        keys = {stage.name: stage.key for stage in own if runner.has(stage)}
        seconds = {name: self._store.artifacts.meta(key)["seconds"] for name, key in keys.items()}
        cached = [name for name, key in keys.items() if not self._stages.ran(key)]
        results = variant_results(self._store, plan, seconds, cached)
        same_file = variant.stages.get("convert") == plan.convert.key
        if same_file:
            keys |= {name: key for name, key in variant.stages.items() if name in INSPECTIONS}
        if same_file and "benchmark" in variant.stages and variant.results:
            known = {
                name: variant.results.get(name) for name in ("latency_ms", "peak_memory_bytes")
            }
            results |= known
            keys["benchmark"] = variant.stages["benchmark"]
        return results, keys

    async def _measure(self, window: Stage, members: Sequence[Made]) -> list[Made]:
        self._stages.plan([(window, tuple(item.variant.id for item in members))])
        try:
            await self._stages.task(window)
        except FeatherweightError as error:
            # The files and their accuracies are sound: only this is not known of them.
            for item in members:
                self._store.update_variant(item.variant.id, state="done")
            return [Made(item.variant, item.plan, f"Latency: {error}") for item in members]
        content = self._store.artifacts.read(window.key, "latencies.json")
        files = json.loads(content)["files"]
        seconds = float(self._store.artifacts.meta(window.key)["seconds"]) / max(1, len(files))
        return [
            self._finish(item, window, files[item.plan.convert.key], seconds) for item in members
        ]

    def _finish(
        self, item: Made, window: Stage, latency: Mapping[str, Any], seconds: float
    ) -> Made:
        if "error" in latency:
            self._store.update_variant(item.variant.id, state="done")
            return Made(item.variant, item.plan, f"Latency: {latency['error']}")
        known = self._store.get_variant(item.variant.id)
        results = dict(known.results or {}) | latency_results(latency, window.key)
        results["seconds"] = {**(results.get("seconds") or {}), "benchmark": seconds}
        if not self._stages.ran(window.key):
            results["cached"] = [*(results.get("cached") or ()), "benchmark"]
        stages = {**known.stages, "benchmark": window.key}
        self._store.update_variant(item.variant.id, state="done", results=results, stages=stages)
        return item

    def _failed(self, item: Made, error: str) -> Made:
        self._store.update_variant(item.variant.id, state="failed", error=error, results=None)
        return Made(item.variant, item.plan, error)
