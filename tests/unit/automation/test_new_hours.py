"""The hours that are requested over weeks of simulated time, in steps of 15 minutes."""

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from amplitude_assets.automation.new_hours import (
    Attempts,
    HourState,
    Memory,
    forget_old,
    plan,
)
from amplitude_assets.automation.requests import Reason
from amplitude_assets.hours import HOUR, HourRange, last_exportable_hour, parse_hour

TICK = timedelta(minutes=15)
LOOKBACK = timedelta(days=7)
START = parse_hour("2026-09-01T00")
RUN_HOURS = 168


class SimulatedWeeks:
    """A pipeline whose runs take one tick; `is_available` returns whether Amplitude has an hour."""

    def __init__(
        self,
        is_available: Callable[[datetime, datetime], bool] = lambda hour, now: True,
        done_until: datetime = START,
    ) -> None:
        self._is_available = is_available
        self.done = set(HourRange(START, done_until))
        self._failed: set[datetime] = set()
        self._running: dict[datetime, datetime] = {}
        self._cursor = Memory().model_dump_json()
        self.requests: list[tuple[datetime, HourRange, Reason]] = []

    def run(self, first: datetime, last: datetime) -> None:
        """Advance the time from `first` to `last`, both included."""
        now = first
        while now <= last:
            self._end_runs(now)
            self._tick(now)
            now += TICK

    def _end_runs(self, now: datetime) -> None:
        for hour, began in list(self._running.items()):
            if now > began:
                target = self.done if self._is_available(hour, now) else self._failed
                target.add(hour)
                del self._running[hour]

    def _tick(self, now: datetime) -> None:
        newest = last_exportable_hour(now, 2)
        newest_done = max(self.done)
        first = min(newest + HOUR - LOOKBACK, newest_done + HOUR)
        window = HourRange(max(START, first), newest)
        attempts = forget_old(
            Memory.model_validate_json(self._cursor).by_hour(), window, now, LOOKBACK
        )
        states = {hour: self._state(hour) for hour in sorted({*window, *attempts})}
        decided = plan(states, attempts, now, RUN_HOURS)
        self._cursor = Memory.of(decided.attempts).model_dump_json()
        for hours, reason in decided.requests:
            assert not set(hours) & set(self._running), "requested twice at the same time"
            self.requests.append((now, hours, reason))
            self._failed -= set(hours)
            self._running |= dict.fromkeys(hours, now)

    def _state(self, hour: datetime) -> HourState:
        if hour in self._running:
            return HourState.UNDER_WAY
        if hour in self.done:
            return HourState.DONE
        return HourState.FAILED if hour in self._failed else HourState.MISSING

    def request_times(self, hour: datetime) -> list[datetime]:
        return [now for now, hours, _ in self.requests if hour in hours]

    def runs_by_day(self) -> Counter[str]:
        return Counter(now.strftime("%m-%d") for now, _, _ in self.requests)


def test_each_hour_is_requested_once_as_soon_as_it_is_exportable() -> None:
    weeks = SimulatedWeeks(done_until=parse_hour("2026-09-08T23"))
    weeks.run(_at("2026-09-09T02:15"), _at("2026-09-30T02:00"))
    assert weeks.requests == [
        (hour + 3 * HOUR, HourRange(hour, hour), Reason.NEW)
        for hour in HourRange(parse_hour("2026-09-09T00"), parse_hour("2026-09-29T23"))
    ]


def test_a_late_hour_is_retried_until_it_is_loaded_and_delays_no_other() -> None:
    late = parse_hour("2026-09-10T12")
    weeks = SimulatedWeeks(
        lambda hour, now: hour != late or now >= late + 8 * HOUR,
        done_until=parse_hour("2026-09-08T23"),
    )
    weeks.run(_at("2026-09-09T02:15"), _at("2026-09-12T02:00"))
    assert [f"{now - late}" for now in weeks.request_times(late)] == [
        "3:00:00", "3:30:00", "4:00:00", "5:00:00", "8:00:00",
    ]  # fmt: skip
    assert late in weeks.done
    assert all(len(hours) == 1 for _, hours, _ in weeks.requests)


def test_a_permanently_failing_hour_costs_a_bounded_number_of_runs() -> None:
    bad = parse_hour("2026-09-10T12")
    weeks = SimulatedWeeks(lambda hour, now: hour != bad, done_until=parse_hour("2026-09-08T23"))
    weeks.run(_at("2026-09-09T02:15"), _at("2026-09-25T00:00"))
    requested = Counter(now.strftime("%m-%d") for now in weeks.request_times(bad))
    assert requested["09-10"] <= 10
    assert {requested[f"09-{day}"] for day in range(12, 17)} == {6}
    assert max(weeks.request_times(bad)) <= bad + LOOKBACK + 4 * HOUR
    assert all(hours == HourRange(bad, bad) for _, hours, _ in weeks.requests if bad in hours)
    assert set(HourRange(START, parse_hour("2026-09-24T20"))) - weeks.done == {bad}


