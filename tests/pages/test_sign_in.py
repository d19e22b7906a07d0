"""Pages where people sign in: before it nothing, after it one's own, whatever the address says."""

import pytest
from streamlit.testing.v1 import AppTest

from optimizer.access.identity import Rules, owner_of
from optimizer.bundled import ensure_sample_study
from optimizer.store import Scope, Store
from pages.parts.sign_in import require_administrator
from serving import policy as policies
from serving.policy import Policy
from tests.pages.conftest import ROOT, STUDY_PAGES, check
from tests.pages.test_pages import texts

ISSUER = "https://id.example.org"
SECRET = "Adas secret study"
OTHERS = ("start/studies", "start/new", "start/settings", "lessons/learn")


def claims(subject, **more):
    return {
        "is_logged_in": True,
        "iss": ISSUER,
        "sub": subject,
        "name": f"Person {subject}",
        "email": f"{subject}@example.org",
        "email_verified": True,
        **more,
    }


def set_policy(monkeypatch, **rules):
    signed = Policy(("default",), Rules.parse(rules), "http://127.0.0.1")
    monkeypatch.setattr(policies, "_frozen", [signed])


def opened(page, user, **query):
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    app.user = user
    app.query_params.update(query)
    app.run()
    if page and user.get("is_logged_in"):
        app.switch_page(f"pages/{page}.py").run()
    return check(app)


class Theirs:
    """Ada's study, and everything of it that an address can name."""

    def __init__(self, home):
        store = Store.open(home)
        ada = store.scoped(Scope(owner=owner_of(ISSUER, "ada")))
        ensure_sample_study(ada)
        (study,) = ada.list_studies()
        ada.rename_study(study.id, SECRET)
        run = ada.queue_run("search", SECRET, study_id=study.id)
        variant = ada.list_variants(study.id)[1]
        self.share = ada.share_study(study.id)
        self.query = {
            "study": study.id,
            "variant": variant.id,
            "copy": variant.id,
            "search": run.id,
            "model": study.model_id,
            "data": study.dataset_id,
            "dataset": study.dataset_id,
        }


@pytest.fixture
def ada(home, monkeypatch):
    set_policy(monkeypatch)
    return Theirs(home)


def shown(app):
    """All that the browser would get, as text."""
    return "\n".join(str(getattr(item, "proto", "")) for item in app._tree)


def test_nobody_sees_anything_before_signing_in(ada):
    for query in ({}, ada.query, {"token": ada.share.token}):
        app = opened(None, {}, **query)
        assert [title.value for title in app.title] == ["Featherweight"]
        assert [button.label for button in app.button] == ["Sign in"]
        assert not app.selectbox
        assert SECRET not in shown(app)


def test_she_sees_her_study_and_who_she_is(ada):
    app = opened("study/compare", claims("ada"), study=ada.query["study"])
    assert SECRET in shown(app)
    assert "Signed in as **Person ada**" in [caption.value for caption in app.sidebar.caption]
    assert "Sign out" in [button.label for button in app.sidebar.button]


def test_no_address_shows_him_what_is_hers(ada):
    app = opened(None, claims("bob"), **ada.query)
    for page in (*(f"study/{page}" for page in STUDY_PAGES), *OTHERS):
        app.query_params.clear()
        app.query_params.update(ada.query)
        check(app.switch_page(f"pages/{page}.py").run())
        assert SECRET not in shown(app), page
        assert "not in this workbench" in texts(app) or page in (*OTHERS, "study/runs"), page


def test_nor_do_the_other_parts_of_an_address(ada):
    """His own study is open, and the address names a variant, a search and files of hers."""
    app = opened(None, claims("bob"))
    own = app.query_params["study"]
    for page in ("study/variant", "study/optimize", "study/search", "start/new"):
        app.query_params.clear()
        app.query_params.update(ada.query | {"study": own})
        check(app.switch_page(f"pages/{page}.py").run())
        assert SECRET not in shown(app), page
        assert app.warning or app.info, page


def test_a_sign_in_that_ran_out_or_is_not_listed_shows_why(ada, monkeypatch):
    app = opened(None, claims("ada", iat=1.0))
    assert "more than 12 hours ago" in app.error[0].value
    assert [button.label for button in app.button] == ["Sign out", "Sign in again"]
    set_policy(monkeypatch, allowed_emails=["ada@example.org"])
    assert "may not use this workbench" in opened(None, claims("bob")).error[0].value
    assert not opened("study/compare", claims("ada")).error


def test_the_engines_settings_are_for_administrators(ada, monkeypatch):
    set_policy(monkeypatch, administrators=["ada@example.org"])
    labels = [button.label for button in opened("start/settings", claims("ada")).button]
    assert "Apply and restart the engine" in labels
    app = opened("start/settings", claims("bob"))
    assert "Apply and restart the engine" not in [button.label for button in app.button]
    assert "for whoever runs this workbench" in texts(app)


def test_on_an_open_server_nobody_administers(home, monkeypatch):
    monkeypatch.setattr(policies, "_frozen", [Policy(allow_open=True)])
    Store.open(home)
    assert "for whoever runs this workbench" in texts(opened("start/settings", {"is_logged_in": 1}))
    with pytest.raises(ValueError, match="may change this"):
        require_administrator()
