"""Verify that a person is forgotten: count their remaining rows in every place."""

from collections.abc import Iterator
from dataclasses import dataclass

from amplitude_assets.forgetting.lake import count_lines, read_contents
from amplitude_assets.forgetting.person import Person, is_of
from amplitude_assets.forgetting.removal import Places
from amplitude_assets.lake.manifest import objects_of
from amplitude_assets.lake.merges import merge_keys

# All names of columns that contain the id of a person.
_ID_COLUMNS = frozenset(
    (
        "amplitude_id", "merged_amplitude_id", "surviving_amplitude_id", "user_id",
        "first_user_id", "user_key",
    )
)  # fmt: skip
_LAYERS = ("bronze", "silver", "gold")
_ORPHANED_DEVICES = """
select count(*)
from silver.devices as devices
left join silver.events as events
    on devices.project_id = events.project_id and devices.device_id = events.device_id
where events.device_id is null
"""


@dataclass(frozen=True)
class Remaining:
    """The number of a person's rows or lines that remain in one place."""

    place: str
    rows: int


def count_remaining(places: Places, person: Person) -> list[Remaining]:
    """Count what remains of a person in the lake and in the warehouse.

    Searches the objects of their hours, all objects that no manifest names or whose manifest is
    damaged, all rejected lines and all merge files; and every table and view with a column of
    ids. Raises LakeError and WarehouseError.
    """
    return [*_in_lake(places, person), *_in_warehouse(places, person)]


def _in_lake(places: Places, person: Person) -> Iterator[Remaining]:
    lake = places.lake
    contents = read_contents(lake, places.project_id)
    theirs = [
        item.key
        for hour in person.hours
        if (manifest := contents.manifests.get(hour)) is not None
        for item in objects_of(manifest)
    ]
    rejected = [m.rejected.key for m in contents.manifests.values() if m.rejected is not None]
    for name, keys in (
        (f"events of {len(person.hours):,} hours", set(theirs) - set(rejected)),
        ("rejected lines", set(rejected)),
        ("older deliveries", set(contents.unnamed)),
        ("hours with a damaged manifest", set(contents.of_damaged)),
        ("merge files", merge_keys(lake, places.project_id)),
    ):
        yield Remaining(f"lake: {name}", sum(count_lines(lake, key, person) for key in keys))


def _in_warehouse(places: Places, person: Person) -> Iterator[Remaining]:
    columns = _columns(places)
    for table in sorted(columns, key=lambda name: (_LAYERS.index(name.split(".")[0]), name)):
        ids = sorted(columns[table] & _ID_COLUMNS)
        if ids:
            condition = " or ".join(is_of(places.warehouse, person, column) for column in ids)
            if "project_id" in columns[table]:
                condition = f"project_id = {places.project_id} and ({condition})"
            # The SQL consists of catalog names and digests, without user input.
            yield _counted(places, table, f"select count(*) from {table} where {condition}")  # noqa: S608
    if "bronze.raw_events" in columns:
        lines = places.warehouse.lines_of_people(places.project_id, person.digests)
        yield Remaining("bronze.raw_events", sum(line.lines for line in lines))
        rejected = places.warehouse.query(
            f"select line from bronze.rejected_lines where project_id = {places.project_id}"  # noqa: S608
        )
        mentions = person.mentions()
        named = sum(bool(mentions.search(line)) for (line,) in rejected)
        yield Remaining("bronze.rejected_lines", named)
    if "silver.devices" in columns:
        yield _counted(places, "silver.devices (without events)", _ORPHANED_DEVICES)


def _columns(places: Places) -> dict[str, set[str]]:
    """Return the columns of every table and view of the three layers."""
    columns: dict[str, set[str]] = {}
    for schema, table, column in places.warehouse.query(
        "select lower(table_schema), lower(table_name), lower(column_name) "
        "from information_schema.columns"
    ):
        if schema in _LAYERS:
            columns.setdefault(f"{schema}.{table}", set()).add(column)
    return columns


def _counted(places: Places, place: str, sql: str) -> Remaining:
    ((count,),) = places.warehouse.query(sql)
    return Remaining(place, int(count))
