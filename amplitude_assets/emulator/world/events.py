"""The events that visits upload in an hour, as columns of numbers.

Times are in milliseconds since 1970 UTC.
"""

from dataclasses import dataclass, fields

import numpy as np

from amplitude_assets.emulator.world.noise import I64, U64, Mask, bits, joined, uniform
from amplitude_assets.emulator.world.people import WEB
from amplitude_assets.emulator.world.scripts import Event, Pool, Scripts
from amplitude_assets.emulator.world.visits import HOUR_MS, Visits

_WEB_FLUSH_MS, _MOBILE_FLUSH_MS = 1_000, 30_000
_SESSION_TIMEOUT_MS = 30 * 60_000

# Amplitude corrects a device's clock when it is off by this much (documented on its User Data
# Lookup page).
_CORRECTED_FROM_MS = 60_000


@dataclass(frozen=True)
class Events:
    """Columns of uploaded rows, one element per row; `visit` is the index of the row's visit.

    `key` is the same in all copies of an event; `uuid_key` differs in a copy that Amplitude
    treated as a new event. `step` is the index within the visit.
    """

    visit: I64
    step: I64
    event: I64
    key: U64
    uuid_key: U64
    client_event_ms: I64
    client_upload_ms: I64
    received_ms: I64
    uploaded_ms: I64
    event_ms: I64

    def take(self, which: Mask | I64) -> "Events":
        """Return the rows at these positions."""
        return Events(**{f.name: getattr(self, f.name)[which] for f in fields(self)})

    def __len__(self) -> int:
        return len(self.visit)


def uploaded_in(hour: int, visits: Visits, scripts: Scripts) -> Events:
    """Return the rows that these visits upload in an hour (hours since 1970), with copies."""
    events = _played(visits, scripts)
    uploaded_hour = events.uploaded_ms // HOUR_MS
    here = events.take(uploaded_hour == hour)
    again = events.take(
        (uploaded_hour == hour - 1)
        & visits.resent_next_hour[events.visit]
        & (uniform(events.key, "next hour") < 0.6)
    )
    return concatenated([here, _moved(again, HOUR_MS), *_copies_within(hour, here)])


def _played(visits: Visits, scripts: Scripts) -> Events:
    """Return every step of every visit, with the times of the event and of its upload."""
    count = scripts.count[visits.script]
    visit = np.repeat(np.arange(len(count)), count)
    step = np.arange(len(visit)) - (np.cumsum(count) - count)[visit]
    line = scripts.first[visits.script][visit] + step
    event = scripts.event[line]
    offset = (scripts.offset_ms[line] * visits.pace[visit]).astype(np.int64)
    key = joined(visits.key[visit], step)
    happened = visits.start_ms[visit] + offset
    sent = _sent(visits, visit, step, event, offset, count)
    is_server = (visits.pool == Pool.SERVER)[visit]
    batch = joined(visits.key[visit], sent)
    latency = uniform(batch, "latency")
    received = sent + 30 + (latency * latency * 900).astype(np.int64) * ~is_server
    error = visits.clock_error_ms[visit]
    client_upload = np.where(is_server, received, sent - error)
    client_event = happened - error
    gap = received - client_upload
    corrected = np.where(np.abs(gap) >= _CORRECTED_FROM_MS, client_event + gap, client_event)
    again = visits.delivery[visit] & ~visits.same_uuid[visit]
    return Events(
        visit=visit,
        step=step,
        event=event,
        key=key,
        uuid_key=joined(key, 101 + again),
        client_event_ms=client_event,
        client_upload_ms=client_upload,
        received_ms=received,
        uploaded_ms=received + 2 + (uniform(batch, "upload") * 6).astype(np.int64),
        event_ms=corrected,
    )


def _sent(visits: Visits, visit: I64, step: I64, event: I64, offset: I64, count: I64) -> I64:
    """Return the true time at which the device sends each event: in batches, later if offline."""
    flush = np.where(visits.platform == WEB, _WEB_FLUSH_MS, _MOBILE_FLUSH_MS)[visit]
    flush = np.where((visits.pool == Pool.SERVER)[visit], 1, flush)
    after = np.maximum((offset // flush + 1) * flush, visits.held_ms[visit])
    # Half of the browsers send the end of a session only after its timeout.
    times_out = (visits.platform == WEB) & (uniform(visits.key, "times out") < 0.5)
    ends_late = (event == Event.SESSION_END) & times_out[visit] & (step == count[visit] - 1)
    after = np.where(ends_late, after + _SESSION_TIMEOUT_MS, after)
    delivered = visits.delivered_ms[visit]
    return np.where(delivered >= 0, delivered, visits.start_ms[visit] + after)


def _copies_within(hour: int, here: Events) -> list[Events]:
    """Return copies of rows in the same hour: with the same uuid, or with another one."""
    chance = uniform(here.key, "copied")
    same = here.take(chance < 0.0012)
    other = here.take((chance >= 0.0012) & (chance < 0.0025))
    other_uuid = bits(other.uuid_key, "copy")
    end = (hour + 1) * HOUR_MS - 1
    moved = []
    for copies in (same, other):
        # Half of the copies are identical, the others are uploaded up to two minutes later.
        delay = (np.maximum(uniform(copies.key, "copied after") - 0.5, 0) * 240_000).astype(
            np.int64
        )
        moved.append(_moved(copies, np.minimum(delay, end - copies.uploaded_ms)))
    moved[1].uuid_key[:] = other_uuid
    return moved


def _moved(events: Events, later: I64 | int) -> Events:
    """Return the rows with their upload delayed by `later` ms."""
    columns = {f.name: getattr(events, f.name).copy() for f in fields(events)}
    columns["uploaded_ms"] = columns["uploaded_ms"] + later
    return Events(**columns)


def delayed(events: Events, since_hour: int, until_hour: int) -> Events:
    """Delay the rows of an hour without uploads to the first minutes of a later hour."""
    into = (events.uploaded_ms - since_hour * HOUR_MS) // 12
    return _moved(events, until_hour * HOUR_MS + into - events.uploaded_ms)


def concatenated(parts: list[Events]) -> Events:
    """Concatenate the rows of all parts."""
    return Events(
        **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Events)}
    )
