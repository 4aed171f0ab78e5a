"""The figures of an hour stay on its page when an unchanged hour is loaded again."""

from datetime import datetime
from pathlib import Path

import pytest
from dagster import AssetKey, AssetMaterialization, DagsterInstance

from amplitude_assets.assets.keys import RAW_EVENTS
from amplitude_assets.emulator import World, WorldSettings, serve
from amplitude_assets.hours import partition_of_hour
from tests.faults.place import FIRST, LAST, Place

pytestmark = pytest.mark.integration

FIGURES = {
    "events": 7, "duplicates": 2, "late_events": 1, "lag_p50_seconds": 0.5, "lag_p95_seconds": 9.5,
}  # fmt: skip


def record_figures(instance: DagsterInstance, hour: datetime) -> None:
    """Log the figures of an hour as the step of the models does."""
    key = partition_of_hour(hour)
    instance.report_runless_asset_event(
        AssetMaterialization(AssetKey("hour_figures"), partition=key, metadata=FIGURES)
    )


def test_an_hour_that_did_not_change_keeps_its_figures(tmp_path: Path) -> None:
    with serve(World(WorldSettings(events_per_hour=5))) as emulator:
        place = Place(tmp_path, emulator.base_url)
        instance = place._instance
        record_figures(instance, LAST)  # of an earlier load with other events
        assert place.run().succeeded
        record_figures(instance, FIRST)
        assert place.run().succeeded
    newest = {}
    for record in reversed(instance.fetch_materializations(RAW_EVENTS, limit=100).records):
        materialization = record.asset_materialization
        assert materialization is not None
        newest[materialization.partition] = materialization.metadata
    again = newest[partition_of_hour(FIRST)]
    assert again["changed"].value is False
    assert {name: again[name].value for name in FIGURES} == FIGURES
    assert newest[partition_of_hour(LAST)].keys() & FIGURES.keys() == set()
