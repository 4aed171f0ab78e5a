"""Tests of the oracle with the worked examples of Amplitude's documentation."""

import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import product
from random import Random
from uuid import uuid4

from tests.oracle import COLUMNS, Funnel, Merge, Settings, gold_tables

Event = tuple[str | int, str, str]


def line(person: str | int, event_type: str, time: str, **fields: object) -> dict[str, object]:
    """Return an exported event with the relevant fields, uploaded when it happened."""
    return {
        "uuid": str(uuid4()),
        "amplitude_id": person if isinstance(person, int) else sum(person.encode()),
        "device_id": str(person),
        "event_type": event_type,
        "event_time": time,
        "client_event_time": time,
        "server_upload_time": time,
        "session_id": -1,
    } | fields


def table(
    name: str,
    lines: list[dict[str, object]],
    settings: Settings | None = None,
    until: str | None = None,
    merges: tuple[Merge, ...] = (),
) -> list[dict[str, object]]:
    """Return one gold table for these lines, its rows by column; `until` adds an empty hour."""
    hours: dict[datetime, list[bytes]] = {}
    for row in lines:
        uploaded = datetime.fromisoformat(str(row["server_upload_time"]))
        hour = uploaded.replace(minute=0, second=0, microsecond=0)
        hours.setdefault(hour, []).append(json.dumps(row).encode())
    if until:
        hours.setdefault(datetime.fromisoformat(until), [])
    rows = gold_tables(1, hours, merges, settings)[name]
    return [dict(zip(COLUMNS[name], row, strict=True)) for row in rows]


def returned(rows: list[dict[str, object]], clock: str, mode: str) -> list[object]:
    return [
        row["returned_users"]
        for row in sorted(rows, key=lambda row: str(row["day_number"]))
        if row["clock"] == clock and row["mode"] == mode
    ]


def test_a_return_in_the_24th_hour_is_day_1_by_both_clocks() -> None:
    rows = table(
        "agg_retention",
        [line(1, "A", "2021-12-01 17:59:00"), line(1, "A", "2021-12-02 17:00:00")],
        Settings(retention_days=2),
    )
    assert returned(rows, "calendar", "on") == [1, 1, 0]
    assert returned(rows, "24h", "on") == [1, 1, 0]


def test_a_return_in_the_23rd_hour_is_day_0_by_the_24_hour_clock() -> None:
    rows = table(
        "agg_retention",
        [line(1, "A", "2021-12-01 17:00:00"), line(1, "A", "2021-12-02 16:59:59")],
        Settings(retention_days=2),
    )
    assert returned(rows, "calendar", "on") == [1, 1, 0]
    assert returned(rows, "24h", "on") == [1, 0, 0]


def test_return_on_or_after_counts_the_days_before() -> None:
    rows = table(
        "agg_retention",
        [line(1, "A", "2026-04-01 10:00:00"), line(1, "A", "2026-04-03 10:00:00")],
        Settings(retention_days=3),
    )
    assert returned(rows, "24h", "on") == [1, 0, 1, 0]
    assert returned(rows, "24h", "on_or_after") == [1, 1, 1, 0]


def test_a_day_of_a_cohort_is_complete_after_its_last_users_day() -> None:
    rows = table(
        "agg_retention",
        [line(1, "A", "2026-04-01 00:30:00"), line(2, "A", "2026-04-01 20:30:00")],
        Settings(retention_days=1),
        until="2026-04-02 18:00:00",
    )
    complete = {
        (row["clock"], row["day_number"]): row["is_complete"] for row in rows if row["mode"] == "on"
    }
    assert complete == {
        ("calendar", 0): True,
        ("calendar", 1): False,
        ("24h", 0): False,
        ("24h", 1): False,
    }


def test_a_user_is_in_a_bucket_of_stickiness_for_each_week() -> None:
    days = ("2026-02-02", "2026-02-09", "2026-02-10", "2026-02-15")
    rows = table("agg_stickiness", [line(1, "A", f"{day} 12:00:00") for day in days])
    weeks = {
        (row["period_start"], row["active_days"])
        for row in rows
        if row["period"] == "week" and row["users"]
    }
    assert weeks == {(date(2026, 2, 2), 1), (date(2026, 2, 9), 3)}


