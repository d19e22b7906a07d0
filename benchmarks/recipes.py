"""The recipes of the matrix: every technique, structure, criterion and mode, and combinations.

Each is as short as it can be: one epoch. A recipe with a setting for one layer finds that layer
in the model's own facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from optimizer.recipe import Recipe

_TUNE = {"epochs": 1, "batch_size": 32, "learning_rate": 0.001}


@dataclass(frozen=True)
class Entry:
    """A recipe of the matrix.

    Attributes:
        title: what it is, in the table's legend.
        parts: the recipe without its fine-tuning.
        technique: which layers the setting for one layer is about, as facts call it.
        override: that setting, given to the last layer that the technique can act on.
    """

    title: str
    parts: Mapping[str, Any]
    technique: str = ""
    override: Mapping[str, Any] = field(default_factory=dict)

    def recipe(self, facts: Mapping[str, Any]) -> Recipe:
        """The recipe for a model with these facts."""
        layers = {_last(facts, self.technique): dict(self.override)} if self.technique else {}
        return Recipe.parse({"fine_tune": _TUNE, "layers": layers, **self.parts})


def _last(facts: Mapping[str, Any], technique: str) -> str:
    """The last layer with weights that a technique can act on; the last of all without one."""
    able = [
        layer["name"]
        for layer in facts["layers"]
        if layer["parameters"] and layer["techniques"].get(technique, "unknown") is None
    ]
    return str((able or [facts["layers"][-1]["name"]])[-1])


def _quantized(title: str, mode: str, **more: Any) -> Entry:
    return Entry(title, {"quantize": {"mode": mode, **more}})


def _pruned(title: str, kind: str = "polynomial", **part: Any) -> Entry:
    return Entry(title, {"prune": {"schedule": {"kind": kind}, **part}})


def _clustered(title: str, **part: Any) -> Entry:
    return Entry(title, {"cluster": {"number_of_clusters": 8, **part}})


def _narrowed(title: str, target: str = "macs", **more: Any) -> Entry:
    structure = {"kind": "channels", "target": target, "multiple_of": 4}
    schedule = {"kind": "polynomial", "final_sparsity": 0.5}
    return Entry(title, {"prune": {"structure": structure, "schedule": schedule}, **more})


_QAT: dict[str, Any] = {"quantize": {"mode": "int8", "aware": True}}
_PER_TENSOR = {"granularity": "per_tensor"}
_PATTERN: dict[str, Any] = {"structure": {"kind": "n_m", "n": 2, "m": 4}}

RECIPES = {
    "f16": _quantized("float16", "float16"),
    "dyn": _quantized("dynamic range", "dynamic"),
    "i8": _quantized("int8", "int8"),
    "i8i": _quantized("int8, inputs and outputs int8", "int8", io="int8"),
    "i8u": _quantized("int8, inputs and outputs uint8", "int8", io="uint8"),
    "i8t": _quantized("int8, one scale per tensor", "int8", **_PER_TENSOR),
    "i16": _quantized("int16×8", "int16x8"),
    "q": Entry("QAT", _QAT),
    "qs": Entry("QAT without the last layer", _QAT, "quantize_aware", {"quantize": False}),
    "qt": _quantized("QAT, one scale per tensor", "int8", aware=True, **_PER_TENSOR),
    "p": _pruned("prune, polynomial"),
    "pc": _pruned("prune, constant", "constant"),
    "ps": _pruned("prune, steps", "steps"),
    "pb": _pruned("prune blocks of 4 × 1", structure={"kind": "block"}),
    "pn": _pruned("prune 2:4", **_PATTERN),
    "pg": _pruned("prune by gradient", criterion="gradient"),
    "pr": _pruned("prune at random", criterion="random"),
    "pw": _pruned("prune, competing over all layers", scope="global"),
    "pe": _pruned("prune, gentle ends", gentle_ends=True),
    "pl": Entry("prune, the last layer less", {"prune": {}}, "prune", {"final_sparsity": 0.3}),
    "ps+": Entry("prune, sparse encoding", {"prune": {}, "sparse_encoding": True}),
    "pn+": Entry(
        "prune 2:4, sparse encoding in float16",
        {"prune": _PATTERN, "sparse_encoding": True, "quantize": {"mode": "float16"}},
    ),
    "ch": _narrowed("remove channels, half of the multiply-accumulates"),
    "cc": _narrowed("remove channels, half of the channels", "channels"),
    "ch8": _narrowed("remove channels, then int8", quantize={"mode": "int8"}),
    "chq": _narrowed("remove channels, cluster, then QAT", cluster={}, **_QAT),
    "k": _clustered("cluster, k-means++"),
    "kl": _clustered("cluster, linear", cluster_centroids_init="linear"),
    "kd": _clustered("cluster, density-based", cluster_centroids_init="density"),
    "kr": _clustered("cluster, random", cluster_centroids_init="random"),
    "kc": _clustered("cluster per channel", per_channel=True),
    "ko": Entry(
        "cluster, the last layer to 16 values",
        {"cluster": {"number_of_clusters": 8}},
        "cluster",
        {"number_of_clusters": 16},
    ),
    "pq": Entry("prune, then QAT (PQAT)", {"prune": {}, **_QAT}),
    "kq": Entry("cluster, then QAT (CQAT)", {"cluster": {}, **_QAT}),
    "pkq": Entry("prune, cluster, then QAT (PCQAT)", {"prune": {}, "cluster": {}, **_QAT}),
    "kcq": Entry("cluster per channel, then QAT", {"cluster": {"per_channel": True}, **_QAT}),
    "pkd": Entry(
        "prune, cluster, dynamic range",
        {"prune": {}, "cluster": {}, "quantize": {"mode": "dynamic"}},
    ),
}
"""Code → recipe, in the table's order."""
