"""A closer look at finished variants: several stages, of which each is worth having alone."""

from __future__ import annotations

import asyncio

from optimizer.engine.run_stages import RunStages
from optimizer.errors import FeatherweightError, InputError, StageError
from optimizer.inspection_plan import inspection_stages
from optimizer.keys import Stage
from optimizer.store import Store
from optimizer.store.records import Run
from optimizer.study_plan import study_plan

_NEEDED = ("convert", "evaluate")


async def inspect(store: Store, stages: RunStages, run: Run, threads: int) -> str | None:
    """Inspect the variants of a run, and keep what was found with each.

    Args:
        store: where they are.
        stages: executes the run's stages.
        run: with ``variant_ids``; its option ``repeat`` times operators anew.
        threads: of each stage.

    Returns:
        What went wrong with a part; ``None`` when nothing did. The other parts are kept.

    Raises:
        StageError: a variant or the baseline is not measured.
    """
    plan = study_plan(store, str(run.study_id), threads)
    baseline = store.baseline(str(run.study_id))
    if baseline is None or not all(name in baseline.stages for name in _NEEDED):
        raise StageError("The study has no measured baseline to compare with. Run it first.")
    wanted: list[tuple[str, Stage]] = []
    for variant_id in run.variant_ids:
        variant = store.get_variant(variant_id)
        if not all(name in variant.stages for name in _NEEDED):
            raise StageError(f"{variant.name} has not been measured yet. Run it first.")
        wanted += [
            (variant_id, stage)
            for stage in inspection_stages(
                variant.stages,
                baseline.stages,
                plan.data,
                plan.objective,
                threads,
                int(run.options.get("repeat") or 0),
            )
        ]
    stages.plan((stage, (variant_id,)) for variant_id, stage in wanted)
    errors = await asyncio.gather(
        *(_keep(store, stages, variant_id, stage) for variant_id, stage in wanted)
    )
    return next((error for error in errors if error), None)


async def _keep(store: Store, stages: RunStages, variant_id: str, stage: Stage) -> str | None:
    try:
        await stages.task(stage)
    except FeatherweightError as error:
        return f"{stage.label}: {error}"
    try:
        known = store.get_variant(variant_id)
        store.update_variant(variant_id, stages={**known.stages, stage.name: stage.key})
    except InputError:
        return None  # deleted meanwhile
    return None
