"""A base recipe and the values to try for some of its settings, as a grid.

Values that only go with some alternatives (the dtype of inputs with int8, a sparsity with all
structures but n:m patterns) are put inside these, so that the grid has no contradictions that
its author did not mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optimizer.errors import InputError
from optimizer.vary import SETTINGS

Base = Mapping[str, Any]
_DEFAULT_SPARSITY = 0.8
_SCHEDULE = {
    "constant": ("begin", "frequency"),
    "polynomial": ("initial_sparsity", "power", "begin", "end", "frequency"),
}
_SINGLE_WEIGHTS = {"kind": "unstructured"}
_FLOATS = ("none", "float16", "dynamic")


def vary(base: Base, varied: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The plain data of a grid.

    Args:
        base: a recipe as plain data, for everything that does not vary.
        varied: name of a setting → texts of the values to try.

    Raises:
        InputError: a text is no value of its setting, a setting has none, or it cannot act.
    """
    values = _Values(varied)
    grid = {
        "prune": _prune(base.get("prune"), values),
        "cluster": _cluster(base.get("cluster"), values),
        "quantize": _quantize(base.get("quantize") or {}, values),
        "sparse_encoding": values.take("sparse_encoding", base.get("sparse_encoding", False)),
        "fine_tune": _taken(values, base.get("fine_tune") or {}, *_FINE_TUNE),
        "layers": base.get("layers") or {},
        "seed": values.take("seed", base.get("seed", 0)),
    }
    for name in varied:
        if name not in values.used:
            setting = SETTINGS[name]
            raise InputError(f"{setting.label} has no effect here. It needs {setting.needs}.")
    return grid


_FINE_TUNE = ("epochs", "batch_size", "learning_rate")


class _Values:
    """What varies, and which of it has found a place in the grid."""

    def __init__(self, varied: Mapping[str, Sequence[str]]) -> None:
        self._read: dict[str, list[Any]] = {}
        self.used: set[str] = set()
        for name, texts in varied.items():
            if not texts:
                raise InputError(
                    f"Choose values for {SETTINGS[name].label}, or take it out of the settings "
                    "to vary."
                )
            self._read[name] = [SETTINGS[name].read(text) for text in texts]

    def given(self, name: str) -> list[Any]:
        """The values to try, none when the setting does not vary."""
        return self._read.get(name, [])

    def list(self, name: str, fallback: Any) -> list[Any]:
        """The values of a setting, or the one of the base recipe."""
        self.used.add(name)
        return self._read.get(name, [fallback])

    def take(self, name: str, fallback: Any) -> Any:
        """As it stands in a grid: a list of alternatives only when there are several."""
        return _one_or_several(self.list(name, fallback))


def _one_or_several(values: list[Any]) -> Any:
    distinct = [value for index, value in enumerate(values) if value not in values[:index]]
    return distinct[0] if len(distinct) == 1 else distinct


def _taken(values: _Values, base: Base, *names: str) -> dict[str, Any]:
    """The named fields that vary or that the base recipe has."""
    return {
        name: values.take(name, base.get(name))
        for name in names
        if values.given(name) or name in base
    }


def _prune(base: Base | None, values: _Values) -> Any:
    sparsities = values.given("sparsity")
    shares = [share for share in sparsities if share is not None]
    alternatives: list[Any] = []
    if None in sparsities:
        values.used.add("sparsity")
        alternatives.append(None)
    if shares or (base is not None and not sparsities):
        alternatives += _pruned(base or {}, shares, values)
    return _one_or_several(alternatives or [None])


def _pruned(base: Base, shares: list[float], values: _Values) -> list[dict[str, Any]]:
    """Alternatives of pruning: those that take a sparsity, and patterns, which have their own."""
    structures = [
        _structure(structure, base, values)
        for structure in values.list("structure", base.get("structure") or _SINGLE_WEIGHTS)
    ]
    patterns = [structure for structure in structures if structure["kind"] == "n_m"]
    others = [structure for structure in structures if structure["kind"] != "n_m"]
    found = []
    if others:
        part = {
            "schedule": _schedules(base, shares, values, own=False),
            "structure": _one_or_several(others),
            **_taken(values, base, "criterion", "scope", "gentle_ends"),
        }
        found.append(part)
    if patterns:
        part = {
            "schedule": _schedules(base, shares, values, own=True),
            "structure": _one_or_several(patterns),
            **_taken(values, base, "criterion"),
        }
        found.append(part)
    return found


def _structure(structure: Base, base: Base, values: _Values) -> dict[str, Any]:
    """A structure, with what the base recipe says of the same kind."""
    same = base.get("structure") or {}
    known = dict(same) if same.get("kind") == structure["kind"] else {}
    whole = {**known, **structure}
    if whole["kind"] == "channels":
        whole.update(_taken(values, whole, "multiple_of"))
    return whole


def _schedules(base: Base, shares: list[float], values: _Values, *, own: bool) -> Any:
    """The schedules to try; ``own`` leaves the sparsity to the structure."""
    said = base.get("schedule") or {"kind": "polynomial"}
    schedules = []
    for chosen in values.list("schedule", said):
        same = said if said["kind"] == chosen["kind"] else {}
        whole = {**same, **chosen}
        if whole["kind"] == "steps":
            schedules.append({**whole, **_taken(values, whole, "frequency")})
            continue
        field = "target_sparsity" if whole["kind"] == "constant" else "final_sparsity"
        final = whole.pop(field, _ends_at(said))
        if not own:
            values.used.add("sparsity")
            whole[field] = _one_or_several(shares or [final])
        schedules.append({**whole, **_taken(values, whole, *_SCHEDULE[whole["kind"]])})
    return _one_or_several(schedules)


def _ends_at(schedule: Base) -> float:
    """The sparsity that the base recipe's schedule ends with, whatever its kind."""
    if schedule.get("steps"):
        return float(schedule["steps"][-1][1])
    named = schedule.get("final_sparsity", schedule.get("target_sparsity"))
    return _DEFAULT_SPARSITY if named is None else float(named)


def _cluster(base: Base | None, values: _Values) -> Any:
    kept = None if base is None else base.get("number_of_clusters", 16)
    counts = values.list("number_of_clusters", kept)
    alternatives: list[Any] = [None] if None in counts else []
    numbers = [count for count in counts if count is not None]
    if numbers:
        others = _taken(values, base or {}, "cluster_centroids_init", "per_channel")
        alternatives.append({"number_of_clusters": _one_or_several(numbers), **others})
    return _one_or_several(alternatives)


def _quantize(base: Base, values: _Values) -> Any:
    default = (base.get("mode", "none"), bool(base.get("aware")))
    modes = values.list("quantization", default)
    alternatives: list[dict[str, Any]] = []
    floats = [mode for mode, _ in modes if mode in _FLOATS]
    for mode, aware in modes:
        if mode in _FLOATS:
            if mode == floats[0]:
                alternatives.append({"mode": _one_or_several(floats)})
            continue
        part = {"mode": mode}
        if mode == "int8":
            part.update(_taken(values, base, "io", "granularity"))
        if aware:
            part["aware"] = True
        else:
            part.update(_taken(values, base, "calibration_samples"))
        alternatives.append(part)
    return _one_or_several(alternatives)
