"""A finished search as data: the ``search`` of ``results.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optimizer.export import file_stem
from optimizer.search.goal import Figures, Goal, SearchOptions
from optimizer.search.words import goal_text
from optimizer.store.records import Run, Trial, Variant


def search_record(
    run: Run, trials: Sequence[Trial], variants: Mapping[str, Variant]
) -> dict[str, Any]:
    """What a search looked for and found.

    Args:
        run: the finished search.
        trials: its trials.
        variants: by id.

    Returns:
        JSON-able: ``goal`` in words, ``options``, ``judged_by`` (metric, baseline, numbers of
        samples), ``answer`` (see :func:`optimizer.search.answer.answer`), ``winner`` (name and
        file, or ``None``), ``trials`` and ``seconds``.
    """
    result = run.result or {}
    options, judged = SearchOptions.parse(run.options), result.get("goal") or {}
    found = result.get("answer") or {}
    winner = variants.get(found.get("variant_id") or "") if found.get("kind") == "found" else None
    return {
        "goal": goal_text(options, judged.get("metric")),
        "options": options.model_dump(mode="json"),
        "judged_by": judged,
        "answer": found,
        "winner": winner and {"name": winner.name, "file": f"{file_stem(winner)}.tflite"},
        "trials": [_trial(trial, variants) for trial in trials],
        "seconds": result.get("spent_seconds"),
    }


def _trial(trial: Trial, variants: Mapping[str, Variant]) -> dict[str, Any]:
    variant = variants.get(trial.variant_id or "")
    names = ("number", "origin", "state", "choices", "figures", "violations", "intermediate")
    return {
        "name": trial.recipe.name,
        **{name: getattr(trial, name) for name in names},
        "message": trial.message,
        "seconds": trial.seconds,
        "file": f"{file_stem(variant)}.tflite" if variant and variant.state == "done" else None,
    }


def goal_of(run: Run) -> Goal | None:
    """What a search judges by; ``None`` before its baseline is known."""
    judged = (run.result or {}).get("goal")
    if not judged:
        return None
    options = SearchOptions.parse(run.options)
    return Goal(
        options.objective,
        options.constraints,
        judged["metric"] or "",
        bool(judged["higher_is_better"]),
        Figures.read(judged["baseline"]),
    )
