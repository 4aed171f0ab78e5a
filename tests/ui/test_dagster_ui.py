"""Dagster's UI in a real browser, over a state like that of `make demo`."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from amplitude_assets.hours import format_hour, partition_of_hour
from tests.support.browser import DESK, PageProblems, open_page, save_screenshot
from tests.support.dagster_processes import DagsterProcesses, wait_until
from tests.ui.conftest import DAMAGED, EMPTY, HOURS, NEVER_REQUESTED, TO_BACKFILL

# The setup of the state takes most of this time; the UI is slow on a busy machine too.
pytestmark = pytest.mark.timeout(600)
_TIMEOUT = 60_000

_GROUPS = ("export", "lake", "bronze", "silver_batch", "silver", "gold", "report")
_RAW_EVENTS = "/assets/bronze/raw_events"
_BACKFILLS = """{ partitionBackfillsOrError {
  ... on PartitionBackfills { results { status partitionNames assetSelection { path } } } } }"""
_LINEAGE = """
query Lineage($path: [String!]!) {
  assetOrError(assetKey: {path: $path}) { ... on Asset {
    assetMaterializations(limit: 1) { metadataEntries { ... on TableColumnLineageMetadataEntry {
      lineage { columnName columnDeps { columnName assetKey { path } } }
    } } }
  } }
}
"""
# The filter of a job's page.
_RUNS = """{ runsOrError(filter: {pipelineName: "main_job", tags: [
    {key: ".dagster/repository", value: "__repository__@amplitude_assets"}]}) {
  ... on Runs { results { runId assetSelection { path } tags { key value } } } } }"""
# The query of an Events tab, which merges events of one run, type and time.
_EVENTS = """{ assetOrError(assetKey: {path: ["bronze", "raw_events"]}) { ... on Asset {
  assetEventHistory(limit: 100, eventTypeSelectors: [MATERIALIZATION]) { results {
    ... on MaterializationEvent { runId timestamp partition } } } } } }"""
_PARTITIONS = """{ assetNodeOrError(assetKey: {path: ["bronze", "raw_events"]}) {
  ... on AssetNode { assetPartitionStatuses {
    ... on TimePartitionStatuses { ranges { status startKey endKey } } } } } }"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1600, "height": 1000})
    context.set_default_timeout(_TIMEOUT)
    expect.set_options(timeout=_TIMEOUT)
    yield context.new_page()
    context.close()


def test_the_lineage_page_shows_every_group_closed_and_from_left_to_right(
    page: Page, demo: DagsterProcesses
) -> None:
    page.goto(f"{demo.url}/asset-groups")
    graph = page.locator("foreignObject")
    x_positions = {}
    for group in _GROUPS:
        node = graph.filter(has_text=re.compile(f"^{group}$")).first
        expect(node).to_be_visible()
        box = node.bounding_box()
        assert box is not None
        x_positions[group] = box["x"]
    save_screenshot(page, "lineage")
    assert sorted(_GROUPS, key=x_positions.__getitem__) == list(_GROUPS)
    assert graph.count() == len(_GROUPS)


def test_resources_have_a_type_and_a_description(page: Page, demo: DagsterProcesses) -> None:
    for name, kind, words in (
        ("lake", "Lake", "The object store at LAKE_URL"),
        ("export_client", "HourSource", "Where hours come from"),
        ("settings", "Settings", "The settings of this process"),
    ):
        page.goto(f"{demo.url}/locations/amplitude_assets/resources/{name}")
        expect(page.get_by_text(re.compile(f"^{words}"))).to_be_visible()
        expect(page.get_by_text(kind, exact=True).last).to_be_visible()
    save_screenshot(page, "resource")


def test_a_dbt_data_test_has_a_description(page: Page, demo: DagsterProcesses) -> None:
    check = "unique_fct_sessions_session_key"
    page.goto(f"{demo.url}/assets/gold/fct_sessions?view=checks&checkDetail={check}")
    expect(page.get_by_text(re.compile("^No two rows have the same"))).to_be_visible()
    save_screenshot(page, "dbt-check")


