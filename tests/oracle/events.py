"""From exported lines to the events that count: parsing, deduplication, who did it, and when.

Deduplication follows the design's decision 8: one row a `uuid`, then one row an `$insert_id` within
project and device for seven days, each time the first that Amplitude's servers took in
(https://amplitude.com/docs/apis/analytics/http-v2, `insert_id`).
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.oracle.identity import Claim, Identities
from tests.oracle.settings import Merge, Settings

SEVEN_DAYS = timedelta(days=7)


@dataclass(frozen=True)
class Line:
    """One exported line that is a JSON object, and where it stood."""

    export_hour: datetime
    number: int
    fields: dict[str, Any]

    @property
    def uploaded(self) -> datetime:
        """Return when Amplitude's servers took the event in."""
        return moment(self.fields.get("server_upload_time")) or self.export_hour

    @property
    def happened(self) -> datetime:
        """Return when it happened, by the best time that the line has."""
        event_time = moment(self.fields.get("event_time"))
        return event_time or moment(self.fields.get("client_event_time")) or self.uploaded

    @property
    def arrival(self) -> tuple[datetime, datetime, int]:
        """Return the order in which copies of an event are looked at: the first one stays."""
        return (self.uploaded, self.export_hour, self.number)


@dataclass(frozen=True)
class Event:
    """One event after deduplication, its user resolved and its times in UTC and on the calendar."""

    uuid: str
    project_id: int
    export_hour: datetime
    user_key: str
    session_key: str | None
    session_id: int | None
    event_id: int | None
    event_type: str
    event_time: datetime
    client_event_time: datetime
    server_upload_time: datetime
    event_date: date
    is_active: bool
    properties: dict[str, Any]


@dataclass(frozen=True)
class Hour:
    """What became of the lines of one export hour."""

    project_id: int
    export_hour: datetime
    lines: int
    rejected_lines: int
    events: int
    duplicates: int


@dataclass(frozen=True)
class Log:
    """All events of a project, and the account of every hour."""

    events: list[Event]
    hours: list[Hour]

    @property
    def end(self) -> datetime | None:
        """Return the end of the newest export hour: what happened later cannot be known yet."""
        if not self.hours:
            return None
        return max(hour.export_hour for hour in self.hours) + timedelta(hours=1)


def moment(text: object) -> datetime | None:
    """Read a time as Amplitude writes it, in UTC without a zone; None if it is not one."""
    if not isinstance(text, str):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def local_date(time: datetime, settings: Settings) -> date:
    """Return the calendar day of a UTC time in the project's zone."""
    return time.replace(tzinfo=UTC).astimezone(settings.zone).date()


def whole_number(value: object) -> int | None:
    """Return a JSON integer, or None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def read_log(
    project_id: int,
    hours: Mapping[datetime, Sequence[bytes]],
    merges: Sequence[Merge],
    settings: Settings,
) -> Log:
    """Turn the lines of all hours into events and each hour's account."""
    lines, rejected = _parse(hours)
    kept = _first_of_each_insert_id(_first_of_each_uuid(lines))
    identities = Identities([*_file_claims(merges), *_event_claims(lines)])
    events = [_event(project_id, line, identities, settings) for line in kept]
    events_in = Counter(line.export_hour for line in kept)
    lines_in = Counter(line.export_hour for line in lines)
    accounts = [
        Hour(
            project_id=project_id,
            export_hour=hour,
            lines=len(hours[hour]),
            rejected_lines=rejected[hour],
            events=events_in[hour],
            duplicates=lines_in[hour] - events_in[hour],
        )
        for hour in sorted(hours)
    ]
    return Log(events, accounts)


def _parse(
    hours: Mapping[datetime, Sequence[bytes]],
) -> tuple[list[Line], Counter[datetime]]:
    """Split the lines into JSON objects and, by the hour, the number of others."""
    lines: list[Line] = []
    rejected: Counter[datetime] = Counter()
    for hour, raw_lines in hours.items():
        for number, raw in enumerate(raw_lines, start=1):
            try:
                fields = json.loads(raw, parse_float=Decimal)
            except ValueError:
                fields = None
            if isinstance(fields, dict):
                lines.append(Line(hour, number, fields))
            else:
                rejected[hour] += 1
    return lines, rejected


def _first_of_each_uuid(lines: Sequence[Line]) -> list[Line]:
    """Keep the first copy of each uuid: the same row, exported or delivered again."""
    seen: set[str] = set()
    kept = []
    for line in sorted(lines, key=lambda line: line.arrival):
        if line.fields["uuid"] not in seen:
            seen.add(line.fields["uuid"])
            kept.append(line)
    return kept


def _first_of_each_insert_id(lines: Sequence[Line]) -> list[Line]:
    """Drop what repeats an `$insert_id` of the same device within seven days of the kept one.

    `lines` come in order of arrival. A copy later than seven days is an event of its own, and the
    seven days of its own copies begin with it.
    """
    kept_at: dict[tuple[object, object], datetime] = {}
    kept = []
    for line in lines:
        insert_id = line.fields.get("$insert_id")
        key = (line.fields.get("device_id") or "", insert_id)
        if insert_id is not None:
            if key in kept_at and line.uploaded - kept_at[key] <= SEVEN_DAYS:
                continue
            kept_at[key] = line.uploaded
        kept.append(line)
    return kept


def _file_claims(merges: Iterable[Merge]) -> Iterator[Claim]:
    for merge in merges:
        yield Claim(merge.absorbed, merge.surviving, merge.merge_time, "merge_export")


def _event_claims(lines: Iterable[Line]) -> Iterator[Claim]:
    """Find `data.merged_amplitude_id`: the event's own id is absorbed. Dropped copies count too."""
    for line in lines:
        data = line.fields.get("data")
        surviving = (
            whole_number(data.get("merged_amplitude_id")) if isinstance(data, dict) else None
        )
        absorbed = whole_number(line.fields.get("amplitude_id"))
        if absorbed is not None and surviving is not None:
            yield Claim(absorbed, surviving, line.happened, "payload")


def _person(fields: dict[str, Any], identities: Identities) -> str:
    """Say whose event it is: the surviving Amplitude id, or what there is where it has none."""
    amplitude_id = whole_number(fields.get("amplitude_id"))
    if amplitude_id is not None:
        return str(identities.survivor(amplitude_id))
    for name in ("user", "device"):
        if fields.get(f"{name}_id"):
            return f"{name}:{fields[f'{name}_id']}"
    return "unknown"


def _event(project_id: int, line: Line, identities: Identities, settings: Settings) -> Event:
    fields = line.fields
    user_key = f"{project_id}-{_person(fields, identities)}"
    session_id = whole_number(fields.get("session_id"))
    if session_id == -1:
        session_id = None
    time = line.happened
    client_event_time = moment(fields.get("client_event_time"))
    event_type = fields.get("event_type") or "(none)"
    return Event(
        uuid=fields["uuid"],
        project_id=project_id,
        export_hour=line.export_hour,
        user_key=user_key,
        session_key=None if session_id is None else f"{user_key}-{session_id}",
        session_id=session_id,
        event_id=whole_number(fields.get("event_id")),
        event_type=event_type,
        event_time=time,
        client_event_time=client_event_time or time,
        server_upload_time=line.uploaded,
        event_date=local_date(time, settings),
        is_active=event_type not in settings.inactive_event_types,
        properties=fields.get("event_properties") or {},
    )
