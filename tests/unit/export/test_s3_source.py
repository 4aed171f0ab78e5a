"""Reading export hours from Amplitude's S3 export, equal to those of the Export API."""

import gzip
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from click.testing import CliRunner

from amplitude_assets.cli.main import cli
from amplitude_assets.config import Settings
from amplitude_assets.connections.lake import open_s3_export
from amplitude_assets.connections.warehouse import open_warehouse
from amplitude_assets.emulator import World, WorldSettings
from amplitude_assets.export.archive.directory import hours_in
from amplitude_assets.export.errors import UnavailableError
from amplitude_assets.export.landing import Landing
from amplitude_assets.export.s3_source import S3Export
from amplitude_assets.export.source import Delivery
from amplitude_assets.hours import HOUR, HourRange, parse_hour
from amplitude_assets.instance.home import open_instance
from amplitude_assets.lake.store import Lake
from amplitude_assets.runs.in_process import run_main_job
from tests.support.http import serving
from tests.support.s3 import BUCKET, ENVIRONMENT, S3Server, error_of, refusing, s3_server

pytestmark = pytest.mark.integration

PROJECT = 4711
FIRST = parse_hour("2026-09-01T08")
HOURS = HourRange(FIRST, FIRST + 3 * HOUR)
MERGE = {"scope": 1, "merge_time": 1_788_253_200_000, "merge_server_time": 1_788_253_200_000}


@pytest.fixture(scope="module")
def world() -> World:
    return World(WorldSettings(seed=3, events_per_hour=60, project_id=PROJECT))


@pytest.fixture(params=["file", "s3"])
def export(request: pytest.FixtureRequest, tmp_path: Path, world: World) -> Iterator[S3Export]:
    """Return an export of three of the four hours, the third without events."""
    if request.param == "file":
        write_export(tmp_path / "export", world)
        yield S3Export(Lake((tmp_path / "export").as_uri()), PROJECT)
        return
    with s3_server() as server:
        client = server.resource.get_client()
        for name, data in files(world).items():
            client.put_object(Bucket=BUCKET, Key=f"from/amplitude/{name}", Body=data)
        settings = Settings(
            amplitude_s3_export_url=f"s3://{BUCKET}/from/amplitude", amplitude_project_id=PROJECT
        )
        found = open_s3_export(settings, server.resource)
        assert found is not None
        yield found


def files(world: World) -> dict[str, bytes]:
    found = {
        f"{PROJECT}/{member.name.rpartition('/')[2]}": member.data
        for hour in (HOURS.first, HOURS.first + HOUR, HOURS.last)
        for member in world.members(hour)
    }
    merge = json.dumps({**MERGE, "amplitude_id": 7, "merged_amplitude_id": 3})
    return {
        **found,
        "-189524_2026-09-01_8.json.gz": gzip.compress(merge.encode()),
        "README.txt": b"not ours",
        "99_2026-09-01_8#1.json.gz": gzip.compress(b"{}"),
    }


def write_export(folder: Path, world: World) -> None:
    for name, data in files(world).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def lines_of(landing: Landing, hour: HourRange) -> list[bytes]:
    unpacked = landing.files_of(hour.first)
    folder = landing.hour_folder(hour.first)
    return sorted(
        line
        for file in unpacked.files
        for line in gzip.decompress((folder / file.name).read_bytes()).splitlines()
    )


def test_hours_have_exactly_the_lines_of_the_files(
    export: S3Export, world: World, tmp_path: Path
) -> None:
    landing = Landing(tmp_path / "landing", PROJECT)
    deliveries: list[Delivery] = []

    def record(delivery: Delivery) -> None:
        deliveries.append(delivery)
        landing.record(delivery, "attempt")

    received: list[int] = []
    errors = export.fetch_all(
        [HOURS], landing.zips, on_delivery=record, on_received=received.append
    )
    assert errors == []
    assert received[-1] == sum(delivery.bytes for delivery in deliveries)
    assert 0 < received[0] < deliveries[0].bytes
    assert [delivery.path is None for delivery in deliveries] == [False, False, True, False]
    assert deliveries[0].path is not None
    assert hours_in(deliveries[0].path, PROJECT, deliveries[0].hours)
    assert not [1 for _, found in landing.unpack(HOURS, workers=1) if isinstance(found, Exception)]
    for delivery in deliveries:
        hour = delivery.hours.first
        expected = sorted(world.lines(hour)) if delivery.path else []
        assert lines_of(landing, delivery.hours) == expected


