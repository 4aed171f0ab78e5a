"""Which hours a dbt run consumes, which rows it tests, and when it rebuilds all tables."""

import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.support import dbt
from tests.support.bronze import load_hours

HOUR = datetime(2026, 9, 1, 5)
NEXT_HOUR = HOUR + timedelta(hours=1)
Build = Callable[..., dict[str, str]]

LATE_EVENING = "2026-09-01 23:30:00.000000"


def event(uuid: str, **fields: Any) -> dict[str, Any]:
    """Return an exported event with the fields that matter here."""
    return {
        "uuid": uuid,
        "amplitude_id": 1,
        "device_id": "d",
        "event_type": "visit",
        "event_time": LATE_EVENING,
        "server_upload_time": f"{HOUR}",
        "event_properties": {"Total Price": "12.5"},
    } | fields


def load(path: Path, hours: dict[datetime, list[dict[str, Any]]], load_id: str = "load-1") -> None:
    with duckdb.connect(str(path)) as con:
        load_hours(con, hours, load_id=load_id)


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path), read_only=True) as con:
        return con.execute(query).fetchall()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a warehouse with one hour of two events."""
    path = tmp_path / "warehouse.duckdb"
    load(path, {HOUR: [event("a"), event("b", amplitude_id=2, event_type="background")]})
    return path


@pytest.fixture(scope="module")
def silver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the silver half of the project."""
    return dbt.silver_only(tmp_path_factory.mktemp("silver"))


@pytest.fixture
def project(silver: Path) -> Iterator[Path]:
    """Return that copy, and restore its files after the test.

    One copy for all tests lets dbt parse only the changed files.
    """
    files = [path for path in silver.rglob("*") if path.is_file()]
    before = {path: path.read_text() for path in files}
    yield silver
    for path, text in before.items():
        if path.read_text() != text:
            path.write_text(text)


@pytest.fixture
def build(project: Path) -> Build:
    """Return a function that runs `dbt build` on that copy, by default without data tests."""
    return partial(dbt.build, project=project, tests=False)


def test_every_table_exists_without_data(tmp_path: Path, build: Build) -> None:
    path = tmp_path / "warehouse.duckdb"
    load(path, {})
    build(path, tests=True)
    load(path, {HOUR: []})
    build(path, tests=True)
    assert rows(path, "select count(*) from silver.events") == [(0,)]
    assert rows(path, "select export_hour, load_id from silver.consumed_hours") == [
        (HOUR, "load-1")
    ]


def test_hours_stay_in_the_batch_until_every_incremental_model_is_built(
    path: Path, build: Build
) -> None:
    build(path, select=["+users"])
    assert rows(path, "select export_hour from silver.consumed_hours") == []
    build(path)
    assert rows(path, "select export_hour from silver.consumed_hours") == [(HOUR,)]
    build(path)
    assert rows(path, "select export_hour from silver.load_batch") == []
    assert rows(path, "select count(*) from silver.events") == [(2,)]


LINE = "strftime(export_hour, '%H:%M') || ' ' || uuid"
HOUR_ONLY = "strftime(export_hour, '%H:%M')"
USER = "replace(user_key, '100011-', 'user ')"
IN_THE_BATCH = {
    "load_batch": HOUR_ONLY,
    "consumed_hours": f"{HOUR_ONLY} || ' ' || load_id",
    "exported_events": f"case when export_hour = '{HOUR}' then {LINE} end",
    "dedup_candidate_keys": LINE,
    "dedup_candidates": LINE,
    "dedup_results": f"{LINE} || case when reason is null then ' becomes an event' else reason end",
    "rekeyed_ids": USER,
    "changed_keys": f"{HOUR_ONLY} || ' ' || {USER}",
    "touched_hours": HOUR_ONLY,
    "touched_users": USER,
    "touched_user_dates": f"{USER} || ' ' || event_date",
    "touched_devices": "device_id",
    "touched_events": LINE,
}
IN_SILVER = {
    "silver.events": LINE,
    "silver.event_duplicates": LINE,
    "silver.property_hours": f"{HOUR_ONLY} || ' has ' || occurrences",
    "silver.users": f"{USER} || ' has ' || events",
}


def test_the_example_of_the_model_reference_equals_a_build(tmp_path: Path, build: Build) -> None:
    def shown(table: str, value: str) -> str:
        query = f"select {value} as value from {table} where value is not null order by value"
        return ", ".join(value for (value,) in rows(path, query)) or "none"

    path = tmp_path / "warehouse.duckdb"
    a, b = event("a", device_id="d1"), event("b", device_id="d1")
    c = event("c", amplitude_id=2, device_id="d2")
    copy_of_b = b | {"server_upload_time": f"{NEXT_HOUR}"}
    d = event("d", amplitude_id=3, device_id="d3", server_upload_time=f"{NEXT_HOUR}")
    load(path, {HOUR: [a, b, c], NEXT_HOUR: [copy_of_b, d]})
    build(path)
    before = {table: shown(table, value) for table, value in IN_SILVER.items()}
    load(path, {HOUR: [a, c]}, load_id="load-2")
    # Without one incremental model the batch is not consumed, and its tables keep their rows.
    build(path, exclude=["sessions"])
    example = {
        **{name: shown(f"silver.{name}", value) for name, value in IN_THE_BATCH.items()},
        **{name: f"{before[name]} | {shown(name, value)}" for name, value in IN_SILVER.items()},
    }
    page = (dbt.PROJECT.parent / "docs" / "models.md").read_text()
    table_rows = re.findall(r"^\| `([a-z_.]+)`[^|]*\| (.*) \| (.*) \|$", page, re.M)
    documented = {
        name: last if name in IN_THE_BATCH else f"{middle} | {last}"
        for name, middle, last in table_rows
    }
    assert example == {name: documented[name] for name in example}


