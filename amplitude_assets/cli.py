"""The command `amplitude-assets`: what people type, checked at the door.

Bad input is one line that says what is wrong and what would be right, exit 2, nothing changed.
Heavy imports stand in the commands, so that bad input is told at once.
"""

import sys
import warnings
from datetime import UTC, datetime

import click

from amplitude_assets import cli_privacy, cli_setup
from amplitude_assets.config import Settings, SettingsError, load_settings
from amplitude_assets.hours import (
    HOUR,
    HourError,
    HourRange,
    format_hour,
    last_exportable_hour,
    parse_hour,
)
from amplitude_assets.progress_display import turning

_DEFAULT_LAST = 72


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Every Amplitude event, hour by hour, from the Export API to gold tables."""


cli_setup.register(cli)
cli_privacy.register(cli)


def main() -> None:
    """Run the command line, and turn what is wrong with its input into one line and exit 2."""
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # libraries' notes to developers; tests show them
    try:
        cli(standalone_mode=False)
    except click.Abort:
        sys.exit(130)
    except click.ClickException as error:
        _refuse(error.format_message())
    except (HourError, SettingsError) as error:
        _refuse(str(error))


def _refuse(message: str) -> None:
    click.echo(f"amplitude-assets: {' '.join(message.split())}", err=True)
    sys.exit(2)


def _hour(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> datetime | None:
    return None if text is None else parse_hour(text)


def hour_options(command: "click.decorators.FC") -> "click.decorators.FC":
    """Give a command the options by which people say which hours they mean."""
    for option in (
        click.option("--to", "last", callback=_hour, help="Last hour, YYYY-MM-DDTHH, UTC."),
        click.option("--from", "first", callback=_hour, help="First hour, YYYY-MM-DDTHH, UTC."),
        click.option("--last", "count", type=click.IntRange(min=1), help="The last N hours."),
    ):
        command = option(command)
    return command


def asked_hours(
    settings: Settings,
    count: int | None,
    first: datetime | None,
    last: datetime | None,
    now: datetime,
) -> HourRange:
    """Return the hours that people mean, by default the last 72 that can be exported.

    Raises HourError when there is no such range of exportable hours since AMPLITUDE_START_HOUR.
    """
    newest = last_exportable_hour(now, settings.amplitude_export_delay_hours)
    start = settings.amplitude_start_hour
    if count is not None and (first or last):
        raise HourError("give --last, or --from and --to, not both")
    if last is not None and first is None:
        raise HourError("--to needs --from; or use --last N")
    if first is None:
        hours = HourRange(newest - ((count or _DEFAULT_LAST) - 1) * HOUR, newest)
    elif last is not None and last < first:
        raise HourError(f"--from {format_hour(first)} is after --to {format_hour(last)}; swap them")
    else:
        hours = HourRange(first, max(first, newest) if last is None else last)
    if hours.last > newest:
        raise HourError(
            f"{format_hour(hours.last)} is not exportable yet; the newest hour that is, is "
            f"{format_hour(newest)} (UTC)"
        )
    if hours.first < start:
        raise HourError(
            f"{format_hour(hours.first)} is before AMPLITUDE_START_HOUR {format_hour(start)}; "
            "ask for later hours, or set it earlier"
        )
    return hours


@cli.command()
@hour_options
def run(count: int | None, first: datetime | None, last: datetime | None) -> None:
    """Run the main job: every asset for these hours, in this process.

    Exit 0 when every hour is materialised and every blocking check passed, 1 when not.
    """
    settings = load_settings()
    hours = asked_hours(settings, count, first, last, datetime.now(UTC))
    with turning():
        from amplitude_assets.console import run_on_terminal

    sys.exit(run_on_terminal(settings, hours))


@cli.command()
@hour_options
def status(count: int | None, first: datetime | None, last: datetime | None) -> None:
    """Show the ledger for a range of hours, the gaps first."""
    settings = load_settings()
    hours = asked_hours(settings, count, first, last, datetime.now(UTC))
    with turning():
        from amplitude_assets.console import print_status

    sys.exit(print_status(settings, hours))


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8642, show_default=True, help="Port to listen on; 0 takes any.")
@click.option("--events-per-hour", type=click.IntRange(min=0), help="Mean number of events.")
@click.option("--seed", type=int, help="Another seed is another world.")
def emulate(host: str, port: int, events_per_hour: int | None, seed: int | None) -> None:
    """Serve the emulator of the Export API until interrupted."""
    settings = load_settings()
    changes = {"emulator_events_per_hour": events_per_hour, "emulator_seed": seed}
    with turning():
        from amplitude_assets.emulation import serve_emulator

    serve_emulator(
        settings.model_copy(update={k: v for k, v in changes.items() if v is not None}), host, port
    )


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=3000, show_default=True, help="Port to listen on.")
def dev(host: str, port: int) -> None:
    """Start Dagster's UI and daemon over the same state as `run`."""
    settings = load_settings()
    with turning():
        from amplitude_assets.console import start_dagster

    sys.exit(start_dagster(settings, host, port))


@cli.command()
def docs() -> None:
    """Write the model reference: every table and column, on one page to open."""
    settings = load_settings()
    with turning():
        from amplitude_assets.console import write_docs

    write_docs(settings)


@cli.command()
@hour_options
@click.option("--again", is_flag=True, help="Also the hours that are in bronze already.")
def backfill(count: int | None, first: datetime | None, last: datetime | None, again: bool) -> None:
    """Queue a backfill of these hours on a running Dagster, and follow it.

    Interrupting this leaves the backfill running; asking for the same hours later asks for those
    that are still missing. Exit 0 when every hour is in bronze, 1 when not.
    """
    settings = load_settings()
    hours = asked_hours(settings, count, first, last, datetime.now(UTC))
    with turning():
        from amplitude_assets.console import backfill_on_terminal

    sys.exit(backfill_on_terminal(settings, hours, again=again))


@cli.command()
def instance() -> None:
    """Prepare Dagster's instance: its folder, `dagster.yaml`, and the limits of the pools.

    `run` and `dev` do it by themselves; elsewhere it comes before the daemon starts.
    """
    settings = load_settings()
    from amplitude_assets.instance import open_instance

    open_instance(settings).dispose()
    click.echo(settings.dagster_home_path)
