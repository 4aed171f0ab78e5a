"""Find all ids of a person in the lake's list of forgotten people, in silver and in bronze."""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

import orjson

from amplitude_assets.lake.forgotten import Request
from amplitude_assets.privacy.rules import Forgotten, amplitude_key, digest_of, user_id_key
from amplitude_assets.warehouse.base import Warehouse


@dataclass
class Person:
    """One person. `keys` are the ids known in plain text, in the form of silver's `user_key`.

    `digests` are those of all ids; for ids of an earlier request only the digest is known.
    `lines_by_hour` counts the person's lines in bronze. `hours` are the hours of these lines, and
    those of earlier requests.
    """

    project_id: int
    keys: set[str]
    digests: set[str] = field(default_factory=set)
    hours: set[datetime] = field(default_factory=set)
    lines_by_hour: dict[datetime, int] = field(default_factory=dict)

    @property
    def forgotten(self) -> Forgotten:
        """The person as a filter of lines."""
        return Forgotten(self.project_id, frozenset(self.digests))

    @property
    def ids(self) -> list[str]:
        """The ids in readable form: Amplitude ids as numbers, user ids as `user:…`."""
        return sorted(key.removeprefix(f"{self.project_id}-") for key in self.keys)

    def mentions(self) -> re.Pattern[str]:
        """Return a pattern that finds any id in text that is not JSON, in each of its spellings."""
        patterns = [pattern for each in self.ids for pattern in _spellings(each)]
        return re.compile("|".join(patterns) or r"(?!)")


def _spellings(readable_id: str) -> Iterator[str]:
    user_id = readable_id.removeprefix("user:")
    if user_id == readable_id:
        yield rf"(?<![0-9]){re.escape(readable_id)}(?![0-9])"
    elif user_id:
        yield re.escape(user_id)
        yield re.escape(orjson.dumps(user_id).decode()[1:-1])
        yield re.escape("".join(_escaped(character) for character in user_id))


def _escaped(character: str) -> str:
    if character.isascii():
        return character
    return character.encode("ascii", "backslashreplace").decode()


def find_person(
    warehouse: Warehouse,
    project_id: int,
    user_ids: Iterable[str],
    amplitude_ids: Iterable[int],
    requests: Collection[Request] = (),
) -> Person:
    """Find all ids of the person with these ids, and the hours that contain their lines.

    Ids belong to one person when silver gives them the same `user_key`, or when one line has
    both. Before dbt's first run, a line that reports a merge links its ids too. `requests` is the
    lake's list of forgotten people, which links the ids of earlier requests. Raises
    WarehouseError.
    """
    given = [user_id_key(project_id, one) for one in user_ids]
    given += [amplitude_key(project_id, one) for one in amplitude_ids]
    person = Person(project_id, {key for key in given if key is not None})
    silver = tables_of(warehouse, "silver")
    known = -1
    while known < len(person.digests):
        known = len(person.digests)
        _follow_silver(warehouse, person, silver, requests)
        if tables_of(warehouse, "bronze"):
            _read_bronze(warehouse, person, merges_too="users" not in silver)
        _add_digests(person, requests)
    return person


def tables_of(warehouse: Warehouse, schema: str) -> set[str]:
    """Return the names of the tables and views of a schema, in lower case."""
    rows = warehouse.query(
        "select lower(table_schema), lower(table_name) from information_schema.tables"
    )
    return {name for place, name in rows if place == schema}


def _add_digests(person: Person, requests: Collection[Request]) -> None:
    """Add the digests of the keys, and those of every request that shares a digest."""
    person.digests |= {digest_of(key) for key in person.keys}
    for request in requests:
        if person.digests.intersection(request.digests):
            person.digests |= set(request.digests)
            person.hours |= set(request.hours)


def _follow_silver(
    warehouse: Warehouse, person: Person, silver: set[str], requests: Collection[Request]
) -> None:
    """Follow silver's identities and merges until no new id is found."""
    known = -1
    while known < len(person.digests):
        _add_digests(person, requests)
        known = len(person.digests)
        for table, sql in (("user_identities", _IDENTITIES), ("merged_ids", _MERGED)):
            if table in silver:
                _add_ids(person, warehouse.query(_filled(sql, warehouse, person)))
        _add_digests(person, requests)


_IDENTITIES = """
select distinct user_key, amplitude_id, user_id
from silver.user_identities
where project_id = {project_id} and user_key in (
    select user_key from silver.user_identities
    where project_id = {project_id} and ({amplitude_id} or {user_id} or {user_key})
)
"""
_MERGED = """
select cast(null as varchar), amplitude_id, cast(null as varchar)
from silver.merged_ids
where project_id = {project_id} and ({amplitude_id} or {surviving_amplitude_id})
union
select cast(null as varchar), surviving_amplitude_id, cast(null as varchar)
from silver.merged_ids
where project_id = {project_id} and ({amplitude_id} or {surviving_amplitude_id})
"""


def _filled(sql: str, warehouse: Warehouse, person: Person) -> str:
    columns = ("amplitude_id", "surviving_amplitude_id", "user_id", "user_key")
    conditions = {column: is_of(warehouse, person, column) for column in columns}
    return sql.format(project_id=person.project_id, **conditions)


def is_of(warehouse: Warehouse, person: Person, column: str) -> str:
    """Return the SQL condition that a column has an id of the person.

    The name of the column determines the kind of id. The condition contains digests instead of
    ids, since warehouses keep the text of queries.
    """
    prefix = {"user_id": "-user:", "first_user_id": "-user:"}.get(column, "-")
    key = (
        column
        if column == "user_key"
        else f"'{person.project_id}{prefix}' || cast({column} as varchar)"
    )
    listed = ", ".join(f"'{digest}'" for digest in sorted(person.digests))
    return f"{warehouse.sha256(key)} in ({listed})"


def _add_ids(person: Person, rows: Iterable[tuple[str | None, object, str | None]]) -> None:
    for user_key, amplitude_id, user_id in rows:
        keys = {amplitude_key(person.project_id, amplitude_id)}
        keys |= {user_key, user_id_key(person.project_id, user_id)}
        person.keys |= {key for key in keys if key is not None}


def _read_bronze(warehouse: Warehouse, person: Person, *, merges_too: bool) -> None:
    """Add the ids of the person's lines in bronze, and count these lines by hour.

    Another person's line that names the person as the target of a merge adds only its hour, in
    which that line must be edited.
    """
    _add_digests(person, ())
    person.lines_by_hour.clear()
    forgotten = person.forgotten
    for line in warehouse.lines_of_people(person.project_id, person.digests):
        person.hours.add(line.export_hour)
        keys = (
            amplitude_key(person.project_id, line.amplitude_id),
            user_id_key(person.project_id, line.user_id),
        )
        if merges_too or any(map(forgotten.holds, keys)):
            _add_ids(person, [(None, line.amplitude_id, line.user_id)])
            before = person.lines_by_hour.get(line.export_hour, 0)
            person.lines_by_hour[line.export_hour] = before + line.lines
            if merges_too:
                _add_ids(person, [(None, line.merged_amplitude_id, None)])
