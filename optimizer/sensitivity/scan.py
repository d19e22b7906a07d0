"""What a scan of single layers found, as a value: by layer and setting, in the unit of its task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from optimizer.data.objective import LOWER_IS_BETTER
from optimizer.format import is_share, lowered, metric_title
from optimizer.measure.paired import AGREEMENT, DIFFERENCE

Technique = Literal["prune", "cluster", "int8"]
TECHNIQUES: tuple[Technique, ...] = ("prune", "cluster", "int8")
INT8 = 8
"""The level of the one setting of ``int8``."""


@dataclass(frozen=True)
class Setting:
    """One column of a scan: a sparsity (0 to 1), a number of clusters, or 8 bits."""

    technique: Technique
    level: float

    @property
    def label(self) -> str:
        """As short as a column's head: ``80 %``, ``16``, ``int8``."""
        if self.technique == "prune":
            return f"{100 * self.level:g} %"
        return "int8" if self.technique == "int8" else f"{self.level:g}"

    @property
    def words(self) -> str:
        """What was done to the layer, as in "pruned to 80 %"."""
        if self.technique == "prune":
            return f"pruned to {100 * self.level:g} %"
        if self.technique == "cluster":
            return f"clustered to {self.level:g} values"
        return "rounded to int8"


@dataclass(frozen=True)
class Cell:
    """What one layer in one setting lost; larger is worse, in the scan's unit.

    Attributes:
        lost: ``None`` when the outputs were no finite numbers.
        low, high: the ends of its 95 % interval.
    """

    lost: float | None
    low: float | None
    high: float | None

    @property
    def noise(self) -> bool:
        """Whether it cannot be told from no loss by these samples."""
        return self.low is not None and self.high is not None and self.low <= 0 <= self.high


@dataclass(frozen=True)
class Unit:
    """How a loss is said.

    Attributes:
        factor: the metric's own unit → this one.
        title: of the measure, such as ``Accuracy lost``.
        name: after a figure, such as ``points``; may be empty.
        threshold: a usual tolerance for one layer.
        step: a sensible step of that.
        explanation: what it is, as a sentence.
    """

    factor: float
    title: str
    name: str
    threshold: float
    step: float
    explanation: str

    def show(self, lost: float | None) -> str:
        """A loss in words: ``0.9 points``."""
        if lost is None:
            return "not a number"
        digits = 4 if self.step < 0.05 else 2
        shown = f"{round(lost, digits):g}".replace("-", "−")
        one = self.name == "points" and shown == "1"
        return f"{shown} {'point' if one else self.name}".rstrip()


@dataclass(frozen=True)
class LayerScan:
    """One layer's row.

    Attributes:
        weights: in its kernels.
        cells: by setting; what cannot act on the layer is not there.
    """

    name: str
    type: str
    weights: int
    cells: Mapping[Setting, Cell]

    def worst(self) -> float:
        """The largest loss of the row."""
        return max((cell.lost for cell in self.cells.values() if cell.lost is not None), default=0)

    def can(self, technique: Technique) -> bool:
        """Whether a technique was tried in this layer."""
        return any(setting.technique == technique for setting in self.cells)


@dataclass(frozen=True)
class Scan:
    """A scan, as one of the model's outputs sees it.

    Attributes:
        output: its name.
        outputs: the names of all.
        metric: what was measured of it.
        value: of the model as it is.
        samples: test samples judged by, of the ``test_samples`` there are.
        layers: in the model's order.
    """

    output: str
    outputs: tuple[str, ...]
    metric: str
    value: float | None
    unit: Unit
    samples: int
    test_samples: int
    layers: tuple[LayerScan, ...]

    @cached_property
    def settings(self) -> tuple[Setting, ...]:
        """The columns: sparsities, cluster counts, int8, each rising."""
        found = {setting for layer in self.layers for setting in layer.cells}
        return tuple(sorted(found, key=lambda s: (TECHNIQUES.index(s.technique), s.level)))

    @cached_property
    def noise_floor(self) -> float | None:
        """How exactly the best known cell is known: half its 95 % interval; ``None`` without."""
        halves = [
            (cell.high - cell.low) / 2
            for layer in self.layers
            for cell in layer.cells.values()
            if cell.low is not None and cell.high is not None
        ]
        return min(halves, default=None)

    @cached_property
    def by_name(self) -> dict[str, LayerScan]:
        """Layer's name → its row."""
        return {layer.name: layer for layer in self.layers}


def read_scan(content: Mapping[str, Any], output: int = 0) -> Scan:
    """A scan from the content of ``scan.json``; see :mod:`optimizer.techniques.layer_scan`.

    Args:
        content: as the stage wrote it.
        output: which of the model's outputs to look at.
    """
    facts = content["outputs"][output]
    unit = unit_of(facts["metric"], facts["value"], facts["scale"])
    return Scan(
        facts["name"],
        tuple(each["name"] for each in content["outputs"]),
        facts["metric"],
        facts["value"],
        unit,
        content["samples"],
        content["test_samples"],
        tuple(
            LayerScan(
                layer["name"],
                layer["type"],
                layer["weights"],
                {setting: _cell(found[output], unit.factor) for setting, found in _found(layer)},
            )
            for layer in content["layers"]
        ),
    )


def unit_of(metric: str, value: float | None, scale: float | None) -> Unit:
    """The unit in which a metric's losses are said.

    Args:
        metric: of the study, or what stands in for it without labels.
        value: of the model as it is, which errors are related to.
        scale: standard deviation of its outputs, which unlabelled differences are related to.
    """
    title = metric_title(metric)
    if metric == AGREEMENT:
        text = (
            "There are no labels, so this is the share of samples whose prediction is another "
            "than that of the model as it is."
        )
        return Unit(100, "Agreement lost", "points", 1.0, 0.1, text)
    if metric == DIFFERENCE:
        text = (
            "There are no labels, so this is how far the outputs moved from those of the model as "
            "it is, on average, in per cent of their standard deviation."
        )
        return Unit(100 / scale if scale else 1.0, "Outputs moved", "%", 2.0, 0.1, text)
    if metric in LOWER_IS_BETTER:
        if not value:
            text = f"{title} with the layer changed; that of the model as it is, is 0."
            return Unit(1.0, f"{title}: growth", "", 0.01, 0.01, text)
        text = f"By how many per cent the {lowered(title)} grew: it is an error, more is worse."
        return Unit(100 / value, f"{title}: growth", "%", 2.0, 0.1, text)
    if is_share(metric):
        text = f"{title} of the model as it is minus that with the layer changed, in points."
        return Unit(100, f"{title} lost", "points", 1.0, 0.1, text)
    text = f"{title} of the model as it is minus that with the layer changed; 1 is perfect."
    return Unit(1.0, f"{title} lost", "", 0.01, 0.001, text)


def _found(layer: Mapping[str, Any]) -> Iterator[tuple[Setting, list[Mapping[str, Any]]]]:
    techniques: tuple[Technique, ...] = ("prune", "cluster")
    for technique in techniques:
        for level, found in (layer[technique] or {}).items():
            yield Setting(technique, float(level)), found
    if layer["int8"] is not None:
        yield Setting("int8", INT8), layer["int8"]


def _cell(found: Mapping[str, Any], factor: float) -> Cell:
    ends = (found[name] for name in ("fall", "low", "high"))
    return Cell(*(None if end is None else factor * end for end in ends))
