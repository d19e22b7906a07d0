"""The Sensitivity page in a browser: scan, click a cell, protect, and nothing axe objects to."""

from playwright.sync_api import expect

from tests.browser.test_journeys import ENGINE_SECONDS, go, sample, serious_violations, settle

HEAT = ".js-plotly-plot .nsewdrag"


def click_cell(page, row, column, rows=5, columns=12.0):
    """A cell of the heat map, counted from its upper left; two gaps of half a column count too."""
    box = page.locator(HEAT).first.bounding_box()
    x = box["x"] + box["width"] * (column + 0.5) / columns
    y = box["y"] + box["height"] * (row + 0.5) / rows
    page.wait_for_timeout(1000)  # a chart that is still being redrawn takes no click
    page.mouse.move(x, y)
    page.mouse.click(x, y)
    settle(page)


def test_a_scan_becomes_a_recipe_by_clicks(page, server, store):
    go(page, server, "")  # the first visit puts the sample study into the store
    made = sample(store)  # which has a scan already
    study = store.create_study("To be scanned", made.model_id, made.dataset_id, made.task)
    go(page, server, "sensitivity", study=study.id)
    page.get_by_role("button", name="Scan", exact=True).click()
    expect(page.get_by_text("What each layer bears")).to_be_visible(timeout=ENGINE_SECONDS)
    expect(page.locator(HEAT).first).to_be_visible()
    settle(page)
    table = page.get_by_test_id("stTable")
    click_cell(page, 2, 0)
    expect(table).to_contain_text("conv_3")
    expect(table).to_contain_text("50 %")
    click_cell(page, 2, 0)
    expect(table).to_have_count(0)
    page.get_by_role("button", name="Protect the sensitive layers").click()
    expect(table).to_contain_text("conv_2")
    # Nothing was measured in this new study, so the recipe before has to run as well.
    expect(page.get_by_role("button", name="Run both", exact=True)).to_be_enabled()
    assert not serious_violations(page, "light")
