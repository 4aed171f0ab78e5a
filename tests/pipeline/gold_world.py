"""A synthetic project for the tests of gold, and the loads that deliver it.

Two and a half months of about sixty people: late uploads, duplicates of every kind, merges that
arrive last, events dated in the future and in the year 1000, placeholder ids, refunds, event types
that do not count as activity, equal timestamps, lines that are not JSON, and hours that are
re-delivered with other contents.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from amplitude_assets.emulator import World, WorldSettings
from tests.oracle import Funnel, Merge

PROJECT_ID = 4711
NEIGHBOUR_ID = 4712
INACTIVE_EVENT_TYPES = frozenset({"Push Received", "Renewal Scheduled"})
FUNNELS = (
    Funnel("shop", ("Page Viewed", "Item Viewed", "Item Added", "Order Completed")),
    Funnel("again", ("Item Viewed", "Item Added", "Item Viewed"), timedelta(hours=48)),
    Funnel("quick", ("Item Viewed", "Page Viewed"), timedelta(hours=1)),
    Funnel("never", ("Moon Landed", "Page Viewed")),
    Funnel("back", ("Ping", "Pong", "Ping"), timedelta(hours=1)),
    Funnel("twice", ("Ping", "Ping"), timedelta(hours=1)),
    Funnel("rally", ("Ping", "Pong", "Ping", "Pong", "Ping"), timedelta(hours=1)),
)

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
FIRST_DAY = datetime(2026, 1, 28)
LAST_DAY = datetime(2026, 4, 12)
EMULATED_FROM = datetime(2026, 5, 20)
WRONG_YEARS = (1000, 1970, 2011, 2999)

_SHOPPING = ("Page Viewed", "Item Viewed", "Item Added", "Order Completed")
_EVENT_TYPES = (*_SHOPPING, "Page Viewed", "Page Viewed", "Search Performed", "Push Received")


@dataclass
class Load:
    """The changes between two dbt runs: hours loaded, hours removed, and merges."""

    hours: dict[datetime, list[bytes]] = field(default_factory=dict)
    forgotten: list[datetime] = field(default_factory=list)
    merges: list[Merge] = field(default_factory=list)


def loads(seed: int, wrong_years: Iterable[int] = WRONG_YEARS) -> list[Load]:
    """Return the loads of a world: hours in random order, then corrections, then merges.

    Some events have impossible dates, in `wrong_years`.
    """
    random = Random(seed)
    writer = _Writer(random)
    for person in range(55):
        _write_visits(writer, random, person)
    for person in range(40):
        _write_rapid_events(writer, random, person)
    _write_edge_cases(writer, wrong_years)
    hours = writer.hours()
    for hour in random.sample(sorted(hours), 5):
        hours[hour] += [b"not JSON", b'["an", "array"]', b'{"half": ']
    hours[FIRST_DAY - DAY] = []
    hours |= _emulated(seed)
    parts = [Load() for _ in range(2)]
    for hour in random.sample(sorted(hours), len(hours)):
        parts[random.randrange(2)].hours[hour] = hours[hour]
    return [*parts, _corrections(hours, random), Load(merges=_merges())]


def neighbour(seed: int) -> Load:
    """Return hours of a second project: the same ids, event types and times, other totals."""
    first, second, *_ = loads(seed)
    hours = first.hours | second.hours
    earlier = sorted(hours)[: len(hours) // 2]
    return Load({hour: hours[hour] for hour in Random(seed).sample(earlier, len(earlier) // 2)})


def combine_loads(several: Sequence[Load]) -> Load:
    """Return one load with the same result as `several` loads in sequence."""
    hours, merges = final_state(several)
    return Load(hours, [hour for load in several for hour in load.forgotten], merges)


def final_state(all_loads: Sequence[Load]) -> tuple[dict[datetime, list[bytes]], list[Merge]]:
    """Return the contents of all hours after the last load, and all merges."""
    hours: dict[datetime, list[bytes]] = {}
    merges: list[Merge] = []
    for load in all_loads:
        hours |= load.hours
        for hour in load.forgotten:
            hours.pop(hour, None)
        merges += load.merges
    return hours, merges


class _Writer:
    """Write events as exported lines, grouped by upload hour."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._uploads: list[tuple[datetime, dict[str, Any]]] = []

    def write(
        self,
        person: int | None,
        event_type: str | None,
        time: datetime,
        *,
        uploaded: datetime | None = None,
        properties: Mapping[str, object] | None = None,
        **fields: object,
    ) -> dict[str, Any]:
        """Write one event and return its fields. `fields` override what an export would hold."""
        uploaded = uploaded or time + timedelta(milliseconds=self._random.randrange(100, 90_000))
        event = {
            "uuid": str(UUID(int=self._random.getrandbits(128))),
            "app": PROJECT_ID,
            "amplitude_id": person,
            "user_id": None,
            "device_id": f"device-{person}",
            "session_id": -1,
            "event_id": self._random.randrange(1000),
            "event_type": event_type,
            "event_time": _timestamp(time),
            "client_event_time": _timestamp(time),
            "server_upload_time": _timestamp(uploaded),
            "event_properties": dict(properties or {}),
            "user_properties": {},
            "groups": {},
            "data": {},
            "$insert_id": f"insert-{self._random.getrandbits(64):x}",
        }
        event |= fields
        self.copy(event, uploaded)
        return event

    def copy(self, event: Mapping[str, object], uploaded: datetime, **fields: object) -> None:
        """Write a copy of an event, with `fields` changed, into the hour of `uploaded`."""
        hour = uploaded.replace(minute=0, second=0, microsecond=0)
        row = {**event, "server_upload_time": _timestamp(uploaded), **fields}
        self._uploads.append((hour, row))

    def hours(self) -> dict[datetime, list[bytes]]:
        """Return the lines of each non-empty hour, in random order."""
        hours: defaultdict[datetime, list[bytes]] = defaultdict(list)
        for hour, row in self._random.sample(self._uploads, len(self._uploads)):
            hours[hour].append(json.dumps(row).encode())
        return dict(hours)


