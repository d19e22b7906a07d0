"""The recipe that the Sensitivity page changes, kept in the session beside its base."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from optimizer.errors import InputError
from optimizer.recipe import Recipe
from optimizer.sensitivity.protect import FIELDS, Field, protect, set_layer
from optimizer.sensitivity.scan import Scan, Setting


@dataclass
class Edit:
    """A base recipe and what became of it in this session.

    Attributes:
        base: the recipe before.
        key: where the session keeps what was set.
    """

    base: Recipe
    key: str
    _kept: dict[str, Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._kept = st.session_state.setdefault(
            self.key, {"recipe": self.base, "reasons": {}, "remarks": (), "problem": None}
        )

    @property
    def recipe(self) -> Recipe:
        """The recipe after."""
        recipe: Recipe = self._kept["recipe"]
        return recipe

    @property
    def remarks(self) -> tuple[str, ...]:
        """What protecting said of the whole recipe."""
        return tuple(self._kept["remarks"])

    @property
    def problem(self) -> str | None:
        """Why the last click could not be followed."""
        problem: str | None = self._kept["problem"]
        return problem

    def reason(self, layer: str, of: Field) -> str:
        """Why a layer has a setting."""
        return str(self._kept["reasons"].get((layer, of), ""))

    def toggle(self, scan: Scan, layer: str, setting: Setting) -> None:
        """Give a layer a setting, or take it back."""
        try:
            recipe = set_layer(self.recipe, layer, setting)
        except InputError as error:
            self._keep(problem=str(error))
            return
        cell = scan.by_name[layer].cells[setting]
        why = f"Chosen by hand: {setting.words} alone, it loses {scan.unit.show(cell.lost)}."
        reasons = {**self._kept["reasons"], (layer, FIELDS[setting.technique]): why}
        self._keep(recipe=recipe, reasons=reasons, problem=None)

    def protect(self, scan: Scan, threshold: float) -> None:
        """Spare every layer that loses more than the threshold, from the base on."""
        found = protect(self.base, scan, threshold)
        reasons = {(change.layer, change.field): change.reason for change in found.changes}
        self._keep(recipe=found.recipe, reasons=reasons, remarks=found.remarks, problem=None)
        if not found.changes:
            limit = scan.unit.show(threshold)
            self._keep(
                remarks=(f"No layer loses more than {limit} by this recipe.", *found.remarks)
            )

    def reset(self) -> None:
        """Back to the base."""
        self._keep(recipe=self.base, reasons={}, remarks=(), problem=None)

    def _keep(self, **changes: Any) -> None:
        self._kept = {**self._kept, **changes}
        st.session_state[self.key] = self._kept
