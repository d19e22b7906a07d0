"""What a server understands of its configuration, and where it refuses to guess."""

import pytest
import streamlit as st
from streamlit import config
from streamlit.runtime import Runtime

from optimizer.errors import InputError
from serving import door
from serving import policy as policies
from serving.policy import freeze, frozen, policy, read_policy

SECRET = "s" * 40
WHOLE = {
    "redirect_uri": "https://lab.example.org/oauth2callback",
    "cookie_secret": SECRET,
    "client_id": "featherweight",
    "client_secret": "the client's secret",
    "server_metadata_url": "https://id.example.org/.well-known/openid-configuration",
}
CLIENT = {key: WHOLE[key] for key in ("client_id", "client_secret", "server_metadata_url")}


@pytest.fixture
def configured(monkeypatch):
    """Set what ``secrets.toml`` holds."""
    monkeypatch.setattr(policies, "_frozen", [])
    for name in ("FEATHERWEIGHT_SHARED_ONLY", "FEATHERWEIGHT_ALLOW_OPEN"):
        monkeypatch.delenv(name, raising=False)

    def put(**sections):
        monkeypatch.setattr(type(st.secrets), "to_dict", lambda _: sections)

    put()
    return put


def test_nothing_configured_is_closed(configured):
    assert not read_policy().sign_in
    assert not read_policy().guarded


def test_a_whole_section_is_sign_in(configured):
    configured(auth=WHOLE, access={"allowed_domains": ["example.org"]})
    found = read_policy()
    assert found.sign_in
    assert found.providers == ("default",)
    assert found.origin == "https://lab.example.org"
    assert found.rules.allowed_domains == ("example.org",)
    assert set(found.secrets) >= {SECRET, "the client's secret"}
    assert SECRET not in repr(found)


def test_several_providers_are_named(configured):
    own = {key: WHOLE[key] for key in ("redirect_uri", "cookie_secret")}
    configured(auth=own | {"google": CLIENT, "school": CLIENT})
    assert read_policy().providers == ("google", "school")


def test_shared_studies_alone_ask_nobody_to_sign_in(configured, monkeypatch):
    configured(auth=WHOLE)
    monkeypatch.setenv("FEATHERWEIGHT_SHARED_ONLY", "1")
    assert not read_policy().sign_in
    assert read_policy().guarded


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        *(
            ({"auth": {name: text for name, text in WHOLE.items() if name != key}}, f"lacks {key}")
            for key in WHOLE
        ),
        ({"auth": WHOLE | {"cookie_secret": "xxx"}}, "fewer than 32"),
        ({"auth": WHOLE | {"redirect_uri": "lab.example.org/oauth2callback"}}, "redirect_uri in"),
        ({"auth": WHOLE | {"redirect_uri": "https://lab.example.org/"}}, "ends with"),
        ({"auth": {**WHOLE, "google": {"client_id": "x"}}}, r"\[auth.google\] .* lacks"),
        ({"auth": {}}, "lacks redirect_uri"),
        ({"auth": "yes"}, "is a section"),
        ({"access": {"allowed_emails": ["a@b.c"]}}, r"has \[access\] and no \[auth\]"),
        ({"auth": WHOLE, "access": {"allowed": []}}, "not known"),
    ],
)
def test_what_is_not_whole_is_refused(configured, sections, said):
    configured(**sections)
    with pytest.raises(InputError, match=said):
        read_policy()


@pytest.mark.parametrize(
    ("option", "value"),
    [("server.trustedUserHeaders", {"X-User": "sub"}), ("server.enableXsrfProtection", False)],
)
def test_what_makes_sign_in_worth_nothing_is_refused(configured, monkeypatch, option, value):
    configured(auth=WHOLE)
    known = config.get_option
    monkeypatch.setattr(config, "get_option", lambda key: value if key == option else known(key))
    with pytest.raises(InputError, match=option):
        read_policy()


def test_what_is_read_at_the_start_stays(configured):
    configured(auth=WHOLE)
    freeze()
    configured()
    assert policy().sign_in
    assert policy() is frozen()


def test_a_server_that_did_not_come_through_the_door_is_noticed(configured, monkeypatch):
    """As when Streamlit is started with one of the files in ``pages/``."""
    assert not door.is_bypassed()
    monkeypatch.setattr(door.runtime, "exists", lambda: True)
    monkeypatch.setattr(door.runtime, "get_instance", lambda: Runtime.__new__(Runtime))
    assert door.is_bypassed()
    freeze()
    assert not door.is_bypassed()
