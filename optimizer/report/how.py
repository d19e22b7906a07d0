"""How a report's figures were measured: data, computer, versions, and what the words mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optimizer.measured import Measured
from optimizer.report.source import ReportSource


def measured_how(
    source: ReportSource, found: Measured, sentences: Sequence[str]
) -> list[tuple[str, str]]:
    """Data, computer and versions behind the figures, as names and texts."""
    data, environment = source.dataset, source.environment
    rows = [
        ("Model", _file(source.model)),
        ("Data", _file(data)),
        ("Samples", _samples(data)),
        ("Task", _task(str(data.get("task") or ""))),
        *((text.partition(": ")[0], text.partition(": ")[2]) for text in sentences),
        ("Faster, slower", _RATIO if found.latency and found.latency.ratio is not None else ""),
        ("Computer", _computer(environment, found)),
        ("Versions", _versions(environment)),
        ("Date of measurement", str(environment.get("date") or "not recorded")),
    ]
    return [(name, text) for name, text in rows if text]


_RATIO = (
    "How many times comes from running the file and the baseline in turns and comparing the two "
    "in each round, which keeps what disturbs the computer out of it. So it can differ by some per "
    "cent from dividing the two times."
)
_TASKS = {
    "multiclass": "choosing one of several classes",
    "binary": "telling two classes apart",
    "multilabel": "telling which of several labels apply",
    "regression": "predicting numbers",
    "reconstruction": "giving the input back",
    "unlabelled": "no labels, so outputs are compared with the original model's",
}


def _task(task: str) -> str:
    """A study's task in words; several outputs have one each."""
    parts = [_TASKS.get(part, part) for part in task.split("+") if part]
    return "; ".join(parts) or "not stated"


def _file(facts: Mapping[str, Any]) -> str:
    name, digest = facts.get("file_name"), str(facts.get("sha256") or "")
    text = str(name or "not recorded")
    if facts.get("parameters"):
        text += f", {facts['parameters']:,} parameters"
    return text + (f" (SHA-256 {digest[:16]}…)" if digest else "")


def _samples(data: Mapping[str, Any]) -> str:
    train, test = data.get("train"), data.get("test")
    if not test:
        return "not recorded"
    split = data.get("split")
    seed = split.get("seed") if isinstance(split, Mapping) else None
    how = "" if seed is None else f", split off here at random with seed {seed}"
    return f"{train or 0:,} for training, {test:,} for testing{how}"


def _computer(environment: Mapping[str, Any], found: Measured) -> str:
    parts = [environment.get("processor") or (found.latency and found.latency.device)]
    if environment.get("cores"):
        parts.append(f"{environment['cores']} cores")
    if environment.get("memory_bytes"):
        parts.append(f"{environment['memory_bytes'] / 1e9:.0f} GB of memory")
    parts.append(environment.get("system"))
    return ", ".join(str(part) for part in parts if part) or "not recorded"


_LIBRARIES = (
    *("featherweight", "tensorflow", "tensorflow-model-optimization", "tf-keras"),
    *("keras", "ai-edge-litert", "numpy", "python"),
)


def _versions(environment: Mapping[str, Any]) -> str:
    known = [f"{name} {environment[name]}" for name in _LIBRARIES if environment.get(name)]
    return ", ".join(known) or "not recorded"
