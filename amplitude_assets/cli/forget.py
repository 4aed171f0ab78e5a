"""The command `amplitude-assets forget`: remove a person from lake to gold, and prove it."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from datetime import datetime
from io import StringIO
from typing import TYPE_CHECKING

import click
from filelock import FileLock, Timeout
from rich.console import Console
from rich.table import Table

from amplitude_assets.cli.display import print_error, progress_display, spinner
from amplitude_assets.config import Settings, SettingsError, load_settings
from amplitude_assets.connections.amplitude import open_landing
from amplitude_assets.connections.lake import open_lake
from amplitude_assets.connections.warehouse import open_warehouse
from amplitude_assets.forgetting.person import Person, find_person
from amplitude_assets.forgetting.proof import Remaining, count_remaining
from amplitude_assets.forgetting.removal import Places, find_hours, put_on_list, remove
from amplitude_assets.hours import contiguous_ranges, format_hour
from amplitude_assets.instance.home import open_instance
from amplitude_assets.lake.forgotten import read_requests
from amplitude_assets.lake.store import LakeError
from amplitude_assets.privacy.masks import Field
from amplitude_assets.progress import ProgressSink, StepProgress
from amplitude_assets.streams.part_files import DiskError
from amplitude_assets.warehouse.base import WarehouseError
from amplitude_assets.wording import plural

if TYPE_CHECKING:
    from dagster import DagsterInstance

_SHOWN_RANGES = 10
_NOT_COVERED = (
    "Not covered, see docs/operations.md: older versions of objects in S3, Snowflake's Time Travel "
    "and Fail-safe, backups, and Amplitude itself, which needs a deletion request of its own."
)


@click.command()
@click.option("--user", "user_ids", multiple=True, help="A user id, as it was sent to Amplitude.")
@click.option(
    "--amplitude-id",
    "amplitude_ids",
    multiple=True,
    type=click.IntRange(min=1),
    help="An Amplitude id.",
)
@click.option("--yes", "confirmed", is_flag=True, help="Do not ask for confirmation.")
def forget(user_ids: tuple[str, ...], amplitude_ids: tuple[int, ...], confirmed: bool) -> None:
    """Remove a person from lake, bronze, silver and gold, keep them out, and prove it.

    Repeat an option for several ids; every id that is linked to one of them is removed too. This
    cannot be undone. Exit 0 when nothing of the person is left, else 1; then run it again.
    """
    settings = load_settings()
    if not user_ids and not amplitude_ids:
        raise click.UsageError("give --user USER_ID or --amplitude-id N")
    if not all(user_ids):
        raise click.UsageError("--user needs a user id that is not empty")
    if not confirmed and not sys.stdin.isatty():
        raise click.UsageError("cannot ask for confirmation without a terminal; give --yes")
    sys.exit(forget_on_terminal(settings, user_ids, amplitude_ids, confirmed=confirmed))


def forget_on_terminal(
    settings: Settings, user_ids: Sequence[str], amplitude_ids: Sequence[int], *, confirmed: bool
) -> int:
    """Forget the person with these ids; return the exit status.

    Raises SettingsError, before anything is changed, when no event has one of the ids or when hours
    are being loaded, and click.Abort when the user does not confirm.
    """
    console = Console(file=sys.stdout, soft_wrap=True, highlight=False)
    with spinner():
        places = _places(settings)
    try:
        with _lock(settings), open_instance(settings) as instance:
            if (refusal := _active_loads(instance)) is not None:
                raise SettingsError(refusal)
            with spinner():
                person = _find(settings, places, user_ids, amplitude_ids)
            _show(console, person)
            if not confirmed:
                click.confirm("Remove all of it? This cannot be undone", abort=True)
            key = put_on_list(places, person)
            console.print(f"listed, so that later exports leave them out: {key}")
            # A run that started before the list was written may still load their events.
            if (refusal := _active_loads(instance)) is not None:
                print_error(refusal)
                return 1
            with progress_display(console) as progress:
                failed = _remove(settings, places, person, instance, progress)
                left = count_remaining(places, person)
    except (DiskError, LakeError, WarehouseError) as error:
        print_error(f"{error}. The person may not be removed completely; run the command again.")
        return 1
    _print_proof(console, left)
    for reason in failed:
        print_error(reason)
    return 1 if failed or any(one.rows for one in left) else 0


def _places(settings: Settings) -> Places:
    return Places(
        settings.project_id,
        open_landing(settings),
        open_lake(settings),
        open_warehouse(settings),
    )


@contextmanager
def _lock(settings: Settings) -> Iterator[None]:
    """Allow one `forget` at a time: two would overwrite each other's hours."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(settings.data_dir / ".forget.lock", timeout=0):
            yield
    except Timeout:
        raise SettingsError(
            "another forget is running in this DATA_DIR; wait until it has ended"
        ) from None


