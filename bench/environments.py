"""The peers' own environments: made once from the package index, under `.bench/peers`."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Peer:
    """A peer's environment: its name, and exactly what is installed in it."""

    name: str
    requirement: str


AIRBYTE_SOURCE = Peer("airbyte-source-amplitude", "airbyte-source-amplitude==0.6.19")
PYAIRBYTE = Peer("pyairbyte", "airbyte==0.71.3")
DLT = Peer("dlt", "dlt[duckdb,parquet]==1.31.0")
PLOTS = Peer("plots", "matplotlib==3.11.2")


class SetUpError(Exception):
    """An environment that could not be made; the message is the end of what pip said."""


def python_of(root: Path, peer: Peer) -> str:
    """Return the Python of a peer's environment, made if need be. Raises SetUpError."""
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
        said = (done.stderr or done.stdout).strip().splitlines()
        raise SetUpError(said[-1] if said else f"{command[0]} failed")
