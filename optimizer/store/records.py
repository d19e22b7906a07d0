"""What the store hands out: frozen values, never rows.

Identifiers are short random hexadecimal strings, times UTC ISO 8601 strings, sizes bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from optimizer.recipe import Recipe

Origin = Literal["local", "sample", "imported"]
State = Literal["queued", "running", "done", "failed", "cancelled"]
StageState = Literal["waiting", "running", "done", "failed", "cancelled"]
RunKind = Literal[
    "import_model",
    "prepare_data",
    "variants",
    "latency",
    "search",
    "sensitivity",
    "inspect",
    "calibration",
    "invocations",
    "without_preserving",
]
TrialState = Literal["running", "complete", "pruned", "failed", "refused"]
TrialOrigin = Literal["study", "start", "sibling", "sampled"]
EngineStatus = Literal["starting", "warming", "ready", "stopping"]

ACTIVE: tuple[State, ...] = ("queued", "running")
FINISHED: tuple[State, ...] = ("done", "failed", "cancelled")


@dataclass(frozen=True)
class Model:
    """A model file as it was brought, and what reading it found.

    Attributes:
        facts: the ``facts.json`` of its import, or ``None`` before it was imported.
        facts_key: the artifact that holds it. For a model that came with an imported study,
            that artifact has ``facts.json`` only and is not the engine's cache entry.
    """

    id: str
    name: str
    file_name: str
    sha256: str
    size_bytes: int
    created_at: str
    origin: Origin = "local"
    facts: dict[str, Any] | None = None
    facts_key: str | None = None


@dataclass(frozen=True)
class Dataset:
    """A data file as it was brought, how to split it, and what reading it found.

    Attributes:
        test_share: share of the samples held out, used when the file has no test set.
        facts_key: as in :class:`Model`; the artifact holds ``facts.json`` and ``preview.npz``.
        options: how else to read it, as :class:`optimizer.data.options.DataOptions` dumps them.
    """

    id: str
    name: str
    file_name: str
    sha256: str
    size_bytes: int
    created_at: str
    test_share: float
    split_seed: int
    origin: Origin = "local"
    facts: dict[str, Any] | None = None
    facts_key: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """One model, one dataset, and the variants tried on them.

    Attributes:
        task: one of :data:`optimizer.data.objective.TASKS` per output, joined by ``+``.
        objective: ``loss`` and ``metric`` where a person chose them.
        environment: versions and hardware that made its results, where known.
        variant_count: all its variants, the baseline included.
        done_count: those of them that are done.
    """

    id: str
    name: str
    model_id: str
    dataset_id: str
    task: str
    created_at: str
    origin: Origin = "local"
    environment: dict[str, Any] | None = None
    objective: dict[str, Any] = field(default_factory=dict)
    variant_count: int = 0
    done_count: int = 0


@dataclass(frozen=True)
class StudyReport:
    """What a person decided about a study's report; empty texts mean the proposed ones.

    Attributes:
        choice: hash of the recommended variant's recipe, which holds in every workbench;
            ``None`` for the suggested one.
        alternatives: hashes of the recipes beside it; ``None`` for the proposed ones.
    """

    study_id: str
    title: str = ""
    question: str = ""
    audience: str = ""
    choice: str | None = None
    alternatives: list[str] | None = None


@dataclass(frozen=True)
class Share:
    """A link that opens a study for reading."""

    token: str
    study_id: str
    created_at: str


@dataclass(frozen=True)
class Variant:
    """A recipe applied to a study's model.

    Attributes:
        results: the measurements, without the layer table, which is in an artifact.
        stages: stage name → artifact key.
    """

    id: str
    study_id: str
    recipe: Recipe
    name: str
    is_baseline: bool
    state: State
    error: str | None
    results: dict[str, Any] | None
    stages: dict[str, str]
    created_at: str


@dataclass(frozen=True)
class Run:
    """One execution request, as it stands.

    Attributes:
        options: what was asked for; of a search see :class:`optimizer.search.goal.SearchOptions`,
            of a scan of layers :class:`optimizer.sensitivity.options.ScanOptions`.
        result: what a search found, see :mod:`optimizer.search.answer`; of a scan ``scan``, the
            content of ``scan.json``, and ``seconds``, see :mod:`optimizer.techniques.layer_scan`;
            of an experiment see :mod:`optimizer.engine.experiments`.
    """

    id: str
    kind: RunKind
    title: str
    model_id: str | None
    dataset_id: str | None
    study_id: str | None
    variant_ids: tuple[str, ...]
    options: dict[str, Any]
    state: State
    error: str | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    cancel_requested: bool
    result: dict[str, Any] | None = None


@dataclass(frozen=True)
class Trial:
    """One candidate that a search tries.

    Attributes:
        number: counted from 0 within the search, in the order they were begun.
        variant_id: the variant it became; ``None`` once that was deleted.
        choices: choice point of the space → index of the alternative taken.
        recipe: the candidate's.
        origin: why it was tried: it was in the ``study`` already, belongs to the ``start`` that
            every search makes, is the ``sibling`` of one whose training it shares, or was
            ``sampled``.
        state: ``pruned`` means ended early as hopeless.
        figures: what was measured, see :class:`optimizer.search.goal.Figures`; empty before.
        violations: constraint → by how much it is broken, relative to its limit; 0 or less is
            kept.
        intermediate: the metric during training, as ``[stage, epoch, epochs, value]``.
        message: why it was ended, failed or was refused.
        seconds: from its begin to its end, waiting included.
    """

    run_id: str
    number: int
    variant_id: str | None
    choices: dict[str, int]
    recipe: Recipe
    origin: TrialOrigin = "sampled"
    state: TrialState = "running"
    figures: dict[str, Any] = field(default_factory=dict)
    violations: dict[str, float] = field(default_factory=dict)
    intermediate: list[list[Any]] = field(default_factory=list)
    message: str = ""
    seconds: float | None = None


@dataclass(frozen=True)
class VariantCounts:
    """How far the variants of a run are.

    Attributes:
        variants: those that are in the store.
        measured: those of them that have results, of which latency may come later.
        done, failed: those that ended so.
    """

    variants: int
    measured: int
    done: int
    failed: int


@dataclass(frozen=True)
class RunStage:
    """One stage of a run.

    Attributes:
        key: the stage's content key, 64 hexadecimal digits; its result's artifact key.
        label: the stage in words, for a person.
        variant_ids: the run's variants that need this stage.
        fraction: share done, 0 to 1, or ``None`` when it cannot be known.
        cached: whether the result was there already.
    """

    run_id: str
    key: str
    name: str
    label: str
    variant_ids: tuple[str, ...] = ()
    state: StageState = "waiting"
    fraction: float | None = None
    message: str = ""
    numbers: dict[str, Any] = field(default_factory=dict)
    started_at: str | None = None
    finished_at: str | None = None
    seconds: float | None = None
    cached: bool = False


@dataclass(frozen=True)
class EngineState:
    """The engine's sign of life.

    Attributes:
        process_start: when the process started, in seconds after the machine did, which tells a
            live engine from a recycled pid.
        heartbeat_at: when it last said it was alive.
        detail: where stages run, in words.
        slots: how many training stages may run at once.
        workers: what it knows of each worker, see :class:`optimizer.engine.cluster.WorkerFacts`.
    """

    pid: int
    process_start: float
    heartbeat_at: str
    status: EngineStatus
    detail: str = ""
    slots: int = 0
    workers: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class DiskUse:
    """Bytes that the store occupies."""

    database_bytes: int
    files_bytes: int
    artifacts_bytes: int
    logs_bytes: int
    temporary_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """All of it."""
        kept = self.database_bytes + self.files_bytes + self.artifacts_bytes
        return kept + self.logs_bytes + self.temporary_bytes
