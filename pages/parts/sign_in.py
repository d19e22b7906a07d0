"""Signing in: who uses this session, the page before it, and the line in the side bar."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from optimizer.access.identity import Person, person_of
from optimizer.errors import InputError
from pages.parts.text import plain
from serving.policy import DEFAULT_PROVIDER, policy

_NOT_SIGNED_IN = "Sign in to open this."


def person() -> Person | None:
    """Who uses this session; ``None`` where nobody has to sign in.

    Raises:
        InputError: they are not signed in, or may not come in.
    """
    if not policy().sign_in:
        return None
    claims = st.user.to_dict()
    if claims.get("is_logged_in") is not True:
        raise InputError(_NOT_SIGNED_IN)
    return person_of(claims, policy().rules)


def admitted() -> bool:
    """Whether this session may see anything at all."""
    try:
        person()
    except InputError:
        return False
    return True


def may_administer() -> bool:
    """Whether this session may change how the engine works, and read its log.

    Alone on a machine, everybody may; where people sign in, those that ``secrets.toml`` lists;
    on a server that is open to a network, nobody.
    """
    try:
        who = person()
    except InputError:
        return False
    return who.administrator if who else not policy().allow_open


def require_administrator() -> None:
    """Refuse an action of others; a page that hides a control is no protection.

    Raises:
        InputError: this session may not.
    """
    if not may_administer():
        raise InputError("Only whoever runs this workbench may change this.")


def pages(addresses: Iterable[str]) -> list[st.Page]:
    """The sign-in page at every address, so that each stays what it was in the browser.

    Args:
        addresses: the paths of the pages behind it.
    """
    return [
        st.Page(_draw, title="Sign in", default=True, url_path="sign-in"),
        *(st.Page(_draw, title="Sign in", url_path=address) for address in addresses),
    ]


def draw_person() -> None:
    """Who is signed in, and the way out."""
    who = person()
    if who is None:
        return
    with st.container(key="signed-in"):
        st.caption(f"Signed in as **{plain(who.name)}**", help=who.email or None)
        st.button(
            "Sign out",
            icon=":material/logout:",
            on_click=st.logout,
            key="sign_out",
            help="On this browser. Your runs go on.",
        )


def _draw() -> None:
    """The page before anything else."""
    st.title("Featherweight")
    st.markdown("A workbench that makes Keras models small and fast, and shows what that costs.")
    refused = _refusal()
    if refused:
        st.error(plain(refused), title="You cannot come in")
        st.button("Sign out", icon=":material/logout:", on_click=st.logout, key="sign_out")
    else:
        st.markdown("Sign in to see your studies. Nobody else sees them, unless you share a link.")
    for provider in policy().providers:
        name = "" if provider == DEFAULT_PROVIDER else f" with {provider.title()}"
        st.button(
            f"Sign in again{name}" if refused else f"Sign in{name}",
            type="primary",
            icon=":material/login:",
            on_click=st.login,
            args=() if provider == DEFAULT_PROVIDER else (provider,),
            key=f"sign_in-{provider}",
        )


def _refusal() -> str | None:
    """Why somebody who did sign in may not stay."""
    if st.user.to_dict().get("is_logged_in") is not True:
        return None
    try:
        person()
    except InputError as error:
        return str(error)
    return None
