"""A person walks through the pages of the running stack in Chromium."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from ct_dashboard.views.history import ROW_HEIGHT
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

PAGES = [
    "estimate", "batch", "history", "comparison", "metrics", "explainability", "data", "quality", "operations",
]  # fmt: skip


def _not_ours(page: Page, rule: str, selector: str) -> bool:
    """Whether a fault is of Streamlit's own menu, or of a choice that cannot be made yet (WCAG 1.4.3 leaves those out)."""
    excused = {
        "color-contrast": "e => !!e.closest('[data-testid=stSelectbox]')?.querySelector('input:disabled')",
        "list": "e => !!e.closest('[data-testid=stSidebarNav]')",
        "listitem": "e => !!e.closest('[data-testid=stSidebarNav]')",
    }
    return rule in excused and bool(page.locator(selector).first.evaluate(excused[rule]))


def test_an_estimate_from_a_link_to_its_comparable_listings(visit):
    visitor = visit()
    page = visitor.open("?state=California&house_size=1600&lang=en")
    page.get_by_role("button", name="Estimate the price").click()
    price = page.get_by_test_id("stMetricValue").first
    expect(price).to_have_text(re.compile(r"^\$[\d,]+$"))
    visitor.settled()
    expect(page.get_by_text(re.compile("Model house-prices, version"))).to_be_visible()
    expect(page.get_by_text("Choose a zip code to see comparable listings.")).to_be_visible()
    # The choices depend on each other; a zip code brings listings of its area.
    page.get_by_label("Zip code").click()
    page.get_by_role("option").nth(0).click()
    visitor.settled()
    page.get_by_role("button", name="Estimate the price").click()
    expect(page.get_by_text("most like this home, nearest first")).to_be_visible()
    visitor.settled()
    if visitor.stack.explains:
        expect(page.get_by_text("From the base price to the estimate, dollars")).to_be_visible()
        page.get_by_label("Real price (dollars)").fill("500000")
        page.get_by_role("button", name="Send the real price").click()
        expect(page.get_by_text("Thank you. The real price is on record")).to_be_visible()
    visitor.screenshot("estimate")


def test_the_language_changes_in_place_and_stays_in_the_address(visit):
    visitor = visit()
    page = visitor.open("history?lang=en")
    expect(page.get_by_role("heading", name="What happened to each batch")).to_be_visible()
    page.get_by_role("radio", name="Español").click()
    expect(page.get_by_role("heading", name="Qué pasó con cada lote")).to_be_visible()
    expect(page).to_have_url(re.compile(r"lang=es"))
    expect(page.get_by_text("Por qué este modelo está en producción:")).to_be_visible()


def test_history_from_the_table_to_the_whole_evidence_and_on_to_the_comparison(visit):
    visitor = visit()
    page = visitor.open("history?lang=en")
    expect(page.get_by_text("Why this model is in production:")).to_be_visible()
    visitor.screenshot("history")
    # The second line: the first is the run that found the source exhausted.
    visitor.select_row(0, 1, height=ROW_HEIGHT)
    expect(page).to_have_url(re.compile(r"run="))
    expect(page.get_by_role("heading", name="Promotion")).to_be_visible()
    expect(page.get_by_text("Gates that were evaluated")).to_be_visible()
    link = page.get_by_role("link", name="Champion and challenger").last
    address = link.get_attribute("href")
    assert address is not None
    visitor = visit(dark=True)
    page = visitor.open(address.removeprefix("/"))
    expect(page.get_by_role("heading", name="Better or worse, and where")).to_be_visible()
    visitor.screenshot("comparison", 2225)


def test_from_the_story_to_what_the_new_model_relies_on(visit):
    visitor = visit()
    page = visitor.open("history?lang=en")
    expect(page.get_by_text("What it relies on differently:")).to_be_visible()
    address = page.get_by_role("link", name="See how").get_attribute("href")
    assert address is not None
    page = visitor.open(address.removeprefix("/"))
    expect(page.get_by_role("heading", name=re.compile(r"^What version \d+ relies on"))).to_be_visible()
    against = page.get_by_role("heading", name=re.compile(r"^Version (\d+) against version (\d+)"))
    expect(against).to_be_visible()
    assert page.get_by_test_id("stPlotlyChart").count() == 6
    visitor.screenshot("explainability", 2270)
    # The effect of another column, and another home, have addresses of their own.
    visitor.choose("Column", "Bathrooms")
    expect(page).to_have_url(re.compile(r"column=bath"))
    expect(page.get_by_text("Effect of Bathrooms on the price")).to_be_visible()
    visitor.settled()
    visitor.select_row(0, 2)
    expect(page).to_have_url(re.compile(r"home="))
    visitor.settled()
    # A version compared with itself differs in nothing.
    new = re.findall(r"\d+", against.inner_text())[0]
    page = visitor.open(f"explainability?lang=en&version={new}&against={new}")
    expect(page.get_by_text("no difference is larger than chance makes it")).to_be_visible()
    expect(page.get_by_text("Both versions give these homes the same prices.")).to_be_visible()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_serious_fault_of_accessibility(visit, page):
    opened = visit().open(f"{page}?lang=en")
    assert opened.get_by_test_id("stException").count() == 0
    assert not _serious_faults(opened)


@pytest.mark.parametrize("page", PAGES)
def test_on_a_phone_in_the_dark_nothing_is_too_wide_or_too_pale(visit, page):
    visitor = visit(phone=True, dark=True)
    opened = visitor.open(f"{page}?lang=es")
    assert opened.get_by_test_id("stException").count() == 0
    wide = opened.evaluate(
        "() => { const main = document.querySelector('[data-testid=stMain]'); return main.scrollWidth - main.clientWidth; }"
    )
    assert wide <= 1
    assert not _serious_faults(opened)
    if page == "data":
        visitor.screenshot("phone-data", 1460)


def _serious_faults(page: Page) -> list[tuple[str, str]]:
    """What axe calls serious or critical: rule and element."""
    return [
        (rule["id"], node["html"][:200])
        for rule in Axe().run(page).response["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
        if not _not_ours(page, rule["id"], node["target"][0])
    ]