def test_rebuilding_events_alone_fails_and_requires_a_full_refresh(
    path: Path, build: Build
) -> None:
    build(path)
    load(path, {HOUR + timedelta(hours=1): [event("c")]})
    build(path)
    with pytest.raises(dbt.DbtError, match="dbt build --full-refresh"):
        build(path, select=["events"], full_refresh=True)
    with pytest.raises(dbt.DbtError, match="dbt build --full-refresh"):
        build(path, select=["events"], timezone="Asia/Tokyo")
    assert rows(path, "select count(*) from silver.events") == [(3,)]


def test_changing_the_time_zone_rebuilds_all_tables(path: Path, build: Build) -> None:
    build(path)
    before = rows(path, "select distinct event_date from silver.events")
    build(path, timezone="Asia/Tokyo")
    after = rows(path, "select distinct event_date from silver.events")
    assert (before, after) == ([(date(2026, 9, 1),)], [(date(2026, 9, 2),)])


def test_changing_the_inactive_event_types_rebuilds_all_tables(
    path: Path, project: Path, build: Build
) -> None:
    build(path)
    seed = project / "seeds" / "silver" / "inactive_event_types.csv"
    seed.write_text("event_type\nbackground\n")
    build(path)
    assert rows(path, "select user_key, active_events from silver.users order by 1") == [
        ("100011-1", 1),
        ("100011-2", 0),
    ]


def test_a_promoted_property_is_filled_for_all_events(
    path: Path, project: Path, build: Build
) -> None:
    build(path)
    seed = project / "seeds" / "silver" / "promoted_properties.csv"
    seed.write_text(seed.read_text() + "event,Total Price,total_price,number\n")
    contract = project / "models" / "silver" / "events.yml"
    column = (
        "      - name: total_price\n        data_type: decimal(38, 9)\n        description: x\n"
    )
    contract.write_text(contract.read_text().replace("\nunit_tests:", f"{column}\nunit_tests:"))
    load(path, {HOUR + timedelta(hours=1): [event("c", event_properties={"Total Price": "x"})]})
    build(path, tests=True)
    assert rows(path, "select uuid, total_price from silver.events order by 1") == [
        ("a", 12.5),
        ("b", 12.5),
        ("c", None),
    ]


def test_a_late_merge_moves_events_to_the_surviving_user(path: Path, build: Build) -> None:
    build(path)
    merge = event("c", amplitude_id=1, data={"merged_amplitude_id": 2}, session_id=1700000000000)
    load(path, {HOUR + timedelta(hours=1): [merge]}, "load-2")
    build(path, tests=True)
    assert rows(path, "select uuid, amplitude_id, user_key from silver.events order by 1") == [
        ("a", 1, "100011-2"),
        ("b", 2, "100011-2"),
        ("c", 1, "100011-2"),
    ]
    assert rows(path, "select user_key, events, amplitude_ids from silver.users") == [
        ("100011-2", 3, 2)
    ]
    load(path, {HOUR + timedelta(hours=1): []}, "load-3")
    build(path)
    assert rows(path, "select user_key, events from silver.users order by 1") == [
        ("100011-1", 1),
        ("100011-2", 1),
    ]


def test_windows_of_an_insert_id_and_merge_chains_are_followed_up_to_their_bounds(
    path: Path, build: Build
) -> None:
    """1,024 windows of seven days, and 65 merges; a longer chain leaves its first ids unmerged."""
    week = timedelta(days=7, microseconds=1)
    copies = [
        event(f"{kind}-{n}", server_upload_time=f"{datetime(2005, 1, 1) + n * week + later}")
        | {"$insert_id": "every week"}
        for n in range(1024)
        for kind, later in (("kept", timedelta()), ("copy", timedelta(days=3)))
    ]
    merges = [
        event(f"merge-{n}", amplitude_id=n, data={"merged_amplitude_id": n + 1})
        for n in [*range(100, 165), *range(200, 266)]
    ]
    load(path, {NEXT_HOUR: [*copies, *merges]})
    build(path)
    dropped = rows(path, "select uuid, kept_uuid from silver.event_duplicates")
    assert sorted(dropped) == sorted((f"copy-{n}", f"kept-{n}") for n in range(1024))
    chains = "select surviving_amplitude_id, merges, is_cycle from silver.merged_ids"
    assert rows(path, f"{chains} where amplitude_id in (100, 163, 164) order by merges desc") == [
        (165, 65, False),
        (165, 2, False),
        (165, 1, False),
    ]
    assert rows(path, f"{chains} where amplitude_id in (200, 201) order by amplitude_id") == [
        (200, 0, True),
        (266, 65, False),
    ]


