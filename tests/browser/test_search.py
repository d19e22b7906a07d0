"""A search from its sentence to its answer, in a real browser against the real engine."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SETTLED
from tests.browser.test_journeys import CHART, ENGINE_SECONDS, go, sample, serious_violations


def test_a_search_shows_its_trials_and_its_answer_and_has_a_link(page, server, store):
    go(page, server, "")  # the first visit puts the sample study into the store
    study = sample(store)
    go(page, server, "search", study=study.id)
    for label, number in (("Within (trials)", "3"), ("Lose at most (points)", "2")):
        field = page.get_by_role("spinbutton", name=label)
        field.fill(number)
        field.press("Enter")
        page.wait_for_selector(SETTLED)
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    expect(page.locator(CHART).first).to_be_visible(timeout=ENGINE_SECONDS)
    page.reload()  # it goes on without the page
    expect(page.get_by_text("See the variant")).to_be_visible(timeout=2 * ENGINE_SECONDS)
    (run,) = store.list_searches(study.id)
    assert run.state == "done"
    assert run.result["answer"]["kind"] == "found"
    assert f"search={run.id}" in page.url
    expect(page.get_by_text("test samples that the search did not see")).to_be_visible()
    page.get_by_text("See the variant").click()
    page.wait_for_url("**/variant?*")
    assert run.result["answer"]["variant_id"] in page.url


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_a_search_can_be_used_by_everyone_and_on_a_phone(browser, server, scheme, width):
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    go(page, server, "search")
    expect(page.get_by_role("button", name="Search", exact=True)).to_be_visible()
    page.get_by_text("What will be tried").click()
    page.wait_for_selector(SETTLED)
    page.mouse.move(0, 0)  # what the mouse is over has colours of Streamlit's own
    found = serious_violations(page, scheme)
    shown = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
    context.close()
    assert found == []
    assert shown <= width
