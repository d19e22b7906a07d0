"""What a study's archive contains, as shapes that are checked before anything is believed.

Members of the zip, in this order::

    manifest.json                 format, schema, version, SHA-256 and size of every other member
    study.json                    the study, its model, dataset, finished variants and scans
    files/model, files/dataset    the uploaded bytes
    dataset/preview.npz           samples to look at, where there are any
    artifacts/<key>/<file>        the measured results of the variants

Unknown keys are accepted inside facts, results and measurements, which grow with the product,
and nowhere else.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from optimizer.data.objective import split_task
from optimizer.data.options import DataOptions
from optimizer.errors import InputError
from optimizer.store.archive_json import Time
from optimizer.store.archive_scans import MOST_SCANS, ScanEntry

FORMAT = "featherweight-study"
SCHEMA = 5
"""2 added a dataset's options and a study's objective, 3 latencies measured together,
4 what the study's report says, 5 scans of single layers."""
ARTIFACT_FILES = (
    "model.tflite",
    "layers.json",
    "conversion.json",
    "audit.json",
    "training.json",
    "metrics.json",
    "latency.json",
    "latencies.json",
    "predictions.npz",
)
PREVIEW = "dataset/preview.npz"
MEMBER_NAME = re.compile(
    r"manifest\.json|study\.json|files/model|files/dataset|dataset/preview\.npz"
    rf"|artifacts/[0-9a-f]{{64}}/(?:{'|'.join(re.escape(name) for name in ARTIFACT_FILES)})",
    re.ASCII,
)


def _task(text: str) -> str:
    try:
        split_task(text)
    except InputError as error:
        raise ValueError(str(error)) from None
    return text


Task = Annotated[str, StringConstraints(max_length=1000), AfterValidator(_task)]


def _options(value: dict[str, Any]) -> dict[str, Any]:
    try:
        return DataOptions.parse(value).dump()
    except InputError as error:
        raise ValueError(str(error)) from None


Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Pair = Annotated[list[float | None], Field(min_length=2, max_length=2)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class _Growing(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="allow", allow_inf_nan=False)


class Member(_Strict):
    """One file of the archive."""

    sha256: Sha256
    size_bytes: Count


class Manifest(_Strict):
    """The archive's table of contents."""

    format: Literal["featherweight-study"]
    schema_version: Annotated[int, Field(alias="schema", ge=1, le=SCHEMA)]
    featherweight_version: Name
    members: dict[str, Member]


class _Tensor(_Growing):
    name: str
    shape: list[int | None]
    dtype: str


class _ModelLayer(_Growing):
    name: str
    type: str
    parameters: Count
    techniques: dict[str, str | None]


class ModelFacts(_Growing):
    """``facts.json`` of import_model, as far as pages rely on it."""

    parameters: Count
    inputs: list[_Tensor]
    outputs: list[_Tensor]
    layers: list[_ModelLayer]
    notes: list[str] = []


class DatasetFacts(_Growing):
    """``facts.json`` of prepare_data, as far as pages rely on it."""

    train: Count
    test: Count
    x_shape: list[int]
    y_kind: str
    classes: Count | None
    notes: list[str] = []


class _Latency(_Growing):
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None
    ratio: float | None = None
    ratio_ci: Pair | None = None


class Results(_Growing):
    """A variant's measurements: the VARIANT of ``results.json`` without its layers."""

    size_bytes: Count | None = None
    gzip_bytes: Count | None = None
    parameter_bytes: Count | None = None
    accuracy: Share | None = None
    accuracy_n: Count | None = None
    agreement: Share | None = None
    metrics: dict[str, Any] | None = None
    latency_ms: _Latency | None = None
    peak_memory_bytes: Count | None = None
    sparsity: Share | None = None
    max_distinct_weights: Count | None = None
    seconds: dict[str, float] | None = None
    cached: list[str] | None = None


class _Layer(_Growing):
    name: str
    type: str
    shape: list[int | None]
    dtype: str
    sparsity: float | None
    distinct: int | None
    bytes: int | None


class Layers(_Growing):
    """``layers.json``."""

    layers: list[_Layer]


class Remarks(_Growing):
    """``conversion.json`` and ``training.json``, of which nothing is relied on but notes."""

    notes: list[str] = []


class Metrics(_Growing):
    """``metrics.json``."""

    task: Task
    n: Count
    metric: str
    value: float | None


class Latency(_Growing):
    """``latency.json``, of one file with its baseline."""

    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None


class Latencies(_Growing):
    """``latencies.json``: conversion's key → its latency, or why there is none."""

    files: Annotated[dict[Sha256, dict[str, Any]], Field(max_length=20_000)]


MEASUREMENTS: dict[str, type[BaseModel]] = {
    "layers.json": Layers,
    "conversion.json": Remarks,
    "training.json": Remarks,
    "metrics.json": Metrics,
    "latency.json": Latency,
    "latencies.json": Latencies,
}


class UploadEntry(_Strict):
    """A file that was brought."""

    name: Name
    file_name: Name
    sha256: Sha256
    size_bytes: Count


class ModelEntry(UploadEntry):
    """The study's model."""

    facts: ModelFacts | None


class DatasetEntry(UploadEntry):
    """The study's dataset."""

    test_share: Share
    split_seed: Annotated[int, Field(ge=0, le=2**63 - 1)]
    options: Annotated[dict[str, Any], AfterValidator(_options)] = {}
    facts: DatasetFacts | None


class Objective(_Strict):
    """What a person chose of how a study trains and measures."""

    loss: Name | None = None
    metric: Name | None = None


RecipeHash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{1,64}$")]
Text = Annotated[str, StringConstraints(max_length=1000)]


class ReportEntry(_Strict):
    """What a person decided about the study's report."""

    title: Text = ""
    question: Text = ""
    audience: Text = ""
    choice: RecipeHash | None = None
    alternatives: Annotated[list[RecipeHash], Field(max_length=20)] | None = None


class VariantEntry(_Strict):
    """One finished variant."""

    name: Name
    recipe: dict[str, Any]
    results: Results
    stages: Annotated[dict[Name, Sha256], Field(max_length=20)]
    created_at: Time


class StudyEntry(_Strict):
    """``study.json``."""

    name: Name
    task: Task
    created_at: Time
    environment: dict[str, Any] | None
    objective: Objective = Objective()
    report: ReportEntry = ReportEntry()
    model: ModelEntry
    dataset: DatasetEntry
    scans: Annotated[list[ScanEntry], Field(max_length=MOST_SCANS)] = []
    variants: Annotated[list[VariantEntry], Field(max_length=20_000)]
