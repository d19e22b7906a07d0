"""Pages run by Streamlit's AppTest, on stores of their own and without an engine."""

import shutil
import sys
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from optimizer.bundled import MARKER, ensure_sample_study
from optimizer.store import Store

ROOT = Path(__file__).parents[2]
STUDY_PAGES = (
    *("compare", "explore", "advisor", "optimize", "sensitivity", "search", "variant", "inspect"),
    *("deploy", "report", "model", "data", "runs"),
)


class Workbench:
    """The app in one session, and its store."""

    def __init__(self, store):
        self.store = store

    def open(self, page, **query):
        """A page as a fresh session sees it, by its address; fails on any exception."""
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        app.query_params.update(query)
        app.switch_page(f"pages/{page}.py").run()
        # Streamlit draws the home page instead of one that the app does not know.
        assert app._finished_page_script_hash == app._page_hash, f"{page} was not drawn"
        check(app)
        return app

    @property
    def study(self):
        return self.store.list_studies()[0]


def check(app):
    assert not app.exception, [item.message for item in app.exception]
    return app


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FEATHERWEIGHT_HOME", str(tmp_path))
    monkeypatch.setenv("FEATHERWEIGHT_NO_ENGINE", "1")
    # AppTest puts the app in its place, which later spawned processes would then run.
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    st.cache_resource.clear()
    st.cache_data.clear()
    yield tmp_path
    st.cache_resource.clear()


@pytest.fixture(scope="session")
def sample_home(tmp_path_factory):
    """The folder of a store into which the bundled sample study was imported; to be copied."""
    folder = tmp_path_factory.mktemp("sample")
    ensure_sample_study(Store.open(folder))
    return folder


@pytest.fixture
def workbench(home, sample_home):
    """With the bundled sample study."""
    shutil.copytree(sample_home, home, dirs_exist_ok=True)
    return Workbench(Store.open(home))


@pytest.fixture
def empty(home):
    """With nothing in it."""
    store = Store.open(home)
    (home / MARKER).touch()
    return Workbench(store)
