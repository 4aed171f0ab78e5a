"""The command `amplitude-assets verify`: compare the lake's objects with their manifests."""

import sys
from datetime import datetime

import click
from rich.console import Console

from amplitude_assets.cli.display import print_error, progress_display
from amplitude_assets.cli.hour_options import hour_options, selected_hours_or_all
from amplitude_assets.config import Settings, load_settings
from amplitude_assets.connections.lake import open_lake
from amplitude_assets.connections.warehouse import open_warehouse
from amplitude_assets.hours import HourRange, contiguous_ranges, format_hour, run_command
from amplitude_assets.lake.store import LakeError
from amplitude_assets.lake.verification import VerifiedHour, hours_in, verify_hours
from amplitude_assets.progress import StepProgress
from amplitude_assets.warehouse.base import WarehouseError
from amplitude_assets.wording import plural

_SHOWN_PROBLEMS = 20
_SHOWN_COMMANDS = 10


@click.command()
@hour_options
def verify(count: int | None, first: datetime | None, last: datetime | None) -> None:
    """Compare the lake's objects with their manifests, by default for every hour.

    Reads every object. Exit 0 when all are intact, else 1; then it prints the commands that repair
    them.
    """
    settings = load_settings()
    selected = selected_hours_or_all(settings, count, first, last)
    console = Console(file=sys.stdout, soft_wrap=True, highlight=False, markup=False)
    verified: list[VerifiedHour] = []
    try:
        lake = open_lake(settings)
        in_lake = hours_in(lake, settings.project_id)
        in_ledger = _hours_of_ledger(settings, selected, in_lake)
        hours = sorted(selected or in_lake | in_ledger)
        with progress_display(console) as sink:
            progress = StepProgress(sink, "verify", len(hours), units="bytes")
            for hour in verify_hours(lake, settings.project_id, hours, in_ledger):
                verified.append(hour)
                progress.add(1, hour.bytes)
    except LakeError as error:
        print_error(error)
        sys.exit(1)
    sys.exit(_print(console, verified))


def _hours_of_ledger(
    settings: Settings, selected: HourRange | None, in_lake: set[datetime]
) -> set[datetime]:
    """Return the hours that are in bronze; an empty set when the warehouse cannot be read."""
    if selected is None and not in_lake:
        return set()
    hours = selected or HourRange(min(in_lake), max(in_lake))
    try:
        return set(open_warehouse(settings).ledger(settings.project_id, hours))
    except WarehouseError as error:
        print_error(f"the ledger is not compared: {error}")
        return set()


def _print(console: Console, verified: list[VerifiedHour]) -> int:
    """Print the damaged hours and the totals; return the exit status."""
    damaged = [found for found in verified if found.problems]
    problems = [
        f"{format_hour(found.hour)}  {problem}" for found in damaged for problem in found.problems
    ]
    for problem in problems[:_SHOWN_PROBLEMS]:
        console.print(problem)
    if len(problems) > _SHOWN_PROBLEMS:
        console.print(f"and {len(problems) - _SHOWN_PROBLEMS} more")
    read = sum(found.bytes for found in verified)
    objects = sum(found.objects for found in verified)
    outcome = f"{plural(len(damaged), 'hour')} damaged" if damaged else "all whole"
    console.print(
        f"{plural(len(verified), 'hour')}, {plural(objects, 'object')}, {read:,} bytes: {outcome}"
    )
    commands = [run_command(part) for part in contiguous_ranges(found.hour for found in damaged)]
    for command in commands[:_SHOWN_COMMANDS]:
        console.print(f"To repair: {command}")
    if len(commands) > _SHOWN_COMMANDS:
        console.print(
            f"and {len(commands) - _SHOWN_COMMANDS} more ranges; verify again after these"
        )
    return 1 if damaged else 0
