"""Permanent S3 errors are reported at once; the step retries transient ones."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dagster import AssetKey

from amplitude_assets.assets.keys import HOURLY_ASSETS
from amplitude_assets.automation.requests import range_tags
from amplitude_assets.config import Settings
from amplitude_assets.connections.lake import open_lake
from amplitude_assets.emulator import World, WorldSettings, serve
from amplitude_assets.export.s3_source import S3Export
from amplitude_assets.hours import HourRange, parse_hour
from amplitude_assets.lake.store import Lake
from tests.faults.place import HOURS, Place
from tests.support.s3 import BUCKET, S3Server, error_of, refusing, s3_server

OBJECTS, BRONZE = HOURLY_ASSETS[2:]


def s3_lake(server: S3Server) -> Lake:
    """Return a lake with short timeouts and one retry, to keep the tests short."""
    return open_lake(Settings(lake_url=f"s3://{BUCKET}/p"), server.resource, probing=True)


def run_stages(
    place: Place, lake: Lake, *stages: AssetKey, **overrides: object
) -> tuple[bool, set[str]]:
    """Run stages over a lake; return whether they succeeded, and the retried steps."""
    result = (
        place.build(lake=lake, **overrides)
        .resolve_job_def("hours_job")
        .execute_in_process(
            asset_selection=list(stages), tags=range_tags(HOURS), raise_on_error=False
        )
    )
    retried = {event.step_key or "" for event in result.all_events if event.is_step_up_for_retry}
    return result.success, retried


@pytest.mark.parametrize("stage", HOURLY_ASSETS, ids=AssetKey.to_user_string)
@pytest.mark.parametrize(
    ("status", "code", "is_transient"),
    [
        (403, "InvalidAccessKeyId", False),
        (404, "NoSuchBucket", False),
        (503, "SlowDown", True),
    ],
)
def test_a_step_retries_only_transient_s3_errors(
    tmp_path: Path, stage: AssetKey, status: int, code: str, is_transient: bool
) -> None:
    with refusing(status, error_of(code, "no")) as server:
        place = Place(tmp_path, "http://127.0.0.1:9")
        lake = s3_lake(server)
        from_s3 = S3Export(lake, place.project_id)  # reads exports from the same bucket
        succeeded, retried = run_stages(place, lake, stage, export_client=from_s3)
    assert not succeeded
    assert bool(retried) == is_transient


@contextmanager
def denied(server: S3Server, action: str) -> Iterator[None]:
    """Deny everybody an action on the bucket's event objects."""
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": action,
        "Resource": f"arn:aws:s3:::{BUCKET}/p/events/*",
    }
    client = server.resource.get_client()
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    client.put_bucket_policy(Bucket=BUCKET, Policy=policy)
    try:
        yield
    finally:
        client.delete_bucket_policy(Bucket=BUCKET)


def test_a_missing_permission_is_reported_once_for_all_hours(tmp_path: Path) -> None:
    day = HourRange(parse_hour("2026-09-07T00"), parse_hour("2026-09-07T23"))
    with serve(World(WorldSettings(events_per_hour=200))) as emulator, s3_server() as server:
        place, lake = Place(tmp_path, emulator.base_url), s3_lake(server)
        place.settings = place.settings.model_copy(update={"run_hours": 12})
        with denied(server, "s3:PutObject"):
            outcome = place.run(day, lake=lake)
    (message,) = outcome.reasons
    assert message.startswith(
        "s3_event_objects: 24 hours, 2026-09-07T00 to 2026-09-07T23: "
        f"cannot write s3://{BUCKET}/p/events/{place.project_id}/2026-09-07/…/…: access denied"
    )
    assert message.count("access denied") == 1
    assert "bootstrap aws --apply" in message  # the fix
    assert not re.search(r"[0-9a-f]{16}", message)


def test_a_missing_permission_fails_the_step_without_retry(tmp_path: Path) -> None:
    world = World(WorldSettings(events_per_hour=20))
    with serve(world) as emulator, s3_server() as server:
        place, lake = Place(tmp_path, emulator.base_url), s3_lake(server)
        with denied(server, "s3:PutObject"):
            assert run_stages(place, lake, *HOURLY_ASSETS[:3]) == (False, set())
        assert run_stages(place, lake, OBJECTS) == (True, set())
        with denied(server, "s3:GetObject"):
            assert run_stages(place, lake, BRONZE) == (False, set())
        assert run_stages(place, lake, BRONZE) == (True, set())
