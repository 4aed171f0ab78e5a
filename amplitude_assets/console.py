"""What the commands do and show: progress while they work, and what came of it."""

import os
import sys
import time
from collections.abc import Mapping
from contextlib import redirect_stdout
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from amplitude_assets.config import Settings, SettingsError
from amplitude_assets.export.errors import CredentialsError, ExportError
from amplitude_assets.hours import HourRange, contiguous_ranges, format_hour
from amplitude_assets.instance import open_instance
from amplitude_assets.interrupts import run_until_interrupted
from amplitude_assets.lake.store import LakeError
from amplitude_assets.progress_display import progress_display
from amplitude_assets.report.words import plural
from amplitude_assets.resources import (
    DBT_PROJECT_DIR,
    dbt_resource,
    open_export_client,
    open_warehouse,
)
from amplitude_assets.summary import Summary, summarise
from amplitude_assets.warehouse.base import WarehouseError

if TYPE_CHECKING:
    from amplitude_assets.main_run import MainRunOutcome
    from amplitude_assets.warehouse.base import LedgerRow

_SHOWN_REASONS = 10


def run_on_terminal(settings: Settings, hours: HourRange) -> int:
    """Run the main job with progress and a closing table; return the exit status."""
    # The real standard output, also while what dbt writes there is kept off it.
    console = Console(file=sys.stdout)
    open_warehouse(settings)  # refuses settings that cannot be used; it connects later
    with progress_display(console):
        _refuse_wrong_keys(settings, hours)
    began = time.monotonic()
    with (
        open_instance(settings) as instance,
        progress_display(console) as progress,
    ):
        console.print(f"{_source(settings)}: {hours}, {plural(len(hours), 'hour')}", soft_wrap=True)
        # Dagster and dbt take seconds to import: after the checks at the door.
        from amplitude_assets.main_run import run_main_job

        with redirect_stdout(StringIO()):
            outcome = run_main_job(settings, instance, hours, progress)
    if outcome.models_built:
        _print_summary(console, settings, summarise(open_warehouse(settings), hours))
    _print_failures(outcome)
    console.print(f"{len(outcome.loaded):,} of {len(hours):,} hours in {_seconds_since(began)}")
    return 0 if outcome.succeeded else 1


def print_status(settings: Settings, hours: HourRange) -> int:
    """Print the ledger for a range of hours: what is missing first, then each hour.

    Return the exit status, 1 when the warehouse cannot be read.
    """
    console = Console()
    try:
        with progress_display(console):
            ledger = open_warehouse(settings).ledger(settings.project_id, hours)
    except WarehouseError as error:
        _errors().print(" ".join(str(error).split()))
        return 1
    missing = [hour for hour in hours if hour not in ledger]
    empty = [hour for hour, row in ledger.items() if row.status == "empty"]
    console.print(
        f"{hours}: {len(ledger) - len(empty):,} loaded, {len(empty):,} empty, "
        f"{len(missing):,} missing"
    )
    for gap in contiguous_ranges(missing):
        console.print(f"missing  {gap}  ({plural(len(gap), 'hour')})", highlight=False)
    if ledger:
        console.print(_ledger_table(ledger))
    if missing:
        gap = contiguous_ranges(missing)[0]
        console.print(
            f"To load the first gap: amplitude-assets run --from {format_hour(gap.first)} "
            f"--to {format_hour(gap.last)}",
            highlight=False,
            soft_wrap=True,
        )
    return 0


def backfill_on_terminal(settings: Settings, hours: HourRange, *, again: bool) -> int:
    """Queue a backfill on a running Dagster and show how far it is; return the exit status."""
    from amplitude_assets.backfill import RunningDagster, follow, missing_hours

    console = Console(file=sys.stdout, soft_wrap=True, highlight=False)
    dagster = RunningDagster(settings)
    with progress_display(console):
        wanted = list(hours if again else missing_hours(dagster, hours))
    if not wanted:
        console.print(f"{hours}: every hour is in bronze; --again asks for them all the same")
        return 0
    backfill = dagster.launch(wanted, title=f"{hours}, {plural(len(wanted), 'hour')}")
    console.print(f"{hours}: {plural(len(wanted), 'hour')}, {dagster.link_to(backfill)}")
    with progress_display(console) as progress:
        ended = follow(dagster, backfill, progress)
    console.print(f"{ended.done:,} of {len(wanted):,} hours, {ended.status}")
    if not ended.succeeded:
        console.print(ended.error or "Ask for the same hours again to load those that are missing.")
    return 0 if ended.succeeded else 1


