"""Recipes → a graph of stages with content keys; shared prefixes appear once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from optimizer.keys import Source, Stage, StoredResult
from optimizer.recipe import BASELINE, Recipe

STAGE_NAMES = (
    "import_model",
    "prepare_data",
    "sensitivity",
    "prune",
    "cluster",
    "quantize_aware",
    "convert",
    "calibration",
    "evaluate",
    "benchmark",
    "inspect_predictions",
    "inspect_activations",
    "inspect_profile",
    "invocations",
)
"""Every stage there is, in the order they run."""


@dataclass(frozen=True)
class VariantPlan:
    """The stages that end in a variant's file and in how well it does.

    Its latency is measured together with other variants': see :func:`latency_window`.
    """

    convert: Stage
    evaluate: Stage

    @property
    def ends(self) -> tuple[Stage, Stage]:
        """The conversion, and the stage nothing else depends on."""
        return self.convert, self.evaluate

    def stages(self) -> list[Stage]:
        """Every stage once, each after those it needs."""
        ordered = {stage.key: stage for end in self.ends for stage in end.upstream()}
        return list(ordered.values())


@dataclass(frozen=True)
class RunPlan:
    """Several variants with the baseline they are compared with; shared stages appear once.

    Attributes:
        baseline: of the study.
        variants: in the order of the recipes.
    """

    baseline: VariantPlan
    variants: tuple[VariantPlan, ...]

    def window(self) -> Stage:
        """The stage that measures the latency of all of them together."""
        return latency_window(self.baseline.convert, [plan.convert for plan in self.variants])

    def stages(self) -> list[Stage]:
        """Every stage once, each after those it needs; the latency window is the last."""
        plans = (self.baseline, *self.variants)
        ordered = {stage.key: stage for plan in plans for stage in plan.stages()}
        return [*ordered.values(), self.window()]


@dataclass(frozen=True)
class StudyObjective:
    """What a study's models are trained for, and what is measured.

    Attributes:
        task: one of :data:`optimizer.data.objective.TASKS` per output, joined by ``+``.
        from_logits: for each output whether it is not a probability yet.
        inputs, outputs: the model's names, in its order.
        loss: one per output, joined by ``+``; ``None`` for the task's own.
        metric: the headline of the first output; ``None`` for the task's own.
    """

    task: str
    from_logits: tuple[bool, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    loss: str | None = None
    metric: str | None = None

    def measured(self) -> dict[str, Any]:
        """The parameters of measuring, which the loss is none of; JSON-able."""
        return {
            "task": self.task,
            "metric": self.metric,
            "from_logits": list(self.from_logits),
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
        }


@dataclass(frozen=True)
class StudyPlan:
    """What every variant of a study shares.

    Attributes:
        model: the stage that imports the model.
        data: the stage that prepares the dataset.
        objective: what is trained for and measured.
        threads: processor threads for each stage.
        memory_bytes: what a stage is expected to need at most; 0 when that is not known.
    """

    model: Stage
    data: Stage
    objective: StudyObjective
    threads: int
    memory_bytes: int = 0

    @cached_property
    def baseline(self) -> VariantPlan:
        """The stages of the float32 baseline."""
        convert = self._convert(BASELINE)
        return VariantPlan(convert, self._evaluate(convert, None))

    def variant(self, recipe: Recipe) -> VariantPlan:
        """The stages of one recipe."""
        if recipe.is_baseline:
            return self.baseline
        convert = self._convert(recipe)
        return VariantPlan(convert, self._evaluate(convert, self.baseline.evaluate))

    def run(self, recipes: Iterable[Recipe]) -> RunPlan:
        """The stages of several recipes; what they have in common appears once."""
        return RunPlan(self.baseline, tuple(self.variant(recipe) for recipe in recipes))

    def calibration(self, sets: Iterable[Mapping[str, Any]]) -> Stage:
        """The stage that quantizes the model with several representative datasets.

        Args:
            sets: of each the arguments of :func:`optimizer.data.representative.representative`.
        """
        return Stage(
            "calibration",
            "optimizer.techniques.calibration:stage",
            "Calibrate int8 with several datasets",
            {
                "sets": [dict(chosen) for chosen in sets],
                "seed": 0,
                **self.objective.measured(),
                "threads": self.threads,
            },
            {"model": self.model, "data": self.data},
            threads=self.threads,
            memory_bytes=self.memory_bytes,
        )

    def without_preserving(self, recipe: Recipe) -> VariantPlan:
        """The stages of a recipe in which none keeps what the one before it made.

        Clustering moves the zeros of pruning, and quantization-aware training moves zeros and
        centroids: what techniques do that know nothing of each other.
        """
        convert = self._convert(recipe, preserving=False)
        return VariantPlan(convert, self._evaluate(convert, self.baseline.evaluate))

    def _convert(self, recipe: Recipe, preserving: bool = True) -> Stage:
        dump = recipe.model_dump(mode="json")
        keeps_zeros = recipe.leaves_zeros and preserving
        tune = {
            "fine_tune": dump["fine_tune"],
            "seed": dump["seed"],
            "task": self.objective.task,
            "loss": self.objective.loss,
        }
        model: Stage = self.model
        if recipe.prune:
            overrides = _overrides(dump, "final_sparsity")
            params = {"prune": dump["prune"], "layers": overrides, **tune}
            if recipe.leaves_zeros:
                model = self._train("prune", "pruning:stage", "Prune", params, model)
            else:
                model = self._train("prune", "channels:stage", "Remove channels", params, model)
        if recipe.cluster:
            params = {
                "cluster": dump["cluster"],
                "layers": _overrides(dump, "number_of_clusters"),
                "preserve_sparsity": keeps_zeros,
                **tune,
            }
            model = self._train("cluster", "clustering:stage", "Cluster", params, model)
        if recipe.quantize.aware:
            clusters = recipe.cluster and recipe.cluster.number_of_clusters
            params = {
                "layers": _overrides(dump, "number_of_clusters", "quantize"),
                "granularity": recipe.quantize.granularity,
                "keep_zeros": keeps_zeros,
                "number_of_clusters": clusters if preserving else None,
                **tune,
            }
            model = self._train(
                "quantize_aware",
                "quantize_aware:stage",
                "Quantization-aware training",
                params,
                model,
            )
        return self._conversion(recipe, dump, model)

    def _conversion(self, recipe: Recipe, dump: Mapping[str, Any], model: Stage) -> Stage:
        quantize = dict(dump["quantize"])
        calibrates = quantize["mode"] in ("int8", "int16x8") and not recipe.quantize.aware
        if not calibrates:
            quantize["calibration_samples"] = 0
        return Stage(
            "convert",
            "optimizer.techniques.conversion:stage",
            "Convert to TFLite",
            {
                "quantize": quantize,
                "sparse_encoding": recipe.sparse_encoding,
                "seed": dump["seed"] if calibrates else 0,
            },
            {"model": model, **({"data": self.data} if calibrates else {})},
            threads=self.threads,
            memory_bytes=self.memory_bytes,
        )

    def _train(
        self, name: str, function: str, label: str, params: Mapping[str, Any], model: Stage
    ) -> Stage:
        inputs = {"model": model, "data": self.data}
        return Stage(
            name,
            f"optimizer.techniques.{function}",
            label,
            params,
            inputs,
            threads=self.threads,
            memory_bytes=self.memory_bytes,
        )

    def _evaluate(self, convert: Stage, baseline: Stage | None) -> Stage:
        inputs = {"model": convert, "data": self.data}
        return Stage(
            "evaluate",
            "optimizer.measure.accuracy:stage",
            "Measure accuracy",
            {**self.objective.measured(), "threads": self.threads},
            {**inputs, "baseline": baseline} if baseline else inputs,
            threads=self.threads,
        )


def latency_window(
    baseline: Stage | StoredResult, converts: Iterable[Stage | StoredResult], repeat: int = 0
) -> Stage:
    """The stage that measures the latency of several files in turns, with nothing beside it.

    The same files give the same key, in whatever order they are named.

    Args:
        baseline: the conversion of the float32 baseline.
        converts: the conversions to measure; the baseline may be among them.
        repeat: another number measures anew.
    """
    files = {stage.key: stage for stage in converts if stage.key != baseline.key}
    return Stage(
        "benchmark",
        "optimizer.measure.latency:stage",
        "Measure latency",
        {"threads": 1, "baseline": baseline.key, **({"repeat": repeat} if repeat else {})},
        {baseline.key: baseline, **{key: files[key] for key in sorted(files)}},
        resource="quiet",
    )


def import_model(sha256: str, file_name: str) -> Stage:
    """The stage that turns an uploaded model into a flat tf_keras one."""
    return Stage(
        "import_model",
        "optimizer.models.stage:import_model",
        "Read the model",
        {"file_name": file_name},
        {"file": Source(sha256)},
        resource="light",
    )


def prepare_data(
    sha256: str,
    file_name: str,
    test_share: float,
    split_seed: int,
    options: Mapping[str, Any] | None = None,
) -> Stage:
    """The stage that turns an uploaded dataset into train and test arrays.

    Args:
        sha256, file_name: of the file.
        test_share, split_seed: used when the file is not split.
        options: as :class:`optimizer.data.options.DataOptions` dumps them.
    """
    return Stage(
        "prepare_data",
        "optimizer.data.stage:prepare_data",
        "Read the data",
        {
            "file_name": file_name,
            "test_share": test_share,
            "split_seed": split_seed,
            "options": dict(options or {}),
        },
        {"file": Source(sha256)},
        resource="light",
    )


def _overrides(dump: Mapping[str, Any], *fields: str) -> dict[str, dict[str, Any]]:
    """The layer overrides that concern some fields, with the others left out."""
    return {
        name: {field: override[field] for field in fields}
        for name, override in dump["layers"].items()
        if any(override[field] is not None for field in fields)
    }
