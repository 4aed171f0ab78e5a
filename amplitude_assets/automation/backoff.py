"""Exponential backoff with an upper bound, aligned to the clock.

The waits are about 15, 30, 60, 120 and then always 240 minutes: a permanent failure costs ten
attempts on its first day and six on each following day. A wait ends at a multiple of its length
(four hours at 00, 04, 08 ... UTC), so that hours which fail together are retried together: after an
outage of days, they are requested as a few ranges and not one by one.
"""

from datetime import UTC, datetime, timedelta

SHORTEST = timedelta(minutes=15)
LONGEST = timedelta(hours=4)


def again_at(failed_at: datetime, times: int) -> datetime:
    """Return the time of the next attempt after `times` failures in a row, the last at `failed_at`.

    It is half to one and a half times the wait after `failed_at` (aware).
    """
    wait = SHORTEST
    for _ in range(times - 1):
        wait = min(wait * 2, LONGEST)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    earliest = failed_at.astimezone(UTC) + wait / 2 - epoch
    return epoch + -(-earliest // wait) * wait  # rounded up
