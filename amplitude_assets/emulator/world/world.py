"""Generate the events that the emulator serves, reproducibly, for any hour of any year.

An hour is generated in shards of a few thousand events, so that memory does not grow with traffic.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import NamedTuple

import numpy as np
from isal import igzip

from amplitude_assets.emulator.world.ads import ad_lines
from amplitude_assets.emulator.world.events import delayed, uploaded_in
from amplitude_assets.emulator.world.lines import LineWriter
from amplitude_assets.emulator.world.noise import U64, below, joined, mixed, uniform
from amplitude_assets.emulator.world.oddities import with_long_text
from amplitude_assets.emulator.world.people import Population
from amplitude_assets.emulator.world.rhythm import Rhythm
from amplitude_assets.emulator.world.scripts import Pool, Scripts, write_scripts
from amplitude_assets.emulator.world.visit_calendar import Calendar

PROJECT_ID = 100011

_EVENTS_A_SHARD = 5_000
# Measured: the total number of visits of each person who joins, and the share of each kind.
_VISITS_A_PERSON = 11.7
_POOL_SHARES = {
    Pool.BROWSE: 0.690,
    Pool.BUY: 0.121,
    Pool.SIGN_UP: 0.043,
    Pool.SIGN_IN: 0.013,
    Pool.WORK: 0.035,
    Pool.BACKGROUND: 0.048,
    Pool.SERVER: 0.050,
}

# The share of hours without uploads, and of hours with one very long line.
_QUIET_BY_NIGHT, _QUIET_BY_DAY = 0.035, 0.01
_LONG_TEXT_SHARE = 1 / 300


@dataclass(frozen=True)
class WorldSettings:
    """The parameters of a world.

    `events_per_hour` is the mean over a week; 0 gives an empty world. Raises ValueError when it is
    negative.
    """

    seed: int = 1
    events_per_hour: int = 1400
    project_id: int = PROJECT_ID

    def __post_init__(self) -> None:
        if self.events_per_hour < 0:
            raise ValueError(f"events_per_hour must not be negative: {self.events_per_hour}")


class Member(NamedTuple):
    """A file of the export: its name in the zip, and its gzip bytes."""

    name: str
    data: bytes


class World:
    """Every event of one project, by the hour in which Amplitude received it."""

    def __init__(self, settings: WorldSettings = WorldSettings()) -> None:
        self.settings = settings
        self._key = mixed(np.array([settings.seed % 2**64], dtype=np.uint64))
        self._scripts = write_scripts(settings.seed)
        self._writer = LineWriter(settings.project_id)
        self._shards = self._calendars(ceil(settings.events_per_hour / _EVENTS_A_SHARD))

    def _calendars(self, shards: int) -> list[Calendar]:
        """Return the visits of each shard; each person belongs to one shard."""
        if not shards:
            return []
        joins = self.settings.events_per_hour / shards / _events_a_person(self._scripts)
        rhythm = Rhythm(joins)
        keys = [joined(self._key, 1 + shard) for shard in range(shards)]
        return [
            Calendar(key, Population(key, shard, shards, rhythm), rhythm, self._scripts)
            for shard, key in enumerate(keys)
        ]

    def is_quiet(self, hour: datetime) -> bool:
        """Return whether an hour has no uploads; the next hour has its events.

        Raises the same errors as `members`.
        """
        return self._is_quiet(hour_number(hour))

    def members(self, hour: datetime) -> Iterator[Member]:
        """Yield the files of an hour (aware, UTC); none when it is empty.

        Raises ValueError for a naive time, or one that is not on the hour.
        """
        number = hour_number(hour)
        key = self._hour_key(number)
        part = 0
        for lines in self._batches(number):
            for chunk in _chunks(lines, key, part):
                # Part numbers have gaps and any start, as in real exports.
                part += 1 + int(below(joined(key, part), "part", 300)[0])
                yield Member(self._name(hour, part), _compressed(chunk, part))

    def lines(self, hour: datetime) -> Iterator[bytes]:
        """Yield the JSON lines of an hour's files, in order, without newlines.

        Raises the same errors as `members`.
        """
        for lines in self._batches(hour_number(hour)):
            yield from lines

    def _batches(self, hour: int) -> Iterator[list[bytes]]:
        """Yield the lines of an hour, shard by shard."""
        if self._is_quiet(hour):
            return
        hours = [hour]
        while self._is_quiet(hours[-1] - 1):
            hours.append(hours[-1] - 1)
        for shard, calendar in enumerate(self._shards):
            lines: list[bytes] = []
            for since in hours:
                visits, people = calendar.delivering(since)
                events = uploaded_in(since, visits, self._scripts)
                if since != hour:
                    events = delayed(events, since, hour)
                lines += self._writer.lines(events, visits, people)
                if shard == 0:
                    lines += ad_lines(self.settings.project_id, self._key, since, hour)
            if lines:
                if shard == 0 and self._has_long_text(hour):
                    lines[0] = with_long_text(lines[0])
                yield _shuffled(lines, joined(self._hour_key(hour), shard))

    def _is_quiet(self, hour: int) -> bool:
        chance = _QUIET_BY_NIGHT if hour % 24 < 6 else _QUIET_BY_DAY
        return bool(uniform(self._hour_key(hour), "quiet")[0] < chance)

    def _has_long_text(self, hour: int) -> bool:
        return bool(uniform(self._hour_key(hour), "long text")[0] < _LONG_TEXT_SHARE)

    def _hour_key(self, hour: int) -> U64:
        return joined(joined(self._key, 0), hour)

    def _name(self, hour: datetime, part: int) -> str:
        """Return a member's name; as in the Export API, the hour is not zero-padded."""
        app, hour = self.settings.project_id, hour.astimezone(UTC)
        return f"{app}/{app}_{hour:%Y-%m-%d}_{hour.hour}#{part}.json.gz"


def hour_number(hour: datetime) -> int:
    """Return the hours since 1970-01-01T00 UTC.

    Raises ValueError for a naive time, or one that is not on the hour.
    """
    if hour.tzinfo is None:
        raise ValueError(f"{hour} has no time zone")
    number, rest = divmod(hour.timestamp(), 3600)
    if rest:
        raise ValueError(f"{hour} is not on the hour")
    return int(number)


def _events_a_person(scripts: Scripts) -> float:
    """Return the mean of the total number of events of each person who joins."""
    return _VISITS_A_PERSON * sum(
        share * scripts.mean_count(pool) for pool, share in _POOL_SHARES.items()
    )


def _shuffled(lines: list[bytes], key: U64) -> list[bytes]:
    order = np.argsort(mixed(key ^ np.arange(len(lines), dtype=np.uint64)), kind="stable")
    return [lines[at] for at in order.tolist()]


def _chunks(lines: list[bytes], key: U64, part: int) -> Iterator[list[bytes]]:
    """Split the lines into one to three files."""
    count = min(1 + int(below(joined(key, part), "files", 3)[0]), len(lines))
    for nth in range(count):
        yield lines[len(lines) * nth // count : len(lines) * (nth + 1) // count]


def _compressed(lines: list[bytes], part: int) -> bytes:
    """Compress the lines; every fifth file is two concatenated gzip streams, as in real exports."""
    streams = [lines]
    if part % 5 == 0 and len(lines) > 1:
        streams = [lines[: len(lines) // 2], lines[len(lines) // 2 :]]
    return b"".join(
        igzip.compress(b"\n".join(stream) + b"\n", compresslevel=1, mtime=0) for stream in streams
    )
