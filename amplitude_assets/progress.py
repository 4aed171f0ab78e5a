"""Progress of a step and of a whole command: parts done, rate and time left."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

_ENOUGH = 0.1  # fraction of the parts after which the time left is estimated


@dataclass(frozen=True)
class Overall:
    """Progress of a whole command: `done` of `total` hours, in run number `run` of `runs`.

    An hour is done when it has completed its last stage, or has failed.
    """

    run: int
    runs: int
    done: int
    total: int
    failed: int
    seconds_left: float | None

    @property
    def name(self) -> str:
        """Return the name to display."""
        return f"run {self.run} of {self.runs}" if self.runs > 1 else "total"

    @property
    def reached(self) -> str:
        """Return the number of hours done, without the time left."""
        failed = f" ({self.failed:,} failed)" if self.failed else ""
        return f"{self.done:,} of {self.total:,} hours{failed}"

    def __str__(self) -> str:
        """Return it as one line."""
        name = f"{self.name}, " if self.runs > 1 else ""
        return f"{name}{self.reached}{about_left(self.seconds_left)}"


@dataclass(frozen=True)
class Progress:
    """Progress of one step of a run: `done` of `total` parts, with `amount` of `units` in them.

    The pace is measured from `since` on: the parts done and the seconds passed at that time.
    """

    step: str
    done: int
    total: int
    parts: str
    amount: int
    units: str
    seconds: float
    since: tuple[int, float] = (0, 0.0)
    overall: Overall | None = None

    @property
    def percent(self) -> int:
        """Return the percentage done, 100 only at the end."""
        return 100 * self.done // self.total if self.total else 100

    @property
    def seconds_left(self) -> float | None:
        """Return an estimate from the pace, or None before enough parts are done."""
        done, seconds = self.done - self.since[0], self.seconds - self.since[1]
        if not done or not self.total * _ENOUGH <= self.done < self.total:
            return None
        return seconds / done * (self.total - self.done)

    @property
    def reached(self) -> str:
        """Return parts done, amount and rate, without the step's name and the time left."""
        text = f"{self.done:,} of {self.total:,} {self.parts}"
        if self.amount and self.seconds > 0:
            text += f", {self._format(self.amount)} ({self._rate(self.amount / self.seconds)}/s)"
        return text

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.step}: {self.reached}{time_left(self.seconds_left)}"

    def _format(self, amount: int) -> str:
        if not self.units.startswith("bytes"):
            return f"{amount:,} {self.units}"
        return _bytes(amount) + self.units.removeprefix("bytes")

    def _rate(self, amount: float) -> str:
        return _bytes(amount) if self.units.startswith("bytes") else f"{amount:,.0f}"


def time_left(seconds: float | None) -> str:
    """Format the time left as the end of a line, empty when it is unknown."""
    return "" if seconds is None else f", {timedelta(seconds=round(seconds))} left"


def about_left(seconds: float | None) -> str:
    """Format the time left of a whole command, a rough estimate, as the end of a line."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f", about {max(round(seconds / 10), 1) * 10} s left"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f", about {minutes} min left"
    return f", about {minutes // 60} h {minutes % 60} min left"


def _bytes(amount: float) -> str:
    """Format a number of bytes, short enough for a step on one line of a terminal."""
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:,.1f} {unit}" if unit != "B" else f"{amount:,.0f} B"
        amount /= 1000
    return f"{amount:,.1f} TB"


ProgressSink = Callable[[Progress], None]


class WholeCommand:
    """Counts hours over all runs of a command, and adds the total to each step's progress.

    Every hour passes the same stages, in runs of many hours. The total never decreases, although a
    step that is retried or continued in another run starts its own count again.
    """

    def __init__(
        self,
        sink: ProgressSink,
        stages: Sequence[str],
        run_hours: Sequence[int],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start to count. `run_hours` are the hours of each run; `clock` returns seconds."""
        self._sink = sink
        self._run_hours = run_hours
        self._clock = clock
        self._began: float | None = None
        self._stages = dict.fromkeys(stages, 0)
        self._last_stage = stages[-1]
        self._ended = 0  # runs
        self._settled = 0  # hours of runs that have ended
        self._failed = 0

    def __call__(self, step: Progress) -> None:
        """Pass a step's progress to the sink, with the progress of the command."""
        if self._began is None:
            self._began = self._clock()
        if step.step in self._stages:
            reached = min(step.done, self._run_hours[self._ended])
            self._stages[step.step] = max(self._stages[step.step], reached)
        self._sink(replace(step, overall=self.overall))

    def end_run(self, failed: int) -> None:
        """Count a run's hours as done, `failed` of them as failed."""
        self._settled += self._run_hours[self._ended]
        self._failed += failed
        self._ended += 1
        self._stages = dict.fromkeys(self._stages, 0)

    @property
    def overall(self) -> Overall:
        """Return the progress of the command."""
        total = sum(self._run_hours)
        done = self._settled + self._stages[self._last_stage]
        return Overall(
            run=min(self._ended + 1, len(self._run_hours)),
            runs=len(self._run_hours),
            done=done,
            total=total,
            failed=self._failed,
            seconds_left=self._seconds_left(total) if 0 < done < total else None,
        )

    def _seconds_left(self, total: int) -> float:
        """Estimate from the pace over all stages; at least one hour must have completed them."""
        done = self._settled * len(self._stages) + sum(self._stages.values())
        left = total * len(self._stages) - done
        return (self._clock() - (self._began or 0.0)) / done * left


class StepProgress:
    """Counts a step's parts, and reports at the start, every few seconds, and at the end."""

    def __init__(
        self,
        sink: ProgressSink,
        step: str,
        total: int,
        *,
        parts: str = "hours",
        units: str = "",
        every_seconds: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start to count `total` parts, measured in `units`; `clock` returns seconds."""
        self._sink = sink
        self._step = step
        self._total = total
        self._parts = parts
        self._units = units
        self._every_seconds = every_seconds
        self._clock = clock
        self._began = self._reported = clock()
        self._past = [(0, 0.0)]
        self._done = 0
        self._amount = 0
        if total:
            self._report()

    def add(self, done: int, amount: int = 0) -> None:
        """Count `done` more parts, with `amount` in them."""
        self._done += done
        self._past.append((self._done, self._clock() - self._began))
        self._amount += amount
        self._report_if_due()

    def reach(self, amount: int) -> None:
        """Set the total amount so far, including parts that are not done."""
        if amount != self._amount:
            self._amount = amount
            self._report_if_due()

    def _report_if_due(self) -> None:
        is_due = self._clock() - self._reported >= self._every_seconds
        if is_due or self._done >= self._total:
            self._report()

    def _report(self) -> None:
        self._reported = self._clock()
        self._sink(
            Progress(
                self._step,
                self._done,
                self._total,
                self._parts,
                self._amount,
                self._units,
                self._reported - self._began,
                self._half_way(),
            )
        )

    def _half_way(self) -> tuple[int, float]:
        """Return parts and seconds at about half of the parts done.

        The pace from then on is independent of the time that the step took to start.
        """
        return max(past for past in self._past if past[0] <= self._done / 2)
