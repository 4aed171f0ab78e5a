"""Which visits deliver events in an hour: who came, when, how, and when it was uploaded.

The export sorts events by the hour of upload, so a visit is found from the hour in which it is
delivered. Most visits deliver as they happen (prompt). Some are held back and delivered whole some
hours, days or weeks after they began (late); and some of those are sent again later still, because
the first answer was lost (resent).
"""

from dataclasses import fields

import numpy as np

from amplitude_assets.emulator.noise import F64, I64, U64, Mask, bits, joined, picked, uniform
from amplitude_assets.emulator.people import (
    NEVER,
    SECOND_DEVICE_DAYS,
    SIGN_UP_DAYS,
    People,
    Population,
    second_device_day,
    sign_up_day,
)
from amplitude_assets.emulator.rhythm import Rhythm, hour_of_week
from amplitude_assets.emulator.scripts import Scripts
from amplitude_assets.emulator.visits import DAY_HOURS, HOUR_MS, Found, Visits, detailed, longest

# A prompt visit begins at most this many hours before the hour of its last upload: three hours of
# visit, half an hour until the session's end is sent. One hour more for what is delivered again an
# hour later.
PROMPT_REACH = 5

# Visits to come for each person who joins, before the rhythm of the day thins them out.
_RETURNS = 55.0
_OLDEST_DAYS = 365

_MILESTONE_LAGS = (0, 6, 26, 170, 480)
_MILESTONE_LAG_SHARES = [965.0, 20.0, 9.0, 4.0, 2.0]

# After how many hours a late delivery is sent again: within the hour after, within Amplitude's
# seven days of deduplication, and (to be kept as events of their own) after them.
_RESENT_AFTER = (NEVER, 1, 30, 100, 200)
_RESENT_SHARES = [92.0, 2.6, 2.6, 2.0, 0.8]


def _shares_by_lag() -> tuple[I64, F64]:
    """Lags in hours (4 to 42 days) and the share of visits held back for each."""
    lags = list(range(4, 1009))
    shares = [_late_share(lag) for lag in lags]
    return np.array(lags, dtype=np.int64), np.array(shares)


def _late_share(lag: int) -> float:
    if lag < 24:
        return 0.020 / lag  # a night, a flight: nearly four in a hundred in all
    if lag < 168:
        return 0.002 / 144
    return 0.001 / 840


class Calendar:
    """The visits of one shard, found by the hour in which their events are uploaded."""

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
        """Every visit that may deliver events in an hour (hours since 1970), and its person."""
        found = _joined_up([self._milestones(hour), self._returns(hour)])
        found = found.take(_once_each(found))
        people = self._population.meet(found.person)
        visits = detailed(found, people, hour, self._scripts)
        reach = visits.start_ms + longest(self._scripts, visits)
        matters = (visits.delivered_ms >= 0) | (reach >= hour * HOUR_MS) | visits.resent_next_hour
        kept = np.flatnonzero(matters)
        return visits.take(kept), people.take(kept)

    def _milestones(self, hour: int) -> Found:
        """First visits, sign-ups, first visits on a second device: at most one each a person."""
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
        return Found(visit, person, starts[cell], lags[cell], nothing, day).take(is_due)

    def _returns(self, hour: int) -> Found:
        """Visits of people who have been here before, ever fewer the longer ago they joined."""
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
        found = Found(
            key,
            self._returning(key, start),
            start,
            lags[cell],
            resent[cell],
            np.full_like(start, NEVER),
        ).take(is_this_delivery)
        return found.take(self._comes(found))

    def _cells(self, hour: int) -> tuple[I64, I64, I64, F64]:
        """What delivers in this hour: hours of beginning, lags, hours until resent, shares."""
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
        """Who comes back: somebody who joined some days before, at about the same time of day."""
        age = self._ages[(uniform(key, "age") * len(self._ages)).astype(np.int64)]
        earlier = (uniform(key, "earlier") + uniform(key, "later") - 1) * 5
        moment = start + uniform(key, "moment") - age * DAY_HOURS - earlier
        return np.floor(self._rhythm.joined_before(moment)).astype(np.int64)

    def _comes(self, found: Found) -> Mask:
        """Whether those who might come back do: by loyalty, time of day and, at work, weekday."""
        people = self._population.meet(found.person)
        likely = people.loyalty * self._rhythm.awake(people.place, found.start_hour)
        off_work = people.is_business & self._rhythm.is_weekend(people.place, found.start_hour)
        likely = np.where(off_work, likely * 0.2, likely)
        comes: Mask = uniform(found.key, "comes") < likely
        return comes


def _resent_after(key: U64) -> I64:
    chosen: I64 = np.array(_RESENT_AFTER, dtype=np.int64)[picked(key, "resent", _RESENT_SHARES)]
    return chosen


def _age_table() -> F64:
    """Days since joining of those who come back, equally likely values: falling as days**-0.7."""
    weights = [1.0 / day**0.7 for day in range(1, _OLDEST_DAYS + 1)]
    total = sum(weights)
    ages: list[float] = []
    owed = 0.0
    for day, weight in enumerate(weights, start=1):
        owed += weight / total * 4096
        ages += [float(day)] * (int(owed) - len(ages))
    return np.array(ages)


def _spread(counts: I64) -> tuple[I64, I64]:
    """For cells that hold `counts` things each: every thing's cell and its number in there."""
    cell = np.repeat(np.arange(len(counts)), counts)
    first = np.cumsum(counts) - counts
    return cell, np.arange(len(cell)) - first[cell]


def _joined_up(parts: list[Found]) -> Found:
    return Found(
        **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Found)}
    )


def _once_each(found: Found) -> I64:
    """Positions of the visits, in order, without a person's second prompt one of an hour."""
    prompt = np.flatnonzero(found.lag == 0)
    hour_of_person = found.person[prompt] * (PROMPT_REACH + 1) + (
        found.start_hour[prompt] % (PROMPT_REACH + 1)
    )
    _, first = np.unique(hour_of_person, return_index=True)
    return np.sort(np.concatenate([prompt[first], np.flatnonzero(found.lag > 0)]))