def test_an_hour_outside_of_the_export_is_an_error_and_not_empty(
    export: S3Export, tmp_path: Path
) -> None:
    after = HourRange(HOURS.last + HOUR, HOURS.last + HOUR)
    (error,) = export.fetch_all([after], tmp_path, on_delivery=lambda _: None)
    assert error.hours == after
    assert "files from 2026-09-01T08 to 2026-09-01T11" in error.message


def test_a_bucket_without_files_of_the_project_is_an_error(tmp_path: Path) -> None:
    empty = S3Export(Lake((tmp_path / "empty").as_uri()), PROJECT)
    with pytest.raises(UnavailableError, match="AMPLITUDE_S3_EXPORT_URL"):
        empty.probe(HOURS)


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ("nobody", "(nobody) could not be found; set AWS_PROFILE to one that"),
        ("", "AWS does not know this access key; the keys come from AWS_ACCESS_KEY_ID and"),
    ],
)
def test_a_bucket_that_denies_access_fails_the_run_with_the_setting(
    monkeypatch: pytest.MonkeyPatch, profile: str, expected: str
) -> None:
    with refusing(403, error_of("InvalidAccessKeyId", "not you")) as server:
        for name, value in {
            **ENVIRONMENT,
            "AWS_ENDPOINT_URL_S3": server.endpoint_url,
            "AMPLITUDE_S3_EXPORT_URL": "s3://export/p",
            "AMPLITUDE_PROJECT_ID": str(PROJECT),
        }.items():
            monkeypatch.setenv(name, value)
        if profile:
            monkeypatch.setenv("AWS_PROFILE", profile)
        result = CliRunner().invoke(cli, ["run", "--last", "1"])
    assert result.exit_code == 1
    assert "AMPLITUDE_S3_EXPORT_URL" in result.output
    assert "s3://export/p" in result.output
    assert expected in " ".join(result.output.split())
    assert ENVIRONMENT["AWS_SECRET_ACCESS_KEY"] not in result.output


def test_a_bucket_that_cannot_be_listed_is_requested_once_for_all_hours(tmp_path: Path) -> None:
    requested: list[str] = []

    class Denying(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested.append(self.path)
            self.send_error(403)

    later = HourRange(HOURS.last + 9 * HOUR, HOURS.last + 12 * HOUR)
    with serving(Denying) as origin:
        settings = Settings(amplitude_s3_export_url="s3://export/p", amplitude_project_id=PROJECT)
        export = open_s3_export(settings, S3Server(origin).resource)
        assert export is not None
        errors = export.fetch_all([HOURS, later], tmp_path, on_delivery=lambda _: None)
    assert [error.hours for error in errors] == [HOURS, later]
    assert len(requested) == 1
    assert all(error.message.startswith("AMPLITUDE_S3_EXPORT_URL: ") for error in errors)


def test_the_graph_loads_hours_and_merges_from_the_export(
    tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_export(tmp_path / "export", world)
    settings = Settings(
        amplitude_s3_export_url=(tmp_path / "export").as_uri(),
        amplitude_project_id=PROJECT,
        data_dir=tmp_path / "data",
    )
    with open_instance(settings) as instance:
        outcome = run_main_job(settings, instance, HOURS, lambda _: None)
    assert outcome.reasons == []
    warehouse = open_warehouse(settings)
    assert warehouse.query("select count(*) from bronze.raw_events") == [
        (sum(len(list(world.lines(hour))) for hour in (FIRST, FIRST + HOUR, HOURS.last)),)
    ]
    assert warehouse.query("select amplitude_id, merged_amplitude_id from bronze.merge_ids") == [
        (7, 3)
    ]
    ((method,),) = warehouse.query("select method from silver.merged_ids where amplitude_id = 7")
    assert method == "merge_export"
