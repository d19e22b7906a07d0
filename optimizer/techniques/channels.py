"""Removing whole filters and units, then fine-tuning. Runs in stage processes only.

The model becomes smaller and faster on any hardware: nothing has to know about zeros. Channels
are removed little by little, as the schedule rises from epoch to epoch, and the model is
trained after each removal.

Sources: Li et al. 2017, "Pruning Filters for Efficient ConvNets" (arXiv:1608.08710), for the
norm of a filter; Molchanov et al. 2019 (arXiv:1906.10771) for the gradient criterion.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optimizer.data.arrays import load_arrays
from optimizer.errors import InputError
from optimizer.measure.tflite_file import TfliteFile
from optimizer.models.flat import load_flat, save_flat
from optimizer.schedules import parse_schedule
from optimizer.stage import Files, Progress
from optimizer.techniques.channel_graph import ChannelGraph, shares
from optimizer.techniques.channel_scores import channel_scores
from optimizer.techniques.loops import endless_loops, unrolled, with_flat_pooling
from optimizer.techniques.narrowing import counted_macs, narrow
from optimizer.techniques.promises import Promises, read_promises, write_promises
from optimizer.techniques.schedule import final_sparsity
from optimizer.techniques.source import keras_converter
from optimizer.techniques.training import Objective, fit, make_deterministic

KEPT_SHARE = 0.1
"""No layer loses more of its channels than all but this share when they compete globally."""
_STEPS_OF_SEARCH = 40

Set = tuple[str, ...]
"""The layers whose channels are removed together."""


def stage(params: Mapping[str, Any], inputs: Mapping[str, Files], progress: Progress) -> Files:
    """Remove channels while fine-tuning a model.

    Args:
        params: ``prune`` with the structure ``channels``, ``fine_tune``, ``layers`` and
            ``seed`` as in a recipe, and ``task``.
        inputs: ``model`` with ``model.keras``, ``data`` with ``arrays.npz``.
        progress: told after each batch.

    Returns:
        ``model.keras``; ``promises.json``; ``training.json`` with the channels left per layer.

    Raises:
        InputError: no layer has channels that can be removed, or an override names none.
        StageError: training diverged.
    """
    make_deterministic(params["seed"])
    model = load_flat(inputs["model"]["model.keras"])
    arrays = load_arrays(inputs["data"])
    prune, tune = params["prune"], params["fine_tune"]
    target = _Target.of(model, prune, params["layers"])
    narrowed, losses = model, []
    rounds = removal_rounds(prune["schedule"], tune["epochs"])
    done = 0
    for sparsity, epochs in rounds:
        graph = ChannelGraph(narrowed)
        objective = Objective.of(narrowed, arrays, params["task"], params.get("loss"))
        scores = channel_scores(prune["criterion"], narrowed, graph, objective, params["seed"])
        narrowed = narrow(narrowed, graph, target.choose(narrowed, graph, scores, sparsity))
        losses += fit(
            narrowed,
            Objective.of(narrowed, arrays, params["task"], params.get("loss")),
            {**tune, "epochs": epochs},
            _part(progress, done / tune["epochs"], epochs / tune["epochs"]),
        )
        done += epochs
    return {
        "model.keras": save_flat(narrowed),
        "promises.json": write_promises(
            read_promises(inputs["model"]), _promises(narrowed, target)
        ),
        "training.json": json.dumps(
            {"loss": losses, "channels": {n: _width(narrowed, n) for n in target.widths}}
        ).encode(),
    }


def removal_rounds(schedule: Mapping[str, Any], epochs: int) -> list[tuple[float, int]]:
    """The schedule in rounds: (sparsity to reach at the beginning, epochs to train then).

    Every epoch begins with the removal of what is due by its end.
    """
    parsed = parse_schedule(schedule)
    rounds: list[list[Any]] = []
    for epoch in range(epochs):
        due = parsed.final if epoch == epochs - 1 else parsed.sparsity_at((epoch + 1) / epochs)
        if rounds and due <= rounds[-1][0] + 1e-3:
            rounds[-1][1] += 1
        else:
            rounds.append([due, 1])
    return [(float(due), int(count)) for due, count in rounds]


@dataclass(frozen=True)
class _Target:
    """How much is to be removed, told by the model before anything was.

    Attributes:
        kind: ``macs`` or ``channels``, what the sparsity is a share of.
        multiple_of: layers keep a multiple of so many channels, see the recipe.
        whole: channels compete over all layers.
        final: the schedule's final sparsity.
        widths: layer name → output channels of the layers that have removable ones.
        factors: set → its sparsity divided by the schedule's, where that is not 1.
        macs: counted multiply-accumulates of the model.
        file_macs: those of its float32 file, which has operators that are not counted.
    """

    kind: str
    multiple_of: int
    whole: bool
    final: float
    widths: dict[str, int]
    factors: dict[Set, float]
    macs: int
    file_macs: int

    @classmethod
    def of(
        cls, model: Any, prune: Mapping[str, Any], overrides: Mapping[str, Mapping[str, Any]]
    ) -> _Target:
        graph = ChannelGraph(model)
        sets = shares(graph)
        if not sets:
            raise InputError(
                "No layer of this model has channels that can be removed; the model page says why "
                "for each. Choose the structure unstructured."
            )
        widths = {name: len(graph.outputs[name]) for name in graph.producers()}
        final = final_sparsity(prune["schedule"])
        factors = _factors(list(sets), widths, prune["gentle_ends"], overrides, final)
        # Loops are written out: a file's loop says nothing about how often it runs.
        whole = model if endless_loops(model) else unrolled(model)
        converter = keras_converter(with_flat_pooling(whole))
        return cls(
            kind=prune["structure"]["target"],
            multiple_of=prune["structure"]["multiple_of"],
            whole=prune["scope"] == "global",
            final=final,
            widths=widths,
            factors=factors,
            macs=counted_macs(model, graph),
            file_macs=TfliteFile.read(converter.convert()).macs,
        )

    @property
    def allowed_file_macs(self) -> int:
        """What the file may cost in the end."""
        return round((1 - self.final) * self.file_macs)

    def choose(
        self, model: Any, graph: ChannelGraph, scores: Mapping[int, float], sparsity: float
    ) -> set[int]:
        """The labels to remove from a model that may be narrower already."""
        ranked = _Ranking(self, graph, scores)
        if self.kind == "channels":
            return ranked.up_to(sparsity)
        allowed = (1 - sparsity) * self.file_macs - (self.file_macs - self.macs)
        if counted_macs(model, graph) <= allowed:
            return set()
        low, high = 0.0, 1.0
        for _ in range(_STEPS_OF_SEARCH):
            middle = (low + high) / 2
            if counted_macs(model, graph, ranked.up_to(middle)) <= allowed:
                high = middle
            else:
                low = middle
        return ranked.up_to(high)


class _Ranking:
    """The removable channels of a model, the least important first."""

    def __init__(self, target: _Target, graph: ChannelGraph, scores: Mapping[int, float]) -> None:
        self._target = target
        self._sets = {
            key: sorted(labels, key=lambda label: (scores[label], label))
            for key, labels in shares(graph).items()
        }
        together = [
            (scores[label], label)
            for key, labels in self._sets.items()
            if key not in target.factors
            for label in labels
        ]
        self._together = [label for _, label in sorted(together)]

    def up_to(self, share: float) -> set[int]:
        """The labels to remove for a share of each set's original channels, or of all."""
        removed: set[int] = set()
        for key, labels in self._sets.items():
            if key in self._target.factors or not self._target.whole:
                wanted = share * self._target.factors.get(key, 1.0)
                removed |= set(labels[: self._excess(key, wanted)])
        if self._target.whole:
            removed |= self._over_all(share)
        return removed

    def _excess(self, key: Set, share: float) -> int:
        """How many of a set's channels are above what a share of the original leaves."""
        original = self._target.widths[key[0]]
        keep = self._rounded(key, (1 - min(share, 1.0)) * original)
        return max(0, len(self._sets[key]) - keep)

    def _rounded(self, key: Set, keep: float) -> int:
        """A number of channels that processors like; at least one."""
        step = self._target.multiple_of
        if self._target.widths[key[0]] < 2 * step:
            return max(1, round(keep))
        return max(step, step * round(keep / step))

    def _over_all(self, share: float) -> set[int]:
        original = sum(
            self._target.widths[key[0]] for key in self._sets if key not in self._target.factors
        )
        wanted = len(self._together) - round((1 - share) * original)
        owners = {label: key for key, labels in self._sets.items() for label in labels}
        left = {key: len(labels) for key, labels in self._sets.items()}
        removed: set[int] = set()
        for label in self._together:
            key = owners[label]
            floor = max(1, round(KEPT_SHARE * self._target.widths[key[0]]))
            if len(removed) >= wanted:
                break
            if left[key] > floor:
                left[key] -= 1
                removed.add(label)
        for key, labels in self._sets.items():
            inside = [label for label in labels if label not in removed]
            if len(inside) < len(labels):
                wanted_here = min(self._rounded(key, len(inside)), len(labels))
                removed -= set(labels)
                removed |= set(labels[: len(labels) - wanted_here])
        return removed


