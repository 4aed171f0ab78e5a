"""The sensors over a real instance, with simulated runs in steps of an hour."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from dagster import (
    AssetCheckKey,
    AssetKey,
    AssetMaterialization,
    DagsterInstance,
    RunRequest,
    SensorDefinition,
    SensorResult,
    build_sensor_context,
)

from amplitude_assets.assets.gold_state import holds_until
from amplitude_assets.assets.keys import OVERVIEW_REPORT
from amplitude_assets.assets.partitions import export_hours
from amplitude_assets.automation.requests import REASON
from amplitude_assets.automation.sensors import (
    carry_on_sensor,
    models_follow_bronze_sensor,
    new_hours_sensor,
)
from amplitude_assets.checks.hours_to_reload import LOST_HOURS_CHECKS
from amplitude_assets.config import Settings
from amplitude_assets.hours import HOUR, HourRange, hour_of_partition, parse_hour
from amplitude_assets.instance.presence import PROCESS
from amplitude_assets.instance.steps import HOURS, RANGE_END, RANGE_START
from tests.support.simulated_runs import SimulatedRuns

pytestmark = pytest.mark.integration

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
    """A sensor that is evaluated tick by tick with its own cursor."""

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


def _summaries(requests: list[RunRequest]) -> list[tuple[str, str]]:
    return [(str(_range(request)), request.tags[REASON]) for request in requests]


def _settings(**changes: object) -> Settings:
    return Settings(amplitude_start_hour=parse_hour("2026-09-01T00"), **changes)


def test_two_weeks_with_an_outage_a_late_hour_a_bad_hour_and_a_second_delivery(
    instance: DagsterInstance,
) -> None:
    """The requests of each hour are exactly the expected ones."""
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
            log[f"{clock.now:%d-%H}"] = _summaries(requests)
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
        (tick, requested)
        for tick, requests in log.items()
        for requested, why in requests
        if why == "new"
    ]
    assert new == [
        (f"{hour + 3 * HOUR:%d-%H}", str(HourRange(hour, hour)))
        for hour in HourRange(parse_hour("2026-09-08T01"), parse_hour("2026-09-17T20"))
    ]
    again = [
        (tick, requested)
        for tick, requests in log.items()
        for requested, why in requests
        if why == "failed_before" and requested != str(HourRange(bad, bad))
    ]
    assert again[:4] == [
        # requested at 23, seen as ended at 00, then retried after 15, 30 and 60 minutes
        ("10-01", "2026-09-09T20"),
        ("10-03", "2026-09-09T20"),
        ("10-05", "2026-09-09T20"),
        ("11-02", "2026-09-10T21"),
    ]
    reloaded = {
        hour
        for tick, requested in again
        if "11-12" <= tick <= "11-18"
        for hour in _hours_of(requested)
    }
    assert set(HourRange(parse_hour("2026-09-10T21"), parse_hour("2026-09-11T08"))) <= reloaded
    tries = [
        t for t, rs in log.items() for requested, _ in rs if requested == str(HourRange(bad, bad))
    ]
    assert tries[0] == "09-13"
    assert all(sum(tick.startswith(f"{day}-") for tick in tries) <= 6 for day in range(11, 17))
    assert tries[-1] <= "16-13"  # seven days after the first request
    assert not any("gap" in dict(map(reversed, requests)) for requests in log.values())


def test_hours_of_active_runs_are_skipped_and_those_of_a_canceled_run_requested(
    instance: DagsterInstance,
) -> None:
    clock = Clock("2026-09-10T03:05")
    ticks = Ticks(new_hours_sensor(_settings(), export_hours(_settings()), clock), instance)
    runs = SimulatedRuns(instance)
    backfill = runs.begin_hours(HourRange(parse_hour("2026-09-01T00"), parse_hour("2026-09-09T20")))
    assert _summaries(ticks.evaluate()) == [("2026-09-09T21 to 2026-09-10T00", "new")]
    for hour in HourRange(parse_hour("2026-09-01T00"), parse_hour("2026-09-09T20")):
        runs.load(backfill, hour)
    runs.end(backfill)
    run = runs.begin_hours(HourRange(parse_hour("2026-09-09T21"), parse_hour("2026-09-10T00")))
    assert ticks.evaluate() == []
    runs.end(run, canceled=True)
    requested = []
    for _ in range(4):
        requested += _summaries(ticks.evaluate())
        clock.now += timedelta(minutes=10)
    assert requested == [("2026-09-09T21 to 2026-09-10T00", "failed_before")]


def test_a_gap_between_loaded_hours_is_requested(instance: DagsterInstance) -> None:
    clock = Clock("2026-09-10T03:05")
    ticks = Ticks(new_hours_sensor(_settings(), export_hours(_settings()), clock), instance)
    runs = SimulatedRuns(instance)
    gap = parse_hour("2026-09-09T05")
    run = runs.begin_hours([])
    for hour in HourRange(parse_hour("2026-09-03T01"), parse_hour("2026-09-10T00")):
        if hour != gap:
            runs.load(run, hour)
    runs.end(run)
    assert _summaries(ticks.evaluate()) == [("2026-09-09T05", "gap")]


@pytest.mark.parametrize("check", LOST_HOURS_CHECKS, ids=lambda check: check.name)
def test_a_lost_hour_is_requested_once_at_a_time(
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
    assert ticks.evaluate() == [], "a load is active, and its checks have not ended"
    runs.end(run)
    requested = 0
    for _ in range(54):  # for 54 minutes, reloading does not restore it
        requests = ticks.evaluate()
        for request in requests:
            assert _range(request) == HourRange(gone, gone)
            again = runs.begin_range(request.tags)
            runs.load(again, gone)
            assert ticks.evaluate() == []
            runs.check(check, [gone])
            runs.end(again)
        requested += len(requests)
        clock.now += timedelta(minutes=1)
    assert 2 <= requested <= 4
    runs.check(check, [])
    assert [ticks.evaluate() for _ in range(3)] == [[], [], []]


def test_a_fresh_instance_requests_the_look_back_only(instance: DagsterInstance) -> None:
    clock = Clock("2026-11-10T03:05")
    settings = _settings(lookback_days=2, run_hours=24)
    ticks = Ticks(new_hours_sensor(settings, export_hours(settings), clock), instance)
    assert _summaries(ticks.evaluate()) == [
        ("2026-11-09T01 to 2026-11-10T00", "new"),
        ("2026-11-08T01 to 2026-11-09T00", "new"),
    ]


def test_before_the_start_hour_nothing_is_requested(instance: DagsterInstance) -> None:
    clock = Clock("2026-09-01T02:59")
    ticks = Ticks(new_hours_sensor(_settings(), export_hours(_settings()), clock), instance)
    assert ticks.evaluate() == []


def test_the_models_follow_new_old_and_second_deliveries_once_each(
    instance: DagsterInstance,
) -> None:
    clock = Clock("2026-09-10T03:05")
    ticks = Ticks(models_follow_bronze_sensor(_settings(), MODELS, clock), instance)
    runs = SimulatedRuns(instance)

    def load_and_tick(*hours: str, changed: bool = True) -> int:
        run = runs.begin_hours([parse_hour(hour) for hour in hours])
        waiting = len(ticks.evaluate())
        for hour in hours:
            runs.load(run, parse_hour(hour), changed=changed)
        runs.end(run)
        return waiting + len(ticks.evaluate())

    def build() -> None:
        run = runs.begin_models(MODELS)
        assert ticks.evaluate() == [], "a second build was requested during the first"
        runs.build(run, MODELS)
        runs.end(run)
        assert ticks.evaluate() == []

    assert ticks.evaluate() == [], "nothing is loaded yet"
    for hours in (["2026-09-09T20", "2026-09-09T21"], ["2026-01-05T03"], ["2026-09-09T20"]):
        assert load_and_tick(*hours) == 1
        build()
    assert load_and_tick("2026-09-09T20", changed=False) == 0


def test_on_snowflake_the_models_follow_every_six_hours_and_the_tick_says_what_gold_holds(
    instance: DagsterInstance,
) -> None:
    clock = Clock("2026-09-10T03:05")
    settings = _settings().model_copy(update={"warehouse": "snowflake"})
    models = [*MODELS, OVERVIEW_REPORT]
    sensor = models_follow_bronze_sensor(settings, models, clock)
    runs = SimulatedRuns(instance)

    def bring(hour: str) -> None:
        run = runs.begin_hours([])
        runs.load(run, parse_hour(hour))
        runs.end(run)

    def tick(cursor: str | None) -> SensorResult:
        result = sensor(build_sensor_context(instance=instance, cursor=cursor))
        assert isinstance(result, SensorResult)
        return result

    bring("2026-09-09T20")
    first = tick(None)
    (request,) = first.run_requests or []
    assert request.tags[HOURS] == "2026-09-09T20"
    build = runs.begin_models(models)
    runs.build(build, models)
    instance.report_runless_asset_event(
        AssetMaterialization(
            OVERVIEW_REPORT, metadata=holds_until(parse_hour("2026-09-09T20") + HOUR)
        )
    )
    runs.end(build)
    clock.now = datetime.now(UTC)  # the build's own time is this machine's
    bring("2026-09-10T01")
    bring("2026-09-10T02")
    waiting = tick(first.cursor)
    assert waiting.run_requests == []
    assert waiting.skip_reason is not None
    assert str(waiting.skip_reason.skip_message).endswith(
        "MODELS_EVERY_HOURS delays the next build. "
        "Gold holds uploads until 9 September 2026, 21:00 UTC."
    )
    clock.now += timedelta(hours=6, minutes=1)
    (request,) = tick(waiting.cursor).run_requests or []
    assert request.tags[HOURS] == "2026-09-10T01 to 2026-09-10T02"


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


def test_a_build_without_one_of_the_models_is_not_complete(
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
    assert ticks.evaluate() == [], "it is retried only after a wait"
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


def test_carry_on_leaves_a_failed_run_of_a_command_to_the_command(
    instance: DagsterInstance,
) -> None:
    sensor = carry_on_sensor(_settings())
    first_tick = sensor.evaluate_tick(build_sensor_context(instance=instance))
    runs = SimulatedRuns(instance)
    run = runs.begin_hours([parse_hour("2026-09-08T05")], {PROCESS: "a-command"})
    runs.end(run, failed=True)
    context = build_sensor_context(instance=instance, cursor=first_tick.cursor)
    assert "continues it" in f"{sensor.evaluate_tick(context)}"
