"""What bronze keeps when a manifest has fewer events or is older, independent of the lake."""

from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from amplitude_assets.hours import HOUR, HourRange, parse_hour
from amplitude_assets.lake.commit import publish_hour
from amplitude_assets.lake.manifest import Manifest
from amplitude_assets.lake.store import Lake
from amplitude_assets.warehouse.base import LedgerRow, LoadReport
from amplitude_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.support.lake import FETCHED_AT, PROJECT, manifest_of, publish

HOUR_5 = parse_hour("2026-09-01T05")
WHOLE = [[b'{"n": 1}', b'{"n": 2}', b'{"n": 3}']]
OTHER = [[b'{"m": 1}', b'{"m": 2}', b'{"m": 3}']]


class Bronze:
    """A DuckDB file and a lake, loaded hour by hour."""

    def __init__(self, folder: Path) -> None:
        self.lake = Lake((folder / "lake").as_uri())
        self.warehouse = DuckDBWarehouse(folder / "w.duckdb")
        self.folder = folder

    def manifest(
        self, files: list[list[bytes]], after: float = 0, hour: datetime = HOUR_5, **changes: object
    ) -> Manifest:
        manifest = publish(self.lake, hour, files, self.folder / "files")
        changes = {"is_confirmed": False, "first_seen_at": None, **changes}
        return manifest.model_copy(update={"fetched_at": FETCHED_AT + after * HOUR, **changes})

    def load(self, *manifests: Manifest) -> LoadReport:
        return self.warehouse.load(self.lake, manifests, "load")

    def rows(self, hour: datetime = HOUR_5) -> int:
        return self.warehouse.counts(PROJECT, HourRange(hour, hour))[0].bronze_rows

    def ledger(self, hour: datetime = HOUR_5) -> LedgerRow:
        return self.warehouse.ledger(PROJECT, HourRange(hour, hour))[hour]


@pytest.fixture
def bronze(tmp_path: Path) -> Bronze:
    return Bronze(tmp_path)


@pytest.mark.parametrize("smaller", [[], [WHOLE[0][:1]]], ids=["404", "part"])
def test_a_smaller_delivery_changes_no_row_until_it_is_confirmed(
    bronze: Bronze, smaller: list[list[bytes]]
) -> None:
    fewer = 3 - sum(map(len, smaller))
    other_hour = HOUR_5 + HOUR
    bronze.load(bronze.manifest(WHOLE))
    small = bronze.manifest(smaller, after=1)
    for _ in range(2):
        report = bronze.load(small, bronze.manifest(WHOLE, after=1, hour=other_hour))
        assert HOUR_5 in report.unchanged
        assert (bronze.rows(), bronze.rows(other_hour)) == (3, 3)
        ledger = bronze.ledger()
        assert (ledger.status, ledger.lines, ledger.fetched_at) == ("loaded", 3, FETCHED_AT)
        assert (ledger.events_in_question, ledger.in_question_since) == (fewer, FETCHED_AT + HOUR)
        assert bronze.ledger(other_hour).events_in_question == 0

    report = bronze.load(small.model_copy(update={"is_confirmed": True}))
    assert (report.replaced, bronze.rows()) == ([HOUR_5], 3 - fewer)
    assert (bronze.ledger().events_in_question, bronze.ledger().in_question_since) == (0, None)


def test_the_ledger_follows_the_pending_delivery_of_the_manifest(
    bronze: Bronze,
) -> None:
    whole = bronze.manifest(WHOLE)
    waiting = whole.model_copy(update={"pending": bronze.manifest([], after=1)})
    for held_before in (False, True):
        report = bronze.load(waiting)
        assert bool(report.unchanged) is held_before
        ledger = bronze.ledger()
        assert (ledger.events_in_question, ledger.in_question_since) == (3, FETCHED_AT + HOUR)
    assert bronze.load(whole.model_copy(update={"fetched_at": FETCHED_AT + 2 * HOUR})).unchanged
    ledger = bronze.ledger()
    assert (ledger.events_in_question, ledger.in_question_since) == (0, None)
    assert ledger.fetched_at == FETCHED_AT + 2 * HOUR, "the time of the last equal response"


def test_events_of_forgotten_people_are_counted(bronze: Bronze) -> None:
    bronze.load(bronze.manifest(WHOLE))
    assert bronze.load(bronze.manifest([WHOLE[0][:2]], forgotten_lines=1)).replaced == [HOUR_5]


@pytest.mark.parametrize("stale", [OTHER, [[*OTHER[0], b"{}"]], [], [WHOLE[0][:1]]])
@pytest.mark.parametrize("is_confirmed", [False, True])
def test_an_older_delivery_changes_nothing(
    bronze: Bronze, stale: list[list[bytes]], is_confirmed: bool
) -> None:
    bronze.load(bronze.manifest(WHOLE, after=2))
    before = bronze.ledger()
    report = bronze.load(bronze.manifest(stale, after=1, is_confirmed=is_confirmed))
    assert (report.superseded, report.replaced, report.errors) == ([HOUR_5], [], [])
    assert (bronze.rows(), bronze.ledger()) == (3, before)


def test_an_older_manifest_of_an_equal_delivery_repairs_lost_rows(bronze: Bronze) -> None:
    bronze.load(bronze.manifest(WHOLE, after=2))
    with duckdb.connect(str(bronze.warehouse.path)) as con:
        con.execute("delete from bronze.raw_events")
    assert bronze.load(bronze.manifest(WHOLE, after=1)).replaced == [HOUR_5]
    assert (bronze.rows(), bronze.ledger().fetched_at) == (3, FETCHED_AT + 2 * HOUR)


def test_a_lost_lake_does_not_delete_bronze(bronze: Bronze) -> None:
    """The first delivery is a wrong 404; the same a day later is confirmed and accepted."""
    bronze.load(bronze.manifest(WHOLE))
    lake = Lake((bronze.folder / "new").as_uri())
    empty, files = manifest_of(HOUR_5, [], bronze.folder / "files")
    for after, rows in ((1, 3), (24, 3), (25, 0)):
        later = empty.model_copy(update={"fetched_at": FETCHED_AT + after * HOUR})
        bronze.load(publish_hour(lake, later, files).manifest)
        assert bronze.rows() == rows


def test_tables_of_an_older_version_get_the_columns(bronze: Bronze) -> None:
    bronze.load(bronze.manifest(WHOLE))
    with duckdb.connect(str(bronze.warehouse.path)) as con:
        for column in ("events_in_question", "in_question_since"):
            con.execute(f"alter table bronze.export_hours drop column {column}")
    bronze.warehouse = DuckDBWarehouse(bronze.warehouse.path)  # as the next command has
    assert bronze.ledger().events_in_question == 0
    bronze.load(bronze.manifest([], after=1))
    assert bronze.ledger().events_in_question == 3
