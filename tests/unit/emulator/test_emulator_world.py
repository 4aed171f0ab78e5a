"""The world is reproducible, on any machine and in any order of requests."""

import gzip
import hashlib
import json
import re
import subprocess
import sys
import zlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amplitude_assets.emulator import PROJECT_ID, World, WorldSettings
from amplitude_assets.emulator.world.columns import ADDED_SINCE_2020, COLUMNS

HOUR = timedelta(hours=1)
MONDAY = datetime(2026, 9, 7, tzinfo=UTC)
SMALL = World(WorldSettings(events_per_hour=60))

HOURS = st.integers(0, 26 * 365 * 24).map(lambda n: datetime(2014, 1, 1, tzinfo=UTC) + HOUR * n)

DIGEST = """
import hashlib
from datetime import UTC, datetime
from amplitude_assets.emulator import World
digest = hashlib.sha256()
for hour in (datetime(2026, 9, 7, 9, tzinfo=UTC), datetime(2014, 2, 28, 23, tzinfo=UTC)):
    for member in World().members(hour):
        digest.update(member.name.encode() + member.data)
print(digest.hexdigest())
"""


def parse_strictly(line: bytes) -> dict:
    """Parse a row, and reject everything that the JSON standard does not allow."""

    def reject(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(line.decode("utf-8"), parse_constant=reject)


def digest(world: World, hour: datetime) -> str:
    data = b"".join(member.name.encode() + member.data for member in world.members(hour))
    return hashlib.sha256(data).hexdigest()


def test_is_the_same_in_every_process():
    outputs = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_is_the_same_in_any_order():
    hours = [MONDAY + HOUR * n for n in (0, 7, 8, 400, 3)]
    forwards = World(WorldSettings(events_per_hour=200))
    backwards = World(WorldSettings(events_per_hour=200))
    first = {hour: digest(forwards, hour) for hour in hours}
    second = {hour: digest(backwards, hour) for hour in reversed(hours)}
    assert first == second
    assert len(set(first.values())) == len(hours)


def test_differs_by_seed():
    hour = MONDAY + 9 * HOUR
    assert digest(World(WorldSettings(seed=1)), hour) != digest(World(WorldSettings(seed=2)), hour)


@given(hour=HOURS)
@settings(max_examples=60)
def test_every_row_was_uploaded_in_its_hour_and_is_strict_json(hour):
    for line in SMALL.lines(hour):
        assert b"\n" not in line
        row = parse_strictly(line)
        assert row["server_upload_time"].startswith(f"{hour:%Y-%m-%d %H}:")
        assert row["app"] == PROJECT_ID
        assert set(row) >= set(COLUMNS) - set(ADDED_SINCE_2020)


def test_rows_have_all_columns_in_one_order_but_for_a_few_of_the_old_schema():
    rows = [parse_strictly(line) for n in range(8, 14) for line in World().lines(MONDAY + n * HOUR)]
    assert len(COLUMNS) == 55
    current = [row for row in rows if row["$schema"] != 12]
    assert {frozenset(row) for row in current} == {frozenset(COLUMNS)}
    old = [row for row in rows if row["$schema"] == 12]
    assert 0 < len(old) < len(rows) / 100
    assert {frozenset(row) for row in old} == {frozenset(COLUMNS) - frozenset(ADDED_SINCE_2020)}


def test_members_hold_the_lines_as_gzip_and_are_named_as_in_an_export():
    world = World()
    name = re.compile(rf"{PROJECT_ID}/{PROJECT_ID}_2026-09-07_9#(\d+)\.json\.gz")
    members = list(world.members(MONDAY + 9 * HOUR))
    unpacked = b"".join(gzip.decompress(member.data) for member in members)
    assert unpacked == b"".join(line + b"\n" for line in world.lines(MONDAY + 9 * HOUR))
    parts = [int(name.fullmatch(member.name)[1]) for member in members]
    assert len(set(parts)) == len(parts)


def test_some_hours_have_several_files_and_some_files_several_gzip_streams():
    members = [list(SMALL.members(MONDAY + n * HOUR)) for n in range(48)]
    assert {len(files) for files in members} >= {1, 2, 3}
    streams = {_streams(member.data) for files in members for member in files}
    assert streams == {1, 2}
    parts = {int(member.name.split("#")[1].split(".")[0]) for files in members for member in files}
    assert max(parts) > 100


def _streams(data: bytes) -> int:
    count = 0
    while data:
        reader = zlib.decompressobj(31)
        reader.decompress(data)
        data, count = reader.unused_data, count + 1
    return count


def test_some_hours_are_empty_mostly_at_night():
    hours = [MONDAY + HOUR * n for n in range(24 * 250)]
    quiet = [hour for hour in hours if SMALL.is_quiet(hour)]
    assert len(hours) / 90 < len(quiet) < len(hours) / 40
    by_night = sum(hour.hour < 6 for hour in quiet)
    assert by_night / 6 > 2 * (len(quiet) - by_night) / 18
    assert list(SMALL.members(quiet[0])) == []
    assert list(SMALL.lines(quiet[0])) == []


def test_the_events_of_a_quiet_hour_are_in_the_next():
    world = World(WorldSettings(events_per_hour=400))
    quiet = next(h for h in (MONDAY + HOUR * n for n in range(1000)) if world.is_quiet(h))
    after = next(h for h in (quiet + HOUR * n for n in range(1, 9)) if not world.is_quiet(h))
    received = [parse_strictly(line)["server_received_time"] for line in world.lines(after)]
    assert sum(time.startswith(f"{quiet:%Y-%m-%d %H}:") for time in received) > 50


def test_a_week_has_the_requested_number_of_events():
    world = World(WorldSettings(events_per_hour=100))
    count = sum(1 for n in range(168) for _ in world.lines(MONDAY + HOUR * n))
    assert count / 168 == pytest.approx(100, rel=0.12)


def test_a_busy_hour_is_generated_in_shards():
    world = World(WorldSettings(events_per_hour=40_000))
    members = list(world.members(MONDAY + 15 * HOUR))
    lines = sum(gzip.decompress(member.data).count(b"\n") for member in members)
    assert lines == pytest.approx(40_000, rel=0.4)
    assert len(members) >= 4
    assert len({member.name for member in members}) == len(members)


def test_a_few_lines_in_two_months_are_very_long():
    world = World(WorldSettings(events_per_hour=5))
    longest = [max(map(len, world.lines(MONDAY + HOUR * n)), default=0) for n in range(24 * 60)]
    assert 1 <= sum(length > 300_000 for length in longest) <= 15


@pytest.mark.parametrize(
    "hour",
    [datetime(2026, 9, 7), datetime(2026, 9, 7, 0, 30, tzinfo=UTC)],
)
def test_rejects_times_that_are_not_an_hour(hour):
    with pytest.raises(ValueError, match=re.escape(str(hour))):
        list(SMALL.members(hour))


def test_names_hours_in_utc_for_any_zone():
    elsewhere = (MONDAY + 9 * HOUR).astimezone(timezone(timedelta(hours=-7)))
    assert list(SMALL.members(elsewhere)) == list(SMALL.members(MONDAY + 9 * HOUR))


def test_events_per_hour_may_be_zero_but_not_negative():
    empty = World(WorldSettings(events_per_hour=0))
    assert not any(list(empty.lines(MONDAY + n * HOUR)) for n in range(24))
    with pytest.raises(ValueError, match="-1"):
        WorldSettings(events_per_hour=-1)


def test_accepts_any_seed():
    hour = MONDAY + 9 * HOUR
    negative = World(WorldSettings(seed=-7, events_per_hour=60))
    assert digest(negative, hour) != digest(SMALL, hour)


def test_copies_of_an_event_have_the_same_content():
    world = World(WorldSettings(seed=3, events_per_hour=1400))
    seen: dict[str, dict] = {}
    copies = 0
    for n in range(12):
        for line in world.lines(MONDAY + n * HOUR):
            row = parse_strictly(line)
            first = seen.setdefault(row["uuid"], row)
            copies += first is not row
            for column in (
                "event_properties",
                "user_properties",
                "client_event_time",
                "$insert_id",
            ):
                assert first[column] == row[column]
    assert copies > 10
