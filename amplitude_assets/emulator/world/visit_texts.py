"""The columns that all rows of a visit share, as JSON text formatted once for each visit."""

from enum import IntEnum

import numpy as np

from amplitude_assets.emulator.world.devices import device_text, is_segment, server_text
from amplitude_assets.emulator.world.noise import I64, Mask, below, bits
from amplitude_assets.emulator.world.people import IOS, WEB, People, amplitude_ids
from amplitude_assets.emulator.world.places import PLACES
from amplitude_assets.emulator.world.releases import release_at
from amplitude_assets.emulator.world.scripts import Pool
from amplitude_assets.emulator.world.text import hexadecimal, json_text, rows, uuids
from amplitude_assets.emulator.world.visit_properties import group_ids, groups, user_properties
from amplitude_assets.emulator.world.visits import Visits

# Columns that are the same in every row, most of them deprecated since 2023.
_NULLS = (
    b',"adid":null,"amplitude_attribution_ids":null,"amplitude_event_type":null,"idfa":null,'
    b'"is_attribution_event":null,"user_creation_time":null,"partner_id":null,"source_id":null,'
    b'"sample_rate":null,"location_lat":null,"location_lng":null,"global_user_properties":null,'
    b'"plan":{},"data_type":"event"'
)
# 2023-02-01T00 in hours since 1970: until then rows had a schema number and an insert key.
_NO_SCHEMA_SINCE = 465_336


class State(IntEnum):
    """How a row identifies the person, as an index into a visit's `VisitTexts.identities`."""

    ANONYMOUS = 0
    SIGNING = 1
    KNOWN = 2
    UNNAMED = 3
    FIRST = 4


class VisitTexts:
    """The texts of some visits: `identities` by visit and State, and the `rest` by visit.

    `release` is the app's release; `is_server` and `is_segment` describe the sender.
    """

    def __init__(self, visits: Visits, people: People, project_id: int) -> None:
        self.is_server: Mask = visits.pool == Pool.SERVER
        # Web pages always have the newest release, apps the one that is installed.
        behind = below(visits.device, "behind", 4) * (visits.platform != WEB)
        self.release: I64 = np.maximum(release_at(visits.start_hour) - behind, 0)
        habit = below(visits.device, "habit", 1 << 20)
        self.is_segment: Mask = is_segment(visits.platform, habit) & ~self.is_server
        self.identities = _identities(visits, people)
        self.rest = [
            b"".join(pieces)
            for pieces in zip(
                _sessions(visits, self.is_server),
                _device_ids(visits, people, self.is_server),
                _devices(visits, people, self.release, habit, self.is_server),
                _places(people, self.is_server),
                _constants(visits, project_id),
                groups(visits, people),
                user_properties(visits, people, self.release),
                strict=True,
            )
        ]


def _identities(visits: Visits, people: People) -> list[tuple[bytes, ...]]:
    """Return the columns amplitude_id, user_id and data of each visit in each State."""
    own = amplitude_ids(people.number, 0)
    anonymous = np.where(visits.is_second_device, amplitude_ids(people.number, 1), own)
    return [
        _states(own_id, anonymous_id, user, merges, path, groups)
        for own_id, anonymous_id, user, merges, path, groups in zip(
            own.tolist(),
            anonymous.tolist(),
            _user_ids(people),
            visits.merges.tolist(),
            np.where(people.is_business, b"/batch", b"/2/httpapi").tolist(),
            group_ids(visits, people),
            strict=True,
        )
    ]


def _states(
    own_id: int, anonymous_id: int, user: bytes, merges: bool, path: bytes, groups: bytes
) -> tuple[bytes, ...]:
    """Return one text for each State. The row of the merging step still has the anonymous id."""
    data = b'"path":"%b","user_properties_updated":true,"group_first_event":{},"group_ids":%b}'
    data %= (path, groups)
    row = b',"amplitude_id":%d,"user_id":%b,"data":{%b%b'
    signing_id = anonymous_id if merges else own_id
    merged = b'"merged_amplitude_id":%d,' % own_id if merges else b""
    return (
        row % (anonymous_id, b"null", b"", data),
        row % (signing_id, user, merged, data),
        row % (own_id, user, b"", data),
        row % (own_id, b"null", b"", data),
        row % (anonymous_id, b"null", b'"first_event":true,', data),
    )


