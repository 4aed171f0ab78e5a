"""Retention of Dagster's history: when to apply it, and to which runs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dagster import DagsterInstance
from filelock import FileLock, Timeout

from amplitude_assets.config import public_api_only

# Less than a day, so that a cron job which starts a little early is not skipped.
_EVERY = timedelta(hours=20)
# For this long, runs keep every event, for debugging.
WHOLE_FOR = timedelta(days=1)


@contextmanager
def once_a_day(home: Path, now: datetime) -> Iterator[datetime | None]:
    """Yield the time at which retention was last applied to a home, or None when it is not due.

    Leaving the block without an exception marks it as applied. It is not due while another process
    applies it. Times are aware; the first call yields 1970-01-01.
    """
    mark = home / ".retention"
    try:
        with FileLock(home / ".retention.lock", timeout=0):
            last = datetime.fromtimestamp(mark.stat().st_mtime if mark.exists() else 0, UTC)
            if now - last < _EVERY:
                yield None
                return
            yield last
            mark.touch()
            os.utime(mark, (now.timestamp(), now.timestamp()))
    except Timeout:
        yield None


def clear_runs(instance: DagsterInstance, last: datetime, now: datetime, keep: timedelta) -> int:
    """Delete runs that ended and ticks that ran before `now - keep`; return the number of runs.

    Active runs and runs of an unfinished backfill are kept whole. Runs that succeeded are shortened
    after `WHOLE_FOR`: events that repeat other events are deleted, and of the checks that passed
    the newest of each day stays. The previous call, at `last`, has shortened the runs that ended
    before `last - WHOLE_FOR`. Times are aware. With `DAGSTER_PUBLIC_API_ONLY` nothing is deleted or
    shortened.
    """
    if public_api_only():
        return 0
    from amplitude_assets.instance.history import delete_runs, shorten_runs

    deleted = delete_runs(instance, now - keep)
    since = last - WHOLE_FOR if last.timestamp() else None
    shorten_runs(instance, since, now - WHOLE_FOR)
    return deleted
