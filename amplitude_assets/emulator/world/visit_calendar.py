"""Find the visits whose events are uploaded in an hour.

The export groups events by the hour of upload, so visits are found by the hour in which they are
delivered. Most visits are delivered as they happen (prompt). Some are delivered all at once, hours,
days or weeks after their start (late). Some late visits are delivered a second time, because the
first response was lost (resent).
"""

from dataclasses import fields

import numpy as np

from amplitude_assets.emulator.world.noise import F64, I64, U64, Mask, bits, joined, picked, uniform
from amplitude_assets.emulator.world.people import (
    NEVER,
    SECOND_DEVICE_DAYS,
    SIGN_UP_DAYS,
    People,
    Population,
    second_device_day,
    sign_up_day,
)
from amplitude_assets.emulator.world.rhythm import Rhythm, hour_of_week
from amplitude_assets.emulator.world.scripts import Scripts
from amplitude_assets.emulator.world.visits import (
    DAY_HOURS,
    HOUR_MS,
    ScheduledVisits,
    Visits,
    longest_delay,
    visits_from,
)

# A prompt visit begins at most this many hours before the hour of its last upload: three hours of
# visit, half an hour until the end of the session is sent, and one more hour for copies that are
# sent an hour later.
PROMPT_REACH = 5

# Candidate visits for each person who joins; loyalty and time of day decide which of them happen.
_RETURNS = 55.0
_OLDEST_DAYS = 365

_MILESTONE_LAGS = (0, 6, 26, 170, 480)
_MILESTONE_LAG_SHARES = [965.0, 20.0, 9.0, 4.0, 2.0]

# Hours after which a late visit is delivered again: within Amplitude's deduplication window of
# seven days, or after it, when the copies count as new events.
_RESENT_AFTER = (NEVER, 1, 30, 100, 200)
_RESENT_SHARES = [92.0, 2.6, 2.6, 2.0, 0.8]


def _shares_by_lag() -> tuple[I64, F64]:
    """Return the lags in hours, from 4 hours to 42 days, and the share of visits of each."""
    lags = list(range(4, 1009))
    shares = [_late_share(lag) for lag in lags]
    return np.array(lags, dtype=np.int64), np.array(shares)


def _late_share(lag: int) -> float:
    if lag < 24:
        return 0.020 / lag  # a night or a flight: nearly four percent in total
    if lag < 168:
        return 0.002 / 144
    return 0.001 / 840


