"""The limits of the store on the Settings page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from optimizer.errors import FeatherweightError
from optimizer.quotas import LIMITS, Limit, Quotas, from_environment
from optimizer.settings import Settings
from pages.parts import context, sign_in
from pages.parts.text import plain

_MEGA, _GIGA = 10**6, 10**9
_IN_MEGABYTES = ("upload_bytes",)
_COLUMNS = 4


def limits_form() -> None:
    """Draw the form; what it saves holds at once, for the app, the engine and the command line."""
    store = context.store()
    try:
        known, fixed = store.limits(), from_environment()
    except FeatherweightError as error:
        st.error(plain(str(error)), title="These limits cannot be used")
        return
    st.markdown(
        "They hold for everybody who uses this store. What would exceed one is refused with a "
        "sentence; nothing that is stored is ever removed because of a limit."
    )
    st.page_link(context.STORAGE, label="See and free space", icon=":material/database:")
    if fixed:
        names = ", ".join(f"`{LIMITS[name].variable}`" for name in fixed)
        st.info(f"Set outside by {names}, and so not to be changed here.")
    with st.form("limits"):
        chosen = {}
        columns = st.columns(_COLUMNS)
        for index, (name, limit) in enumerate(LIMITS.items()):
            with columns[index % _COLUMNS]:
                chosen[name] = _number(name, limit, getattr(known, name), disabled=name in fixed)
        if st.form_submit_button(
            "Apply the limits",
            icon=":material/check:",
            help="They hold from the next upload, study, run or result on.",
        ):
            _apply({name: value for name, value in chosen.items() if name not in fixed})


def _number(name: str, limit: Limit, value: int, *, disabled: bool) -> int:
    """A field in megabytes, gigabytes or things; the value in bytes or things."""
    usual = limit.show(getattr(Quotas(), name))
    text = f"{limit.explanation} Usually {usual}; `{limit.variable}` sets it from outside."
    if limit.unit == "count":
        return int(
            st.number_input(
                limit.title, limit.least, limit.most, value, help=text, disabled=disabled
            )
        )
    scale, unit = (_MEGA, "MB") if name in _IN_MEGABYTES else (_GIGA, "GB")
    given = st.number_input(
        f"{limit.title} ({unit})",
        limit.least / scale,
        limit.most / scale,
        value / scale,
        step=100.0 if unit == "MB" else 1.0,
        format="%.1f",
        help=text,
        disabled=disabled,
    )
    # The field shows one decimal: an untouched value stays what it was to the byte.
    return value if round(value / scale, 1) == round(given, 1) else round(given * scale)


def _apply(chosen: dict[str, Any]) -> None:
    sign_in.require_administrator()
    home = context.store().home
    try:
        saved = Settings.saved(home)
        replace(saved, limits=replace(saved.limits, **chosen)).save(home)
    except FeatherweightError as error:
        st.error(plain(str(error)), title="These limits cannot be used")
        return
    st.success("These limits hold from now on.")
