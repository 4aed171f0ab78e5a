"""Rows to the JSON lines of the export: 55 columns each, always all there, in one order.

The text of a line is put together from pieces, each written as seldom as possible: what a visit
says of its device and place once a visit, what an event type says once a release, and the times of
all rows at once.
"""

import numpy as np

from amplitude_assets.emulator.events import Events
from amplitude_assets.emulator.noise import I64, Mask, below, bits, uniform
from amplitude_assets.emulator.oddities import ODD_SHARE, made_odd
from amplitude_assets.emulator.people import People
from amplitude_assets.emulator.places import PLACES
from amplitude_assets.emulator.properties import (
    CURRENCIES,
    ORDER_EVENTS,
    PRODUCTS,
    QUANTITIES,
    PropertyTexts,
)
from amplitude_assets.emulator.scripts import EVENT_NAMES, Event
from amplitude_assets.emulator.text import hexadecimal, json_text, rows, times, uuids
from amplitude_assets.emulator.visit_texts import State, VisitTexts
from amplitude_assets.emulator.visits import Visits

_TYPE_TEXTS = [b',"event_type":%b,"event_id":' % json_text(name) for name in EVENT_NAMES]
_HAS_PROPERTIES = np.array([event > Event.SESSION_END for event in Event])
_HAS_ORDER = np.array([event in ORDER_EVENTS for event in Event])
# A visit's cart, order and payment are about one and the same item.
_IS_OF_CART = np.array([Event.ITEM_ADDED <= event <= Event.REVENUE for event in Event])
_CURRENCY = np.array(
    [CURRENCIES.index(p.currency) if p.currency in CURRENCIES else 0 for p in PLACES]
)


class LineWriter:
    """Writes the lines of one project."""

    def __init__(self, project_id: int) -> None:
        self._project_id = project_id
        self._property_texts = PropertyTexts()

    def lines(self, events: Events, visits: Visits, people: People) -> list[bytes]:
        """One line (without a newline) for each row of `events`, in order."""
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
        # By the event's key, so that all copies of an event are odd in the same way.
        for odd in np.flatnonzero(uniform(events.key, "odd") < ODD_SHARE).tolist():
            lines[odd] = made_odd(lines[odd], int(events.key[odd] >> np.uint64(8)))
        return lines

    def _event_properties(
        self, events: Events, visits: Visits, people: People, release: I64
    ) -> list[bytes]:
        """`,"event_properties":{…}}`, the end of each line."""
        visit_key = visits.key[events.visit]
        of_cart = _IS_OF_CART[events.event]
        drawn = np.where(of_cart, bits(visit_key, "cart"), bits(events.key, "variant"))
        item = (drawn >> np.uint64(40)).astype(np.int64) % (PRODUCTS * QUANTITIES)
        variant = item + PRODUCTS * QUANTITIES * _CURRENCY[people.place[events.visit]]
        order = (bits(visit_key, "order") >> np.uint64(24)).astype(np.int64)
        # By the device's own clock, so that it is the same in every copy.
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
    """The beginning of each line: uuid and the six times."""
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
    """The sender's own id: mostly a UUID, what a server or Segment makes up, or null."""
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
    """The device's running number, or a random one from servers. Not unique in a project."""
    hours = (visits.start_hour - people.join_hour)[events.visit]
    counted = np.maximum(hours, 0) * 3 + events.step + 1
    numbers = np.where(is_server, below(events.key, "event id", 1_000_000_000), counted)
    return [b"%d" % number for number in numbers.tolist()]


def _states(events: Events, visits: Visits) -> list[int]:
    """What each row knows of the person."""
    signs_at = visits.signs_at[events.visit]
    # SDKs often start the session before they are told who it is.
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
