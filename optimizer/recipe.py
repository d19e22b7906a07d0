"""What to do to a model, as an immutable, validated value.

A :class:`Recipe` has a canonical JSON form (every field spelled out, keys sorted), a short
readable name such as ``prune 80% · cluster 16 · int8 QAT`` and a content hash. It says
nothing about where or how it runs; :mod:`optimizer.plan` turns it into stages.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from optimizer.errors import InputError

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Sparsity = Annotated[float, Field(ge=0.0, lt=1.0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ConstantSchedule(_Part):
    """The target sparsity at once, from ``begin`` (a fraction of the fine-tuning steps) on."""

    kind: Literal["constant"] = "constant"
    target_sparsity: Sparsity = 0.8
    begin: Fraction = 0.0
    frequency: Annotated[int, Field(ge=1)] | None = None

    @property
    def final(self) -> float:
        """The sparsity that the schedule ends with, 0 to 1."""
        return self.target_sparsity

    def sparsity_at(self, fraction: float) -> float:
        """Sparsity asked for after ``fraction`` (0 to 1) of the fine-tuning steps."""
        return self.target_sparsity if fraction >= self.begin else 0.0

    @model_validator(mode="after")
    def _leaves_room(self) -> ConstantSchedule:
        if self.begin >= 1.0:
            raise ValueError(
                f"begin must be below 1, or pruning never starts; received {self.begin:g}"
            )
        return self


class PolynomialSchedule(_Part):
    """Sparsity that rises along a polynomial (Zhu & Gupta 2017, arXiv:1710.01878).

    ``begin`` and ``end`` are fractions of the fine-tuning steps, so that a recipe means the
    same on any data set. ``frequency`` is in optimizer steps; ``None`` chooses one that gives
    at least 20 mask updates, the last at ``end``.
    """

    kind: Literal["polynomial"] = "polynomial"
    initial_sparsity: Sparsity = 0.0
    final_sparsity: Sparsity = 0.8
    power: Annotated[float, Field(gt=0.0, le=10.0)] = 3
    begin: Fraction = 0.0
    end: Fraction = 0.75
    frequency: Annotated[int, Field(ge=1)] | None = None

    @property
    def final(self) -> float:
        """The sparsity that the schedule ends with, 0 to 1."""
        return self.final_sparsity

    def sparsity_at(self, fraction: float) -> float:
        """Sparsity asked for after ``fraction`` (0 to 1) of the fine-tuning steps."""
        if fraction < self.begin:
            return 0.0
        progress = min(1.0, (fraction - self.begin) / (self.end - self.begin))
        span = self.initial_sparsity - self.final_sparsity
        return self.final_sparsity + span * (1.0 - progress) ** self.power

    @model_validator(mode="after")
    def _in_order(self) -> PolynomialSchedule:
        if self.begin >= self.end:
            raise ValueError(f"begin must be below end; received {self.begin:g} and {self.end:g}")
        if self.initial_sparsity > self.final_sparsity:
            raise ValueError(
                "initial_sparsity must not exceed final_sparsity; received "
                f"{self.initial_sparsity:g} and {self.final_sparsity:g}"
            )
        return self


class Unstructured(_Part):
    """Single weights are set to zero wherever they matter least."""

    kind: Literal["unstructured"] = "unstructured"


class Prune(_Part):
    """Magnitude pruning: the smallest weights become zero while the model is fine-tuned."""

    schedule: Annotated[ConstantSchedule | PolynomialSchedule, Field(discriminator="kind")] = (
        PolynomialSchedule()
    )
    structure: Unstructured = Unstructured()
    criterion: Literal["magnitude"] = "magnitude"
    scope: Literal["layer"] = "layer"


CentroidInitialization = Literal["kmeans++", "linear", "density", "random"]


class Cluster(_Part):
    """Weight clustering: each layer's weights share ``number_of_clusters`` values."""

    number_of_clusters: Annotated[int, Field(ge=2, le=1024)] = 16
    cluster_centroids_init: CentroidInitialization = "kmeans++"
    per_channel: Literal[False] = False


QuantizeMode = Literal["none", "float16", "dynamic", "int8", "int16x8"]


class Quantize(_Part):
    """How weights and activations are stored in the ``.tflite``.

    ``io`` is the dtype of the model's inputs and outputs, ``calibration_samples`` the number
    of training samples in the representative dataset, ``aware`` quantization-aware training.
    """

    mode: QuantizeMode = "int8"
    aware: bool = False
    io: Literal["float32", "int8", "uint8"] = "float32"
    granularity: Literal["per_channel"] = "per_channel"
    calibration_samples: Annotated[int, Field(ge=1, le=10_000)] = 200

    @model_validator(mode="after")
    def _possible(self) -> Quantize:
        if self.aware and self.mode != "int8":
            raise ValueError(
                "quantization-aware training prepares a model for int8; "
                f"received mode {self.mode!r} with aware=true. Choose int8, or switch aware off"
            )
        if self.io != "float32" and self.mode != "int8":
            raise ValueError(
                f"{self.io} inputs and outputs need mode 'int8'; received mode {self.mode!r}"
            )
        return self


