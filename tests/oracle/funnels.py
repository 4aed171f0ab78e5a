"""Funnels: for each user the longest, then the earliest path through ordered steps.

Definitions: https://amplitude.com/docs/analytics/charts/funnel-analysis/funnel-analysis-how-amplitude-computes
("this order"), .../funnel-analysis-how-amplitude-computes-conversions (longest, then earliest) and
.../funnel-analysis-how-amplitude-handles-simultaneous-events: two different events within one
second are in either order, and of two equal events within one second only one counts.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from tests.oracle.events import Event
from tests.oracle.settings import Funnel, Settings

ONE_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Path:
    """One user's path through one funnel, with the time of each step."""

    funnel: Funnel
    user_key: str
    reached_at: tuple[datetime, ...]

    def seconds_to(self, step: int) -> float | None:
        """Return the time from the previous step to a step; None for the first step."""
        if step == 1:
            return None
        seconds = (self.reached_at[step - 1] - self.reached_at[step - 2]).total_seconds()
        return max(seconds, 0.0)

    @property
    def is_converted(self) -> bool:
        """Whether the path reached the last step."""
        return len(self.reached_at) == len(self.funnel.event_types)


def paths(events: Iterable[Event], settings: Settings) -> list[Path]:
    """Return the one path of every user who did the first step of a funnel."""
    times: defaultdict[str, defaultdict[str, list[datetime]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for event in events:
        times[event.user_key][event.event_type].append(event.event_time)
    found = []
    for funnel in settings.funnels:
        for user, own in times.items():
            attempts = [_attempt(funnel, start, own) for start in own[funnel.event_types[0]]]
            if attempts:
                best = min(attempts, key=lambda reached: (-len(reached), reached))
                found.append(Path(funnel, user, best))
    return found


def _attempt(
    funnel: Funnel, start: datetime, times: dict[str, list[datetime]]
) -> tuple[datetime, ...]:
    """Continue from one first event, with the earliest event that may follow as each step.

    A later event never allows a longer path, since it only restricts what may follow.
    """
    reached = [start]
    for event_type in funnel.event_types[1:]:
        following = [
            time
            for time in times[event_type]
            if may_follow(time, event_type, list(zip(reached, funnel.event_types, strict=False)))
            and time <= start + funnel.window
        ]
        if not following:
            break
        reached.append(min(following))
    return tuple(reached)


def may_follow(time: datetime, event_type: str, path: list[tuple[datetime, str]]) -> bool:
    """Return whether an event may be the next step of a path with these times and types."""
    previous, previous_type = path[-1]
    if event_type != previous_type and time <= previous - ONE_SECOND:
        return False
    return all(time - used >= ONE_SECOND for used, its_type in path if its_type == event_type)


def funnel_users(all_paths: Iterable[Path]) -> list[tuple[object, ...]]:
    """Return `fct_funnel`."""
    return [
        (
            path.funnel.name,
            path.user_key,
            path.reached_at[0],
            len(path.reached_at),
            path.reached_at[-1] if path.is_converted else None,
        )
        for path in all_paths
    ]


def reached_steps(all_paths: Iterable[Path]) -> list[tuple[object, ...]]:
    """Return `fct_funnel_steps`."""
    return [
        (
            path.funnel.name,
            path.user_key,
            step,
            path.funnel.event_types[step - 1],
            path.reached_at[step - 1],
            path.seconds_to(step),
        )
        for path in all_paths
        for step in range(1, len(path.reached_at) + 1)
    ]


def funnel_steps(all_paths: list[Path], settings: Settings) -> list[tuple[object, ...]]:
    """Return `agg_funnel`: users by the step they reached, and the time from the previous step."""
    rows: list[tuple[object, ...]] = []
    for funnel in settings.funnels:
        own = [path for path in all_paths if path.funnel is funnel]
        for step, event_type in enumerate(funnel.event_types, start=1):
            there = [path for path in own if len(path.reached_at) >= step]
            seconds = [s for path in there if (s := path.seconds_to(step)) is not None]
            rows.append(
                (
                    funnel.name,
                    step,
                    event_type,
                    len(there),
                    len(there) / len(own) if own else None,
                    median(seconds) if seconds else None,
                )
            )
    return rows
