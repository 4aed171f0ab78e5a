"""Forgetting a person under these settings, on a terminal: found, asked, removed, proved."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from io import StringIO

import click
from dagster import DagsterInstance
from filelock import FileLock, Timeout
from rich.console import Console
from rich.table import Table

from amplitude_assets.config import Settings, SettingsError
from amplitude_assets.export.errors import DiskError
from amplitude_assets.export.masks import Field
from amplitude_assets.forgetting.person import Person, find_person
from amplitude_assets.forgetting.proof import Left, prove
from amplitude_assets.forgetting.removal import Places, find_hours, put_on_list, remove
from amplitude_assets.hours import contiguous_ranges
from amplitude_assets.instance import open_instance
from amplitude_assets.lake.forgotten import read_requests
from amplitude_assets.lake.store import LakeError
from amplitude_assets.progress import ProgressSink, StepProgress
from amplitude_assets.progress_display import progress_display
from amplitude_assets.resources import open_lake, open_landing, open_warehouse
from amplitude_assets.warehouse.base import WarehouseError

_SHOWN_RANGES = 10
_BEYOND = (
    "Out of reach from here, see docs/operations.md: older versions of objects in S3, Snowflake's "
    "Time Travel and Fail-safe, backups, and Amplitude itself, which has to be asked too."
)


def forget_on_terminal(
    settings: Settings, user_ids: Sequence[str], amplitude_ids: Sequence[int], *, confirmed: bool
) -> int:
    """Forget the person who has these ids; return the exit status.

    Raises SettingsError, before anything is changed, when nobody has them or another run is under
    way, and click.Abort when people say no.
    """
    console = Console(file=sys.stdout, soft_wrap=True, highlight=False)
    places = _places(settings)
    try:
        with _alone(settings), open_instance(settings) as instance:
            if (said := _runs_under_way(instance)) is not None:
                raise SettingsError(said)
            with progress_display(console):
                person = _find(settings, places, user_ids, amplitude_ids)
            _show(console, person)
            if not confirmed:
                click.confirm("Remove all of it? There is no way back", abort=True)
            key = put_on_list(places, person)
            console.print(f"on the list, so that no export brings them back: {key}")
            # One that began before the list was written may still be bringing them in.
            if (said := _runs_under_way(instance)) is not None:
                click.echo(said, err=True)
                return 1
            with progress_display(console) as progress:
                failed = _remove(settings, places, person, instance, progress)
                left = prove(places, person)
    except (DiskError, LakeError, WarehouseError) as error:
        click.echo(f"{error}\nThe person may not be gone. Run the same command again.", err=True)
        return 1
    _print_proof(console, left)
    for reason in failed:
        click.echo(" ".join(reason.split()), err=True)
    return 1 if failed or any(one.rows for one in left) else 0


def _places(settings: Settings) -> Places:
    return Places(
        settings.project_id,
        open_landing(settings),
        open_lake(settings),
        open_warehouse(settings),
    )


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Let one at a time forget: two would write over each other's hours."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(settings.data_dir / ".forget.lock", timeout=0):
            yield
    except Timeout:
        raise SettingsError("another forget is under way here; wait until it is done") from None


def _runs_under_way(instance: DagsterInstance) -> str | None:
    """Say which runs load hours just now, and may bring back whom this removes; None for none."""
    from amplitude_assets.automation.runs import active_runs, stages_of

    runs = [run.run_id for run in active_runs(instance) if stages_of(run)]
    if not runs:
        return None
    return (
        f"hours are being loaded by {len(runs)} runs of Dagster ({', '.join(runs)}), which may "
        "bring the person back; wait until they are done, or end them in Dagster's UI, and run "
        "this again"
    )


def _find(
    settings: Settings, places: Places, user_ids: Sequence[str], amplitude_ids: Sequence[int]
) -> Person:
    """Find the person, by the hash of a user id too where that is what is kept."""
    hashed = Field("user_id") in settings.masks.hashed
    names = [*user_ids, *(map(settings.masks.hash_of, user_ids) if hashed else ())]
    requests = read_requests(places.lake, places.project_id)
    person = find_person(places.warehouse, places.project_id, names, amplitude_ids, requests)
    find_hours(places, person)
    if not person.hours:
        raise SettingsError(
            f"no event of project {places.project_id} is of {', '.join(person.ids)}; look whether "
            "that is the id as the sender wrote it, and whether its hours are loaded"
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
    instance: DagsterInstance,
    progress: ProgressSink,
) -> list[str]:
    """Remove the person from landing area to gold; return what failed of the models."""
    contents = find_hours(places, person)  # again: people take their time to confirm
    told = StepProgress(progress, "lake", len(person.hours), units="lines removed")
    remove(places, person, contents, told.add)
    # dbt takes seconds to import: after the lake, which is the longer part.
    from amplitude_assets.main_run import build_models

    with redirect_stdout(StringIO()):
        failed = build_models(settings, instance, progress)
    places.warehouse.rewrite()
    return failed


def _print_proof(console: Console, left: Sequence[Left]) -> None:
    table = Table("place", title="What is left of them", title_justify="left", box=None)
    table.add_column("rows", justify="right")
    for one in left:
        table.add_row(one.place, f"{one.rows:,}")
    console.print(table)
    found = [one for one in left if one.rows]
    if found:
        names = ", ".join(f"{one.place} ({one.rows:,})" for one in found)
        click.echo(f"left: {names}. Run the same command again.", err=True)
    else:
        console.print("Nothing is left of them here.")
    console.print(_BEYOND)
