"""What predictions are worth on one part of the test set. Imports no TensorFlow."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from optimizer.data.arrays import bind
from optimizer.data.objective import LOWER_IS_BETTER, METRICS, UNLABELLED, split_task
from optimizer.data.split import search_halves, stratifying, watched
from optimizer.measure.metrics import metrics_of, reconstruction_metrics
from optimizer.quality import lost

Part = Literal["search", "confirmation", "whole", "watched"]
_RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class Judge:
    """The test set, divided, and the metric that candidates are judged by.

    Attributes:
        task: of the first output, which has the headline metric.
        metric: its name; ``None`` without labels.
        threshold: what separates two classes.
        targets: of the first output, shape (n, …); for a reconstruction what is the label of an
            anomaly; ``None`` without labels.
        samples: the inputs, for a reconstruction only.
        parts: part → indices of its samples.
    """

    task: str
    metric: str | None
    threshold: float
    targets: np.ndarray | None
    samples: np.ndarray | None
    parts: Mapping[Part, np.ndarray]

    @property
    def higher_is_better(self) -> bool:
        """Whether the metric is no error."""
        return self.metric not in LOWER_IS_BETTER

    @property
    def watches(self) -> bool:
        """Whether training stages report this very metric, see :mod:`optimizer.techniques`."""
        return self.metric is not None and self.metric == METRICS[self.task][0]

    def size(self, part: Part) -> int:
        """Number of samples of a part."""
        return len(self.parts[part])

    def value(self, outputs: np.ndarray, part: Part) -> float | None:
        """The metric of a model's outputs.

        Args:
            outputs: of the first output over the whole test set, float32, shape (n, …).
            part: which samples count.
        """
        return self._value(outputs, self.parts[part])

    def lost(self, outputs: np.ndarray, baseline: np.ndarray, part: Part) -> float:
        """How much of the metric a variant lost against the baseline on a part.

        Args:
            outputs, baseline: as in :meth:`value`.
            part: which samples count.
        """
        return self._lost(outputs, baseline, self.parts[part])

    def interval(
        self, outputs: np.ndarray, baseline: np.ndarray, part: Part
    ) -> tuple[float, float] | None:
        """95 % percentile bootstrap interval (Efron 1979) of :meth:`lost`, samples in pairs."""
        if self.metric is None:
            return None
        rng, chosen = np.random.default_rng(0), self.parts[part]
        draws = [rng.choice(chosen, len(chosen)) for _ in range(_RESAMPLES)]
        found = [self._lost(outputs, baseline, drawn) for drawn in draws]
        low, high = np.percentile([x for x in found if np.isfinite(x)] or [np.nan], [2.5, 97.5])
        return (float(low), float(high)) if np.isfinite(low) else None

    def _value(self, outputs: np.ndarray, chosen: np.ndarray) -> float | None:
        if self.metric is None:
            return None
        targets = None if self.targets is None else self.targets[chosen]
        if self.task == "reconstruction":
            assert self.samples is not None
            found = reconstruction_metrics(outputs[chosen], self.samples[chosen], targets)
        else:
            found = metrics_of(self.task, outputs[chosen], targets, self.threshold)
        return found[self.metric].value if self.metric in found else None

    def _lost(self, outputs: np.ndarray, baseline: np.ndarray, chosen: np.ndarray) -> float:
        value, base = self._value(outputs, chosen), self._value(baseline, chosen)
        return lost(value, base, self.higher_is_better)


def read_judge(arrays: Path, objective: Mapping[str, Any]) -> Judge:
    """The judge of a study.

    Args:
        arrays: the ``arrays.npz`` of its dataset; only what is needed of it is read.
        objective: as :meth:`optimizer.plan.StudyObjective.measured` gives it.
    """
    task = split_task(str(objective["task"]))[0]
    with np.load(arrays, allow_pickle=False) as file:
        targets = _first(file, "y", objective.get("outputs") or ())
        samples = _first(file, "x", ()) if task == "reconstruction" else None
        known = targets if targets is not None else samples
        n = len(known if known is not None else np.asarray(_first(file, "x", ())))
    search, confirmation = search_halves(n, stratifying(str(objective["task"]), targets))
    logits = (objective.get("from_logits") or [False])[0]
    labelled = task != UNLABELLED
    return Judge(
        task=task,
        metric=(objective.get("metric") or METRICS[task][0]) if labelled else None,
        threshold=0.0 if logits else 0.5,
        targets=targets,
        samples=None if samples is None else samples.astype(np.float32, copy=False),
        parts={
            "search": search,
            "confirmation": confirmation,
            "whole": np.arange(n),
            "watched": watched(search),
        },
    )


def first_output(predictions: bytes) -> np.ndarray:
    """The first output of ``predictions.npz``, float32, shape (n, …)."""
    with np.load(io.BytesIO(predictions), allow_pickle=False) as file:
        return np.asarray(file["outputs"])


def _first(file: Any, kind: str, outputs: Any) -> np.ndarray | None:
    """The test array of the model's first end, bound as the stages bind it."""
    prefix = f"{kind}_test"
    keys = [key for key in file.files if key.startswith(prefix)]
    if not keys:
        return None
    names = [key.removeprefix(prefix).removeprefix("_") or kind for key in keys]
    index = bind(outputs, names, "output")[0] if len(outputs) == len(names) else 0
    return np.asarray(file[keys[index]])
