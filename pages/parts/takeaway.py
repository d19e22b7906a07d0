"""Script, C array and phone commands of a variant."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from optimizer.errors import FeatherweightError
from optimizer.export import file_stem
from optimizer.store.records import Study, Variant
from optimizer.takeaway.bundle import SCRIPT, zipped
from optimizer.takeaway.collect import arrays, flat_model, start_model, takeaway
from optimizer.takeaway.micro import micro_needs
from optimizer.takeaway.phone import BINARY_SOURCE, phone_commands
from optimizer.takeaway.script_values import start_file
from pages.parts.context import later, store
from pages.parts.text import plain

_NOT_YET = "It is there once a recipe has run in this study on this machine."


def draw_takeaway(study: Study, variant: Variant) -> None:
    """Draw the section."""
    st.header("Take it elsewhere")
    with st.expander("Plain Python script", icon=":material/code:"):
        _script(study, variant)
    with st.expander("C array for microcontrollers", icon=":material/memory:"):
        _c_array(variant)
    with st.expander("Measure on a phone", icon=":material/smartphone:"):
        _phone(variant)


@st.cache_data(max_entries=256, show_spinner=False)
def _no_script(variant_id: str, has_model: bool) -> str | None:
    """Why there is no script; asked anew once the flat model is there to look into."""
    return takeaway(store(), store().get_variant(variant_id)).why_no_script()


@st.cache_data(max_entries=256, show_spinner=False)
def _micro_warnings(key: str) -> tuple[str, ...]:
    """What a stored file asks of a microcontroller that it will not get."""
    return micro_needs(store().artifacts.read(key, "model.tflite")).warnings


def _script(study: Study, variant: Variant) -> None:
    st.markdown(
        "Makes this file again with TensorFlow, tf_keras and the Model Optimization Toolkit "
        f"alone: no Featherweight needed. It reads `{start_file(variant.recipe)}` (the model as "
        "tf_keras knows it) and `data.npz` from its folder."
    )
    reason = _no_script(variant.id, flat_model(store(), study) is not None)
    if reason:
        st.info(plain(reason))
        return
    with st.container(horizontal=True):
        st.download_button(
            "Script",
            data=later(lambda: takeaway(store(), variant).script()),
            file_name=SCRIPT,
            mime="text/x-python",
            icon=":material/code:",
            key="takeaway-script",
            on_click="ignore",
        )
        _stored(start_file(variant.recipe), start_model(store(), study, variant))
        _stored("data.npz", arrays(store(), study))


def _stored(name: str, path: Path | None) -> None:
    st.download_button(
        name,
        data=path.read_bytes if path else b"",
        file_name=name,
        mime="application/octet-stream",
        icon=":material/download:",
        key=f"takeaway-{name}",
        on_click="ignore",
        disabled=path is None,
        help=None if path else _NOT_YET,
    )


def _c_array(variant: Variant) -> None:
    st.markdown(
        "The file as a C++ array for TensorFlow Lite for Microcontrollers; its comment lists the "
        "operators to register, and what goes in and out."
    )
    try:
        warnings = _micro_warnings(variant.stages["convert"])
    except FeatherweightError as error:
        st.error(plain(str(error)))
        return
    for warning in warnings:
        st.warning(plain(warning))
    st.download_button(
        "C array (.h and .cc)",
        data=later(lambda: zipped(takeaway(store(), variant).c_files())),
        file_name=f"{file_stem(variant)}.microcontroller.zip",
        mime="application/zip",
        icon=":material/memory:",
        key="takeaway-c",
        on_click="ignore",
    )


def _phone(variant: Variant) -> None:
    st.markdown(BINARY_SOURCE)
    name = f"{file_stem(variant)}.tflite"
    for command in phone_commands(name, variant.recipe.quantize.mode):
        st.caption(command.title)
        st.code(command.text, language="bash", wrap_lines=True)
