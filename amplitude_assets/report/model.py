"""What the report is about: the figures of one project, as plain values.

Dates are days in the project's time zone, hours are aware and in UTC.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from amplitude_assets.hours import HOUR, HourRange, contiguous_ranges

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Coverage:
    """The export hours from the first to the newest, and the dates that they stand for.

    Events may be dated before the first hour (late uploads) or in the future (wrong clocks). A
    report shows only the dates from `first_date` to `last_date`.
    """

    hours: HourRange
    zone: ZoneInfo
    longest: timedelta = 365 * DAY

    @cached_property
    def last_date(self) -> date:
        """Return the date of the last minutes that are loaded."""
        return (self.ends_at - timedelta(microseconds=1)).astimezone(self.zone).date()

    @cached_property
    def first_date(self) -> date:
        """Return the date of the first hour, or the first of the longest range that is shown."""
        first = self.hours.first.astimezone(self.zone).date()
        return max(first, self.last_date - self.longest + DAY)

    @property
    def days(self) -> int:
        """Return the number of dates shown."""
        return (self.last_date - self.first_date).days + 1

    @property
    def ends_at(self) -> datetime:
        """Return the moment up to which uploads are loaded, in UTC."""
        return self.hours.last + HOUR

    @property
    def first_shown_hour(self) -> datetime:
        """Return the first hour of the first date shown, or the first there is."""
        return max(self.hours.first, self._begins(self.first_date))

    @property
    def last_whole_date(self) -> date | None:
        """Return the newest date whose hours are all in the range, None if there is none."""
        if self.is_whole(self.last_date):
            return self.last_date
        before = self.last_date - DAY
        return before if self.is_whole(before) else None

    def is_whole(self, day: date) -> bool:
        """Say whether all hours of a date are in the range."""
        return self.hours.first <= self._begins(day) and self._begins(day + DAY) <= self.ends_at

    def _begins(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.zone)


@dataclass(frozen=True)
class Hour:
    """An export hour through the layers. Lags are seconds from an event to its upload."""

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
    """Active and new users of a date. `wau` and `mau` are of the 7 and 30 days that end with it."""

    day: date
    dau: int
    wau: int
    mau: int
    new_users: int


@dataclass(frozen=True)
class LifecyclePeriod:
    """Users of a day or week by what they did in the one before."""

    start: date
    new: int
    current: int
    resurrected: int
    dormant: int


@dataclass(frozen=True)
class StickinessRow:
    """Users of a week with exactly `active_days`; `share_at_least` of them had so many or more."""

    week: date
    active_days: int
    users: int
    share_at_least: float


@dataclass(frozen=True)
class RetentionRow:
    """New users of a date, and those who came back on day n of their own 24-hour days."""

    cohort_date: date
    mode: str
    day_number: int
    cohort_users: int
    returned_users: int
    is_complete: bool


@dataclass(frozen=True)
class FunnelStep:
    """A step of a funnel: who reached it, of those at the start and at the step before."""

    funnel: str
    step: int
    event_type: str
    users: int
    from_start: float | None
    from_previous: float | None
    median_seconds: float | None


@dataclass(frozen=True)
class Sessions:
    """Sessions that began in the range; `lengths` counts them by the lower bound in seconds."""

    count: int
    bounces: int
    median_seconds: float | None
    mean_seconds: float | None
    lengths: dict[int, int]


@dataclass(frozen=True)
class RevenueDay:
    """Revenue of a date in one currency, refunds taken off."""

    day: date
    currency: str
    revenue: float
    events: int


@dataclass(frozen=True)
class LifetimeDay:
    """What the complete cohorts had brought in by the end of day n."""

    day_number: int
    cohort_users: int
    revenue: float
    paying_users: int


@dataclass(frozen=True)
class EventType:
    """How often an event type happened, and to how many users on the newest whole date."""

    name: str
    events: int
    users: int


@dataclass(frozen=True)
class DriftRow:
    """A property that needs a look, and how many of its `kind` there are in all.

    `kind` is `types` (it comes with several JSON types), `case` (another key differs from it by
    case only), `new` or `gone`. `event_type` is one of those that carry it.
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
    """Everything on the page. Without a `coverage` nothing has been loaded yet."""

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

    @property
    def gaps(self) -> list[HourRange]:
        """Return the runs of hours between the first and the newest that were never loaded."""
        if self.coverage is None:
            return []
        held = {hour.export_hour for hour in self.hours}
        shown = HourRange(self.coverage.first_shown_hour, self.coverage.hours.last)
        return contiguous_ranges(hour for hour in shown if hour not in held)

    @property
    def main_day(self) -> ActiveDay | None:
        """Return the newest whole date, or the newest there is while none is whole."""
        if self.coverage is None:
            return None
        wanted = self.coverage.last_whole_date or self.coverage.last_date
        return next((day for day in self.active_days if day.day == wanted), None)
