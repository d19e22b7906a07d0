"""How long stages will take, from what their kind took before in the same study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from optimizer.keys import Stage
from optimizer.measured import measured
from optimizer.recipe import FineTune
from optimizer.store.records import Variant

TRAINING = ("prune", "cluster", "quantize_aware")
"""Names of the stages that train."""
_WINDOW = "benchmark"
"""The stage whose inputs are measured together: its time is known per file."""


class StageTimes:
    """Seconds per kind of stage.

    Training is taken to grow in proportion to epochs and with the number of batches; a kind of
    training that was never seen is taken to be as long as the others. Measuring latency is taken
    to grow with the number of files that are measured together.

    Args:
        variants: of one study; what was measured on finished ones is learnt from. A stage that
            several share counts once.
    """

    def __init__(self, variants: Iterable[Variant] = ()) -> None:
        self._batches: dict[str, dict[str, float]] = {name: {} for name in TRAINING}
        self._others: dict[str, dict[str, float]] = {}
        for variant in variants:
            found = measured(variant)
            tune = variant.recipe.fine_tune
            for name, seconds in (found.seconds if found else {}).items():
                self._learn(name, variant.stages.get(name, variant.id), seconds, tune)

    def learn(self, stage: Stage, seconds: float) -> None:
        """Take in how long one stage took."""
        files = len(stage.inputs) if stage.name == _WINDOW else 1
        self._learn(stage.name, stage.key, seconds / files, stage.params.get("fine_tune"))

    def seconds(self, stage: Stage) -> float | None:
        """How long a stage will take; ``None`` when nothing like it has been measured."""
        if stage.name not in TRAINING:
            seen = self._others.get(stage.name)
            files = len(stage.inputs) if stage.name == _WINDOW else 1
            return files * median(seen.values()) if seen else None
        every = [seconds for kind in self._batches.values() for seconds in kind.values()]
        own = list(self._batches[stage.name].values()) or every
        return median(own) / _batches_per_pass(stage.params["fine_tune"]) if own else None

    def _learn(
        self, name: str, key: str, seconds: float, tune: FineTune | Mapping[str, Any] | None
    ) -> None:
        if name not in TRAINING:
            self._others.setdefault(name, {})[key] = seconds
        elif tune is not None:
            self._batches[name][key] = seconds * _batches_per_pass(tune)


def estimate_seconds(stages: Sequence[Stage], times: StageTimes, slots: int) -> float | None:
    """Seconds that stages take when as many run at once as there are slots.

    That is the longer of two times, of which no schedule can beat either and a good one comes
    close to the longer: the chain of dependent stages that takes longest, and the work of all
    stages spread over the slots, with what needs the machine alone after it.

    Args:
        stages: what has to run, each once and after those of them that it needs.
        times: what was measured before.
        slots: how many stages run at once.

    Returns:
        ``None`` when nothing like one of the stages has been measured.
    """
    ends: dict[str, float] = {}
    spread = alone = 0.0
    for stage in stages:
        seconds = times.seconds(stage)
        if seconds is None:
            return None
        ready = max((ends.get(source.key, 0.0) for source in stage.inputs.values()), default=0.0)
        ends[stage.key] = ready + seconds
        if stage.resource == "quiet":
            alone += seconds
        elif stage.resource == "train":
            spread += seconds
    return max(max(ends.values(), default=0.0), spread / slots + alone)


def _batches_per_pass(tune: FineTune | Mapping[str, Any]) -> float:
    """What seconds of training are multiplied with to be comparable: batch size per epoch."""
    plain = tune if isinstance(tune, Mapping) else tune.model_dump()
    return float(plain["batch_size"]) / float(plain["epochs"])
