"""Level b: `hourly_watch` judges the hours without a session of Snowflake."""

from datetime import UTC, datetime

import pytest
from dagster import AssetCheckKey, AssetMaterialization, DagsterInstance

from amplitude_assets.assets.gold_state import holds_until
from amplitude_assets.assets.keys import OVERVIEW_REPORT, RAW_EVENTS
from amplitude_assets.automation.jobs import WATCH_JOB
from amplitude_assets.config import load_settings
from amplitude_assets.definitions import build_definitions
from amplitude_assets.hours import HOUR, partition_of_hour
from tests.support.snowflake import SnowflakeUnderTest

NOW = datetime(2026, 9, 1, 12, 10, tzinfo=UTC)
NEWEST = datetime(2026, 9, 1, 9, tzinfo=UTC)


def test_the_watch_reads_dagsters_records_and_opens_no_session(
    fake_account: SnowflakeUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fake_account.fakes is not None
    for name, value in fake_account.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AMPLITUDE_START_HOUR", "2026-09-01T00")
    recorder = fake_account.fakes.snowflake.recorder
    graph = build_definitions(load_settings(), clock=lambda: NOW)
    sessions, statements = len(recorder.tags), len(recorder.statements)
    with DagsterInstance.ephemeral() as instance:
        for hours_ago in (5, 6, 8):  # one is missing
            key = partition_of_hour(NEWEST - hours_ago * HOUR)
            instance.report_runless_asset_event(AssetMaterialization(RAW_EVENTS, partition=key))
        instance.report_runless_asset_event(
            AssetMaterialization(OVERVIEW_REPORT, metadata=holds_until(NEWEST - 7 * HOUR))
        )
        result = graph.resolve_job_def(WATCH_JOB).execute_in_process(instance=instance)
    assert result.success
    found = {
        AssetCheckKey(one.asset_key, one.check_name).name: one
        for one in result.get_asset_check_evaluations()
    }
    assert set(found) == {"no_hour_is_missing", "newest_hour_is_recent"}
    assert "1 hour missing: 2026-09-01T02" in str(found["no_hour_is_missing"].description)
    newest = found["newest_hour_is_recent"]
    assert not newest.passed
    assert newest.metadata["hours_behind"].value == 5
    assert str(newest.description).endswith("Gold holds uploads until 1 September 2026, 02:00 UTC.")
    assert (len(recorder.tags), len(recorder.statements)) == (sessions, statements)
