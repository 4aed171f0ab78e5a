"""The command `amplitude-assets run`: the main job for some hours, in this process."""

import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from datetime import date, datetime
from io import StringIO

import click
from rich.console import Console
from rich.table import Table

from amplitude_assets.cli.display import print_error, progress_display, spinner, terminal
from amplitude_assets.cli.hour_options import hour_options, selected_hours
from amplitude_assets.cli.outcome import print_failures, print_hours_in_question
from amplitude_assets.config import Settings, SettingsError, load_settings, unread_settings
from amplitude_assets.connections.amplitude import open_hour_source
from amplitude_assets.connections.warehouse import open_warehouse
from amplitude_assets.export.errors import CredentialsError, ExportError, ProjectError
from amplitude_assets.hours import HourRange
from amplitude_assets.instance.home import open_instance
from amplitude_assets.lake.store import LakeError
from amplitude_assets.runs.interrupts import INTERRUPTED, exit_interrupted, watch_interrupts
from amplitude_assets.warehouse.base import RebuildNeededError, Warehouse, WarehouseError
from amplitude_assets.wording import plural

_STOPPING = "stopping (Ctrl+C again ends at once)"
_LEDGER = """
select
    count_if(status = 'loaded'),
    count_if(status = 'empty'),
    coalesce(sum(lines), 0),
    coalesce(sum(rejected_lines), 0)
from bronze.export_hours
"""
_DAILY_USERS = """
select activity_date, dau
from gold.agg_active_users_daily
where project_id = {project_id}
order by activity_date
"""
_DAYS_SHOWN = 3


@click.command()
@hour_options
@click.option(
    "--accept-fewer",
    is_flag=True,
    help="Replace an hour at once by an answer with fewer events.",
)
@click.option(
    "--models/--no-models",
    default=True,
    help="Build the models and the report after the hours (default), or leave them as they are.",
)
def run(
    *,
    count: int | None,
    first: datetime | None,
    last: datetime | None,
    accept_fewer: bool,
    models: bool,
) -> None:
    """Run the main job: materialise every asset for these hours, in this process.

    Exit 0 when every hour is materialised and every blocking check passed, else 1.
    """
    settings = load_settings()
    hours = selected_hours(settings, count, first, last)
    status = run_on_terminal(settings, hours, accept_fewer=accept_fewer, models=models)
    if status == INTERRUPTED:
        exit_interrupted()
    sys.exit(status)


def run_on_terminal(
    settings: Settings, hours: HourRange, *, accept_fewer: bool = False, models: bool = True
) -> int:
    """Run the main job with progress and a closing table; return the exit status."""
    console = terminal()
    if unread := unread_settings():
        print_error(f"warning: {'; '.join(map(str, unread))}")
    with spinner():
        try:
            _check_connections(settings, hours)
        except RebuildNeededError as error:
            print_error(error)
            return 1
    began = time.monotonic()
    try:
        with (
            open_instance(settings) as instance,
            progress_display(console) as progress,
        ):
            console.print(f"{_source(settings)}: {hours}, {plural(len(hours), 'hour')}")
            # Importing Dagster and dbt takes seconds, so the input is checked before.
            with watch_interrupts() as interrupted:
                from amplitude_assets.runs.in_process import run_main_job
            if interrupted():  # KeyboardInterrupt is lost where an import ignores exceptions
                raise KeyboardInterrupt
            with redirect_stdout(StringIO()):
                outcome = run_main_job(
                    settings,
                    instance,
                    hours,
                    progress,
                    lambda: console.print(_STOPPING),
                    accept_fewer=accept_fewer,
                    models=models,
                )
    except KeyboardInterrupt:
        _print_kept(console, settings, hours)
        return INTERRUPTED
    warehouse = open_warehouse(settings)
    if outcome.models_built:
        _print_summary(console, settings, warehouse, hours)
    print_failures(outcome)
    if outcome.loaded:
        print_hours_in_question(warehouse.ledger(settings.project_id, hours))
    seconds = time.monotonic() - began
    console.print(f"{len(outcome.loaded):,} of {len(hours):,} hours in {seconds:.1f} s")
    return 0 if outcome.succeeded else 1


def _check_connections(settings: Settings, hours: HourRange) -> None:
    """Check the warehouse's settings, the DuckDB file and Amplitude's keys; change nothing.

    Raises SettingsError, or RebuildNeededError for a damaged or outdated DuckDB file. Any other
    error of Amplitude is left to the run, which retries.
    """
    warehouse = open_warehouse(settings)
    if settings.warehouse == "duckdb":
        warehouse.ledger(settings.project_id, hours)
    if settings.uses_emulator:
        return
    try:
        with open_hour_source(settings) as source:
            source.probe(HourRange(hours.first, hours.first))
    except (CredentialsError, ProjectError) as error:
        raise SettingsError(error.message) from None
    except (ExportError, LakeError):
        return


def _print_kept(console: Console, settings: Settings, hours: HourRange) -> None:
    """Print how many of the hours are in bronze after an interrupt, and how to load the others.

    The number comes from the ledger: an interrupted step may have loaded hours without reporting
    them.
    """
    try:
        ledger = open_warehouse(settings).ledger(settings.project_id, hours)
    except WarehouseError as error:
        print_error(f"stopped; cannot read which hours are in bronze: {error}")
        return
    console.print(
        f"stopped: {len(ledger):,} of {plural(len(hours), 'hour')} are in bronze and kept. "
        "Run the same command again to complete it."
    )


def _print_summary(
    console: Console, settings: Settings, warehouse: Warehouse, hours: HourRange
) -> None:
    table = Table(title="What is in the warehouse now", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in _totals(warehouse):
        table.add_row(name, f"{value:,}")
    for day, users in _daily_users(warehouse, settings.project_id, hours):
        table.add_row(f"active users on {day}", f"{users:,}")
    console.print(table)
    for name, place in (
        ("lake", settings.resolved_lake_url),
        ("warehouse", warehouse.place),
        ("report", settings.report_path),
        ("Dagster", settings.dagster_home_path),
    ):
        # A long path stays on one line, so that it can be copied.
        console.print(f"{name:<10}{place}", soft_wrap=True)
    console.print("next      make dev: Dagster's UI over the same state")
    console.print("          amplitude-assets status: the ledger")


def _totals(warehouse: Warehouse) -> Iterator[tuple[str, int]]:
    """Yield named counts over the whole warehouse."""
    ((loaded, empty, lines, rejected),) = warehouse.query(_LEDGER)
    yield "hours loaded", loaded
    yield "hours empty", empty
    yield "lines exported", int(lines)
    yield "lines rejected", int(rejected)
    for name, table in (
        ("events", "silver.events"),
        ("duplicates set aside", "silver.event_duplicates"),
        ("people", "silver.users"),
        ("sessions", "silver.sessions"),
    ):
        ((count,),) = warehouse.query(f"select count(*) from {table}")  # noqa: S608 - our own names
        yield name, int(count)


def _daily_users(warehouse: Warehouse, project_id: int, hours: HourRange) -> list[tuple[date, int]]:
    """Return the project's daily active users on the last days that the hours cover."""
    rows = warehouse.query(_DAILY_USERS.format(project_id=project_id))
    days = [(day, dau) for day, dau in rows if hours.first.date() <= day <= hours.last.date()]
    return days[-_DAYS_SHOWN:]


def _source(settings: Settings) -> str:
    where = "the emulator" if settings.uses_emulator else settings.export_origin
    return f"Amplitude project {settings.project_id} ({where})"
