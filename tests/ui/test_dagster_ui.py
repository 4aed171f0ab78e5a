"""Dagster's UI in a real browser, over a state as `make demo` leaves it."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from amplitude_assets.hours import format_hour, partition_of_hour
from tests.support.browser import DESK, Trouble, keep_picture, opened
from tests.support.dagster_processes import DagsterProcesses, wait_until
from tests.ui.conftest import DAMAGED, EMPTY, HOURS, NEVER_ASKED_FOR, TO_BACKFILL

# Making the state takes most of it; on a busy machine the UI is slow too.
pytestmark = pytest.mark.timeout(600)
_PATIENCE = 60_000

_GROUPS = ("export", "lake", "bronze", "silver", "gold", "report")
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
_RUNS = "{ runsOrError { ... on Runs { results { runId jobName } } } }"
_PARTITIONS = """{ assetNodeOrError(assetKey: {path: ["bronze", "raw_events"]}) {
  ... on AssetNode { assetPartitionStatuses {
    ... on TimePartitionStatuses { ranges { status startKey endKey } } } } } }"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1600, "height": 1000})
    context.set_default_timeout(_PATIENCE)
    expect.set_options(timeout=_PATIENCE)
    yield context.new_page()
    context.close()


def test_the_lineage_page_shows_every_group_from_left_to_right(
    page: Page, demo: DagsterProcesses
) -> None:
    page.goto(f"{demo.url}/asset-groups")
    graph = page.locator("foreignObject")
    places = {}
    for group in _GROUPS:
        node = graph.filter(has_text=re.compile(f"^{group}")).first
        expect(node).to_be_visible()
        box = node.bounding_box()
        assert box is not None
        places[group] = box["x"]
    keep_picture(page, "lineage")
    assert sorted(_GROUPS, key=places.__getitem__) == list(_GROUPS)


def test_the_page_of_an_hour_shows_its_figures(page: Page, demo: DagsterProcesses) -> None:
    key = partition_of_hour(HOURS.last)
    page.goto(f"{demo.url}{_RAW_EVENTS}?view=partitions&partition={key}")
    expect(page.get_by_text("Materialized", exact=True)).to_be_visible()
    for name in ("lines", "rejected_lines", "bytes", "duplicates", "lag_p95_seconds", "seconds"):
        expect(page.get_by_role("cell", name=name, exact=True)).to_be_visible()
    keep_picture(page, "hour")


def test_the_first_events_of_an_hour_name_nobody(page: Page, demo: DagsterProcesses) -> None:
    key = partition_of_hour(HOURS.last)
    page.goto(f"{demo.url}/assets/hourly_json_files?view=partitions&partition={key}")
    preview = page.get_by_role("cell").filter(has=page.get_by_role("table"))
    expect(preview).to_contain_text("event_type")
    expect(preview).to_contain_text("•••")
    keep_picture(page, "first-events")


def test_a_runs_log_shows_how_far_each_step_is(page: Page, demo: DagsterProcesses) -> None:
    told = {
        ("hours_job", "hours,"): r"raw_events: 6 of 6 hours, [\d,]+ lines \([\d,]+/s\)",
        # The models take long enough for a line on how much longer.
        ("models_job", "models,"): r"dbt: \d+ of \d+ models, \d+:\d\d:\d\d left",
    }
    runs = demo.ask(_RUNS)["runsOrError"]["results"]
    for (job, words), line in told.items():
        run = next(run["runId"] for run in reversed(runs) if run["jobName"] == job)
        page.goto(f"{demo.url}/runs/{run}")
        log_filter = page.get_by_placeholder("Filter…")
        log_filter.fill(words)
        log_filter.press("Enter")
        expect(page.get_by_text(re.compile(line)).first).to_be_visible()
        keep_picture(page, f"log-{job}")


