"""The users' activity by hour of the week, and the rate at which new users join.

Times are in hours since 1970-01-01T00 UTC.
"""

from math import floor

import numpy as np

from amplitude_assets.emulator.world.noise import F64, I64, U64, Mask, uniform
from amplitude_assets.emulator.world.places import PLACES

HOURS_A_WEEK = 168
_MONDAY = 72  # 1970-01-01 was a Thursday: three days after a Monday

# The relative activity in each hour of a user's local day, from midnight.
_WEEKDAY = (
    0.34, 0.24, 0.19, 0.17, 0.18, 0.24, 0.40, 0.60, 0.75, 0.82, 0.85, 0.88,
    0.95, 0.90, 0.84, 0.83, 0.84, 0.88, 0.92, 0.97, 1.00, 0.95, 0.78, 0.54,
)  # fmt: skip
_WEEKEND = (
    0.44, 0.36, 0.27, 0.21, 0.18, 0.19, 0.25, 0.36, 0.52, 0.68, 0.80, 0.84,
    0.86, 0.84, 0.80, 0.78, 0.76, 0.77, 0.80, 0.84, 0.84, 0.78, 0.66, 0.50,
)  # fmt: skip
_LOCAL_WEEK = _WEEKDAY * 5 + _WEEKEND * 2


def hour_of_week(hours: I64) -> I64:
    """Return the hours since Monday 00:00 UTC, 0 to 167."""
    return (hours + _MONDAY) % HOURS_A_WEEK


class Rhythm:
    """The activity of a week by place, and the number of people who have joined by any time.

    `joins_per_hour` is the mean over a week. The tables are summed in plain Python because numpy's
    order of addition depends on the processor.
    """

    def __init__(self, joins_per_hour: float) -> None:
        self.joins_per_hour = joins_per_hour
        busy = [
            [place.share * _at_local_time(how, place.utc_offset) for place in PLACES]
            for how in range(HOURS_A_WEEK)
        ]
        totals = [sum(row) for row in busy]
        mean = sum(totals) / HOURS_A_WEEK
        self.weight: F64 = np.array([total / mean for total in totals])
        self._before: F64 = np.array(_running([total / mean for total in totals]))
        # The cumulative shares of the places, for all hours in one array: hour 5's are in [5, 6].
        self._place_edges: F64 = np.array(
            [
                how + edge
                for how, row in enumerate(busy)
                for edge in _running([share / totals[how] for share in row])[1:]
            ]
        )
        self._awake: F64 = np.array(
            [
                [_at_local_time(how, place.utc_offset) for place in PLACES]
                for how in range(HOURS_A_WEEK)
            ]
        )
        self._is_weekend = np.array(
            [
                [_local_hour(how, place.utc_offset) >= 5 * 24 for place in PLACES]
                for how in range(HOURS_A_WEEK)
            ]
        )

    def joined_before(self, moments: F64) -> F64:
        """Return how many people have joined before each time (in hours), as a real number."""
        since = moments + _MONDAY
        weeks = np.floor(since / HOURS_A_WEEK)
        within = since - weeks * HOURS_A_WEEK
        hour = within.astype(np.int64)
        partial = self._before[hour] + self.weight[hour % HOURS_A_WEEK] * (within - hour)
        before: F64 = self.joins_per_hour * (weeks * HOURS_A_WEEK + partial)
        return before

    def first_person(self, hours: I64) -> I64:
        """Return the number of the first person to join in or after each hour."""
        return np.ceil(self.joined_before(hours.astype(np.float64)) - 0.5).astype(np.int64)

    def join_hour(self, people: I64) -> I64:
        """Return the hour in which each person joined: the inverse of `first_person`."""
        counted = (people + 0.5) / self.joins_per_hour
        weeks = np.floor(counted / HOURS_A_WEEK)
        within = counted - weeks * HOURS_A_WEEK
        hour = np.searchsorted(self._before[1:-1], within, side="right").astype(np.int64)
        joined: I64 = weeks.astype(np.int64) * HOURS_A_WEEK + hour - _MONDAY
        return joined

    def place(self, keys: U64, join_hours: I64) -> I64:
        """Return each person's place, more likely one where it was daytime when they joined."""
        how = hour_of_week(join_hours)
        at = np.searchsorted(self._place_edges, how + uniform(keys, "place"), side="right")
        places: I64 = np.clip(at - how * len(PLACES), 0, len(PLACES) - 1)
        return places

    def awake(self, places: I64, hours: I64) -> F64:
        """Return the probability that people at these places are active in these hours."""
        awake: F64 = self._awake[hour_of_week(hours), places]
        return awake

    def is_weekend(self, places: I64, hours: I64) -> Mask:
        """Return whether it is Saturday or Sunday at these places in these hours."""
        weekend: Mask = self._is_weekend[hour_of_week(hours), places]
        return weekend


def _local_hour(how: int, utc_offset: float) -> int:
    """Return the hour of the local week that contains the middle of an hour of the UTC week."""
    return floor(how + 0.5 + utc_offset) % HOURS_A_WEEK


def _at_local_time(how: int, utc_offset: float) -> float:
    return _LOCAL_WEEK[_local_hour(how, utc_offset)]


def _running(values: list[float]) -> list[float]:
    sums = [0.0]
    for value in values:
        sums.append(sums[-1] + value)
    return sums