def _user_ids(people: People) -> list[bytes]:
    """Return each person's user_id: case-sensitive, and for some an e-mail address."""
    form = below(people.key, "user id", 20)
    high, low = bits(people.key, "user high"), bits(people.key, "user low")
    texts = rows([b'"', uuids(high, low), b'"'])
    for at, (chosen, number) in enumerate(zip(form.tolist(), people.number.tolist(), strict=True)):
        if chosen < 12:
            texts[at] = b'"u-%08d"' % number
        elif chosen < 16:
            texts[at] = b'"Person.%d@Example.com"' % number
    return texts


def _sessions(visits: Visits, is_server: Mask) -> list[bytes]:
    """Return the session id: the start by the device's clock in ms, -1 outside of sessions."""
    outside = is_server | (visits.pool == Pool.BACKGROUND)
    session = np.where(outside, -1, visits.start_ms - visits.clock_error_ms)
    return [b',"session_id":%d' % value for value in session.tolist()]


def _device_ids(visits: Visits, people: People, is_server: Mask) -> list[bytes]:
    """Return device_id and ip_address. For servers, Amplitude uses a hash of the user_id."""
    key = np.where(is_server, bits(people.key, "hashed user"), bits(visits.device, "id"))
    texts = [bytes(row) for row in uuids(key, bits(key, "low"))]
    host = below(visits.key, "host", 254).tolist()
    return [
        b',"device_id":"%b","ip_address":%b'
        % (
            text.upper()
            if platform == IOS and not server
            else text + b"R" * (platform != WEB and not server),
            b"null" if server else b'"%b.%d"' % (_NETWORKS[at % 3], at + 1),
        )
        for text, platform, server, at in zip(
            texts, visits.platform.tolist(), is_server.tolist(), host, strict=True
        )
    ]


# Addresses reserved for documentation (RFC 5737).
_NETWORKS = (b"203.0.113", b"198.51.100", b"192.0.2")


def _devices(
    visits: Visits, people: People, release: I64, habit: I64, is_server: Mask
) -> list[bytes]:
    server = b"," + server_text()
    started = np.minimum(release, release_at(people.join_hour))
    return [
        server if of_server else b"," + device_text(*kind)
        for of_server, *kind in zip(
            is_server.tolist(),
            visits.platform.tolist(),
            habit.tolist(),
            release.tolist(),
            started.tolist(),
            strict=True,
        )
    ]


def _places(people: People, is_server: Mask) -> list[bytes]:
    where = np.where(is_server, len(PLACES), people.place)
    return [_PLACE_TEXTS[at] for at in where.tolist()]


_PLACE_TEXTS = [
    b","
    + json_text(
        {
            "country": p.country,
            "region": p.region,
            "city": p.city,
            "dma": p.dma,
            "language": p.language,
        }
    )[1:-1]
    for p in PLACES
] + [b',"country":null,"region":null,"city":null,"dma":null,"language":null']


def _constants(visits: Visits, project_id: int) -> list[bytes]:
    """Return the constant columns, with the schema number that older rows have."""
    app = b',"app":%d' % project_id
    new = app + _NULLS + b',"$schema":null,"$insert_key":null'
    old = app + _NULLS + b',"$schema":13,"$insert_key":"%b#422"'
    digits = [bytes(row) for row in hexadecimal(bits(visits.key, "insert key"))]
    return [
        new if hour >= _NO_SCHEMA_SINCE else old % text
        for hour, text in zip(visits.start_hour.tolist(), digits, strict=True)
    ]