def test_an_assets_page_says_what_it_is(page: Page, demo: DagsterProcesses) -> None:
    page.goto(f"{demo.url}{_RAW_EVENTS}")
    for words in ("data-platform", "cadence: hourly", "personal_data: yes", "Bronze", "DuckDB"):
        expect(page.get_by_text(words, exact=True).first).to_be_visible()
    for first_words in ("Every exported line", "Materialising it again", "It lands in the table"):
        expect(page.locator("p").get_by_text(re.compile(f"^{first_words}"))).to_be_visible()
    expect(page.get_by_text("The lake object that holds the line.")).to_be_visible()
    expect(page.get_by_text("warehouse.bronze.raw_events").first).to_be_visible()
    page.get_by_role("button").filter(has_text=re.compile("^Plots$")).click()
    expect(page.get_by_text("dagster/partition_row_count").first).to_be_visible()
    keep_picture(page, "asset")


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
        keep_picture(page, f"plots-{path.rsplit('/', 1)[-1]}")


def test_an_empty_hour_looks_finished_and_one_never_asked_for_missing(
    demo: DagsterProcesses,
) -> None:
    node = demo.ask(_PARTITIONS)["assetNodeOrError"]
    statuses = {
        key: part["status"]
        for part in node["assetPartitionStatuses"]["ranges"]
        for key in (part["startKey"], part["endKey"])
    }
    assert statuses[partition_of_hour(EMPTY)] == "MATERIALIZED"
    assert partition_of_hour(NEVER_ASKED_FOR) not in statuses


def test_the_model_reference_opens_by_itself(browser: Browser, demo: DagsterProcesses) -> None:
    with demo.command("docs") as docs:
        told, _ = docs.communicate(timeout=300)
    assert docs.returncode == 0, told
    path = demo.folder / "data" / "dbt-docs" / "static_index.html"
    assert told.strip() == path.as_uri()
    context = browser.new_context()
    reference = context.new_page()
    trouble = Trouble(reference)
    reference.goto(f"{path.as_uri()}#!/model/model.amplitude.agg_retention")
    expect(reference.get_by_text("cohort_users").first).to_be_visible()
    assert not [seen for seen in trouble.seen if seen.startswith("request: http")]
    context.close()


def test_the_reports_page_shows_its_picture(page: Page, demo: DagsterProcesses) -> None:
    page.goto(f"{demo.url}/assets/overview_report")
    page.get_by_text("[Show Markdown]").first.click()
    picture = page.get_by_role("dialog").locator("img")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") == 720
    keep_picture(page, "report-preview")


def test_the_demos_own_report(browser: Browser, demo: DagsterProcesses) -> None:
    path = demo.folder / "data" / "reports" / "overview.html"
    with opened(browser, path, DESK, "light") as (page, trouble):
        keep_picture(page, "report-demo", full_page=True)
        assert trouble.seen == []
        assert page.get_by_role("heading", name="All 6 hours are there and add up").is_visible()
        assert page.get_by_role("heading", name="happens most").is_visible()


def test_a_failed_check_says_which_hour_and_what_to_do(page: Page, demo: DagsterProcesses) -> None:
    page.goto(f"{demo.url}{_RAW_EVENTS}?view=checks&checkDetail=every_line_is_in_bronze")
    page.get_by_role("button").filter(has_text=re.compile("^Execute$")).click()
    sentence = page.get_by_text(f"does not hold for {format_hour(DAMAGED)}")
    expect(sentence).to_be_visible(timeout=2 * _PATIENCE)
    expect(page.get_by_text("Failed", exact=True).first).to_be_visible()
    expect(sentence).to_contain_text("bronze/raw_events")
    keep_picture(page, "failed-check")


def test_a_backfill_is_launched_by_clicking(page: Page, demo: DagsterProcesses) -> None:
    first, last = partition_of_hour(TO_BACKFILL.first), partition_of_hour(TO_BACKFILL.last)
    page.goto(f"{demo.url}/locations/amplitude_assets/asset-groups/export")
    page.get_by_role("button").filter(has_text="Materialize all").click()
    dialog = page.get_by_role("dialog")
    hours = dialog.locator("input[type=text]").first
    hours.fill(f"[{first}...{last}]")
    hours.press("Enter")
    expect(dialog.get_by_text("2 partitions").first).to_be_visible()
    keep_picture(page, "backfill")
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


def test_golds_columns_lead_back_to_bronze(demo: DagsterProcesses) -> None:
    """From a column of gold, along its dependencies, to the column of the exported line."""
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
