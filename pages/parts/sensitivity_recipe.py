"""A recipe before and after its sensitive layers are spared, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from optimizer.feasible import objections
from optimizer.format import format_bytes, format_metric, metric_title
from optimizer.measured import measured
from optimizer.presets import PRESETS
from optimizer.recipe import Recipe
from optimizer.sensitivity.protect import FIELDS, effective, planned_zeros, protectable
from optimizer.sensitivity.scan import Scan
from optimizer.store.records import Study, Variant
from pages.parts import context
from pages.parts.recipe_form import load_recipe
from pages.parts.sensitivity_edit import Edit
from pages.parts.text import plain

LAST_RECIPE = "opt_last_recipe"
"""Where the Optimize page leaves the recipe that its controls say."""
_FEW_ROWS, _TABLE_HEIGHT = 12, 520
_TITLES = {
    "final_sparsity": "Sparsity",
    "number_of_clusters": "Clusters",
    "quantize": "int8 by QAT",
}


def editing(study: Study, model_facts: Mapping[str, Any], scan: Scan) -> Edit | None:
    """The recipe to change, chosen by a control; ``None`` when none can run here."""
    known = _bases(study, model_facts)
    if not known:
        return None
    key = f"sense_base-{study.id}"
    if st.session_state.get(key) not in known:
        st.session_state[key] = next(iter(known))
    name = st.selectbox(
        "Recipe to change",
        list(known),
        key=key,
        help="A variant of this study, the recipe that the Optimize page shows, or a preset; those "
        "that prune, cluster or train for int8, and so can treat layers differently.",
    )
    base = known[name]
    return Edit(base, f"sense_edit-{study.id}-{base.hash}")


def _bases(study: Study, model_facts: Mapping[str, Any]) -> dict[str, Recipe]:
    """Name → recipe: what Optimize shows, variants with the smallest download first, presets."""
    candidates: list[tuple[str, Recipe]] = []
    last = st.session_state.get(LAST_RECIPE)
    if last is not None:
        candidates.append((f"{last.name} (as set on Optimize)", last))
    variants = [v for v in context.study_variants(study) if v.results and not v.recipe.layers]
    variants.sort(key=_download)
    candidates += [(variant.name, variant.recipe) for variant in variants]
    presets = sorted(PRESETS.items(), key=lambda item: item[1].recipe.prune is None)
    candidates += [(f"{p.recipe.name} (preset {name})", p.recipe) for name, p in presets]
    known: dict[str, Recipe] = {}
    seen: set[str] = set()
    for name, recipe in candidates:
        if recipe.hash in seen or name in known or not protectable(recipe):
            continue
        seen.add(recipe.hash)
        if not objections(recipe, model_facts, study.task):
            known[name] = recipe
    return known


def _download(variant: Variant) -> float:
    found = measured(variant)
    return float(found.gzip_bytes) if found and found.gzip_bytes else float("inf")


def draw_recipe(edit: Edit, scan: Scan, threshold: float) -> None:
    """Protecting, and what it did."""
    st.header("The recipe, before and after")
    with st.container(horizontal=True):
        st.button(
            "Protect the sensitive layers",
            type="primary" if edit.recipe == edit.base else "secondary",
            icon=":material/shield:",
            on_click=edit.protect,
            args=(scan, threshold),
            help="Gives each layer that loses more than the limit the strongest scanned setting "
            "that it bears. Starts from the recipe before, so cells set by hand are replaced.",
        )
        st.button(
            "Back to the recipe before",
            icon=":material/undo:",
            on_click=edit.reset,
            disabled=edit.recipe == edit.base,
            help="Takes back all that was set here.",
        )
        if st.button(
            "Open in Optimize",
            icon=":material/tune:",
            help="Sets the controls of the Optimize page to the recipe after, to change more.",
        ):
            load_recipe(edit.recipe)
            st.session_state["opt_kind"] = "One recipe"
            st.switch_page(context.OPTIMIZE)
    if edit.problem:
        st.warning(plain(edit.problem))
    for remark in edit.remarks:
        st.caption(plain(remark))
    before, after = st.columns(2)
    _side(before, "Before", edit.base, scan)
    _side(after, "After", edit.recipe, scan)
    table = _changed(edit, scan)
    if table.empty:
        st.caption("Nothing is changed yet: protect the sensitive layers, or click cells above.")
        return
    st.table(
        table,
        hide_index=True,
        border="horizontal",
        height=_TABLE_HEIGHT if len(table) > _FEW_ROWS else "content",
        alt="Layers with settings of their own, before and after, with the reason of each",
    )


def _side(place: Any, title: str, recipe: Recipe, scan: Scan) -> None:
    """One of the two recipes, with what was measured of it."""
    with place.container(border=True, height="stretch"):
        st.markdown(f"**{title}**")
        st.markdown(plain(recipe.name))
        zeros = planned_zeros(recipe, scan)
        if zeros is not None:
            st.caption(f"Asks for {100 * zeros:.1f} % zeros over all prunable weights.")
        variant = find(recipe)
        found = measured(variant)
        if found is None:
            st.caption("Not measured yet.")
            return
        parts = []
        if found.gzip_bytes is not None:
            parts.append(f"{format_bytes(found.gzip_bytes)} gzip-compressed")
        if found.value is not None:
            value = format_metric(found.metric, found.value)
            parts.append(f"{metric_title(found.metric)} {value}")
        st.caption(f"Measured: {', '.join(parts) or 'not these figures'}.")


def find(recipe: Recipe) -> Variant | None:
    """The open study's variant of a recipe."""
    study = context.store().get_study(str(context.remembered_study_id()))
    return next((v for v in context.study_variants(study) if v.recipe == recipe), None)


def _changed(edit: Edit, scan: Scan) -> pd.DataFrame:
    """One row per setting that differs between the two recipes."""
    layers = [
        (layer, effective(edit.base, scan, layer), effective(edit.recipe, scan, layer))
        for layer in scan.layers
    ]
    rows = [
        {
            "Layer": plain(layer.name),
            "Before → after": f"{_TITLES[field]} {_shown(field, was.get(field))} → "
            f"{_shown(field, now.get(field))}",
            "Why": plain(edit.reason(layer.name, field)),
        }
        for layer, was, now in layers
        for field in FIELDS.values()
        if was.get(field) != now.get(field)
    ]
    return pd.DataFrame(rows)


def _shown(field: str, value: Any) -> str:
    if value is None:
        return "–"
    if field == "quantize":
        return "yes" if value else "no, float"
    if field == "final_sparsity":
        return f"{100 * value:g} %" if value else "not pruned"
    return f"{value:g}"
