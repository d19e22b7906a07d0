"""A student's way through a lesson, with the keyboard, in a real browser."""

import re

from playwright.sync_api import expect

from tests.browser.test_journeys import CHART, ENGINE_SECONDS, go, navigate, settle


def test_a_lesson_is_predicted_seen_and_tried(page, server, store):
    go(page, server, "learn")
    page.get_by_role("link", name="Open lesson 4").click()
    expect(page.get_by_role("heading", name="Affine quantization", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile("lesson=affine-quantization"))
    settle(page)
    expect(page.locator(CHART)).to_have_count(0)
    slider = page.get_by_role("slider", name="Largest error")
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_value("2.05")
    commit = page.get_by_role("button", name="This is my prediction")
    commit.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text(re.compile("You predicted 2.05 % of the largest"))).to_be_visible()
    expect(page.get_by_role("heading", name="3 · See")).to_be_visible()
    expect(page.locator(CHART).first).to_be_visible()
    run = page.get_by_role("button", name="Run on the sample")
    run.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("here the raw file shrinks")).to_be_visible(timeout=ENGINE_SECONDS)
    study = next(study for study in store.list_studies() if study.name.startswith("Lessons"))
    assert {variant.state for variant in store.list_variants(study.id)} <= {"done", "running"}
    page.get_by_role("link", name="All lessons").first.click()
    expect(page.get_by_text("1 of")).to_be_visible()
    expect(page.get_by_text(re.compile("Tried$"))).to_be_visible()


def test_a_link_reopens_a_lesson_and_terms_lead_to_it(page, server):
    go(page, server, "learn", lesson="compressed-size")
    title = "Why a pruned file is not smaller"
    expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
    navigate(page, "Compare")
    link = page.get_by_role("link", name="gzip", exact=True)
    expect(link).to_have_attribute("target", "_blank")
    with page.context.expect_page() as opened:
        link.click()
    expect(opened.value.get_by_role("heading", name=title, exact=True)).to_be_visible()
