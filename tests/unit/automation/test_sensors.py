"""The sensors over a real instance: simulated runs, an hour at a time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from dagster import (
    AssetCheckKey,
    AssetKey,
    DagsterInstance,
    RunRequest,
    SensorDefinition,
    build_sensor_context,
)

from amplitude_assets.assets.partitions import export_hours
from amplitude_assets.automation.requests import RANGE_END, RANGE_START, REASON
from amplitude_assets.automation.sensors import models_follow_bronze_sensor, new_hours_sensor
from amplitude_assets.checks.lost import CHECKS_THAT_TELL
from amplitude_assets.config import Settings
from amplitude_assets.hours import HOUR, HourRange, hour_of_partition, parse_hour
from tests.support.simulated_runs import SimulatedRuns

MODELS = [AssetKey(["silver", "events"]), AssetKey(["gold", "dim_users"])]


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as instance:
        yield instance


class Clock:
    def __init__(self, text: str) -> None:
        self.now = datetime.fromisoformat(text).replace(tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Ticks:
    """A sensor that is evaluated tick by tick, with the cursor that it leaves behind."""

    def __init__(self, sensor: SensorDefinition, instance: DagsterInstance) -> None:
        self._sensor = sensor
        self._instance = instance
        self._cursor: str | None = None

    def evaluate(self) -> list[RunRequest]:
        context = build_sensor_context(instance=self._instance, cursor=self._cursor)
        result = self._sensor(context)
        self._cursor = result.cursor
        return list(result.run_requests or [])


def _range(request: RunRequest) -> HourRange:
    return HourRange(
        hour_of_partition(request.tags[RANGE_START]), hour_of_partition(request.tags[RANGE_END])
    )


def _asked(requests: list[RunRequest]) -> list[tuple[str, str]]:
    return [(str(_range(request)), request.tags[REASON]) for request in requests]


def _settings(**changes: object) -> Settings:
    return Settings(amplitude_start_hour=parse_hour("2026-09-01T00"), **changes)


def test_two_weeks_with_an_outage_a_late_hour_a_bad_hour_and_a_second_delivery(
    instance: DagsterInstance,
) -> None:
    """What is asked for, hour by hour, is exactly what must be."""
    clock = Clock("2026-09-08T03:05")
    ticks = Ticks(new_hours_sensor(_settings(), export_hours(_settings()), clock), instance)
    runs = SimulatedRuns(instance)
    bad, late = parse_hour("2026-09-09T10"), parse_hour("2026-09-09T20")
    down = HourRange(parse_hour("2026-09-11T00"), parse_hour("2026-09-11T11"))
    delivered_again = parse_hour("2026-09-08T05")

    def has(hour: datetime) -> bool:
        ready_at = late + 9 * HOUR if hour == late else hour
        return hour != bad and clock.now >= ready_at and clock.now not in down_times

    down_times = _Between(down.first, down.last + HOUR)
    log: dict[str, list[tuple[str, str]]] = {}
    while clock.now < datetime(2026, 9, 18, tzinfo=UTC):
        requests = ticks.evaluate()
        if requests:
            log[f"{clock.now:%d-%H}"] = _asked(requests)
        for request in requests:
            hours = list(_range(request))
            run = runs.begin_range(request.tags)
            for hour in filter(has, hours):
                runs.load(run, hour)
            runs.end(run, failed=not all(map(has, hours)))
        if clock.now.day == 10 and clock.now.hour == 6:
            run = runs.begin_hours([delivered_again])
            runs.load(run, delivered_again)
            runs.end(run)
        clock.now += HOUR

    assert log.pop("08-03") == [("2026-09-01T01 to 2026-09-08T00", "new")]
    new = [
        (tick, asked) for tick, requests in log.items() for asked, why in requests if why == "new"
    ]
    assert new == [
        (f"{hour + 3 * HOUR:%d-%H}", str(HourRange(hour, hour)))
        for hour in HourRange(parse_hour("2026-09-08T01"), parse_hour("2026-09-17T20"))
    ]
    again = [
        (tick, asked)
        for tick, requests in log.items()
        for asked, why in requests
        if why == "failed_before" and asked != str(HourRange(bad, bad))
    ]
    assert again[:4] == [
        # asked for at 23, seen to be over at 00, and then after 15, 30 and 60 minutes
        ("10-01", "2026-09-09T20"),
        ("10-03", "2026-09-09T20"),
        ("10-05", "2026-09-09T20"),
        ("11-02", "2026-09-10T21"),
    ]
    heals = {
        hour for tick, asked in again if "11-12" <= tick <= "11-18" for hour in _hours_of(asked)
    }
    assert set(HourRange(parse_hour("2026-09-10T21"), parse_hour("2026-09-11T08"))) <= heals
    tries = [t for t, rs in log.items() for asked, _ in rs if asked == str(HourRange(bad, bad))]
    assert tries[0] == "09-13"
    assert all(sum(tick.startswith(f"{day}-") for tick in tries) <= 6 for day in range(11, 17))
    assert tries[-1] <= "16-13"  # seven days after it was first asked for
    assert not any("gap" in dict(map(reversed, requests)) for requests in log.values())


def test_hours_under_way_are_left_alone_and_a_canceled_run_is_made_up_for(
    instance: DagsterInstance,
) -> None:
    clock = Clock("2026-09-10T03:05")
    ticks = Ticks(new_hours_sensor(_settings(), export_hours(_settings()), clock), instance)
    runs = SimulatedRuns(instance)
    backfill = runs.begin_hours(HourRange(parse_hour("2026-09-01T00"), parse_hour("2026-09-09T20")))
    assert _asked(ticks.evaluate()) == [("2026-09-09T21 to 2026-09-10T00", "new")]
    for hour in HourRange(parse_hour("2026-09-01T00"), parse_hour("2026-09-09T20")):
        runs.load(backfill, hour)
    runs.end(backfill)
    run = runs.begin_hours(HourRange(parse_hour("2026-09-09T21"), parse_hour("2026-09-10T00")))
    assert ticks.evaluate() == []
    runs.end(run, canceled=True)
    asked = []
    for _ in range(4):
        asked += _asked(ticks.evaluate())
        clock.now += timedelta(minutes=10)
    assert asked == [("2026-09-09T21 to 2026-09-10T00", "failed_before")]


def test_a_gap_made_by_hand_is_asked_for(instance: DagsterInstance) -> None:
    clock = Clock("2026-09-10T03:05")
    ticks = Ticks(new_hours_sensor(_settings(), export_hours(_settings()), clock), instance)
    runs = SimulatedRuns(instance)
    gap = parse_hour("2026-09-09T05")
    run = runs.begin_hours([])
    for hour in HourRange(parse_hour("2026-09-03T01"), parse_hour("2026-09-10T00")):
        if hour != gap:
            runs.load(run, hour)
    runs.end(run)
    assert _asked(ticks.evaluate()) == [("2026-09-09T05", "gap")]


@pytest.mark.parametrize("check", CHECKS_THAT_TELL, ids=lambda check: check.name)
def test_an_hour_that_the_tables_have_lost_is_asked_for_and_not_in_a_storm(
    instance: DagsterInstance, check: AssetCheckKey
) -> None:
    clock = Clock("2026-09-10T03:05")
    ticks = Ticks(new_hours_sensor(_settings(), export_hours(_settings()), clock), instance)
    runs = SimulatedRuns(instance)
    gone = parse_hour("2026-09-09T05")
    whole = HourRange(parse_hour("2026-09-03T01"), parse_hour("2026-09-10T00"))
    run = runs.begin_hours([])
    for hour in whole:
        runs.load(run, hour)
    runs.check(check, [gone])
    assert ticks.evaluate() == [], "a load is under way, and its checks are not over"
    runs.end(run)
    asked = 0
    for _ in range(54):  # most of an hour in which loading it again does not help
        requests = ticks.evaluate()
        for request in requests:
            assert _range(request) == HourRange(gone, gone)
            again = runs.begin_range(request.tags)
            runs.load(again, gone)
            assert ticks.evaluate() == []
            runs.check(check, [gone])
            runs.end(again)
        asked += len(requests)
        clock.now += timedelta(minutes=1)
    assert 2 <= asked <= 4
    runs.check(check, [])
    assert [ticks.evaluate() for _ in range(3)] == [[], [], []]


def test_a_fresh_instance_asks_for_the_look_back_only(instance: DagsterInstance) -> None:
    clock = Clock("2026-11-10T03:05")
    settings = _settings(lookback_days=2, run_hours=24)
    ticks = Ticks(new_hours_sensor(settings, export_hours(settings), clock), instance)
    assert _asked(ticks.evaluate()) == [
        ("2026-11-09T01 to 2026-11-10T00", "new"),
        ("2026-11-08T01 to 2026-11-09T00", "new"),
    ]


def test_before_the_first_hour_there_is_nothing_to_ask_for(instance: DagsterInstance) -> None:
    clock = Clock("2026-09-01T02:59")
    ticks = Ticks(new_hours_sensor(_settings(), export_hours(_settings()), clock), instance)
    assert ticks.evaluate() == []


def test_the_models_follow_new_old_and_second_deliveries_once_each(
    instance: DagsterInstance,
) -> None:
    clock = Clock("2026-09-10T03:05")
    ticks = Ticks(models_follow_bronze_sensor(_settings(), MODELS, clock), instance)
    runs = SimulatedRuns(instance)

    def bring(*hours: str, changed: bool = True) -> int:
        run = runs.begin_hours([parse_hour(hour) for hour in hours])
        waiting = len(ticks.evaluate())
        for hour in hours:
            runs.load(run, parse_hour(hour), changed=changed)
        runs.end(run)
        return waiting + len(ticks.evaluate())

    def build() -> None:
        run = runs.begin_models(MODELS)
        assert ticks.evaluate() == [], "a second build was asked for beside the first"
        runs.build(run, MODELS)
        runs.end(run)
        assert ticks.evaluate() == []

    assert ticks.evaluate() == [], "there is nothing to build from"
    for hours in (["2026-09-09T20", "2026-09-09T21"], ["2026-01-05T03"], ["2026-09-09T20"]):
        assert bring(*hours) == 1
        build()
    assert bring("2026-09-09T20", changed=False) == 0


def test_the_models_wait_for_a_backfill_between_its_runs(instance: DagsterInstance) -> None:
    clock = Clock("2026-09-10T03:05")
    ticks = Ticks(models_follow_bronze_sensor(_settings(), MODELS, clock), instance)
    runs = SimulatedRuns(instance)
    backfill = runs.begin_backfill()
    for hour in HourRange(parse_hour("2026-01-05T03"), parse_hour("2026-01-05T05")):
        run = runs.begin_hours([hour])
        runs.load(run, hour)
        runs.end(run)
        assert ticks.evaluate() == []
    runs.end_backfill(backfill)
    assert len(ticks.evaluate()) == 1


def test_a_build_that_left_a_model_behind_is_not_taken_for_whole(
    instance: DagsterInstance,
) -> None:
    clock = Clock("2026-09-10T03:05")
    ticks = Ticks(models_follow_bronze_sensor(_settings(), MODELS, clock), instance)
    runs = SimulatedRuns(instance)
    load = runs.begin_hours([])
    runs.load(load, parse_hour("2026-09-09T20"))
    runs.end(load)
    assert len(ticks.evaluate()) == 1
    build = runs.begin_models(MODELS)
    runs.build(build, MODELS[:1])
    runs.end(build, failed=True)
    assert ticks.evaluate() == [], "it is tried again after a wait"
    clock.now += timedelta(minutes=25)
    assert len(ticks.evaluate()) == 1


class _Between:
    def __init__(self, first: datetime, last: datetime) -> None:
        self._first, self._last = first, last

    def __contains__(self, moment: datetime) -> bool:
        return self._first <= moment < self._last


def _hours_of(text: str) -> HourRange:
    first, _, last = text.partition(" to ")
    return HourRange(parse_hour(first), parse_hour(last or first))
