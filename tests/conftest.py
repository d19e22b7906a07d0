"""Shared set-up of all tests."""

import pytest

from optimizer.tf_environment import configure

configure()


@pytest.fixture(scope="session", autouse=True)
def _no_persons_store(tmp_path_factory):
    """What forgets to name a store of its own must not open the one of the person who tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEATHERWEIGHT_HOME", str(tmp_path_factory.mktemp("home")))
        yield
