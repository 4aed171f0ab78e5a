"""The waits after failures grow up to a limit and end at the same times."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from amplitude_assets.automation.backoff import LONGEST, SHORTEST, again_at

_MOMENTS = st.datetimes(
    min_value=datetime(2026, 1, 1), max_value=datetime(2027, 1, 1), timezones=st.just(UTC)
)


@given(_MOMENTS, st.integers(min_value=1, max_value=1000))
def test_a_wait_is_a_half_to_one_and_a_half_of_its_length(failed_at: datetime, times: int) -> None:
    wait = min(SHORTEST * 2 ** min(times - 1, 20), LONGEST)
    assert wait / 2 <= again_at(failed_at, times) - failed_at < wait * 3 / 2


def test_the_waits_end_at_round_times() -> None:
    failed_at = datetime(2026, 9, 1, 9, 3, tzinfo=UTC)
    ends = [again_at(failed_at, times).strftime("%H:%M") for times in range(1, 8)]
    assert ends == ["09:15", "09:30", "10:00", "12:00", "12:00", "12:00", "12:00"]


def test_permanent_failures_are_retried_six_times_a_day_at_the_same_times() -> None:
    for first in (timedelta(), timedelta(hours=1, minutes=7)):
        moment, tries = datetime(2026, 9, 1, tzinfo=UTC) + first, []
        for times in range(1, 100):
            moment = again_at(moment, times) + timedelta(minutes=3)
            tries.append(moment)
        on_day = {day: [t for t in tries if t.day == day] for day in range(1, 10)}
        assert len(on_day[1]) <= 10
        assert {len(on_day[day]) for day in range(3, 9)} == {6}
        assert {t.strftime("%H:%M") for t in on_day[4]} == {
            f"{hour:02}:03" for hour in range(0, 24, 4)
        }
