"""Exploring in a real browser: a budget, points, rows, and the link that reopens it all."""

from playwright.sync_api import expect

from tests.browser.conftest import SETTLED
from tests.browser.test_journeys import CHART, go, sample, settle

SLIDER = ".st-key-explore_budget_metric"


def opened(page, server, store):
    """The page on the sample study, which is there after a server's first visit."""
    go(page, server, "explore")
    study = sample(store)
    go(page, server, "explore", study=study.id)
    return study


def recommended(page):
    return page.get_by_text("Recommended:")


def tighten(page, presses):
    """Drag the accuracy budget to the left with the keyboard."""
    thumb = page.locator(SLIDER).get_by_role("slider")
    thumb.focus()
    for _ in range(presses):
        thumb.press("ArrowLeft")


def click_row(page, row):
    """Tick a row's box; the grid is a canvas with rows of 35 px below a head of the same."""
    grid = page.get_by_test_id("stDataFrame").first
    grid.scroll_into_view_if_needed()
    box = grid.bounding_box()
    page.mouse.click(box["x"] + 18, box["y"] + 35 * (row + 1) + 18)


def link(page):
    page.get_by_role("button", name="Copy link").click()
    return page.get_by_test_id("stCode").inner_text().strip()


def view(page):
    """What a person sees of a view, apart from pictures."""
    return {
        "recommended": page.get_by_test_id("stAlert").first.inner_text(),
        "slider": page.locator(SLIDER).inner_text(),
        "chosen": page.locator(".st-key-explore_chosen").inner_text(),
        "marks": page.locator(".legendtext").all_inner_texts(),
        "query": page.url.partition("?")[2],
    }


def test_a_view_is_made_shared_and_reopened(page, browser, server, store):
    study = opened(page, server, store)
    names = {variant.id: variant.name for variant in store.list_variants(study.id)}
    expect(recommended(page)).to_contain_text("prune 80% · cluster 8 · int8 QAT")
    tighten(page, 25)
    expect(recommended(page)).not_to_contain_text("cluster 8")
    settle(page)
    assert "budget_metric=" in page.url

    expect(page.locator(CHART).first).to_be_visible()
    point = page.locator(".scatterlayer .trace .points path").last
    point.scroll_into_view_if_needed()  # waits until it moves no more
    box = point.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_url("**compare=*")
    settle(page)
    click_row(page, 2)
    page.wait_for_url("**%2C*")
    settle(page)
    chosen = page.url.partition("compare=")[2].partition("&")[0].split("%2C")
    assert len(chosen) == 2
    for variant_id in chosen:
        expect(page.locator(".st-key-explore_chosen")).to_contain_text(names[variant_id])
    expect(page.get_by_text("Where their recipes differ")).to_be_visible()
    expect(page.locator(".legendtext").get_by_text("Chosen")).to_be_visible()

    address = link(page)
    seen = view(page)
    context = browser.new_context(viewport={"width": 1440, "height": 1000})
    other = context.new_page()
    other.goto(address)
    other.wait_for_selector(SETTLED)
    expect(other.locator(".legendtext").get_by_text("Chosen")).to_be_visible()
    again = view(other)
    assert sorted(again.pop("query").split("&")) == sorted(seen.pop("query").split("&"))
    assert again == seen
    context.close()

    click_row(page, 2)
    page.wait_for_url(lambda url: "%2C" not in url)
    settle(page)
    expect(page.get_by_text("Where their recipes differ")).to_have_count(0)
    page.go_back()
    expect(page.get_by_text("Where their recipes differ")).to_be_visible()
    page.wait_for_url("**%2C*")


def test_a_mangled_link_is_explained(page, server, store):
    study = opened(page, server, store)
    go(page, server, "explore", study=study.id, x="beauty", budget_metric="1e9", compare="gone")
    warning = page.get_by_text("Not everything in the link could be followed")
    expect(warning).to_be_visible()
    expect(recommended(page)).to_be_visible()
    expect(page.locator(CHART).first).to_be_visible()
