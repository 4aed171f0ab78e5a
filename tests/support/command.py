"""Run the command `amplitude-assets` in a separate process."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

COMMAND = Path(sys.executable).parent / "amplitude-assets"


def amplitude_assets(
    *arguments: str, env: Mapping[str, str], cwd: Path, timeout: float = 800
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end and return what it printed and its exit status."""
    return subprocess.run(
        [str(COMMAND), *arguments],
        env={**os.environ, **env},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout,
        umask=0o022,  # the usual one, with which others could read new files
        check=False,
    )


@contextmanager
def emulate(*arguments: str, env: Mapping[str, str], cwd: Path) -> Iterator[dict[str, str]]:
    """Serve the emulator with the command, and yield the settings that it prints."""
    with subprocess.Popen(
        [str(COMMAND), "emulate", "--port", "0", *arguments],
        env={**os.environ, **env},
        cwd=cwd,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            lines = [process.stdout.readline().strip() for _ in range(4)]
            yield dict(line.split("=", 1) for line in lines)
        finally:
            process.terminate()
            process.wait(30)
    assert process.returncode == 0
