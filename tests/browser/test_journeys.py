"""The journeys a person walks, in a real browser against the real engine."""

import json
import os
import re
import signal

import psutil
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from optimizer.store.records import FINISHED
from pages.parts.tour import STOPS
from tests.browser.conftest import SETTLED

ENGINE_SECONDS = 90_000
PATHS = [
    *("compare", "explore", "advisor", "optimize", "sensitivity", "variant", "inspect"),
    *("deploy", "report", "model", "data", "runs", "new", "studies", "storage"),
    *("settings", "learn"),
]
TRAINING = re.compile(r"epoch \d+ of 900")
CHART = ".js-plotly-plot .main-svg"


def settle(page):
    page.wait_for_selector(SETTLED)


def go(page, server, path, **query):
    parameters = "&".join(f"{key}={value}" for key, value in query.items())
    page.goto(f"{server.url}/{path}?{parameters}")
    settle(page)


def sample(store):
    return next(study for study in store.list_studies() if study.origin == "sample")


def navigate(page, name):
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=name).click()
    settle(page)


def test_a_deep_link_is_the_first_request_of_the_server(page, server):
    """Streamlit's automatic pages would run a page without app.py's frame."""
    go(page, server, "optimize")
    expect(page.get_by_test_id("stSidebarNav").get_by_role("link", name="Compare")).to_be_visible()
    expect(page.get_by_role("heading", name="Optimize", exact=True)).to_be_visible()
    expect(page.get_by_text("Open study")).to_be_visible()
    expect(page.get_by_text("Page not found")).to_have_count(0)


def test_the_root_address_opens_the_sample_study(page, server):
    go(page, server, "")
    expect(page.get_by_role("heading", name="Handwritten digits (sample)")).to_be_visible()
    expect(page.locator(CHART).first).to_be_visible()


def test_somebody_new_is_shown_around(page, server):
    go(page, server, "compare")
    page.get_by_role("button", name="Show me around").click()
    for number, stop in enumerate(STOPS, 1):
        expect(page.get_by_text(f"Tour, stop {number} of {len(STOPS)}")).to_be_visible()
        expect(page.locator(".st-key-tour").get_by_text(stop.title)).to_be_visible()
        assert f"/{stop.path}" in page.url
        settle(page)
        if number < len(STOPS):
            page.get_by_role("button", name="Next", exact=True).click()
    page.get_by_role("button", name="End", exact=True).click()
    expect(page.locator(".st-key-tour")).to_have_count(0)


def test_links_to_a_variant_can_be_shared(page, server, store):
    study = sample(store)
    variant = next(v for v in store.list_variants(study.id) if v.name == "float16")
    go(page, server, "variant", study=study.id, variant=variant.id)
    expect(page.get_by_role("heading", name="float16", exact=True)).to_be_visible()
    expect(page.get_by_text("Layers, as read out of the file")).to_be_visible()


