"""What every page starts from: the store, the study that is open, links between pages."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import streamlit as st

from optimizer.bundled import ensure_sample_study
from optimizer.errors import InputError
from optimizer.lessons.practice import practice_study
from optimizer.logs.setup import start_logging
from optimizer.store import Scope, Store
from optimizer.store.records import Study, Variant
from pages.parts import sign_in
from pages.parts.visit import shown_token, visiting

COMPARE = "pages/study/compare.py"
EXPLORE = "pages/study/explore.py"
ADVISOR = "pages/study/advisor.py"
OPTIMIZE = "pages/study/optimize.py"
SEARCH = "pages/study/search.py"
SENSITIVITY = "pages/study/sensitivity.py"
VARIANT = "pages/study/variant.py"
INSPECT = "pages/study/inspect.py"
MODEL = "pages/study/model.py"
RUNS = "pages/study/runs.py"
STUDIES = "pages/start/studies.py"
NEW_STUDY = "pages/start/new.py"
STORAGE = "pages/start/storage.py"
SETTINGS = "pages/start/settings.py"

_STUDY = "study"
_VARIANT = "variant"


def store() -> Store:
    """The store as this session may see it: the one door of all pages to what is kept.

    Where people sign in it shows what belongs to the person, for visitors of a link it shows the
    study of the link and refuses every change; :mod:`optimizer.store.scope` says how.
    """
    lent: Store | None = getattr(_lent, "store", None)
    if lent is not None:
        return lent
    if visiting():
        return _shared_store(_shared_study_id(shown_token()))
    try:
        person = sign_in.person()
    except InputError:
        st.rerun()  # what is drawn on its own goes on after a sign-in has run out
        raise
    return _store() if person is None else _own_store(person.owner)


def whole_store() -> Store:
    """The store with everybody's work in it, for whoever runs this workbench.

    Raises:
        InputError: this session does not.
    """
    sign_in.require_administrator()
    return _store()


def later(make: Callable[[], Any]) -> Callable[[], Any]:
    """What a download calls when it is clicked, with the store that this session sees now.

    Streamlit calls it outside of the session, where nobody is signed in.
    """
    own = store()

    def made() -> Any:
        _lent.store = own
        try:
            return make()
        finally:
            _lent.store = None

    return made


_lent = threading.local()


def _opened() -> Store:
    """A store object; whichever is opened first begins the app's log."""
    opened = Store.open()
    start_logging(opened.home, "app")
    return opened


@st.cache_resource
def _store() -> Store:
    """The whole of it, with the bundled sample study from the first start."""
    opened = _opened()
    ensure_sample_study(opened)
    return opened


@st.cache_resource(max_entries=256, show_spinner="Opening your workbench")
def _own_store(owner: str) -> Store:
    """What one person sees, with a sample study of their own."""
    opened = _opened().scoped(Scope(owner=owner))
    ensure_sample_study(opened)
    return opened


@st.cache_resource(max_entries=64, show_spinner=False)
def _shared_store(study_id: str) -> Store:
    return _reading_store().scoped(Scope(study_id=study_id))


def _shared_study_id(token: str) -> str:
    """The study that a link opens; an empty text, which shows nothing, when it opens none."""
    study = _reading_store().shared_study(token)
    return study.id if study else ""


@st.cache_resource
def _reading_store() -> Store:
    opened = _opened()
    opened.refuse_changes()
    return opened


def remembered_study_id() -> str | None:
    """The study in the address, else the one this session had open, else the newest.

    The study that lessons run their exercises in is opened only when somebody asks for it.
    """
    asked = st.query_params.get(_STUDY)
    if asked:
        st.session_state[_STUDY] = asked
    if _STUDY not in st.session_state:
        studies = store().list_studies()
        if not studies:
            return None
        practice = practice_study(store())
        others = [study for study in studies if practice is None or study.id != practice.id]
        st.session_state[_STUDY] = (others or studies)[0].id
    return str(st.session_state[_STUDY])


def current_study() -> Study:
    """The open study; ends the page with what to do when there is none."""
    study_id = remembered_study_id()
    if study_id is None:
        st.info(
            "There is no study yet. A study is one model, one dataset and all the variants tried "
            "on them.",
            icon=":material/info:",
        )
        st.page_link(NEW_STUDY, label="Make the first study", icon=":material/add_circle:")
        st.stop()
    try:
        study = store().get_study(study_id)
    except InputError:
        st.session_state.pop(_STUDY, None)
        st.error(
            f"The address names the study {study_id!r}, which is not in this workbench. It may "
            "have been deleted, or the link may come from another machine.",
            title="No such study",
        )
        st.page_link(STUDIES, label="See the studies that are here", icon=":material/folder_open:")
        st.stop()
    remember_study(study.id)
    return study


def remember_study(study_id: str) -> None:
    """Make a study the open one, in this session and in the address."""
    st.session_state[_STUDY] = study_id
    if st.query_params.get(_STUDY) != study_id:
        st.query_params[_STUDY] = study_id


def study_variants(study: Study) -> list[Variant]:
    """The study's variants as they are now; only those that changed are read again."""
    return store().list_variants(study.id)


def chosen_variant_id(study: Study) -> str | None:
    """The variant in the address, else the one this session chose last in this study."""
    asked = st.query_params.get(_VARIANT)
    if asked:
        st.session_state[f"{_VARIANT}:{study.id}"] = asked
    return st.session_state.get(f"{_VARIANT}:{study.id}")


def choose_variant(variant: Variant) -> None:
    """Make a variant the chosen one of its study, in this session and in the address."""
    st.session_state[f"{_VARIANT}:{variant.study_id}"] = variant.id
    if st.query_params.get(_VARIANT) != variant.id:
        st.query_params[_VARIANT] = variant.id


def study_link(study: Study, **more: str) -> dict[str, Any]:
    """Query parameters that reopen a study."""
    return {_STUDY: study.id, **more}
