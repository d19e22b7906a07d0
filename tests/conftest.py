"""Shared set-up of all tests."""

import gc

import pytest
from hypothesis import settings

from optimizer.tf_environment import configure

configure()
# Time is reported by the benchmarks, never asserted by a test: machines are busy.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def _no_persons_store(tmp_path_factory):
    """What forgets to name a store of its own must not open the one of the person who tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEATHERWEIGHT_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="module", autouse=True)
def _what_is_there_stays():
    """Keep what libraries have made out of the collections of garbage that tests cause.

    After each run of a page Streamlit clears the session of a Keras that is imported, which
    collects all garbage: a quarter of a second each time, where TensorFlow is imported, too.
    """
    gc.collect()
    gc.freeze()
