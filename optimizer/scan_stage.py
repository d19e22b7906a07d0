"""The scan of a study's layers as a stage."""

from __future__ import annotations

from optimizer.keys import Stage
from optimizer.plan import StudyPlan
from optimizer.sensitivity.options import ScanOptions


def scan_stage(plan: StudyPlan, options: ScanOptions) -> Stage:
    """The scan of a study's model."""
    return Stage(
        "sensitivity",
        "optimizer.techniques.layer_scan:stage",
        "Change one layer at a time",
        {
            **options.model_dump(mode="json"),
            "task": plan.objective.task,
            "metric": plan.objective.metric,
            "from_logits": list(plan.objective.from_logits),
        },
        {"model": plan.model, "data": plan.data},
        threads=plan.threads,
        memory_bytes=plan.memory_bytes,
    )
