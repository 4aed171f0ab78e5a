"""An interrupted command: it ends in order, or after some seconds without.

While Dagster executes, the handlers of signals are its own. It takes an interrupt for a fault of
the step, and then it would go on with the next run. So the command is told by the other way that
Python has, which works whoever handles the signal.
"""

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

# For what is under way to be put in order. Some waits cannot be broken off, such as a long query's
# or that for a place in a pool; a process that is gone does no harm to the next.
GRACE_SECONDS = 10.0
INTERRUPTED = 130

_SIGNALS = {signal.SIGINT, signal.SIGTERM}


@contextmanager
def noting_interrupts() -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether this process was interrupted since; main thread only.

    Once it was, the process is ended with status 130 unless the block is left within
    `GRACE_SECONDS`.
    """
    interrupted, left = threading.Event(), threading.Event()
    reader, writer = socket.socketpair()
    writer.setblocking(False)

    def watch() -> None:
        while number := reader.recv(1):
            if number[0] in _SIGNALS:
                interrupted.set()
                if not left.wait(GRACE_SECONDS):
                    os._exit(INTERRUPTED)

    watcher = threading.Thread(target=watch, name="interrupts", daemon=True)
    before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    watcher.start()
    try:
        yield interrupted.is_set
    finally:
        left.set()
        signal.set_wakeup_fd(before)
        writer.close()
        watcher.join()
        reader.close()


def run_until_interrupted(command: Sequence[str]) -> int:
    """Run a command that ends in order on SIGINT, and return its exit status, 0 once interrupted.

    It is in a process group of its own. So whatever ends us, Ctrl+C or SIGTERM or a terminal that
    closes, it is told once, and we wait for it. A shell that starts us with `&` has us ignore
    SIGINT; the command does not inherit that.
    """
    told = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
        told.append(signal.SIGHUP)
    interrupted = threading.Event()
    before = {number: signal.signal(number, lambda *_: interrupted.set()) for number in told}
    try:
        process = subprocess.Popen(command, process_group=0)  # noqa: S603 - our own command

        def pass_on(*_: object) -> None:
            interrupted.set()
            process.send_signal(signal.SIGINT)

        for number in told:
            signal.signal(number, pass_on)
        if interrupted.is_set():  # before there was anything to tell
            process.send_signal(signal.SIGINT)
        status = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0 if interrupted.is_set() else status
