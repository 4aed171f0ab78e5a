"""The quality of every export hour: its lines, their outcomes, and the lag."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime

from tests.oracle.events import Log


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return a percentile with linear interpolation; None without values."""
    if not values:
        return None
    in_order = sorted(values)
    place = share * (len(in_order) - 1)
    below = int(place)
    above = min(below + 1, len(in_order) - 1)
    return in_order[below] + (in_order[above] - in_order[below]) * (place - below)


def data_quality(log: Log) -> list[tuple[object, ...]]:
    """Return `rpt_data_quality`. Lag is from the event to its upload, in seconds."""
    redated = Counter(event.export_hour for event in log.events if event.is_redated)
    lags: defaultdict[datetime, list[float]] = defaultdict(list)
    for event in log.events:
        lags[event.export_hour].append(
            (event.server_upload_time - event.event_time).total_seconds()
        )
    return [
        (
            hour.export_hour,
            hour.lines,
            hour.lines - hour.rejected_lines,
            hour.rejected_lines,
            hour.events,
            hour.duplicates,
            True,
            redated[hour.export_hour],
            percentile(lags[hour.export_hour], 0.5),
            percentile(lags[hour.export_hour], 0.95),
        )
        for hour in log.hours
    ]
