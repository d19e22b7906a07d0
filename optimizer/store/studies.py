"""Studies and their variants."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from optimizer.errors import InputError
from optimizer.logs.events import event
from optimizer.recipe import BASELINE, Recipe
from optimizer.store.base import StoreBase, clean_name, new_id, utc_now
from optimizer.store.records import Origin, Study, Variant
from optimizer.store.rows import from_row, from_rows

_CHANGEABLE = frozenset({"name", "state", "error", "results", "stages"})
_log = logging.getLogger(__name__)
_WITH_COUNTS = (
    "SELECT studies.*, "
    "(SELECT count(*) FROM variants WHERE study_id = studies.id) AS variant_count, "
    "(SELECT count(*) FROM variants WHERE study_id = studies.id AND state = 'done') AS done_count "
    "FROM studies "
)


class Studies(StoreBase):
    """Studies and the variants tried in them."""

    def create_study(
        self,
        name: str,
        model_id: str,
        dataset_id: str,
        task: str,
        origin: Origin = "local",
        environment: Mapping[str, Any] | None = None,
        objective: Mapping[str, Any] | None = None,
    ) -> Study:
        """Begin a study of a model on a dataset; see :class:`optimizer.store.records.Study`.

        Raises:
            InputError: the model or the dataset is not in the store.
            QuotaError: there are as many studies as there may be.
        """
        study = Study(
            new_id(),
            clean_name(name, "study"),
            model_id,
            dataset_id,
            task,
            utc_now(),
            origin,
            dict(environment) if environment is not None else None,
            dict(objective or {}),
        )
        with self._db.write():
            self._require("models", model_id)
            self._require("datasets", dataset_id)
            self.check_room_for_study()
            self._insert_study(study)
        event(_log, "study_created", study=study.id, model=model_id, dataset=dataset_id, task=task)
        return study

    def check_room_for_study(self) -> None:
        """Refuse when there are as many studies as there may be, whoever owns them.

        Raises:
            QuotaError: there are.
        """
        row = self._db.row("SELECT count(*) FROM main.studies")
        self.limits().check_studies(int(row[0]) if row else 0)

    def get_study(self, study_id: str) -> Study:
        """One study with its counts. Raises :class:`InputError` when there is none."""
        row = self._db.row(_WITH_COUNTS + "WHERE id = ?", (study_id,))
        return from_row(Study, row) if row else self._get(Study, "studies", study_id)

    def list_studies(self) -> list[Study]:
        """All studies with their counts of variants, the newest first."""
        return from_rows(Study, self._db.rows(_WITH_COUNTS + "ORDER BY seq DESC"))

    def rename_study(self, study_id: str, name: str) -> None:
        """Give a study another name."""
        self._update("studies", study_id, {"name": clean_name(name, "study")}, frozenset({"name"}))

    def set_study_environment(self, study_id: str, environment: Mapping[str, Any]) -> None:
        """Record the versions and hardware that make the study's results."""
        changes = {"environment": dict(environment)}
        self._update("studies", study_id, changes, frozenset(changes))

    def delete_study(self, study_id: str) -> int:
        """Delete a study, its variants, runs and their results; returns the bytes freed.

        Results that another study shares stay; so do the model and the dataset.

        Raises:
            InputError: a run of the study is queued or running.
        """
        study = self.get_study(study_id)
        keys = {key for v in self.list_variants(study_id) for key in v.stages.values()}
        with self._db.write() as connection:
            self._refuse_while_active("study_id = ?", study_id, f"study “{study.name}”")
            runs = self._db.rows("SELECT id FROM runs WHERE study_id = ?", (study_id,))
            keys |= self._stage_keys("run_id IN (SELECT id FROM runs WHERE study_id = ?)", study_id)
            connection.execute("DELETE FROM main.studies WHERE id = ?", (study_id,))
        event(_log, "study_deleted", study=study_id, text=study.name)
        logs = sum(self._logs.delete(row["id"]) for row in runs)
        return self._sweep(keys, set()) + logs

    def add_variant(self, study_id: str, recipe: Recipe) -> Variant:
        """Add a recipe to a study, queued; the same recipe gives the variant that is there.

        Every recipe that does nothing to the model is the one baseline, whatever its seed.
        """
        return self.add_variants(study_id, [recipe])[0]

    def add_variants(self, study_id: str, recipes: list[Recipe]) -> list[Variant]:
        """Add several recipes in one transaction; see :meth:`add_variant`.

        Raises:
            QuotaError: they are more than one run may have.
        """
        added = []
        self.limits().check_run(0, len(recipes))
        with self._db.write():
            self._require("studies", study_id)
            for given in recipes:
                recipe = BASELINE if given.is_baseline else given
                row = self._db.row(
                    "SELECT * FROM variants WHERE study_id = ? AND recipe_hash = ?",
                    (study_id, recipe.hash),
                )
                if row is not None:
                    added.append(from_row(Variant, row))
                    continue
                variant = new_variant(study_id, recipe)
                self._insert_variant(variant)
                added.append(variant)
        return added

    def get_variant(self, variant_id: str) -> Variant:
        """One variant. Raises :class:`InputError` when there is none."""
        return self._get(Variant, "variants", variant_id)

    def list_variants(self, study_id: str) -> list[Variant]:
        """A study's variants in the order they were added."""
        return list(self.variants_of(study_id))

    def variants_of(self, study_id: str) -> tuple[Variant, ...]:
        """As :meth:`list_variants`; the same tuple as long as none of them changed.

        Only those that changed are read again. Their ``results`` are shared: nobody may change
        them.
        """
        return self._kept_variants.of(study_id)

    def variants_version(self, study_id: str) -> tuple[int, int]:
        """Numbers that change when a variant of the study does, whoever changes it; some 20 µs."""
        return self._kept_variants.version(study_id) or (0, 0)

    def baseline(self, study_id: str) -> Variant | None:
        """The study's baseline, whatever its state; ``None`` when it was never added."""
        row = self._db.row("SELECT * FROM variants WHERE study_id = ? AND is_baseline", (study_id,))
        return from_row(Variant, row) if row else None

    def update_variant(self, variant_id: str, **changes: Any) -> None:
        """Change ``name``, ``state``, ``error``, ``results`` or ``stages`` of a variant."""
        self._update("variants", variant_id, changes, _CHANGEABLE)

    def delete_variant(self, variant_id: str) -> int:
        """Delete a variant and the results only it has; returns the bytes freed.

        Raises:
            InputError: a queued or running run works on it, or it is the baseline of others.
        """
        variant = self.get_variant(variant_id)
        with self._db.write() as connection:
            self._refuse_while_active(
                "EXISTS (SELECT 1 FROM json_each(runs.variant_ids) AS each WHERE each.value = ?)",
                variant_id,
                f"variant “{variant.name}”",
            )
            others = self.get_study(variant.study_id).variant_count - 1
            if variant.is_baseline and others:
                raise InputError(
                    f"The baseline cannot be deleted while {others} other variants are compared "
                    "with it. Delete the study instead."
                )
            connection.execute("DELETE FROM main.variants WHERE id = ?", (variant_id,))
        return self._sweep(set(variant.stages.values()), set())

    def _stage_keys(self, condition: str, value: str) -> set[str]:
        sql = f"SELECT DISTINCT key FROM run_stages WHERE {condition}"  # noqa: S608
        return {row[0] for row in self._db.rows(sql, (value,))}

    def _insert_study(self, study: Study, archive_sha256: str | None = None) -> None:
        columns = ("id", "name", "model_id", "dataset_id", "task", "created_at", "origin")
        values = {name: getattr(study, name) for name in (*columns, "environment", "objective")}
        self._insert("studies", {**values, "archive_sha256": archive_sha256})

    def _insert_variant(self, variant: Variant) -> None:
        values = {name: getattr(variant, name) for name in variant.__dataclass_fields__}
        self._insert("variants", {**values, "recipe_hash": variant.recipe.hash})


def new_variant(study_id: str, recipe: Recipe) -> Variant:
    """A variant that waits for its first run."""
    return Variant(
        id=new_id(),
        study_id=study_id,
        recipe=recipe,
        name=recipe.name,
        is_baseline=recipe.is_baseline,
        state="queued",
        error=None,
        results=None,
        stages={},
        created_at=utc_now(),
    )
