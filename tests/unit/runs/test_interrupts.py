"""The first interrupt is announced, the second ends the process, and none is lost."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from amplitude_assets.runs.interrupts import watch_interrupts

pytestmark = pytest.mark.integration

# Handles interrupts as a run does, and then waits without reacting to signals.
_STUCK = """
import signal, time
from amplitude_assets.runs.interrupts import watch_interrupts

def print_line(what):
    return lambda: print(what, flush=True)

signal.signal(signal.SIGINT, lambda *_: None)
with watch_interrupts(print_line("stopping"), print_line("gave up")) as interrupted:
    print("began", interrupted(), flush=True)
    time.sleep(600)
"""


@pytest.mark.timeout(60)
def test_the_first_interrupt_is_announced_and_the_second_ends_the_process() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _STUCK], stdout=subprocess.PIPE, text=True
    ) as stuck:
        assert stuck.stdout is not None
        lines = iter(stuck.stdout.readline, "")
        assert next(lines) == "began False\n"
        stuck.send_signal(signal.SIGINT)
        assert next(lines) == "stopping\n"
        stuck.send_signal(signal.SIGINT)
        assert list(lines) == ["gave up\n"]
    assert stuck.returncode == 130


def test_an_interrupt_that_python_ignores_is_noticed_but_not_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Python only reports exceptions of `__del__` and of weak references, which imports use."""
    reported = []
    monkeypatch.setattr(sys, "unraisablehook", lambda ignored: reported.append(ignored.exc_type))

    class Closing:
        def __init__(self, close: Callable[[], object]) -> None:
            self.close = close

        def __del__(self) -> None:
            self.close()

    with watch_interrupts() as interrupted:
        Closing(lambda: signal.raise_signal(signal.SIGINT))
        Closing(lambda: int("a bug"))
        until = time.monotonic() + 30
        while not interrupted() and time.monotonic() < until:
            time.sleep(0.01)
        assert interrupted()
    assert reported == [ValueError]
