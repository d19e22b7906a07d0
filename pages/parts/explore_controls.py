"""The Explore page's controls: measures, budgets, goal and filters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from optimizer.explore.budgets import Budget
from optimizer.explore.recommend import goals
from optimizer.explore.table import FACET_VALUES, FACETS, Table
from optimizer.explore.view import View, settled
from optimizer.store.records import Study
from pages.parts.explore_state import MARK, Apply, shows

_HELP = {
    "gzip": "Bytes of a compressed download, where pruning and clustering show.",
    "size": "Bytes of the file on the device.",
    "parameters": "Bytes of weights and biases alone.",
    "metric": "On held-out data, as measured on the file. Where a variant loses more, the budget "
    "is at first one point less than the float32 baseline, or an error 2 % larger.",
    "latency": "Median time of one inference on the machine that made the study.",
    "ratio": "Measured in turns with the baseline; 0.5 is twice as fast.",
    "macs": "Arithmetic of one inference; the same on any hardware.",
    "memory": "Growth of the process while the file is loaded and run.",
    "agreement": "Share of samples for which file and baseline predict the same.",
    "sparsity": "Zeros among prunable weights, as read from the file.",
    "energy": "Counted operations times published energies, weights on the chip; not measured. The "
    "Deploy page has the source.",
    "ram": "Tensors and runtime of TensorFlow Lite for Microcontrollers, planned from the file;"
    " not measured.",
    "time": "Seconds of all stages, when none was computed before.",
}


def measure_controls(study: Study, view: View, table: Table) -> None:
    """Which measures are on the axes, in the colour, and have budgets besides."""
    keys, name = list(table.measures), _namer(table)
    across, up, color, more = st.columns([1, 1, 1, 2])
    across.selectbox(
        "Across (x)",
        keys,
        format_func=name,
        help="The measure of the chart's horizontal axis; with the next one it makes the front.",
        **shows(study, MARK, view.x, _measure_setter("x", table)),
    )
    up.selectbox(
        "Up (y)",
        keys,
        format_func=name,
        help="The measure of the vertical axis.",
        **shows(study, "explore_y", view.y, _measure_setter("y", table)),
    )
    color.selectbox(
        "Colour",
        ["", *(key for key in keys if key not in (view.x, view.y))],
        format_func=lambda key: name(key) if key else "no third measure",
        help="A third measure. The Pareto front is then over all three: what is on it is beaten "
        "by no other variant in every one of them.",
        **shows(study, "explore_color", view.color or "", _measure_setter("color", table)),
    )
    others = [key for key in keys if key not in view.front_keys]
    more.multiselect(
        "Further measures",
        others,
        format_func=name,
        placeholder="None",
        help="They get a budget, too, and an axis in the overview of all measures.",
        **shows(
            study,
            "explore_more",
            list(view.more),
            lambda view, keys: replace(view, more=tuple(keys)),
        ),
    )


def budget_controls(
    study: Study,
    view: View,
    budgets: Mapping[str, Budget],
    limits: Mapping[str, float | None],
) -> None:
    """A slider per measure that is shown."""
    for key, offered in budgets.items():
        floor = offered.kind == "at least"
        none = -math.inf if floor else math.inf
        options = [none, *offered.options] if floor else [*offered.options, none]
        limit = limits[key]
        st.select_slider(
            offered.label,
            options,
            format_func=_limit_namer(offered),
            help=_HELP[key] + " What was not measured is within no limit but “no limit”.",
            **shows(
                study,
                f"explore_budget_{key}",
                none if limit is None else limit,
                _limit_setter(key),
            ),
        )


def goal_control(study: Study, view: View, table: Table) -> None:
    """What the recommended variant is best at."""
    titles = goals(table)
    if not titles:
        return
    st.selectbox(
        "Goal",
        list(titles),
        format_func=titles.__getitem__,
        help="Of the variants within all budgets, the one that is best at this is recommended.",
        **shows(study, "explore_goal", view.goal, lambda view, goal: replace(view, goal=goal)),
    )


def filter_controls(study: Study, view: View, table: Table) -> None:
    """Which kinds of variants are looked at; only what the study has different kinds of."""
    offered = [facet for facet in FACETS if len(table.facets[facet]) > 1]
    if not offered:
        st.caption("All variants of this study are of one kind.")
    for facet in offered:
        names = FACET_VALUES[facet]
        st.multiselect(
            FACETS[facet],
            list(table.facets[facet]),
            format_func=names.__getitem__,
            placeholder="All",
            help="Nothing chosen means all.",
            **shows(
                study,
                f"explore_{facet}",
                list(view.filters.get(facet, ())),
                _filter_setter(facet),
            ),
        )
    st.toggle(
        "Only what is within the budgets",
        help="Leaves out of charts and table what misses a budget, instead of showing it in grey.",
        **shows(
            study,
            "explore_within",
            view.only_within,
            lambda view, on: replace(view, only_within=on),
        ),
    )


def _namer(table: Table) -> Callable[[str], str]:
    return lambda key: table.measures[key].label


def _limit_namer(offered: Budget) -> Callable[[float], str]:
    return lambda limit: offered.show(None if math.isinf(limit) else limit)


def _measure_setter(place: str, table: Table) -> Apply:
    """Put a measure on an axis or into the colour; the axes swap theirs where one is chosen."""

    def apply(view: View, key: str) -> View:
        if key in (view.x, view.y) and place in ("x", "y"):
            if key == getattr(view, place):
                return view
            return replace(view, x=view.y, y=view.x)
        changes: dict[str, Any] = {place: key or None}
        return settled(replace(view, **changes), table)

    return apply


def _limit_setter(key: str) -> Apply:
    def apply(view: View, limit: float) -> View:
        return replace(view, limits={**view.limits, key: None if math.isinf(limit) else limit})

    return apply


def _filter_setter(facet: str) -> Apply:
    return lambda view, values: replace(view, filters={**view.filters, facet: tuple(values)})
