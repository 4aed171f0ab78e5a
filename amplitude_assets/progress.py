"""How far a step is: parts done, what they held, rate and time left, for log and terminal."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

_ENOUGH = 0.1  # of the parts; from less no time left is told


@dataclass(frozen=True)
class Progress:
    """How far one step of a run is: `done` of `total` parts, which held `amount` of `units`.

    The pace counts `since` so many parts were done, after so many seconds.
    """

    step: str
    done: int
    total: int
    parts: str
    amount: int
    units: str
    seconds: float
    since: tuple[int, float] = (0, 0.0)

    @property
    def seconds_left(self) -> float | None:
        """Return an estimate from the pace, or None before enough is known."""
        done, seconds = self.done - self.since[0], self.seconds - self.since[1]
        if not done or not self.total * _ENOUGH <= self.done < self.total:
            return None
        return seconds / done * (self.total - self.done)

    @property
    def reached(self) -> str:
        """Write what is done and what it held, without the step's name and the time left."""
        text = f"{self.done:,} of {self.total:,} {self.parts}"
        if self.amount and self.seconds > 0:
            text += f", {self._written(self.amount)} ({self._rate(self.amount / self.seconds)}/s)"
        return text

    def __str__(self) -> str:
        """Write it as one line for people."""
        return f"{self.step}: {self.reached}{time_left(self.seconds_left)}"

    def _written(self, amount: int) -> str:
        if not self.units.startswith("bytes"):
            return f"{amount:,} {self.units}"
        return _bytes(amount) + self.units.removeprefix("bytes")

    def _rate(self, amount: float) -> str:
        return _bytes(amount) if self.units.startswith("bytes") else f"{amount:,.0f}"


def time_left(seconds: float | None) -> str:
    """Write the end of a line that says how much longer, or nothing when that is unknown."""
    return "" if seconds is None else f", {timedelta(seconds=round(seconds))} left"


def _bytes(amount: float) -> str:
    """Write a number of bytes short, so that a step fits on a line of a terminal."""
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:,.1f} {unit}" if unit != "B" else f"{amount:,.0f} B"
        amount /= 1000
    return f"{amount:,.1f} TB"


ProgressSink = Callable[[Progress], None]


class StepProgress:
    """Counts what a step has done, and tells a sink at once, every few seconds, and at the end."""

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
        """Begin to count `total` parts, which hold some amount of `units`; `clock` has seconds."""
        self._sink = sink
        self._step = step
        self._total = total
        self._parts = parts
        self._units = units
        self._every_seconds = every_seconds
        self._clock = clock
        self._began = self._told = clock()
        self._past = [(0, 0.0)]
        self._done = 0
        self._amount = 0
        if total:
            self._tell()

    def add(self, done: int, amount: int = 0) -> None:
        """Count parts that are done, and what they held."""
        self._done += done
        self._past.append((self._done, self._clock() - self._began))
        self._amount += amount
        self._tell_if_due()

    def reach(self, amount: int) -> None:
        """Set what is there by now, also of parts that are not done."""
        if amount != self._amount:
            self._amount = amount
            self._tell_if_due()

    def _tell_if_due(self) -> None:
        is_due = self._clock() - self._told >= self._every_seconds
        if is_due or self._done >= self._total:
            self._tell()

    def _tell(self) -> None:
        self._told = self._clock()
        self._sink(
            Progress(
                self._step,
                self._done,
                self._total,
                self._parts,
                self._amount,
                self._units,
                self._told - self._began,
                self._half_way(),
            )
        )

    def _half_way(self) -> tuple[int, float]:
        """Return when about half of what is done was done.

        The pace from then on has no part in how long a step took to start.
        """
        return max(past for past in self._past if past[0] <= self._done / 2)