class FineTune(_Part):
    """Training in each of the prune, cluster and QAT stages. Optimizer: Adam."""

    epochs: Annotated[int, Field(ge=1, le=1000)] = 3
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 32
    learning_rate: Annotated[float, Field(gt=0.0, le=10.0)] = 0.001


class LayerOverride(_Part):
    """What one layer, named as in the model's layer table, gets instead of the recipe's value."""

    final_sparsity: Sparsity | None = None
    number_of_clusters: Annotated[int, Field(ge=2, le=1024)] | None = None


class Recipe(_Part):
    """What to do to a model. The empty recipe is the float32 TFLite baseline."""

    prune: Prune | None = None
    cluster: Cluster | None = None
    quantize: Quantize = Quantize(mode="none")
    fine_tune: FineTune = FineTune()
    layers: dict[str, LayerOverride] = Field(default_factory=dict)
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0

    @model_validator(mode="after")
    def _overrides_apply(self) -> Recipe:
        for name, override in self.layers.items():
            for field, part in (("final_sparsity", "prune"), ("number_of_clusters", "cluster")):
                if getattr(override, field) is not None and getattr(self, part) is None:
                    raise ValueError(
                        f"layers.{name}.{field} has nothing to override: this recipe has no {part}"
                    )
        return self

    @model_validator(mode="after")
    def _room_for_zero(self) -> Recipe:
        if self.prune and self.cluster and self.cluster.number_of_clusters < 3:
            raise ValueError(
                "clustering that preserves sparsity keeps one centroid at zero and needs "
                f"at least 3 clusters; received {self.cluster.number_of_clusters}"
            )
        return self

    @property
    def trains(self) -> bool:
        """Whether any stage of this recipe trains, and so needs targets to train on."""
        return self.prune is not None or self.cluster is not None or self.quantize.aware

    @property
    def is_baseline(self) -> bool:
        """Whether this is the float32 TFLite conversion with nothing done to the model."""
        return not self.trains and self.quantize.mode == "none"

    @property
    def name(self) -> str:
        """Short readable name, for example ``prune 80% · cluster 16 · int8 QAT``."""
        return " · ".join(_name_parts(self)) or "float32 baseline"

    @property
    def hash(self) -> str:
        """SHA-256 of the canonical JSON, 64 hexadecimal digits."""
        return hashlib.sha256(self.canonical_json().encode()).hexdigest()

    def canonical_json(self, indent: int | None = None) -> str:
        """Every field spelled out, keys sorted; equal recipes give equal text."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, indent=indent)

    @classmethod
    def parse(cls, value: str | bytes | dict[str, Any], source: str = "recipe") -> Recipe:
        """Read a recipe from JSON text or a plain dict.

        Raises:
            InputError: naming the field, the value received and what is accepted.
        """
        try:
            if isinstance(value, dict):
                return cls.model_validate(value)
            return cls.model_validate_json(value)
        except ValidationError as error:
            raise InputError(f"The {source} cannot be used. {_describe(error)}") from None

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """Read a recipe file; see :meth:`parse`."""
        try:
            return cls.parse(path.read_bytes(), source=f"recipe {path.name}")
        except OSError as error:
            raise InputError(f"Cannot read the recipe {path}: {error.strerror}.") from None


BASELINE = Recipe()


def _name_parts(recipe: Recipe) -> list[str]:
    parts = []
    if recipe.prune:
        schedule = recipe.prune.schedule
        constant = " constant" if schedule.kind == "constant" else ""
        parts.append(f"prune {100 * schedule.final:g}%{constant}")
    if recipe.cluster:
        default = Cluster().cluster_centroids_init
        init = recipe.cluster.cluster_centroids_init
        parts.append(
            f"cluster {recipe.cluster.number_of_clusters}" + ("" if init == default else f" {init}")
        )
    quantize = recipe.quantize
    if quantize.mode != "none":
        label: str = "dynamic range" if quantize.mode == "dynamic" else quantize.mode
        io = "" if quantize.io == "float32" else f" {quantize.io} in/out"
        parts.append(label + (" QAT" if quantize.aware else "") + io)
    if recipe.trains:
        default_tune = FineTune()
        for field, label in (
            ("epochs", "epochs"),
            ("batch_size", "batch"),
            ("learning_rate", "lr"),
        ):
            value = getattr(recipe.fine_tune, field)
            if value != getattr(default_tune, field):
                parts.append(f"{label} {value:g}")
    if recipe.layers:
        parts.append(f"{len(recipe.layers)} layer override{'s' if len(recipe.layers) > 1 else ''}")
    if recipe.seed and not recipe.is_baseline:
        parts.append(f"seed {recipe.seed}")
    return parts


def _describe(error: ValidationError) -> str:
    sentences = []
    for item in error.errors(include_url=False):
        where = ".".join(
            str(part) for part in item["loc"] if part not in ("polynomial", "constant")
        )
        if item["type"] == "json_invalid":
            return f"It is not valid JSON: {item['ctx']['error']}."
        if item["type"] == "extra_forbidden":
            sentences.append(f"Unknown key {where!r}.")
            continue
        text = item["msg"].removeprefix("Value error, ")
        received = "" if "received" in text else f"; received {item['input']!r}"
        sentences.append(f"{where + ': ' if where else ''}{text}{received}.")
    return " ".join(sentences)