def _factors(
    sets: list[Set],
    widths: Mapping[str, int],
    gentle_ends: bool,
    overrides: Mapping[str, Mapping[str, Any]],
    final: float,
) -> dict[Set, float]:
    """The sets that have a share of their own, relative to the schedule's final sparsity."""
    factors: dict[Set, float] = {}
    if gentle_ends:
        order = list(widths)
        ends = (order[0], order[-1])
        factors = {key: 0.5 for key in sets if any(name in key for name in ends)}
    for name, override in overrides.items():
        share = override["final_sparsity"]
        if share is None:
            continue
        keys = [key for key in sets if name in key]
        if not keys:
            raise InputError(
                f"The recipe overrides the sparsity of {name!r}, which has no channels that can be "
                f"removed. Layers that have: {', '.join(widths)}."
            )
        factors |= dict.fromkeys(keys, share / max(final, 1e-9))
    return factors


def _part(progress: Progress, start: float, share: float) -> Progress:
    """Progress of one round as a part of the whole."""

    def report(fraction: float | None, message: str, **numbers: float) -> None:
        done = None if fraction is None else start + share * fraction
        progress(done, message, **numbers)

    return report


def _width(model: Any, name: str) -> int:
    return int(model.get_layer(name).output_shape[-1])


def _promises(narrowed: Any, target: _Target) -> Promises:
    """Channels that are gone stay gone; and the multiply-accumulates, where they are the target."""
    promises: Promises = {
        name: {"channels": _width(narrowed, name)}
        for name, width in target.widths.items()
        if _width(narrowed, name) < width
    }
    if target.kind == "macs":
        promises[""] = {"macs": target.allowed_file_macs}
    return promises
