"""Who is forgotten leaves silver and gold as if they had never been, and nobody else changes."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from amplitude_assets.export.landing import Landing
from amplitude_assets.forgetting.person import Person, find_person
from amplitude_assets.forgetting.proof import Left, prove
from amplitude_assets.forgetting.removal import Places, find_hours, put_on_list, remove
from amplitude_assets.lake.store import Lake
from amplitude_assets.warehouse.duckdb import DuckDBWarehouse
from tests.oracle import Merge
from tests.pipeline.gold_world import PROJECT_ID, in_the_end
from tests.snowflake.loads import publish_load, world_in_three_loads
from tests.support import bronze, dbt

# One of the made-up people with a late merge, and one of the emulator's, who has a user id.
AMPLITUDE_ID = 1001
# When and from which file a row came, and tables that tell of the last run.
_OF_THE_LOAD = ("load_id", "loaded_at", "source_object", "source_line")
_OF_THE_RUN = ("load_batch", "consumed_hours")

Table = Counter[tuple[object, ...]]


@dataclass
class Forgotten:
    """The tables before and after, and those of a world without the person."""

    person: Person
    users: set[str]
    before: dict[str, Table]
    after: dict[str, Table]
    never_there: dict[str, Table]
    left_before: list[Left]
    left_after: list[Left]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Forgotten:
    folder = tmp_path_factory.mktemp("forgetting")
    path = folder / "warehouse.duckdb"
    places = Places(
        PROJECT_ID,
        Landing(folder / "landing", PROJECT_ID),
        Lake((folder / "lake").as_uri()),
        DuckDBWarehouse(path),
    )
    loads = world_in_three_loads()
    for number, load in enumerate(loads):
        manifests = publish_load(places.lake, load, folder / "files")
        places.warehouse.load(places.lake, manifests, f"load-{number}")
    places.warehouse.load_merges(places.lake, PROJECT_ID)
    dbt.build(path, tests=False)
    before = tables(path)

    ((user_id,),) = places.warehouse.query(
        "select user_id from silver.users where user_id is not null order by events desc limit 1"
    )
    person = find_person(places.warehouse, PROJECT_ID, [user_id], [AMPLITUDE_ID])
    contents = find_hours(places, person)
    left_before = prove(places, person)
    put_on_list(places, person)
    remove(places, person, contents, lambda _hours, _lines: None)
    dbt.build(path)
    places.warehouse.rewrite()

    other = folder / "never_there" / "warehouse.duckdb"
    other.parent.mkdir()
    hours, merges = in_the_end(loads)
    ids = {one.removeprefix("user:") for one in person.ids}
    with duckdb.connect(str(other)) as con:
        bronze.load_hours(
            con, {hour: without(ids, lines) for hour, lines in hours.items()}, PROJECT_ID
        )
        _add_merges(
            con,
            [merge for merge in merges if not {str(merge.absorbed), str(merge.surviving)} & ids],
        )
    dbt.build(other, tests=False)
    users = {key for key in person.keys if "user:" not in key}
    return Forgotten(
        person, users, before, tables(path), tables(other), left_before, prove(places, person)
    )


def without(ids: set[str], lines: Sequence[bytes]) -> list[bytes]:
    """Leave out the lines that have one of these ids, read without the code under test."""
    left = (_without(ids, line) for line in lines)
    return [line for line in left if line is not None]


def _without(ids: set[str], line: bytes) -> bytes | None:
    try:
        event = json.loads(line)
    except ValueError:
        return line
    if not isinstance(event, dict):
        return line
    if {str(event["amplitude_id"]), str(event["user_id"])} & ids:
        return None
    if str((event.get("data") or {}).get("merged_amplitude_id")) in ids:
        del event["data"]["merged_amplitude_id"]
        return json.dumps(event).encode()
    return line


def _add_merges(con: duckdb.DuckDBPyConnection, merges: Sequence[Merge]) -> None:
    con.executemany(
        "insert into bronze.merge_ids values (?, 'merges', ?, ?, ?, ?, ?, now()::timestamp)",
        [
            (PROJECT_ID, n, merge.absorbed, merge.surviving, merge.merge_time, merge.merge_time)
            for n, merge in enumerate(merges)
        ],
    )


def tables(path: Path) -> dict[str, Table]:
    """Return the rows of every table of silver and gold."""
    with duckdb.connect(str(path), read_only=True) as con:
        names = con.execute(
            "select table_schema, table_name from information_schema.tables "
            "where table_schema in ('silver', 'gold') and table_type = 'BASE TABLE'"
        ).fetchall()
        return {
            f"{schema}.{name}": Counter(
                tuple(map(_comparable, row))
                for row in con.execute(
                    f"select columns(lambda c: c not in {_OF_THE_LOAD}) from {schema}.{name}"
                ).fetchall()
            )
            for schema, name in names
            if name not in _OF_THE_RUN
        }


def _comparable(value: Any) -> object:
    return round(value, 9) if isinstance(value, float) else value


def test_a_person_with_merged_ids_and_one_with_a_user_id_were_there(outcome: Forgotten) -> None:
    assert len(outcome.users) > 2
    assert any(one.startswith("user:") for one in outcome.person.ids)
    places = {one.place for one in outcome.left_before if one.rows}
    assert {
        "bronze.raw_events", "bronze.events", "bronze.merge_ids", "silver.events",
        "silver.merged_ids", "silver.users", "gold.dim_users", "gold.fct_sessions",
    } <= places  # fmt: skip


def test_nothing_is_left(outcome: Forgotten) -> None:
    assert len(outcome.left_after) > 25
    assert [one for one in outcome.left_after if one.rows] == []


def test_every_table_is_as_if_the_person_had_never_been_there(outcome: Forgotten) -> None:
    assert set(outcome.after) == set(outcome.never_there)
    assert {
        name: (rows - outcome.never_there[name], outcome.never_there[name] - rows)
        for name, rows in outcome.after.items()
        if rows != outcome.never_there[name]
    } == {}


@pytest.mark.parametrize(
    "table",
    ["silver.events", "silver.users", "silver.sessions", "gold.dim_users", "gold.fct_sessions"],
)
def test_no_row_of_anybody_else_changes(outcome: Forgotten, table: str) -> None:
    theirs = {
        row: count
        for row, count in outcome.before[table].items()
        if not outcome.users.intersection(map(str, row))
    }
    assert 10 < len(theirs) < len(outcome.before[table])
    assert outcome.after[table] == theirs
