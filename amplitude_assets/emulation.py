"""The emulator under the settings: the world that it serves, and its server for people.

Dagster, which takes seconds to import, is not needed for it.
"""

import signal
import threading
from typing import TYPE_CHECKING

from amplitude_assets.config import Settings, SettingsError
from amplitude_assets.progress_display import turning

if TYPE_CHECKING:
    from amplitude_assets.emulator import World


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


def serve_emulator(settings: Settings, host: str, port: int) -> None:
    """Serve the emulator until the process is interrupted or terminated."""
    with turning():
        from amplitude_assets.emulator import API_KEY, SECRET_KEY, serve

        world = emulated_world(settings)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with serve(
            world,
            host=host,
            port=port,
            delay_hours=settings.amplitude_export_delay_hours,
        ) as emulator:
            print(  # noqa: T201 - for a shell to read
                f"AMPLITUDE_BASE_URL={emulator.base_url}\n"
                f"AMPLITUDE_API_KEY={API_KEY}\n"
                f"AMPLITUDE_SECRET_KEY={SECRET_KEY}\n"
                f"AMPLITUDE_PROJECT_ID={settings.project_id}",
                flush=True,
            )
            stop.wait()
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another --port"
        ) from None
