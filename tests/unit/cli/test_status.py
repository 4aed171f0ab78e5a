"""`status` prints the ledger of some hours as text, and as JSON for other programs."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from amplitude_assets.cli.main import cli
from amplitude_assets.config import Settings
from amplitude_assets.hours import HOUR, format_hour, parse_hour
from amplitude_assets.lake.store import Lake
from amplitude_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.support.lake import PROJECT, publish

FIRST = parse_hour("2026-09-01T05")


def test_text_and_json_count_the_same_hours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMPLITUDE_PROJECT_ID", str(PROJECT))
    settings = Settings()
    lake = Lake(settings.resolved_lake_url)
    loaded = publish(lake, FIRST, [[b"{}", b"{}"]], tmp_path / "files")
    empty = publish(lake, FIRST + HOUR, [], tmp_path / "files")
    DuckDBWarehouse(settings.resolved_duckdb_path).load(lake, [loaded, empty], "load")

    hours = ["--from", format_hour(FIRST), "--to", format_hour(FIRST + 3 * HOUR)]
    text = CliRunner().invoke(cli, ["status", *hours]).stdout
    assert "1 loaded, 1 empty, 2 missing\n" in text
    assert "gold" not in text  # no model has run
    assert "missing  2026-09-01T07 to 2026-09-01T08  (2 hours)\n" in text
    result = CliRunner().invoke(cli, ["status", *hours, "--json"])
    status = json.loads(result.stdout)
    assert {name: status[name] for name in ("hours", "loaded", "empty", "missing")} == {
        "hours": 4,
        "loaded": 1,
        "empty": 1,
        "missing": 2,
    }
    assert status["missing_ranges"] == [
        {"from": "2026-09-01T07", "to": "2026-09-01T08", "hours": 2}
    ]
    ledger = [(row["hour"], row["status"], row["lines"]) for row in status["ledger"]]
    assert ledger == [("2026-09-01T05", "loaded", 2), ("2026-09-01T06", "empty", 0)]


def test_status_says_which_uploads_gold_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMPLITUDE_PROJECT_ID", str(PROJECT))
    monkeypatch.setenv("MODELS_EVERY_HOURS", "6")
    settings = Settings()
    lake = Lake(settings.resolved_lake_url)
    warehouse = DuckDBWarehouse(settings.resolved_duckdb_path)
    warehouse.load(lake, [publish(lake, FIRST, [[b"{}"]], tmp_path / "files")], "load")
    warehouse.query("create schema gold")
    warehouse.query(
        f"create table gold.rpt_data_quality as select {PROJECT} as project_id, "
        f"timestamp '{FIRST:%Y-%m-%d %H:%M}' as export_hour"
    )
    hours = ["--from", format_hour(FIRST), "--to", format_hour(FIRST)]
    text = CliRunner().invoke(cli, ["status", *hours]).stdout
    assert text.endswith("gold holds uploads until 1 September 2026, 06:00 UTC\n")
    status = json.loads(CliRunner().invoke(cli, ["status", *hours, "--json"]).stdout)
    assert status["gold_holds_uploads_until"] == "2026-09-01T06:00:00+00:00"
    assert status["models_every_hours"] == 6