def test_users_are_resurrected_after_a_skipped_week_and_else_current() -> None:
    lines = [
        line("anna", "A", "2017-09-30 12:00:00"),
        line("ben", "A", "2017-10-07 12:00:00"),
        line("ben", "A", "2017-10-08 12:00:00"),
        line("anna", "A", "2017-10-09 12:00:00"),
    ]
    rows = table("agg_lifecycle", lines, Settings(week_start="sunday"))
    weeks = [tuple(row.values())[2:] for row in rows if row["period"] == "week"]
    assert weeks == [
        (date(2017, 9, 24), 1, 0, 0, 0),
        (date(2017, 10, 1), 1, 0, 0, 1),
        (date(2017, 10, 8), 0, 1, 1, 0),
    ]


def test_inactive_events_make_new_users_but_not_active_ones() -> None:
    lines = [line(1, "Push", "2026-03-01 12:00:00"), line(1, "A", "2026-03-03 12:00:00")]
    settings = Settings(inactive_event_types=frozenset({"Push"}))
    rows = table("agg_active_users_daily", lines, settings)
    assert [(row["dau"], row["new_users"]) for row in rows] == [(0, 1), (0, 0), (1, 0)]


def test_repeated_first_steps_are_one_conversion_from_the_first() -> None:
    lines = [line(1, "search", f"2026-03-01 10:0{n}:00") for n in range(4)]
    lines.append(line(1, "add to cart", "2026-03-01 10:09:00"))
    settings = Settings(funnels=(Funnel("cart", ("search", "add to cart")),))
    (row,) = table("fct_funnel", lines, settings)
    assert row["started_at"] == datetime(2026, 3, 1, 10)
    assert row["converted_at"] == datetime(2026, 3, 1, 10, 9)


def test_the_longest_path_takes_precedence_over_the_earliest() -> None:
    lines = [
        line(1, "A", "2026-03-01 10:00:00"),
        line(1, "B", "2026-03-01 11:00:00"),
        line(1, "A", "2026-03-05 10:00:00"),
        line(1, "B", "2026-03-05 10:00:10"),
        line(1, "C", "2026-03-06 10:00:00"),
    ]
    settings = Settings(funnels=(Funnel("abc", ("A", "B", "C")),))
    (row,) = table("fct_funnel", lines, settings)
    assert (row["started_at"], row["furthest_step"]) == (datetime(2026, 3, 5, 10), 3)


def test_events_within_one_second_satisfy_either_order() -> None:
    settings = Settings(funnels=(Funnel("ab", ("A", "B")),))
    for earlier, step in (("2026-03-01 10:00:00.001", 2), ("2026-03-01 10:00:00.000", 1)):
        lines = [line(1, "B", earlier), line(1, "A", "2026-03-01 10:00:01.000")]
        (row,) = table("fct_funnel", lines, settings)
        assert row["furthest_step"] == step


def test_a_repeated_event_type_requires_a_gap_of_one_second() -> None:
    funnels = (Funnel("aba", ("A", "B", "A")), Funnel("aa", ("A", "A")))
    noon = datetime(2026, 3, 1, 12)
    sent = (("B", -0.3), ("A", 0), ("A", 50))
    lines = [line(1, name, f"{noon + timedelta(seconds=seconds)}") for name, seconds in sent]
    rows = table("fct_funnel", lines, Settings(funnels=funnels))
    assert {row["funnel"]: row["furthest_step"] for row in rows} == {"aba": 3, "aa": 2}
    for seconds, step in ((0.4, 1), (1, 2)):
        lines = [line(1, "A", f"{noon + timedelta(seconds=after)}") for after in (0, seconds)]
        (row, _) = table("fct_funnel", lines, Settings(funnels=funnels[::-1]))
        assert row["furthest_step"] == step


