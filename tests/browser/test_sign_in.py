"""Signing in end to end: a real browser, a real server open to the network, a real provider."""

import re
import secrets

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import CSP, REPORT_VIOLATIONS, SETTLED
from tests.serving.provider import CLIENT, Provider
from tests.serving.servers import RunningApp, free_port

SECONDS = 150
"""The first page of a new person takes a sample study in; on a busy machine that may be long."""
LEAK = "a-code-that-nobody-may-read"


class Lab:
    """A server where people sign in, and their browsers."""

    def __init__(self, browser, home):
        self.browser, self.provider, port = browser, Provider(), free_port()
        self.cookie_secret = secrets.token_urlsafe(32)
        home.mkdir()
        file = home / "secrets.toml"
        file.write_text(
            "[auth]\n"
            f'redirect_uri = "http://127.0.0.1:{port}/oauth2callback"\n'
            f'cookie_secret = "{self.cookie_secret}"\n'
            f'client_id = "{CLIENT}"\n'
            f'client_secret = "{self.provider.secret}"\n'
            f'server_metadata_url = "{self.provider.issuer}/.well-known/openid-configuration"\n'
            "[access]\n"
            'allowed_domains = ["example.org"]\n'
            'administrators = ["ada@example.org"]\n'
        )
        arguments = ("--server.address", "0.0.0.0", "--secrets.files", str(file))
        self.home = home
        self.app = RunningApp(home / "store", *arguments, port=port)
        self.violations = []

    def visitor(self):
        context = self.browser.new_context(viewport={"width": 1440, "height": 1000})
        context.set_default_timeout(SECONDS * 1000)
        page = context.new_page()
        page.add_init_script(REPORT_VIOLATIONS)
        page.on("console", lambda said: CSP in said.text and self.violations.append(said.text))
        return page

    def sign_in(self, page, who, address):
        page.goto(self.app.url + address)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.get_by_role("link", name=who).click()
        page.wait_for_url(re.compile(re.escape(self.app.url)))
        page.wait_for_selector(SETTLED)

    def close(self):
        self.app.stop()
        self.provider.close()


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory):
    made = Lab(browser, tmp_path_factory.mktemp("lab") / "home")
    yield made
    made.close()


@pytest.fixture(scope="module")
def ada(lab):
    """Ada, signed in by way of a page's address, with the addresses of her study."""
    page = lab.visitor()
    media = []
    made = f"{lab.app.url}/media/"
    page.on("request", lambda sent: sent.url.startswith(made) and media.append(sent.url))
    lab.sign_in(page, "ada", "/report?from=mail")
    expect(page).to_have_url(re.compile(r"/report\?"))
    expect(page.get_by_text("Signed in as Ada Lovelace")).to_be_visible()
    page.get_by_role("button", name="Make a link", exact=True).click()
    shown = page.get_by_text("/shared?token=")
    expect(shown).to_be_visible()
    page.link = shown.inner_text().strip()
    page.study = re.search(r"study=([0-9a-f]+)", page.url)[1]
    page.media = media
    return page


def test_nothing_is_shown_before_signing_in(lab):
    page = lab.visitor()
    page.goto(f"{lab.app.url}/compare")
    page.wait_for_selector(SETTLED)
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    expect(page.get_by_test_id("stSidebarNav")).to_have_count(0)
    expect(page.get_by_text("Page not found")).to_have_count(0)
    expect(page.get_by_text("Handwritten digits")).to_have_count(0)


def test_downloads_are_the_signed_in_persons_alone(lab, ada):
    with ada.expect_download() as download:
        ada.get_by_role("button", name="Download the archive").click()
    assert download.value.path().read_bytes().startswith(b"PK")
    path = ada.media[-1].removeprefix(lab.app.url)
    cookies = "; ".join(f"{c['name']}={c['value']}" for c in ada.context.cookies())
    assert lab.app.get(path, Cookie=cookies).status == 200
    assert lab.app.get(path).status == 401
    assert lab.app.get(path, Cookie="_streamlit_user=" + "x" * 90).status == 401


def test_another_person_sees_their_own_and_what_is_shared(lab, ada):
    page = lab.visitor()
    lab.sign_in(page, "bob", f"/compare?study={ada.study}")
    expect(page).to_have_url(re.compile(f"study={ada.study}"))
    expect(page.get_by_text("No such study")).to_be_visible()
    page.goto(f"{lab.app.url}/settings")
    expect(page.get_by_text("for whoever runs this workbench")).to_be_visible()
    page.goto(ada.link)
    expect(page.get_by_text("for reading only")).to_be_visible()
    expect(page.get_by_text("Signed in as")).to_have_count(0)
    page.context.close()


def test_a_shared_link_asks_strangers_to_sign_in_first(lab, ada):
    page = lab.visitor()
    page.goto(ada.link)
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    expect(page.get_by_text("for reading only")).to_have_count(0)
    lab.sign_in(page, "bob", ada.link.removeprefix(lab.app.url))
    expect(page.get_by_text("for reading only")).to_be_visible()
    page.context.close()


def test_who_is_not_listed_stays_outside(lab):
    page = lab.visitor()
    lab.sign_in(page, "eve", "/compare")
    expect(page.get_by_text("eve@elsewhere.net may not use this workbench")).to_be_visible()
    expect(page.get_by_test_id("stSidebarNav")).to_have_count(0)
    cookies = "; ".join(f"{c['name']}={c['value']}" for c in page.context.cookies())
    assert lab.app.get("/media/anything", Cookie=cookies).status == 401
    page.context.close()


def test_signing_out_ends_it_and_no_log_has_a_secret(lab, ada):
    kept = {cookie["name"]: cookie for cookie in ada.context.cookies()}
    assert kept["_streamlit_user"]["httpOnly"]
    assert kept["_streamlit_user"]["sameSite"] == "Lax"
    assert "featherweight_return" not in kept
    lab.app.get(f"/oauth2callback?code={LEAK}&state=unknown")
    lab.app.get(f"/auth/login?provider={LEAK}")
    lab.app.get(f"/shared?token={LEAK}", Host="evil.example")
    ada.get_by_role("button", name="Sign out").click()
    expect(ada.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    assert "_streamlit_user" not in {cookie["name"] for cookie in ada.context.cookies()}
    hidden = [
        *(LEAK, lab.cookie_secret, lab.provider.secret, *lab.provider.issued),
        *(ada.link.rpartition("=")[2], kept["_streamlit_user"]["value"]),
    ]
    logs = [path for path in lab.home.rglob("*") if path.is_file() and "log" in path.name]
    assert {lab.app.log, lab.app.home / "app.log"} <= set(logs)
    for path in logs:
        text = path.read_text(errors="replace")
        assert not [secret for secret in hidden if secret in text], path
    assert lab.violations == []