def test_the_page_of_an_hour_shows_its_figures(page: Page, demo: DagsterProcesses) -> None:
    key = partition_of_hour(HOURS.last)
    page.goto(f"{demo.url}{_RAW_EVENTS}?view=partitions&partition={key}")
    expect(page.get_by_text("Materialized", exact=True)).to_be_visible()
    for name in ("lines", "rejected_lines", "bytes", "duplicates", "lag_p95_seconds", "seconds"):
        expect(page.get_by_role("cell", name=name, exact=True)).to_be_visible()
    save_screenshot(page, "hour")


def test_the_event_preview_of_an_hour_masks_personal_data(
    page: Page, demo: DagsterProcesses
) -> None:
    key = partition_of_hour(HOURS.last)
    page.goto(f"{demo.url}/assets/hourly_json_files?view=partitions&partition={key}")
    preview = page.get_by_role("cell").filter(has=page.get_by_role("table"))
    expect(preview).to_contain_text("event_type")
    expect(preview).to_contain_text("•••")
    save_screenshot(page, "first-events")


def test_a_runs_log_shows_the_progress_of_each_step(page: Page, demo: DagsterProcesses) -> None:
    expected = {
        (
            ("bronze", "raw_events"),
            "hours,",
        ): r"raw_events: 6 of 6 hours, [\d,]+ lines \([\d,]+/s\)",
        # The models take long enough for a line with the remaining time.
        (("silver", "events"), "models,"): r"dbt: \d+ of \d+ models, \d+:\d\d:\d\d left",
    }
    runs = demo.ask(_RUNS)["runsOrError"]["results"]
    for (path, words), line in expected.items():
        run = next(run for run in reversed(runs) if {"path": list(path)} in run["assetSelection"])
        page.goto(f"{demo.url}/runs/{run['runId']}")
        log_filter = page.get_by_placeholder("Filter…")
        log_filter.fill(words)
        log_filter.press("Enter")
        expect(page.get_by_text(re.compile(line)).first).to_be_visible()
        save_screenshot(page, f"log-{path[0]}")


def test_the_runs_of_the_command_are_runs_of_main_job(page: Page, demo: DagsterProcesses) -> None:
    runs = demo.ask(_RUNS)["runsOrError"]["results"]
    asked = f"{format_hour(HOURS.first)} to {format_hour(HOURS.last)}"
    for run in runs[-2:]:  # the command's two runs: hours, and models
        shown = [tag for tag in run["tags"] if not tag["key"].startswith("dagster/")]
        assert shown == [{"key": "amplitude/hours", "value": asked}]
    page.goto(f"{demo.url}/locations/amplitude_assets/jobs/main_job/runs")
    expect(page.get_by_text(asked)).to_have_count(2)
    save_screenshot(page, "runs-of-main-job")
    page.goto(f"{demo.url}/runs")
    expect(page.get_by_text(asked)).to_have_count(2)
    expect(page.get_by_text("main_job").first).to_be_visible()
    save_screenshot(page, "runs")
    page.goto(f"{demo.url}/overview/jobs")
    row = page.locator("[data-index]").filter(has_text="main_job")
    expect(row.get_by_text(re.compile("ago|AM|PM")).first).to_be_visible()
    save_screenshot(page, "overview-jobs")


def test_the_events_tab_has_a_row_for_each_hour(page: Page, demo: DagsterProcesses) -> None:
    keys = [partition_of_hour(hour) for hour in HOURS]
    events = demo.ask(_EVENTS)["assetOrError"]["assetEventHistory"]["results"]
    shown = {(e["runId"], int(e["timestamp"])): e["partition"] for e in reversed(events)}
    partitions = [shown[at] for at in sorted(shown, key=lambda at: at[1])]
    assert [key for key in partitions if key in keys] == keys
    page.goto(f"{demo.url}{_RAW_EVENTS}?view=events")
    for key in keys:
        expect(page.get_by_text(key, exact=True).first).to_be_visible()
    save_screenshot(page, "events")


