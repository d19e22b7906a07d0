"""The way through the workbench for somebody new."""

import pytest

from tests.pages.conftest import check


def button(app, label):
    return next(b for b in app.button if b.label == label)


def labels(app):
    return {b.label for b in app.button}


def test_an_invitation_can_be_declined(workbench):
    app = workbench.open("study/compare")
    app = check(button(app, "No, thanks").click().run())
    assert "Show me around" not in labels(app)


@pytest.mark.parametrize("page", ["study/explore", "start/studies"])
def test_only_compare_invites(workbench, page):
    assert "Show me around" not in labels(workbench.open(page))


def test_who_has_a_study_of_their_own_is_not_invited(workbench):
    sample = workbench.study
    workbench.store.create_study("Mine", sample.model_id, sample.dataset_id, "multiclass")
    assert "Show me around" not in labels(workbench.open("study/compare", study=sample.id))