def _emulated(seed: int) -> dict[datetime, list[bytes]]:
    """Return two days of the emulator's world, later than all other uploads."""
    world = World(WorldSettings(seed=seed, events_per_hour=40, project_id=PROJECT_ID))
    hours = [EMULATED_FROM + n * HOUR for n in range(48)]
    return {hour: list(world.lines(hour.replace(tzinfo=UTC))) for hour in hours}


def _timestamp(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S.%f")


def _write_visits(writer: _Writer, random: Random, person: int) -> None:
    """Write the sessions of one person on random days within a random period."""
    day = FIRST_DAY + random.randrange(60) * DAY
    eagerness = random.choice((0.08, 0.3, 0.8))
    end = min(LAST_DAY, day + random.choice((0, 3, 20, 80)) * DAY)
    while day <= end:
        for _ in range(random.choice((1, 1, 2))):
            _write_session(
                writer, random, 1_000 + person, day + random.randrange(86_400_000) * SECOND / 1000
            )
        day += (1 + (random.random() > eagerness) * random.randrange(8)) * DAY


def _write_rapid_events(writer: _Writer, random: Random, person: int) -> None:
    """Write a few events of two types within six seconds, for funnels."""
    noon = datetime(2026, 3, 5, 12)
    for _ in range(random.randrange(2, 9)):
        time = noon + random.randrange(60) * SECOND / 10
        writer.write(7_000 + person, random.choice(("Ping", "Pong")), time, session_id=83)


def _write_session(writer: _Writer, random: Random, person: int, start: datetime) -> None:
    """Write one session, sometimes without an id, sometimes uploaded much later."""
    session_id = None if random.random() < 0.05 else round(start.timestamp() * 1000)
    if random.random() < 0.1:
        session_id = -1
    delay = random.choice((0, 0, 0, 0, 0, 0, 1, 5, 40, 700)) * random.random() * HOUR
    drift = random.choice((0, 0, 0, 3, -2)) * HOUR
    time = start
    for step in range(random.choice((1, 1, 2, 3, 5, 8))):
        following = _SHOPPING[min(step, 3)]
        event_type = following if random.random() < 0.6 else random.choice(_EVENT_TYPES)
        event = writer.write(
            person,
            event_type,
            time,
            uploaded=time + delay + random.randrange(1, 4_000_000) * SECOND / 1000,
            properties=_properties(random, event_type),
            session_id=session_id,
            client_event_time=_timestamp(time - drift),
        )
        if random.random() < 0.03:
            _write_duplicate(writer, random, event)
        time += random.choice((0, 0.3, 0.99, 1, 7, 55.5, 1000, 9000)) * SECOND


def _properties(random: Random, event_type: str) -> dict[str, object]:
    if event_type != "Order Completed":
        return {}
    choices: tuple[dict[str, object], ...] = (
        {"$revenue": random.randrange(1, 90_000) / 100, "$currency": "EUR"},
        {"$price": random.randrange(1, 9_000) / 100, "$quantity": random.randrange(1, 4)},
        {"$price": str(random.randrange(1, 9_000) / 100), "$productId": "P-1"},
        {"$revenue": -random.randrange(1, 5_000) / 100, "$revenueType": "refund"},
        {"$revenue": "free", "$price": 3},
        {"$revenue": None, "$quantity": 2},
        {},
    )
    return random.choice(choices)


def _write_duplicate(writer: _Writer, random: Random, event: dict[str, Any]) -> None:
    """Write a duplicate of an event: the same row, or copies with a new uuid."""
    uploaded = datetime.fromisoformat(event["server_upload_time"])
    if random.random() < 0.5:
        writer.copy(event, uploaded + random.choice((0, 1, 30, 400)) * HOUR)
        return
    for days in random.choice(((0.1,), (3.0, 6.5), (6.0, 12.0), (7.0,), (7.5, 9.0, 15.0))):
        uuid = str(UUID(int=random.getrandbits(128)))
        writer.copy(event, uploaded + days * DAY, uuid=uuid)


def _write_edge_cases(writer: _Writer, wrong_years: Iterable[int]) -> None:
    """Write the edge cases that random data may not contain."""
    noon = datetime(2026, 3, 4, 12)
    _write_documentation_examples(writer)
    _write_times_and_ids(writer, noon, wrong_years)
    _write_revenue(writer, noon)
    _write_funnels(writer, noon)

    # Merged by events and by a merge file that arrives last: 9001 into 9002 into 9004, and 9003.
    writer.write(9_001, "Page Viewed", noon, session_id=5)
    writer.write(
        9_001, "Item Viewed", noon + MINUTE, session_id=5, data={"merged_amplitude_id": 9_002}
    )
    writer.write(9_002, "Page Viewed", noon + 2 * DAY, session_id=5)
    writer.write(9_002, "Push Received", noon + 9 * DAY, data={"merged_amplitude_id": 9_004})
    writer.write(9_003, "Order Completed", noon + 3 * DAY, properties={"$revenue": 10.5})
    writer.write(9_004, "Page Viewed", noon - DAY, session_id=6)

    # A session id of two people, of inactive events only, over two days, with equal timestamps.
    for person in (9_010, 9_011):
        writer.write(person, "Page Viewed", noon, session_id=1_772_625_600_000)
    writer.write(9_012, "Push Received", noon, session_id=77)
    writer.write(9_012, "Renewal Scheduled", noon + DAY, session_id=77)
    for hours in (0, 11, 13, 30, 49):
        writer.write(9_013, "Page Viewed", noon + hours * HOUR, session_id=78)
    for event_type in ("Item Viewed", "Page Viewed", "Item Added"):
        writer.write(9_014, event_type, noon, session_id=79)

    # Users whose first event is inactive, with and without a later active event.
    writer.write(9_020, "Push Received", noon - 20 * DAY)
    writer.write(9_020, "Page Viewed", noon)
    writer.write(9_021, "Push Received", datetime(2026, 1, 2))
    writer.write(9_022, "Push Received", datetime(2027, 5, 20), uploaded=noon)


def _write_times_and_ids(writer: _Writer, noon: datetime, wrong_years: Iterable[int]) -> None:
    """Write future times, impossible times, and events with missing or placeholder ids."""
    writer.write(9_030, "Page Viewed", noon + 6 * DAY, uploaded=noon, session_id=80)
    for year in wrong_years:
        wrong = datetime(year, 12, 31, 23, 59)
        writer.write(9_032, "Page Viewed", wrong, uploaded=noon, session_id=84)
        writer.write(9_033, "Page Viewed", noon, client_event_time=_timestamp(wrong), session_id=85)
        writer.write(9_033, "Item Viewed", wrong, uploaded=noon, client_event_time=_timestamp(noon))
    writer.write(9_030, "Page Viewed", noon, session_id=80)
    writer.write(9_031, "Page Viewed", noon, client_event_time=None, session_id=81)
    writer.write(9_031, "Page Viewed", noon, event_time=None, session_id=81)
    writer.write(9_031, None, noon, event_time="soon", client_event_time=None)
    writer.write(None, "Page Viewed", noon, user_id="a person", session_id=82)
    writer.write(None, "Page Viewed", noon, device_id="a device")
    writer.write(None, "Page Viewed", noon, device_id=None)

    # Placeholder ids of unrelated people, who must not become one user.
    for person, placeholder in ((9_060, ""), (9_061, "0"), (9_062, " NULL "), (9_063, "undefined")):
        for event_type in ("Page Viewed", "Item Viewed"):
            ids: dict[str, Any] = {
                "$insert_id": placeholder,
                "device_id": placeholder,
                "user_id": placeholder,
            }
            writer.write(
                person, event_type, noon, session_id=0, data={"merged_amplitude_id": 0}, **ids
            )
        writer.write(0, "Page Viewed", noon, user_id=f"user {person}", device_id=placeholder)
        writer.write(None, "Page Viewed", noon, user_id=placeholder, device_id=f"device {person}")


def _write_revenue(writer: _Writer, noon: datetime) -> None:
    """Write revenue that is recorded twice, and amounts that are not revenue or out of range."""
    writer.write(9_040, "Revenue", noon, properties={"$price": 5, "$quantity": 2})
    writer.write(9_040, "Revenue (Verified)", noon, properties={"$revenue": 10, "$price": 5})
    writer.write(9_040, "[Amplitude] Revenue", noon, properties={"$revenue": 10})
    for person, (plain_type, verified_type) in enumerate(
        (("revenue_amount", "unverified_revenue"), ("Revenue", "[Amplitude] Revenue (Verified)")),
        9_043,
    ):
        purchase = {"$price": 3.99, "$quantity": 3}
        writer.write(person, plain_type, noon, properties=purchase)
        writer.write(person, verified_type, noon, properties={**purchase, "$revenue": 11.97})
        writer.write(person, plain_type, noon + DAY, properties={"$revenue": 5})
        writer.write(person, verified_type, noon + DAY, properties={"$revenue": 5})
        writer.write(person, plain_type, noon + 2 * DAY, properties={"$revenue": 6})
        writer.write(person, plain_type, noon + 3 * DAY, properties={"$price": 7})
    writer.write(9_040, "Refund", noon + 31 * DAY, properties={"$revenue": "-2.25"})
    writer.write(9_041, "Tip", noon, properties={"Revenue": 7, "revenue": 8, "price": 9})
    writer.write(9_041, "Push Received", noon, properties={"$revenue": 0.000000001})
    for amounts in ((1e40, 12345678901.5, None), (1e19, 2, 3), (None, 1e28, 1e9), (None, 1e40, 1)):
        huge = dict(zip(("$revenue", "$price", "$quantity"), amounts, strict=True))
        writer.write(9_042, "Huge", noon, properties=huge)


def _write_funnels(writer: _Writer, noon: datetime) -> None:
    """Write steps in the wrong order within a second, and competing paths of one user."""
    for seconds, event_type in ((0.5, "Page Viewed"), (0.2, "Item Viewed"), (1.1, "Item Added")):
        writer.write(9_050, event_type, noon + seconds * SECOND)
    for days in (0, 3):
        writer.write(9_051, "Page Viewed", noon + days * DAY)
        writer.write(9_051, "Item Viewed", noon + days * DAY + HOUR)
    writer.write(9_051, "Item Added", noon + 3 * DAY + 25 * HOUR)
    writer.write(9_052, "Page Viewed", noon)
    writer.write(9_052, "Item Viewed", noon + DAY)
    writer.write(9_052, "Page Viewed", noon + 5 * DAY)
    writer.write(9_052, "Item Viewed", noon + 5 * DAY + MINUTE)
    writer.write(9_052, "Item Added", noon + 6 * DAY)
    writer.write(9_053, "Item Viewed", noon)
    writer.write(9_053, "Item Added", noon)
    writer.write(9_053, "Item Viewed", noon + 2 * DAY)
    writer.write(9_054, "Page Viewed", noon)
    writer.write(9_054, "Item Viewed", noon - SECOND)
    writer.write(9_055, "Page Viewed", noon)
    writer.write(9_055, "Item Viewed", noon - 0.999 * SECOND)


def _write_documentation_examples(writer: _Writer) -> None:
    """Write the three users of Amplitude's page on how time works in a retention analysis."""
    writer.write(8_001, "Page Viewed", datetime(2026, 2, 1, 17, 59))
    writer.write(8_001, "Page Viewed", datetime(2026, 2, 2, 17, 0))
    writer.write(8_002, "Page Viewed", datetime(2026, 2, 2, 9, 0))
    writer.write(8_002, "Page Viewed", datetime(2026, 2, 7, 9, 0))
    writer.write(8_003, "Page Viewed", datetime(2026, 2, 7, 9, 0))
    writer.write(8_003, "Page Viewed", datetime(2026, 2, 13, 9, 0))


def _corrections(hours: Mapping[datetime, list[bytes]], random: Random) -> Load:
    """Re-deliver some hours unchanged, shorter or empty, and remove others."""
    chosen = random.sample(sorted(hours), 32)
    load = Load(forgotten=chosen[24:])
    for hour in chosen[:8]:
        load.hours[hour] = list(hours[hour])
    for hour in chosen[8:16]:
        load.hours[hour] = hours[hour][::2]
    for hour in chosen[16:24]:
        load.hours[hour] = []
    return load


def _merges() -> list[Merge]:
    """Return the late merges: the end of a chain, conflicting merges, a cycle."""
    return [
        Merge(9_003, 9_004),
        Merge(1_001, 1_002, FIRST_DAY),
        Merge(1_001, 1_003, LAST_DAY),
        Merge(1_001, 1_004),
        Merge(1_005, 1_006),
        Merge(1_006, 1_005),
        Merge(1_007, 1_006),
        Merge(1_008, 0, LAST_DAY),
        Merge(0, 1_009, LAST_DAY),
    ]