def test_late_and_redelivered_events_update_the_user_property_history(
    path: Path, build: Build
) -> None:
    def seen(uuid: str, day: int, plan: str) -> dict[str, Any]:
        time = f"2026-08-{day:02} 00:00:00.000000"
        return event(uuid, event_time=time, user_properties={"plan": plan})

    load(path, {HOUR: [seen("a", 1, "free")], NEXT_HOUR: [seen("c", 3, "free")]}, "load-2")
    build(path)
    # The first event is re-delivered with other properties; a late event falls between the two.
    late = [seen("b", 2, "pro")]
    load(path, {HOUR: [seen("a", 1, "trial")], NEXT_HOUR + timedelta(hours=1): late}, "load-3")
    build(path)
    history = (
        "select uuid, user_properties ->> '$.plan', valid_to from silver.user_property_history "
        "order by valid_from"
    )
    assert rows(path, history) == [
        ("a", "trial", datetime(2026, 8, 2)),
        ("b", "pro", datetime(2026, 8, 3)),
        ("c", "free", None),
    ]


GROUPS = {"groups": {"team": "red"}}


@pytest.fixture
def built(path: Path, build: Build) -> Path:
    """Return a warehouse whose second hour was built after the first and then reloaded."""
    build(path)
    again = {NEXT_HOUR: [event("c", device_id="e", **GROUPS)]}
    load(path, again)
    build(path)
    load(path, again, "load-2")
    return path


def test_a_build_tests_only_touched_keys_and_dbt_test_whole_tables(
    built: Path, build: Build, project: Path
) -> None:
    with duckdb.connect(str(built)) as con:
        # Duplicate a key of the second hour in the first, and a key that only the first contains.
        con.execute(
            "insert into silver.event_groups "
            "select * replace (? as export_hour) from silver.event_groups where uuid = 'c'",
            [HOUR],
        )
        con.execute("insert into silver.devices select * from silver.devices where device_id = 'd'")
    with pytest.raises(dbt.DbtError, match="unique_event_groups_event_group_key: fail") as found:
        build(built, select=["+devices", "+event_groups"], tests=True)
    assert "unique_devices" not in str(found.value)
    with pytest.raises(dbt.DbtError, match="unique_devices_device_key: fail") as found:
        dbt.run(["test", "--select", "devices event_groups"], built, project=project)
    # The first hour has no such event.
    assert "relationships_within_project_event_groups" in str(found.value)


def test_a_build_tests_only_touched_rows(built: Path, build: Build, project: Path) -> None:
    model = project / "models" / "silver" / "devices.sql"
    sql = model.read_text()
    model.write_text(sql.replace("max(event_time) as", "cast(null as timestamp) as"))
    with duckdb.connect(str(built)) as con:
        con.execute("update silver.devices set device_key = null where device_id = 'd'")
    with pytest.raises(dbt.DbtError, match="no_nulls_devices: fail Got 1 result") as found:
        build(built, select=["+devices"], tests=True)
    assert "not_null_devices_device_key" not in str(found.value)


def test_a_build_tests_new_moved_and_restored_events(
    tmp_path: Path, build: Build, project: Path
) -> None:
    path, place = tmp_path / "warehouse.duckdb", {"country": "Norway"}
    copied = event("copied", amplitude_id=3, **place)
    untouched = event("untouched", amplitude_id=4, device_id="e", **place)
    load(path, {HOUR: [copied], NEXT_HOUR: [copied, event("moved", **place), untouched]})
    build(path)
    # In the second hour, the copy replaces the removed first one, and a merge re-keys an event.
    merge = event("merge", data={"merged_amplitude_id": 2})
    load(path, {HOUR: [merge, event("new", amplitude_id=5, **place)]}, "load-2")
    model = project / "models" / "silver" / "locations.sql"
    model.write_text(model.read_text().replace("location_key is not null", "false"))
    expected_failure = (
        "relationships_events_location_key__location_key__ref_locations_: fail Got 3 results"
    )
    with pytest.raises(dbt.DbtError, match=expected_failure):
        build(path, select=["+locations"], tests=True)


def test_line_counts_are_compared_only_for_consumed_loads(
    path: Path, build: Build, project: Path
) -> None:
    load(path, {NEXT_HOUR: [event("c")]})
    build(path)
    load(path, {HOUR: [event("a")]}, "load-2")  # by another run, after dbt chose its hours
    test = ["test", "--select", "every_line_is_accounted_for"]
    dbt.run(test, path, project=project)
    with duckdb.connect(str(path)) as con:
        con.execute("delete from silver.events where uuid = 'c'")
    with pytest.raises(dbt.DbtError, match="fail Got 1 result"):
        dbt.run(test, path, project=project)
