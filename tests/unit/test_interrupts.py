"""A command that runs another one ends it in order, however it is told to end itself."""

import signal
import subprocess
import sys

import pytest

# Prints whether it was interrupted as by Ctrl+C, and how far it came.
_COMMAND = """
import time
try:
    print("began", flush=True)
    time.sleep(600)
except KeyboardInterrupt:
    print("put in order", flush=True)
    raise SystemExit(3)
"""
_RUNNER = (
    "import sys; from amplitude_assets.interrupts import run_until_interrupted as run; "
    "status = run([sys.executable, '-c', sys.argv[1]]); print('ended'); sys.exit(status)"
)


# As a shell without job control starts what it is given with `&`.
_IN_BACKGROUND = ("sh", "-c", "trap '' INT; exec \"$@\"", "sh")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("by", [(), _IN_BACKGROUND], ids=["foreground", "background"])
def test_the_command_is_interrupted_and_waited_for(
    number: signal.Signals, by: tuple[str, ...]
) -> None:
    with subprocess.Popen(
        [*by, sys.executable, "-c", _RUNNER, _COMMAND], stdout=subprocess.PIPE, text=True
    ) as runner:
        assert runner.stdout is not None
        assert runner.stdout.readline() == "began\n"
        runner.send_signal(number)
        told, _ = runner.communicate()
    assert told.split("\n") == ["put in order", "ended", ""]
    assert runner.returncode == 0


def test_a_command_that_ends_by_itself_gives_its_status() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _RUNNER, "raise SystemExit(3)"], capture_output=True, check=False
    )
    assert done.returncode == 3
