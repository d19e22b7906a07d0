"""Choose a recipe with widgets, see what will happen, run it."""

import streamlit as st

from optimizer.errors import InputError
from optimizer.presets import PRESETS, explain
from optimizer.recipe import Recipe
from optimizer.store.records import ACTIVE, Study, Variant
from pages.parts import context
from pages.parts.recipe_form import load_recipe, recipe_form
from pages.parts.runs import live_runs


def draw() -> None:
    """Draw the page."""
    study = context.current_study()
    st.title("Optimize")
    form, side = st.columns([3, 2], gap="large")
    with form:
        _start_from()
        values = recipe_form()
    with side:
        _run(study, values)
        _active(study)


def _start_from() -> None:
    """Presets, a recipe file, or a variant that the address names."""
    copied = st.query_params.get("copy")
    if copied and st.session_state.get("opt_copied") != copied:
        st.session_state["opt_copied"] = copied
        try:
            load_recipe(context.store().get_variant(copied).recipe)
        except InputError as error:
            st.warning(str(error))
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
        file = st.file_uploader(
            "recipe.json", key="opt_file", help="A recipe that was downloaded here or written."
        )
        if file is not None and st.session_state.get("opt_file_used") != file.file_id:
            try:
                load_recipe(Recipe.parse(file.getvalue(), source=f"recipe {file.name}"))
            except InputError as error:
                st.error(str(error))
            else:
                st.session_state["opt_file_used"] = file.file_id
                st.success("The controls now show this recipe.")


def _use_preset() -> None:
    chosen = st.session_state.get("opt_preset")
    if chosen:
        load_recipe(PRESETS[chosen].recipe)


def _run(study: Study, values: dict) -> None:
    st.subheader("What will happen")
    try:
        recipe = Recipe.parse(values)
    except InputError as error:
        st.error(str(error).removeprefix("The recipe cannot be used. "), title="Not possible")
        st.button("Run", type="primary", disabled=True, width="stretch")
        return
    st.markdown(f"**{recipe.name}**")
    st.markdown("\n".join(f"{i}. {line}" for i, line in enumerate(explain(recipe), 1)))
    existing = _existing(study, recipe)
    if existing is not None and existing.state == "done":
        st.info("This recipe has been run in this study.", icon=":material/check_circle:")
        st.page_link(
            context.VARIANT,
            label="See the variant",
            icon=":material/layers:",
            query_params=context.study_link(study, variant=existing.id),
        )
    elif st.button(
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


def _existing(study: Study, recipe: Recipe) -> Variant | None:
    return next(
        (
            variant
            for variant in context.store().list_variants(study.id)
            if variant.recipe == recipe
        ),
        None,
    )


def _active(study: Study) -> None:
    runs = context.store().list_runs(study_id=study.id, states=ACTIVE)
    if runs:
        st.subheader("Under way")
        live_runs(tuple(run.id for run in reversed(runs)))
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
            last[0].error or "It failed; the Runs page has the log.", title="The last run failed"
        )


draw()
