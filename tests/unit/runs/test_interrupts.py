"""The first interrupt is announced, and the second one ends the process."""

import signal
import subprocess
import sys

import pytest

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
