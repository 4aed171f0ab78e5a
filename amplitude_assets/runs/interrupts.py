"""Interrupts of a command: shut down, or exit after a timeout or a second Ctrl+C.

Dagster installs signal handlers of its own while it executes, treats an interrupt as a failure of
the step, and would continue with the next run. `signal.set_wakeup_fd` notifies us whichever handler
is installed.
"""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NoReturn

# Timeout of the shutdown. Some waits cannot be interrupted, such as for a long query or for a slot
# in a pool; exiting during one loses no committed data.
GRACE_SECONDS = 10.0
_GIVE_UP_SECONDS = 2.0
INTERRUPTED = 130

_SIGNALS = {signal.SIGINT, signal.SIGTERM}


def _nothing() -> None:
    return None


@contextmanager
def watch_interrupts(
    announce: Callable[[], None] = _nothing, give_up: Callable[[], None] = _nothing
) -> Iterator[Callable[[], bool]]:
    """Yield a function that returns whether this process was interrupted; main thread only.

    The first interrupt calls `announce`. On a second one, or when the block has not ended within
    `GRACE_SECONDS`, the process calls `give_up`, waits for it at most `_GIVE_UP_SECONDS`, and exits
    with status 130. Both are called in other threads. An interrupt that Python can only report as
    ignored, such as one during an import, prints nothing: the yielded function tells of it.
    """
    interrupted = threading.Event()
    reader, writer = socket.socketpair()
    writer.setblocking(False)

    def watch() -> None:
        if not _next_interrupt(reader, None):
            return
        interrupted.set()
        announce()
        if _next_interrupt(reader, time.monotonic() + GRACE_SECONDS):
            last = threading.Thread(target=give_up, daemon=True)
            last.start()
            last.join(_GIVE_UP_SECONDS)
            os._exit(INTERRUPTED)

    watcher = threading.Thread(target=watch, name="interrupts", daemon=True)
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    watcher.start()
    hook = sys.unraisablehook
    sys.unraisablehook = partial(_report_unless_interrupt, hook)
    try:
        yield interrupted.is_set
    finally:
        sys.unraisablehook = hook
        signal.set_wakeup_fd(before)
        writer.close()
        watcher.join()
        reader.close()


def exit_interrupted() -> NoReturn:
    """Exit with status 130 at once, without the seconds that Dagster's modules take to unload."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(INTERRUPTED)


def _report_unless_interrupt(
    report: Callable[["sys.UnraisableHookArgs"], object], ignored: "sys.UnraisableHookArgs"
) -> None:
    if ignored.exc_type is not KeyboardInterrupt:
        report(ignored)


def _next_interrupt(reader: socket.socket, until: float | None) -> bool:
    """Return True at an interrupt, or at `until` (monotonic clock); False if the writer closed."""
    while True:
        reader.settimeout(None if until is None else max(until - time.monotonic(), 0.001))
        try:
            number = reader.recv(1)
        except TimeoutError:
            return True
        if not number:
            return False
        if number[0] in _SIGNALS:
            return True
