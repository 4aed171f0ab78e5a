"""Run a contender as a process, and measure its time, CPU time and memory."""

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

_POLL_SECONDS = 0.05
# A contender that uses more than this share of the machine's memory is killed.
_MAX_MEMORY_SHARE = 0.5
_MB = 1024 * 1024


@dataclass(frozen=True)
class Measured:
    """The measurements of a process. `result` is its own report, with the `seconds` of the work.

    `wall` is the elapsed time with the start of the process, `cpu` the CPU time of the process and
    its descendants (both in seconds). `peak_mb` is the peak of their total memory; pages shared by
    several processes count once for each.
    """

    result: dict[str, Any]
    wall: float
    cpu: float
    peak_mb: float


class ContenderError(Exception):
    """A contender failed; the message is the last line of its output."""


def measure(
    command: Sequence[str], log: Path, environment: Mapping[str, str], *, timeout: float
) -> Measured:
    """Run a command, and write its output to `log`.

    Raises ContenderError when it fails, uses too much memory or exceeds `timeout` (seconds).
    """
    os.sync()  # flush earlier writes, so that the command does not wait for them
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - only commands of the benchmark
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        watch = _Watch(process.pid, began + timeout)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        watch.end()
    output_text = log.read_text(errors="replace")
    if process.returncode:
        raise ContenderError(watch.killed_because or _last_line(output_text))
    return Measured(
        result=_result(output_text),
        wall=wall,
        cpu=usage.ru_utime + usage.ru_stime,
        # Polling may miss a peak; the kernel's own peak of the largest process does not.
        peak_mb=max(watch.peak_bytes, usage.ru_maxrss * 1024) / _MB,
    )


class _Watch:
    """Polls the memory of a process and its descendants in a thread, and enforces the limits."""

    def __init__(self, pid: int, deadline: float) -> None:
        self.peak_bytes = 0
        self.killed_because = ""
        self._pid = pid
        self._deadline = deadline
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(_POLL_SECONDS):
            now = _resident_bytes(self._pid)
            self.peak_bytes = max(self.peak_bytes, now)
            if time.monotonic() > self._deadline:
                self.killed_because = "it exceeded its timeout and was killed"
            elif now > _MAX_MEMORY_SHARE * _machine_bytes():
                self.killed_because = f"it used {now / _MB / 1024:.1f} GB of memory and was killed"
            if self.killed_because:
                os.killpg(self._pid, signal.SIGKILL)
                return


def _machine_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _resident_bytes(pid: int) -> int:
    """Return the resident memory of a process and its descendants; 0 for those that have ended."""
    folder = Path(f"/proc/{pid}")
    try:
        total = int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        for thread in (folder / "task").iterdir():
            for child in (thread / "children").read_text().split():
                total += _resident_bytes(int(child))
    except (OSError, IndexError):
        return 0
    return total


def _result(output: str) -> dict[str, Any]:
    for line in reversed(output.splitlines()):
        if line.startswith(RESULT):
            result: dict[str, Any] = json.loads(line.removeprefix(RESULT))
            return result
    raise ContenderError("it ended without a result")


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it failed without output"
