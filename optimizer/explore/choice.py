"""What follows from a view: which variants count, and which of them stand out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from optimizer.explore.budgets import Budget
from optimizer.explore.knee import Knee, find_knee
from optimizer.explore.recommend import GOALS, Recommendation, qualifying, recommend
from optimizer.explore.table import Table
from optimizer.explore.view import View


@dataclass(frozen=True, eq=False)
class Choice:
    """A view applied to a study's variants.

    Attributes:
        candidates: which pass the filters, bool of shape (variants,).
        inside: which of those have results, keep every budget and break no promise.
        drawn: which are in charts and table.
        chosen: places of the variants side by side.
    """

    view: View
    table: Table
    budgets: Mapping[str, Budget]
    limits: Mapping[str, float | None]
    candidates: np.ndarray
    inside: np.ndarray
    drawn: np.ndarray
    recommendation: Recommendation | None
    knee: Knee | None
    chosen: tuple[int, ...]

    @property
    def recommended(self) -> int | None:
        """The recommended variant's place."""
        return self.recommendation.best if self.recommendation else None

    @property
    def knee_place(self) -> int | None:
        """The knee's place."""
        return self.knee.place if self.knee else None

    @property
    def filtered(self) -> bool:
        """Whether any filter is set."""
        return self.view.only_within or any(self.view.filters.values())

    def ordered(self) -> list[int]:
        """Places of the rows: those within the budgets first, the best on the goal first."""
        places = np.flatnonzero(self.drawn)
        key = GOALS[self.view.goal] if self.view.goal else self.view.x
        costs = np.nan_to_num(self.table.costs(key)[places], nan=np.inf)
        order: list[int] = places[np.lexsort((costs, ~self.inside[places]))].tolist()
        return order

    def worth_comparing(self) -> tuple[str, ...]:
        """Ids of the baseline, the recommended one and the knee; empty when they are chosen."""
        places = [self.table.baseline, self.recommended, self.knee_place]
        known = dict.fromkeys(place for place in places if place is not None)
        return () if set(known) <= set(self.chosen) else tuple(self.table.ids[p] for p in known)


def choose(view: View, table: Table) -> Choice:
    """Apply a settled view (see :func:`optimizer.explore.view.settled`)."""
    budgets = view.budgets(table)
    limits = view.limits_of(budgets)
    results = np.array([bool(variant.results) for variant in table.variants], bool)
    candidates = table.filtered(view.filters)
    inside = qualifying(table, candidates & results, budgets, limits)
    front = table.front(view.front_keys, inside)
    return Choice(
        view,
        table,
        budgets,
        limits,
        candidates,
        inside,
        candidates & inside if view.only_within else candidates,
        recommend(table, view.goal, candidates, budgets, limits) if view.goal else None,
        find_knee(table, view.front_keys, front),
        tuple(table.places[item] for item in view.chosen),
    )
