"""From exported lines to events: parsing, deduplication, users and times.

Ids that Amplitude rejects count as missing ("Invalid IDs that result in a 400 error" of
https://amplitude.com/docs/apis/analytics/http-v2). Times before Amplitude existed, and more than a
week after the upload, are implausible.
Deduplication follows the design's decision 8: one row per `uuid`, then one row per `$insert_id`
within project and device for seven days, each time the first that Amplitude's servers received
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
FIRST_MOMENT = datetime(2012, 1, 1)
LAST_AFTER_UPLOAD = timedelta(days=7)
INVALID_IDS = frozenset(
    {
        "anonymous", "nil", "none", "null", "n/a", "na", "undefined", "unknown", "", "{}", "lmy47d",
        "00000000-0000-0000-0000-000000000000", "0", "-1",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One exported line that is a JSON object, and its position."""

    export_hour: datetime
    number: int
    fields: dict[str, Any]

    @property
    def uploaded(self) -> datetime:
        """When Amplitude's servers received the event."""
        return moment(self.fields.get("server_upload_time")) or self.export_hour

    @property
    def happened(self) -> datetime:
        """When the event happened, by the best time of the line."""
        names = ("event_time", "client_event_time", "server_upload_time")
        return next(filter(None, map(self.plausible, names)), self.export_hour)

    @property
    def is_redated(self) -> bool:
        """Whether the line's own time is implausible."""
        return moment(self.fields.get("event_time")) is not None and not self.plausible(
            "event_time"
        )

    def plausible(self, name: str) -> datetime | None:
        """Return one of its times, or None if it is implausible."""
        time = moment(self.fields.get(name))
        if time is None or not FIRST_MOMENT <= time < self.export_hour + LAST_AFTER_UPLOAD:
            return None
        return time

    def identifier(self, name: str) -> Any:
        """Return one of its ids, or None for a placeholder."""
        return identifier(self.fields.get(name))

    @property
    def arrival(self) -> tuple[datetime, datetime, int]:
        """The sort key of copies of an event, of which the first is kept."""
        return (self.uploaded, self.export_hour, self.number)


@dataclass(frozen=True)
class Event:
    """One event after deduplication, with its user, its UTC times and its local date."""

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
    is_redated: bool
    is_active: bool
    properties: dict[str, Any]


@dataclass(frozen=True)
class Hour:
    """The counts of the lines of one export hour by outcome."""

    project_id: int
    export_hour: datetime
    lines: int
    rejected_lines: int
    events: int
    duplicates: int


@dataclass(frozen=True)
class Log:
    """All events of a project, and the counts of every hour."""

    events: list[Event]
    hours: list[Hour]

    @property
    def end(self) -> datetime | None:
        """The end of the newest export hour, after which nothing is known."""
        if not self.hours:
            return None
        return max(hour.export_hour for hour in self.hours) + timedelta(hours=1)


def moment(text: object) -> datetime | None:
    """Parse a time in Amplitude's format, in UTC without a zone; None if it is invalid."""
    if not isinstance(text, str):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def local_date(time: datetime, settings: Settings) -> date:
    """Return the calendar day of a UTC time in the project's zone."""
    return time.replace(tzinfo=UTC).astimezone(settings.zone).date()


def identifier(value: Any) -> Any:
    """Return an id, text or number, or None for a placeholder."""
    return None if str(value).strip(" ").lower() in INVALID_IDS else value


def whole_number(value: object) -> int | None:
    """Return a JSON integer, or None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def read_log(
    project_id: int,
    hours: Mapping[datetime, Sequence[bytes]],
    merges: Sequence[Merge],
    settings: Settings,
) -> Log:
    """Convert the lines of all hours to events, and count each hour's lines."""
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
    """Return the lines that are JSON objects, and the number of other lines by hour."""
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
    """Keep the first copy of each uuid; later copies are re-deliveries of the same row."""
    seen: set[str] = set()
    kept = []
    for line in sorted(lines, key=lambda line: line.arrival):
        if line.fields["uuid"] not in seen:
            seen.add(line.fields["uuid"])
            kept.append(line)
    return kept


def _first_of_each_insert_id(lines: Sequence[Line]) -> list[Line]:
    """Drop repetitions of an `$insert_id` by the same device within seven days of the kept one.

    `lines` are in order of arrival. A copy after seven days is a new event, which starts another
    window of seven days.
    """
    kept_at: dict[tuple[object, object], datetime] = {}
    kept = []
    for line in lines:
        insert_id = line.identifier("$insert_id")
        key = (line.identifier("device_id"), insert_id)
        if insert_id is not None:
            if key in kept_at and line.uploaded - kept_at[key] <= SEVEN_DAYS:
                continue
            kept_at[key] = line.uploaded
        kept.append(line)
    return kept


def _file_claims(merges: Iterable[Merge]) -> Iterator[Claim]:
    for merge in merges:
        if identifier(merge.absorbed) is not None and identifier(merge.surviving) is not None:
            yield Claim(merge.absorbed, merge.surviving, merge.merge_time, "merge_export")


def _event_claims(lines: Iterable[Line]) -> Iterator[Claim]:
    """Find `data.merged_amplitude_id`, which absorbs the event's own id; copies count too."""
    for line in lines:
        data = line.fields.get("data")
        merged_id = data.get("merged_amplitude_id") if isinstance(data, dict) else None
        surviving = whole_number(identifier(merged_id))
        absorbed = whole_number(line.identifier("amplitude_id"))
        if absorbed is not None and surviving is not None:
            yield Claim(absorbed, surviving, line.happened, "payload")


def _person(line: Line, identities: Identities) -> str:
    """Return the event's user: the surviving Amplitude id, or another id if it has none."""
    amplitude_id = whole_number(line.identifier("amplitude_id"))
    if amplitude_id is not None:
        return str(identities.survivor(amplitude_id))
    for name in ("user", "device"):
        if line.identifier(f"{name}_id") is not None:
            return f"{name}:{line.fields[f'{name}_id']}"
    return "unknown"


def _event(project_id: int, line: Line, identities: Identities, settings: Settings) -> Event:
    fields = line.fields
    user_key = f"{project_id}-{_person(line, identities)}"
    session_id = whole_number(line.identifier("session_id"))
    time = line.happened
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
        client_event_time=line.plausible("client_event_time") or time,
        server_upload_time=line.uploaded,
        event_date=local_date(time, settings),
        is_redated=line.is_redated,
        is_active=event_type not in settings.inactive_event_types,
        properties=fields.get("event_properties") or {},
    )
