"""Masking and forgetting through the whole pipeline: no file or table has the removed values."""

import gzip
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from amplitude_assets.emulator import API_KEY, SECRET_KEY, Emulator, World, WorldSettings, serve
from amplitude_assets.hours import HourRange, parse_hour
from tests.faults.place import Place, Rows
from tests.support import dbt
from tests.support.command import amplitude_assets

HOURS = HourRange(parse_hour("2026-09-07T08"), parse_hour("2026-09-07T11"))
WORLD = WorldSettings(events_per_hour=60)
KEY = "a secret of many characters"
MASKS: dict[str, object] = {
    "privacy_drop": ("ip_address",),
    "privacy_hash": ("user_id", "device_id", "$insert_id"),
    "privacy_hash_key": KEY,
}
FIGURES = {
    "people": "select count(*), sum(events), sum(devices), sum(user_ids) from silver.users",
    "identities": "select count(*), count(user_id), count(device_id) from silver.user_identities",
    "devices": "select count(*), sum(users) from silver.devices",
    "duplicates": "select reason, count(*) from silver.event_duplicates group by all order by all",
    "days": "select * from gold.agg_active_users_daily order by all",
    "sessions": "select user_key, count(*) from gold.fct_sessions group by all order by all",
    "revenue": "select sum(revenue) from gold.fct_revenue",
    "joined": (
        "select count(*) from silver.events inner join silver.users using (user_key) "
        "inner join silver.devices using (device_id)"
    ),
}


def exported() -> list[dict[str, Any]]:
    """Return the events of the server's world, generated without the API."""
    world = World(WORLD)
    return [json.loads(line) for hour in HOURS for line in world.lines(hour)]


def raw_values() -> set[str]:
    """Return every user id, device id and IP address of the export."""
    columns = ("user_id", "device_id", "ip_address")
    return {str(event[column]) for event in exported() for column in columns if event[column]}


def found_in(folder: Path, values: set[str]) -> set[str]:
    """Return the `values` that occur in a file under `folder`, gzip-compressed or not."""
    texts = []
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            texts.append(gzip.decompress(data) if path.suffix == ".gz" else data)
    return {value for value in values if any(value.encode() in text for text in texts)}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with serve(World(WORLD)) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def plain(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return a place without privacy settings."""
    place = Place(tmp_path_factory.mktemp("plain"), emulator.base_url)
    assert place.run(HOURS).succeeded
    dbt.build(place.settings.resolved_duckdb_path, tests=False)
    return place


@pytest.fixture(scope="module")
def masked(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return a place whose hours were all loaded with privacy settings."""
    place = Place(tmp_path_factory.mktemp("masked"), emulator.base_url, privacy=MASKS)
    assert place.run(HOURS).succeeded
    dbt.build(place.settings.resolved_duckdb_path, tests=False)
    return place


def figures(place: Place) -> dict[str, Rows]:
    return {name: place.query(sql) for name, sql in FIGURES.items()}


def test_masked_values_are_not_in_the_lake_or_the_warehouse(plain: Place, masked: Place) -> None:
    values = raw_values()
    assert len(values) > 50
    assert found_in(plain.folder / "lake", values) == values
    assert not found_in(masked.folder / "lake", values)
    assert not found_in(masked.folder / "landing" / "100011" / "hours", values)
    text = json.dumps(
        [masked.query(f"select * from {name}") for name in ("bronze.raw_events", "silver.events")],
        default=str,
    )
    assert not {value for value in values if value in text}
    file = masked.settings.resolved_duckdb_path.read_bytes()
    assert not {value for value in values if value.encode() in file}
    assert KEY not in text


def test_joins_over_hashed_ids_give_the_same_figures(plain: Place, masked: Place) -> None:
    before = figures(plain)
    assert before["people"][0][0] > 20
    assert figures(masked) == before
    hashed = masked.settings.masks.hash_of
    named = "select user_key, user_id from silver.users where user_id is not null"
    names = plain.query(named)
    assert len(names) > 5
    assert {(key, hashed(name)) for key, name in names} == set(masked.query(named))


def test_reloading_hours_masks_their_earlier_values(
    plain: Place, masked: Place, emulator: Emulator, tmp_path: Path
) -> None:
    before = Place(tmp_path, emulator.base_url)
    assert before.run(HOURS).succeeded
    after = Place(tmp_path, emulator.base_url, privacy=MASKS)
    assert after.run(HOURS).succeeded
    assert after.bronze() == masked.bronze()
    assert not found_in(tmp_path / "lake", raw_values())


def test_forget_removes_a_person_and_reloading_does_not_restore_them(masked: Place) -> None:
    ((user_id,),) = masked.query(
        "select user_id from silver.users where user_id is not null order by events desc limit 1"
    )
    raw = next(
        str(event["user_id"])
        for event in exported()
        if event["user_id"] and masked.settings.masks.hash_of(str(event["user_id"])) == user_id
    )
    env = {
        "AMPLITUDE_API_KEY": API_KEY,
        "AMPLITUDE_SECRET_KEY": SECRET_KEY,
        "AMPLITUDE_PROJECT_ID": str(masked.project_id),
        "AMPLITUDE_BASE_URL": masked.server,
        "AMPLITUDE_START_HOUR": "2026-09-07T00",
        "DATA_DIR": str(masked.folder),
        "PRIVACY_DROP": "ip_address",
        "PRIVACY_HASH": "user_id,device_id,$insert_id",
        "PRIVACY_HASH_KEY": KEY,
    }
    people = masked.query("select count(*) from silver.users")[0][0]
    lines = sum(len(hour["raw_events"]) for hour in masked.bronze().values())

    refused = amplitude_assets("forget", "--user", raw, env=env, cwd=masked.folder)
    assert (refused.returncode, "--yes" in refused.stderr) == (2, True)
    assert not list((masked.folder / "lake").glob("forgotten/*/*"))

    done = amplitude_assets(
        "forget", "--user", raw, "--yes", env=env, cwd=masked.folder, timeout=600
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert "Nothing of the person is left here." in done.stdout
    assert KEY not in done.stdout + done.stderr
    assert masked.query("select count(*) from silver.users")[0][0] == people - 1
    ids = {raw, user_id}
    assert not found_in(masked.folder, ids)

    bronze_after = masked.bronze()
    assert replace(masked).run(HOURS).succeeded
    assert masked.bronze() == bronze_after
    assert not found_in(masked.folder / "lake", ids)
    removed_lines = sum(event["user_id"] == raw for event in exported())
    assert (
        sum(len(hour["raw_events"]) for hour in bronze_after.values())
        <= lines - removed_lines
        < lines
    )
