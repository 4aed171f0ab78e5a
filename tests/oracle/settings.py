"""What the oracle is told besides the exported lines."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Funnel:
    """Ordered steps, and how long after its first event a path may still go on."""

    name: str
    event_types: tuple[str, ...]
    window: timedelta = timedelta(days=1)


@dataclass(frozen=True)
class Merge:
    """One line of a merge file: from when on `absorbed` is the user `surviving`."""

    absorbed: int
    surviving: int
    merge_time: datetime | None = None


@dataclass(frozen=True)
class Settings:
    """The project's settings, under the names that the project gives them."""

    timezone: str = "UTC"
    week_start: str = "monday"
    inactive_event_types: frozenset[str] = frozenset()
    funnels: tuple[Funnel, ...] = ()
    retention_days: int = 30
    retention_periods: int = 12

    @property
    def zone(self) -> ZoneInfo:
        """Return the zone in which reporting days begin."""
        return ZoneInfo(self.timezone)
