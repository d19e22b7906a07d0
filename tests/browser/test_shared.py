"""A link for reading, opened by somebody else."""

from playwright.sync_api import expect

from tests.browser.test_journeys import CHART, go, sample, settle


def test_somebody_else_opens_a_link_until_it_is_revoked(browser, page, server, store):
    go(page, server, "")
    study = sample(store)
    go(page, server, "report", study=study.id)
    page.get_by_role("textbox", name="For whom").fill("the product team")
    page.get_by_role("textbox", name="For whom").press("Enter")
    page.get_by_role("button", name="Make a link", exact=True).click()
    shown = page.get_by_text("/shared?token=")
    expect(shown).to_be_visible()
    link = shown.inner_text().strip()
    context = browser.new_context(viewport={"width": 390, "height": 844})
    context.set_default_timeout(40_000)
    visitor = context.new_page()
    visitor.goto(link)
    settle(visitor)
    expect(visitor.get_by_text("For the product team")).to_be_visible()
    expect(visitor.locator(CHART).first).to_be_visible()
    expect(visitor.get_by_test_id("stSidebarNav")).to_have_count(0)
    expect(visitor.get_by_text("Open study")).to_have_count(0)
    assert visitor.evaluate("document.documentElement.scrollWidth") <= 390
    store.rename_study(study.id, study.name)  # any change of the store is noticed
    store.revoke_share(link.rpartition("=")[2])
    expect(visitor.get_by_text("This link opens no study")).to_be_visible()
    context.close()
