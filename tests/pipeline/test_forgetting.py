"""Forgetting a person leaves silver and gold as if they never existed; nobody else changes."""

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
from amplitude_assets.forgetting.proof import Remaining, count_remaining
from amplitude_assets.forgetting.removal import Places, find_hours, put_on_list, remove
from amplitude_assets.lake.store import Lake
from amplitude_assets.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.oracle import Merge
from tests.pipeline.gold_world import PROJECT_ID, final_state
from tests.snowflake.loads import publish_load, world_in_three_loads
from tests.support import bronze, dbt

# A synthetic person with a late merge. The fixture adds a person of the emulator with a user id.
AMPLITUDE_ID = 1001
# Columns that describe the load of a row, and tables that describe the last run.
_LOAD_COLUMNS = ("load_id", "loaded_at", "source_object", "source_line")
_RUN_TABLES = ("load_batch", "consumed_hours")

Table = Counter[tuple[object, ...]]


@dataclass
class Forgotten:
    """The tables before and after forgetting, and the tables of a world without the person."""

    person: Person
    users: set[str]
    before: dict[str, Table]
    after: dict[str, Table]
    without_person: dict[str, Table]
    remaining_before: list[Remaining]
    remaining_after: list[Remaining]


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
    remaining_before = count_remaining(places, person)
    put_on_list(places, person)
    remove(places, person, contents, lambda _hours, _lines: None)
    dbt.build(path)
    places.warehouse.rewrite()

    other = folder / "never_there" / "warehouse.duckdb"
    other.parent.mkdir()
    hours, merges = final_state(loads)
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
        person,
        users,
        before,
        tables(path),
        tables(other),
        remaining_before,
        count_remaining(places, person),
    )


def without(ids: set[str], lines: Sequence[bytes]) -> list[bytes]:
    """Return `lines` without those of these ids, parsed without the code under test."""
    kept = (_without(ids, line) for line in lines)
    return [line for line in kept if line is not None]


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
                    f"select columns(lambda c: c not in {_LOAD_COLUMNS}) from {schema}.{name}"
                ).fetchall()
            )
            for schema, name in names
            if name not in _RUN_TABLES
        }


def _comparable(value: Any) -> object:
    return round(value, 9) if isinstance(value, float) else value


def test_the_person_has_merged_ids_and_a_user_id_before_forgetting(outcome: Forgotten) -> None:
    assert len(outcome.users) > 2
    assert any(one.startswith("user:") for one in outcome.person.ids)
    places = {one.place for one in outcome.remaining_before if one.rows}
    assert {
        "bronze.raw_events", "bronze.events", "bronze.merge_ids", "silver.events",
        "silver.merged_ids", "silver.users", "gold.dim_users", "gold.fct_sessions",
    } <= places  # fmt: skip


def test_no_row_of_the_person_remains(outcome: Forgotten) -> None:
    assert len(outcome.remaining_after) > 25
    assert [one for one in outcome.remaining_after if one.rows] == []


def test_every_table_equals_that_of_a_world_without_the_person(outcome: Forgotten) -> None:
    assert set(outcome.after) == set(outcome.without_person)
    assert {
        name: (rows - outcome.without_person[name], outcome.without_person[name] - rows)
        for name, rows in outcome.after.items()
        if rows != outcome.without_person[name]
    } == {}


@pytest.mark.parametrize(
    "table",
    ["silver.events", "silver.users", "silver.sessions", "gold.dim_users", "gold.fct_sessions"],
)
def test_rows_of_other_people_do_not_change(outcome: Forgotten, table: str) -> None:
    rows_of_others = {
        row: count
        for row, count in outcome.before[table].items()
        if not outcome.users.intersection(map(str, row))
    }
    assert 10 < len(rows_of_others) < len(outcome.before[table])
    assert outcome.after[table] == rows_of_others
