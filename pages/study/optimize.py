"""Choose a recipe or a sweep with widgets, see what will happen, run it."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from optimizer.errors import InputError
from optimizer.feasible import cautions, objections
from optimizer.format import format_seconds
from optimizer.grid import Expansion
from optimizer.presets import PRESETS, explain
from optimizer.recipe import Recipe
from optimizer.sensitivity.protect import protectable
from optimizer.store.records import ACTIVE, Study, Variant
from optimizer.sweep import plan_here
from pages.parts import context
from pages.parts.recipe_form import load_recipe, recipe_form
from pages.parts.runs import live_runs
from pages.parts.schedule_form import KEEP
from pages.parts.sensitivity_recipe import LAST_RECIPE
from pages.parts.sweep import sweep_controls, sweep_outlook
from pages.parts.text import plain

_ONE, _SWEEP = "One recipe", "Sweep"


def draw() -> None:
    """Draw the page."""
    study = context.current_study()
    st.title("Optimize")
    kind = st.segmented_control(
        "What to run",
        [_ONE, _SWEEP],
        default=_ONE,
        required=True,
        key="opt_kind",
        persist_state=KEEP,
        help="One recipe makes one variant. A sweep tries several values of any settings, and "
        "makes a variant of every combination.",
    )
    form, side = st.columns([3, 2], gap="large")
    if kind == _SWEEP:
        with form:
            grid = sweep_controls(_facts(study))
        with side, st.container(key="what_will_happen"):
            sweep_outlook(study, grid)
            _active(study)
        return
    with form:
        _copy()
        presets = st.container()
        values = recipe_form(_facts(study))
        with presets:
            _start_from(values)
    with side, st.container(key="what_will_happen"):
        _run(study, values)
        _active(study)


def _facts(study: Study) -> Mapping[str, Any]:
    return context.store().get_model(study.model_id).facts or {"layers": []}


def _copy() -> None:
    """Begin with the recipe of the variant that the address names."""
    copied = st.query_params.get("copy")
    if copied and st.session_state.get("opt_copied") != copied:
        st.session_state["opt_copied"] = copied
        try:
            load_recipe(context.store().get_variant(copied).recipe)
        except InputError as error:
            st.warning(plain(str(error)))


def _start_from(values: dict) -> None:
    """Presets, of which one is lit while the controls say the same, or a recipe file."""
    st.session_state["opt_preset"] = _lit(values)
    st.pills(
        "Start from a preset",
        list(PRESETS),
        key="opt_preset",
        help="Sets the controls below; change them as you like.",
        wrap=True,
        on_change=_use_preset,
    )
    chosen = st.session_state.get("opt_preset")
    st.caption(PRESETS[chosen].reason if chosen else "Or set the controls yourself.")
    with st.popover("Recipe from a file", icon=":material/upload_file:"):
        st.file_uploader(
            "recipe.json",
            key="opt_file",
            help="A recipe that was downloaded here or written by hand.",
            on_change=_use_file,
        )
        if problem := st.session_state.get("opt_file_problem"):
            st.error(plain(problem))
        elif st.session_state.get("opt_file") is not None:
            st.success("The controls show this recipe until you change them.")


def _lit(values: dict) -> str | None:
    try:
        recipe = Recipe.parse(values)
    except InputError:
        return None
    return next((name for name, preset in PRESETS.items() if preset.recipe == recipe), None)


def _use_preset() -> None:
    chosen = st.session_state.get("opt_preset")
    if chosen:
        load_recipe(PRESETS[chosen].recipe)


def _use_file() -> None:
    file = st.session_state.get("opt_file")
    st.session_state["opt_file_problem"] = None
    if file is not None:
        try:
            load_recipe(Recipe.parse(file.getvalue(), source=f"recipe {file.name}"))
        except InputError as error:
            st.session_state["opt_file_problem"] = str(error)


def _run(study: Study, values: dict) -> None:
    st.header("What will happen")
    try:
        recipe = Recipe.parse(values)
    except InputError as error:
        st.error(
            plain(str(error).removeprefix("The recipe cannot be used. ")), title="Not possible"
        )
        st.button("Run", type="primary", disabled=True, width="stretch")
        return
    st.session_state[LAST_RECIPE] = recipe
    variants = context.store().list_variants(study.id)
    st.markdown(f"**{recipe.name}**")
    st.markdown("\n".join(f"{i}. {line}" for i, line in enumerate(explain(recipe), 1)))
    if _refused(study, recipe):
        st.button("Run", type="primary", disabled=True, width="stretch")
        return
    existing = next((v for v in variants if v.recipe == recipe), None)
    if existing is not None and existing.state == "done":
        st.info("This recipe has been run in this study.", icon=":material/check_circle:")
        st.page_link(
            context.VARIANT,
            label="See the variant",
            icon=":material/layers:",
            query_params=context.study_link(study, variant=existing.id),
        )
    else:
        _ask_to_run(study, recipe, existing)
    if protectable(recipe):
        st.page_link(
            context.SENSITIVITY,
            label="Spare the layers that lose most",
            icon=":material/shield:",
            query_params=context.study_link(study),
        )
    st.download_button(
        "Download recipe.json",
        recipe.canonical_json(indent=2) + "\n",
        file_name="recipe.json",
        mime="application/json",
        on_click="ignore",
        icon=":material/download:",
        help="Runs on the command line too: python -m optimizer run MODEL --data DATA "
        "--recipe recipe.json --out DIR",
    )


def _ask_to_run(study: Study, recipe: Recipe, existing: Variant | None) -> None:
    _time(study, recipe)
    if st.button(
        "Run",
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        disabled=existing is not None and existing.state in ACTIVE,
        help="Runs in the background. Steps that were computed before are not computed again.",
    ):
        variant = context.store().add_variant(study.id, recipe)
        context.store().queue_run(
            "variants", recipe.name, study_id=study.id, variant_ids=[variant.id]
        )
        st.rerun()


def _refused(study: Study, recipe: Recipe) -> bool:
    """Say what this model or these data do not allow, and what is probably not meant."""
    model = context.store().get_model(study.model_id).facts
    data = context.store().get_dataset(study.dataset_id).facts
    if model is None or data is None:
        return False
    problems = objections(recipe, model, study.task)
    for problem in problems:
        st.error(plain(problem), title="Not possible with this model")
    for caution in cautions(recipe, data):
        st.warning(plain(caution))
    return bool(problems)


def _time(study: Study, recipe: Recipe) -> None:
    try:
        plan = plan_here(context.store(), study, Expansion((recipe,), ()))
    except InputError as error:  # the settings of the engine cannot be used
        st.caption(plain(str(error)))
        return
    if plan.seconds is None:
        st.caption("How long it takes is not known yet: nothing like it has run in this study.")
    else:
        st.caption(
            f"About {format_seconds(plan.seconds)}, judging by this study's earlier runs; "
            f"{plan.stored} of {plan.stages} steps have been computed before."
        )


def _active(study: Study) -> None:
    runs = context.store().list_runs(study_id=study.id, states=ACTIVE)
    if runs:
        st.header("Under way")
        live_runs(tuple(run.id for run in reversed(runs)))
        st.page_link(
            context.COMPARE,
            label="Watch the variants come in on Compare",
            icon=":material/scatter_plot:",
            query_params=context.study_link(study),
        )
        return
    last = context.store().list_runs(study_id=study.id, limit=1)
    if last and last[0].state == "done":
        st.page_link(
            context.COMPARE,
            label="Compare the variants",
            icon=":material/scatter_plot:",
            query_params=context.study_link(study),
        )
    elif last and last[0].state == "failed":
        st.error(
            plain(last[0].error or "It failed; the Runs page has the log."),
            title="The last run failed",
        )


draw()
