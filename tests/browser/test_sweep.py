"""A sweep from its controls to its points, in a real browser against the real engine."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SETTLED
from tests.browser.test_journeys import CHART, ENGINE_SECONDS, go, sample, serious_violations


def value(page, label):
    """The figure of a metric, by its label."""
    metric = page.get_by_test_id("stMetric").filter(has_text=label)
    return metric.get_by_test_id("stMetricValue")


def test_the_points_of_a_sweep_appear_while_it_runs(page, server, store):
    go(page, server, "")  # the first visit puts the sample study into the store
    study = sample(store)
    go(page, server, "optimize", study=study.id)
    page.get_by_text("Sweep", exact=True).click()
    page.get_by_text("Every quantization", exact=True).click()
    expect(value(page, "Variants")).to_have_text("6")
    quantization = page.locator(".st-key-opt_vary_quantization input")
    for left in ("5", "4"):  # takes out int16×8 and quantization-aware training
        quantization.press("Backspace")
        expect(value(page, "Variants")).to_have_text(left)
    page.get_by_text("Cluster the weights", exact=True).click()
    for label, number in (("Number of clusters", "12"), ("Epochs", "1")):
        page.get_by_label(label, exact=True).fill(number)
        page.get_by_label(label, exact=True).press("Enter")
        page.wait_for_selector(SETTLED)
    expect(value(page, "Trainings")).to_have_text("1")
    page.get_by_role("button", name="Run the sweep").click()
    page.get_by_role("link", name="Watch the variants come in on Compare").click()
    points = page.locator(CHART).first.locator("..").locator(".scatterlayer .trace .points path")
    expect(points.first).to_be_attached()
    before = points.count()
    expect(points.nth(before)).to_be_attached(timeout=ENGINE_SECONDS)
    (run,) = store.list_runs(study_id=study.id, limit=1)
    assert run.title == "Sweep of 4 variants"
    assert run.state == "running"
    expect(points).to_have_count(before + 4, timeout=ENGINE_SECONDS)
    count = store.get_study(study.id).variant_count
    expect(page.get_by_text(f"{count} of {count} variants measured")).to_be_visible()
    expect(page.locator(f".st-key-run-{run.id}")).to_have_count(0, timeout=ENGINE_SECONDS)
    assert store.get_run(run.id).state == "done"
    trained = [stage for stage in store.list_stages(run.id) if stage.name == "cluster"]
    assert [stage.cached for stage in trained] == [False]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_a_sweep_can_be_used_by_everyone_and_on_a_phone(browser, server, scheme, width):
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    go(page, server, "optimize")
    page.get_by_text("Sweep", exact=True).click()
    expect(page.get_by_role("button", name="Run the sweep")).to_be_visible()
    page.wait_for_selector(SETTLED)
    page.mouse.move(0, 0)  # what the mouse is over has colours of Streamlit's own
    page.get_by_text("Base recipe").click()
    found = serious_violations(page, scheme)
    shown = page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth")
    context.close()
    assert found == []
    assert shown <= width
