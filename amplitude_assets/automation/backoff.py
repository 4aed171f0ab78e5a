"""How long to wait after a failure: longer each time, up to a bound, and at round times.

The waits are about 15, 30, 60, 120 and then always 240 minutes. So what fails for ever costs ten
attempts on its first day and six on each day after. A wait ends at a whole multiple of itself
(a wait of four hours at 00, 04, 08 ... UTC), so that things which fail together are tried again
together: when Amplitude is down for days, its hours are asked for as a few ranges, not one by one.
"""

from datetime import UTC, datetime, timedelta

SHORTEST = timedelta(minutes=15)
LONGEST = timedelta(hours=4)


def again_at(failed_at: datetime, times: int) -> datetime:
    """Return when to try again what has failed `times` times in a row, last seen at `failed_at`.

    It is a half to one and a half of the wait away.
    """
    wait = SHORTEST
    for _ in range(times - 1):
        wait = min(wait * 2, LONGEST)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    earliest = failed_at.astimezone(UTC) + wait / 2 - epoch
    return epoch + -(-earliest // wait) * wait  # rounded up