def test_an_assets_page_describes_the_asset(page: Page, demo: DagsterProcesses) -> None:
    page.goto(f"{demo.url}{_RAW_EVENTS}")
    for words in ("data-platform", "cadence: hourly", "personal_data: yes", "Bronze", "DuckDB"):
        expect(page.get_by_text(words, exact=True).first).to_be_visible()
    for first_words in ("Every exported line", "Materializing again", "It lands in the table"):
        expect(page.locator("p").get_by_text(re.compile(f"^{first_words}"))).to_be_visible()
    expect(page.get_by_text("The lake object that holds the line.")).to_be_visible()
    expect(page.get_by_text("warehouse.bronze.raw_events").first).to_be_visible()
    page.get_by_role("button").filter(has_text=re.compile("^Plots$")).click()
    expect(page.get_by_text("dagster/partition_row_count").first).to_be_visible()
    save_screenshot(page, "asset")


def test_figures_are_plotted_hour_by_hour(page: Page, demo: DagsterProcesses) -> None:
    wanted = {
        _RAW_EVENTS: ("lines", "bytes", "seconds"),
        "/assets/hour_figures": ("events", "duplicates", "lag_p50_seconds", "lag_p95_seconds"),
    }
    for path, names in wanted.items():
        page.goto(f"{demo.url}{path}")
        page.get_by_role("button").filter(has_text=re.compile("^Plots$")).click()
        for name in names:
            expect(page.get_by_text(name, exact=True).first).to_be_visible()
        save_screenshot(page, f"plots-{path.rsplit('/', 1)[-1]}")


def test_an_empty_hour_is_materialized_and_one_never_requested_missing(
    demo: DagsterProcesses,
) -> None:
    node = demo.ask(_PARTITIONS)["assetNodeOrError"]
    statuses = {
        key: part["status"]
        for part in node["assetPartitionStatuses"]["ranges"]
        for key in (part["startKey"], part["endKey"])
    }
    assert statuses[partition_of_hour(EMPTY)] == "MATERIALIZED"
    assert partition_of_hour(NEVER_REQUESTED) not in statuses


# Tables and cells that exceed the page or hide a part of their content.
OVERFLOWING_ELEMENTS = """() => [...document.querySelectorAll("table, th, td")]
    .filter(part => part.getBoundingClientRect().right > innerWidth
        || part.scrollWidth > part.clientWidth + 1)
    .map(part => part.innerText)"""


def test_the_model_reference_works_offline_and_prints_completely(
    browser: Browser, demo: DagsterProcesses
) -> None:
    with demo.command("docs") as docs:
        printed, _ = docs.communicate(timeout=300)
    assert docs.returncode == 0, printed
    path = demo.folder / "data" / "dbt-docs" / "static_index.html"
    assert printed.strip() == path.as_uri()
    context = browser.new_context()
    reference = context.new_page()
    problems = PageProblems(reference)
    reference.goto(path.as_uri())
    expect(reference.get_by_role("heading", name="Every Amplitude event")).to_be_visible()
    reference.get_by_role("link", name="gold.agg_retention").click()
    expect(reference.get_by_text("cohort_users").first).to_be_visible()
    reference.set_viewport_size({"width": 794, "height": 1123})  # a sheet of A4
    reference.emulate_media(media="print")
    assert reference.evaluate(OVERFLOWING_ELEMENTS) == []
    assert reference.evaluate("document.documentElement.scrollHeight") > 1500
    assert not [seen for seen in problems.seen if seen.startswith("request: http")]
    context.close()


def test_the_reports_asset_page_shows_its_preview_image(page: Page, demo: DagsterProcesses) -> None:
    page.goto(f"{demo.url}/assets/overview_report")
    page.get_by_text("[Show Markdown]").first.click()
    picture = page.get_by_role("dialog").locator("img")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") == 720
    save_screenshot(page, "report-preview")


