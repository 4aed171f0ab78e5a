"""The way of a removal: the list first, then the landing area, the lake, and bronze."""

from collections.abc import Callable
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
from amplitude_assets.lake.forgotten import Request, add_request
from amplitude_assets.lake.manifest import objects_of
from amplitude_assets.lake.publish import remove_superseded
from amplitude_assets.lake.store import Lake
from amplitude_assets.warehouse.base import Warehouse, WarehouseError

Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class Places:
    """Where a project's data is, but for the models."""

    project_id: int
    landing: Landing
    lake: Lake
    warehouse: Warehouse


def find_hours(places: Places, person: Person) -> LakeContents:
    """Add to the person's hours those that only the lake has of them; return what the lake holds.

    Bronze has what the lake's manifests name. So only hours that are not loaded as they are, and
    rejected lines, are looked through. Raises LakeError and WarehouseError.
    """
    contents = read_contents(places.lake, places.project_id)
    unloaded = _unloaded(places, contents)
    for hour, manifest in contents.manifests.items():
        looked_at = [
            item for item in objects_of(manifest) if hour in unloaded or item == manifest.rejected
        ]
        if hour not in person.hours and any(
            count_lines(places.lake, item.key, person) for item in looked_at
        ):
            person.hours.add(hour)
    return contents


def put_on_list(places: Places, person: Person) -> str:
    """Write the person on the lake's list, which is what keeps them out from now on."""
    request = Request(
        project_id=places.project_id,
        asked_at=datetime.now(UTC),
        digests=tuple(sorted(person.digests)),
        hours=tuple(sorted(person.hours)),
    )
    return add_request(places.lake, request)


def remove(places: Places, person: Person, contents: LakeContents, tell: Tell) -> int:
    """Take the person out of landing area, lake and bronze; return how many lines went.

    `tell` is told the hours and lines that are done, as they are. Raises DiskError, LakeError and
    WarehouseError; doing it again goes on from there.
    """
    remove_all(places.landing)
    gone = 0
    for hour in sorted(person.hours & contents.manifests.keys()):
        # In the landing area: what a kill leaves there, the next time clears.
        folder = places.landing.hour_folder(hour)
        went = rewrite_hour(places.lake, contents.manifests[hour], person, folder)
        clear(places.landing, [hour])
        gone += went
        tell(1, went)
    rewrite_merges(places.lake, person)
    _load(places, person)
    for hour in sorted(person.hours):
        manifest = places.lake.read_manifest(places.project_id, hour)
        if manifest is not None:
            remove_superseded(places.lake, manifest)
    for key in set(contents.unnamed) & set(read_contents(places.lake, places.project_id).unnamed):
        if count_lines(places.lake, key, person):
            places.lake.delete(key)
    return gone


def _load(places: Places, person: Person) -> None:
    """Bring bronze to what the lake has now of these hours, and of the merges."""
    now = datetime.now(UTC)
    read = [places.lake.read_manifest(places.project_id, hour) for hour in sorted(person.hours)]
    manifests = [manifest for manifest in read if manifest is not None]
    report = places.warehouse.load(places.lake, manifests, f"{now:%Y%m%dT%H%M%S%f}-forget")
    if report.errors:
        raise WarehouseError("; ".join(str(error) for error in report.errors))
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


def _unloaded(places: Places, contents: LakeContents) -> set[datetime]:
    """Return the hours of the lake that bronze does not hold as the lake does."""
    if not contents.manifests:
        return set()
    hours = HourRange(min(contents.manifests), max(contents.manifests))
    ledger = places.warehouse.ledger(places.project_id, hours)
    return {
        hour
        for hour, manifest in contents.manifests.items()
        if hour not in ledger or ledger[hour].digest != manifest.digest
    }
