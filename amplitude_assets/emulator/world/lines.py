"""Format rows as the JSON lines of the export, with all 55 columns in a fixed order.

A line is concatenated from pieces, each formatted as rarely as possible: device and place once for
each visit, event properties once for each release, and the times of all rows at once.
"""

import numpy as np

from amplitude_assets.emulator.world.events import Events
from amplitude_assets.emulator.world.noise import I64, Mask, below, bits, uniform
from amplitude_assets.emulator.world.oddities import ODD_SHARE, with_oddity
from amplitude_assets.emulator.world.people import People
from amplitude_assets.emulator.world.places import PLACES
from amplitude_assets.emulator.world.properties import (
    CURRENCIES,
    ORDER_EVENTS,
    PRODUCTS,
    QUANTITIES,
    PropertyTexts,
)
from amplitude_assets.emulator.world.scripts import EVENT_NAMES, Event
from amplitude_assets.emulator.world.text import hexadecimal, json_text, rows, times, uuids
from amplitude_assets.emulator.world.visit_texts import State, VisitTexts
from amplitude_assets.emulator.world.visits import Visits

_TYPE_TEXTS = [b',"event_type":%b,"event_id":' % json_text(name) for name in EVENT_NAMES]
_HAS_PROPERTIES = np.array([event > Event.SESSION_END for event in Event])
_HAS_ORDER = np.array([event in ORDER_EVENTS for event in Event])
# A visit's cart, order and payment events have the same item.
_IS_OF_CART = np.array([Event.ITEM_ADDED <= event <= Event.REVENUE for event in Event])
_CURRENCY = np.array(
    [CURRENCIES.index(p.currency) if p.currency in CURRENCIES else 0 for p in PLACES]
)


class LineWriter:
    """Formats the lines of one project."""

    def __init__(self, project_id: int) -> None:
        self._project_id = project_id
        self._property_texts = PropertyTexts()

    def lines(self, events: Events, visits: Visits, people: People) -> list[bytes]:
        """Return one line for each row of `events`, in order, without newlines."""
        if not len(events):
            return []
        used, visit = np.unique(events.visit, return_inverse=True)
        texts = VisitTexts(visits.take(used), people.take(used), self._project_id)
        at = visit.tolist()
        types = events.event.tolist()
        lines = [
            b"".join(pieces)
            for pieces in zip(
                _stamps(events),
                _insert_ids(events, texts.is_server[visit], texts.is_segment[visit]),
                [_TYPE_TEXTS[event] for event in types],
                _event_ids(events, visits, people, texts.is_server[visit]),
                [
                    texts.identities[of][state]
                    for of, state in zip(at, _states(events, visits), strict=True)
                ],
                [texts.rest[of] for of in at],
                self._event_properties(events, visits, people, texts.release[visit]),
                strict=True,
            )
        ]
        # Selected by the event's key, so that all copies of an event have the same oddity.
        for odd in np.flatnonzero(uniform(events.key, "odd") < ODD_SHARE).tolist():
            lines[odd] = with_oddity(lines[odd], int(events.key[odd] >> np.uint64(8)))
        return lines

    def _event_properties(
        self, events: Events, visits: Visits, people: People, release: I64
    ) -> list[bytes]:
        """Return the end of each line: `,"event_properties":{…}}`."""
        visit_key = visits.key[events.visit]
        of_cart = _IS_OF_CART[events.event]
        drawn = np.where(of_cart, bits(visit_key, "cart"), bits(events.key, "variant"))
        item = (drawn >> np.uint64(40)).astype(np.int64) % (PRODUCTS * QUANTITIES)
        variant = item + PRODUCTS * QUANTITIES * _CURRENCY[people.place[events.visit]]
        order = (bits(visit_key, "order") >> np.uint64(24)).astype(np.int64)
        # By the device's clock, so that it is the same in all copies.
        error = visits.clock_error_ms[events.visit]
        elapsed = events.client_event_ms + error - visits.start_ms[events.visit]
        number = np.where(_HAS_ORDER[events.event], order, elapsed)
        opened = self._property_texts.opened(release, events.event, variant)
        return [
            before + (b"%d" % value if numbered else b"") + after
            for (before, after), value, numbered in zip(
                opened, number.tolist(), _HAS_PROPERTIES[events.event].tolist(), strict=True
            )
        ]


def _stamps(events: Events) -> list[bytes]:
    """Return the start of each line: the uuid and the six times."""
    processed = events.uploaded_ms + 450 + below(events.uuid_key, "processed", 2_200)
    return rows(
        [
            b'{"uuid":"',
            uuids(bits(events.uuid_key, "uuid high"), bits(events.uuid_key, "uuid low")),
            b'","server_upload_time":"',
            times(events.uploaded_ms),
            b'","server_received_time":"',
            times(events.received_ms),
            b'","client_upload_time":"',
            times(events.client_upload_ms),
            b'","client_event_time":"',
            times(events.client_event_ms),
            b'","event_time":"',
            times(events.event_ms),
            b'","processed_time":"',
            times(processed, below(events.uuid_key, "processed us", 1_000)),
            b'","$insert_id":',
        ]
    )


def _insert_ids(events: Events, is_server: Mask, is_segment: Mask) -> list[bytes]:
    """Return the `$insert_id`: usually a UUID, a format of servers or Segment, or null."""
    high, low = bits(events.key, "insert high"), bits(events.key, "insert low")
    texts = rows([b'"', uuids(high, low), b'"'])
    for at in np.flatnonzero(is_server).tolist():
        texts[at] = b'"%b:%d"' % (
            EVENT_NAMES[int(events.event[at])].encode(),
            int(high[at] >> np.uint64(24)),
        )
    segment = np.flatnonzero(is_segment)
    digits = hexadecimal(high[segment])
    for at, row in zip(segment.tolist(), digits, strict=True):
        texts[at] = b'"ajs-%b:%b"' % (bytes(row), texts[at][1:11])
    for at in np.flatnonzero(uniform(events.key, "no insert id") < 0.015).tolist():
        texts[at] = b"null"
    return texts


def _event_ids(events: Events, visits: Visits, people: People, is_server: Mask) -> list[bytes]:
    """Return the device's running number, or a random one for servers; not unique in a project."""
    hours = (visits.start_hour - people.join_hour)[events.visit]
    counted = np.maximum(hours, 0) * 3 + events.step + 1
    numbers = np.where(is_server, below(events.key, "event id", 1_000_000_000), counted)
    return [b"%d" % number for number in numbers.tolist()]


def _states(events: Events, visits: Visits) -> list[int]:
    """Return the identity State of each row."""
    signs_at = visits.signs_at[events.visit]
    # SDKs often start the session before the app sets the user id.
    unnamed = (events.event == Event.SESSION_START) & (uniform(events.key, "unnamed") < 0.5)
    unnamed |= visits.is_logged_out[events.visit]
    states: list[int] = np.select(
        [
            (events.step < signs_at) & visits.is_first[events.visit] & (events.step == 0),
            events.step < signs_at,
            events.step == signs_at,
            unnamed,
        ],
        [State.FIRST, State.ANONYMOUS, State.SIGNING, State.UNNAMED],
        State.KNOWN,
    ).tolist()
    return states