def write_docs(settings: Settings) -> None:
    """Write the model reference and print where it is."""
    console = Console(file=sys.stdout, soft_wrap=True, highlight=False)
    warehouse = open_warehouse(settings)
    with progress_display(console):
        from amplitude_assets.model_reference import write_model_reference

        with redirect_stdout(StringIO()):
            page = write_model_reference(settings, warehouse, dbt_resource(settings))
    console.print(page.as_uri())


def start_dagster(settings: Settings, host: str, port: int) -> int:
    """Run Dagster's UI and daemon until interrupted; return the exit status.

    Raises UsageError outside of the project's folder, which Dagster takes its settings from.
    """
    project = DBT_PROJECT_DIR.parent
    if not project.samefile(Path.cwd()):
        raise click.UsageError(f"dev runs in the project's folder: cd {project}")
    command = [str(Path(sys.executable).parent / "dg"), "dev", "--host", host, "--port", str(port)]
    # Notes of libraries to their users' developers would bury where the UI is.
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    print(  # noqa: T201 - before the processes write their logs
        f"Dagster's UI will be at http://{host}:{port} in some seconds. Ctrl+C stops it.",
        flush=True,
    )
    with open_instance(settings):
        return run_until_interrupted(command)


def _refuse_wrong_keys(settings: Settings, hours: HourRange) -> None:
    """Ask Amplitude for one hour's status before anything is made.

    Raises SettingsError when the keys are refused. Whatever else is wrong is for the run to meet,
    with its retries.
    """
    if settings.uses_emulator:
        return
    try:
        with open_export_client(settings) as client:
            client.check_keys(HourRange(hours.first, hours.first))
    except CredentialsError as error:
        raise SettingsError(error.message) from None
    except (ExportError, LakeError):
        return


def _print_summary(console: Console, settings: Settings, summary: Summary) -> None:
    table = Table(title="What is in the warehouse now", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in summary.figures:
        table.add_row(name, f"{value:,}")
    for day, users in summary.daily_users:
        table.add_row(f"active users on {day}", f"{users:,}")
    console.print(table)
    for name, place in (
        ("lake", settings.resolved_lake_url),
        ("warehouse", summary.place),
        ("report", settings.report_path),
        ("Dagster", settings.dagster_home_path),
    ):
        console.print(f"{name:<10}{place}", highlight=False, soft_wrap=True)
    console.print(
        "next      make dev: Dagster's UI over the same state; amplitude-assets status: the ledger",
        highlight=False,
        soft_wrap=True,
    )


def _print_failures(outcome: "MainRunOutcome") -> None:
    errors = _errors()
    for reason in outcome.reasons[:_SHOWN_REASONS]:
        errors.print(" ".join(reason.split()))
    if len(outcome.reasons) > _SHOWN_REASONS:
        errors.print(f"and {len(outcome.reasons) - _SHOWN_REASONS} more")
    if outcome.missing:
        errors.print("missing: " + ", ".join(str(gap) for gap in outcome.missing))


def _errors() -> Console:
    return Console(stderr=True, soft_wrap=True, highlight=False, markup=False)


def _ledger_table(ledger: "Mapping[datetime, LedgerRow]") -> Table:
    table = Table("hour", "status", box=None)
    for name in ("lines", "rejected", "objects", "bytes"):
        table.add_column(name, justify="right")
    table.add_column("fetched at")
    for row in ledger.values():
        table.add_row(
            format_hour(row.export_hour),
            row.status,
            f"{row.lines:,}",
            f"{row.rejected_lines:,}",
            f"{row.objects:,}",
            f"{row.bytes:,}",
            f"{row.fetched_at:%Y-%m-%d %H:%M:%S}",
        )
    return table


def _source(settings: Settings) -> str:
    where = "the emulator" if settings.uses_emulator else settings.export_origin
    return f"Amplitude project {settings.project_id} ({where})"


def _seconds_since(began: float) -> str:
    return f"{time.monotonic() - began:.1f} s"