@pytest.fixture(scope="module")
def made(browser, server, store):
    """A study made in the browser from a sample, with its baseline measured."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    context.set_default_timeout(ENGINE_SECONDS)
    page = context.new_page()
    go(page, server, "new")
    page.get_by_role("button", name="Read and check").click()
    expect(page.get_by_text("The data fit the model.")).to_be_visible(timeout=ENGINE_SECONDS)
    page.get_by_label("Study name", exact=True).fill("Made in a browser")
    page.get_by_role("button", name="Create study and measure the baseline").click()
    expect(page.get_by_text("Only the baseline so far")).to_be_visible(timeout=ENGINE_SECONDS)
    context.close()
    return next(study for study in store.list_studies() if study.name == "Made in a browser")


def test_a_recipe_is_run_compared_and_taken_away(page, server, store, made):
    go(page, server, "optimize", study=made.id)
    page.get_by_text("Quickest", exact=True).click()
    expect(page.get_by_text("int8 weights in large layers")).to_be_visible()
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_text("This recipe has been run in this study")).to_be_visible(
        timeout=ENGINE_SECONDS
    )
    navigate(page, "Compare")
    expect(page.get_by_text("dynamic range").first).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download .tflite").click()
    content = download.value.path().read_bytes()
    assert content[4:8] == b"TFL3"
    sizes = {v.results["size_bytes"] for v in store.list_variants(made.id) if v.results}
    assert len(content) in sizes
    with page.expect_download() as download:
        page.get_by_role("button", name="Results JSON").click()
    results = json.loads(download.value.path().read_bytes())
    assert [record["name"] for record in results["variants"]] == ["dynamic range"]


def test_a_point_in_a_chart_chooses_its_variant(page, server, store):
    study = sample(store)
    go(page, server, "compare", study=study.id)
    before = page.get_by_test_id("stMetricValue").first.inner_text()
    baseline = page.locator(CHART).first.locator("..").locator(".scatterlayer .trace .points path")
    expect(baseline.first).to_be_attached()
    baseline.first.scroll_into_view_if_needed()  # waits until it moves no more
    box = baseline.first.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.get_by_test_id("stMetricValue").first).not_to_have_text(before)
    assert f"study={study.id}" in page.url


def long_run(page, server, made, seed):
    """Ask for hundreds of epochs, and wait until they train."""
    go(page, server, "optimize", study=made.id)
    page.get_by_text("Constant", exact=True).click()
    settle(page)
    for label, value in (("Epochs", "900"), ("Seed", str(seed))):
        page.get_by_label(label, exact=True).fill(value)
        page.get_by_label(label, exact=True).press("Enter")
        settle(page)
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_text(TRAINING).first).to_be_visible(timeout=ENGINE_SECONDS)


def test_a_run_is_seen_after_a_reload_and_in_a_second_tab_and_cancelled(page, server, store, made):
    long_run(page, server, made, 1)
    page.reload()
    expect(page.get_by_text(TRAINING).first).to_be_visible()
    other = page.context.new_page()
    go(other, server, "runs")
    expect(other.get_by_text(TRAINING).first).to_be_visible()
    other.get_by_role("button", name="Cancel").first.click()
    expect(other.get_by_text("cancelled").first).to_be_visible()
    assert store.list_runs(study_id=made.id, limit=1)[0].state == "cancelled"


def test_a_run_outlives_the_app_and_is_resumed_when_its_engine_dies(page, server, store, made):
    long_run(page, server, made, 2)
    run = store.list_runs(study_id=made.id, limit=1)[0]
    server.stop()
    assert store.get_run(run.id).state == "running"
    os.kill(store.engine_state().pid, signal.SIGKILL)
    server.start()
    go(page, server, "runs")
    expect(page.get_by_text(TRAINING).first).to_be_visible(timeout=ENGINE_SECONDS)
    assert psutil.pid_exists(store.engine_state().pid)
    page.get_by_role("button", name="Cancel").first.click()
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0, timeout=ENGINE_SECONDS)
    assert store.get_run(run.id).state in FINISHED


def test_a_damaged_upload_is_explained(page, server):
    go(page, server, "new")
    page.get_by_text("Upload", exact=True).first.click()
    settle(page)
    page.locator("input[type=file]").first.set_input_files(
        {"name": "model.keras", "mimeType": "application/zip", "buffer": b"PK\x03\x04" + bytes(99)}
    )
    expect(page.get_by_text("This model cannot be used")).to_be_visible()
    expect(page.get_by_text("its directory is missing, as in a truncated upload")).to_be_visible()


def test_a_study_travels_as_an_archive(page, server, store, tmp_path):
    go(page, server, "studies")
    study = sample(store)
    with page.expect_download() as download:
        page.locator(f".st-key-export-{study.id} button").first.click()
    archive = tmp_path / "digits.study.zip"
    archive.write_bytes(download.value.path().read_bytes())
    page.locator("input[type=file]").set_input_files(archive)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator(CHART).first).to_be_visible()
    imported = next(item for item in store.list_studies() if item.origin == "imported")
    assert imported.done_count == study.done_count
    go(page, server, "studies")
    page.locator(f".st-key-delete-{imported.id} button").first.click()
    page.get_by_role("button", name="Delete for good").click()
    expect(page.locator(f".st-key-delete-{imported.id}")).to_have_count(0)


# Violations inside Streamlit's own navigation, which puts more than items into its list.
STREAMLITS = {"list", "listitem"}
# On a dark page Streamlit writes a chosen option in the very colour that it puts under white text
# on a button; no colour reaches 4.5:1 for both. Buttons have it, options are at 3.8:1.
CHOSEN_OPTIONS = {"exclude": [["[data-testid='stButtonGroup']"]]}


DARK = "rgb(15, 22, 27)"
"""The dark theme's background."""


def serious_violations(page, scheme):
    """What axe finds on a page that is serious and ours."""
    part = CHOSEN_OPTIONS if scheme == "dark" else None
    return [
        (violation["id"], [node["html"][:200] for node in violation["nodes"]])
        for violation in Axe().run(page, context=part).response["violations"]
        if violation["impact"] in ("serious", "critical") and violation["id"] not in STREAMLITS
    ]


@pytest.mark.parametrize("path", PATHS)
def test_everyone_can_use_a_page_in_both_themes_and_on_a_phone(browser, server, path):
    """One load for all three: a page takes seconds to draw."""
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, color_scheme="light")
    page = context.new_page()
    go(page, server, path)
    expect(page.get_by_role("heading").first).to_be_visible()
    found = serious_violations(page, "light")
    page.emulate_media(color_scheme="dark")
    expect(page.get_by_test_id("stApp")).to_have_css("background-color", DARK)
    found += serious_violations(page, "dark")
    page.set_viewport_size({"width": 390, "height": 844})
    fits = "document.querySelector('[data-testid=stMain]').scrollWidth <= 390"
    page.wait_for_function(fits)
    context.close()
    assert found == []