def test_the_path_is_the_longest_and_earliest_of_all_possible() -> None:
    random = Random(7)
    for _ in range(400):
        funnel = Funnel(
            "f", tuple(random.choices("AB", k=random.randint(2, 4))), timedelta(hours=1)
        )
        noon = datetime(2026, 3, 1, 12)
        events = [
            (random.choice("AB"), noon + timedelta(milliseconds=100 * random.randrange(50)))
            for _ in range(random.randint(1, 7))
        ]
        lines = [line(1, name, f"{time}") for name, time in events]
        rows = table("fct_funnel_steps", lines, Settings(funnels=(funnel,)))
        found = tuple(row["reached_at"] for row in sorted(rows, key=lambda row: str(row["step"])))
        assert found == best_path(funnel.event_types, events)


def best_path(types: tuple[str, ...], events: list[tuple[str, datetime]]) -> tuple[datetime, ...]:
    """Try every choice of events for the steps, and return the times of the best."""
    second = timedelta(seconds=1)
    best: tuple[datetime, ...] = ()
    for length in range(1, len(types) + 1):
        choices = [[time for name, time in events if name == wanted] for wanted in types[:length]]
        for times in product(*choices):
            in_order = all(times[n] - times[n - 1] > -second for n in range(1, length))
            in_distinct_seconds = all(
                times[n] - times[m] >= second
                for n in range(length)
                for m in range(n)
                if types[n] == types[m]
            )
            if (
                in_order
                and in_distinct_seconds
                and (not best or (-length, times) < (-len(best), best))
            ):
                best = times
    return best


def test_an_event_is_not_used_twice_on_a_path() -> None:
    settings = Settings(funnels=(Funnel("aa", ("A", "A")),))
    (row,) = table("fct_funnel", [line(1, "A", "2026-03-01 10:00:00")], settings)
    assert row["furthest_step"] == 1


def test_revenue_is_stated_or_price_times_quantity_and_counts_once() -> None:
    sent: list[tuple[str, dict[str, object]]] = [
        ("Revenue", {"$price": 2.99, "$quantity": 1}),
        ("Revenue (Unverified)", {"$price": 2.99, "$quantity": 1, "$revenue": 2.99}),
        ("Purchase", {"$price": 10, "$quantity": 3}),
        ("Purchase", {"$price": 10}),
        ("Refund", {"$revenue": -4}),
    ]
    lines = [
        line(1, event_type, "2026-03-01 10:00:00", event_properties=properties)
        for event_type, properties in sent
    ]
    rows = table("fct_revenue", lines)
    assert sorted(row["revenue"] for row in rows) == [-4, Decimal("2.99"), 10, 30]  # type: ignore[type-var]


def test_a_purchase_with_its_computed_event_counts_once_under_every_name() -> None:
    purchase = {"$price": 3.99, "$quantity": 3}
    pairs = [
        ("Revenue", "Revenue (Verified)"),
        ("[Amplitude] Revenue", "[Amplitude] Revenue (Unverified)"),
        ("revenue_amount", "unverified_revenue"),
        ("revenue_amount", "verified_revenue"),
    ]
    for stated in ({}, {"$revenue": 11.97}):
        lines = [
            line(person, event_type, "2026-03-01 10:00:00", event_properties=properties)
            for person, (bare, computed) in enumerate(pairs, start=1)
            for event_type, properties in (
                (bare, purchase | stated),
                (computed, purchase | {"$revenue": 11.97}),
            )
        ]
        found = [row["revenue"] for row in table("dim_users", lines)]
        assert found == [Decimal("11.97")] * 4


def test_a_plain_revenue_event_counts_only_with_its_own_revenue() -> None:
    lines = [
        line(1, "Revenue", "2026-03-01 10:00:00", event_properties={"$revenue": 5}),
        line(1, "Revenue", "2026-03-01 11:00:00", event_properties={"$price": 7}),
    ]
    assert [row["revenue"] for row in table("fct_revenue", lines)] == [5]


