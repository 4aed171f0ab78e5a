"""The behaviour of the simulated people over two weeks, which must resemble a real product."""

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from amplitude_assets.emulator import World, WorldSettings

START = datetime(2026, 10, 5, tzinfo=UTC)
DAYS = 16


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.fixture(scope="module")
def rows() -> list[dict]:
    world = World(WorldSettings(seed=5, events_per_hour=180))
    hours = (START + timedelta(hours=n) for n in range(24 * DAYS))
    return [json.loads(line) for hour in hours for line in world.lines(hour)]


@pytest.fixture(scope="module")
def unique(rows) -> list[dict]:
    return list({row["uuid"]: row for row in reversed(rows)}.values())


def test_a_few_events_are_late_and_fewer_very_late(rows):
    lags = [moment(row["server_upload_time"]) - moment(row["event_time"]) for row in rows]
    share = {
        days: sum(lag > timedelta(days=days) for lag in lags) / len(lags) for days in (0, 1, 7)
    }
    over_an_hour = sum(lag > timedelta(hours=1) for lag in lags) / len(lags)
    assert 0.05 < over_an_hour < 0.085
    assert 0.003 < share[1] < 0.013
    assert 0 < share[7] < share[1]
    assert sum(lag < timedelta(days=-1) for lag in lags) > 0


def test_some_rows_are_repeated_with_the_same_uuid_in_the_same_or_the_next_hour(rows):
    hours = defaultdict(list)
    for row in rows:
        hours[row["uuid"]].append(moment(row["server_upload_time"]).replace(minute=0, second=0))
    intervals = Counter(
        max(at).timestamp() - min(at).timestamp() > 0 for at in hours.values() if at[1:]
    )
    assert 0.001 < sum(intervals.values()) / len(rows) < 0.01
    assert min(intervals[False], intervals[True]) > 0


def test_some_events_are_repeated_with_another_uuid_within_seven_days_or_later(unique):
    uploads = defaultdict(list)
    for row in unique:
        if row["$insert_id"] is not None:
            at = moment(row["server_upload_time"])
            uploads[row["device_id"], row["$insert_id"]].append(at)
    intervals = [max(at) - min(at) for at in uploads.values() if len(at) > 1]
    assert 0.0005 < len(intervals) / len(unique) < 0.01
    assert sum(gap > timedelta(days=7) for gap in intervals) < len(intervals) / 4
    assert any(gap > timedelta(hours=24) for gap in intervals)


def test_some_copies_arrive_after_more_than_seven_days():
    world = World(WorldSettings(events_per_hour=1400))
    seen: dict[tuple, datetime] = {}
    gaps = []
    for n in (*range(24), *range(24 * 9, 24 * 10)):
        for line in world.lines(START + timedelta(hours=n)):
            row = json.loads(line)
            if row["$insert_id"] is not None and row["session_id"] != -1:
                at = moment(row["server_upload_time"])
                gaps.append(at - seen.setdefault((row["device_id"], row["$insert_id"]), at))
    assert any(gap > timedelta(days=7) for gap in gaps)


def test_event_time_follows_amplitudes_rule(rows):
    corrected = 0
    for row in rows:
        if row["client_upload_time"] is None:
            continue
        happened = moment(row["client_event_time"])
        gap = moment(row["server_received_time"]) - moment(row["client_upload_time"])
        if abs(gap) >= timedelta(seconds=60):
            corrected += 1
            happened += gap
        if moment(row["event_time"]) != happened:
            # The only exceptions are events that a client dates in the future.
            assert row["event_time"] == row["client_event_time"] > row["server_upload_time"]
    assert 0.01 < corrected / len(rows) < 0.1


def test_retention_declines(unique):
    days = defaultdict(set)
    joined = {}
    for row in unique:
        days[row["amplitude_id"]].add(moment(row["event_time"]).date())
        if "first_event" in row["data"]:
            joined[row["amplitude_id"]] = moment(row["event_time"]).date()
    cohort = {
        person: day for person, day in joined.items() if day <= START.date() + timedelta(days=5)
    }
    assert len(cohort) > 200
    returned = [
        sum(day + timedelta(days=n) in days[person] for person, day in cohort.items())
        for n in range(11)
    ]
    assert returned[0] == len(cohort)
    assert len(cohort) * 0.5 > returned[1] > sum(returned[5:8]) / 3 > returned[10] * 0.8 > 0


