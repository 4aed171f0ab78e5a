"""Create the peers' virtual environments, once, under `.bench/peers`."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Peer:
    """A peer's environment: its name, and the pinned requirement that is installed in it."""

    name: str
    requirement: str


AIRBYTE_SOURCE = Peer("airbyte-source-amplitude", "airbyte-source-amplitude==0.6.19")
PYAIRBYTE = Peer("pyairbyte", "airbyte==0.71.3")
DLT = Peer("dlt", "dlt[duckdb,parquet]==1.31.0")
PLOTS = Peer("plots", "matplotlib==3.11.2")


class SetUpError(Exception):
    """Creating an environment failed; the message is the last line of pip's output."""


def python_of(root: Path, peer: Peer) -> str:
    """Return the Python of a peer's environment, created if needed. Raises SetUpError."""
    folder = root / "peers" / peer.name
    python = folder / "bin" / "python"
    stamp = folder / "installed.txt"
    if not stamp.exists() or stamp.read_text() != peer.requirement:
        _run([sys.executable, "-m", "venv", str(folder)])
        _run([str(python), "-m", "pip", "install", "--disable-pip-version-check", peer.requirement])
        stamp.write_text(peer.requirement)
    return str(python)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        output = (done.stderr or done.stdout).strip().splitlines()
        raise SetUpError(output[-1] if output else f"{command[0]} failed")
