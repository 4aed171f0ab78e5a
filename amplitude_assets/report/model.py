"""The data of the report: the figures of one project as plain values.

Dates are days in the project's time zone. Hours are aware, in UTC.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from amplitude_assets.hours import HOUR, HourRange, contiguous_ranges
from amplitude_assets.warehouse.base import Cost

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Coverage:
    """The export hours from the first to the newest, and the dates that they cover.

    Events may be dated before the first hour (late uploads) or in the future (wrong clocks). The
    report shows only dates from `first_date` to `last_date`, at most `longest`.
    """

    hours: HourRange
    zone: ZoneInfo
    longest: timedelta = 365 * DAY

    @cached_property
    def last_date(self) -> date:
        """The date of the last microsecond of the newest hour."""
        return (self.ends_at - timedelta(microseconds=1)).astimezone(self.zone).date()

    @cached_property
    def first_date(self) -> date:
        """The date of the first hour, or the first date of the longest range."""
        first = self.hours.first.astimezone(self.zone).date()
        return max(first, self.last_date - self.longest + DAY)

    @property
    def days(self) -> int:
        """The number of dates shown."""
        return (self.last_date - self.first_date).days + 1

    @property
    def ends_at(self) -> datetime:
        """The time up to which uploads are loaded (UTC)."""
        return self.hours.last + HOUR

    @property
    def first_shown_hour(self) -> datetime:
        """The first hour of the first date shown, or the first loaded hour if that is later."""
        return max(self.hours.first, self._begins(self.first_date))

    @property
    def last_complete_date(self) -> date | None:
        """The newest date with all hours in the range, or None."""
        if self.is_complete(self.last_date):
            return self.last_date
        before = self.last_date - DAY
        return before if self.is_complete(before) else None

    def is_complete(self, day: date) -> bool:
        """Return whether all hours of a date are in the range."""
        return self.hours.first <= self._begins(day) and self._begins(day + DAY) <= self.ends_at

    def _begins(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.zone)


@dataclass(frozen=True)
class Hour:
    """The counts of an export hour in each layer. Lags are seconds from an event to its upload."""

    export_hour: datetime
    status: str
    lines: int
    rejected_lines: int
    silver_events: int
    duplicates: int
    is_reconciled: bool
    lag_p50_seconds: float | None
    lag_p95_seconds: float | None


@dataclass(frozen=True)
class ActiveDay:
    """Active and new users of a date. `wau` and `mau` cover the 7 and 30 days that end with it."""

    day: date
    dau: int
    wau: int
    mau: int
    new_users: int


@dataclass(frozen=True)
class LifecyclePeriod:
    """Users of a day or week, by their activity in the period before."""

    start: date
    new: int
    current: int
    resurrected: int
    dormant: int


@dataclass(frozen=True)
class StickinessRow:
    """Users of a week with exactly `active_days`, and the share with at least that many."""

    week: date
    active_days: int
    users: int
    share_at_least: float


@dataclass(frozen=True)
class RetentionRow:
    """New users of a date, and those who returned on day n, in 24-hour days of each user."""

    cohort_date: date
    mode: str
    day_number: int
    cohort_users: int
    returned_users: int
    is_complete: bool


@dataclass(frozen=True)
class FunnelStep:
    """A step of a funnel: the users who reached it, and their shares of earlier steps."""

    funnel: str
    step: int
    event_type: str
    users: int
    from_start: float | None
    from_previous: float | None
    median_seconds: float | None


@dataclass(frozen=True)
class Sessions:
    """Sessions that began in the range; `lengths` maps lower bounds in seconds to counts."""

    count: int
    bounces: int
    median_seconds: float | None
    mean_seconds: float | None
    lengths: dict[int, int]


@dataclass(frozen=True)
class RevenueDay:
    """Revenue of a date in one currency, net of refunds."""

    day: date
    currency: str
    revenue: float
    events: int


@dataclass(frozen=True)
class LifetimeDay:
    """Cumulative revenue of the complete cohorts by the end of day n."""

    day_number: int
    cohort_users: int
    revenue: float
    paying_users: int


@dataclass(frozen=True)
class EventType:
    """An event type's number of events, and of its users on the newest complete date."""

    name: str
    events: int
    users: int


@dataclass(frozen=True)
class DriftRow:
    """A drifted property, and the total number of its `kind`.

    `kind` is `types` (it has several JSON types), `case` (another key differs only by case), `new`
    or `gone`. `event_type` is one of the event types that have it.
    """

    kind: str
    scope: str
    key: str
    event_type: str
    event_types: int
    types: tuple[str, ...]
    first_hour: datetime
    last_hour: datetime
    occurrences: int
    of_its_kind: int


@dataclass(frozen=True)
class Overview:
    """All data on the page. `coverage` is None before the first load.

    `costs` is None where the warehouse is not metered; `costs_note` is why it could not be read.
    """

    project_id: int
    made_at: datetime
    coverage: Coverage | None = None
    hours: list[Hour] = field(default_factory=list)
    active_days: list[ActiveDay] = field(default_factory=list)
    lifecycle: list[LifecyclePeriod] = field(default_factory=list)
    lifecycle_period: str = "day"
    stickiness: list[StickinessRow] = field(default_factory=list)
    retention: list[RetentionRow] = field(default_factory=list)
    funnels: list[FunnelStep] = field(default_factory=list)
    sessions: Sessions = field(default_factory=lambda: Sessions(0, 0, None, None, {}))
    revenue: list[RevenueDay] = field(default_factory=list)
    lifetime: list[LifetimeDay] = field(default_factory=list)
    event_types: list[EventType] = field(default_factory=list)
    drift: list[DriftRow] = field(default_factory=list)
    costs: list[Cost] | None = None
    costs_note: str = ""

    @property
    def gaps(self) -> list[HourRange]:
        """The ranges of hours between the first and the newest that were never loaded."""
        if self.coverage is None:
            return []
        held = {hour.export_hour for hour in self.hours}
        shown = HourRange(self.coverage.first_shown_hour, self.coverage.hours.last)
        return contiguous_ranges(hour for hour in shown if hour not in held)

    @property
    def main_day(self) -> ActiveDay | None:
        """The users of the newest complete date, or of the newest date while none is complete."""
        if self.coverage is None:
            return None
        wanted = self.coverage.last_complete_date or self.coverage.last_date
        return next((day for day in self.active_days if day.day == wanted), None)
