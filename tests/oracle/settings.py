"""The oracle's input besides the exported lines."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from amplitude_assets.time_zones import time_zone


@dataclass(frozen=True)
class Funnel:
    """Ordered steps, and the time after the first event within which a path may continue."""

    name: str
    event_types: tuple[str, ...]
    window: timedelta = timedelta(days=1)


@dataclass(frozen=True)
class Merge:
    """One line of a merge file: the time from which `absorbed` is the user `surviving`."""

    absorbed: int
    surviving: int
    merge_time: datetime | None = None


@dataclass(frozen=True)
class Settings:
    """The project's settings, with the project's names."""

    timezone: str = "UTC"
    week_start: str = "monday"
    inactive_event_types: frozenset[str] = frozenset()
    funnels: tuple[Funnel, ...] = ()
    retention_days: int = 30
    retention_periods: int = 12

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of reporting days."""
        return time_zone(self.timezone)
