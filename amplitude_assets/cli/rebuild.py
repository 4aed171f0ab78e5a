"""The command `amplitude-assets rebuild`: bronze, silver and gold from the lake."""

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from datetime import datetime
from io import StringIO

import click
from rich.console import Console

from amplitude_assets.cli.display import print_error, progress_display, spinner, terminal
from amplitude_assets.cli.hour_options import hour_options, selected_hours_or_all
from amplitude_assets.cli.outcome import print_failures
from amplitude_assets.config import Settings, load_settings
from amplitude_assets.connections.lake import open_lake
from amplitude_assets.hours import HourRange, contiguous_ranges, last_exportable_hour, utc_now
from amplitude_assets.instance.home import open_instance
from amplitude_assets.instance.integrity import damaged_files, describe_damage, set_aside
from amplitude_assets.lake.store import LakeError
from amplitude_assets.lake.verification import hours_in
from amplitude_assets.runs.interrupts import INTERRUPTED
from amplitude_assets.warehouse.base import RebuildNeededError, WarehouseError
from amplitude_assets.wording import plural


@click.command()
@hour_options
def rebuild(count: int | None, first: datetime | None, last: datetime | None) -> None:
    """Rebuild bronze, silver and gold from the lake, by default for every hour in it.

    Sends no requests to Amplitude. A damaged DuckDB file is renamed and kept. Exit 0 when every
    hour is loaded and the models are built, else 1.
    """
    settings = load_settings()
    sys.exit(rebuild_on_terminal(settings, selected_hours_or_all(settings, count, first, last)))


def rebuild_on_terminal(settings: Settings, selected: HourRange | None) -> int:
    """Load these hours of the lake, or all, and rebuild every model; return the exit status.

    Damaged DuckDB and Dagster files are renamed first, and kept.
    """
    console = terminal()
    try:
        with spinner():
            hours = _hours(settings, selected)
            if not hours:
                print_error(
                    f"{settings.resolved_lake_url} has no hour of project {settings.project_id} "
                    "in this range; nothing was changed"
                )
                return 1
            _set_damaged_aside(console, settings)
        with open_instance(settings) as instance, progress_display(console) as progress:
            ranges = ", ".join(map(str, contiguous_ranges(hours)[:5]))
            console.print(f"rebuilding {plural(len(hours), 'hour')} from the lake: {ranges}")
            from amplitude_assets.runs.in_process import run_from_lake

            with redirect_stdout(StringIO()):
                outcome = run_from_lake(settings, instance, hours, progress)
    except (LakeError, WarehouseError, OSError) as error:
        print_error(error)
        return 1
    except KeyboardInterrupt:
        console.print("interrupted; run the same command again to continue")
        return INTERRUPTED
    print_failures(outcome)
    built = "silver and gold are built" if outcome.models_built else "silver and gold are not built"
    console.print(f"{len(outcome.loaded):,} of {plural(len(hours), 'hour')} in bronze; {built}")
    return 0 if outcome.succeeded else 1


def _hours(settings: Settings, selected: HourRange | None) -> Sequence[datetime]:
    """Return the selected hours that have a manifest in the lake and a partition."""
    newest = last_exportable_hour(utc_now(), settings.amplitude_export_delay_hours)
    start = settings.amplitude_start_hour
    return [
        hour
        for hour in sorted(hours_in(open_lake(settings), settings.project_id))
        if start <= hour <= newest and (selected is None or hour in selected)
    ]


def _set_damaged_aside(console: Console, settings: Settings) -> None:
    if settings.warehouse == "duckdb":
        from amplitude_assets.warehouse.duckdb.warehouse import DuckDBWarehouse

        warehouse = DuckDBWarehouse(settings.resolved_duckdb_path)
        try:
            warehouse.check()
        except RebuildNeededError as error:
            console.print(str(error).partition(". The lake has")[0])
            kept = warehouse.set_aside()
            console.print(f"kept as {kept}; it holds events, delete it when you do not need it")
    damaged = damaged_files(settings.dagster_home_path)
    if damaged:
        console.print(describe_damage(damaged))
        for path in set_aside(damaged):
            console.print(f"kept as {path}")
