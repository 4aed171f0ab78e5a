"""Schedule the requests of many ranges: concurrency, halving, and when to give up."""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

from amplitude_assets.export.api.cancellation import Stop
from amplitude_assets.export.errors import (
    ArchiveError,
    ClockError,
    CredentialsError,
    ExportError,
    ProjectError,
    RateLimitedError,
    TooLargeError,
    UnavailableError,
    UnreachableError,
)
from amplitude_assets.hours import HourRange

Result = TypeVar("Result")

# The range has used up its retries already, so its halves get fewer.
_ATTEMPTS_FOR_PARTS = 2
# Above five: halving a day down to its one bad hour fails five times in a row.
_FAILURES_PER_WORKER = 6
_MEANWHILE_SECONDS = 1.0


@dataclass(frozen=True)
class _Task:
    hours: HourRange
    attempts: int


class Fetching(Generic[Result]):
    """Fetches ranges of hours, at most `workers` at a time.

    `fetch` gets one range with the given number of attempts until the event is set, and raises
    ExportError. Both callbacks run in the thread that calls `run`: `on_result` with each result,
    `meanwhile` before it and every second.
    """

    def __init__(
        self,
        fetch: Callable[[HourRange, int, Stop], Result],
        on_result: Callable[[Result], None],
        meanwhile: Callable[[], None],
        *,
        workers: int,
        attempts: int,
    ) -> None:
        """Prepare one call of `run`."""
        self._fetch = fetch
        self._on_result = on_result
        self._meanwhile = meanwhile
        self._workers = workers
        self._attempts = attempts
        self._waiting: deque[_Task] = deque()
        self._errors: list[ExportError] = []
        self._stop = Stop()
        self._reason_to_stop: ExportError | None = None
        self._failures_in_a_row = 0

    def run(self, ranges: Iterable[HourRange]) -> list[ExportError]:
        """Fetch all ranges, or stop early when the remaining ones would fail as well.

        Returns errors for exactly the hours that were not fetched, in time order.
        """
        self._waiting.extend(_Task(hours, self._attempts) for hours in ranges)
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="export-client")
        running: dict[Future[Result], _Task] = {}
        try:
            while self._waiting or running:
                while self._waiting and len(running) < self._workers:
                    task = self._waiting.popleft()
                    running[pool.submit(self._fetch, task.hours, task.attempts, self._stop)] = task
                done, _ = wait(running, _MEANWHILE_SECONDS, return_when=FIRST_COMPLETED)
                self._meanwhile()
                for future in done:
                    self._settle(running.pop(future), future)
        finally:
            self._stop.set()
            pool.shutdown(cancel_futures=True)
        return sorted(self._errors, key=lambda error: error.hours)

    def _settle(self, task: _Task, future: "Future[Result]") -> None:
        try:
            result = future.result()
        except ExportError as error:
            self._fail(task, error)
        else:
            self._failures_in_a_row = 0
            self._on_result(result)

    def _fail(self, task: _Task, error: ExportError) -> None:
        if self._reason_to_stop is not None:
            self._errors.append(_given_up(task.hours, self._reason_to_stop))
            return
        parts = _parts(task, error)
        if not (parts and isinstance(error, TooLargeError | ClockError)):
            self._failures_in_a_row += 1
        if self._is_hopeless(error):
            self._errors.append(error)
            self._give_up(error)
        elif parts:
            # At the front of the queue: the good hours beside a bad one then succeed soon and
            # reset the count of failures in a row.
            self._waiting.extendleft(reversed(parts))
        else:
            self._errors.append(error)

    def _is_hopeless(self, error: ExportError) -> bool:
        """Return whether the remaining ranges would fail too: wrong keys, or the server is down."""
        return (
            isinstance(error, CredentialsError | ProjectError | UnreachableError)
            or self._failures_in_a_row >= _FAILURES_PER_WORKER * self._workers
        )

    def _give_up(self, reason: ExportError) -> None:
        """Cancel running requests, and fail all waiting and running tasks with `reason`."""
        self._reason_to_stop = reason
        self._stop.set()
        self._errors.extend(_given_up(task.hours, reason) for task in self._waiting)
        self._waiting.clear()


def _given_up(hours: HourRange, reason: ExportError) -> ExportError:
    return type(reason)(hours, f"given up because {reason.hours} failed: {reason.message}")


def _parts(task: _Task, error: ExportError) -> list[_Task]:
    """Return the halves of a range when the error may come from a part of it; else none."""
    if len(task.hours) == 1 or isinstance(error, UnreachableError | RateLimitedError):
        return []
    if isinstance(error, TooLargeError | ClockError):
        return [_Task(half, task.attempts) for half in task.hours.halves()]
    if isinstance(error, UnavailableError | ArchiveError):
        return [_Task(half, _ATTEMPTS_FOR_PARTS) for half in task.hours.halves()]
    return []