def test_placeholders_do_not_link_users() -> None:
    lines = [
        line(1, "A", "2026-03-01 10:00:00", **{"$insert_id": ""}),
        line(1, "B", "2026-03-01 10:00:00", **{"$insert_id": ""}),
        line(2, "A", "2026-03-01 10:00:00", data={"merged_amplitude_id": 0}),
        line(0, "A", "2026-03-01 10:00:00", device_id="d", user_id="NULL "),
    ]
    rows = table("dim_users", lines)
    assert {row["user_key"]: row["events"] for row in rows} == {"1-1": 2, "1-2": 1, "1-device:d": 1}


def test_implausible_times_do_not_extend_the_days() -> None:
    lines = [
        line(n, "A", f"{year}-01-01 10:00:00", server_upload_time="2026-03-01 10:00:00")
        for n, year in enumerate((1000, 2026, 2999), start=1)
    ]
    rows = table("agg_active_users_daily", lines)
    assert (rows[0]["activity_date"], rows[-1]["activity_date"]) == (
        date(2026, 1, 1),
        date(2026, 3, 1),
    )
    assert rows[-1]["dau"] == 2
    assert [row["redated_events"] for row in table("rpt_data_quality", lines)] == [2]


def test_revenue_of_day_5_ends_with_the_144th_hour() -> None:
    start = datetime(2026, 12, 5, 10, 59)
    times = (start, start + timedelta(hours=143), start + timedelta(hours=144))
    lines = [
        line(1, "Paid", f"{time}", event_properties={"$revenue": 10**n})
        for n, time in enumerate(times)
    ]
    rows = table("agg_ltv", lines, Settings(retention_days=6))
    assert [row["cumulative_revenue"] for row in rows][5:] == [11, 111]


def test_a_session_has_one_user_and_an_id() -> None:
    lines = [
        line(1, "A", "2026-03-01 23:59:00", session_id=5),
        line(1, "B", "2026-03-02 00:01:00", session_id=5),
        line(2, "A", "2026-03-02 00:01:00", session_id=5),
        line(1, "A", "2026-03-02 00:01:00", session_id=-1),
        line(1, "A", "2026-03-02 00:01:00", session_id=None),
    ]
    rows = table("fct_sessions", lines)
    assert [(row["session_key"], row["session_date"], row["length_seconds"]) for row in rows] == [
        ("1-1-5", date(2026, 3, 1), 120.0),
        ("1-2-5", date(2026, 3, 2), 0.0),
    ]


def test_a_copy_is_dropped_for_seven_days_and_then_counts() -> None:
    times = ("2026-03-01 10:00:00", "2026-03-08 10:00:00", "2026-03-08 10:00:00.000001")
    lines = [line(1, "A", time, **{"$insert_id": "i"}) for time in times]
    assert [row["duplicates"] for row in table("rpt_data_quality", lines)] == [0, 1]


def test_merges_are_followed_to_the_end_but_not_in_cycles() -> None:
    merges = (Merge(1, 2), Merge(2, 3), Merge(4, 5), Merge(5, 4), Merge(6, 4))
    lines = [line(person, "A", "2026-03-01 10:00:00") for person in range(1, 7)]
    users = {row["user_key"] for row in table("dim_users", lines, merges=merges)}
    assert users == {"1-3", "1-4", "1-5", "1-6"}


def test_retention_periods_are_rolling_or_calendar() -> None:
    lines = [
        line(2, "A", "2021-12-01 12:00:00"),
        line(2, "A", "2021-12-06 12:00:00"),
        line(3, "A", "2021-12-06 12:00:00"),
        line(3, "A", "2021-12-12 12:00:00"),
    ]
    rows = table("agg_retention_by_period", lines, Settings(retention_periods=1))
    returns = {
        (row["period"], row["cohort_start"], row["clock"])
        for row in rows
        if row["mode"] == "on" and row["period_number"] == 1 and row["returned_users"]
    }
    assert returns == {("week", date(2021, 11, 29), "calendar")}