def test_the_report_opens_from_its_asset_page(page: Page, demo: DagsterProcesses) -> None:
    page.goto(f"{demo.url}/assets/overview_report")
    with page.expect_popup() as opening:
        page.get_by_role("link", name=demo.env["REPORT_URL"]).first.click()
    report = opening.value
    expect(report.get_by_role("heading", name="All 6 hours are loaded")).to_be_visible()
    save_screenshot(report, "report-from-ui")


def test_the_report_of_the_demo(browser: Browser, demo: DagsterProcesses) -> None:
    path = demo.folder / "data" / "reports" / "overview.html"
    with open_page(browser, path, DESK, "light") as (page, problems):
        save_screenshot(page, "report-demo", full_page=True)
        assert problems.seen == []
        assert page.get_by_role("heading", name="All 6 hours are loaded").is_visible()
        assert page.get_by_role("heading", name="happens most").is_visible()


def test_a_failed_check_names_the_hour_and_the_fix(page: Page, demo: DagsterProcesses) -> None:
    page.goto(f"{demo.url}{_RAW_EVENTS}?view=checks&checkDetail=every_line_is_in_bronze")
    page.get_by_role("button").filter(has_text=re.compile("^Execute$")).click()
    sentence = page.get_by_text(f"does not hold for {format_hour(DAMAGED)}")
    expect(sentence).to_be_visible(timeout=2 * _TIMEOUT)
    expect(page.get_by_text("Failed", exact=True).first).to_be_visible()
    expect(sentence).to_contain_text("bronze/raw_events")
    save_screenshot(page, "failed-check")


def test_a_backfill_is_launched_by_clicking(page: Page, demo: DagsterProcesses) -> None:
    first, last = partition_of_hour(TO_BACKFILL.first), partition_of_hour(TO_BACKFILL.last)
    page.goto(f"{demo.url}/locations/amplitude_assets/asset-groups/export")
    page.get_by_role("button").filter(has_text="Materialize all").click()
    dialog = page.get_by_role("dialog")
    hours = dialog.locator("input[type=text]").first
    hours.fill(f"[{first}...{last}]")
    hours.press("Enter")
    expect(dialog.get_by_text("2 partitions").first).to_be_visible()
    save_screenshot(page, "backfill")
    dialog.get_by_role("button").filter(has_text="Launch backfill").click()
    expect(dialog).to_be_hidden()

    def launched() -> list[dict[str, object]]:
        return list(demo.ask(_BACKFILLS)["partitionBackfillsOrError"]["results"])

    wait_until(lambda: bool(launched()), "the backfill is there", demo)
    (backfill,) = launched()
    assert backfill["partitionNames"] == [first, last]
    wait_until(lambda: launched()[0]["status"] == "COMPLETED_SUCCESS", "the backfill is done", demo)
    page.goto(f"{demo.url}/assets/hourly_json_files?view=partitions&partition={last}")
    expect(page.get_by_text("Materialized", exact=True)).to_be_visible()


def test_column_lineage_leads_from_gold_to_bronze(demo: DagsterProcesses) -> None:
    """Follow the column lineage from a column of gold to the exported line in bronze."""
    reached, wanted = set(), {("gold/dim_users", "new_at")}
    while wanted:
        asset, column = wanted.pop()
        reached.add((asset, column))
        entries = demo.ask(_LINEAGE, path=asset.split("/"))["assetOrError"]["assetMaterializations"]
        lineage = next((e["lineage"] for e in entries[0]["metadataEntries"] if "lineage" in e), [])
        for entry in lineage:
            if entry["columnName"] == column:
                found = {
                    ("/".join(dep["assetKey"]["path"]), dep["columnName"])
                    for dep in entry["columnDeps"]
                }
                wanted |= found - reached
    assert ("bronze/raw_events", "event") in reached
