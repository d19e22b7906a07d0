"""What to do to a model, as an immutable, validated value.

A :class:`Recipe` has a canonical JSON form (every field spelled out, keys sorted), a short
readable name such as ``prune 80% · cluster 16 · int8 QAT`` and a content hash. It says
nothing about where or how it runs; :mod:`optimizer.plan` turns it into stages.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from optimizer.errors import InputError
from optimizer.plain_json import MAX_BYTES, load_plain
from optimizer.recipe_text import describe_error, name_parts
from optimizer.schedules import Part, PolynomialSchedule, Schedule, Sparsity
from optimizer.structures import PatternNM, Structure, Unstructured


class Prune(Part):
    """Weights that matter least are set to zero, or removed, while the model is fine-tuned.

    ``criterion`` says what matters: the weight's ``magnitude`` (Han et al. 2015,
    arXiv:1506.02626), weight times ``gradient`` (first-order Taylor expansion, Molchanov et al.
    2019, arXiv:1906.10771), or nothing (``random``, a control). ``scope`` is where weights
    compete: within their ``layer``, or over all layers (``global``). ``gentle_ends`` halves the
    sparsity of the first and the last layer, which are the most sensitive ones.
    """

    schedule: Schedule = PolynomialSchedule()
    structure: Structure = Unstructured()
    criterion: Literal["magnitude", "gradient", "random"] = "magnitude"
    scope: Literal["layer", "global"] = "layer"
    gentle_ends: bool = False

    @model_validator(mode="before")
    @classmethod
    def _pattern_sets_the_sparsity(cls, data: Any) -> Any:
        """An n:m pattern has a sparsity of its own: the schedule ends there."""
        structure = data.get("structure") if isinstance(data, dict) else None
        if not isinstance(structure, dict) or structure.get("kind") != "n_m":
            return data
        sparsity = PatternNM.model_validate(structure).sparsity
        schedule = data.get("schedule") or {"kind": "polynomial"}
        if not isinstance(schedule, dict) or schedule.get("kind") == "steps":
            return data
        field = "target_sparsity" if schedule.get("kind") == "constant" else "final_sparsity"
        return {**data, "schedule": {field: sparsity, **schedule}}

    @model_validator(mode="after")
    def _possible(self) -> Prune:
        structure = self.structure
        if isinstance(structure, PatternNM):
            if abs(self.schedule.final - structure.sparsity) > 1e-9:
                pattern, final = f"{structure.n}:{structure.m}", self.schedule.final
                raise ValueError(
                    f"a {pattern} pattern makes {structure.sparsity:g} of the weights zero, so the "
                    f"schedule must end there; received {final:g}"
                )
            if self.scope == "global" or self.gentle_ends:
                raise ValueError(
                    "an n:m pattern is the same in every layer; set scope to 'layer' and "
                    "gentle_ends to false, or choose another structure"
                )
        return self


CentroidInitialization = Literal["kmeans++", "linear", "density", "random"]


class Cluster(Part):
    """Weight clustering: each layer's weights share ``number_of_clusters`` values.

    ``per_channel`` gives every output channel of a convolution centroids of its own.
    """

    number_of_clusters: Annotated[int, Field(ge=2, le=1024)] = 16
    cluster_centroids_init: CentroidInitialization = "kmeans++"
    per_channel: bool = False


QuantizeMode = Literal["none", "float16", "dynamic", "int8", "int16x8"]


class Quantize(Part):
    """How weights and activations are stored in the ``.tflite``.

    ``io`` is the dtype of the model's inputs and outputs, ``calibration_samples`` the number
    of training samples in the representative dataset, ``aware`` quantization-aware training,
    ``granularity`` whether each output channel of a kernel has a scale of its own.
    """

    mode: QuantizeMode = "int8"
    aware: bool = False
    io: Literal["float32", "int8", "uint8"] = "float32"
    granularity: Literal["per_channel", "per_tensor"] = "per_channel"
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
        if self.granularity != "per_channel" and self.mode != "int8":
            raise ValueError(
                f"granularity {self.granularity!r} needs mode 'int8' (int16x8 kernels know "
                f"per_channel only); received mode {self.mode!r}"
            )
        return self


class FineTune(Part):
    """Training in each of the prune, cluster and QAT stages. Optimizer: Adam."""

    epochs: Annotated[int, Field(ge=1, le=1000)] = 3
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 32
    learning_rate: Annotated[float, Field(gt=0.0, le=10.0)] = 0.001


class LayerOverride(Part):
    """What one layer, named as in the model's layer table, gets instead of the recipe's value.

    ``quantize: false`` leaves the layer out of quantization-aware training.
    """

    final_sparsity: Sparsity | None = None
    number_of_clusters: Annotated[int, Field(ge=2, le=1024)] | None = None
    quantize: bool | None = None


class Recipe(Part):
    """What to do to a model. The empty recipe is the float32 TFLite baseline.

    ``sparse_encoding`` stores pruned weights without their zeros, so that the file itself
    becomes smaller, not only its compressed form.
    """

    prune: Prune | None = None
    cluster: Cluster | None = None
    quantize: Quantize = Quantize(mode="none")
    sparse_encoding: bool = False
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
            if override.quantize is not None and not self.quantize.aware:
                raise ValueError(
                    f"layers.{name}.quantize chooses layers for quantization-aware training; "
                    "this recipe has none"
                )
            fixed = self.prune is not None and self.prune.structure.kind == "n_m"
            if override.final_sparsity is not None and fixed:
                raise ValueError(
                    f"layers.{name}.final_sparsity cannot change an n:m pattern, which is the "
                    "same in every layer"
                )
        return self

    @model_validator(mode="after")
    def _zeros_to_leave_out(self) -> Recipe:
        if self.sparse_encoding and not self.leaves_zeros:
            raise ValueError(
                "sparse_encoding leaves out zeros, and this recipe makes none; add prune with the "
                "structure unstructured, block or n_m"
            )
        if self.sparse_encoding and self.quantize.mode not in ("none", "float16"):
            raise ValueError(
                "sparse_encoding needs weights in float32 or float16: the TFLite runtime does not "
                f"execute it in integers; received mode {self.quantize.mode!r}"
            )
        return self

    @model_validator(mode="after")
    def _room_for_zero(self) -> Recipe:
        if self.leaves_zeros and self.cluster and self.cluster.number_of_clusters < 3:
            raise ValueError(
                "clustering that preserves sparsity keeps one centroid at zero and needs "
                f"at least 3 clusters; received {self.cluster.number_of_clusters}"
            )
        return self

    @property
    def leaves_zeros(self) -> bool:
        """Whether pruning leaves zeros in the weights; removed channels leave none."""
        return self.prune is not None and self.prune.structure.kind != "channels"

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
        return " · ".join(name_parts(self)) or "float32 baseline"

    @cached_property
    def hash(self) -> str:
        """SHA-256 of what differs from the defaults, 64 hexadecimal digits.

        So a field that a later version adds leaves the hashes of earlier recipes as they are.
        """
        essence = json.dumps(_essence(self), sort_keys=True)
        return hashlib.sha256(essence.encode()).hexdigest()

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
            if not isinstance(value, dict):
                load_plain(value)
                return cls.model_validate_json(value)
            return cls.model_validate(value)
        except ValidationError as error:
            raise InputError(f"The {source} cannot be used. {describe_error(error)}") from None
        except InputError as error:
            raise InputError(f"The {source} cannot be used. {error}") from None

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """Read a recipe file; see :meth:`parse`."""
        try:
            with path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise InputError(f"Cannot read the recipe {path}: {error.strerror}.") from None
        return cls.parse(content, source=f"recipe {path.name}")


BASELINE = Recipe()


def _essence(value: Any) -> Any:
    """The fields of a part that differ from their defaults, and its kind."""
    if isinstance(value, dict):
        return {key: _essence(item) for key, item in value.items()}
    if not isinstance(value, Part):
        return value
    return {
        name: _essence(getattr(value, name))
        for name, default in _defaults(type(value)).items()
        if name == "kind" or getattr(value, name) != default
    }


@cache
def _defaults(part: type[Part]) -> dict[str, Any]:
    """Field name → default; not to be changed."""
    return {
        name: info.get_default(call_default_factory=True)
        for name, info in part.model_fields.items()
    }
