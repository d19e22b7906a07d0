"""The essential points of the journeys, walked without a pointer."""

import re

import pytest
from playwright.sync_api import expect

from optimizer.bundled import ensure_sample_study
from tests.browser.test_journeys import go, sample, settle

FOCUSED = """() => {
  const at = document.activeElement;
  return [at.getAttribute("aria-label") || at.innerText || "", at.dataset.testid || at.tagName];
}"""
OUTLINE = "() => getComputedStyle(document.activeElement).outlineStyle"
MOST_STOPS = 120


@pytest.fixture
def study(store):
    """The sample study, whichever test opens the workbench first."""
    ensure_sample_study(store)
    return sample(store)


def tab_to(page, name, kind=""):
    """Press Tab until something of this name, and of this test id or tag, has the focus."""
    passed = []
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        label, what = page.evaluate(FOCUSED)
        passed.append(label or what)
        if name in label and kind in what and not label.startswith("Help for"):
            return
    raise AssertionError(f"{name!r} was not reached by Tab, but {passed}")


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def test_a_variant_is_chosen_by_keys_from_the_list_and_from_the_table(page, server, study):
    go(page, server, "compare", study=study.id)
    figure = page.get_by_test_id("stMetricValue").first
    expect(figure).to_be_visible()
    tab_to(page, "Explore", "stSidebarNavLink")
    assert page.evaluate(OUTLINE) == "solid"  # who moves by keys sees where they are
    tab_to(page, "Variant", "INPUT")
    before = figure.inner_text()
    press(page, "ArrowDown", "Home", "Enter")
    expect(figure).not_to_have_text(before)
    assert "Variant" in page.evaluate(FOCUSED)[0]  # and goes on from there
    settle(page)
    page.get_by_role("button", name="Fullscreen: All variants").focus()
    tab_to(page, "", "data-grid-canvas")
    before = page.url
    press(page, "ArrowDown", "ArrowDown", "Shift+Space")
    page.wait_for_url(lambda address: address != before)
    settle(page)
    press(page, "Escape")
    tab_to(page, "Results CSV")  # the table does not keep the focus for ever


def test_a_budget_is_moved_by_keys_and_the_recommendation_with_it(page, server, study):
    go(page, server, "explore", study=study.id)
    said = page.get_by_text("Recommended: ")
    expect(said).to_be_visible()
    before = said.inner_text()
    tab_to(page, "Accuracy may fall by at most", "INPUT")
    press(page, *["ArrowLeft"] * 12)
    expect(said).not_to_have_text(before)
    expect(page).to_have_url(re.compile("budget_metric="))  # the link reopens it
    tab_to(page, "Download .tflite")
    with page.expect_download() as download:
        press(page, "Enter")
    assert download.value.suggested_filename.endswith(".tflite")


def test_a_lesson_is_gone_through_by_keys(page, server):
    go(page, server, "learn", lesson="sparsity-schedules")
    expect(page.get_by_role("heading", name="2 · Predict")).to_be_visible()
    tab_to(page, "Sparsity after a quarter (%)")
    press(page, "ArrowRight")
    settle(page)
    tab_to(page, "This is my prediction")
    press(page, "Enter")
    expect(page.get_by_role("heading", name="3 · See")).to_be_visible()
    tab_to(page, "Power")
    press(page, "ArrowRight")
    tab_to(page, "Run on the sample")