def test_new_people_join_every_day_and_weekends_are_quieter(unique):
    new, active = Counter(), defaultdict(set)
    for row in unique:
        day = moment(row["event_time"]).date()
        active[day].add(row["amplitude_id"])
        new[day] += "first_event" in row["data"]
    inner = [START.date() + timedelta(days=n) for n in range(1, DAYS - 1)]
    assert min(new[day] for day in inner) > 20
    weekdays = [len(active[day]) for day in inner if day.weekday() < 5]
    weekends = [len(active[day]) for day in inner if day.weekday() >= 5]
    assert sum(weekends) / len(weekends) < 0.95 * sum(weekdays) / len(weekdays)
    assert max(weekdays) < 1.5 * min(weekdays)


def test_nights_are_quiet_where_people_live(unique):
    hours = Counter(moment(r["event_time"]).hour for r in unique if r["country"] == "Japan")
    by_day, by_night = (
        sum(hours[(h - 9) % 24] for h in (12, 13, 20)),
        sum(hours[(h - 9) % 24] for h in (2, 3, 4)),
    )
    assert by_day > 3 * by_night


def test_sessions_vary_in_length_and_belong_to_one_person_and_device(unique):
    sessions = defaultdict(list)
    for row in unique:
        if row["session_id"] != -1 and row["event_time"] < "2027":
            sessions[row["device_id"], row["session_id"]].append(row)
    for events in sessions.values():
        assert len({row["user_id"] for row in events} - {None}) <= 1
        assert len({row["platform"] for row in events}) == 1
    lengths = sorted(
        moment(max(r["client_event_time"] for r in events)).timestamp()
        - moment(min(r["client_event_time"] for r in events)).timestamp()
        for events in sessions.values()
    )
    assert lengths[0] == 0
    assert 10 < lengths[len(lengths) // 2] < 600
    assert lengths[len(lengths) * 99 // 100] > 1_800
    outside = [row for row in unique if row["session_id"] == -1]
    assert {row["platform"] for row in outside} >= {None, "iOS", "Android"}


def test_session_ids_are_the_start_by_the_devices_clock(unique):
    starts = [row for row in unique if row["event_type"] == "session_start"]
    for row in starts:
        if row["event_time"] < "2027":
            at = moment(row["client_event_time"]).replace(tzinfo=UTC)
            assert row["session_id"] == round(at.timestamp() * 1000)


def test_visitors_are_anonymous_first_and_may_be_known_later(unique):
    known, anonymous = defaultdict(set), set()
    for row in unique:
        if row["user_id"] is None:
            anonymous.add((row["device_id"], row["amplitude_id"]))
        else:
            known[row["user_id"]].add((row["device_id"], row["amplitude_id"]))
    assert any(device in anonymous for devices in known.values() for device in devices)
    ids = [{amplitude_id for _, amplitude_id in devices} for devices in known.values()]
    devices = [{device for device, _ in devices} for devices in known.values()]
    assert sum(len(one) > 1 for one in devices) > 20
    assert 0 < sum(len(one) > 1 for one in ids) < len(ids) / 5


def test_merges_name_the_absorbed_and_the_surviving_id(unique):
    merges = [row for row in unique if "merged_amplitude_id" in row["data"]]
    assert len(merges) > 5
    absorbed = {row["amplitude_id"]: row for row in merges}
    for row in merges:
        assert row["event_type"] == "Signed In" or row["event_type"].startswith("Legacy")
        assert row["user_id"] is not None
        assert row["data"]["merged_amplitude_id"] not in absorbed
    before = [r for r in unique if r["amplitude_id"] in absorbed and r["user_id"] is None]
    assert before
    surviving = {row["data"]["merged_amplitude_id"] for row in merges}
    assert any(r["amplitude_id"] in surviving and r["user_id"] for r in unique)


def test_each_step_to_a_purchase_has_fewer_people(unique):
    steps = ("Page Viewed", "Item Viewed", "Item Added", "Checkout Started", "Order Completed")
    people = [len({r["amplitude_id"] for r in unique if r["event_type"] == step}) for step in steps]
    assert people == sorted(people, reverse=True)
    assert len(set(people)) == len(people)
    assert 0.01 < people[-1] / people[0] < 0.25


def test_revenue_has_uncounted_duplicates_and_refunds(unique):
    duplicates = [row["event_properties"] for row in unique if row["event_type"] == "Revenue"]
    counted = [row for row in unique if row["event_type"].startswith("Revenue (")]
    refunds = [row["event_properties"] for row in unique if row["event_type"] == "Refund Issued"]
    assert 0.5 < len(duplicates) / len(counted) < 1
    assert not any("$revenue" in properties for properties in duplicates)
    assert {row["event_type"] for row in counted} == {"Revenue (Verified)", "Revenue (Unverified)"}
    assert all({"$price", "$productId", "$currency"} <= set(r["event_properties"]) for r in counted)
    assert 0 < sum("$revenue" not in row["event_properties"] for row in counted) < len(counted) / 5
    assert refunds
    assert all(properties["$revenue"] < 0 for properties in refunds)


def test_companies_have_groups(unique):
    grouped = [row for row in unique if row["group_properties"]]
    assert 0.01 < len(grouped) / len(unique) < 0.2
    for row in grouped:
        if isinstance(row["groups"]["company"], list):
            assert set(row["group_properties"]["company"]) == set(row["groups"]["company"])
            assert row["data"]["group_ids"]


def test_unusual_lines_occur(rows):
    text = json.dumps(rows[:15_000], ensure_ascii=False)
    for needle in (
        "\u2028",
        "\u0085",
        "👩‍🚀",
        "EMPTY",
        '"--"',
        '"is enterprise?"',
        '"ad_metrics.cost"',
    ):
        assert needle in text
    numbers = [value for row in rows for value in row["event_properties"].values()]
    assert any(isinstance(value, int) and value > 2**63 for value in numbers)
    totals = [row["event_properties"].get("Total Value") for row in rows]
    assert {type(total) for total in totals} >= {int, float}
    by_case = [r for r in rows if {"city", "City"} <= set(r["user_properties"])]
    assert by_case
    assert any(row["client_upload_time"] is None for row in rows)
    inserts = [row["$insert_id"] for row in rows]
    assert 0 < inserts.count(None) < len(rows) / 20
    assert any(insert and insert.startswith("ajs-") for insert in inserts)
    assert {row["paying"] for row in rows} == {True, None}


def test_advertising_figures_have_no_user_and_are_sent_twice(rows):
    ads = [row for row in rows if row["event_type"] == "Daily Ad Metrics"]
    assert {row["user_id"] for row in ads} == {None}
    assert {row["library"] for row in ads} == {"google_ads"}
    times = Counter((row["device_id"], row["$insert_id"]) for row in ads)
    assert set(times.values()) == {1, 2}
    assert len({row["uuid"] for row in ads}) == len(ads)


def test_releases_add_properties_and_change_a_type():
    world = World(WorldSettings(events_per_hour=600))
    keys, types = [], []
    for day in (
        datetime(2018, 3, 1, 12, tzinfo=UTC),
        datetime(2026, 8, 3, 12, tzinfo=UTC),
        datetime(2027, 3, 1, 12, tzinfo=UTC),
    ):
        rows = [
            json.loads(line) for n in range(4) for line in world.lines(day + timedelta(hours=n))
        ]
        keys.append({key for row in rows for key in row["event_properties"]})
        types.append(
            {
                type(row["event_properties"]["order_id"])
                for row in rows
                if "order_id" in row["event_properties"]
            }
        )
    assert "consent version" not in keys[0]
    assert "consent version" in keys[1]
    assert {"Theme", "theme"} <= keys[1]
    assert keys[2] - keys[1]
    assert keys[1] - keys[2]
    assert (types[1], types[2]) == ({int}, {str})
