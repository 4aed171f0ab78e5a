"""On SIGINT and SIGTERM, `dev` interrupts its process and waits for its end."""

import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.integration

# Prints when it begins, and when it was interrupted.
_COMMAND = """
import time
try:
    print("began", flush=True)
    time.sleep(600)
except KeyboardInterrupt:
    print("shut down", flush=True)
    raise SystemExit(3)
"""
_RUNNER = (
    "import sys; from amplitude_assets.cli.dev import run_until_interrupted as run; "
    "status = run([sys.executable, '-c', sys.argv[1]]); print('ended'); sys.exit(status)"
)


# How a shell without job control starts a command with `&`.
_IN_BACKGROUND = ("sh", "-c", "trap '' INT; exec \"$@\"", "sh")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("launcher", [(), _IN_BACKGROUND], ids=["foreground", "background"])
def test_the_command_is_interrupted_and_waited_for(
    number: signal.Signals, launcher: tuple[str, ...]
) -> None:
    with subprocess.Popen(
        [*launcher, sys.executable, "-c", _RUNNER, _COMMAND], stdout=subprocess.PIPE, text=True
    ) as runner:
        assert runner.stdout is not None
        assert runner.stdout.readline() == "began\n"
        runner.send_signal(number)
        output, _ = runner.communicate()
    assert output.split("\n") == ["shut down", "ended", ""]
    assert runner.returncode == 0


def test_the_exit_status_of_the_command_is_returned() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _RUNNER, "raise SystemExit(3)"], capture_output=True, check=False
    )
    assert done.returncode == 3