class Calendar:
    """The visits of one shard, by the hour in which their events are uploaded."""

    def __init__(
        self, shard_key: U64, population: Population, rhythm: Rhythm, scripts: Scripts
    ) -> None:
        self._key = joined(shard_key, 1)
        self._population = population
        self._rhythm = rhythm
        self._scripts = scripts
        self._candidates = rhythm.joins_per_hour * _RETURNS
        self._ages = _age_table()
        self._late_lags, self._late_shares = _shares_by_lag()

    def delivering(self, hour: int) -> tuple[Visits, People]:
        """Return the visits that may deliver events in an hour (hours since 1970), with people."""
        found = _concatenated([self._milestones(hour), self._returns(hour)])
        found = found.take(_once_each(found))
        people = self._population.people(found.person)
        visits = visits_from(found, people, hour, self._scripts)
        reach = visits.start_ms + longest_delay(self._scripts, visits)
        matters = (visits.delivered_ms >= 0) | (reach >= hour * HOUR_MS) | visits.resent_next_hour
        kept = np.flatnonzero(matters)
        return visits.take(kept), people.take(kept)

    def _milestones(self, hour: int) -> ScheduledVisits:
        """Return first visits, sign-ups, and first visits on a second device."""
        starts, lags, days = (
            np.array(column, dtype=np.int64)
            for column in zip(
                *(
                    (hour - back, lag, day)
                    for lag in _MILESTONE_LAGS
                    for back in (range(PROMPT_REACH + 1) if lag == 0 else (lag,))
                    for day in (*SIGN_UP_DAYS[1:], *SECOND_DEVICE_DAYS[1:])
                ),
                strict=True,
            )
        )
        first = self._rhythm.first_person(starts - days * DAY_HOURS)
        beyond = self._rhythm.first_person(starts - days * DAY_HOURS + 1)
        cell, nth = _spread(beyond - first)
        person, day = first[cell] + nth, days[cell]
        key = self._population.keys(person)
        signs = sign_up_day(key)
        is_due = (day == 0) | (day == signs) | ((day == second_device_day(key)) & (signs != NEVER))
        visit = joined(bits(key, "milestone"), day)
        lag_at = picked(visit, "lag", _MILESTONE_LAG_SHARES)
        is_due &= np.array(_MILESTONE_LAGS)[lag_at] == lags[cell]
        nothing = np.full(len(person), NEVER, dtype=np.int64)
        return ScheduledVisits(visit, person, starts[cell], lags[cell], nothing, day).take(is_due)

    def _returns(self, hour: int) -> ScheduledVisits:
        """Return visits of returning people, fewer the longer ago they joined."""
        starts, lags, resent, shares = self._cells(hour)
        weight = self._rhythm.weight[hour_of_week(starts)]
        cell_key = joined(joined(np.broadcast_to(self._key, starts.shape), starts), lags)
        expected = self._candidates * shares * weight
        cell, nth = _spread((expected + uniform(cell_key, "rounding")).astype(np.int64))
        key = joined(cell_key[cell], nth)
        start = starts[cell]
        is_this_delivery = np.full(len(key), True)
        again = np.flatnonzero(resent[cell] != NEVER)
        is_this_delivery[again] = _resent_after(key[again]) == resent[cell][again]
        found = ScheduledVisits(
            key,
            self._returning(key, start),
            start,
            lags[cell],
            resent[cell],
            np.full_like(start, NEVER),
        ).take(is_this_delivery)
        return found.take(self._happening(found))

    def _cells(self, hour: int) -> tuple[I64, I64, I64, F64]:
        """Return the deliveries of this hour: start hours, lags, hours until resent, shares."""
        prompt = hour - np.arange(PROMPT_REACH + 1)
        starts = [prompt]
        lags = [np.zeros_like(prompt)]
        resent = [np.full_like(prompt, NEVER)]
        shares = [np.ones(len(prompt))]
        for after in _RESENT_AFTER:
            starts.append(hour - self._late_lags - max(after, 0))
            lags.append(self._late_lags)
            resent.append(np.full_like(self._late_lags, after))
            shares.append(self._late_shares)
        return (
            np.concatenate(starts),
            np.concatenate(lags),
            np.concatenate(resent),
            np.concatenate(shares),
        )

    def _returning(self, key: U64, start: I64) -> I64:
        """Return the person of each visit, who joined days before at about the same time of day."""
        age = self._ages[(uniform(key, "age") * len(self._ages)).astype(np.int64)]
        earlier = (uniform(key, "earlier") + uniform(key, "later") - 1) * 5
        moment = start + uniform(key, "moment") - age * DAY_HOURS - earlier
        return np.floor(self._rhythm.joined_before(moment)).astype(np.int64)

    def _happening(self, found: ScheduledVisits) -> Mask:
        """Return which candidate visits happen, by loyalty, time of day and, for work, weekday."""
        people = self._population.people(found.person)
        likely = people.loyalty * self._rhythm.awake(people.place, found.start_hour)
        off_work = people.is_business & self._rhythm.is_weekend(people.place, found.start_hour)
        likely = np.where(off_work, likely * 0.2, likely)
        comes: Mask = uniform(found.key, "comes") < likely
        return comes


def _resent_after(key: U64) -> I64:
    chosen: I64 = np.array(_RESENT_AFTER, dtype=np.int64)[picked(key, "resent", _RESENT_SHARES)]
    return chosen


def _age_table() -> F64:
    """Return equally likely ages of returning people in days, with density days**-0.7."""
    weights = [1.0 / day**0.7 for day in range(1, _OLDEST_DAYS + 1)]
    total = sum(weights)
    ages: list[float] = []
    expected_count = 0.0
    for day, weight in enumerate(weights, start=1):
        expected_count += weight / total * 4096
        ages += [float(day)] * (int(expected_count) - len(ages))
    return np.array(ages)


def _spread(counts: I64) -> tuple[I64, I64]:
    """Return the cell of each item and its index in the cell, for cells with `counts` items."""
    cell = np.repeat(np.arange(len(counts)), counts)
    first = np.cumsum(counts) - counts
    return cell, np.arange(len(cell)) - first[cell]


def _concatenated(parts: list[ScheduledVisits]) -> ScheduledVisits:
    return ScheduledVisits(
        **{
            f.name: np.concatenate([getattr(p, f.name) for p in parts])
            for f in fields(ScheduledVisits)
        }
    )


def _once_each(found: ScheduledVisits) -> I64:
    """Return the positions of visits, in order, with one prompt visit for each person and hour."""
    prompt = np.flatnonzero(found.lag == 0)
    hour_of_person = found.person[prompt] * (PROMPT_REACH + 1) + (
        found.start_hour[prompt] % (PROMPT_REACH + 1)
    )
    _, first = np.unique(hour_of_person, return_index=True)
    return np.sort(np.concatenate([prompt[first], np.flatnonzero(found.lag > 0)]))
