"""Remove a person in order: the list of forgotten people, the landing area, lake and bronze."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from amplitude_assets.export.landing import Landing
from amplitude_assets.export.tidying import clear, remove_all
from amplitude_assets.forgetting.lake import (
    LakeContents,
    count_lines,
    read_contents,
    rewrite_hour,
    rewrite_merges,
)
from amplitude_assets.forgetting.person import Person, is_of, tables_of
from amplitude_assets.hours import HourRange
from amplitude_assets.lake.commit import read_undamaged, remove_superseded
from amplitude_assets.lake.forgotten import Request, add_request
from amplitude_assets.lake.manifest import Manifest, objects_of
from amplitude_assets.lake.store import DamagedError, Lake
from amplitude_assets.warehouse.base import Warehouse

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Places:
    """The places of a project's data, except for the models."""

    project_id: int
    landing: Landing
    lake: Lake
    warehouse: Warehouse


@dataclass(frozen=True)
class Removal:
    """The number of removed lines, and the hours that failed, each with the reason."""

    lines: int
    failed: dict[datetime, str]


def find_hours(places: Places, person: Person) -> LakeContents:
    """Find hours with lines of the person that only the lake has, and add them to the person.

    Returns the lake's contents.

    Bronze has the events that the manifests name. So only the hours whose current delivery is not
    loaded, and rejected lines, are searched. Raises LakeError and WarehouseError.
    """
    contents = read_contents(places.lake, places.project_id)
    unloaded = _unloaded(places, contents)
    for hour, manifest in contents.manifests.items():
        unsearched = [
            item for item in objects_of(manifest) if hour in unloaded or item == manifest.rejected
        ]
        if hour not in person.hours and any(
            count_lines(places.lake, item.key, person) for item in unsearched
        ):
            person.hours.add(hour)
    return contents


def put_on_list(places: Places, person: Person) -> str:
    """Add the person to the lake's list of forgotten people, and return the key of the request.

    From now on, unpacking omits the person's lines. Raises LakeError.
    """
    request = Request(
        project_id=places.project_id,
        asked_at=datetime.now(UTC),
        digests=tuple(sorted(person.digests)),
        hours=tuple(sorted(person.hours)),
    )
    return add_request(places.lake, request)


def remove(
    places: Places, person: Person, contents: LakeContents, on_progress: OnProgress
) -> Removal:
    """Remove the person from landing area, lake and bronze.

    An hour that is damaged in the lake is not changed, and is returned as failed: download it
    again, which leaves the person out, and repeat the removal. `on_progress` is called with the
    number of hours and of lines done. Raises DiskError, LakeError and WarehouseError; the next
    call continues from there.
    """
    remove_all(places.landing)
    lines = 0
    failed = dict(contents.damaged)
    for hour in sorted(person.hours & contents.manifests.keys()):
        # A folder of the landing area: after a crash, the next call clears it.
        folder = places.landing.hour_folder(hour)
        removed = 0
        try:
            removed = rewrite_hour(places.lake, contents.manifests[hour], person, folder)
        except DamagedError as error:
            failed[hour] = str(error)
        clear(places.landing, [hour])
        lines += removed
        on_progress(1, removed)
    rewrite_merges(places.lake, person)
    manifests = _manifests(places, person.hours - failed.keys())
    failed |= _load(places, person, manifests)
    for manifest in manifests:
        remove_superseded(places.lake, manifest)
    for key in set(contents.unnamed) & set(read_contents(places.lake, places.project_id).unnamed):
        if count_lines(places.lake, key, person):
            places.lake.delete(key)
    return Removal(lines, failed)


def _manifests(places: Places, hours: Collection[datetime]) -> list[Manifest]:
    read = [read_undamaged(places.lake, places.project_id, hour) for hour in sorted(hours)]
    return [manifest for manifest in read if manifest is not None]


def _load(places: Places, person: Person, manifests: Sequence[Manifest]) -> dict[datetime, str]:
    """Load these hours, and the changed merge files, from the lake into bronze.

    Returns the hours that failed, each with the reason.
    """
    load_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-forget"
    report = places.warehouse.load(places.lake, manifests, load_id)
    if "merge_ids" in tables_of(places.warehouse, "bronze"):
        ours = " or ".join(
            is_of(places.warehouse, person, column)
            for column in ("amplitude_id", "merged_amplitude_id")
        )
        rows = places.warehouse.query(
            "select distinct source_object from bronze.merge_ids "  # noqa: S608 - digests only
            f"where project_id = {places.project_id} and ({ours})"
        )
        places.warehouse.drop_merges(places.project_id, [key for (key,) in rows])
    places.warehouse.load_merges(places.lake, places.project_id)
    return {error.hour: error.message for error in report.errors}


def _unloaded(places: Places, contents: LakeContents) -> set[datetime]:
    """Return the hours whose current delivery is not loaded into bronze."""
    if not contents.manifests:
        return set()
    hours = HourRange(min(contents.manifests), max(contents.manifests))
    ledger = places.warehouse.ledger(places.project_id, hours)
    return {
        hour
        for hour, manifest in contents.manifests.items()
        if hour not in ledger or ledger[hour].digest != manifest.digest
    }
