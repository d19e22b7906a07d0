"""What a search says in the end: found, or not achievable and by how much it was missed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optimizer.data.objective import LOWER_IS_BETTER
from optimizer.format import format_bytes, format_metric, format_times, metric_words
from optimizer.search.confirmation import Checked, Confirmation
from optimizer.search.goal import Figures, Goal, excess, feasible
from optimizer.search.words import drop_text, miss_texts
from optimizer.store.records import Trial


def answer(
    trials: Sequence[Trial],
    confirmations: Sequence[Confirmation],
    goal: Goal,
    ended: str,
) -> dict[str, Any]:
    """The answer of a search.

    Args:
        trials: all of them.
        confirmations: of the contenders that were looked at again, in that order; the last one
            is the winner's when it keeps every constraint.
        goal: what was looked for.
        ended: why the search ended: its ``budget`` was used up, or the whole ``space`` tried.

    Returns:
        JSON-able: ``kind`` (``found`` or ``not_achievable``), ``text``, ``number`` and
        ``variant_id`` of the winner or of the nearest trial (``None`` when nothing finished),
        ``violations`` of that trial, ``remarks``, ``confirmations``, and ``ended``. What is found
        breaks no constraint, whatever the trials say.
    """
    by_number = {trial.number: trial for trial in trials}
    winner = next((each for each in confirmations if each.kept), None)
    common = {"ended": ended, "confirmations": [each.dump() for each in confirmations]}
    if winner is not None:
        trial = by_number[winner.number]
        return {
            "kind": "found",
            "text": f"Found: {trial.recipe.name}, {_figures_text(trial, goal, winner)}.",
            "number": trial.number,
            "variant_id": trial.variant_id,
            "violations": dict(winner.violations),
            "remarks": _remarks(winner, confirmations, goal),
            **common,
        }
    nearest = nearest_trial(trials, confirmations)
    remarks = [_failed_text(confirmations)] if confirmations else []
    if goal.keeps(goal.baseline) and goal.objective != "accuracy":
        remarks.append("The float32 baseline itself keeps the limits; nothing smaller did.")
    within = "within the budget" if ended == "budget" else "in this search space"
    if nearest is None:
        text = f"Not achievable {within}: no trial came to its end."
        return {
            "kind": "not_achievable",
            "text": text,
            "number": None,
            "variant_id": None,
            "violations": {},
            "remarks": remarks,
            **common,
        }
    trial, violations = nearest
    missed = miss_texts(violations, goal.constraints, goal.metric)
    by = " and ".join(missed) or "what was not measured"
    where = (
        ""
        if trial.number not in {c.number for c in confirmations}
        else (" on samples that the search did not see")
    )
    return {
        "kind": "not_achievable",
        "text": f"Not achievable {within}; the nearest is {trial.recipe.name}, "
        f"{_figures_text(trial, goal)}: it misses by {by}{where}.",
        "number": trial.number,
        "variant_id": trial.variant_id,
        "violations": dict(violations),
        "remarks": remarks,
        **common,
    }


def nearest_trial(
    trials: Sequence[Trial], confirmations: Sequence[Confirmation]
) -> tuple[Trial, Mapping[str, float]] | None:
    """The trial that breaks the least, and what it breaks; confirmations count more than trials.

    A trial that keeps everything on the search half but was not confirmed is none: it was not
    looked at, because others before it failed.
    """
    confirmed = {each.number: each.violations for each in confirmations}
    found = [
        (excess(violations), trial.number, trial, violations)
        for trial in trials
        if trial.state == "complete"
        for violations in (confirmed.get(trial.number, trial.violations),)
        if not feasible(violations)
    ]
    if not found:
        return None
    _, _, trial, violations = min(found, key=lambda item: item[:2])
    return trial, violations


def _figures_text(trial: Trial, goal: Goal, confirmed: Confirmation | None = None) -> str:
    """Size, latency and metric; of the whole test set and measured anew where that was done."""
    figures, base = Figures.read(trial.figures), goal.baseline
    whole = confirmed.parts.get("whole") if confirmed else None
    metric = whole.metric if whole else figures.metric
    ratio = figures.latency_ratio
    if confirmed and confirmed.latency_ratio is not None:
        ratio = confirmed.latency_ratio
    parts = []
    if goal.objective == "download" and figures.gzip_bytes:
        smaller = _times(base.gzip_bytes, figures.gzip_bytes)
        parts.append(f"{format_bytes(figures.gzip_bytes)} gzip-compressed{smaller}")
    elif figures.size_bytes:
        parts.append(format_bytes(figures.size_bytes) + _times(base.size_bytes, figures.size_bytes))
    if ratio is not None:
        parts.append(f"{ratio:.2f} × the baseline's latency")
    if metric is not None:
        name = metric_words(goal.metric)
        on = f" on all {whole.samples:,} test samples" if whole else ""
        parts.append(f"{name} {format_metric(goal.metric, metric)}{on}")
    return ", ".join(parts)


def _times(base: int | None, size: int) -> str:
    return f" ({format_times(base / size)} smaller than the baseline)" if base else ""


def _remarks(winner: Confirmation, confirmations: Sequence[Confirmation], goal: Goal) -> list[str]:
    """What goes with the announcement: samples, intervals, and how many failed before it."""
    found = []
    part = winner.parts.get("confirmation")
    if part is not None and part.lost is not None:
        found.append(_part_text(part, goal))
        found += _too_small(part, goal)
    if winner.latency_ratio is not None:
        interval = winner.latency_interval
        between = f", 95 % interval {interval[0]:.2f} to {interval[1]:.2f}" if interval else ""
        found.append(
            f"Latency measured anew, in turns with the baseline: ratio {winner.latency_ratio:.2f}"
            f"{between}."
        )
    failed = [each for each in confirmations if not each.kept]
    if failed:
        found.append(_failed_text(failed))
    return found


def _part_text(part: Checked, goal: Goal) -> str:
    assert part.lost is not None
    change = "no difference"
    if part.lost:
        verb = "lost" if part.lost > 0 else "gained"
        change = f"{verb} {drop_text(abs(part.lost), goal.metric)}"
        if goal.metric in LOWER_IS_BETTER:
            worse = "larger" if part.lost > 0 else "smaller"
            change = f"an error {200 * abs(part.lost):.3g} % {worse}"
    text = (
        f"On {part.samples:,} test samples that the search did not see: "
        f"{metric_words(goal.metric)} {format_metric(goal.metric, part.metric or 0.0)}, "
        f"the baseline's {format_metric(goal.metric, part.baseline or 0.0)}; {change}"
    )
    if part.interval is None:
        return text + "."
    low, high = part.interval
    return text + (f" (95 % interval of the loss: {_signed(low, goal)} to {_signed(high, goal)}).")


def _signed(value: float, goal: Goal) -> str:
    return ("−" if value < 0 else "") + drop_text(abs(value), goal.metric).split(" of ")[0]


def _too_small(part: Checked, goal: Goal) -> list[str]:
    """Whether so few samples can tell the limit from chance at all."""
    limit = goal.constraints.max_accuracy_drop
    if limit is None or part.interval is None:
        return []
    high = part.interval[1]
    if high <= limit + 1e-9:
        return []
    return [
        f"{part.samples:,} samples are too few to be sure of {drop_text(limit, goal.metric)}: the "
        f"true loss may be as much as {_signed(high, goal)}. More test samples would tell."
    ]


def _failed_text(failed: Sequence[Confirmation]) -> str:
    count = len(failed)
    return (
        f"{count} candidate{'s' * (count != 1)} that kept the limits on the search's half of the "
        f"test set broke {'them' if count != 1 else 'one'} when looked at again."
    )
