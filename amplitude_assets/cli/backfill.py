"""The command `amplitude-assets backfill`: queue a backfill on a running Dagster, and follow it."""

import sys
from datetime import datetime

import click

from amplitude_assets.cli.display import progress_display, spinner, terminal
from amplitude_assets.cli.hour_options import hour_options, selected_hours
from amplitude_assets.config import load_settings
from amplitude_assets.wording import plural


@click.command()
@hour_options
@click.option("--again", is_flag=True, help="Include hours that are already in bronze.")
def backfill(count: int | None, first: datetime | None, last: datetime | None, again: bool) -> None:
    """Queue a backfill of these hours on a running Dagster, and follow it.

    The backfill continues when you interrupt this command; the same command later queues only the
    hours that are still missing. Exit 0 when every hour is in bronze, else 1.
    """
    settings = load_settings()
    hours = selected_hours(settings, count, first, last)
    console = terminal()
    with spinner():
        from amplitude_assets.runs.remote_backfill import RunningDagster, follow, missing_hours

        dagster = RunningDagster(settings)
        wanted = list(hours if again else missing_hours(dagster, hours))
    if not wanted:
        console.print(f"{hours}: every hour is in bronze; --again loads them again")
        return
    queued = dagster.launch(wanted, title=f"{hours}, {plural(len(wanted), 'hour')}")
    console.print(f"{hours}: {plural(len(wanted), 'hour')}, {dagster.link_to(queued)}")
    with progress_display(console) as progress:
        ended = follow(dagster, queued, progress)
    console.print(f"{ended.done:,} of {len(wanted):,} hours, {ended.status}")
    if not ended.succeeded:
        console.print(ended.error or "Run the same command again to load the missing hours.")
        sys.exit(1)