def _active_loads(instance: "DagsterInstance") -> str | None:
    """Return an error message that names the runs which are loading hours now, or None."""
    from amplitude_assets.automation.runs import active_runs, stages_of

    runs = [run.run_id for run in active_runs(instance) if stages_of(run)]
    if not runs:
        return None
    return (
        f"hours are being loaded by {plural(len(runs), 'run')} of Dagster ({', '.join(runs)}), "
        "which may load the person's events again; wait until they have ended, or cancel them in "
        "Dagster's UI, and run this command again"
    )


def _find(
    settings: Settings, places: Places, user_ids: Sequence[str], amplitude_ids: Sequence[int]
) -> Person:
    """Find the person; with PRIVACY_HASH on user ids, also by the hash of a user id."""
    hashed = Field("user_id") in settings.masks.hashed
    names = [*user_ids, *(map(settings.masks.hash_of, user_ids) if hashed else ())]
    requests = read_requests(places.lake, places.project_id)
    person = find_person(places.warehouse, places.project_id, names, amplitude_ids, requests)
    find_hours(places, person)
    if not person.hours:
        raise SettingsError(
            f"no events of project {places.project_id} for {', '.join(person.ids)}; check the "
            "spelling and that the hours are loaded"
        )
    return person


def _show(console: Console, person: Person) -> None:
    lines = sum(person.lines_by_hour.values())
    ranges = [str(part) for part in contiguous_ranges(person.hours)]
    shown = ", ".join(ranges[:_SHOWN_RANGES])
    more = f", and {len(ranges) - _SHOWN_RANGES} more ranges" if ranges[_SHOWN_RANGES:] else ""
    console.print(f"ids     {', '.join(person.ids)}", markup=False)
    console.print(f"events  {lines:,} lines in bronze")
    console.print(f"hours   {len(person.hours):,}: {shown}{more}")


def _remove(
    settings: Settings,
    places: Places,
    person: Person,
    instance: "DagsterInstance",
    progress: ProgressSink,
) -> list[str]:
    """Remove the person from landing area to gold; return a line for each failure."""
    contents = find_hours(places, person)  # again: hours may have changed before the confirmation
    lake = StepProgress(progress, "lake", len(person.hours), units="lines removed")
    removal = remove(places, person, contents, lake.add)
    # After the removal from the lake, which takes longer than to import dbt.
    from amplitude_assets.runs.in_process import build_models

    with redirect_stdout(StringIO()):
        failed = build_models(settings, instance, progress)
    places.warehouse.rewrite()
    return [*_unremoved(removal.failed), *failed]


def _unremoved(failed: Mapping[datetime, str]) -> list[str]:
    """Return a line for each hour that may still have events of the person."""
    hours = [f"{format_hour(hour)} was skipped: {why}" for hour, why in sorted(failed.items())]
    return [*hours, "Fix this, then run the same command again."] if hours else []


def _print_proof(console: Console, left: Sequence[Remaining]) -> None:
    table = Table("place", title="Rows left of the person", title_justify="left", box=None)
    table.add_column("rows", justify="right")
    for one in left:
        table.add_row(one.place, f"{one.rows:,}")
    console.print(table)
    found = [one for one in left if one.rows]
    if found:
        names = ", ".join(f"{one.place} ({one.rows:,})" for one in found)
        print_error(f"left: {names}. Run the same command again.")
    else:
        console.print("Nothing of the person is left here.")
    console.print(_NOT_COVERED)
