"""How far a step is: parts done, what they held, rate and time left, for log and terminal."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Progress:
    """How far one step of a run is: `done` of `total` parts, which held `amount` of `units`."""

    step: str
    done: int
    total: int
    parts: str
    amount: int
    units: str
    seconds: float

    @property
    def seconds_left(self) -> float | None:
        """Return an estimate from the pace so far, or None before there is any."""
        if not 0 < self.done < self.total:
            return None
        return self.seconds / self.done * (self.total - self.done)

    def __str__(self) -> str:
        """Write it as one line for people."""
        text = f"{self.step}: {self.done:,} of {self.total:,} {self.parts}"
        if self.amount and self.seconds > 0:
            text += f", {self._written(self.amount)} ({self._rate(self.amount / self.seconds)}/s)"
        if self.seconds_left is not None:
            text += f", {timedelta(seconds=round(self.seconds_left))} left"
        return text

    def _written(self, amount: int) -> str:
        if not self.units.startswith("bytes"):
            return f"{amount:,} {self.units}"
        return _bytes(amount) + self.units.removeprefix("bytes")

    def _rate(self, amount: float) -> str:
        return _bytes(amount) if self.units.startswith("bytes") else f"{amount:,.0f}"


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
    ) -> None:
        """Begin to count `total` parts, which hold some amount of `units`."""
        self._sink = sink
        self._step = step
        self._total = total
        self._parts = parts
        self._units = units
        self._every_seconds = every_seconds
        self._began = self._told = time.monotonic()
        self._done = 0
        self._amount = 0
        if total:
            self._tell()

    def add(self, done: int, amount: int = 0) -> None:
        """Count parts that are done, and what they held."""
        self._done += done
        self._amount += amount
        now = time.monotonic()
        if self._done < self._total and now - self._told < self._every_seconds:
            return
        self._tell()

    def _tell(self) -> None:
        self._told = time.monotonic()
        self._sink(
            Progress(
                self._step,
                self._done,
                self._total,
                self._parts,
                self._amount,
                self._units,
                self._told - self._began,
            )
        )
