"""A report opens in a browser without any network, for everybody."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from optimizer.report.content import Choices, compose
from optimizer.report.page import render
from tests.report.conftest import HOSTILE, hostile, sample, sample_store

__all__ = ["hostile", "sample", "sample_store"]

POINTS = ".scatterlayer .trace .points path"


@pytest.fixture
def open_file(browser, tmp_path):
    """Opens a report offline; fails on any request, error or violated policy."""
    contexts, faults = [], []

    def opened(text, **options):
        path = tmp_path / "report.html"
        path.write_text(text)
        context = browser.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda line: faults.append(line.text) if line.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith(("file:", "data:", "blob:"))
                else faults.append(request.url)
            ),
        )
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_readable_offline_on_a_phone(open_file, sample, theme):
    page = open_file(
        render(compose(sample)), viewport={"width": 390, "height": 844}, color_scheme=theme
    )
    expect(page.locator(".js-plotly-plot")).to_have_count(3)
    expect(page.locator(POINTS).first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    violations = [
        item
        for item in Axe().run(page).response["violations"]
        if item["impact"] in ("serious", "critical")
    ]
    assert violations == []


def test_a_budget_and_a_click_answer(open_file, sample):
    page = open_file(render(compose(sample)), viewport={"width": 1440, "height": 1000})
    said = page.locator("#budget-answer")
    expect(said).to_contain_text("This is our choice")
    page.locator("#budget").focus()
    page.keyboard.press("Home")
    expect(said).to_contain_text("it loses nothing")
    expect(said).not_to_contain_text("our choice")
    card = page.locator("#looked-at")
    expect(card).to_be_visible()
    before = card.inner_text()
    square = page.locator(".js-plotly-plot").first.locator(POINTS).first
    square.scroll_into_view_if_needed()
    box = square.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(card).not_to_have_text(before)
    expect(card.get_by_role("heading")).to_be_visible()


def test_hostile_names_run_nothing(open_file, hostile):
    choices = Choices(title=HOSTILE, question=HOSTILE, audience=HOSTILE, choice="other")
    page = open_file(render(compose(hostile, choices)))
    expect(page.locator(POINTS).first).to_be_visible()
    page.locator("#budget").focus()
    page.keyboard.press("End")
    expect(page.locator("#looked-at")).to_contain_text("<img src=x")
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    assert page.evaluate("window.hacked") is None
    assert page.locator("img").count() == 0


def test_it_prints_dark_on_white_with_everything_open(open_file, sample):
    paper = {"width": 720, "height": 1000}
    page = open_file(render(compose(sample)), color_scheme="dark", viewport=paper)
    expect(page.locator(POINTS).first).to_be_visible()
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("[...document.querySelectorAll('details')].every(one => one.open)")
    expect(page.locator("nav")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= 720
