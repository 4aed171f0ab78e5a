"""Many ranges asked for, a few at a time: which to halve, and when to stop asking."""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Generic, TypeVar

from amplitude_assets.export.errors import (
    ArchiveError,
    CredentialsError,
    ExportError,
    ProjectError,
    RateLimitedError,
    TooLargeError,
    UnavailableError,
    UnreachableError,
)
from amplitude_assets.export.stopping import Stop
from amplitude_assets.hours import HourRange

Answer = TypeVar("Answer")

# A part of a range that has failed is not worth as much patience as the range was.
_ATTEMPTS_FOR_PARTS = 2
# A day with one bad hour fails five times on the way down to it, whichever hour that is.
_FAILURES_PER_WORKER = 6
_MEANWHILE_SECONDS = 1.0


@dataclass(frozen=True)
class _Task:
    hours: HourRange
    attempts: int


class Fetching(Generic[Answer]):
    """One undertaking to get ranges of hours, at most `workers` at a time.

    `ask` gets one range, in so many attempts, until the event is set; it raises ExportError.
    `on_answer` is called in the thread that runs, with each answer as it comes, and `meanwhile` in
    the same before each and every second.
    """

    def __init__(
        self,
        ask: Callable[[HourRange, int, Stop], Answer],
        on_answer: Callable[[Answer], None],
        meanwhile: Callable[[], None],
        *,
        workers: int,
        attempts: int,
    ) -> None:
        """Be ready to run once."""
        self._ask = ask
        self._on_answer = on_answer
        self._meanwhile = meanwhile
        self._workers = workers
        self._attempts = attempts
        self._waiting: deque[_Task] = deque()
        self._errors: list[ExportError] = []
        self._stop = Stop()
        self._reason_to_stop: ExportError | None = None
        self._failures_in_a_row = 0

    def run(self, ranges: Iterable[HourRange]) -> list[ExportError]:
        """Ask until nothing is left to ask for, or asking has lost its point.

        Returns errors for exactly the hours that did not come, in time order.
        """
        self._waiting.extend(_Task(hours, self._attempts) for hours in ranges)
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="export-client")
        running: dict[Future[Answer], _Task] = {}
        try:
            while self._waiting or running:
                while self._waiting and len(running) < self._workers:
                    task = self._waiting.popleft()
                    running[pool.submit(self._ask, task.hours, task.attempts, self._stop)] = task
                done, _ = wait(running, _MEANWHILE_SECONDS, return_when=FIRST_COMPLETED)
                self._meanwhile()
                for future in done:
                    self._settle(running.pop(future), future)
        finally:
            self._stop.set()
            pool.shutdown(cancel_futures=True)
        return sorted(self._errors, key=lambda error: error.hours)

    def _settle(self, task: _Task, future: "Future[Answer]") -> None:
        try:
            answer = future.result()
        except ExportError as error:
            self._fail(task, error)
        else:
            self._failures_in_a_row = 0
            self._on_answer(answer)

    def _fail(self, task: _Task, error: ExportError) -> None:
        if self._reason_to_stop is not None:
            self._errors.append(_given_up(task.hours, self._reason_to_stop))
            return
        parts = _parts(task, error)
        if not (parts and isinstance(error, TooLargeError)):
            self._failures_in_a_row += 1
        if self._is_hopeless(error):
            self._errors.append(error)
            self._give_up(error)
        elif parts:
            # To the front: the good hours beside a bad one come soon, and show that the server
            # is up.
            self._waiting.extendleft(reversed(parts))
        else:
            self._errors.append(error)

    def _is_hopeless(self, error: ExportError) -> bool:
        """Say whether the rest would fail as well: wrong keys, no server, or one that is down."""
        return (
            isinstance(error, CredentialsError | ProjectError | UnreachableError)
            or self._failures_in_a_row >= _FAILURES_PER_WORKER * self._workers
        )

    def _give_up(self, reason: ExportError) -> None:
        """Ask for nothing more: all that waits, or is under way, fails with the reason."""
        self._reason_to_stop = reason
        self._stop.set()
        self._errors.extend(_given_up(task.hours, reason) for task in self._waiting)
        self._waiting.clear()


def _given_up(hours: HourRange, reason: ExportError) -> ExportError:
    return type(reason)(hours, f"given up, because {reason.hours} failed: {reason.message}")


def _parts(task: _Task, error: ExportError) -> list[_Task]:
    """Return the halves of a range, where one hour of it may be what fails; else none."""
    if len(task.hours) == 1 or isinstance(error, UnreachableError | RateLimitedError):
        return []
    if isinstance(error, TooLargeError):
        return [_Task(half, task.attempts) for half in task.hours.halves()]
    if isinstance(error, UnavailableError | ArchiveError):
        return [_Task(half, _ATTEMPTS_FOR_PARTS) for half in task.hours.halves()]
    return []
