"""The overview report in a real browser: every colour scheme and width, and hostile names."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Page, expect

from amplitude_assets.report.page import write_page
from amplitude_assets.report.read import read_overview
from tests.support.browser import DESK, open_page, save_screenshot
from tests.support.gold import PROJECT_ID, create_gold, fill_gold

PHONE = (390, 844)
HOSTILE = "</script><script>window.harmed = 1</script><img src=x onerror='window.harmed = 2'>"


def write_report(folder: Path, first: datetime, last: datetime, hostile: bool = False) -> Path:
    """Write a report of a synthetic history; `hostile` replaces all names that come from data."""
    path = folder / "overview.html"
    with create_gold(folder / "warehouse.duckdb") as con:
        fill_gold(con, first, last)
        if hostile:
            values = {"name": HOSTILE}
            con.execute("update gold.agg_event_daily set event_type = $name", values)
            con.execute("update gold.agg_funnel set event_type = $name, funnel = $name", values)
            con.execute("update gold.fct_revenue set currency = $name", values)
            con.execute("update silver.property_catalog set key = $name", values)
        overview = read_overview(
            lambda sql: con.execute(sql).fetchall(), PROJECT_ID, ZoneInfo("UTC")
        )
    write_page(overview, path)
    return path


@pytest.fixture(scope="module")
def year_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("year")
    return write_report(folder, datetime(2025, 10, 1), datetime(2026, 11, 24, 4))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_the_report_opens_without_errors_or_requests_and_fits_the_screen(
    browser: Browser, year_report: Path, size: tuple[int, int], scheme: str
) -> None:
    with open_page(browser, year_report, size, scheme) as (page, problems):
        save_screenshot(
            page, f"report-year-{'phone' if size == PHONE else 'desk'}-{scheme}", full_page=True
        )
        assert problems.seen == []
        assert page.locator("[data-chart] .main-svg").count() >= 14
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= size[0]
        overflowing = page.evaluate(
            "[...document.querySelectorAll('.chart svg')]"
            ".filter(svg => svg.getBoundingClientRect().right > innerWidth).length"
        )
        assert overflowing == 0


def test_charts_use_the_colours_of_the_scheme(browser: Browser, year_report: Path) -> None:
    def text_and_background(page: Page) -> tuple[str, str]:
        text: str = page.evaluate(
            "getComputedStyle(document.querySelector('[data-chart=lines] .xtick text')).fill"
        )
        background: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return text, background

    with open_page(browser, year_report, DESK, "light") as (page, _):
        light = text_and_background(page)
        page.emulate_media(color_scheme="dark")
        page.wait_for_function(
            "before => getComputedStyle(document.querySelector('[data-chart=lines] .xtick text'))"
            ".fill !== before",
            arg=light[0],
        )
        dark = text_and_background(page)
    assert light == ("rgb(85, 96, 111)", "rgb(244, 246, 249)")
    assert dark == ("rgb(165, 177, 193)", "rgb(14, 19, 26)")


def test_numbers_show_on_hover(browser: Browser, year_report: Path) -> None:
    with open_page(browser, year_report, DESK, "light") as (page, _):
        chart = page.locator("[data-chart=top-events]")
        chart.scroll_into_view_if_needed()
        chart.locator(".points path").first.hover(force=True)
        expect(chart.locator(".hoverlayer")).to_contain_text("Event 0: 365,000 events")


def test_the_printed_report_is_light_and_no_chart_is_cut(
    browser: Browser, year_report: Path, tmp_path: Path
) -> None:
    with open_page(browser, year_report, DESK, "dark") as (page, problems):
        page.emulate_media(media="print", color_scheme="dark")
        page.set_viewport_size({"width": 688, "height": 1000})  # A4 without its margins
        page.wait_for_function(
            "getComputedStyle(document.querySelector('[data-chart=lines] .xtick text'))"
            ".fill === 'rgb(85, 96, 111)'"
        )
        assert page.evaluate("document.documentElement.scrollWidth") <= 688
        page.emulate_media(media="screen")
        pdf = page.pdf(prefer_css_page_size=True)
        assert problems.seen == []
    assert pdf.startswith(b"%PDF")
    assert pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") <= 12


def test_hostile_names_are_escaped_and_shown_unchanged(browser: Browser, tmp_path: Path) -> None:
    path = write_report(tmp_path, datetime(2026, 11, 20), datetime(2026, 11, 24, 4), hostile=True)
    with open_page(browser, path, DESK, "light") as (page, problems):
        page.locator("[data-chart=top-events] .points path").first.hover(force=True)
        assert problems.seen == []
        assert page.evaluate("window.harmed") is None
        assert page.locator("img").count() == 0
        label = page.locator("[data-chart=top-events] .ytick text").first
        expect(label).to_contain_text("</script><script>")
        assert HOSTILE in page.get_by_role("heading", name="happens most").inner_text()


def test_a_table_opens_with_the_keyboard(browser: Browser, year_report: Path) -> None:
    with open_page(browser, year_report, DESK, "light") as (page, _):
        table = page.locator("#people article").first.locator("table")
        assert not table.is_visible()
        page.locator("#people summary").first.focus()
        page.keyboard.press("Enter")
        assert table.is_visible()
        assert table.locator("tbody tr").count() == 365
