"""Open the source of hours that the settings name: Export API, S3 export or emulator."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from amplitude_assets.config import Settings
from amplitude_assets.connections.lake import open_s3_export
from amplitude_assets.export.api.client import ExportClient
from amplitude_assets.export.landing import Landing
from amplitude_assets.export.source import HourSource

if TYPE_CHECKING:
    from dagster_aws.s3 import S3Resource

    from amplitude_assets.emulator import World


@contextmanager
def open_hour_source(
    settings: Settings, s3: "S3Resource | None" = None, *, probing: bool = False
) -> Iterator[HourSource]:
    """Open Amplitude's S3 export if it is set, or else the Export API.

    Without API keys, start the emulator on loopback. `s3`, `probing` and errors are as in
    `open_lake`.
    """
    s3_export = open_s3_export(settings, s3, probing=probing)
    if s3_export is not None:
        yield s3_export
    elif settings.amplitude_api_key is None or settings.amplitude_secret_key is None:
        from amplitude_assets.emulator import API_KEY, SECRET_KEY, serve

        with serve(emulated_world(settings)) as emulator:
            yield _client(settings, emulator.base_url, API_KEY, SECRET_KEY)
    else:
        yield _client(
            settings,
            settings.export_origin,
            settings.amplitude_api_key.get_secret_value(),
            settings.amplitude_secret_key.get_secret_value(),
        )


def _client(settings: Settings, origin: str, api_key: str, secret_key: str) -> ExportClient:
    return ExportClient(
        origin,
        api_key,
        secret_key,
        project_id=settings.project_id,
        delay_hours=settings.amplitude_export_delay_hours,
        max_concurrent=settings.amplitude_max_concurrent_requests,
    )


def open_landing(settings: Settings) -> Landing:
    """Return the landing area under `DATA_DIR`."""
    return Landing(settings.data_dir / "landing", settings.project_id)


def emulated_world(settings: Settings) -> "World":
    """Return the world that the emulator serves under these settings."""
    from amplitude_assets.emulator import World, WorldSettings

    return World(
        WorldSettings(
            seed=settings.emulator_seed,
            events_per_hour=settings.emulator_events_per_hour,
            project_id=settings.project_id,
        )
    )
