"""What S3 refuses for good is told at once; what may pass by itself is tried again by the step."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dagster import AssetKey

from amplitude_assets.automation.requests import range_tags
from amplitude_assets.automation.runs import STAGES
from amplitude_assets.config import Settings
from amplitude_assets.emulator import World, WorldSettings, serve
from amplitude_assets.lake.store import Lake
from amplitude_assets.resources import open_lake
from amplitude_assets.s3_export import S3Export
from tests.faults.place import HOURS, Place
from tests.support.s3 import BUCKET, S3Server, error_of, refusing, s3_server

OBJECTS, BRONZE = STAGES[2:]


def s3_lake(server: S3Server) -> Lake:
    """Return a lake that gives up soon: how often one request is sent is not what is tested."""
    return open_lake(Settings(lake_url=f"s3://{BUCKET}/p"), server.resource, probing=True)


def retried(
    place: Place, lake: Lake, *stages: AssetKey, **overrides: object
) -> tuple[bool, set[str]]:
    """Run stages over a lake; say whether they succeeded, and which of them began again."""
    result = (
        place.build(lake=lake, **overrides)
        .resolve_job_def("hours_job")
        .execute_in_process(
            asset_selection=list(stages), tags=range_tags(HOURS), raise_on_error=False
        )
    )
    again = {event.step_key or "" for event in result.all_events if event.is_step_up_for_retry}
    return result.success, again


@pytest.mark.parametrize("stage", STAGES, ids=AssetKey.to_user_string)
@pytest.mark.parametrize(
    ("status", "code", "helps"),
    [
        (403, "InvalidAccessKeyId", False),
        (404, "NoSuchBucket", False),
        (503, "SlowDown", True),
    ],
)
def test_a_step_begins_again_only_where_that_may_help(
    tmp_path: Path, stage: AssetKey, status: int, code: str, helps: bool
) -> None:
    with refusing(status, error_of(code, "no")) as server:
        place = Place(tmp_path, "http://127.0.0.1:9")
        lake = s3_lake(server)
        from_s3 = S3Export(lake, place.project_id)  # the second door, to the same bucket
        succeeded, again = retried(place, lake, stage, export_client=from_s3)
    assert not succeeded
    assert bool(again) == helps


@contextmanager
def denied(server: S3Server, action: str) -> Iterator[None]:
    """Let the bucket refuse an action on the files of events, to everybody."""
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


def test_a_right_that_lacks_for_hours_is_told_at_once(tmp_path: Path) -> None:
    world = World(WorldSettings(events_per_hour=20))
    with serve(world) as emulator, s3_server() as server:
        place, lake = Place(tmp_path, emulator.base_url), s3_lake(server)
        with denied(server, "s3:PutObject"):
            assert retried(place, lake, *STAGES[:3]) == (False, set())
        assert retried(place, lake, OBJECTS) == (True, set())
        with denied(server, "s3:GetObject"):
            assert retried(place, lake, BRONZE) == (False, set())
        assert retried(place, lake, BRONZE) == (True, set())
