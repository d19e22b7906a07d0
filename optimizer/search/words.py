"""A search in words: its goal, its space, and what a limit was missed by."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from optimizer.data.objective import LOWER_IS_BETTER
from optimizer.format import format_bytes, is_share, metric_title, metric_words
from optimizer.search.goal import OBJECTIVES, Constraints, Figures, SearchOptions, feasible
from optimizer.store.records import Trial, TrialState


def goal_text(options: SearchOptions, metric: str | None) -> str:
    """The goal as a sentence without its full stop.

    Args:
        options: of the search.
        metric: the study's, or ``None`` without labels.
    """
    limits = limit_texts(options.constraints, metric)
    subject = f" that {' and '.join(limits)}" if limits else ""
    return f"Find the {OBJECTIVES[options.objective]}{subject}, {budget_text(options)}"


def search_title(options: SearchOptions) -> str:
    """What a search is called in lists of runs."""
    return f"Search for the {OBJECTIVES[options.objective]}"


def limit_texts(constraints: Constraints, metric: str | None) -> list[str]:
    """Each limit as a verb phrase."""
    found = []
    drop = constraints.max_accuracy_drop
    if drop is not None and metric in LOWER_IS_BETTER:
        name = metric_words(str(metric))
        found.append(f"lets the {name} grow by at most {200 * drop:.3g} %")
    elif drop is not None:
        found.append(f"loses at most {drop_text(drop, metric)}")
    if constraints.max_size_bytes is not None:
        found.append(f"has a file of at most {format_bytes(constraints.max_size_bytes)}")
    if constraints.max_latency_ratio is not None:
        found.append(f"takes at most {constraints.max_latency_ratio:g} × the baseline's latency")
    return found


def drop_text(drop: float, metric: str | None) -> str:
    """A drop of the metric: points of a share, percent by which an error grows, or of a score."""
    name = metric_words(metric or "accuracy")
    if metric is None or is_share(metric):
        points = f"{100 * drop:.3g}"
        return f"{points} point{'s' * (points != '1')} of {name}"
    if metric in LOWER_IS_BETTER:
        return f"{200 * drop:.3g} % of the {name}"
    return f"{drop:.3g} of the {metric_title(metric)}"


def budget_text(options: SearchOptions) -> str:
    """What the search may use."""
    parts = []
    if options.trials is not None:
        parts.append(f"{options.trials} trial{'s' * (options.trials != 1)}")
    if options.minutes is not None:
        parts.append(f"{options.minutes:g} minute{'s' * (options.minutes != 1)}")
    return f"within {' or '.join(parts)}"


STATES: dict[TrialState, str] = {
    "running": "running",
    "complete": "done",
    "pruned": "ended early",
    "failed": "failed",
    "refused": "skipped",
}
"""A trial's state → what it is called."""


def trial_text(trial: Trial) -> str:
    """A trial in one line."""
    text = f"Trial {trial.number}, {trial.recipe.name}: {STATES[trial.state]}"
    if trial.state != "complete":
        return f"{text}. {trial.message}" if trial.message else text
    figures = Figures.read(trial.figures)
    parts = [f"{format_bytes(figures.gzip_bytes)} gzip-compressed"] if figures.gzip_bytes else []
    if figures.metric is not None:
        parts.append(f"metric {figures.metric:.4g}")
    if figures.latency_ratio is not None:
        parts.append(f"latency ratio {figures.latency_ratio:.2f}")
    kept = "keeps the limits" if feasible(trial.violations) else "breaks a limit"
    return f"{text}, {', '.join(parts)}, {kept}"


def miss_texts(
    violations: Mapping[str, float], constraints: Constraints, metric: str | None
) -> list[str]:
    """What is broken and by how much, each as ``0.6 points of accuracy``."""
    found = []
    for name, broken in violations.items():
        if broken <= 1e-9:
            continue
        if name == "accuracy_drop" and constraints.max_accuracy_drop is not None:
            scale = max(constraints.max_accuracy_drop, 0.01)
            found.append(drop_text(broken * scale, metric))
        elif name == "size_bytes" and constraints.max_size_bytes is not None:
            found.append(f"{format_bytes(round(broken * constraints.max_size_bytes))} of file size")
        elif name == "latency_ratio" and constraints.max_latency_ratio is not None:
            found.append(f"{broken * constraints.max_latency_ratio:.2g} of the latency ratio")
    return found


_FIELDS = {
    "prune": "pruning",
    "cluster": "clustering",
    "quantize": "quantization",
    "final_sparsity": "sparsity",
    "target_sparsity": "sparsity",
    "number_of_clusters": "clusters",
    "learning_rate": "learning rate",
    "batch_size": "batch size",
    "layers": "layers",
    "seed": "seed",
}
"""What a choice point is called by its last key, where the key itself is no word."""


_ORDER = ("prune", "cluster", "quantize", "fine_tune", "layers", "sparse_encoding", "seed")


def space_texts(space: Mapping[str, Any]) -> list[str]:
    """What a grid's choices are, one line for each list of alternatives.

    Args:
        space: a grid as plain data.
    """
    lines: list[str] = []
    known = [key for key in _ORDER if key in space]
    for key in (*known, *(key for key in space if key not in known)):
        _describe(key, space[key], lines)
    return lines


def _describe(name: str, value: Any, lines: list[str]) -> None:
    if isinstance(value, Mapping):
        for key, item in value.items():
            _describe(str(key), item, lines)
    elif _alternatives(name, value):
        shown = ", ".join(_alternative(name, item) for item in value)
        lines.append(f"{_FIELDS.get(name, name.replace('_', ' '))}: {shown}")


def _alternatives(name: str, value: Any) -> bool:
    """Whether a value is a list of alternatives, of which there are several."""
    return isinstance(value, list) and len(value) > 1 and name not in ("size", "steps")


def _inside(value: Mapping[str, Any]) -> str:
    """The choices within one alternative."""
    lines: list[str] = []
    for key, item in value.items():
        _describe(str(key), item, lines)
    return " (" + "; ".join(lines) + ")" if lines else ""


def _alternative(name: str, value: Any) -> str:
    """One alternative, in as few words as tell it from the others."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("_sparsity") and isinstance(value, int | float):
        return f"{100 * value:.4g} %"
    if name == "quantize" and isinstance(value, Mapping):
        mode = str(value.get("mode", "int8"))
        words = {"none": "float32", "dynamic": "dynamic range", "int16x8": "int16×8"}
        rest = [f"{k} {v}" for k, v in value.items() if k not in ("mode", "aware")]
        aware = " with quantization-aware training" if value.get("aware") is True else ""
        return words.get(mode, mode) + aware + (f" ({', '.join(rest)})" if rest else "")
    if isinstance(value, Mapping):
        structure = value.get("structure")
        kind = structure.get("kind") if isinstance(structure, Mapping) else None
        usual = {"prune": "single weights", "cluster": "shared values"}.get(name, "yes")
        words = {"channels": "whole channels", "block": "blocks", "n_m": "n:m"}
        return words.get(str(kind), usual) + _inside(value)
    return value if isinstance(value, str) else json.dumps(value)
