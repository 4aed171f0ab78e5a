"""One contender as a process: its seconds, its processor time and its memory, from outside."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.task import RESULT

_EVERY_SECONDS = 0.05
# Past this share of the machine's memory a contender is ended before it takes others with it.
_MOST_MEMORY = 0.5
_MB = 1024 * 1024


@dataclass(frozen=True)
class Measured:
    """What a process did. `result` is what it said of itself; `seconds` in it are the work's own.

    `wall` has the start of the process too. `cpu` is that of the process and all it started.
    `peak_mb` is the most that these had in memory together, pages that they share counted in each.
    """

    result: dict[str, Any]
    wall: float
    cpu: float
    peak_mb: float


class ContenderError(Exception):
    """A contender that did not get to the end; the message is the end of what it said."""


def measure(
    command: Sequence[str], log: Path, environment: Mapping[str, str], *, patience: float
) -> Measured:
    """Run a command to its end. Raises ContenderError when it fails or takes too long (seconds)."""
    os.sync()  # what was written before is not this one's to wait for
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own commands
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        watch = _Watch(process.pid, began + patience)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        watch.end()
    said = log.read_text(errors="replace")
    if process.returncode:
        raise ContenderError(watch.gave_up or _last_words(said))
    return Measured(
        result=_result(said),
        wall=wall,
        cpu=usage.ru_utime + usage.ru_stime,
        # The kernel's own peak of the largest process cannot be missed between two looks.
        peak_mb=max(watch.peak_bytes, usage.ru_maxrss * 1024) / _MB,
    )


class _Watch:
    """Looks at a process and its descendants every so often, on a thread."""

    def __init__(self, pid: int, give_up_at: float) -> None:
        self.peak_bytes = 0
        self.gave_up = ""
        self._pid = pid
        self._give_up_at = give_up_at
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(_EVERY_SECONDS):
            now = _resident_bytes(self._pid)
            self.peak_bytes = max(self.peak_bytes, now)
            if time.monotonic() > self._give_up_at:
                self.gave_up = "it took too long and was ended"
            elif now > _MOST_MEMORY * _machine_bytes():
                self.gave_up = f"it took {now / _MB / 1024:.1f} GB of memory and was ended"
            if self.gave_up:
                os.killpg(self._pid, signal.SIGKILL)
                return


def _machine_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _resident_bytes(pid: int) -> int:
    """Return what a process and its descendants have in memory; nothing of those that are gone."""
    folder = Path(f"/proc/{pid}")
    try:
        total = int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        for thread in (folder / "task").iterdir():
            for child in (thread / "children").read_text().split():
                total += _resident_bytes(int(child))
    except (OSError, IndexError):
        return 0
    return total


def _result(said: str) -> dict[str, Any]:
    for line in reversed(said.splitlines()):
        if line.startswith(RESULT):
            result: dict[str, Any] = json.loads(line.removeprefix(RESULT))
            return result
    raise ContenderError("it ended without a result")


def _last_words(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it failed and said nothing"