def test_an_outage_of_days_costs_few_runs_and_all_hours_are_loaded_after_it() -> None:
    down, up = _at("2026-09-10T00:00"), _at("2026-09-19T00:00")
    weeks = SimulatedWeeks(
        lambda hour, now: not down <= now < up, done_until=parse_hour("2026-09-08T23")
    )
    weeks.run(_at("2026-09-09T02:15"), _at("2026-09-20T00:00"))
    # 24 new hours a day, each retried four times before it joins the others every four hours.
    assert max(weeks.runs_by_day().values()) <= 24 * 5 + 6
    loaded = {hour for hour in HourRange(START, parse_hour("2026-09-19T02")) if hour in weeks.done}
    assert loaded == set(HourRange(START, parse_hour("2026-09-19T02")))
    late_requests = [
        now for now, hours, _ in weeks.requests if parse_hour("2026-09-10T00") in hours
    ]
    assert max(late_requests) <= up + 6 * HOUR


def test_after_any_downtime_loading_resumes_from_the_end_of_the_tables() -> None:
    weeks = SimulatedWeeks(done_until=parse_hour("2026-09-08T23"))
    weeks.run(_at("2026-10-09T02:15"), _at("2026-10-09T03:15"))  # a month later
    first_tick = [(hours, reason) for now, hours, reason in weeks.requests[:5]]
    assert first_tick == [
        (HourRange(parse_hour(first), parse_hour(last)), Reason.NEW)
        for first, last in (
            ("2026-10-07T00", "2026-10-08T23"),
            ("2026-09-30T00", "2026-10-06T23"),
            ("2026-09-23T00", "2026-09-29T23"),
            ("2026-09-16T00", "2026-09-22T23"),
            ("2026-09-09T00", "2026-09-15T23"),
        )
    ]
    assert [hours for _, hours, _ in weeks.requests[5:]] == [
        HourRange(parse_hour("2026-10-09T00"), parse_hour("2026-10-09T00"))
    ]
    assert set(HourRange(START, parse_hour("2026-10-08T23"))) <= weeks.done


def test_gaps_come_after_new_hours_and_hours_that_failed_come_last() -> None:
    now = _at("2026-09-10T12:00")
    h = {n: parse_hour(f"2026-09-10T{n:02}") for n in range(10)}
    states = dict.fromkeys(h.values(), HourState.DONE) | {
        h[1]: HourState.MISSING,
        h[2]: HourState.MISSING,
        h[4]: HourState.FAILED,
        h[5]: HourState.UNDER_WAY,
        h[6]: HourState.MISSING,
        h[8]: HourState.MISSING,
        h[9]: HourState.MISSING,
    }
    failed = {h[4]: Attempts(times=3, first_at=now - HOUR, again_at=now)}
    assert plan(states, failed, now, RUN_HOURS).requests == [
        (HourRange(h[8], h[9]), Reason.NEW),
        (HourRange(h[6], h[6]), Reason.GAP),
        (HourRange(h[1], h[2]), Reason.GAP),
        (HourRange(h[4], h[4]), Reason.FAILED_BEFORE),
    ]


def test_an_attempt_of_another_run_is_retried_after_the_wait() -> None:
    now = _at("2026-09-10T12:00")
    hour = parse_hour("2026-09-10T05")
    decided = plan({hour: HourState.FAILED}, {}, now, RUN_HOURS)
    assert decided.requests == []
    again = decided.attempts[hour].again_at
    assert again == now + timedelta(minutes=15)
    assert plan({hour: HourState.FAILED}, decided.attempts, again, RUN_HOURS).requests == [
        (HourRange(hour, hour), Reason.FAILED_BEFORE)
    ]


def test_the_cursor_of_many_hours_is_short_and_lossless() -> None:
    first_at = _at("2026-09-10T12:00")
    outage: dict[datetime, Attempts] = defaultdict(lambda: Attempts(times=5, first_at=first_at))
    for hour in HourRange(parse_hour("2026-01-01T00"), parse_hour("2026-08-31T23")):
        outage[hour]
    written = Memory.of(outage).model_dump_json()
    assert len(written) < 500
    assert Memory.model_validate_json(written).by_hour() == outage


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
