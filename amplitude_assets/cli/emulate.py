"""The command `amplitude-assets emulate`: serve the emulator of the Export API."""

import signal
import threading

import click

from amplitude_assets.cli.display import spinner
from amplitude_assets.config import SettingsError, is_loopback, load_settings
from amplitude_assets.connections.amplitude import emulated_world


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8642, show_default=True, help="Port to listen on; 0 for any.")
@click.option("--events-per-hour", type=click.IntRange(min=0), help="Mean number of events.")
@click.option("--seed", type=int, help="Seed of the generated events.")
def emulate(host: str, port: int, events_per_hour: int | None, seed: int | None) -> None:
    """Serve the emulator of the Export API until interrupted.

    Prints the settings that make the pipeline use it.
    """
    settings = load_settings()
    options = {"emulator_events_per_hour": events_per_hour, "emulator_seed": seed}
    given = {name: value for name, value in options.items() if value is not None}
    with spinner():
        from amplitude_assets.emulator import API_KEY, SECRET_KEY, serve

        world = emulated_world(settings.model_copy(update=given))
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with serve(
            world, host=host, port=port, delay_hours=settings.amplitude_export_delay_hours
        ) as emulator:
            if not is_loopback(host):
                click.echo("AMPLITUDE_ALLOW_HTTP=true")
            click.echo(
                f"AMPLITUDE_BASE_URL={emulator.base_url}\n"
                f"AMPLITUDE_API_KEY={API_KEY}\n"
                f"AMPLITUDE_SECRET_KEY={SECRET_KEY}\n"
                f"AMPLITUDE_PROJECT_ID={settings.project_id}"
            )
            stop.wait()
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another --port"
        ) from None
